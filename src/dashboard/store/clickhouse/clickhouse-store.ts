import { METRIC_TYPES } from '../../otlp/row-batch.ts';
import type { Signal } from '../../otlp/signal.ts';
import type { LogRecord } from '../../otlp/telemetry-model.ts';
import type { Query } from '../../query/query.ts';
import { ErrorTable } from '../error-table.ts';
import { LogCountTable } from '../log-count-table.ts';
import { lookbackStart, MetricTable } from '../metric-table.ts';
import { RedTable } from '../red-table.ts';
import type { ServiceSummary, StoreStats, TenantSummary } from '../store-figures.ts';
import type {
  AppendRequest,
  AppendResult,
  ErrorPage,
  FacetAnswer,
  FacetQuestion,
  LogCountAnswer,
  LogCountQuestion,
  LogPage,
  MetricAnswer,
  MetricQuestion,
  MetricSummary,
  PointPage,
  RedAnswer,
  RedQuestion,
  Search,
  TailAnswer,
  TailQuestion,
  TelemetryStore,
  TimeRange,
  TracePage,
  TraceSearch,
  TraceSpans,
} from '../telemetry-store.ts';
import type { TenantScope } from '../tenant-scope.ts';
import { readFacets, readServices, readTenants } from './census.ts';
import type { ClickHouseClient, Row } from './client.ts';
import { compileQuery } from './compile-query.ts';
import { checkName, Database } from './database.ts';
import {
  logSelection,
  POINT_SELECTIONS,
  SPAN_SELECTION,
  textAt,
  toLogRecord,
  toMetricHeader,
  toPointRecord,
  toSpanRecord,
} from './decode-rows.ts';
import { createRowWriter, type RowWriter } from './row-writer.ts';
import { createDistributedTable, createTable, LOGS, METRICS, TABLES, TRACES } from './tables.ts';
import { readTail } from './tail.ts';
import { readSummaries } from './trace-summaries.ts';

/** How a store in ClickHouse is opened. */
export interface ClickHouseStoreOptions {
  /** Of `@clickhouse/client`; it is closed with the store. */
  readonly client: ClickHouseClient;
  /** Makes the tables that are missing. Default false: a database of the Collector is read as it is. */
  readonly createTables?: boolean;
  /** The resource attribute that names a tenant. Default `tenant.id`. */
  readonly tenantAttribute?: string;
  /** Lets the server gather small inserts (`async_insert`). Default true. */
  readonly asyncInsert?: boolean;
}

/** How the tables in ClickHouse are made. */
export interface ClickHouseTablesOptions {
  /** The resource attribute that names a tenant. Default `tenant.id`. */
  readonly tenantAttribute?: string;
  /** The name of the cluster whose shards share the rows. Default: one server. */
  readonly cluster?: string;
}

const MAX_ERRORS = 20_000;
/** Exponential histograms are written as histograms. */
const POINT_TYPES = ['gauge', 'sum', 'histogram', 'summary'] as const;
const MAX_COUNT_ROWS = 100_000;
const MAX_POINTS = 100_000;
const MAX_RED_ROWS = 200_000;
/** As the buckets of `LatencySketch`: rows of one bucket come as one. */
const LOG_GAMMA = Math.log(1.02);

/** Opens a database that has, or gets, the tables of the Collector's ClickHouse exporter. */
export async function openClickHouseStore(options: ClickHouseStoreOptions): Promise<TelemetryStore> {
  const { client, createTables = false, tenantAttribute = 'tenant.id', asyncInsert = true } = options;
  const database = new Database(client, tenantAttribute);
  await database.open(createTables);
  return new ClickHouseStore(database, createRowWriter({ client, tenantAttribute, asyncInsert }));
}

/**
 * The statements that make the tables, for people to run: on the server or, with `cluster`, on each node of it, where a
 * trace's spans go to one shard. Throws an `IsotraceError` on names that could not stand in a statement.
 */
export function describeClickHouseTables(options: ClickHouseTablesOptions = {}): string[] {
  const { tenantAttribute = 'tenant.id', cluster } = options;
  for (const name of [tenantAttribute, cluster ?? '-']) checkName(name);
  if (cluster === undefined) return TABLES.map((table) => createTable(table, tenantAttribute));
  return TABLES.flatMap((table) => [
    createTable(table, tenantAttribute, `${table}_local`),
    createDistributedTable(table, cluster),
  ]);
}

/** Keeps telemetry in ClickHouse. What its tables have no column for, such as counts of what was dropped, is not kept. */
class ClickHouseStore implements TelemetryStore {
  readonly shared = true;
  readonly #database: Database;
  readonly #writer: RowWriter;

  constructor(database: Database, writer: RowWriter) {
    this.#database = database;
    this.#writer = writer;
  }

  append(request: AppendRequest): Promise<AppendResult> {
    return this.#writer(request);
  }

