import { isErrorSpan, isRootSpan } from '../../otlp/span-flags.ts';
import type { SpanRecord } from '../../otlp/telemetry-model.ts';
import type { TracePage, TraceSearch, TraceSpans, TraceSummary } from '../telemetry-store.ts';
import type { SearchSteps } from './search.ts';
import type { Segment } from './segment.ts';
import { createDecodeBudget } from './segment-search.ts';
import { findTopRows } from './top-rows.ts';

const NANOS_PER_MILLI = 1e6;

/** The segments with a tenant's spans. */
export type SegmentsOfTenant = (tenant: string) => readonly Segment[];

export function traceKey(segment: Segment, row: number): string {
  return `${segment.traceIdOf(row)} ${segment.tenant}`;
}

export function* listRingTraces(
  segments: readonly Segment[],
  ofTenant: SegmentsOfTenant,
  { query, range, limit, order }: Omit<TraceSearch, 'scope'>,
): SearchSteps<TracePage> {
  const budget = createDecodeBudget();
  const { rows, more } = yield* findTopRows({
    segments,
    query,
    range,
    limit,
    budget,
    keyOf: traceKey,
    ...(order === 'longest' && { rankOf: (segment: Segment, row: number) => segment.value[row] as number }),
  });
  const traces = rows.map(({ segment, row }) => summarize(ofTenant(segment.tenant), segment, row));
  return { traces, more, partial: budget.exceeded };
}

/** The trace of that row, from all its spans that are there. */
export function summarize(segments: readonly Segment[], of: Segment, row: number): TraceSummary {
  const traceId = of.traceIdOf(row);
  const id = Buffer.from(traceId, 'hex');
  const services = new Set<string>();
  let first: { readonly segment: Segment; readonly row: number } = { segment: of, row };
  let root: typeof first | undefined;
  let end = Number.NEGATIVE_INFINITY;
  let spans = 0;
  let errors = 0;
  for (const segment of segments) {
    for (const found of segment.chains.find(segment.buffer, id)) {
      const start = segment.time[found] as number;
      const flags = segment.flags[found] as number;
      spans += 1;
      if (isErrorSpan(flags)) errors += 1;
      services.add(segment.serviceOf(found));
      end = Math.max(end, start + (segment.value[found] as number) / NANOS_PER_MILLI);
      if (start < timeOf(first)) first = { segment, row: found };
      if (isRootSpan(flags) && (root === undefined || start < timeOf(root))) root = { segment, row: found };
    }
  }
  const head = root ?? first;
  const durationNanos =
    spans === 1 ? (of.value[row] as number) : Math.max(Math.round((end - timeOf(first)) * NANOS_PER_MILLI), 0);
  return {
    tenant: of.tenant,
    traceId,
    name: head.segment.nameOf(head.row),
    service: head.segment.serviceOf(head.row),
    rootMissing: root === undefined,
    startMillis: timeOf(first),
    durationNanos,
    spans,
    errors,
    services: [...services].sort(),
  };
}

export function getRingTrace(segments: readonly Segment[], traceId: string, limit: number): TraceSpans {
  const id = Buffer.from(traceId, 'hex');
  const found = segments.flatMap((segment) =>
    segment.chains.find(segment.buffer, id).map((row) => ({ segment, row, time: segment.time[row] as number })),
  );
  found.sort((left, right) => left.time - right.time);
  const spans: SpanRecord[] = found.slice(0, limit).map(({ segment, row }) => segment.spanAt(row));
  return { spans, more: found.length > limit };
}

function timeOf({ segment, row }: { readonly segment: Segment; readonly row: number }): number {
  return segment.time[row] as number;
}
