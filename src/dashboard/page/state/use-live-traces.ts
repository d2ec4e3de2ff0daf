import { useEffect, useState } from 'preact/hooks';
import type { TracePage, TraceSummary } from '../../store/telemetry-store.ts';
import { FollowedTraces, type TraceOrder } from '../model/followed-traces.ts';
import { type ApiError, apiPath } from './api.ts';
import { gap, interest, NO_MATCH, onLive } from './live.ts';
import { isRolling, scopeValues } from './scope.ts';
import { useQuestion } from './use-question.ts';

export interface LiveTraces {
  readonly traces: readonly TraceSummary[] | undefined;
  readonly error: ApiError | undefined;
  readonly more: boolean;
  readonly partial: boolean;
}

const ASKED = 200;
/** Older ones leave the list; a search finds them. */
const MOST = 1_000;

/** The traces of a search, and those that come in while it is shown. */
export function useLiveTraces(query: string, order: TraceOrder): LiveTraces {
  const path = apiPath('traces', { ...scopeValues(), query, order, limit: ASKED });
  const [followed] = useState(() => new FollowedTraces(MOST));
  const { value, error, answered } = useQuestion<TracePage>(path, {
    ...{ subject: 'traces', missed: gap.value },
    onAsk: (asked) => followed.ask(asked),
  });
  const [traces, setTraces] = useState<readonly TraceSummary[]>();
  useEffect(() => {
    interest.value = { query, logs: NO_MATCH };
  }, [query]);
  useEffect(() => {
    if (value !== undefined && answered === path) setTraces(followed.answer(value, order));
  }, [value, answered]);
  useEffect(() => {
    if (!isRolling()) return undefined;
    return onLive((update) => {
      if (update.traces.length > 0) setTraces(followed.tell(update.traces, order));
    });
  }, [path, order]);
  return { traces, error, more: value?.more ?? false, partial: value?.partial ?? false };
}
