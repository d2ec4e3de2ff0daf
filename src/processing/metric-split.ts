import type { CollectedMetric, ScopeMetrics } from './metric-model.ts';

export function pointCount(scopes: readonly ScopeMetrics[]): number {
  return scopes.reduce(
    (sum, { metrics }) => sum + metrics.reduce((points, metric) => points + metric.points.length, 0),
    0,
  );
}

/** The same points in parts of at most `maxPoints`. */
export function splitMetrics(scopes: readonly ScopeMetrics[], maxPoints: number): ScopeMetrics[][] {
  const parts: ScopeMetrics[][] = [];
  let part: ScopeMetrics[] = [];
  let room = maxPoints;
  for (const { scope, metrics } of scopes) {
    let own: CollectedMetric[] = [];
    const close = (): void => {
      if (own.length > 0) part.push({ scope, metrics: own });
      own = [];
    };
    for (const metric of metrics) {
      for (let from = 0; from < metric.points.length; ) {
        const points = metric.points.slice(from, from + room);
        own.push({ ...metric, points } as CollectedMetric);
        from += points.length;
        room -= points.length;
        if (room > 0) continue;
        close();
        parts.push(part);
        part = [];
        room = maxPoints;
      }
    }
    close();
  }
  if (part.length > 0) parts.push(part);
  return parts;
}
