import type { LedgerSnapshot } from 'isotrace';
import type { TenantResult } from './verdict.ts';

const HEAD = ['tenant', 'requests', 'created', 'exported', 'received', 'foreign', 'dropped'];
/** Of the columns with text; the others hold numbers. */
const LEFT_ALIGNED = new Set([0, 6]);

/** A row for each tenant and one for all together. */
export function formatTable(results: readonly TenantResult[], total: LedgerSnapshot): string {
  const rows = results.map(({ id, orders, stats, received }) => formatCells(id, orders, stats.traces, received));
  const sum = (pick: (result: TenantResult) => number) => results.reduce((all, result) => all + pick(result), 0);
  const totals = formatCells(
    'all',
    sum(({ orders }) => orders),
    total,
    {
      spans: sum(({ received }) => received.spans),
      foreign: sum(({ received }) => received.foreign),
    },
  );
  const widths = HEAD.map((_, column) => Math.max(...[HEAD, ...rows, totals].map((row) => row[column]?.length ?? 0)));
  const format = (row: readonly string[]) =>
    row
      .map((cell, column) => pad(cell, column, widths))
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '─'.repeat(width)).join('──');
  return [format(HEAD), rule, ...rows.map(format), rule, format(totals)].join('\n');
}

export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

function formatCells(
  name: string,
  orders: number,
  traces: LedgerSnapshot,
  received: { spans: number; foreign: number },
) {
  const { created, exported } = traces;
  const counts = [orders, created, exported, received.spans, received.foreign];
  return [name, ...counts.map(formatCount), formatDropped(traces)];
}

function formatDropped({ dropped }: LedgerSnapshot): string {
  const parts = Object.entries(dropped).map(([reason, count]) => `${reason} ${formatCount(count)}`);
  return parts.length === 0 ? '0' : parts.join(', ');
}

function pad(cell: string, column: number, widths: readonly number[]): string {
  const width = widths[column] ?? 0;
  return LEFT_ALIGNED.has(column) ? cell.padEnd(width) : cell.padStart(width);
}
