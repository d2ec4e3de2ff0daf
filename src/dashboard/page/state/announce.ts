import { signal } from '@preact/signals';

/** Shown for a moment, and read out by screen readers. */
export const notice = signal('');

const SHOWN_MILLIS = 4_000;
const timers = new Set<ReturnType<typeof setTimeout>>();

export function announce(text: string): void {
  for (const timer of timers) clearTimeout(timer);
  timers.clear();
  notice.value = text;
  timers.add(
    setTimeout(() => {
      notice.value = '';
    }, SHOWN_MILLIS),
  );
}
