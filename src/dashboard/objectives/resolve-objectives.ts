import { type ConfigIssue, IsotraceError } from '../../utils/errors.ts';
import { isTenantId } from '../../utils/tenant-id.ts';
import type { Signal } from '../otlp/signal.ts';
import { parseQuery } from '../query/parse-query.ts';
import type { Query } from '../query/query.ts';
import { METRIC_AGGREGATIONS } from '../store/telemetry-store.ts';
import type { TenantScope } from '../store/tenant-scope.ts';
import {
  ALERT_FIGURES,
  ALERT_SEVERITIES,
  type AlertRule,
  type AlertRuleSettings,
  type WatchedLogs,
  type WatchedMetric,
  type WatchedMetricSettings,
} from './alert-rule.ts';
import { latencyQuery, SLO_INDICATORS, type SloOptions, type SloSettings } from './slo.ts';

const MINUTE_MILLIS = 60_000;
const DAY_MILLIS = 86_400_000;
const MAX_NAME = 100;
const MAX_DESCRIPTION = 1_000;
const MAX_TENANTS = 1_000;
const SPANS = ['entry', 'all'] as const;
const QUERIED: Readonly<Record<Signal, string>> = { traces: 'spans', logs: 'log records', metrics: 'metrics' };

/** Checks one objective. Throws an `IsotraceError` that names all that is wrong with it. */
export function resolveSlo(options: SloOptions): SloSettings {
  const check = new Checks('slo', options);
  const { indicator, target } = options;
  const [query, source] = check.query(options.query);
  const settings = {
    name: check.name(options.name),
    indicator: check.oneOf('indicator', indicator, SLO_INDICATORS),
    target: check.number('target', target, 0, 1),
    windowMillis: check.number(
      'windowMillis',
      options.windowMillis ?? 60 * MINUTE_MILLIS,
      MINUTE_MILLIS,
      90 * DAY_MILLIS,
    ),
    thresholdMillis:
      indicator === 'latency' ? check.number('thresholdMillis', options.thresholdMillis, 0, DAY_MILLIS) : 0,
    minimumPerSecond:
      indicator === 'throughput' ? check.number('minimumPerSecond', options.minimumPerSecond, 0, 1e9) : 0,
    spans: check.oneOf('spans', options.spans ?? 'entry', SPANS),
    scope: check.tenants(options.tenants),
    query,
    metric: indicator === 'metric' ? check.metric(options.metric) : undefined,
    logs: indicator === 'logs' ? check.logs(options.logs ?? {}) : undefined,
  };
  const isOfMinutes = indicator === 'metric' || indicator === 'logs';
  const { atMost, atLeast } = options;
  const bounds = [atMost, atLeast].filter((bound) => bound !== undefined);
  if (isOfMinutes && (bounds.length !== 1 || !bounds.every(Number.isFinite))) {
    check.issue('atMost', 'a number for `atMost` or `atLeast`', 'another value');
  }
  if (target === 0 || target === 1) check.issue('target', 'a number between 0 and 1', target);
  check.end();
  const goodQuery = indicator === 'latency' ? latencyQuery(source, settings.thresholdMillis) : undefined;
  return Object.freeze({ ...settings, atMost, atLeast, goodQuery });
}

