import type { Signal } from '../../otlp/signal.ts';
import { isErrorSpan, kindOf, statusOf } from '../../otlp/span-flags.ts';
import { valueText } from '../../query/match.ts';
import { SIGNAL_FIELDS } from '../../query/parse-query.ts';
import { severityLevel } from '../../query/parse-severity.ts';
import { FacetTally } from '../facet-tally.ts';
import type { ServiceSummary } from '../store-figures.ts';
import type { FacetAnswer, FacetQuestion, TimeRange } from '../telemetry-store.ts';
import { isStep, type SearchSteps } from './search.ts';
import type { Segment } from './segment.ts';
import { byNewest } from './top-rows.ts';

/** So many of the newest rows are decoded to see which attributes there are. */
const SAMPLED_ROWS = 2_000;
/** Of the same segment; the next ones may be of other tenants. */
const SAMPLED_ROWS_OF_SEGMENT = 500;

const ALWAYS: TimeRange = { startMillis: Number.NEGATIVE_INFINITY, endMillis: Number.POSITIVE_INFINITY };

export function* ringFacets(
  segments: readonly Segment[],
  question: Omit<FacetQuestion, 'scope'>,
): SearchSteps<FacetAnswer> {
  const { signal, field, prefix, limit } = question;
  const tally = new FacetTally(prefix, limit);
  const sorted = byNewest(segments, ALWAYS);
  const column = field === undefined ? undefined : columnOf(field, signal);
  if (column !== undefined) {
    for (const segment of sorted) {
      for (let row = 0; row < segment.count; row += 1) tally.add(column(segment, row));
      yield;
    }
    return { values: tally.top(), sampled: false };
  }
  if (field === undefined) for (const name of SIGNAL_FIELDS[signal]) tally.add(name, 0);
  let left = SAMPLED_ROWS;
  for (const segment of sorted) {
    const rows = Math.min(segment.count, left, SAMPLED_ROWS_OF_SEGMENT);
    for (let row = segment.count - rows; row < segment.count; row += 1) {
      const { attributes, resource } = segment.recordAt(row);
      if (field === undefined) {
        for (const key of Object.keys(attributes)) tally.add(`attr.${key}`);
        for (const key of Object.keys(resource)) tally.add(`resource.${key}`);
        continue;
      }
      const value = field.startsWith('resource.')
        ? resource[field.slice('resource.'.length)]
        : attributes[field.replace(/^attr\./, '')];
      if (value !== undefined) tally.add(valueText(value));
    }
    left -= rows;
    if (left <= 0) break;
    yield;
  }
  return { values: tally.top(), sampled: true };
}

/** The value of a field that the columns hold. */
function columnOf(field: string, signal: Signal): ((segment: Segment, row: number) => string) | undefined {
  switch (field) {
    case 'tenant':
      return ({ tenant }) => tenant;
    case 'service':
      return (segment, row) => segment.serviceOf(row);
    case 'name':
      return (segment, row) => segment.nameOf(row);
    case 'status':
      return signal === 'traces' ? ({ flags }, row) => statusOf(flags[row] as number) : undefined;
    case 'kind':
      return signal === 'traces' ? ({ flags }, row) => kindOf(flags[row] as number) : undefined;
    case 'severity':
      return signal === 'logs' ? ({ flags }, row) => severityLevel(flags[row] as number) : undefined;
    default:
      return undefined;
  }
}

export function* ringServices(segments: readonly Segment[], range: TimeRange): SearchSteps<ServiceSummary[]> {
  const found = new Map<string, { -readonly [K in keyof ServiceSummary]: ServiceSummary[K] }>();
  for (const segment of byNewest(segments, range)) {
    const { tenant, signal, time, flags } = segment;
    const summaries = segment.services.map((service) => {
      const key = `${tenant} ${service}`;
      const summary = found.get(key) ?? { tenant, service, spans: 0, errors: 0, logs: 0, points: 0, lastMillis: 0 };
      found.set(key, summary);
      return summary;
    });
    for (let row = 0, { count } = segment; row < count; row += 1) {
      if (isStep(row)) yield;
      const at = time[row] as number;
      const summary = summaries[segment.groupOf(row).service];
      if (summary === undefined || at < range.startMillis || at >= range.endMillis) continue;
      summary.lastMillis = Math.max(summary.lastMillis, at);
      if (signal === 'logs') summary.logs += 1;
      else if (signal === 'metrics') summary.points += 1;
      else {
        summary.spans += 1;
        if (isErrorSpan(flags[row] as number)) summary.errors += 1;
      }
    }
  }
  return [...found.values()]
    .filter(({ lastMillis }) => lastMillis > 0)
    .sort((left, right) => (`${left.tenant} ${left.service}` < `${right.tenant} ${right.service}` ? -1 : 1));
}
