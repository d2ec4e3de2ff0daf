/** How a call failed. An object of its own, because a thrown value may be `undefined`. */
export interface CallFailure {
  readonly error: unknown;
}

/** What happens around one call of a wrapped function. Neither method throws an error of its own. */
export interface CallScope {
  /**
   * Runs a function inside the context of the call; entered again for each step of a generator and each
   * read of a stream. Calls it exactly once and lets its result or error through.
   */
  run<T>(fn: () => T): T;
  /** Called exactly once, when the call is over: with what was thrown, or with what it came to. */
  end(failure?: CallFailure, value?: unknown): void;
  /** Only calls that want to know have it: told what an open result (a generator, a stream) yields on its way. */
  chunk?(value: unknown): void;
}
