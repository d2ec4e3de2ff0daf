import type { HistogramRecord, PointRecord } from '../otlp/telemetry-model.ts';
import type { MetricAggregation } from './telemetry-store.ts';

const NANOS_PER_MILLI = 1e6;

/** What the points of one series say about one step of time. */
export interface PointTally {
  points: number;
  total: number;
  min: number;
  max: number;
  last: number;
  /** What was added in the step: of sums and histograms. */
  increase: number;
  /** Measurements that were added: of histograms and summaries. */
  count: number;
  /** Of histograms: measurements that were added, by the upper bound of their bucket. */
  readonly buckets: Map<number, number>;
  /** Of summaries: the last value of each quantile. */
  readonly quantiles: Map<number, number>;
  isNumber: boolean;
  /** Each point says what was added since the one before. */
  isDelta: boolean;
}

export function createTally(): PointTally {
  return {
    points: 0,
    total: 0,
    min: Number.POSITIVE_INFINITY,
    max: Number.NEGATIVE_INFINITY,
    last: 0,
    increase: 0,
    count: 0,
    buckets: new Map(),
    quantiles: new Map(),
    isNumber: true,
    isDelta: false,
  };
}

/**
 * Adds a point. A cumulative one adds what it has more than the one before it; after a reset, and as the first of a
 * series that began after `sinceMillis`, all that it has.
 */
export function addIncrease(
  tally: PointTally,
  point: PointRecord,
  previous: PointRecord | undefined,
  sinceMillis: number,
): void {
  const { histogram, metric, value, quantiles } = point;
  tally.points += 1;
  tally.isNumber = histogram === undefined;
  tally.isDelta = metric.temporality === 'delta';
  const before = baseOf(point, previous);
  const isWhole = metric.temporality === 'delta' || before !== undefined || startsAfter(point, sinceMillis);
  if (histogram === undefined) {
    tally.total += value;
    tally.last = value;
    tally.min = Math.min(tally.min, value);
    tally.max = Math.max(tally.max, value);
    if (isWhole) tally.increase += value - (before?.value ?? 0);
    return;
  }
  if (histogram.min !== undefined) tally.min = Math.min(tally.min, histogram.min);
  if (histogram.max !== undefined) tally.max = Math.max(tally.max, histogram.max);
  for (const { quantile, value: at } of quantiles) tally.quantiles.set(quantile, at);
  if (!isWhole) return;
  tally.increase += histogram.sum - (before?.histogram?.sum ?? 0);
  tally.count += histogram.count - (before?.histogram?.count ?? 0);
  addBuckets(tally.buckets, histogram, 1);
  if (before?.histogram !== undefined) addBuckets(tally.buckets, before.histogram, -1);
}

/** The value of a step over all series of a group; undefined where the aggregation has nothing to say. */
export function combine(
  tallies: readonly PointTally[],
  aggregation: MetricAggregation,
  stepMillis: number,
): number | undefined {
  const sumOf = (part: (tally: PointTally) => number): number => tallies.reduce((sum, tally) => sum + part(tally), 0);
  const isNumber = tallies.every((tally) => tally.isNumber);
  switch (aggregation) {
    case 'avg': {
      const count = sumOf((tally) => (isNumber ? tally.points : tally.count));
      return count > 0 ? sumOf((tally) => (isNumber ? tally.total : tally.increase)) / count : undefined;
    }
    case 'sum':
      return sumOf((tally) => (isNumber && !tally.isDelta ? tally.last : tally.increase));
    case 'min':
      return finite(Math.min(...tallies.map(({ min }) => min)));
    case 'max':
      return finite(Math.max(...tallies.map(({ max }) => max)));
    case 'last':
      return isNumber ? tallies.at(-1)?.last : undefined;
    case 'rate':
      return (sumOf((tally) => (isNumber ? tally.increase : tally.count)) * 1_000) / stepMillis;
    case 'count':
      return sumOf((tally) => (isNumber ? tally.points : tally.count));
    default:
      return isNumber ? undefined : quantileOf(tallies, Number(aggregation.slice(1)) / 100);
  }
}

/** The point that a cumulative one goes on from; undefined at the beginning and after a reset. */
function baseOf(point: PointRecord, previous: PointRecord | undefined): PointRecord | undefined {
  if (previous === undefined || point.metric.temporality === 'delta') return undefined;
  if (point.startTimeUnixNano !== previous.startTimeUnixNano) return undefined;
  if (point.histogram !== undefined && previous.histogram !== undefined) {
    return point.histogram.count >= previous.histogram.count ? previous : undefined;
  }
  return point.metric.monotonic && point.value < previous.value ? undefined : previous;
}

function startsAfter({ startTimeUnixNano, metric }: PointRecord, millis: number): boolean {
  return metric.type !== 'gauge' && Number(startTimeUnixNano) / NANOS_PER_MILLI >= millis;
}

function addBuckets(buckets: Map<number, number>, { bounds, counts }: HistogramRecord, sign: 1 | -1): void {
  for (const [index, count] of counts.entries()) {
    const bound = bounds[index] ?? Number.POSITIVE_INFINITY;
    buckets.set(bound, (buckets.get(bound) ?? 0) + sign * count);
  }
}

/** By linear interpolation inside the bucket, as Prometheus does it; from summaries the nearest quantile. */
function quantileOf(tallies: readonly PointTally[], quantile: number): number | undefined {
  const merged = new Map<number, number>();
  for (const { buckets } of tallies) {
    for (const [bound, count] of buckets) merged.set(bound, (merged.get(bound) ?? 0) + count);
  }
  const sorted = [...merged].sort(([left], [right]) => left - right);
  const total = sorted.reduce((sum, [, count]) => sum + Math.max(count, 0), 0);
  if (total <= 0) return nearestQuantile(tallies, quantile);
  let below = 0;
  for (const [index, [bound, count]] of sorted.entries()) {
    if (count <= 0 || below + count < quantile * total) {
      below += Math.max(count, 0);
      continue;
    }
    const lower = sorted[index - 1]?.[0] ?? Math.min(0, bound);
    if (!Number.isFinite(bound)) return finite(lower);
    return lower + (bound - lower) * Math.max((quantile * total - below) / count, 0);
  }
  return undefined;
}

function nearestQuantile(tallies: readonly PointTally[], quantile: number): number | undefined {
  const values = tallies.flatMap(({ quantiles }) => [...quantiles]);
  values.sort(([left], [right]) => Math.abs(left - quantile) - Math.abs(right - quantile));
  return values[0]?.[1];
}

function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined;
}
