import { useEffect, useRef, useState } from 'preact/hooks';
import { type Answer, type ApiError, ask } from './api.ts';
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

/**
 * Asks the API, again whenever the path changes, and by its options when it may be answered otherwise. What was shown stays
 * until the new answer is there, so that nothing flickers; a question that is about something else, by its `subject`,
 * starts empty.
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
  const asking = useRef<{ readonly path: string; readonly abort: AbortController } | undefined>(undefined);
  useEffect(() => {
    if (path === undefined) return;
    // One that takes longer than a beat is not asked again before it has answered.
    if (asking.current?.path === path) return;
    asking.current?.abort.abort();
    const abort = new AbortController();
    asking.current = { path, abort };
    setState((old) => ({
      ...old,
      loading: true,
      ...(old.subject !== subject && { value: undefined, error: undefined, subject }),
    }));
    const done = (answer: Answer<T>): void => {
      asking.current = undefined;
      setState((old) =>
        'value' in answer
          ? { subject, value: answer.value, error: undefined, loading: false, answered: path }
          : { ...old, error: answer.error, loading: false },
      );
    };
    ask<T>(path, abort.signal).then(done, () => {});
  }, [path, beat, subject]);
  useEffect(() => () => asking.current?.abort.abort(), []);
  return state;
}
