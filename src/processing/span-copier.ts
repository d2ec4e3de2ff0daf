import type { Guard } from '../utils/guard.ts';
import type { EndedSpan } from './ended-span.ts';
import type { ProtoWriter } from './proto-writer.ts';
import type { SpanScope } from './span-host.ts';
import type { SpanWire } from './span-wire.ts';
import type { WireFormat } from './wire-format.ts';

/**
 * Which spans are copied: all, those with an error status, or a share of the traces. Log records: all, those from
 * `ERROR` up, or those of the same traces; of those outside of traces as large a share.
 */
export type CopyShare = 'all' | 'errors' | number;

/** A span, or another record, that is encoded already, and where. */
export interface Encoded<Item = EndedSpan> {
  readonly item: Item;
  readonly format: WireFormat<Item>;
  readonly writer: ProtoWriter;
}

/** Is shown each span, or log record, that a tenant sends, and what is encoded of it already. Must not throw. */
export interface SpanCopier<Item = EndedSpan> {
  take(scope: SpanScope, shown: Item, encoded: Encoded<Item> | undefined): void;
}

/** One tenant under one configuration, as its copies are seen by the platform. */
export interface CopySource<Item = EndedSpan> {
  readonly tenantId: string;
  /** Its resource and scopes in a format. */
  wire(format: WireFormat<Item>): SpanWire<Item>;
}

/** Takes copies of all tenants' spans, or log records. */
export interface CopyTarget<Item = EndedSpan> {
  /** What goes wrong with copies is nothing of the tenant's. */
  readonly guard: Guard;
  push(source: CopySource<Item>, item: Item, scope: SpanScope, encoded: Encoded<Item> | undefined): void;
}
