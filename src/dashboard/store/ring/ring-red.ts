import { isEntrySpan, isErrorSpan } from '../../otlp/span-flags.ts';
import { RedTable } from '../red-table.ts';
import type { RedAnswer, RedQuestion } from '../telemetry-store.ts';
import { isStep, type SearchSteps } from './search.ts';
import type { Segment } from './segment.ts';
import { bindQuery, createDecodeBudget } from './segment-search.ts';
import { byNewest } from './top-rows.ts';

export function* ringRed(segments: readonly Segment[], question: Omit<RedQuestion, 'scope'>): SearchSteps<RedAnswer> {
  const { query, range, groupBy, spans, stepMillis, limit } = question;
  const budget = createDecodeBudget();
  const table = new RedTable(stepMillis);
  for (const segment of byNewest(segments, range)) {
    const matches = bindQuery(query, segment, budget);
    if (matches === undefined) continue;
    const { tenant, flags, time, value, name } = segment;
    // One look-up by number for each row, of the group of its service and name.
    const groups: (ReturnType<RedTable['group']> | undefined)[] = [];
    const names = segment.names.size;
    for (let row = 0, { count } = segment; row < count; row += 1) {
      if (isStep(row)) yield;
      const at = time[row] as number;
      if (at < range.startMillis || at >= range.endMillis) continue;
      const flag = flags[row] as number;
      if ((spans === 'entry' && !isEntrySpan(flag)) || !matches(row)) continue;
      const service = groupBy === 'tenant' ? 0 : segment.groupOf(row).service;
      const index = groupBy === 'operation' ? service * names + (name[row] as number) : service;
      groups[index] ??= table.group(
        tenant,
        groupBy === 'tenant' ? '' : segment.serviceOf(row),
        groupBy === 'operation' ? segment.nameOf(row) : '',
      );
      table.add(groups[index], at, value[row] as number, isErrorSpan(flag));
    }
  }
  return { stepMillis, ...table.answer(limit), partial: budget.exceeded };
}
