import { hexOf } from './byte-range.ts';
import { AttributeReader } from './decode-value.ts';
import { MalformedOtlpError } from './malformed.ts';
import type { MetricHeader } from './row-batch.ts';
import type {
  BucketRecord,
  ExemplarRecord,
  ExponentialRecord,
  HistogramRecord,
  PointRecord,
  TelemetryOrigin,
} from './telemetry-model.ts';
import { WIRE_BYTES, WIRE_FIXED64, WireReader } from './wire-reader.ts';

/** The most buckets of a histogram, and the most exemplars of a point, that are read. */
const MAX_BUCKETS = 10_000;
const MAX_EXEMPLARS = 100;

/** The numbers of the fields that all kinds of points have, where they differ. */
interface PointFields {
  readonly attributes: number;
  readonly exemplars: number;
  readonly flags: number;
  readonly min: number;
  readonly max: number;
}

const NUMBER: PointFields = { attributes: 7, exemplars: 5, flags: 8, min: -1, max: -1 };
const HISTOGRAM: PointFields = { attributes: 9, exemplars: 8, flags: 10, min: 11, max: 12 };
const EXPONENTIAL: PointFields = { attributes: 1, exemplars: 11, flags: 10, min: 12, max: 13 };
const SUMMARY: PointFields = { attributes: 7, exemplars: -1, flags: 8, min: -1, max: -1 };
/** The number of a point's attributes, which differs from kind to kind. */
export function pointAttributesField(type: MetricHeader['type']): number {
  return FIELDS[type].attributes;
}

const FIELDS = {
  gauge: NUMBER,
  sum: NUMBER,
  histogram: HISTOGRAM,
  exponentialHistogram: EXPONENTIAL,
  summary: SUMMARY,
};

/** Reads a data point that was checked when it came in. */
export function decodePoint(
  bytes: Uint8Array,
  start: number,
  stop: number,
  metric: MetricHeader,
  origin: TelemetryOrigin,
): PointRecord {
  const reader = new WireReader(bytes, start, stop);
  const { type } = metric;
  const fields = FIELDS[type];
  const attributes = new AttributeReader();
  const exemplars: ExemplarRecord[] = [];
  const quantiles: { quantile: number; value: number }[] = [];
  const counts: number[] = [];
  const bounds: number[] = [];
  let startTimeUnixNano = 0n;
  let timeUnixNano = 0n;
  let value = 0;
  let count = 0;
  let min: number | undefined;
  let max: number | undefined;
  let scale = 0;
  let zeroCount = 0;
  let zeroThreshold = 0;
  let positive: BucketRecord = { offset: 0, counts: [] };
  let negative: BucketRecord = { offset: 0, counts: [] };
  let flags = 0;
  const isNumber = fields === NUMBER;
  while (reader.next()) {
    const { field } = reader;
    if (field === 2) startTimeUnixNano = reader.bigUnsigned;
    else if (field === 3) timeUnixNano = reader.bigUnsigned;
    else if (field === fields.attributes) attributes.add(reader);
    else if (field === fields.exemplars) {
      if (exemplars.length < MAX_EXEMPLARS) exemplars.push(decodeExemplar(reader));
    } else if (field === fields.flags) flags = reader.low;
    else if (field === fields.min) min = reader.double;
    else if (field === fields.max) max = reader.double;
    else if (isNumber) {
      if (field === 4) value = reader.double;
      else if (field === 6) value = Number(reader.bigSigned);
    } else if (field === 4) count = reader.unsigned;
    else if (field === 5) value = reader.double;
    else if (type === 'histogram') {
      if (field === 6) readFixed64List(reader, counts, (list) => list.unsigned);
      else if (field === 7) readFixed64List(reader, bounds, (list) => list.double);
    } else if (type === 'exponentialHistogram') {
      if (field === 6) scale = zigzag(reader.low);
      else if (field === 7) zeroCount = reader.unsigned;
      else if (field === 8) positive = decodeBuckets(reader);
      else if (field === 9) negative = decodeBuckets(reader);
      else if (field === 14) zeroThreshold = reader.double;
    } else if (type === 'summary' && field === 6 && quantiles.length < MAX_BUCKETS) {
      quantiles.push(decodeQuantile(reader));
    }
  }
  const exponential =
    type === 'exponentialHistogram' ? { scale, zeroCount, zeroThreshold, positive, negative } : undefined;
  const shape = exponential === undefined ? { bounds, counts } : exponentialShape(exponential);
  const histogram: HistogramRecord | undefined = isNumber ? undefined : { count, sum: value, min, max, ...shape };
  return {
    ...origin,
    metric,
    startTimeUnixNano,
    timeUnixNano,
    attributes: attributes.attributes,
    value,
    histogram,
    exponential,
    quantiles,
    exemplars,
    flags,
  };
}

