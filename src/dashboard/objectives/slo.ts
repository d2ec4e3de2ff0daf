import { parseQuery } from '../query/parse-query.ts';
import type { Query } from '../query/query.ts';
import type { RedGroup, RedQuestion, TelemetryStore } from '../store/telemetry-store.ts';
import { narrowScope, type TenantScope } from '../store/tenant-scope.ts';
import type { WatchedLogs, WatchedMetric, WatchedMetricSettings } from './alert-rule.ts';
import { type JudgedPlace, judgeLogs, judgeMetric, SLO_STEP_MILLIS, type Verdicts } from './judge-minutes.ts';

export const SLO_INDICATORS = ['availability', 'error_rate', 'latency', 'throughput', 'metric', 'logs'] as const;
/** What an objective can be about. */
export type SloIndicator = (typeof SLO_INDICATORS)[number];

/** A service level objective: what share of something has to be good over a time that rolls on. */
export interface SloOptions {
  /** 1 to 100 characters; no two have the same. */
  readonly name: string;
  /**
   * What is measured, for each tenant by itself. `availability`: the share of requests without an error. `error_rate`:
   * the share with one. `latency`: the share of requests that took `thresholdMillis` at most. `throughput`: the share
   * of minutes, since the first one with a request, that had `minimumPerSecond` requests a second or more. `metric`:
   * the share of minutes with a value of `metric` that had one of `atMost` or `atLeast` so much. `logs`: the share of
   * minutes, since the first one with a log record, that had `atMost` or `atLeast` so many log records of `logs`.
   */
  readonly indicator: SloIndicator;
  /** Of `error_rate` the share that must not be exceeded, else the share that has to be reached; between 0 and 1. */
  readonly target: number;
  /** How far back is looked, in milliseconds: a minute to 90 days. Default 1 hour. */
  readonly windowMillis?: number;
  /** Needed for `latency`: above 0. */
  readonly thresholdMillis?: number;
  /** Needed for `throughput`: above 0. */
  readonly minimumPerSecond?: number;
  /** Needed for `metric`. */
  readonly metric?: WatchedMetric;
  /** For `logs`. Default: all log records. */
  readonly logs?: WatchedLogs;
  /** The highest value of a minute that is good. One of the two is needed for `metric` and `logs`. */
  readonly atMost?: number;
  /** The lowest value of a minute that is good. */
  readonly atLeast?: number;
  /** Which spans are requests, in the search language. Default: all. */
  readonly query?: string;
  /** Where work enters a service (roots, servers, consumers), or every span. Default `entry`. */
  readonly spans?: 'entry' | 'all';
  /** The only tenants that it is for. Default: all. */
  readonly tenants?: readonly string[];
}

export interface SloSettings
  extends Required<Omit<SloOptions, 'query' | 'tenants' | 'metric' | 'logs' | 'atMost' | 'atLeast'>> {
  readonly query: Query;
  /** With the condition that makes a request good, where one does. */
  readonly goodQuery: Query | undefined;
  readonly scope: TenantScope;
  readonly metric: WatchedMetricSettings | undefined;
  readonly logs: Query | undefined;
  readonly atMost: number | undefined;
  readonly atLeast: number | undefined;
}

/** What share of the error budget is used up asks for. */
export const SLO_POLICIES = ['normal', 'increase-reviews', 'reduce-risk', 'freeze-deployments'] as const;
/** What is done about an objective's budget. */
export type SloPolicy = (typeof SLO_POLICIES)[number];

/** How an objective does for one tenant. */
export interface SloStatus {
  readonly name: string;
  readonly tenant: string;
  readonly indicator: SloIndicator;
  readonly target: number;
  readonly windowMillis: number;
  /** Requests, or minutes, of the window; and those of them that are good. */
  readonly total: number;
  readonly good: number;
  /** The share that is good; of `error_rate` the share that is bad. */
  readonly value: number;
  readonly met: boolean;
  readonly budget: {
    /** How many may be bad. */
    readonly allowed: number;
    readonly used: number;
    /** The share that is left: 1 when nothing was bad, 0 or less when it is used up. */
    readonly remaining: number;
  };
  /** How many times faster than allowed the budget is used; 1 uses it up exactly. */
  readonly burnRate: number;
  readonly policy: SloPolicy;
  /** How much of the window the store knows of. */
  readonly coveredMillis: number;
  /** Whether the search ended at its budget. */
  readonly partial: boolean;
}

