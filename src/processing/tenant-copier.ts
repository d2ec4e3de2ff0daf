import { SpanStatusCode } from '@opentelemetry/api';
import type { EndedSpan } from './ended-span.ts';
import { isInRatio } from './sampling.ts';
import type { CopyShare, CopySource, CopyTarget, Encoded, SpanCopier } from './span-copier.ts';
import type { SpanScope } from './span-host.ts';
import { SpanWire } from './span-wire.ts';
import type { WireFormat } from './wire-format.ts';
import type { WireParts } from './wire-parts.ts';

export interface TenantCopierOptions {
  readonly tenantId: string;
  readonly share: CopyShare;
  readonly target: CopyTarget;
  /** With the tenant's resource, and in it whose it is. */
  readonly parts: WireParts;
}

/** Copies one tenant's spans, under one configuration of it, to where all tenants' copies go. */
export class TenantCopier implements SpanCopier, CopySource {
  readonly tenantId: string;
  readonly #options: TenantCopierOptions;
  readonly #wires = new Map<WireFormat, SpanWire>();

  constructor(options: TenantCopierOptions) {
    this.tenantId = options.tenantId;
    this.#options = options;
  }

  take(scope: SpanScope, shown: EndedSpan, encoded: Encoded | undefined): void {
    const { target } = this.#options;
    try {
      if (this.#selects(shown)) target.push(this, shown, scope, encoded);
    } catch (error) {
      target.guard.report('encoder', 'copy', error);
    }
  }

  wire(format: WireFormat): SpanWire {
    let wire = this.#wires.get(format);
    if (wire === undefined) {
      wire = new SpanWire(format, this.#options.parts);
      this.#wires.set(format, wire);
    }
    return wire;
  }

  #selects({ context, status }: EndedSpan): boolean {
    const { share } = this.#options;
    if (share === 'errors') return status.code === SpanStatusCode.ERROR;
    return share === 'all' || isInRatio(context.traceId, share);
  }
}
