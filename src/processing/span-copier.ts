import type { Guard } from '../utils/guard.ts';
import type { EndedSpan } from './ended-span.ts';
import type { ProtoWriter } from './proto-writer.ts';
import type { SpanScope } from './span-host.ts';
import type { SpanWire } from './span-wire.ts';
import type { WireFormat } from './wire-format.ts';

/** Which spans are copied: all, those with an error status, or a share of the traces. */
export type CopyShare = 'all' | 'errors' | number;

/** A span, or another record, that is encoded already, and where. */
export interface Encoded<Item = EndedSpan> {
  readonly item: Item;
  readonly format: WireFormat<Item>;
  readonly writer: ProtoWriter;
}

/** Is shown each span that a tenant sends, and what is encoded of it already. Must not throw. */
export interface SpanCopier {
  take(scope: SpanScope, shown: EndedSpan, encoded: Encoded | undefined): void;
}

/** One tenant under one configuration, as its copies are seen by the platform. */
export interface CopySource {
  readonly tenantId: string;
  /** Its resource and scopes in a format. */
  wire(format: WireFormat): SpanWire;
}

/** Takes copies of all tenants' spans. */
export interface CopyTarget {
  /** What goes wrong with copies is nothing of the tenant's. */
  readonly guard: Guard;
  push(source: CopySource, span: EndedSpan, scope: SpanScope, encoded: Encoded | undefined): void;
}