/**
 * The buckets of an exponential histogram as bounds and counts. Bucket `i` holds the values in `(base^i, base^(i+1)]`,
 * where `base` is `2^(2^-scale)` (OpenTelemetry metrics data model).
 */
function exponentialShape({
  scale,
  zeroCount,
  zeroThreshold,
  positive,
  negative,
}: ExponentialRecord): Pick<HistogramRecord, 'bounds' | 'counts'> {
  const bounds: number[] = [];
  const counts: number[] = [];
  const bound = (index: number): number => 2 ** (index * 2 ** -scale);
  for (let index = negative.counts.length - 1; index >= 0; index -= 1) {
    bounds.push(-bound(negative.offset + index));
    counts.push(negative.counts[index] as number);
  }
  bounds.push(zeroThreshold);
  counts.push(zeroCount);
  if (positive.counts.length > 0) {
    bounds.push(bound(positive.offset));
    counts.push(0);
  }
  for (const [index, count] of positive.counts.entries()) {
    bounds.push(bound(positive.offset + index + 1));
    counts.push(count);
  }
  counts.push(0);
  return { bounds, counts };
}

function decodeBuckets({ bytes, start, stop }: WireReader): BucketRecord {
  const reader = new WireReader(bytes, start, stop);
  const counts: number[] = [];
  let offset = 0;
  while (reader.next()) {
    if (reader.field === 1) offset = zigzag(reader.low);
    else if (reader.field === 2 && reader.wireType === WIRE_BYTES) {
      readVarintList(new WireReader(bytes, reader.start, reader.stop), counts);
    } else if (reader.field === 2 && counts.length < MAX_BUCKETS) counts.push(reader.unsigned);
  }
  return { offset, counts };
}

/** What is inside a packed list was not checked when it came in: it counts up to where it is malformed. */
function readVarintList(list: WireReader, target: number[]): void {
  try {
    while (list.at < list.end && target.length < MAX_BUCKETS) target.push(list.bareVarint());
  } catch (error) {
    if (!(error instanceof MalformedOtlpError)) throw error;
  }
}

/** Packed, as senders write it, or one by one, which readers have to accept too. */
function readFixed64List(reader: WireReader, target: number[], read: (list: WireReader) => number): void {
  if (reader.wireType === WIRE_FIXED64) {
    if (target.length < MAX_BUCKETS) target.push(read(reader));
    return;
  }
  const list = new WireReader(reader.bytes, reader.start, reader.stop);
  while (list.end - list.at >= 8 && target.length < MAX_BUCKETS) {
    list.bareFixed64();
    target.push(read(list));
  }
}

function decodeQuantile({ bytes, start, stop }: WireReader): { quantile: number; value: number } {
  const reader = new WireReader(bytes, start, stop);
  const result = { quantile: 0, value: 0 };
  while (reader.next()) {
    if (reader.field === 1) result.quantile = reader.double;
    else if (reader.field === 2) result.value = reader.double;
  }
  return result;
}

function decodeExemplar({ bytes, start, stop }: WireReader): ExemplarRecord {
  const reader = new WireReader(bytes, start, stop);
  const attributes = new AttributeReader();
  let timeUnixNano = 0n;
  let value = 0;
  let traceId = '';
  let spanId = '';
  while (reader.next()) {
    if (reader.field === 2) timeUnixNano = reader.bigUnsigned;
    else if (reader.field === 3) value = reader.double;
    else if (reader.field === 4) spanId = hexOf(bytes, reader);
    else if (reader.field === 5) traceId = hexOf(bytes, reader);
    else if (reader.field === 6) value = Number(reader.bigSigned);
    else if (reader.field === 7) attributes.add(reader);
  }
  return { timeUnixNano, value, traceId, spanId, attributes: attributes.attributes };
}

/** `sint32`. */
function zigzag(value: number): number {
  return (value >>> 1) ^ -(value & 1);
}