/** Tenants that are looked at for one objective: those with the most requests. */
const MAX_TENANTS = 1_000;
const POLICY_SHARES = [0.5, 0.75, 1];

/** Computes an objective over the window that ends now, from what the store has; one entry for each tenant with requests. */
export async function evaluateSlo(
  store: TelemetryStore,
  slo: SloSettings,
  scope: TenantScope,
  now: number,
): Promise<SloStatus[]> {
  const visible = narrowScope(scope, slo.scope);
  const [{ verdicts, partial }, { oldestMillis = now }] = await Promise.all([
    judgeAll(store, slo, visible, now),
    store.stats(visible),
  ]);
  const coveredMillis = Math.min(Math.max(now - oldestMillis, 0), slo.windowMillis);
  return verdicts.map(({ tenant, total, bad }) => ({ ...describe(slo, tenant, total, bad), coveredMillis, partial }));
}

function judgeAll(store: TelemetryStore, slo: SloSettings, scope: TenantScope, now: number): Promise<Verdicts> {
  const range = { startMillis: now - slo.windowMillis, endMillis: now + 1 };
  const place = { store, scope, range, limit: MAX_TENANTS, now };
  if (slo.metric !== undefined) return judgeMetric(place, slo, slo.metric);
  if (slo.logs !== undefined) return judgeLogs(place, slo, slo.logs);
  return judgeRequests(place, slo);
}

async function judgeRequests({ store, now, ...search }: JudgedPlace, slo: SloSettings): Promise<Verdicts> {
  const { query, goodQuery, spans } = slo;
  const question: RedQuestion = { ...search, query, spans, groupBy: 'tenant', stepMillis: SLO_STEP_MILLIS };
  const [all, good] = await Promise.all([
    store.red(question),
    goodQuery === undefined ? undefined : store.red({ ...question, query: goodQuery }),
  ]);
  const goodOf = new Map(good?.groups.map(({ tenant, count }) => [tenant, count]));
  return {
    verdicts: all.groups.map((group) => {
      return { tenant: group.tenant, ...countBad(slo, group, goodOf.get(group.tenant) ?? 0, now) };
    }),
    partial: all.partial || good?.partial === true || all.more,
  };
}

/** The query of what is good, where that is a matter of each request's duration. */
export function latencyQuery(query: string, thresholdMillis: number): Query | undefined {
  const nanos = Math.min(Math.round(thresholdMillis * 1e6), Number.MAX_SAFE_INTEGER);
  const result = parseQuery(`${query} dur<=${nanos}ns`, 'traces');
  return result.ok ? result.query : undefined;
}

function countBad(
  { indicator, minimumPerSecond }: SloSettings,
  { count, errors, steps }: RedGroup,
  good: number,
  now: number,
): { readonly total: number; readonly bad: number } {
  if (indicator === 'latency') return { total: count, bad: Math.max(count - good, 0) };
  if (indicator !== 'throughput') return { total: count, bad: errors };
  // The minute that is under way, and the one that the window cuts, are not judged.
  const first = (steps[0]?.timeMillis ?? now) + SLO_STEP_MILLIS;
  const end = Math.floor(now / SLO_STEP_MILLIS) * SLO_STEP_MILLIS;
  const total = Math.max(Math.round((end - first) / SLO_STEP_MILLIS), 0);
  const enough = minimumPerSecond * (SLO_STEP_MILLIS / 1_000);
  const judged = steps.filter(({ timeMillis }) => timeMillis >= first && timeMillis < end);
  return { total, bad: total - judged.filter((step) => step.count >= enough).length };
}

function describe(
  { name, indicator, target, windowMillis }: SloSettings,
  tenant: string,
  total: number,
  bad: number,
): Omit<SloStatus, 'coveredMillis' | 'partial'> {
  const isRate = indicator === 'error_rate';
  // 1 - 0.98 is a little more than 0.02.
  const allowedShare = isRate ? target : Number((1 - target).toPrecision(12));
  const badShare = total === 0 ? 0 : bad / total;
  const burnRate = badShare / allowedShare;
  return {
    ...{ name, tenant, indicator, target, windowMillis, total, good: total - bad },
    value: isRate ? badShare : 1 - badShare,
    met: badShare <= allowedShare,
    budget: { allowed: allowedShare * total, used: bad, remaining: 1 - burnRate },
    burnRate,
    policy: SLO_POLICIES[POLICY_SHARES.filter((share) => burnRate >= share).length] ?? 'freeze-deployments',
  };
}