  async listTraces({ scope, query, range, limit, order }: TraceSearch): Promise<TracePage> {
    const rank = order === 'newest' ? 'max(toUnixTimestamp64Nano(Timestamp))' : 'max(Duration)';
    const rows = await this.#search(TRACES, 'traces', scope, query, {
      columns: `$tenant AS tenant, TraceId, ${rank} AS rank`,
      range,
      tail: `GROUP BY tenant, TraceId ORDER BY rank DESC LIMIT ${limit + 1}`,
    });
    const traces = await readSummaries(this.#database, scope, rows.slice(0, limit));
    return { traces, more: rows.length > limit, partial: false };
  }

  async getTrace(scope: TenantScope, traceId: string, limit: number): Promise<TraceSpans> {
    const statement = this.#database.statement();
    const sql = statement.select({
      ...{ table: TRACES, scope, columns: SPAN_SELECTION, where: [`TraceId = ${statement.text(traceId)}`] },
      tail: `ORDER BY Timestamp LIMIT ${limit + 1}`,
    });
    const rows = await this.#database.ask(sql, statement);
    return { spans: rows.slice(0, limit).map(toSpanRecord), more: rows.length > limit };
  }

  async getLogs({ scope, query, range, limit }: Search): Promise<LogPage> {
    const logs = await this.#logs(scope, query, range, limit + 1);
    return { logs: logs.slice(0, limit), more: logs.length > limit, partial: false };
  }

  async countLogs({ scope, query, range, limit, stepMillis }: LogCountQuestion): Promise<LogCountAnswer> {
    const rows = await this.#search(LOGS, 'logs', scope, query, {
      columns: `$tenant AS tenant, intDiv(toUnixTimestamp64Milli(Timestamp), ${Math.trunc(stepMillis)}) AS step,
        toFloat64(count()) AS weight`,
      range,
      tail: `GROUP BY tenant, step LIMIT ${MAX_COUNT_ROWS}`,
    });
    const table = new LogCountTable(stepMillis);
    for (const row of rows) table.add(textAt(row, 'tenant'), Number(row['step']), Number(row['weight']));
    return { ...table.answer(limit), partial: rows.length === MAX_COUNT_ROWS };
  }

  async getPoints({ scope, query, range, limit }: Search): Promise<PointPage> {
    const lists = await Promise.all(
      POINT_TYPES.map(async (type) => {
        const rows = await this.#search(METRICS[type], 'metrics', scope, query, {
          ...{ columns: POINT_SELECTIONS[type], range },
          tail: `ORDER BY TimeUnix DESC LIMIT ${limit + 1}`,
        });
        return rows.map((row) => toPointRecord(row, type));
      }),
    );
    const points = lists.flat().sort((left, right) => (left.timeUnixNano < right.timeUnixNano ? 1 : -1));
    return { points: points.slice(0, limit), more: points.length > limit, partial: false };
  }

  async listMetrics({ scope, query, range, limit }: Search): Promise<readonly MetricSummary[]> {
    const lists = await Promise.all(
      METRIC_TYPES.map(async (type) => {
        const extra = type === 'sum' ? 'any(IsMonotonic) AS IsMonotonic,' : '';
        const temporality =
          type === 'gauge' || type === 'summary' ? '' : 'any(AggregationTemporality) AS AggregationTemporality,';
        const rows = await this.#search(METRICS[type], 'metrics', scope, query, {
          columns: `MetricName, any(MetricDescription) AS MetricDescription, any(MetricUnit) AS MetricUnit, ${extra}
            ${temporality} groupUniqArray($tenant) AS tenants, groupUniqArray(ServiceName) AS services,
            toFloat64(count()) AS points, toFloat64(max(toUnixTimestamp64Nano(TimeUnix))) / 1e6 AS lastMillis`,
          range,
          tail: `GROUP BY MetricName ORDER BY MetricName LIMIT ${limit}`,
        });
        return rows.map((row) => ({
          ...toMetricHeader(row, type),
          tenants: (row['tenants'] as string[]).toSorted(),
          services: (row['services'] as string[]).toSorted(),
          points: Number(row['points']),
          lastMillis: Number(row['lastMillis']),
        }));
      }),
    );
    const metrics = lists.flat().sort((left, right) => (left.name < right.name ? -1 : 1));
    return metrics.slice(0, limit);
  }

  async queryMetric(question: MetricQuestion): Promise<MetricAnswer> {
    const { scope, query, name, range } = question;
    const table = new MetricTable(question);
    let partial = false;
    for (const type of POINT_TYPES) {
      const rows = await this.#search(METRICS[type], 'metrics', scope, query, {
        columns: POINT_SELECTIONS[type],
        range: { startMillis: lookbackStart(question), endMillis: range.endMillis },
        metric: name,
        tail: `ORDER BY TimeUnix DESC LIMIT ${MAX_POINTS}`,
      });
      partial ||= rows.length === MAX_POINTS;
      for (const row of rows) table.add(toPointRecord(row, type));
    }
    return { ...table.answer(), partial };
  }

  async red(question: RedQuestion): Promise<RedAnswer> {
    const { scope, query, range, groupBy, spans, stepMillis, limit } = question;
    const service = groupBy === 'tenant' ? "''" : 'ServiceName';
    const operation = groupBy === 'operation' ? 'SpanName' : "''";
    const entry = "(ParentSpanId = '' OR replace(lower(SpanKind), 'span_kind_', '') IN ('server', 'consumer'))";
    const rows = await this.#search(TRACES, 'traces', scope, query, {
      columns: `$tenant AS tenant, ${service} AS service, ${operation} AS operation,
        intDiv(toUnixTimestamp64Milli(Timestamp), ${Math.trunc(stepMillis)}) AS step, endsWith(lower(StatusCode), 'error') AS failed,
        if(Duration < 1, 0, ceil(log(Duration) / ${LOG_GAMMA})) AS bucket,
        toFloat64(count()) AS weight, toFloat64(max(Duration)) AS nanos`,
      range,
      ...(spans === 'entry' && { where: [entry] }),
      tail: `GROUP BY tenant, service, operation, step, failed, bucket LIMIT ${MAX_RED_ROWS}`,
    });
    const table = new RedTable(stepMillis);
    for (const row of rows) {
      const group = table.group(textAt(row, 'tenant'), textAt(row, 'service'), textAt(row, 'operation'));
      const at = Number(row['step']) * stepMillis;
      table.add(group, at, Number(row['nanos']), Number(row['failed']) === 1, Number(row['weight']));
    }
    return { stepMillis, ...table.answer(limit), partial: rows.length === MAX_RED_ROWS };
  }

  async errors({ scope, query, range, limit }: Search): Promise<ErrorPage> {
    const failed =
      "(endsWith(lower(StatusCode), 'error') OR (endsWith(lower(StatusCode), 'unset') AND has(Events.Name, 'exception')))";
    const rows = await this.#search(TRACES, 'traces', scope, query, {
      ...{ columns: SPAN_SELECTION, range, where: [failed] },
      tail: `ORDER BY Timestamp DESC LIMIT ${MAX_ERRORS}`,
    });
    const table = new ErrorTable();
    for (const row of rows) table.add(toSpanRecord(row));
    return { ...table.answer(limit), partial: rows.length === MAX_ERRORS };
  }

  services(scope: TenantScope, range: TimeRange): Promise<readonly ServiceSummary[]> {
    return readServices(this.#database, scope, range);
  }

  tenants(scope: TenantScope): Promise<readonly TenantSummary[]> {
    return readTenants(this.#database, scope);
  }

  facets(question: FacetQuestion): Promise<FacetAnswer> {
    return readFacets(this.#database, question);
  }

  tail(question: TailQuestion): Promise<TailAnswer> {
    return readTail(this.#database, question);
  }

  async stats(scope: TenantScope): Promise<StoreStats> {
    const tenants = await this.tenants(scope);
    const total = (signal: Signal): number => tenants.reduce((sum, { stored }) => sum + stored[signal], 0);
    const times = tenants.map(({ lastMillis }) => lastMillis);
    return {
      store: 'clickhouse',
      bytes: 0,
      maxBytes: undefined,
      full: false,
      stored: { traces: total('traces'), metrics: total('metrics'), logs: total('logs') },
      evicted: { traces: 0, metrics: 0, logs: 0 },
      rejected: 0,
      oldestMillis: undefined,
      newestMillis: times.length === 0 ? undefined : Math.max(...times),
      notices: this.#database.notices,
    };
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  async #logs(scope: TenantScope, query: Query, range: TimeRange, limit: number): Promise<LogRecord[]> {
    const rows = await this.#search(LOGS, 'logs', scope, query, {
      ...{ columns: logSelection(this.#database.hasColumn(LOGS, 'EventName')), range },
      tail: `ORDER BY Timestamp DESC LIMIT ${limit}`,
    });
    return rows.map(toLogRecord);
  }

  async #search(
    table: string,
    signal: Signal,
    scope: TenantScope,
    query: Query,
    rest: { columns: string; range: TimeRange; where?: readonly string[]; metric?: string; tail: string },
  ): Promise<Row[]> {
    const { metric, where = [], ...options } = rest;
    const statement = this.#database.statement();
    const conditions = compileQuery(query, signal, statement, this.#database.tenantOf(table));
    if (metric !== undefined) conditions.push(`MetricName = ${statement.text(metric)}`);
    const sql = statement.select({ table, scope, ...options, where: [...where, ...conditions] });
    return await this.#database.ask(sql, statement);
  }
}
