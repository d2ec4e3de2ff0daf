import { isErrorSpan } from '../../otlp/span-flags.ts';
import type { LogRecord } from '../../otlp/telemetry-model.ts';
import type { Query } from '../../query/query.ts';
import type { TenantArrivals } from '../store-figures.ts';
import type { TailAnswer, TailQuestion } from '../telemetry-store.ts';
import { isInScope } from '../tenant-scope.ts';
import type { Arrival, ArrivalLog } from './arrival-log.ts';
import { type SegmentsOfTenant, summarize, traceKey } from './ring-traces.ts';
import { bindQuery, createDecodeBudget, type DecodeBudget } from './segment-search.ts';

/** So that a burst cannot hold up the process; rows beyond it are skipped. */
const MAX_DECODED = 5_000;

/** What came in since `sequence`. Arrivals of other tenants are not looked at. */
export function ringTail(
  log: ArrivalLog,
  sequence: number,
  ofTenant: SegmentsOfTenant,
  question: TailQuestion,
): Omit<TailAnswer, 'cursor'> {
  const { scope, limit, logQuery, traceQuery } = question;
  const { arrivals, forgotten } = log.since(sequence);
  const visible = arrivals.filter(({ segment }) => isInScope(scope, segment.tenant));
  const budget = createDecodeBudget(MAX_DECODED);
  const traces = matchingTraces(visible, traceQuery, budget);
  const logs = matchingLogs(visible, logQuery, limit, budget);
  return {
    arrived: countByTenant(visible),
    traces: traces.slice(0, limit).map(({ segment, row }) => summarize(ofTenant(segment.tenant), segment, row)),
    logs: logs.newest,
    skipped: Math.max(traces.length - limit, 0) + logs.skipped + forgotten,
  };
}

interface ArrivedRow {
  readonly segment: Arrival['segment'];
  readonly row: number;
}

/** One row of each trace, the newest first. */
function matchingTraces(arrivals: readonly Arrival[], query: Query, budget: DecodeBudget): ArrivedRow[] {
  const found = new Map<string, ArrivedRow>();
  for (const { segment, row } of matchingRows(arrivals, 'traces', query, budget)) {
    const key = traceKey(segment, row);
    if (!found.has(key)) found.set(key, { segment, row });
  }
  return [...found.values()];
}

function matchingLogs(
  arrivals: readonly Arrival[],
  query: Query,
  limit: number,
  budget: DecodeBudget,
): { newest: LogRecord[]; skipped: number } {
  const newest: LogRecord[] = [];
  let skipped = 0;
  for (const { segment, row } of matchingRows(arrivals, 'logs', query, budget)) {
    if (newest.length < limit) newest.push(segment.logAt(row));
    else skipped += 1;
  }
  return { newest, skipped };
}

/** Newest arrivals first. */
function* matchingRows(
  arrivals: readonly Arrival[],
  signal: Arrival['segment']['signal'],
  query: Query,
  budget: DecodeBudget,
): Generator<ArrivedRow> {
  for (const { segment, fromRow, toRow } of arrivals.toReversed()) {
    if (segment.signal !== signal || segment.evicted) continue;
    const matches = bindQuery(query, segment, budget, fromRow);
    if (matches === undefined) continue;
    for (let row = toRow - 1; row >= fromRow; row -= 1) if (matches(row)) yield { segment, row };
  }
}

function countByTenant(arrivals: readonly Arrival[]): TenantArrivals[] {
  const counts = new Map<string, { -readonly [K in keyof TenantArrivals]: TenantArrivals[K] }>();
  for (const { segment, fromRow, toRow } of arrivals) {
    const { tenant, signal, flags } = segment;
    const count = counts.get(tenant) ?? { tenant, traces: 0, logs: 0, metrics: 0, errors: 0 };
    counts.set(tenant, count);
    count[signal] += toRow - fromRow;
    if (signal !== 'traces') continue;
    for (let row = fromRow; row < toRow; row += 1) if (isErrorSpan(flags[row] as number)) count.errors += 1;
  }
  return [...counts.values()];
}
