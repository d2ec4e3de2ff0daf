import type { BusResult } from '../../utils/bus-result.ts';
import type { TenantHealth } from '../server/tenant-health.ts';
import type { StoreStats } from '../store/store-figures.ts';
import type { LogPage, MetricAggregation, MetricAnswer, TracePage, TraceSpans } from '../store/telemetry-store.ts';
import type { Plain } from './plain.ts';

/*
 * What can be asked about the telemetry of some tenants, as plain data, and so are the answers: 64-bit integers, such as
 * times in nanoseconds, are texts, bytes base64. Which tenants is said once, when the bus is made.
 */

/** What is looked for, and when. */
export interface Searched {
  /** In the search language of the dashboard. Default: everything. */
  readonly query?: string | undefined;
  /** Milliseconds since the epoch. Default: an hour before the end, or before now. */
  readonly startMillis?: number | undefined;
  /** Milliseconds since the epoch, not included. Default: no end. */
  readonly endMillis?: number | undefined;
  /** How many are answered at most, up to what the question says. Default: 100. */
  readonly limit?: number | undefined;
}

/** The values of a metric over time, every series by itself, put together by step as suits the metric. */
export interface GetMetric extends Searched {
  readonly type: 'getMetric';
  /** Of the metric: 1 to 1,024 characters. */
  readonly name: string;
  /** The distance of values, in milliseconds; at most 2,000 steps. Default: so that there are about 60. */
  readonly stepMillis?: number | undefined;
}

/** The values of a metric over time, put together by step and by tenant, service or attributes. Up to 1,000 series. */
export interface AggregateMetrics extends Searched {
  readonly type: 'aggregateMetrics';
  /** Of the metric: 1 to 1,024 characters. */
  readonly name: string;
  /** What is made of the values of a step and a group. */
  readonly aggregation: MetricAggregation;
  /** Up to 100 of `tenant`, `service`, or names of attributes. Default: `['tenant']`. */
  readonly groupBy?: readonly string[] | undefined;
  /** As {@link GetMetric.stepMillis}. */
  readonly stepMillis?: number | undefined;
}

/** Log records that match, the newest first. Up to 10,000. */
export interface GetLogs extends Searched {
  readonly type: 'getLogs';
}

/** The spans of a trace by start; none when there is no such trace. */
export interface GetTrace {
  readonly type: 'getTrace';
  /** 32 hex digits, in either case. */
  readonly traceId: string;
  /** Spans at most, up to 100,000. Default: 10,000. */
  readonly limit?: number | undefined;
}

/** Traces with a span that matches. Up to 1,000. */
export interface SearchTraces extends Searched {
  readonly type: 'searchTraces';
  /** By the newest, or the longest, of a trace's spans that match. Default: `newest`. */
  readonly order?: 'newest' | 'longest' | undefined;
}

/** Whether the source answers and its tenants do well. Answered also when the source does not answer. */
export interface GetHealth {
  readonly type: 'getHealth';
  /** Tenants at most, those that are not well first. Up to 10,000. Default: 100. */
  readonly limit?: number | undefined;
}

/** What is kept, and what the tenants have recorded and exported so far. */
export interface GetStatus {
  readonly type: 'getStatus';
  /** Tenants at most, up to 10,000. Default: 100. */
  readonly limit?: number | undefined;
}

/** Every question that isotrace knows. */
export type Question = GetMetric | AggregateMetrics | GetLogs | GetTrace | SearchTraces | GetHealth | GetStatus;
/** What tells questions apart. */
export type QuestionType = Question['type'];
/** The question of one type. */
export type QuestionOf<T extends QuestionType> = Extract<Question, { readonly type: T }>;

/** Log records that were found. */
export type LogsAnswer = Plain<LogPage>;
/** Traces that were found. */
export type TracesAnswer = Plain<TracePage>;
/** The spans of a trace. */
export type TraceAnswer = Plain<TraceSpans>;
/** Without `metric` when there is none of that name. */
export type MetricValuesAnswer = Plain<MetricAnswer>;

/** Whether the source answers, and how the tenants are. */
export interface HealthAnswer {
  /** The source answers, and no tenant that it knows of has a problem. */
  readonly ok: boolean;
  /** Why the source does not answer; empty while it does. */
  readonly problem: string;
  /** What is wrong with its store, such as an index that is missing. */
  readonly notices: readonly string[];
  /** Those whose tracers the source knows, as far as they are in scope. */
  readonly tenants: readonly Plain<TenantHealth>[];
  /** Tenants beyond the limit. */
  readonly more: number;
}

/** What answers, and what it holds. */
export interface StatusAnswer {
  /** Of the package that asks. */
  readonly version: string;
  readonly source: 'store' | 'dashboard';
  /** In scope. */
  readonly tenants: 'all' | readonly string[];
  /** Since the bus was made. */
  readonly uptimeMillis: number;
  readonly store: Plain<StoreStats>;
  /** Counts of the tracers that the source knows, by signal: created, exported, queued, dropped by reason. */
  readonly tracers: readonly Pick<Plain<TenantHealth>, 'tenant' | 'state' | 'started' | 'open' | 'signals'>[];
}

/** What is answered to a question of each type. */
export interface AnswerValues {
  readonly getMetric: MetricValuesAnswer;
  readonly aggregateMetrics: MetricValuesAnswer;
  readonly getLogs: LogsAnswer;
  readonly getTrace: TraceAnswer;
  readonly searchTraces: TracesAnswer;
  readonly getHealth: HealthAnswer;
  readonly getStatus: StatusAnswer;
}

/** Why there is no answer. */
export type QueryFailure =
  /** A field is missing or not acceptable, as `issues` says. */
  | 'invalid'
  /** There is no such question, and none of one's own was registered. */
  | 'unknown_type'
  /** The source does not let one see this: a token is missing, wrong, or for other tenants. */
  | 'refused'
  /** The dashboard cannot be reached. */
  | 'unreachable'
  /** There was no answer within `timeoutMillis`. */
  | 'timeout'
  /** Too many questions are under way. */
  | 'overloaded'
  /** The store, the dashboard or a handler failed. */
  | 'failed';

/** What a question came to: its answer, or why there is none. */
export type QueryResult<T = unknown> = BusResult<T, QueryFailure>;
