import { useEffect, useState } from 'preact/hooks';
import type { TracePage, TraceSummary } from '../../store/telemetry-store.ts';
import { type ApiError, apiPath } from './api.ts';
import { gap, interest, onLive, paused } from './live.ts';
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
  const { value, error, loading } = useQuestion<TracePage>(path, { subject: 'traces', beat: gap.value });
  const [merged, setMerged] = useState<readonly TraceSummary[]>();
  const isPaused = paused.value;
  useEffect(() => {
    interest.value = { query, logs: '' };
  }, [query]);
  useEffect(() => setMerged(value?.traces), [value]);
  useEffect(() => {
    if (isPaused || !isRolling()) return undefined;
    return onLive(({ traces }) => {
      if (traces.length > 0) setMerged((known) => mergeTraces(known ?? [], traces, order));
    });
  }, [isPaused, path, order]);
  const page = { more: value?.more ?? false, partial: value?.partial ?? false };
  return { traces: merged, error, loading, ...page };
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
