import type { CopySource, CopyTarget, Encoded, SpanCopier } from './span-copier.ts';
import type { SpanScope } from './span-host.ts';
import { SpanWire } from './span-wire.ts';
import type { WireFormat } from './wire-format.ts';
import type { WireParts } from './wire-parts.ts';

export interface TenantCopierOptions<Item> {
  readonly tenantId: string;
  readonly target: CopyTarget<Item>;
  /** Which are copied. */
  readonly selects: (item: Item) => boolean;
  /** With the tenant's resource, and in it whose it is. */
  readonly parts: WireParts;
}

/** Copies one tenant's spans, or log records, under one configuration of it, to where all tenants' copies go. */
export class TenantCopier<Item> implements SpanCopier<Item>, CopySource<Item> {
  readonly tenantId: string;
  readonly #options: TenantCopierOptions<Item>;
  readonly #wires = new Map<WireFormat<Item>, SpanWire<Item>>();

  constructor(options: TenantCopierOptions<Item>) {
    this.tenantId = options.tenantId;
    this.#options = options;
  }

  take(scope: SpanScope, shown: Item, encoded: Encoded<Item> | undefined): void {
    const { selects, target } = this.#options;
    try {
      if (selects(shown)) target.push(this, shown, scope, encoded);
    } catch (error) {
      target.guard.report('encoder', 'copy', error);
    }
  }

  wire(format: WireFormat<Item>): SpanWire<Item> {
    let wire = this.#wires.get(format);
    if (wire === undefined) {
      wire = new SpanWire(format, this.#options.parts);
      this.#wires.set(format, wire);
    }
    return wire;
  }
}