/** Checks one rule; `hasSlo` tells whether there is an objective. Throws an `IsotraceError` that names all that is wrong. */
export function resolveAlertRule(rule: AlertRule, hasSlo: (name: string) => boolean): AlertRuleSettings {
  const check = new Checks('alert', rule);
  const { when, metric, logs, slo, description = '' } = rule;
  if (typeof when !== 'function') {
    const { figure, above, below } = when ?? {};
    check.oneOf('when.figure', figure, ALERT_FIGURES);
    const bounds = [above, below].filter((bound) => bound !== undefined);
    if (bounds.length !== 1 || !bounds.every(Number.isFinite)) {
      check.issue('when', 'a function, or a figure and a number for `above` or `below`', 'another value');
    }
    if (figure === 'metric' && metric === undefined)
      check.issue('metric', 'a metric, because `when` is about it', metric);
    if (figure === 'logs' && logs === undefined) check.issue('logs', 'log records, because `when` is about them', logs);
    const isOfSlo = figure === 'burnRate' || figure === 'budgetRemaining';
    if (isOfSlo && slo === undefined) check.issue('slo', 'an objective, because `when` is about it', slo);
  }
  if (slo !== undefined && !hasSlo(slo)) check.issue('slo', 'the name of an objective', slo);
  if (typeof description !== 'string') check.issue('description', 'a text', description);
  const [query] = check.query(rule.query);
  const settings = {
    name: check.name(rule.name),
    when: typeof when === 'function' ? when : { ...when },
    forMillis: check.number('forMillis', rule.forMillis ?? 0, 0, DAY_MILLIS),
    windowMillis: check.number('windowMillis', rule.windowMillis ?? 5 * MINUTE_MILLIS, 1_000, DAY_MILLIS),
    spans: check.oneOf('spans', rule.spans ?? 'entry', SPANS),
    severity: check.oneOf('severity', rule.severity ?? 'warning', ALERT_SEVERITIES),
    scope: check.tenants(rule.tenants),
    description: String(description).slice(0, MAX_DESCRIPTION),
    metric: metric === undefined ? undefined : check.metric(metric),
    logs: logs === undefined ? undefined : check.logs(logs),
    ...{ slo, query },
  };
  check.end();
  return Object.freeze(settings);
}

/** Gathers what is wrong. */
class Checks {
  readonly #what: string;
  readonly #issues: ConfigIssue[] = [];

  constructor(what: string, options: unknown) {
    this.#what = what;
    if (typeof options === 'object' && options !== null) return;
    this.issue('options', 'an object', options);
    this.end();
  }

  issue(option: string, accepted: string, received: unknown): void {
    this.#issues.push({ option: `${this.#what}.${option}`, accepted, received: String(received).slice(0, 50) });
  }

  name(value: unknown): string {
    const isName = typeof value === 'string' && value.length > 0 && value.length <= MAX_NAME;
    if (!isName) this.issue('name', `1 to ${MAX_NAME} characters`, value);
    return String(value);
  }

  number(option: string, value: unknown, min: number, max: number): number {
    if (typeof value === 'number' && value >= min && value <= max) return value;
    this.issue(option, `a number from ${min} to ${max}`, value);
    return min;
  }

  oneOf<const T extends string>(option: string, value: unknown, values: readonly T[]): T {
    const found = values.find((candidate) => candidate === value);
    if (found === undefined) this.issue(option, values.join(', '), value);
    return found ?? (values[0] as T);
  }

  tenants(value: readonly string[] | undefined): TenantScope {
    if (value === undefined) return 'all';
    const isList = Array.isArray(value) && value.length > 0 && value.length <= MAX_TENANTS && value.every(isTenantId);
    if (!isList) this.issue('tenants', `1 to ${MAX_TENANTS} ids of tenants`, 'another value');
    return new Set(isList ? value : []);
  }

  query(value = '', signal: Signal = 'traces', option = 'query'): readonly [Query, string] {
    const result = typeof value === 'string' ? parseQuery(value, signal) : undefined;
    if (result?.ok === true) return [result.query, value];
    this.issue(option, `a query of ${QUERIED[signal]}`, result?.message ?? value);
    return [{ conditions: [] }, ''];
  }

  metric(value: WatchedMetric | undefined): WatchedMetricSettings {
    const { name, aggregation, query } = value ?? {};
    if (typeof name !== 'string' || name === '') this.issue('metric.name', 'a name', name);
    if (aggregation !== undefined) this.oneOf('metric.aggregation', aggregation, METRIC_AGGREGATIONS);
    return { name: String(name), aggregation, query: this.query(query, 'metrics', 'metric.query')[0] };
  }

  logs(value: WatchedLogs | undefined): Query {
    if (typeof value !== 'object' || value === null) this.issue('logs', 'an object with a query', value);
    return this.query(value?.query, 'logs', 'logs.query')[0];
  }

  end(): void {
    if (this.#issues.length === 0) return;
    const texts = this.#issues.map(
      ({ option, accepted, received }) => `${option}: ${accepted} (received: ${received})`,
    );
    throw new IsotraceError('config_invalid', texts.join('; '), { issues: this.#issues });
  }
}
