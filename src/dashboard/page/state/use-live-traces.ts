import { useEffect, useState } from 'preact/hooks';
import type { TracePage, TraceSummary } from '../../store/telemetry-store.ts';
import { type ApiError, apiPath } from './api.ts';
import { gap, interest, NO_MATCH, onLive } from './live.ts';
import { isRolling, scopeValues } from './scope.ts';
import { useQuestion } from './use-question.ts';

export interface LiveTraces {
  readonly traces: readonly TraceSummary[] | undefined;
  readonly error: ApiError | undefined;
  readonly loading: boolean;
  readonly more: boolean;
  readonly partial: boolean;
}

export type TraceOrder = 'newest' | 'longest';

const ASKED = 200;
/** Older ones leave the list; a search finds them. */
const MOST = 1_000;

/** The traces of a search, and those that come in while it is shown. */
export function useLiveTraces(query: string, order: TraceOrder): LiveTraces {
  const path = apiPath('traces', { ...scopeValues(), query, order, limit: ASKED });
  const { value, error, loading, answered } = useQuestion<TracePage>(path, { subject: 'traces', beat: gap.value });
  const [merged, setMerged] = useState<{ readonly path: string; readonly traces: readonly TraceSummary[] }>();
  useEffect(() => {
    interest.value = { query, logs: NO_MATCH };
  }, [query]);
  const add = (fresh: readonly TraceSummary[]): void =>
    setMerged((known) => ({ path, traces: mergeTraces(known?.path === path ? known.traces : [], fresh, order) }));
  useEffect(() => {
    // What came in since it was asked for is newer than the answer, and stays.
    if (value !== undefined && answered === path) add(value.traces);
  }, [value, answered]);
  useEffect(() => {
    if (!isRolling()) return undefined;
    return onLive(({ traces }) => {
      if (traces.length > 0) add(traces);
    });
  }, [path, order]);
  const page = { more: value?.more ?? false, partial: value?.partial ?? false };
  return { traces: merged?.traces, error, loading, ...page };
}

export function mergeTraces(
  known: readonly TraceSummary[],
  fresh: readonly TraceSummary[],
  order: TraceOrder,
): readonly TraceSummary[] {
  const byKey = new Map(known.map((trace) => [traceKey(trace), trace]));
  for (const trace of fresh) byKey.set(traceKey(trace), trace);
  const rank =
    order === 'newest'
      ? ({ startMillis }: TraceSummary) => startMillis
      : ({ durationNanos }: TraceSummary) => durationNanos;
  return [...byKey.values()].sort((left, right) => rank(right) - rank(left)).slice(0, MOST);
}

export function traceKey({ tenant, traceId }: TraceSummary): string {
  return `${traceId} ${tenant}`;
}
