import type { EndedSpan } from './ended-span.ts';
import type { LogRecord } from './log-record.ts';
import type { Redaction } from './redaction.ts';
import { logFormatOf, type OtlpProtocol, type RecordSignal, wireFormatOf } from './span-sender.ts';
import type { WireFormat } from './wire-format.ts';

/** What spans and log records differ in for those who encode them and queue them. */
export interface RecordKind<Item> {
  readonly signal: RecordSignal;
  /** The operation that is reported when one cannot be encoded. */
  readonly encoding: string;
  readonly formatOf: (protocol: OtlpProtocol) => WireFormat<Item>;
  readonly redactorOf: (redaction: Redaction) => (item: Item) => Item;
}

export const SPANS: RecordKind<EndedSpan> = {
  signal: 'traces',
  encoding: 'encodeSpan',
  formatOf: wireFormatOf,
  redactorOf: ({ span }) => span,
};

export const LOG_RECORDS: RecordKind<LogRecord> = {
  signal: 'logs',
  encoding: 'encodeLog',
  formatOf: logFormatOf,
  redactorOf: ({ log }) => log,
};
