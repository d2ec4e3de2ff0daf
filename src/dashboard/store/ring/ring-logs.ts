import { LogCountTable } from '../log-count-table.ts';
import type { LogCountAnswer, LogCountQuestion, LogPage, Search } from '../telemetry-store.ts';
import { isStep, type SearchSteps } from './search.ts';
import type { Segment } from './segment.ts';
import { bindQuery, createDecodeBudget } from './segment-search.ts';
import { byNewest, findTopRows } from './top-rows.ts';

export function* getRingLogs(
  segments: readonly Segment[],
  { query, range, limit }: Omit<Search, 'scope'>,
): SearchSteps<LogPage> {
  const budget = createDecodeBudget();
  const { rows, more } = yield* findTopRows({ segments, query, range, limit, budget });
  return { logs: rows.map(({ segment, row }) => segment.logAt(row)), more, partial: budget.exceeded };
}

export function* countRingLogs(
  segments: readonly Segment[],
  { query, range, limit, stepMillis }: Omit<LogCountQuestion, 'scope'>,
): SearchSteps<LogCountAnswer> {
  const budget = createDecodeBudget();
  const table = new LogCountTable(stepMillis);
  for (const segment of byNewest(segments, range)) {
    const matches = bindQuery(query, segment, budget);
    if (matches === undefined) continue;
    for (let row = 0, { count } = segment; row < count; row += 1) {
      if (isStep(row)) yield;
      const at = segment.time[row] as number;
      if (at < range.startMillis || at >= range.endMillis || !matches(row)) continue;
      table.add(segment.tenant, Math.floor(at / stepMillis), 1);
    }
  }
  return { ...table.answer(limit), partial: budget.exceeded };
}
