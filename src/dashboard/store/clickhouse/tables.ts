/** The tables of the OpenTelemetry Collector's ClickHouse exporter, with its names of columns. */
export const TRACES = 'otel_traces';
export const LOGS = 'otel_logs';
export const METRICS = {
  gauge: 'otel_metrics_gauge',
  sum: 'otel_metrics_sum',
  histogram: 'otel_metrics_histogram',
  exponentialHistogram: 'otel_metrics_exponential_histogram',
  summary: 'otel_metrics_summary',
} as const;

export const TABLES = [TRACES, LOGS, ...Object.values(METRICS)];

const MAP = 'Map(LowCardinality(String), String)';
const TIME = 'DateTime64(9)';

const SPAN_COLUMNS = `
  Timestamp ${TIME} CODEC(Delta(8), ZSTD(1)), TraceId String CODEC(ZSTD(1)), SpanId String CODEC(ZSTD(1)),
  ParentSpanId String CODEC(ZSTD(1)), TraceState String CODEC(ZSTD(1)), SpanName LowCardinality(String),
  SpanKind LowCardinality(String), ServiceName LowCardinality(String), ResourceAttributes ${MAP},
  ScopeName String, ScopeVersion String, SpanAttributes ${MAP}, Duration UInt64, StatusCode LowCardinality(String),
  StatusMessage String, Events Nested (Timestamp ${TIME}, Name LowCardinality(String), Attributes ${MAP}),
  Links Nested (TraceId String, SpanId String, TraceState String, Attributes ${MAP})`;

const LOG_COLUMNS = `
  Timestamp ${TIME} CODEC(Delta(8), ZSTD(1)), TraceId String CODEC(ZSTD(1)), SpanId String CODEC(ZSTD(1)),
  TraceFlags UInt8, SeverityText LowCardinality(String), SeverityNumber UInt8, ServiceName LowCardinality(String),
  Body String CODEC(ZSTD(1)), ResourceSchemaUrl LowCardinality(String), ResourceAttributes ${MAP},
  ScopeSchemaUrl LowCardinality(String), ScopeName String, ScopeVersion LowCardinality(String), ScopeAttributes ${MAP},
  LogAttributes ${MAP}, EventName String`;

const METRIC_COLUMNS = `
  ResourceAttributes ${MAP}, ResourceSchemaUrl String, ScopeName String, ScopeVersion String, ScopeAttributes ${MAP},
  ScopeDroppedAttrCount UInt32, ScopeSchemaUrl String, ServiceName LowCardinality(String), MetricName String,
  MetricDescription String, MetricUnit String, Attributes ${MAP}, StartTimeUnix ${TIME}, TimeUnix ${TIME}, Flags UInt32`;

const EXEMPLARS = `Exemplars Nested (
  FilteredAttributes ${MAP}, TimeUnix ${TIME}, Value Float64, SpanId String, TraceId String)`;
const BUCKETS = 'Count UInt64, Sum Float64, Min Float64, Max Float64, AggregationTemporality Int32';

const COLUMNS: Readonly<Record<string, string>> = {
  [TRACES]: SPAN_COLUMNS,
  [LOGS]: LOG_COLUMNS,
  [METRICS.gauge]: `${METRIC_COLUMNS}, Value Float64, ${EXEMPLARS}`,
  [METRICS.sum]: `${METRIC_COLUMNS}, Value Float64, AggregationTemporality Int32, IsMonotonic Boolean, ${EXEMPLARS}`,
  [METRICS.histogram]: `${METRIC_COLUMNS}, ${BUCKETS}, BucketCounts Array(UInt64), ExplicitBounds Array(Float64),
    ${EXEMPLARS}`,
  [METRICS.exponentialHistogram]: `${METRIC_COLUMNS}, ${BUCKETS}, Scale Int32, ZeroCount UInt64,
    PositiveOffset Int32, PositiveBucketCounts Array(UInt64), NegativeOffset Int32, NegativeBucketCounts Array(UInt64),
    ${EXEMPLARS}`,
  [METRICS.summary]: `${METRIC_COLUMNS}, Count UInt64, Sum Float64,
    ValueAtQuantiles Nested (Quantile Float64, Value Float64)`,
};

/** The column of the time that rows are sorted and searched by. */
export function timeColumn(table: string): string {
  return table === TRACES || table === LOGS ? 'Timestamp' : 'TimeUnix';
}

/** The tenant of a row by its resource; `tenantAttribute` has been checked to hold no quote. */
export function tenantExpression(tenantAttribute: string): string {
  const value = `ResourceAttributes['${tenantAttribute}']`;
  return `if(${value} = '', 'default', ${value})`;
}

/**
 * Makes a table with the stock columns, the tenant in front of the sort key, which is what makes a tenant's questions
 * fast, and the time of arrival, for live pages.
 */
export function createTable(table: string, tenantAttribute: string, name = table): string {
  const time = timeColumn(table);
  const index = table.startsWith('otel_metrics')
    ? ''
    : 'INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,';
  return `CREATE TABLE IF NOT EXISTS ${name} (${COLUMNS[table]},
    ${index}
    TenantId LowCardinality(String) MATERIALIZED ${tenantExpression(tenantAttribute)},
    ArrivedAt DateTime64(9) MATERIALIZED now64(9)
  ) ENGINE = MergeTree PARTITION BY toDate(${time}) ORDER BY (TenantId, ${time})`;
}

/** Makes a table of its parts on all shards of a cluster, each a table of the same name with `_local`. */
export function createDistributedTable(table: string, cluster: string): string {
  const shardBy = table === TRACES || table === LOGS ? 'cityHash64(TraceId)' : 'rand()';
  return `CREATE TABLE IF NOT EXISTS ${table} AS ${table}_local
    ENGINE = Distributed('${cluster}', currentDatabase(), '${table}_local', ${shardBy})`;
}

/** For people to run, on a table that somebody else made: it makes questions of one tenant faster. */
export function suggestTenantColumn(table: string, tenantAttribute: string): string {
  const expression = tenantExpression(tenantAttribute);
  return `ALTER TABLE ${table} ADD COLUMN TenantId LowCardinality(String) MATERIALIZED ${expression}`;
}
