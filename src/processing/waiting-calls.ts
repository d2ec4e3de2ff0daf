import type { CallFailure, CallScope } from './call-scope.ts';
import { interceptProperty } from './intercept-property.ts';

const waitingKey = Symbol('isotrace.waitingCalls');

/** A long-lived object that is returned again and again must not collect calls without limit. */
const MAX_WAITING_CALLS = 64;

/**
 * The calls that returned one and the same open object (a stream, an iterator, a lazy thenable) and end with
 * it. Sharing keeps the object intercepted once, however many wrapped functions hand it on.
 */
export class WaitingCalls implements CallScope {
  readonly #calls: CallScope[];
  readonly #cleanups: (() => void)[] = [];
  #over = false;

  constructor(first: CallScope) {
    this.#calls = [first];
  }

  /** The calls that wait for `result` already, if any. */
  static of(result: object): WaitingCalls | undefined {
    if (!Object.hasOwn(result, waitingKey)) return undefined;
    const found = (result as { [waitingKey]?: unknown })[waitingKey];
    return typeof found === 'object' && found !== null && #over in found && !found.#over ? found : undefined;
  }

  get isOver(): boolean {
    return this.#over;
  }

  /** Makes these calls known as the ones that wait for `result`. */
  attach(result: object): void {
    this.onEnd(interceptProperty(result, waitingKey, this));
  }

  /** Whether one of the calls wants to know what the object yields. */
  get wantsChunks(): boolean {
    return this.#calls.some(({ chunk }) => chunk !== undefined);
  }

  chunk(value: unknown): void {
    if (this.#over) return;
    for (const call of this.#calls) call.chunk?.(value);
  }

  /** Adds a call. `false` if there are too many, and the call is best ended at once. */
  join(call: CallScope): boolean {
    if (this.#calls.length >= MAX_WAITING_CALLS) return false;
    this.#calls.push(call);
    return true;
  }

  /** Undoes an interception when the calls are over. */
  onEnd(cleanup: (() => void) | undefined): void {
    if (cleanup === undefined) return;
    if (this.#over) cleanup();
    else this.#cleanups.push(cleanup);
  }

  /** The call that returned the object first is the innermost. After the end, runs `fn` plainly. */
  run<T>(fn: () => T): T {
    if (this.#over) return fn();
    let step = fn;
    for (const call of this.#calls) {
      const inner = step;
      step = () => call.run(inner);
    }
    return step();
  }

  /** Ends each call once; later ends do nothing. */
  end(failure?: CallFailure, value?: unknown): void {
    if (this.#over) return;
    this.#over = true;
    for (const cleanup of this.#cleanups) {
      try {
        cleanup();
      } catch {
        // It may run methods that the host has overridden.
      }
    }
    for (const call of this.#calls) call.end(failure, value);
  }
}
