import type { Query } from '../query/query.ts';
import type { MetricAggregation } from '../store/telemetry-store.ts';
import type { TenantScope } from '../store/tenant-scope.ts';

/** What a rule is about, for one tenant over the rule's window. */
export interface AlertFigures {
  readonly tenant: string;
  readonly requests: number;
  readonly errors: number;
  /** 0 without requests. */
  readonly errorRate: number;
  readonly perSecond: number;
  readonly p50Millis: number;
  readonly p95Millis: number;
  readonly p99Millis: number;
  readonly maxMillis: number;
  /** Of the rule's metric, by its aggregation; NaN without one, so that it is neither above nor below anything. */
  readonly metric: number;
  /** Log records that match the rule's `logs`; NaN without that. */
  readonly logs: number;
  /** Of the rule's objective; NaN without one. */
  readonly burnRate: number;
  readonly budgetRemaining: number;
  /** Of attached registries: spans, log records and data points dropped within the window, but for those that sampling turned away. */
  readonly dropped: number;
  /** Of attached registries: attempts that failed since the last that did not, of the worst destination. */
  readonly failures: number;
  /** Of attached registries: spans, log records and data points that wait. */
  readonly queued: number;
}

/** What a threshold can be about. */
export type AlertFigure = Exclude<keyof AlertFigures, 'tenant'>;

export const ALERT_FIGURES = [
  ...['requests', 'errors', 'errorRate', 'perSecond', 'p50Millis', 'p95Millis', 'p99Millis', 'maxMillis'],
  ...['metric', 'logs', 'burnRate', 'budgetRemaining', 'dropped', 'failures', 'queued'],
] as readonly AlertFigure[];

/** What a figure must not be above, or below. */
export interface AlertThreshold {
  /** Of the tenants in the rule's window. */
  readonly figure: AlertFigure;
  /** The figure is too high. Exactly one of the two is needed. */
  readonly above?: number;
  /** The figure is too low. */
  readonly below?: number;
}

/** Whether something is wrong. One that throws, rejects or takes longer than 5 s leaves alerts as they are, and is counted. */
export type AlertPredicate = (figures: AlertFigures) => boolean | Promise<boolean>;

export const ALERT_SEVERITIES = ['info', 'warning', 'critical'] as const;
/** How bad an alert is. */
export type AlertSeverity = (typeof ALERT_SEVERITIES)[number];

/** A metric that a rule watches. */
export interface WatchedMetric {
  /** Of the metric. */
  readonly name: string;
  /** What is made of its points. Default: `rate` of sums that only grow, `p95` of histograms, else `avg` or `sum`. */
  readonly aggregation?: MetricAggregation;
  /** Which points, in the search language: `attr.queue=mail`. Default: all. */
  readonly query?: string;
}

/** Log records that a rule watches. */
export interface WatchedLogs {
  /** Which records, in the search language: `severity>=error "timed out"`. Default: all. */
  readonly query?: string;
}

export interface WatchedMetricSettings {
  readonly name: string;
  readonly aggregation: MetricAggregation | undefined;
  readonly query: Query;
}

/** When to alert, for each tenant by itself. */
export interface AlertRule {
  /** 1 to 100 characters; no two have the same. */
  readonly name: string;
  /** A threshold, or a function. */
  readonly when: AlertThreshold | AlertPredicate;
  /** How long it has to hold without a break, in milliseconds, up to a day. Default 0: at once. */
  readonly forMillis?: number;
  /** How far back the figures look, in milliseconds: a second to a day. Default 5 minutes. */
  readonly windowMillis?: number;
  /** Which spans are requests, in the search language. Default: all. */
  readonly query?: string;
  /** Where work enters a service, or every span. Default `entry`. */
  readonly spans?: 'entry' | 'all';
  /** The metric of the figure `metric`. */
  readonly metric?: WatchedMetric;
  /** The log records of the figure `logs`. */
  readonly logs?: WatchedLogs;
  /** The name of the objective of `burnRate` and `budgetRemaining`, which is computed over its own window. */
  readonly slo?: string;
  /** Default `warning`. */
  readonly severity?: AlertSeverity;
  /** The only tenants that it is for. Default: all. */
  readonly tenants?: readonly string[];
  /** For people. Default: none. */
  readonly description?: string;
}

export interface AlertRuleSettings extends Required<Omit<AlertRule, 'query' | 'metric' | 'logs' | 'slo' | 'tenants'>> {
  readonly query: Query;
  readonly metric: WatchedMetricSettings | undefined;
  readonly logs: Query | undefined;
  readonly slo: string | undefined;
  readonly scope: TenantScope;
}

/** One tenant's state under one rule. */
export interface Alert {
  readonly rule: string;
  readonly severity: AlertSeverity;
  readonly description: string;
  readonly tenant: string;
  /** `pending` until it has held for `forMillis`. */
  readonly state: 'pending' | 'firing' | 'resolved';
  /** Since when it has held. */
  readonly sinceMillis: number;
  /** 0 until it fires. */
  readonly firedMillis: number;
  /** 0 until it is over. */
  readonly resolvedMillis: number;
  /** The figure of a threshold as it was last; absent when there is none, as with a function. */
  readonly value: number | undefined;
}

/** Told once when an alert fires, and once when it is over. What it throws or rejects with is contained and counted. */
export type AlertHandler = (alert: Alert) => void | Promise<void>;
