import { textOf } from '../../otlp/byte-range.ts';
import { decodeLogRecord } from '../../otlp/decode-log.ts';
import { decodePoint, pointAttributesField } from '../../otlp/decode-point.ts';
import { decodeSpan } from '../../otlp/decode-span.ts';
import { decodeResource, decodeScope } from '../../otlp/decode-value.ts';
import { findAttribute } from '../../otlp/find-attribute.ts';
import { grown, type MetricHeader, type ResourceRows, type RowBatch } from '../../otlp/row-batch.ts';
import type { Signal } from '../../otlp/signal.ts';
import type {
  LogRecord,
  PointRecord,
  ScopeRecord,
  SpanRecord,
  TelemetryAttributes,
  TelemetryOrigin,
  TelemetryValue,
} from '../../otlp/telemetry-model.ts';
import { ByteDictionary } from './byte-dictionary.ts';
import { TraceChains } from './trace-chains.ts';

/** Numbers of the fields that hold attributes. */
const SPAN_ATTRIBUTES = 9;
const LOG_ATTRIBUTES = 6;

/** Of the groups that were looked at last. */
const KEPT_ORIGINS = 16;
const INITIAL_BYTES = 8_192;
const INITIAL_ROWS = 32;
/** Of all columns together. */
const BYTES_PER_ROW = 45;
/** Estimates of what lies on the heap. */
const BYTES_PER_GROUP = 150;
const BYTES_PER_NAME = 100;
const BYTES_OF_SEGMENT = 2_000;

/** What several rows have in common. */
interface SegmentGroup {
  readonly resourceStart: number;
  readonly resourceStop: number;
  readonly scopeStart: number;
  readonly scopeStop: number;
  /** Index into `services`. */
  readonly service: number;
  readonly metric: MetricHeader | undefined;
}

/**
 * A piece of one tenant's telemetry of one signal: the OTLP bytes as they came in, one `ResourceSpans`, `ResourceLogs`
 * or `ResourceMetrics` behind the other, and columns that say where each row is and what it is found by. It only
 * grows; then it is kept or dropped as a whole.
 */
export class Segment {
  readonly tenant: string;
  readonly signal: Signal;
  /** Grows from segment to segment of a store. */
  readonly id: number;
  buffer: Buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  length = 0;
  count = 0;
  time: Float64Array = new Float64Array(INITIAL_ROWS);
  value: Float64Array = new Float64Array(INITIAL_ROWS);
  start: Uint32Array = new Uint32Array(INITIAL_ROWS);
  stop: Uint32Array = new Uint32Array(INITIAL_ROWS);
  name: Uint32Array = new Uint32Array(INITIAL_ROWS);
  group: Uint32Array = new Uint32Array(INITIAL_ROWS);
  flags: Uint8Array = new Uint8Array(INITIAL_ROWS);
  readonly groups: SegmentGroup[] = [];
  readonly services: string[] = [];
  readonly names = new ByteDictionary();
  readonly chains = new TraceChains();
  minTime = Number.POSITIVE_INFINITY;
  maxTime = Number.NEGATIVE_INFINITY;
  /** Set when it is dropped: its rows count as gone. */
  evicted = false;
  /** Rows that are looked at one after the other are mostly of a few groups. */
  readonly #origins: { readonly group: number; readonly origin: TelemetryOrigin }[] = [];

  constructor(tenant: string, signal: Signal, id: number) {
    this.tenant = tenant;
    this.signal = signal;
    this.id = id;
  }

  /** What it takes of memory, about. */
  get bytes(): number {
    return (
      BYTES_OF_SEGMENT +
      this.buffer.length +
      this.time.length * BYTES_PER_ROW +
      this.groups.length * BYTES_PER_GROUP +
      this.names.size * BYTES_PER_NAME +
      this.chains.bytes
    );
  }

  /** Copies one resource of a request that was scanned into `batch`. */
  append(bytes: Uint8Array, batch: RowBatch, rows: ResourceRows): void {
    const { range, resource, service, fromRow, toRow } = rows;
    const shift = this.#copy(bytes, range.start, range.stop) - range.start;
    const serviceIndex = this.#serviceIndex(textOf(bytes, service));
    this.#reserveRows(this.count + toRow - fromRow);
    let batchGroup = -1;
    for (let from = fromRow; from < toRow; from += 1) {
      const row = this.count;
      const nextGroup = batch.group[from] as number;
      if (nextGroup !== batchGroup) {
        batchGroup = nextGroup;
        const { scope, metric } = batch.groups[batchGroup] ?? { scope: range, metric: undefined };
        this.groups.push({
          resourceStart: resource.start + shift,
          resourceStop: resource.stop + shift,
          scopeStart: scope.start + shift,
          scopeStop: scope.stop + shift,
          service: serviceIndex,
          metric,
        });
      }
      const time = batch.time[from] as number;
      if (time < this.minTime) this.minTime = time;
      if (time > this.maxTime) this.maxTime = time;
      this.time[row] = time;
      this.value[row] = batch.value[from] as number;
      this.start[row] = (batch.start[from] as number) + shift;
      this.stop[row] = (batch.stop[from] as number) + shift;
      const nameStart = batch.nameStart[from] as number;
      const nameLength = (batch.nameStop[from] as number) - nameStart;
      this.name[row] = this.names.add(this.buffer, nameLength === 0 ? 0 : nameStart + shift, nameLength);
      this.group[row] = this.groups.length - 1;
      this.flags[row] = batch.flags[from] as number;
      const traceAt = batch.traceAt[from] as number;
      if (this.signal !== 'metrics') this.chains.add(this.buffer, row, traceAt === 0 ? -1 : traceAt + shift);
      this.count += 1;
    }
  }

