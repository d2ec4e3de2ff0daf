import type {
  CollectedMetric,
  Exemplar,
  ExponentialPoint,
  HistogramPoint,
  NumberPoint,
  ScopeMetrics,
  Temporality,
} from './metric-model.ts';
import { SPAN_ID_BYTES, TRACE_ID_BYTES } from './span-encoder.ts';
import { attributesText, encodeScopeJson, idText, quote, timeText } from './span-json.ts';

const TEMPORALITY: Readonly<Record<Temporality, number>> = { delta: 1, cumulative: 2 };
const SHAPES = { gauge: 'gauge', sum: 'sum', histogram: 'histogram', exponential: 'exponentialHistogram' } as const;

/**
 * What {@link encodeMetrics} answers, as OTLP/JSON. Throws for what cannot be encoded.
 *
 * @param resource a `Resource` in JSON
 */
export function encodeMetricsJson(resource: Uint8Array, scopes: readonly ScopeMetrics[]): Uint8Array {
  const groups = scopes.map(({ scope, metrics }) => {
    return `{"scope":${textOf(encodeScopeJson(scope))},"metrics":[${metrics.map(metricText).join(',')}]}`;
  });
  const text = `{"resourceMetrics":[{"resource":${textOf(resource)},"scopeMetrics":[${groups.join(',')}]}]}`;
  return Buffer.from(text, 'utf8');
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}

function metricText(metric: CollectedMetric): string {
  const { description, name, shape, unit } = metric;
  return (
    `{"name":${quote(name)}` +
    (description === '' ? '' : `,"description":${quote(description)}`) +
    (unit === '' ? '' : `,"unit":${quote(unit)}`) +
    `,"${SHAPES[shape]}":${dataText(metric)}}`
  );
}

function dataText(metric: CollectedMetric): string {
  const { isInteger } = metric;
  switch (metric.shape) {
    case 'gauge':
      return `{"dataPoints":[${metric.points.map((point) => numberPointText(point, isInteger, false)).join(',')}]}`;
    case 'sum': {
      const points = metric.points.map((point) => numberPointText(point, isInteger, true)).join(',');
      const monotonic = metric.isMonotonic ? ',"isMonotonic":true' : '';
      return `{"dataPoints":[${points}],"aggregationTemporality":${TEMPORALITY[metric.temporality]}${monotonic}}`;
    }
    case 'histogram': {
      const bounds = metric.boundaries.join(',');
      const points = metric.points.map((point) => histogramPointText(point, bounds, isInteger)).join(',');
      return `{"dataPoints":[${points}],"aggregationTemporality":${TEMPORALITY[metric.temporality]}}`;
    }
    default: {
      const points = metric.points.map((point) => exponentialPointText(point, isInteger)).join(',');
      return `{"dataPoints":[${points}],"aggregationTemporality":${TEMPORALITY[metric.temporality]}}`;
    }
  }
}

function numberPointText(point: NumberPoint, isInteger: boolean, hasStart: boolean): string {
  return (
    `{${hasStart ? `"startTimeUnixNano":"${timeText(point.startMillis)}",` : ''}` +
    `"timeUnixNano":"${timeText(point.atMillis)}",${numberText(point.value, isInteger)}` +
    exemplarsText(point.exemplars, isInteger) +
    `${attributesText(point.attributes)}}`
  );
}

function histogramPointText(point: HistogramPoint, bounds: string, isInteger: boolean): string {
  return (
    `{${distributionText(point)}` +
    `,"bucketCounts":[${point.buckets.map((count) => `"${count}"`).join(',')}],"explicitBounds":[${bounds}]` +
    exemplarsText(point.exemplars, isInteger) +
    `${attributesText(point.attributes)}}`
  );
}

function exponentialPointText(point: ExponentialPoint, isInteger: boolean): string {
  const counts = point.buckets.map((count) => `"${count}"`).join(',');
  return (
    `{${distributionText(point)},"scale":${point.scale},"zeroCount":"${point.zeroCount}"` +
    `,"positive":{"offset":${point.offset},"bucketCounts":[${counts}]}` +
    exemplarsText(point.exemplars, isInteger) +
    `${attributesText(point.attributes)}}`
  );
}

function distributionText({ atMillis, count, max, min, startMillis, sum }: HistogramPoint | ExponentialPoint): string {
  const times = `"startTimeUnixNano":"${timeText(startMillis)}","timeUnixNano":"${timeText(atMillis)}"`;
  return `${times},"count":"${count}","sum":${doubleText(sum)},"min":${min},"max":${max}`;
}

function exemplarsText(exemplars: readonly Exemplar[], isInteger: boolean): string {
  if (exemplars.length === 0) return '';
  const texts = exemplars.map(({ at, spanId, traceId, value }) => {
    const ids = `"spanId":"${idText(spanId, SPAN_ID_BYTES)}","traceId":"${idText(traceId, TRACE_ID_BYTES)}"`;
    return `{"timeUnixNano":"${timeText(at)}",${numberText(isInteger ? Math.trunc(value) : value, isInteger)},${ids}}`;
  });
  return `,"exemplars":[${texts.join(',')}]`;
}

function numberText(value: number, isInteger: boolean): string {
  return isInteger ? `"asInt":"${BigInt(value)}"` : `"asDouble":${doubleText(value)}`;
}

/** A sum may have grown beyond all numbers. */
function doubleText(value: number): string {
  return Number.isFinite(value) ? String(value) : `"${value}"`;
}
