import { groupBy, groupByOrigin, toDouble, toKeyValues } from './export-parts.ts';
import type { MetricHeader } from './row-batch.ts';
import type { ExemplarRecord, PointRecord } from './telemetry-model.ts';

/** An `ExportMetricsServiceRequest`. */
export interface OtlpMetrics {
  readonly resourceMetrics: readonly object[];
}

const TEMPORALITIES = ['unspecified', 'delta', 'cumulative'] as const;

/**
 * Data points as an OTLP request in JSON, which any receiver of OTLP takes. Numbers are doubles, whatever they came in
 * as; exponential histograms that the store keeps only as buckets with bounds are histograms.
 */
export function pointsToOtlpJson(points: readonly PointRecord[]): OtlpMetrics {
  return {
    resourceMetrics: groupByOrigin(points).map(({ resource, scopes }) => ({
      resource,
      scopeMetrics: scopes.map(({ scope, records }) => ({
        scope,
        metrics: [...groupBy(records, headerOf)].map(([header, ofMetric]) => toMetric(header, ofMetric)),
      })),
    })),
  };
}

/** With the type that the points can be written as. */
function headerOf({ metric, exponential }: PointRecord): MetricHeader {
  const isBuckets = metric.type === 'exponentialHistogram' && exponential === undefined;
  return isBuckets ? { ...metric, type: 'histogram' } : metric;
}

function toMetric({ name, description, unit, type, temporality, monotonic }: MetricHeader, points: PointRecord[]) {
  const hasTemporality = type !== 'gauge' && type !== 'summary';
  const data = {
    dataPoints: points.map((point) => toPoint(type, point)),
    ...(hasTemporality && { aggregationTemporality: TEMPORALITIES.indexOf(temporality) }),
    ...(type === 'sum' && { isMonotonic: monotonic }),
  };
  return { name, description, unit, [type]: data };
}

function toPoint(type: MetricHeader['type'], point: PointRecord): object {
  return {
    attributes: toKeyValues(point.attributes),
    startTimeUnixNano: String(point.startTimeUnixNano),
    timeUnixNano: String(point.timeUnixNano),
    flags: point.flags,
    ...(type !== 'summary' && { exemplars: point.exemplars.map(toExemplar) }),
    ...figuresOf(type, point),
  };
}

function figuresOf(type: MetricHeader['type'], { value, histogram, exponential, quantiles }: PointRecord): object {
  if (histogram === undefined) return { asDouble: toDouble(value) };
  const { count, sum, min, max, bounds, counts } = histogram;
  const total = { count: String(count), sum: toDouble(sum) };
  if (type === 'summary') {
    const quantileValues = quantiles.map((one) => ({ quantile: toDouble(one.quantile), value: toDouble(one.value) }));
    return { ...total, quantileValues };
  }
  const ends = {
    ...(min !== undefined && { min: toDouble(min) }),
    ...(max !== undefined && { max: toDouble(max) }),
  };
  if (exponential === undefined) {
    return { ...total, ...ends, explicitBounds: bounds.map(toDouble), bucketCounts: counts.map(String) };
  }
  const { scale, zeroCount, zeroThreshold, positive, negative } = exponential;
  return {
    ...{ ...total, ...ends, scale, zeroThreshold, zeroCount: String(zeroCount) },
    positive: { offset: positive.offset, bucketCounts: positive.counts.map(String) },
    negative: { offset: negative.offset, bucketCounts: negative.counts.map(String) },
  };
}

function toExemplar({ timeUnixNano, value, traceId, spanId, attributes }: ExemplarRecord): object {
  const filteredAttributes = toKeyValues(attributes);
  return { timeUnixNano: String(timeUnixNano), asDouble: toDouble(value), traceId, spanId, filteredAttributes };
}
