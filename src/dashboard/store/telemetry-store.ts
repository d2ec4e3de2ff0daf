import type { MetricHeader } from '../otlp/row-batch.ts';
import type { Signal } from '../otlp/signal.ts';
import type { LogRecord, PointRecord, SpanRecord } from '../otlp/telemetry-model.ts';
import type { Query } from '../query/query.ts';
import type { ServiceSummary, StoreStats, TenantArrivals, TenantSummary } from './store-figures.ts';
import type { TenantScope } from './tenant-scope.ts';

/**
 * Where the dashboard keeps telemetry. Every question is asked within a scope, and no answer holds anything of a
 * tenant outside it. Times are milliseconds since the epoch, durations nanoseconds. Answers are bounded: `more` says
 * that there is more than was asked for, `partial` that the search ended at its budget and may have missed some.
 */
export interface TelemetryStore {
  /** Whether other processes write to it too, so that what is new has to be asked for. */
  readonly shared: boolean;
  /** Takes an OTLP request, whole or, where it is malformed, not at all. Rejects only when the store itself fails. */
  append(request: AppendRequest): Promise<AppendResult>;
  /** Traces with a span that matches, one entry for each tenant and trace id. */
  listTraces(search: TraceSearch): Promise<TracePage>;
  /** The spans of a trace by start, at most `limit`; of each tenant in the scope that has it. */
  getTrace(scope: TenantScope, traceId: string, limit: number): Promise<TraceSpans>;
  /** Log records that match, newest first. */
  getLogs(search: Search): Promise<LogPage>;
  /** How many log records match, by tenant and over time. */
  countLogs(question: LogCountQuestion): Promise<LogCountAnswer>;
  /** Data points that match, newest first. */
  getPoints(search: Search): Promise<PointPage>;
  /** The metrics that there are. */
  listMetrics(search: Search): Promise<readonly MetricSummary[]>;
  /** One metric over time. */
  queryMetric(question: MetricQuestion): Promise<MetricAnswer>;
  /** Rate, errors and duration of spans. */
  red(question: RedQuestion): Promise<RedAnswer>;
  /** Spans that failed, by service, type of error and place, the most frequent first. */
  errors(search: Search): Promise<ErrorPage>;
  /** The services of tenants, with what they sent. */
  services(scope: TenantScope, range: TimeRange): Promise<readonly ServiceSummary[]>;
  /** The tenants in scope, with what is kept of them. */
  tenants(scope: TenantScope): Promise<readonly TenantSummary[]>;
  /** What can stand in a query: the fields there are, or the values of one. */
  facets(question: FacetQuestion): Promise<FacetAnswer>;
  /** What has come in since `cursor`; without one, nothing but the cursor to go on from. */
  tail(question: TailQuestion): Promise<TailAnswer>;
  /** What the store holds, has dropped and refused, as far as it is in scope. */
  stats(scope: TenantScope): Promise<StoreStats>;
  /** Writes what is still to be written and frees everything. May be called twice. */
  close(): Promise<void>;
}

/** One OTLP request that came in. */
export interface AppendRequest {
  readonly signal: Signal;
  readonly format: 'protobuf' | 'json';
  /** Belongs to the store from now on. */
  readonly bytes: Uint8Array;
  /** The tenant of a resource whose tenant attribute has this value; `undefined` refuses what it sends. */
  readonly tenantOf: (claimed: string | undefined) => string | undefined;
}

/** What became of a request. */
export type AppendResult =
  | { readonly outcome: 'stored'; readonly accepted: number; readonly rejected: number; readonly message: string }
  | { readonly outcome: 'malformed'; readonly message: string }
  /** Nothing was taken, but may be later. */
  | { readonly outcome: 'overloaded'; readonly message: string };

/** From `startMillis` up to, but not including, `endMillis`. */
export interface TimeRange {
  readonly startMillis: number;
  readonly endMillis: number;
}

