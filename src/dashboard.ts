export type {
  Alert,
  AlertFigure,
  AlertFigures,
  AlertHandler,
  AlertPredicate,
  AlertRule,
  AlertSeverity,
  AlertThreshold,
  WatchedLogs,
  WatchedMetric,
} from './dashboard/objectives/alert-rule.ts';
export type { HandlerState } from './dashboard/objectives/handler-calls.ts';
export type { AlertPage, RuleState } from './dashboard/objectives/objectives.ts';
export type { SloIndicator, SloOptions, SloPolicy, SloStatus } from './dashboard/objectives/slo.ts';
export type { MetricHeader, MetricType } from './dashboard/otlp/row-batch.ts';
export type { Signal } from './dashboard/otlp/signal.ts';
export type { SpanKindName, SpanStatusName } from './dashboard/otlp/span-flags.ts';
export type {
  BucketRecord,
  EventRecord,
  ExemplarRecord,
  ExponentialRecord,
  HistogramRecord,
  LinkRecord,
  LogRecord,
  PointRecord,
  ScopeRecord,
  SpanRecord,
  TelemetryAttributes,
  TelemetryOrigin,
  TelemetryValue,
} from './dashboard/otlp/telemetry-model.ts';
export { type ParseResult, parseQuery } from './dashboard/query/parse-query.ts';
export type {
  AttributeCondition,
  Comparison,
  Condition,
  Query,
  QueryPosition,
  TextField,
  TextPattern,
} from './dashboard/query/query.ts';
export type { Attachment, AttachOptions } from './dashboard/server/attached-registries.ts';
export type { DashboardOptions, DashboardToken } from './dashboard/server/dashboard-options.ts';
export { type Dashboard, startDashboard } from './dashboard/server/start-dashboard.ts';
export type {
  DestinationState,
  HealthPage,
  PendingPage,
  PendingSpan,
  TenantHealth,
} from './dashboard/server/tenant-health.ts';
export type { ViewChart } from './dashboard/server/view-list.ts';
export {
  type ClickHouseStoreOptions,
  type ClickHouseTablesOptions,
  describeClickHouseTables,
  openClickHouseStore,
} from './dashboard/store/clickhouse/clickhouse-store.ts';
export type { ClickHouseClient } from './dashboard/store/clickhouse/client.ts';
export { SegmentRing, type SegmentRingOptions } from './dashboard/store/ring/segment-ring.ts';
export { StoreError } from './dashboard/store/store-error.ts';
export type {
  ServiceSummary,
  SignalCounts,
  StoreStats,
  TenantArrivals,
  TenantSummary,
} from './dashboard/store/store-figures.ts';
export type {
  AppendRequest,
  AppendResult,
  ErrorGroup,
  ErrorPage,
  FacetAnswer,
  FacetQuestion,
  LogCountAnswer,
  LogCountGroup,
  LogCountQuestion,
  LogPage,
  MetricAggregation,
  MetricAnswer,
  MetricExemplar,
  MetricQuestion,
  MetricSeries,
  MetricSummary,
  PointPage,
  RedAnswer,
  RedFigures,
  RedGroup,
  RedQuestion,
  Search,
  TailAnswer,
  TailQuestion,
  TelemetryStore,
  TimeRange,
  TracePage,
  TraceSearch,
  TraceSpans,
  TraceSummary,
} from './dashboard/store/telemetry-store.ts';
export type { TenantScope } from './dashboard/store/tenant-scope.ts';
