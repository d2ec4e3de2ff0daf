import type { ByteRange } from './byte-range.ts';

export const METRIC_TYPES = ['gauge', 'sum', 'histogram', 'exponentialHistogram', 'summary'] as const;
/** Types of metrics. */
export type MetricType = (typeof METRIC_TYPES)[number];

/** What a metric says about itself. */
export interface MetricHeader {
  readonly name: string;
  readonly description: string;
  readonly unit: string;
  readonly type: MetricType;
  /** Of sums and histograms: each point adds to the one before (`delta`) or holds all since a start. */
  readonly temporality: 'delta' | 'cumulative' | 'unspecified';
  readonly monotonic: boolean;
}

/** What several rows have in common: their instrumentation scope and, for points, their metric. */
export interface RowGroup {
  readonly scope: ByteRange;
  readonly metric: MetricHeader | undefined;
}

/** One `ResourceSpans`, `ResourceLogs` or `ResourceMetrics` of a request. */
export interface ResourceRows {
  /** The bounds of the message. */
  readonly range: ByteRange;
  /** The `Resource` message. */
  readonly resource: ByteRange;
  /** The text of `service.name`. */
  readonly service: ByteRange;
  /** The value of the resource attribute that names the tenant, if that is a string. */
  readonly tenant: string | undefined;
  readonly fromRow: number;
  readonly toRow: number;
}

const INITIAL_ROWS = 256;

/**
 * The rows (spans, log records or points) of one request, as columns; positions count from the start of its bytes.
 * Made for one request after the other: `clear` keeps the memory.
 */
export class RowBatch {
  count = 0;
  /** Milliseconds since the epoch. */
  time: Float64Array = new Float64Array(INITIAL_ROWS);
  /** A span's duration in nanoseconds; a point's number or sum. */
  value: Float64Array = new Float64Array(INITIAL_ROWS);
  start: Uint32Array = new Uint32Array(INITIAL_ROWS);
  stop: Uint32Array = new Uint32Array(INITIAL_ROWS);
  nameStart: Uint32Array = new Uint32Array(INITIAL_ROWS);
  nameStop: Uint32Array = new Uint32Array(INITIAL_ROWS);
  /** Where the 16 bytes of the trace id are; 0 for none. */
  traceAt: Uint32Array = new Uint32Array(INITIAL_ROWS);
  group: Uint32Array = new Uint32Array(INITIAL_ROWS);
  /** See `span-flags.ts`; of a log record its severity number. */
  flags: Uint8Array = new Uint8Array(INITIAL_ROWS);
  groups: RowGroup[] = [];
  resources: ResourceRows[] = [];
  /** Rows that are no use, such as spans without a trace id, and why the last of them is none. */
  rejected = 0;
  rejectedBecause = '';

  clear(): void {
    this.count = 0;
    this.groups = [];
    this.resources = [];
    this.rejected = 0;
    this.rejectedBecause = '';
  }

  reject(reason: string): void {
    this.rejected += 1;
    this.rejectedBecause = reason;
  }

  /** The index of a new row, all of whose columns the caller sets. */
  add(): number {
    if (this.count === this.time.length) this.#grow();
    this.count += 1;
    return this.count - 1;
  }

  #grow(): void {
    const rows = 2 * this.time.length;
    this.time = grown(this.time, new Float64Array(rows));
    this.value = grown(this.value, new Float64Array(rows));
    this.start = grown(this.start, new Uint32Array(rows));
    this.stop = grown(this.stop, new Uint32Array(rows));
    this.nameStart = grown(this.nameStart, new Uint32Array(rows));
    this.nameStop = grown(this.nameStop, new Uint32Array(rows));
    this.traceAt = grown(this.traceAt, new Uint32Array(rows));
    this.group = grown(this.group, new Uint32Array(rows));
    this.flags = grown(this.flags, new Uint8Array(rows));
  }
}

/** `target`, with the content of a shorter array at its beginning. */
export function grown<T extends Float64Array | Uint32Array | Uint16Array | Uint8Array | Int32Array>(
  source: T,
  target: T,
): T {
  target.set(source);
  return target;
}
