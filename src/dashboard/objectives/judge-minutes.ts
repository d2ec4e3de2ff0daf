import type { Query } from '../query/query.ts';
import type { TelemetryStore, TimeRange } from '../store/telemetry-store.ts';
import type { TenantScope } from '../store/tenant-scope.ts';
import type { WatchedMetricSettings } from './alert-rule.ts';

/** What an objective is judged from. */
export interface JudgedPlace {
  readonly store: TelemetryStore;
  readonly scope: TenantScope;
  readonly range: TimeRange;
  /** The most tenants. */
  readonly limit: number;
  readonly now: number;
}

/** What there was, and how much of it was bad. */
export interface Verdicts {
  readonly verdicts: readonly { readonly tenant: string; readonly total: number; readonly bad: number }[];
  readonly partial: boolean;
}

/** Which values of a minute are good. */
export interface GoodValues {
  readonly atMost: number | undefined;
  readonly atLeast: number | undefined;
}

export const SLO_STEP_MILLIS = 60_000;

/** Counts whole minutes of the range that have a value. */
export async function judgeMetric(
  { store, now, ...search }: JudgedPlace,
  good: GoodValues,
  { name, aggregation, query }: WatchedMetricSettings,
): Promise<Verdicts> {
  const question = { ...search, query, name, aggregation, stepMillis: SLO_STEP_MILLIS, groupBy: ['tenant'] };
  const { series, omittedSeries, partial } = await store.queryMetric(question);
  const verdicts = series.map(({ labels, points }) => {
    const judged = points.filter(([at]) => at >= search.range.startMillis && at + SLO_STEP_MILLIS <= now);
    const bad = judged.filter(([, value]) => !isGood(good, value)).length;
    return { tenant: labels['tenant'] ?? '', total: judged.length, bad };
  });
  return { verdicts: verdicts.filter(({ total }) => total > 0), partial: partial || omittedSeries > 0 };
}

/** Counts whole minutes since the first of the range with a log record of any kind. */
export async function judgeLogs(
  { store, now, ...search }: JudgedPlace,
  good: GoodValues,
  query: Query,
): Promise<Verdicts> {
  const question = { ...search, stepMillis: SLO_STEP_MILLIS };
  const [all, found] = await Promise.all([
    store.countLogs({ ...question, query: { conditions: [] } }),
    store.countLogs({ ...question, query }),
  ]);
  const stepsOf = new Map(found.groups.map(({ tenant, steps }) => [tenant, steps]));
  // The minute that is under way, and the one that the window cuts, are not judged.
  const end = Math.floor(now / SLO_STEP_MILLIS) * SLO_STEP_MILLIS;
  const verdicts = all.groups.map(({ tenant, steps }) => {
    const first = (steps[0]?.timeMillis ?? now) + SLO_STEP_MILLIS;
    const total = Math.max(Math.round((end - first) / SLO_STEP_MILLIS), 0);
    const judged = (stepsOf.get(tenant) ?? []).filter(({ timeMillis }) => timeMillis >= first && timeMillis < end);
    const badOnes = judged.filter(({ count }) => !isGood(good, count)).length;
    return { tenant, total, bad: badOnes + (isGood(good, 0) ? 0 : total - judged.length) };
  });
  return {
    verdicts: verdicts.filter(({ total }) => total > 0),
    partial: all.partial || found.partial || all.more,
  };
}

function isGood({ atMost, atLeast }: GoodValues, value: number): boolean {
  return atMost === undefined ? value >= (atLeast ?? Number.NaN) : value <= atMost;
}
