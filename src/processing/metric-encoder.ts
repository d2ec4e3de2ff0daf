import { writeAttributes } from './attribute-encoder.ts';
import type {
  CollectedMetric,
  Exemplar,
  ExponentialPoint,
  HistogramPoint,
  NumberPoint,
  PointBase,
  ScopeMetrics,
  Temporality,
} from './metric-model.ts';
import { ProtoWriter } from './proto-writer.ts';
import { encodeScope, SPAN_ID_BYTES, TRACE_ID_BYTES } from './span-encoder.ts';

/*
 * Field numbers of opentelemetry/proto/collector/metrics/v1/metrics_service.proto and metrics/v1/metrics.proto
 * (OTLP 1.x).
 */
const REQUEST = { resourceMetrics: 1 } as const;
const RESOURCE_METRICS = { resource: 1, scopeMetrics: 2 } as const;
const SCOPE_METRICS = { scope: 1, metrics: 2 } as const;
const METRIC = { name: 1, description: 2, unit: 3, gauge: 5, sum: 7, histogram: 9, exponentialHistogram: 10 } as const;
const DATA = { points: 1, temporality: 2, isMonotonic: 3 } as const;
const TEMPORALITY: Readonly<Record<Temporality, number>> = { delta: 1, cumulative: 2 };
const NUMBER = { start: 2, time: 3, double: 4, exemplars: 5, int: 6, attributes: 7 } as const;
const HISTOGRAM = {
  start: 2,
  time: 3,
  count: 4,
  sum: 5,
  buckets: 6,
  bounds: 7,
  exemplars: 8,
  attributes: 9,
  min: 11,
  max: 12,
} as const;
const EXPONENTIAL = {
  attributes: 1,
  start: 2,
  time: 3,
  count: 4,
  sum: 5,
  scale: 6,
  zeroCount: 7,
  positive: 8,
  exemplars: 11,
  min: 12,
  max: 13,
} as const;
const BUCKETS = { offset: 1, counts: 2 } as const;
const EXEMPLAR = { time: 2, double: 3, spanId: 4, traceId: 5, int: 6 } as const;

const TWO_POW_32 = 4_294_967_296;

/**
 * An `ExportMetricsServiceRequest` of one resource. Throws for what cannot be encoded and for more than 16 MiB.
 *
 * @param resource an encoded `Resource`
 */
export function encodeMetrics(resource: Uint8Array, scopes: readonly ScopeMetrics[]): Uint8Array {
  const writer = new ProtoWriter();
  const mark = writer.beginMessage(REQUEST.resourceMetrics);
  writer.bytesField(RESOURCE_METRICS.resource, resource);
  for (const { scope, metrics } of scopes) {
    const scopeMark = writer.beginMessage(RESOURCE_METRICS.scopeMetrics);
    writer.bytesField(SCOPE_METRICS.scope, encodeScope(scope));
    for (const metric of metrics) writeMetric(writer, metric);
    writer.endMessage(scopeMark);
  }
  writer.endMessage(mark);
  return writer.toBytes();
}

function writeMetric(writer: ProtoWriter, metric: CollectedMetric): void {
  const mark = writer.beginMessage(SCOPE_METRICS.metrics);
  writer.stringField(METRIC.name, metric.name);
  if (metric.description !== '') writer.stringField(METRIC.description, metric.description);
  if (metric.unit !== '') writer.stringField(METRIC.unit, metric.unit);
  writeData(writer, metric);
  writer.endMessage(mark);
}

function writeData(writer: ProtoWriter, metric: CollectedMetric): void {
  switch (metric.shape) {
    case 'gauge': {
      const mark = writer.beginMessage(METRIC.gauge);
      for (const point of metric.points) writeNumberPoint(writer, point, metric);
      writer.endMessage(mark);
      return;
    }
    case 'sum': {
      const mark = writer.beginMessage(METRIC.sum);
      for (const point of metric.points) writeNumberPoint(writer, point, metric);
      writer.uint32Field(DATA.temporality, TEMPORALITY[metric.temporality]);
      if (metric.isMonotonic) writer.uint32Field(DATA.isMonotonic, 1);
      writer.endMessage(mark);
      return;
    }
    case 'histogram': {
      const mark = writer.beginMessage(METRIC.histogram);
      for (const point of metric.points) writeHistogramPoint(writer, point, metric.boundaries, metric.isInteger);
      writer.uint32Field(DATA.temporality, TEMPORALITY[metric.temporality]);
      writer.endMessage(mark);
      return;
    }
    default: {
      const mark = writer.beginMessage(METRIC.exponentialHistogram);
      for (const point of metric.points) writeExponentialPoint(writer, point, metric.isInteger);
      writer.uint32Field(DATA.temporality, TEMPORALITY[metric.temporality]);
      writer.endMessage(mark);
    }
  }
}

