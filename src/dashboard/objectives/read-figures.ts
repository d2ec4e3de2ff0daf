import type { LogCountAnswer, MetricAnswer, RedAnswer, TelemetryStore, TimeRange } from '../store/telemetry-store.ts';
import { isInScope } from '../store/tenant-scope.ts';
import type { AlertFigure, AlertFigures, AlertRuleSettings } from './alert-rule.ts';
import { evaluateSlo, type SloSettings } from './slo.ts';

/** What attached registries tell of one tenant. */
export interface DeliveryFigures {
  readonly tenant: string;
  /** Spans, log records and data points dropped since the registry was made, but for those that sampling turned away. */
  readonly dropped: number;
  readonly failures: number;
  readonly queued: number;
}

/** Tenants that a rule is asked for: at most so many. */
const MAX_TENANTS = 1_000;
const STEPS = 20;
/** Those that are computed from spans. */
const REQUEST_FIGURES: ReadonlySet<AlertFigure> = new Set([
  ...(['requests', 'errors', 'errorRate', 'perSecond', 'p50Millis', 'p95Millis', 'p99Millis', 'maxMillis'] as const),
]);
const NOTHING: Omit<AlertFigures, 'tenant'> = Object.freeze({
  ...{ requests: 0, errors: 0, errorRate: 0, perSecond: 0, p50Millis: 0, p95Millis: 0, p99Millis: 0, maxMillis: 0 },
  ...{
    metric: Number.NaN,
    logs: Number.NaN,
    burnRate: Number.NaN,
    budgetRemaining: Number.NaN,
    dropped: 0,
    failures: 0,
    queued: 0,
  },
});

/**
 * The figures of every tenant that a rule is for: those that the store knows, those that `deliveries` names, and those
 * that the rule names, also without any requests.
 */
export async function readFigures(
  store: TelemetryStore,
  rule: AlertRuleSettings,
  slo: SloSettings | undefined,
  deliveries: readonly DeliveryFigures[],
  now: number,
): Promise<AlertFigures[]> {
  const { scope, windowMillis } = rule;
  const range = { startMillis: now - windowMillis, endMillis: now + 1 };
  const [groups, known, metric, logs, statuses] = await Promise.all([
    readRequests(store, rule, range),
    store.tenants(scope),
    readMetric(store, rule, range),
    readLogs(store, rule, range),
    slo === undefined ? [] : evaluateSlo(store, slo, scope, now),
  ]);
  const figures = new Map<string, { -readonly [K in keyof AlertFigures]: AlertFigures[K] }>();
  const of = (tenant: string) => {
    const open = figures.get(tenant) ?? { tenant, ...NOTHING, ...(rule.logs !== undefined && { logs: 0 }) };
    figures.set(tenant, open);
    return open;
  };
  if (scope !== 'all') for (const tenant of scope) of(tenant);
  for (const { tenant } of known) of(tenant);
  for (const { tenant, count, errors, p50Nanos, p95Nanos, p99Nanos, maxNanos } of groups) {
    Object.assign(of(tenant), {
      ...{ requests: count, errors, errorRate: count === 0 ? 0 : errors / count },
      perSecond: (count / windowMillis) * 1_000,
      ...{ p50Millis: p50Nanos / 1e6, p95Millis: p95Nanos / 1e6, p99Millis: p99Nanos / 1e6, maxMillis: maxNanos / 1e6 },
    });
  }
  for (const { labels, points } of metric?.series ?? []) {
    if (metric !== undefined && points.length > 0) of(labels['tenant'] ?? '').metric = combine(metric, points, rule);
  }
  for (const { tenant, count } of logs) of(tenant).logs = count;
  for (const { tenant, burnRate, budget } of statuses) {
    Object.assign(of(tenant), { burnRate, budgetRemaining: budget.remaining });
  }
  for (const { tenant, ...delivery } of deliveries) {
    if (isInScope(scope, tenant)) Object.assign(of(tenant), delivery);
  }
  return [...figures.values()].slice(0, MAX_TENANTS);
}

/** One value from those of the steps; of quantiles the worst. */
function combine(
  { aggregation, metric, stepMillis }: MetricAnswer,
  points: MetricAnswer['series'][number]['points'],
  { windowMillis }: AlertRuleSettings,
): number {
  const values = points.map(([, value]) => value);
  const sum = values.reduce((total, value) => total + value, 0);
  switch (aggregation) {
    case 'last':
      return values.at(-1) ?? Number.NaN;
    case 'sum':
      // Of what stands for itself at any time, such as a gauge, the latest is what there is.
      return metric?.temporality === 'delta' || metric?.type.endsWith('istogram') ? sum : (values.at(-1) ?? Number.NaN);
    case 'count':
      return sum;
    case 'min':
      return Math.min(...values);
    case 'avg':
      return sum / values.length;
    case 'rate':
      return (sum * stepMillis) / windowMillis;
    default:
      return Math.max(...values);
  }
}

/** Nothing where a threshold is about something else. */
async function readRequests(
  store: TelemetryStore,
  { when, query, scope, spans, windowMillis }: AlertRuleSettings,
  range: TimeRange,
): Promise<RedAnswer['groups']> {
  if (typeof when !== 'function' && !REQUEST_FIGURES.has(when.figure)) return [];
  const { groups } = await store.red({
    ...{ scope, query, range, spans, limit: MAX_TENANTS, groupBy: 'tenant', stepMillis: windowMillis },
  });
  return groups;
}

async function readMetric(
  store: TelemetryStore,
  { metric, scope, windowMillis }: AlertRuleSettings,
  range: TimeRange,
): Promise<MetricAnswer | undefined> {
  if (metric === undefined) return undefined;
  const { name, query, aggregation } = metric;
  // Steps begin at round times, the window does not: many small ones fit into it well enough.
  const stepMillis = Math.max(windowMillis / STEPS, 1);
  const question = { scope, query, range, limit: MAX_TENANTS, name, stepMillis, aggregation };
  return await store.queryMetric({ ...question, groupBy: ['tenant'] });
}

async function readLogs(
  store: TelemetryStore,
  { logs, scope, windowMillis }: AlertRuleSettings,
  range: TimeRange,
): Promise<LogCountAnswer['groups']> {
  if (logs === undefined) return [];
  const { groups } = await store.countLogs({ scope, query: logs, range, limit: MAX_TENANTS, stepMillis: windowMillis });
  return groups;
}
