import type { LogPage, Search } from '../telemetry-store.ts';
import type { Segment } from './segment.ts';
import { createDecodeBudget } from './segment-search.ts';
import { findTopRows } from './top-rows.ts';

export function getRingLogs(segments: readonly Segment[], { query, range, limit }: Omit<Search, 'scope'>): LogPage {
  const budget = createDecodeBudget();
  const { rows, more } = findTopRows({ segments, query, range, limit, budget });
  return { logs: rows.map(({ segment, row }) => segment.logAt(row)), more, partial: budget.exceeded };
}
