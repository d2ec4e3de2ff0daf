import { useEffect, useRef, useState } from 'preact/hooks';
import { type Answer, type ApiError, ask, isConnectionError } from './api.ts';
import { pulse } from './live.ts';

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
}

/** How long after a connection that failed the same is asked again. */
const RETRY_MILLIS = 2_000;

/** A question that is under way. */
interface Asking {
  readonly path: string;
  readonly subject: string;
  readonly abort: AbortController;
  stale: boolean;
}

/**
 * Asks the API, again whenever the path changes, and by its options when it may be answered otherwise. What was shown stays
 * until the new answer is there, so that nothing flickers; a question that is about something else, by its `subject`,
 * starts empty. When the connection fails it asks again until there is an answer.
 */
export function useQuestion<T>(
  path: string | undefined,
  { follow = false, subject = '', beat: given = 0 }: QuestionOptions = {},
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
  const [repeat, setRepeat] = useState(0);
  useEffect(() => {
    if (path === undefined) return;
    // One that takes longer than a beat is not asked again before it has answered; what is about something else by
    // then is asked once more afterwards, because the answer may be from before.
    if (asking.current?.path === path) {
      asking.current.stale ||= asking.current.subject !== subject;
      return;
    }
    asking.current?.abort.abort();
    clearTimeout(retry.current);
    const abort = new AbortController();
    const own: Asking = { path, subject, abort, stale: false };
    asking.current = own;
    setState((old) => ({
      ...old,
      loading: true,
      ...(old.subject !== subject && { value: undefined, error: undefined, subject }),
    }));
    const askAgain = (): void => setRepeat((count) => count + 1);
    const done = (answer: Answer<T>): void => {
      asking.current = undefined;
      if (own.stale) askAgain();
      else if ('error' in answer && isConnectionError(answer.error)) retry.current = setTimeout(askAgain, RETRY_MILLIS);
      setState((old) =>
        'value' in answer
          ? { subject, value: answer.value, error: undefined, loading: false, answered: path }
          : { ...old, error: answer.error, loading: false },
      );
    };
    ask<T>(path, abort.signal).then(done, () => {});
  }, [path, beat, subject, repeat]);
  useEffect(
    () => () => {
      asking.current?.abort.abort();
      clearTimeout(retry.current);
    },
    [],
  );
  return state;
}
