import { useEffect, useRef, useState } from 'preact/hooks';
import { type Answer, type ApiError, ask, isPassing, RETRY_MILLIS } from './api.ts';
import { paused, pulse } from './live.ts';

export interface Question<T> {
  /** Of the last answer, also while the next one is on its way. */
  readonly value: T | undefined;
  readonly error: ApiError | undefined;
  readonly loading: boolean;
  /** What the value answers. */
  readonly answered: string | undefined;
}

interface QuestionOptions {
  /** Ask again when something has come in. */
  readonly follow?: boolean;
  /** Ask again when it changes. */
  readonly beat?: number;
  readonly subject?: string;
  /** Ask again when it changes, and at once after an answer that was on its way then: what it has may be from before. */
  readonly missed?: number;
  /** Told each time that it is asked, of what. */
  readonly onAsk?: (path: string) => void;
}

/** How long after an answer that took longer than a beat. */
const BREATH_MILLIS = 1_000;

/** A question that is under way. */
interface Asking {
  readonly path: string;
  readonly subject: string;
  readonly missed: number;
  readonly abort: AbortController;
  /** How long after its answer it is asked once more. */
  againMillis: number | undefined;
}

/**
 * Asks the API, again whenever the path changes, and by its options when it may be answered otherwise. What was shown stays
 * until the new answer is there, so that nothing flickers; a question that is about something else, by its `subject`,
 * starts empty. When the connection or the dashboard fails it asks again until there is an answer; while it is paused only
 * when there is none yet.
 */
export function useQuestion<T>(
  path: string | undefined,
  { follow = false, subject = '', beat: given = 0, missed = 0, onAsk }: QuestionOptions = {},
): Question<T> {
  const [state, setState] = useState<Question<T> & { readonly subject: string }>({
    value: undefined,
    error: undefined,
    loading: true,
    answered: undefined,
    subject,
  });
  const beat = follow ? pulse.value : given;
  const asking = useRef<Asking | undefined>(undefined);
  const retry = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const shown = useRef<string | undefined>(undefined);
  const [repeat, setRepeat] = useState(0);
  useEffect(() => {
    if (path === undefined) return;
    // One that takes longer than a beat is not asked again before it has answered, but then once more: the answer may be
    // from before, and the last beat would be lost.
    const before = asking.current;
    if (before?.path === path) {
      const isStale = before.subject !== subject || before.missed !== missed;
      before.againMillis = isStale || before.againMillis === 0 ? 0 : BREATH_MILLIS;
      return;
    }
    before?.abort.abort();
    clearTimeout(retry.current);
    const abort = new AbortController();
    const own: Asking = { path, subject, missed, abort, againMillis: undefined };
    asking.current = own;
    onAsk?.(path);
    setState((old) => ({
      ...old,
      loading: true,
      ...(old.subject !== subject && { value: undefined, error: undefined, subject }),
    }));
    const askIn = (millis: number): void => {
      retry.current = setTimeout(() => {
        if (millis > 0 && paused.peek() && shown.current === path) askIn(millis);
        else setRepeat((count) => count + 1);
      }, millis);
    };
    const done = (answer: Answer<T>): void => {
      asking.current = undefined;
      if ('value' in answer) shown.current = path;
      const againMillis = 'error' in answer && isPassing(answer.error) ? RETRY_MILLIS : own.againMillis;
      if (againMillis !== undefined) askIn(againMillis);
      setState((old) =>
        'value' in answer
          ? { subject, value: answer.value, error: undefined, loading: false, answered: path }
          : { ...old, error: answer.error, loading: false },
      );
    };
    ask<T>(path, abort.signal).then(done, () => {});
  }, [path, beat, subject, missed, repeat]);
  useEffect(
    () => () => {
      asking.current?.abort.abort();
      clearTimeout(retry.current);
    },
    [],
  );
  return state;
}
