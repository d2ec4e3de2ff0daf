import type { OtlpLogs, OtlpTraces } from '../otlp/export-json.ts';
import type { OtlpMetrics } from '../otlp/export-points.ts';
import type {
  ServiceSummary,
  SignalCounts,
  StoreStats,
  TenantArrivals,
  TenantSummary,
} from '../store/store-figures.ts';
import {
  type ErrorGroup,
  type ErrorPage,
  type FacetAnswer,
  type LogPage,
  METRIC_AGGREGATIONS,
  type MetricAnswer,
  type MetricExemplar,
  type MetricSeries,
  type MetricSummary,
  type PointPage,
  type RedAnswer,
  type RedGroup,
  type TailAnswer,
  type TracePage,
  type TraceSpans,
  type TraceSummary,
} from '../store/telemetry-store.ts';
import {
  anyObject,
  bool,
  count,
  either,
  list,
  object,
  oneOf,
  optional,
  pair,
  real,
  record,
  text,
} from './response-schema.ts';
import { compactTraceSchema, logSchema, metricHeader, pointSchema, spanSchema } from './telemetry-schemas.ts';
import { VIEW_CHARTS, type View } from './view-list.ts';

const page = { more: bool, partial: bool };
const signalCounts = object<SignalCounts>('SignalCounts', { traces: count, logs: count, metrics: count });

const traceSummary = object<TraceSummary>('TraceSummary', {
  ...{ tenant: text, traceId: text, name: text, service: text, rootMissing: bool, startMillis: real },
  ...{ durationNanos: real, spans: count, errors: count, services: list(text) },
});

export const tracePage = object<TracePage>('TracePage', { traces: list(traceSummary), ...page });

export const traceAnswer = either(
  either(object<TraceSpans>('TraceSpans', { spans: list(spanSchema), more: bool }), compactTraceSchema),
  object<OtlpTraces>('OtlpTraces', { resourceSpans: list(anyObject) }),
);

export const logAnswer = either(
  object<LogPage>('LogPage', { logs: list(logSchema), ...page }),
  object<OtlpLogs>('OtlpLogs', { resourceLogs: list(anyObject) }),
);

export const pointAnswer = either(
  object<PointPage>('PointPage', { points: list(pointSchema), ...page }),
  object<OtlpMetrics>('OtlpMetrics', { resourceMetrics: list(anyObject) }),
);

const metricSummary = object<MetricSummary>('MetricSummary', {
  ...metricHeader,
  ...{ tenants: list(text), services: list(text), points: count, lastMillis: real },
});

export const metricPage = object<{ metrics: readonly MetricSummary[] }>('MetricPage', { metrics: list(metricSummary) });

const exemplar = object<MetricExemplar>('Exemplar', {
  ...{ timeMillis: real, value: real, tenant: text, traceId: text, spanId: text },
});
const series = object<MetricSeries>('MetricSeries', {
  ...{ labels: record(text), points: list(pair(real, real)), exemplars: list(exemplar) },
});

export const metricAnswer = object<MetricAnswer>('MetricAnswer', {
  metric: optional(object('Metric', metricHeader)),
  aggregation: oneOf(METRIC_AGGREGATIONS),
  ...{ stepMillis: real, series: list(series), omittedSeries: count, partial: bool },
});

const redFigures = { count, errors: count, p50Nanos: real, p95Nanos: real, p99Nanos: real, maxNanos: real };
const redGroup = object<RedGroup>('RedGroup', {
  ...{ tenant: text, service: text, operation: text, ...redFigures },
  steps: list(object('RedStep', { timeMillis: real, ...redFigures })),
});

export const redAnswer = object<RedAnswer>('RedAnswer', { stepMillis: real, groups: list(redGroup), ...page });

const errorGroup = object<ErrorGroup>('ErrorGroup', {
  ...{ id: text, service: text, type: text, message: text, frame: text, count, firstMillis: real, lastMillis: real },
  tenants: list(object('ErrorTenant', { tenant: text, count })),
  operations: list(text),
  example: object('ErrorExample', { tenant: text, traceId: text, spanId: text }),
});

export const errorPage = object<ErrorPage>('ErrorPage', { groups: list(errorGroup), ...page });

const service = object<ServiceSummary>('Service', {
  ...{ tenant: text, service: text, spans: count, errors: count, logs: count, points: count, lastMillis: real },
});

export const servicePage = object<{ services: readonly ServiceSummary[] }>('ServicePage', { services: list(service) });

const tenant = object<TenantSummary>('Tenant', {
  ...{ tenant: text, stored: signalCounts, evicted: signalCounts, rejected: count, bytes: count, lastMillis: real },
});

export const tenantPage = object<{ tenants: readonly TenantSummary[] }>('TenantPage', { tenants: list(tenant) });

export const facetAnswer = object<FacetAnswer>('Facets', {
  ...{ values: list(object('FacetValue', { value: text, count })), sampled: bool },
});

export const storeStats = object<StoreStats>('StoreStats', {
  ...{ store: text, bytes: count, maxBytes: optional(count), full: bool, stored: signalCounts, evicted: signalCounts },
  ...{ rejected: count, oldestMillis: optional(real), newestMillis: optional(real), notices: list(text) },
});

export const viewPage = object<{ views: readonly View[] }>('ViewPage', {
  views: list(object<View>('View', { metric: text, chart: oneOf(VIEW_CHARTS) })),
});

const arrivals = object<TenantArrivals>('Arrivals', {
  ...{ tenant: text, traces: count, logs: count, metrics: count, errors: count },
});

/** Of `update` events. */
export const liveUpdate = object<Omit<TailAnswer, 'cursor'>>('LiveUpdate', {
  ...{ arrived: list(arrivals), traces: list(traceSummary), logs: list(logSchema), skipped: count },
});