/** What is looked for, in whose telemetry, and when. */
export interface Search {
  /** Whose telemetry is looked at. */
  readonly scope: TenantScope;
  /** What is looked for. */
  readonly query: Query;
  /** When it happened. */
  readonly range: TimeRange;
  /** How many are answered at most. */
  readonly limit: number;
}

/** A search for traces. */
export interface TraceSearch extends Search {
  /** By the newest, or the longest, of a trace's spans that match. */
  readonly order: 'newest' | 'longest';
}

/** A trace in a list. */
export interface TraceSummary {
  readonly tenant: string;
  readonly traceId: string;
  /** Of the root span, or of the earliest one where the root is missing. */
  readonly name: string;
  readonly service: string;
  readonly rootMissing: boolean;
  readonly startMillis: number;
  /** From the first start to the last end. */
  readonly durationNanos: number;
  readonly spans: number;
  readonly errors: number;
  readonly services: readonly string[];
}

/** Traces that were found. */
export interface TracePage {
  readonly traces: readonly TraceSummary[];
  readonly more: boolean;
  readonly partial: boolean;
}

/** The spans of one trace. */
export interface TraceSpans {
  readonly spans: readonly SpanRecord[];
  readonly more: boolean;
}

/** Log records, the newest first. */
export interface LogPage {
  readonly logs: readonly LogRecord[];
  readonly more: boolean;
  readonly partial: boolean;
}

/** Asks for counts of log records in steps of time. */
export interface LogCountQuestion extends Search {
  /** The length of a step. */
  readonly stepMillis: number;
}

/** The log records of one tenant. */
export interface LogCountGroup {
  readonly tenant: string;
  readonly count: number;
  /** Those that have any, by time. */
  readonly steps: readonly { readonly timeMillis: number; readonly count: number }[];
}

/** The counts of log records that were asked for. */
export interface LogCountAnswer {
  /** The most records first. */
  readonly groups: readonly LogCountGroup[];
  readonly more: boolean;
  readonly partial: boolean;
}

/** Data points of metrics, newest first. */
export interface PointPage {
  readonly points: readonly PointRecord[];
  readonly more: boolean;
  readonly partial: boolean;
}

/** A metric that there is. */
export interface MetricSummary extends MetricHeader {
  readonly tenants: readonly string[];
  readonly services: readonly string[];
  readonly points: number;
  readonly lastMillis: number;
}

export const METRIC_AGGREGATIONS = ['avg', 'sum', 'min', 'max', 'last', 'rate', 'count', 'p50', 'p95', 'p99'] as const;
/** How the points of a step become one. */
export type MetricAggregation = (typeof METRIC_AGGREGATIONS)[number];

/** One metric over time. */
export interface MetricQuestion extends Search {
  /** The metric. */
  readonly name: string;
  /** The distance of points, in milliseconds. */
  readonly stepMillis: number;
  /** Default: `rate` of monotonic sums, `last` of other sums, `p95` of histograms, else `avg`. */
  readonly aggregation: MetricAggregation | undefined;
  /** `tenant`, `service`, or names of attributes; every series by itself when empty. */
  readonly groupBy: readonly string[];
}

/** The points of one combination of labels. */
export interface MetricSeries {
  readonly labels: Readonly<Record<string, string>>;
  /** One for each step that has a value; its time is the step's beginning. */
  readonly points: readonly (readonly [timeMillis: number, value: number])[];
  readonly exemplars: readonly MetricExemplar[];
}

/** A measurement to look at, with its trace. */
export interface MetricExemplar {
  readonly timeMillis: number;
  readonly value: number;
  readonly tenant: string;
  readonly traceId: string;
  readonly spanId: string;
}

/** The series of a metric. */
export interface MetricAnswer {
  /** Absent when there is no such metric. */
  readonly metric: MetricHeader | undefined;
  readonly aggregation: MetricAggregation;
  readonly stepMillis: number;
  readonly series: readonly MetricSeries[];
  /** Series beyond `limit`. */
  readonly omittedSeries: number;
  readonly partial: boolean;
}

