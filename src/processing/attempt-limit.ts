import type { StopSignal } from '../utils/stop-signal.ts';
import type { Agenda, Job } from './agenda.ts';

/** Why a wait for the user's code ended without its answer. */
export type CutShort = 'timeout' | 'aborted';

export interface AttemptLimit {
  readonly agenda: Agenda;
  /** On the monotonic clock. */
  readonly endsAt: number;
  readonly signal: StopSignal;
}

/** Settles as `work` does, unless the time is over or the signal aborted first. What `work` comes to after that is ignored. */
export function limitAttempt<T>(work: Promise<T>, { agenda, endsAt, signal }: AttemptLimit): Promise<T | CutShort> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      agenda.cancel(timeout);
      signal.removeEventListener('abort', aborted);
    };
    const end = (value: T | CutShort): void => {
      stop();
      resolve(value);
    };
    const timeout: Job = { due: () => end('timeout') };
    const aborted = (): void => end('aborted');
    work.then(end, (error: unknown) => {
      stop();
      reject(error);
    });
    if (signal.aborted) {
      resolve('aborted');
      return;
    }
    signal.addEventListener('abort', aborted, { once: true });
    agenda.schedule(timeout, endsAt);
  });
}
