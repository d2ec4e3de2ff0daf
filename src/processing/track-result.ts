import type { CallScope } from './call-scope.ts';
import { iteratorKind, trackIterator } from './track-iterator.ts';
import { isNodeStream, trackStream } from './track-stream.ts';
import { isPlainPromise, readThen, type SettleWatcher, type Then, watchThenable } from './track-thenable.ts';
import { isUnlockedWebStream, trackWebStream } from './track-web-stream.ts';
import { WaitingCalls } from './waiting-calls.ts';

/**
 * Runs `fn` exactly once in the scope of a call and ends the scope when its result has been consumed; see
 * {@link trackResult}. Lets the very value through that `fn` throws.
 */
export function runTracked<T>(fn: () => T, scope: CallScope): T {
  let result: T;
  try {
    result = scope.run(fn);
  } catch (error) {
    scope.end({ error });
    throw error;
  }
  return trackResult(result, scope);
}

/**
 * Ends `scope` exactly once, when `result` is over, and returns what the caller must get:
 *
 * - a plain value ends it at once;
 * - a promise or thenable when it settles, before the caller sees that. A thenable that starts its work in
 *   `then` starts it when the caller does, and never ends if the caller does not;
 * - a generator, or an iterator that is its own iterator (sync or async), when it is done, throws or is left
 *   early; each step runs in the scope;
 * - a Node stream or a web `ReadableStream` when it is consumed, closed, failed, cancelled or destroyed.
 *
 * Promises are derived, everything else is the identical object (frozen ones excepted). Never throws: a
 * result that cannot be looked at is a plain value.
 */
export function trackResult<T>(result: T, scope: CallScope): T {
  if ((typeof result !== 'object' && typeof result !== 'function') || result === null) {
    scope.end(undefined, result);
    return result;
  }
  let calls: WaitingCalls | undefined;
  try {
    if (!Array.isArray(result)) {
      const then = readThen(result);
      if (then !== undefined && isPlainPromise(result, then)) {
        return watchThenable(result, then, new CallEnd(scope)) ?? result;
      }
      const waiting = WaitingCalls.of(result);
      if (waiting?.join(scope) === true) return result;
      if (waiting === undefined) {
        calls = new WaitingCalls(scope);
        const tracked = trackOpen(result, then, calls);
        if (tracked !== undefined) return tracked;
      }
    }
  } catch {
    // A hostile object, such as a revoked proxy.
  }
  (calls ?? scope).end(undefined, result);
  return result;
}

function trackOpen<T extends object>(result: T, then: Then | undefined, calls: WaitingCalls): T | undefined {
  const thenable = then === undefined ? undefined : watchThenable(result, then, new CallEnd(calls));
  const kind = then === undefined ? iteratorKind(result) : undefined;
  const iterator = kind === undefined ? undefined : trackIterator(result, kind, calls);
  let tracked = thenable ?? iterator;
  if (iterator === undefined && isNodeStream(result)) {
    // Also beside `then`: an HTTP request may be awaited or piped.
    trackStream(result, calls);
    tracked ??= result;
  } else if (tracked === undefined && isUnlockedWebStream(result)) {
    trackWebStream(result, calls);
    tracked = result;
  }
  if (tracked !== undefined) calls.attach(tracked);
  return tracked;
}

/** Ends a call with the promise that it returned. */
class CallEnd implements SettleWatcher {
  readonly #scope: CallScope;

  constructor(scope: CallScope) {
    this.#scope = scope;
  }

  run<T>(start: () => T): T {
    return this.#scope.run(start);
  }

  fulfilled(value: unknown): void {
    this.#scope.end(undefined, value);
  }

  rejected(error: unknown): void {
    this.#scope.end({ error });
  }
}
