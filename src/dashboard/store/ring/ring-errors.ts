import { hasException, isErrorSpan } from '../../otlp/span-flags.ts';
import { ErrorTable } from '../error-table.ts';
import type { ErrorPage, Search } from '../telemetry-store.ts';
import { isStep, type SearchSteps } from './search.ts';
import type { Segment } from './segment.ts';
import { bindQuery, createDecodeBudget } from './segment-search.ts';
import { byNewest } from './top-rows.ts';

/** A span takes about 3 µs to decode: this is some 60 ms. */
const MAX_DECODED = 20_000;

/** Failed spans: with the status error, or with an exception and no status. The newest, where there are too many. */
export function* ringErrors(
  segments: readonly Segment[],
  { query, range, limit }: Omit<Search, 'scope'>,
): SearchSteps<ErrorPage> {
  const budget = createDecodeBudget();
  const table = new ErrorTable();
  let decoded = 0;
  for (const segment of byNewest(segments, range)) {
    const matches = bindQuery(query, segment, budget);
    if (matches === undefined) continue;
    for (let row = segment.count - 1; row >= 0; row -= 1) {
      if (isStep(row)) yield;
      const flags = segment.flags[row] as number;
      const at = segment.time[row] as number;
      if (!isErrorSpan(flags) && !(hasException(flags) && (flags & 0b11) === 0)) continue;
      if (at < range.startMillis || at >= range.endMillis || !matches(row)) continue;
      if (decoded >= MAX_DECODED) return { ...table.answer(limit), partial: true };
      decoded += 1;
      table.add(segment.spanAt(row));
    }
  }
  return { ...table.answer(limit), partial: budget.exceeded };
}
