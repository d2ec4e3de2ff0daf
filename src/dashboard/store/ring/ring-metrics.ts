import { lookbackStart, MetricTable } from '../metric-table.ts';
import type { MetricAnswer, MetricQuestion, MetricSummary, PointPage, Search } from '../telemetry-store.ts';
import { isStep, type SearchSteps } from './search.ts';
import type { Segment } from './segment.ts';
import { bindQuery, createDecodeBudget } from './segment-search.ts';
import { byNewest, findTopRows } from './top-rows.ts';

interface OpenSummary {
  readonly summary: MetricSummary;
  readonly tenants: Set<string>;
  readonly services: Set<string>;
  points: number;
  lastMillis: number;
}

export function* listRingMetrics(
  segments: readonly Segment[],
  { query, range, limit }: Omit<Search, 'scope'>,
): SearchSteps<MetricSummary[]> {
  const budget = createDecodeBudget();
  const found = new Map<string, OpenSummary>();
  for (const segment of byNewest(segments, range)) {
    const matches = bindQuery(query, segment, budget);
    if (matches === undefined) continue;
    for (let row = 0, { count } = segment; row < count; row += 1) {
      if (isStep(row)) yield;
      const at = segment.time[row] as number;
      const { metric } = segment.groupOf(row);
      if (metric === undefined || at < range.startMillis || at >= range.endMillis || !matches(row)) continue;
      let open = found.get(metric.name);
      if (open === undefined) {
        const summary = { ...metric, tenants: [], services: [], points: 0, lastMillis: 0 };
        open = { summary, tenants: new Set(), services: new Set(), points: 0, lastMillis: 0 };
        found.set(metric.name, open);
      }
      open.tenants.add(segment.tenant);
      open.services.add(segment.serviceOf(row));
      open.points += 1;
      open.lastMillis = Math.max(open.lastMillis, at);
    }
  }
  return [...found.values()]
    .map(({ summary, tenants, services, points, lastMillis }) => ({
      ...summary,
      tenants: [...tenants].sort(),
      services: [...services].sort(),
      points,
      lastMillis,
    }))
    .sort((left, right) => (left.name < right.name ? -1 : 1))
    .slice(0, limit);
}

export function* getRingPoints(
  segments: readonly Segment[],
  { query, range, limit }: Omit<Search, 'scope'>,
): SearchSteps<PointPage> {
  const budget = createDecodeBudget();
  const { rows, more } = yield* findTopRows({ segments, query, range, limit, budget });
  return { points: rows.map(({ segment, row }) => segment.pointAt(row)), more, partial: budget.exceeded };
}

export function* queryRingMetric(
  segments: readonly Segment[],
  question: Omit<MetricQuestion, 'scope'>,
): SearchSteps<MetricAnswer> {
  const { query, range, name } = question;
  const budget = createDecodeBudget();
  const table = new MetricTable(question);
  const startMillis = lookbackStart(question);
  let partial = false;
  for (const segment of byNewest(segments, { startMillis, endMillis: range.endMillis })) {
    const matches = bindQuery(query, segment, budget);
    if (matches === undefined) continue;
    for (let row = 0, { count } = segment; row < count; row += 1) {
      if (isStep(row)) yield;
      if (segment.groupOf(row).metric?.name !== name) continue;
      const at = segment.time[row] as number;
      if (at < startMillis || at >= range.endMillis || !matches(row)) continue;
      if (budget.left <= 0) {
        partial = true;
        break;
      }
      budget.left -= 1;
      table.add(segment.pointAt(row));
    }
  }
  return { ...table.answer(), partial: partial || budget.exceeded };
}
