import type { TraceSummary } from '../telemetry-store.ts';
import type { TenantScope } from '../tenant-scope.ts';
import type { Row } from './client.ts';
import type { Database } from './database.ts';
import { textAt } from './decode-rows.ts';
import { TRACES } from './tables.ts';

/** What the spans of these traces amount to, in the order of the rows, each with `tenant` and `TraceId`. */
export async function readSummaries(
  database: Database,
  scope: TenantScope,
  rows: readonly Row[],
): Promise<TraceSummary[]> {
  if (rows.length === 0) return [];
  const statement = database.statement();
  const ids = statement.bind([...new Set(rows.map((row) => textAt(row, 'TraceId')))], 'Array(String)');
  const sql = statement.select({
    ...{ table: TRACES, scope, where: [`TraceId IN ${ids}`] },
    columns: `$tenant AS tenant, TraceId, countIf(ParentSpanId = '') AS roots,
      argMinIf(SpanName, Timestamp, ParentSpanId = '') AS rootName, argMin(SpanName, Timestamp) AS firstName,
      argMinIf(ServiceName, Timestamp, ParentSpanId = '') AS rootService, argMin(ServiceName, Timestamp) AS firstService,
      toFloat64(min(toUnixTimestamp64Nano(Timestamp))) / 1e6 AS startMillis,
      toFloat64(max(toUnixTimestamp64Nano(Timestamp) + toInt64(Duration)) - min(toUnixTimestamp64Nano(Timestamp))) AS duration,
      count() AS spans, countIf(endsWith(lower(StatusCode), 'error')) AS errors,
      arraySort(groupUniqArray(ServiceName)) AS services`,
    tail: 'GROUP BY tenant, TraceId',
  });
  const keyOf = (row: Row): string => `${textAt(row, 'TraceId')} ${textAt(row, 'tenant')}`;
  const found = new Map((await database.ask(sql, statement)).map((row) => [keyOf(row), row]));
  return rows.flatMap((row) => {
    const summary = found.get(keyOf(row));
    return summary === undefined ? [] : [toSummary(summary)];
  });
}

function toSummary(row: Row): TraceSummary {
  const rootMissing = Number(row['roots']) === 0;
  return {
    tenant: textAt(row, 'tenant'),
    traceId: textAt(row, 'TraceId'),
    name: textAt(row, rootMissing ? 'firstName' : 'rootName'),
    service: textAt(row, rootMissing ? 'firstService' : 'rootService'),
    rootMissing,
    startMillis: Number(row['startMillis']),
    durationNanos: Number(row['duration']),
    spans: Number(row['spans']),
    errors: Number(row['errors']),
    services: row['services'] as string[],
  };
}
