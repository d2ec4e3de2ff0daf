import type { AttributeList } from './ended-span.ts';
import { attributesKey } from './metric-attributes.ts';
import type {
  CollectedMetric,
  ExponentialPoint,
  HistogramPoint,
  NumberPoint,
  PointBase,
  ScopeMetrics,
} from './metric-model.ts';

/** What may be shown of a point's attributes; `undefined` when that cannot be told: then the point is not shown. */
export type ShowAttributes = (attributes: AttributeList) => AttributeList | undefined;

/**
 * What may be shown of the points; the same object when that is all of it. Points that look alike afterwards are added
 * up, since a receiver takes only one of them. `lost` is told how many points cannot be shown.
 */
export function redactMetrics(
  scopes: readonly ScopeMetrics[],
  show: ShowAttributes,
  lost: (points: number) => void,
): readonly ScopeMetrics[] {
  let isSame = true;
  const shown = scopes.map((group) => {
    const metrics = group.metrics.map((metric) => {
      const own = redactMetric(metric, show, lost);
      isSame &&= own === metric;
      return own;
    });
    return { scope: group.scope, metrics: metrics.filter(({ points }) => points.length > 0) };
  });
  return isSame ? scopes : shown.filter(({ metrics }) => metrics.length > 0);
}

function redactMetric(metric: CollectedMetric, show: ShowAttributes, lost: (points: number) => void): CollectedMetric {
  let isSame = true;
  const points = new Map<string, PointBase>();
  for (const point of metric.points) {
    const attributes = show(point.attributes);
    isSame &&= attributes === point.attributes;
    if (attributes === undefined) {
      lost(1);
      continue;
    }
    const key = keyOf(attributes);
    const own = { ...point, attributes };
    const other = points.get(key);
    points.set(key, other === undefined ? own : merge(metric, other, own));
  }
  return isSame ? metric : ({ ...metric, points: [...points.values()] } as unknown as CollectedMetric);
}

function keyOf({ keys, values }: AttributeList): string {
  return attributesKey(Object.fromEntries(keys.map((key, index) => [key, values[index]])), undefined);
}

function merge({ shape }: CollectedMetric, one: PointBase, other: PointBase): PointBase {
  const base = { ...other, exemplars: [...one.exemplars, ...other.exemplars] };
  if (shape === 'gauge') return base;
  if (shape === 'sum')
    return { ...base, value: (one as NumberPoint).value + (other as NumberPoint).value } as NumberPoint;
  const [left, right] = [one as HistogramPoint, other as HistogramPoint];
  const distribution = {
    ...base,
    count: left.count + right.count,
    sum: left.sum + right.sum,
    min: Math.min(left.min, right.min),
    max: Math.max(left.max, right.max),
  };
  if (shape === 'exponential') {
    return {
      ...distribution,
      ...mergeExponential(one as ExponentialPoint, other as ExponentialPoint),
    } as ExponentialPoint;
  }
  const buckets = left.buckets.map((count, index) => count + (right.buckets[index] ?? 0));
  return { ...distribution, buckets } as HistogramPoint;
}

function mergeExponential(one: ExponentialPoint, other: ExponentialPoint): Partial<ExponentialPoint> {
  const zeroCount = one.zeroCount + other.zeroCount;
  const filled = [one, other].filter(({ buckets }) => buckets.length > 0);
  const scale = Math.min(...filled.map((point) => point.scale));
  const offset = Math.min(...filled.map((point) => point.offset >> (point.scale - scale)));
  if (filled.length === 0) return { zeroCount };
  const buckets: number[] = [];
  for (const point of filled) {
    for (const [position, count] of point.buckets.entries()) {
      const index = ((point.offset + position) >> (point.scale - scale)) - offset;
      while (buckets.length <= index) buckets.push(0);
      buckets[index] = (buckets[index] as number) + count;
    }
  }
  return { zeroCount, scale, offset, buckets };
}