  /** Gives back the memory that was kept to grow. */
  trim(): void {
    const exact = Buffer.allocUnsafeSlow(this.length);
    exact.set(this.buffer.subarray(0, this.length));
    this.buffer = exact;
    this.time = this.time.slice(0, this.count);
    this.value = this.value.slice(0, this.count);
    this.start = this.start.slice(0, this.count);
    this.stop = this.stop.slice(0, this.count);
    this.name = this.name.slice(0, this.count);
    this.group = this.group.slice(0, this.count);
    this.flags = this.flags.slice(0, this.count);
  }

  nameOf(row: number): string {
    return this.names.text(this.name[row] as number, this.buffer);
  }

  serviceOf(row: number): string {
    return this.services[this.groupOf(row).service] ?? '';
  }

  groupOf(row: number): SegmentGroup {
    return this.groups[this.group[row] as number] as SegmentGroup;
  }

  traceIdOf(row: number): string {
    return this.chains.idOf(this.buffer, row);
  }

  resourceOfGroup(group: number): TelemetryAttributes {
    const { resourceStart = 0, resourceStop = 0 } = this.groups[group] ?? {};
    return decodeResource(this.buffer, resourceStart, resourceStop);
  }

  scopeOfGroup(group: number): ScopeRecord {
    const { scopeStart = 0, scopeStop = 0 } = this.groups[group] ?? {};
    return decodeScope(this.buffer, scopeStart, scopeStop);
  }

  originOf(row: number): TelemetryOrigin {
    const group = this.group[row] as number;
    const known = this.#origins[group % KEPT_ORIGINS];
    if (known?.group === group) return known.origin;
    const origin = {
      tenant: this.tenant,
      service: this.serviceOf(row),
      resource: this.resourceOfGroup(group),
      scope: this.scopeOfGroup(group),
    };
    this.#origins[group % KEPT_ORIGINS] = { group, origin };
    return origin;
  }

  /** One attribute of the row itself, not of its resource. */
  attributeAt(row: number, key: Uint8Array): TelemetryValue | undefined {
    const { metric } = this.groupOf(row);
    const signalField = this.signal === 'traces' ? SPAN_ATTRIBUTES : LOG_ATTRIBUTES;
    const field = metric === undefined ? signalField : pointAttributesField(metric.type);
    return findAttribute(this.buffer, this.start[row] as number, this.stop[row] as number, field, key);
  }

  /** The row as it came in, of whatever signal it is. */
  recordAt(row: number): SpanRecord | LogRecord | PointRecord {
    if (this.signal === 'traces') return this.spanAt(row);
    return this.signal === 'logs' ? this.logAt(row) : this.pointAt(row);
  }

  spanAt(row: number, origin = this.originOf(row)): SpanRecord {
    return decodeSpan(this.buffer, this.start[row] as number, this.stop[row] as number, origin);
  }

  logAt(row: number, origin = this.originOf(row)): LogRecord {
    return decodeLogRecord(this.buffer, this.start[row] as number, this.stop[row] as number, origin);
  }

  pointAt(row: number, origin = this.originOf(row)): PointRecord {
    const metric = this.groupOf(row).metric as MetricHeader;
    return decodePoint(this.buffer, this.start[row] as number, this.stop[row] as number, metric, origin);
  }

  /** Where the bytes are now. */
  #copy(bytes: Uint8Array, start: number, stop: number): number {
    const needed = this.length + stop - start;
    if (needed > this.buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.buffer.length, needed));
      larger.set(this.buffer.subarray(0, this.length));
      this.buffer = larger;
    }
    this.buffer.set(bytes.subarray(start, stop), this.length);
    this.length = needed;
    return needed - (stop - start);
  }

  #serviceIndex(service: string): number {
    const index = this.services.indexOf(service);
    return index >= 0 ? index : this.services.push(service) - 1;
  }

  #reserveRows(count: number): void {
    if (count <= this.time.length) return;
    const rows = Math.max(2 * this.time.length, count);
    this.time = grown(this.time, new Float64Array(rows));
    this.value = grown(this.value, new Float64Array(rows));
    this.start = grown(this.start, new Uint32Array(rows));
    this.stop = grown(this.stop, new Uint32Array(rows));
    this.name = grown(this.name, new Uint32Array(rows));
    this.group = grown(this.group, new Uint32Array(rows));
    this.flags = grown(this.flags, new Uint8Array(rows));
  }
}
