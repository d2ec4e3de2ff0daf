import { SIGNAL_FIELDS } from '../../query/parse-query.ts';
import { severityLevel } from '../../query/parse-severity.ts';
import { FacetTally } from '../facet-tally.ts';
import type { ServiceSummary, TenantSummary } from '../store-figures.ts';
import type { FacetAnswer, FacetQuestion, TimeRange } from '../telemetry-store.ts';
import type { TenantScope } from '../tenant-scope.ts';
import type { Row } from './client.ts';
import type { Database } from './database.ts';
import { textAt } from './decode-rows.ts';
import { LOGS, METRICS, TABLES, TRACES, timeColumn } from './tables.ts';

/** So many of the newest rows are looked at for attributes. */
const SAMPLED_ROWS = 2_000;

interface Census {
  readonly table: string;
  readonly rows: readonly Row[];
}

/** Asks every table the same. */
function takeCensus(
  database: Database,
  scope: TenantScope,
  range: TimeRange | undefined,
  columns: (table: string) => string,
  groupBy: string,
): Promise<Census[]> {
  return Promise.all(
    TABLES.map(async (table) => {
      const statement = database.statement();
      const options = { table, scope, columns: columns(table), tail: `GROUP BY ${groupBy}` };
      const sql = statement.select({ ...options, ...(range !== undefined && { range }) });
      return { table, rows: await database.ask(sql, statement) };
    }),
  );
}

const countsOf = (table: string): string =>
  `count() AS rows, toFloat64(max(toUnixTimestamp64Nano(${timeColumn(table)}))) / 1e6 AS lastMillis`;

export async function readServices(
  database: Database,
  scope: TenantScope,
  range: TimeRange,
): Promise<ServiceSummary[]> {
  const found = new Map<string, { -readonly [K in keyof ServiceSummary]: ServiceSummary[K] }>();
  const columns = (table: string): string => {
    const errors = table === TRACES ? "countIf(endsWith(lower(StatusCode), 'error'))" : '0';
    return `$tenant AS tenant, ServiceName, ${errors} AS errors, ${countsOf(table)}`;
  };
  for (const { table, rows } of await takeCensus(database, scope, range, columns, 'tenant, ServiceName')) {
    for (const row of rows) {
      const [tenant, service] = [textAt(row, 'tenant'), textAt(row, 'ServiceName')];
      const key = `${tenant} ${service}`;
      const summary = found.get(key) ?? { tenant, service, spans: 0, errors: 0, logs: 0, points: 0, lastMillis: 0 };
      found.set(key, summary);
      summary[table === TRACES ? 'spans' : table === LOGS ? 'logs' : 'points'] += Number(row['rows']);
      summary.errors += Number(row['errors']);
      summary.lastMillis = Math.max(summary.lastMillis, Number(row['lastMillis']));
    }
  }
  return [...found.values()].sort((left, right) =>
    `${left.tenant} ${left.service}` < `${right.tenant} ${right.service}` ? -1 : 1,
  );
}

export async function readTenants(database: Database, scope: TenantScope): Promise<TenantSummary[]> {
  const found = new Map<string, { stored: { traces: number; logs: number; metrics: number }; lastMillis: number }>();
  const columns = (table: string): string => `$tenant AS tenant, ${countsOf(table)}`;
  for (const { table, rows } of await takeCensus(database, scope, undefined, columns, 'tenant')) {
    for (const row of rows) {
      const tenant = textAt(row, 'tenant');
      const summary = found.get(tenant) ?? { stored: { traces: 0, logs: 0, metrics: 0 }, lastMillis: 0 };
      found.set(tenant, summary);
      summary.stored[table === TRACES ? 'traces' : table === LOGS ? 'logs' : 'metrics'] += Number(row['rows']);
      summary.lastMillis = Math.max(summary.lastMillis, Number(row['lastMillis']));
    }
  }
  const evicted = { traces: 0, metrics: 0, logs: 0 };
  return [...found].map(([tenant, summary]) => ({ tenant, ...summary, evicted, rejected: 0, bytes: 0 }));
}

export async function readFacets(database: Database, question: FacetQuestion): Promise<FacetAnswer> {
  const { signal, field, prefix, limit } = question;
  const tally = new FacetTally(prefix, limit);
  if (field === undefined) for (const name of SIGNAL_FIELDS[signal]) tally.add(name, 0);
  const tables = signal === 'traces' ? [TRACES] : signal === 'logs' ? [LOGS] : Object.values(METRICS);
  const column = field === undefined ? undefined : columnOf(field, signal);
  for (const table of tables) {
    if (column !== undefined) await tallyColumn(database, question, table, column, tally);
    else await tallySample(database, question, table, tally);
  }
  return { values: tally.top(), sampled: column === undefined };
}

async function tallyColumn(
  database: Database,
  { scope, field, limit }: FacetQuestion,
  table: string,
  column: string,
  tally: FacetTally,
): Promise<void> {
  const statement = database.statement();
  const tail = `GROUP BY value ORDER BY rows DESC LIMIT ${10 * limit}`;
  const sql = statement.select({ table, scope, columns: `${column} AS value, count() AS rows`, tail });
  for (const row of await database.ask(sql, statement)) {
    const value = field === 'severity' ? severityLevel(Number(row['value'])) : textAt(row, 'value');
    tally.add(value, Number(row['rows']));
  }
}

async function tallySample(
  database: Database,
  { scope, field, signal }: FacetQuestion,
  table: string,
  tally: FacetTally,
): Promise<void> {
  const own = signal === 'traces' ? 'SpanAttributes' : signal === 'logs' ? 'LogAttributes' : 'Attributes';
  const statement = database.statement();
  const tail = `ORDER BY ${timeColumn(table)} DESC LIMIT ${SAMPLED_ROWS}`;
  const sql = statement.select({ table, scope, columns: `${own} AS own, ResourceAttributes AS resource`, tail });
  for (const row of await database.ask(sql, statement)) {
    const maps = {
      attr: new Map(Object.entries(row['own'] ?? {})),
      resource: new Map(Object.entries(row['resource'] ?? {})),
    };
    if (field === undefined) {
      for (const [name, map] of Object.entries(maps)) for (const key of map.keys()) tally.add(`${name}.${key}`);
      continue;
    }
    const isResource = field.startsWith('resource.');
    const value: unknown = isResource ? maps.resource.get(field.slice(9)) : maps.attr.get(field.replace(/^attr\./, ''));
    if (typeof value === 'string') tally.add(value);
  }
}

function columnOf(field: string, signal: FacetQuestion['signal']): string | undefined {
  switch (field) {
    case 'tenant':
      return '$tenant';
    case 'service':
      return 'ServiceName';
    case 'name':
      return signal === 'traces' ? 'SpanName' : signal === 'metrics' ? 'MetricName' : undefined;
    case 'status':
      return signal === 'traces' ? "replace(lower(StatusCode), 'status_code_', '')" : undefined;
    case 'kind':
      return signal === 'traces' ? "replace(lower(SpanKind), 'span_kind_', '')" : undefined;
    case 'severity':
      return signal === 'logs' ? 'SeverityNumber' : undefined;
    default:
      return undefined;
  }
}
