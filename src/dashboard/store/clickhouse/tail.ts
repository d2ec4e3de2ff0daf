import type { TenantArrivals } from '../store-figures.ts';
import type { TailAnswer, TailQuestion } from '../telemetry-store.ts';
import { compileQuery } from './compile-query.ts';
import type { Database } from './database.ts';
import { logSelection, textAt, toLogRecord } from './decode-rows.ts';
import { LOGS, TABLES, TRACES, timeColumn } from './tables.ts';
import { readSummaries } from './trace-summaries.ts';

/**
 * What arrived after the cursor, a time: of arrival where the tables have it, else of the rows themselves, so that what
 * comes late to a stock database is not told.
 */
export async function readTail(database: Database, question: TailQuestion): Promise<TailAnswer> {
  const { scope, limit, traceQuery, logQuery } = question;
  const arrivalOf = (table: string): string =>
    database.hasColumn(table, 'ArrivedAt') ? 'ArrivedAt' : timeColumn(table);
  const after = /^\d{1,19}$/.test(question.cursor ?? '') ? String(question.cursor) : '0';
  const counts = new Map<string, { -readonly [K in keyof TenantArrivals]: TenantArrivals[K] }>();
  let cursor = BigInt(after);
  for (const table of TABLES) {
    const signal = table === TRACES ? 'traces' : table === LOGS ? 'logs' : 'metrics';
    const statement = database.statement();
    const errors = table === TRACES ? "countIf(endsWith(lower(StatusCode), 'error'))" : '0';
    const where = [`${arrivalOf(table)} > fromUnixTimestamp64Nano(${statement.bind(after, 'Int64')})`];
    const sql = statement.select({
      ...{ table, scope, where, tail: 'GROUP BY tenant' },
      columns: `$tenant AS tenant, toString(max(toUnixTimestamp64Nano(${arrivalOf(table)}))) AS last, count() AS rows,
        ${errors} AS errors`,
    });
    for (const row of await database.ask(sql, statement)) {
      const tenant = textAt(row, 'tenant');
      const count = counts.get(tenant) ?? { tenant, traces: 0, logs: 0, metrics: 0, errors: 0 };
      counts.set(tenant, count);
      count[signal] += Number(row['rows']);
      count.errors += Number(row['errors']);
      const last = BigInt(textAt(row, 'last'));
      if (last > cursor) cursor = last;
    }
  }
  const answer = { cursor: String(cursor), traces: [], logs: [], skipped: 0 };
  if (question.cursor === undefined) return { ...answer, arrived: [] };
  const arrived = [...counts.values()];
  if (arrived.length === 0) return { ...answer, arrived };

  /** Rows that came after the cursor and not after those that were counted. */
  const between = (table: string, statement: ReturnType<Database['statement']>): string[] => {
    const [from, to] = [after, String(cursor)].map(
      (nanos) => `fromUnixTimestamp64Nano(${statement.bind(nanos, 'Int64')})`,
    );
    return [`${arrivalOf(table)} > ${from}`, `${arrivalOf(table)} <= ${to}`];
  };
  const ofTraces = database.statement();
  const traceRows = await database.ask(
    ofTraces.select({
      ...{ table: TRACES, scope, columns: '$tenant AS tenant, TraceId, max(Timestamp) AS newest' },
      where: [...between(TRACES, ofTraces), ...compileQuery(traceQuery, 'traces', ofTraces, database.tenantOf(TRACES))],
      tail: 'GROUP BY tenant, TraceId ORDER BY newest DESC LIMIT 10000',
    }),
    ofTraces,
  );
  const ofLogs = database.statement();
  const logRows = await database.ask(
    ofLogs.select({
      ...{ table: LOGS, scope, columns: logSelection(database.hasColumn(LOGS, 'EventName')) },
      where: [...between(LOGS, ofLogs), ...compileQuery(logQuery, 'logs', ofLogs, database.tenantOf(LOGS))],
      tail: `ORDER BY Timestamp DESC LIMIT ${limit}`,
    }),
    ofLogs,
  );
  const traces = await readSummaries(database, scope, traceRows.slice(0, limit));
  return { ...answer, arrived, traces, logs: logRows.map(toLogRecord), skipped: Math.max(traceRows.length - limit, 0) };
}
