import { within } from '../lifecycle/deadline.ts';
import type { Clock } from '../utils/clock.ts';
import { IsotraceError } from '../utils/errors.ts';

export interface TenantQuestion {
  readonly clock: Clock;
  /** How long an asynchronous answer may take. */
  readonly timeoutMillis: number;
  /** Told why there is no answer: what was thrown or rejected with, or that it took too long or was none. */
  readonly failed: (error: unknown) => void;
}

/**
 * What the application's `tenant` callback says: at once, or in time. `undefined` when it names nobody, and when it fails.
 * Never throws, and the promise never rejects.
 */
export function askTenant(
  ask: () => unknown,
  question: TenantQuestion,
): string | undefined | Promise<string | undefined> {
  try {
    const answer = ask();
    const isThenable = typeof (answer as { then?: unknown } | null | undefined)?.then === 'function';
    return isThenable ? answered(Promise.resolve(answer), question) : named(answer, question);
  } catch (error) {
    question.failed(error);
    return undefined;
  }
}

/** A timer of its own: the registry's stop with the registry. */
async function answered(promise: Promise<unknown>, question: TenantQuestion): Promise<string | undefined> {
  const { clock, timeoutMillis, failed } = question;
  let answer: unknown;
  const settled = promise.then((value) => {
    answer = value;
  }, failed);
  if (!(await within(clock, timeoutMillis, settled))) {
    failed(new IsotraceError('deadline_exceeded', `no tenant after ${timeoutMillis} ms`));
  }
  return named(answer, question);
}

function named(answer: unknown, { failed }: TenantQuestion): string | undefined {
  if (answer === undefined || answer === null || answer === '') return undefined;
  if (typeof answer === 'string') return answer;
  failed(new TypeError(`tenant must answer a string, not a ${typeof answer}`));
  return undefined;
}
