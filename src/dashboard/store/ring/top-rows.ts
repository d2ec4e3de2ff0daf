import type { Query } from '../../query/query.ts';
import type { TimeRange } from '../telemetry-store.ts';
import { isStep, type SearchSteps } from './search.ts';
import type { Segment } from './segment.ts';
import { bindQuery, type DecodeBudget } from './segment-search.ts';

export interface FoundRow {
  readonly segment: Segment;
  readonly row: number;
  readonly rank: number;
}

export interface TopRowsQuestion {
  readonly segments: readonly Segment[];
  readonly query: Query;
  readonly range: TimeRange;
  readonly limit: number;
  /** Rows with the highest rank are found; by default their time. */
  readonly rankOf?: (segment: Segment, row: number) => number;
  /** Of rows with the same key only the one with the highest rank is found. */
  readonly keyOf?: (segment: Segment, row: number) => string;
  readonly budget: DecodeBudget;
}

/** How many rows are gathered, in terms of the limit, before the lowest are thrown away. */
const SLACK = 2;

/** The rows that match, the highest rank first. `more` tells whether there are others, or others with other keys. */
export function* findTopRows(question: TopRowsQuestion): SearchSteps<{ rows: FoundRow[]; more: boolean }> {
  const { query, range, rankOf, keyOf, budget } = question;
  const limit = question.limit + 1;
  const found = new Map<string, FoundRow>();
  let threshold = Number.NEGATIVE_INFINITY;
  const shrink = (): FoundRow[] => {
    const best = [...found.values()].sort((left, right) => right.rank - left.rank);
    for (const { segment, row } of best.splice(limit)) {
      found.delete(keyOf?.(segment, row) ?? `${segment.id}/${row}`);
    }
    if (best.length === limit) threshold = best.at(-1)?.rank ?? threshold;
    return best;
  };
  for (const segment of byNewest(question.segments, range)) {
    // All of its rows are older than those that are found already.
    if (rankOf === undefined && segment.maxTime < threshold) continue;
    const matches = bindQuery(query, segment, budget);
    if (matches === undefined) continue;
    const { time } = segment;
    for (let row = segment.count - 1; row >= 0; row -= 1) {
      if (isStep(row)) yield;
      const at = time[row] as number;
      if (at < range.startMillis || at >= range.endMillis) continue;
      const rank = rankOf === undefined ? at : rankOf(segment, row);
      if (rank < threshold || !matches(row)) continue;
      const key = keyOf?.(segment, row) ?? `${segment.id}/${row}`;
      const known = found.get(key);
      if (known !== undefined && known.rank >= rank) continue;
      found.set(key, { segment, row, rank });
      if (found.size > SLACK * limit + 8) shrink();
    }
  }
  const rows = shrink().filter(({ segment }) => !segment.evicted);
  return { rows: rows.slice(0, question.limit), more: rows.length > question.limit };
}

/** The segments that reach into the range, those with the newest rows first. */
export function byNewest(segments: readonly Segment[], range: TimeRange): Segment[] {
  return segments
    .filter(({ minTime, maxTime, count }) => count > 0 && maxTime >= range.startMillis && minTime < range.endMillis)
    .sort((left, right) => right.maxTime - left.maxTime);
}