function writeNumberPoint(writer: ProtoWriter, point: NumberPoint, { isInteger, shape }: CollectedMetric): void {
  const mark = writer.beginMessage(DATA.points);
  // A gauge has no beginning.
  if (shape !== 'gauge') writer.timeField(NUMBER.start, point.startMillis);
  writer.timeField(NUMBER.time, point.atMillis);
  if (isInteger) writeFixed64(writer, NUMBER.int, point.value);
  else writer.doubleField(NUMBER.double, point.value);
  writeExemplars(writer, NUMBER.exemplars, point, isInteger);
  writeAttributes(writer, NUMBER.attributes, point.attributes);
  writer.endMessage(mark);
}

function writeHistogramPoint(
  writer: ProtoWriter,
  point: HistogramPoint,
  boundaries: readonly number[],
  isInteger: boolean,
): void {
  const mark = writer.beginMessage(DATA.points);
  writer.timeField(HISTOGRAM.start, point.startMillis);
  writer.timeField(HISTOGRAM.time, point.atMillis);
  writeFixed64(writer, HISTOGRAM.count, point.count);
  writer.doubleField(HISTOGRAM.sum, point.sum);
  writePacked(writer, HISTOGRAM.buckets, point.buckets, (view, offset, count) => setUint64(view, offset, count));
  writePacked(writer, HISTOGRAM.bounds, boundaries, (view, offset, bound) => view.setFloat64(offset, bound, true));
  writeExemplars(writer, HISTOGRAM.exemplars, point, isInteger);
  writeAttributes(writer, HISTOGRAM.attributes, point.attributes);
  writer.doubleField(HISTOGRAM.min, point.min);
  writer.doubleField(HISTOGRAM.max, point.max);
  writer.endMessage(mark);
}

function writeExponentialPoint(writer: ProtoWriter, point: ExponentialPoint, isInteger: boolean): void {
  const mark = writer.beginMessage(DATA.points);
  writeAttributes(writer, EXPONENTIAL.attributes, point.attributes);
  writer.timeField(EXPONENTIAL.start, point.startMillis);
  writer.timeField(EXPONENTIAL.time, point.atMillis);
  writeFixed64(writer, EXPONENTIAL.count, point.count);
  writer.doubleField(EXPONENTIAL.sum, point.sum);
  writer.uint32Field(EXPONENTIAL.scale, zigzag(point.scale));
  writeFixed64(writer, EXPONENTIAL.zeroCount, point.zeroCount);
  const buckets = writer.beginMessage(EXPONENTIAL.positive);
  writer.uint32Field(BUCKETS.offset, zigzag(point.offset));
  // Unpacked: readers have to take both forms of a repeated number.
  for (const count of point.buckets) writer.int64Field(BUCKETS.counts, count);
  writer.endMessage(buckets);
  writeExemplars(writer, EXPONENTIAL.exemplars, point, isInteger);
  writer.doubleField(EXPONENTIAL.min, point.min);
  writer.doubleField(EXPONENTIAL.max, point.max);
  writer.endMessage(mark);
}

function writeExemplars(writer: ProtoWriter, field: number, { exemplars }: PointBase, isInteger: boolean): void {
  for (const exemplar of exemplars) writeExemplar(writer, field, exemplar, isInteger);
}

function writeExemplar(writer: ProtoWriter, field: number, exemplar: Exemplar, isInteger: boolean): void {
  const { at, spanId, traceId, value } = exemplar;
  const mark = writer.beginMessage(field);
  writer.timeField(EXEMPLAR.time, at);
  if (isInteger) writeFixed64(writer, EXEMPLAR.int, Math.trunc(value));
  else writer.doubleField(EXEMPLAR.double, value);
  writer.hexField(EXEMPLAR.spanId, spanId, SPAN_ID_BYTES);
  writer.hexField(EXEMPLAR.traceId, traceId, TRACE_ID_BYTES);
  writer.endMessage(mark);
}

/** `fixed64` or `sfixed64` of a whole number, which beyond 2^53 is not exact any more. */
function writeFixed64(writer: ProtoWriter, field: number, value: number): void {
  const start = writer.claim(9);
  writer.buffer[start] = (field << 3) | 1;
  setUint64(writer.view, start + 1, value);
  writer.commit(start + 9);
}

/** A repeated number of eight bytes each, packed. */
function writePacked(
  writer: ProtoWriter,
  field: number,
  values: readonly number[],
  set: (view: DataView, offset: number, value: number) => void,
): void {
  const mark = writer.beginMessage(field);
  const start = writer.claim(8 * values.length);
  for (const [index, value] of values.entries()) set(writer.view, start + 8 * index, value);
  writer.commit(start + 8 * values.length);
  writer.endMessage(mark);
}

function setUint64(view: DataView, offset: number, value: number): void {
  const high = Math.floor(value / TWO_POW_32);
  view.setUint32(offset, value - high * TWO_POW_32, true);
  view.setInt32(offset + 4, high, true);
}

/** `sint32`. */
function zigzag(value: number): number {
  return ((value << 1) ^ (value >> 31)) >>> 0;
}
