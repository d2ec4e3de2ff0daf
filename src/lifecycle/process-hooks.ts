import type { FlushOptions, FlushReport } from './report.ts';

/** What is done when the process ends. */
export interface ProcessHookOptions {
  /** Signals that shut down before they take their effect. Default: `['SIGTERM']`. */
  readonly signals?: readonly NodeJS.Signals[] | undefined;
  /** How long delivering may hold up the end, in milliseconds. Default: 5,000. */
  readonly timeoutMillis?: number | undefined;
}

/** What is flushed when the process runs out of work, and shut down at a signal. Neither may reject. */
export interface HookedLifecycle {
  flush(options: FlushOptions): Promise<FlushReport>;
  shutdown(options: FlushOptions): Promise<FlushReport>;
}

/** The part of `process` that the hooks need. */
export interface HookedProcess {
  readonly pid: number;
  on(event: string, listener: () => void): unknown;
  off(event: string, listener: () => void): unknown;
  listenerCount(event: string): number;
  kill(pid: number, signal: NodeJS.Signals): unknown;
}

const DEFAULT_TIMEOUT_MILLIS = 5_000;

/**
 * Delivers what waits before the process ends: at `beforeExit`, and at each of the signals, which then take their
 * default action (a `SIGTERM` still ends the process with status 143), unless the host has listeners of its own, which
 * decide as they would have without ours. Answers a function that takes the hooks out again.
 *
 * @throws what Node throws for a signal that cannot be listened to; nothing is installed then
 */
export function installProcessHooks(
  lifecycle: HookedLifecycle,
  options: ProcessHookOptions = {},
  target: HookedProcess = process,
): () => void {
  const { signals = ['SIGTERM'], timeoutMillis = DEFAULT_TIMEOUT_MILLIS } = options;
  const removals: (() => void)[] = [];
  const listen = (event: string, listener: () => void): void => {
    target.on(event, listener);
    removals.push(() => target.off(event, listener));
  };
  const uninstall = (): void => {
    for (const remove of removals.splice(0)) remove();
  };
  listen('beforeExit', function flushOnce() {
    // Waiting keeps the process up, and `beforeExit` comes again afterwards: once is enough.
    target.off('beforeExit', flushOnce);
    void lifecycle.flush({ timeoutMillis });
  });
  try {
    for (const signal of signals) {
      listen(signal, () => {
        void lifecycle.shutdown({ timeoutMillis }).then(() => {
          uninstall();
          if (target.listenerCount(signal) === 0) target.kill(target.pid, signal);
        });
      });
    }
  } catch (error) {
    uninstall();
    throw error;
  }
  return uninstall;
}
