import type { Clock } from '../utils/clock.ts';

/**
 * Resolves with true when `work` settles, with false when the time is over first. Leaves no timer; never rejects.
 * With `keepAlive` the process stays up while it waits: for what host code awaits, such as a flush before the end.
 */
export function within(
  clock: Clock,
  timeoutMillis: number,
  work: Promise<unknown>,
  keepAlive = false,
): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = clock.schedule(() => resolve(false), timeoutMillis, keepAlive);
    const settled = (): void => {
      timer.cancel();
      resolve(true);
    };
    work.then(settled, settled);
  });
}
