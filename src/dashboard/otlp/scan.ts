import type { RowBatch } from './row-batch.ts';
import type { Signal } from './signal.ts';
import type { WireReader } from './wire-reader.ts';

export interface ScanOptions {
  readonly signal: Signal;
  /** The resource attribute that names the tenant. */
  readonly tenantAttribute: string;
  /** The time of records that have none, in milliseconds since the epoch. */
  readonly receivedAt: number;
}

/** What the scanners of one request share. */
export interface Scan extends ScanOptions {
  readonly reader: WireReader;
  readonly batch: RowBatch;
  /** Of `createCheckStack`. */
  readonly stack: Int32Array;
}
