import { useEffect, useRef } from 'preact/hooks';
import { bindKeys, type KeyBinding } from './keys.ts';

/** The keys of a view while it is shown; what they do is always the newest. */
export function useKeys(title: string, bindings: readonly KeyBinding[]): void {
  const newest = useRef(bindings);
  newest.current = bindings;
  useEffect(
    () =>
      bindKeys(
        title,
        bindings.map(({ keys, words }, at) => ({ keys, words, run: () => newest.current[at]?.run() })),
      ),
    [],
  );
}