/** Rates, errors and durations of spans. */
export interface RedQuestion extends Search {
  /** What a group is. */
  readonly groupBy: 'tenant' | 'service' | 'operation';
  /** Where work enters a service (roots, servers, consumers), or every span. */
  readonly spans: 'entry' | 'all';
  /** The distance of points, in milliseconds. */
  readonly stepMillis: number;
}

/** Requests, failures and percentiles of durations. */
export interface RedFigures {
  readonly count: number;
  readonly errors: number;
  /** Within 1 %. */
  readonly p50Nanos: number;
  readonly p95Nanos: number;
  readonly p99Nanos: number;
  readonly maxNanos: number;
}

/** The figures of one group, in all and over time. */
export interface RedGroup extends RedFigures {
  readonly tenant: string;
  /** Empty when grouped by tenant. */
  readonly service: string;
  /** Empty unless grouped by operation. */
  readonly operation: string;
  readonly steps: readonly (RedFigures & { readonly timeMillis: number })[];
}

/** Rates, errors and durations by group. */
export interface RedAnswer {
  readonly stepMillis: number;
  /** The most requests first. */
  readonly groups: readonly RedGroup[];
  readonly more: boolean;
  readonly partial: boolean;
}

/** Failures of the same kind at the same place, of one service. */
export interface ErrorGroup {
  /** The same for the same service, type and place, in every store. */
  readonly id: string;
  readonly service: string;
  /** `exception.type`, `error.type`, or what the status says. */
  readonly type: string;
  readonly message: string;
  /** The first frame of the stack that is not of a dependency; empty without a stack. */
  readonly frame: string;
  readonly count: number;
  readonly firstMillis: number;
  readonly lastMillis: number;
  readonly tenants: readonly { readonly tenant: string; readonly count: number }[];
  readonly operations: readonly string[];
  /** The newest of them. */
  readonly example: { readonly tenant: string; readonly traceId: string; readonly spanId: string };
}

/** Groups of failures. */
export interface ErrorPage {
  readonly groups: readonly ErrorGroup[];
  readonly more: boolean;
  readonly partial: boolean;
}

/** Which values a field has, to complete what somebody types. */
export interface FacetQuestion {
  /** Whose telemetry is looked at. */
  readonly scope: TenantScope;
  /** Which telemetry is looked at. */
  readonly signal: Signal;
  /** As it is written in a query; the fields themselves without it. */
  readonly field: string | undefined;
  /** What the values begin with; empty: anything. */
  readonly prefix: string;
  /** How many values are answered at most. */
  readonly limit: number;
}

/** Values with how often they are there. */
export interface FacetAnswer {
  readonly values: readonly { readonly value: string; readonly count: number }[];
  /** Whether only a sample was looked at, so that rare ones may be missing. */
  readonly sampled: boolean;
}

/** What comes in, from a cursor on. */
export interface TailQuestion {
  /** Whose telemetry is looked at. */
  readonly scope: TenantScope;
  /** Of the answer before; `undefined`: from now on. */
  readonly cursor: string | undefined;
  /** At most so many traces and so many log records. */
  readonly limit: number;
  /** Which traces are answered. */
  readonly traceQuery: Query;
  /** Which log records are answered. */
  readonly logQuery: Query;
}

/** What came in since the cursor. */
export interface TailAnswer {
  readonly cursor: string;
  /** What came in for each tenant. */
  readonly arrived: readonly TenantArrivals[];
  /** Traces that got spans that match, as they are now; the newest first. */
  readonly traces: readonly TraceSummary[];
  readonly logs: readonly LogRecord[];
  /** Traces and log records that came in but are not shown, because of `limit` or because they are gone already. */
  readonly skipped: number;
}
