import { performance } from 'node:perf_hooks';

/** A running timer of a {@link Clock}; opaque to its users. */
export interface Timer {
  /** It does not run any more. May be repeated. */
  cancel(): void;
}

/**
 * Where time and randomness come from. Everything that waits, backs off, expires or draws lots takes
 * a clock, so that tests can drive it.
 */
export interface Clock {
  /** Milliseconds since the Unix epoch, with a fraction, derived from the monotonic clock. */
  now(): number;
  /** Milliseconds from an arbitrary start; never goes back. For durations, deadlines and backoff. */
  monotonic(): number;
  /** The point in time, in milliseconds since the epoch, of a `monotonic()` reading taken just now. */
  toEpoch(monotonicMillis: number): number;
  /** A number in `[0, 1)`. Not for ids and not for secrets. */
  random(): number;
  /** Calls `callback` once after `delayMillis`. The timer does not keep the process alive unless `keepAlive` is true. */
  schedule(callback: () => void, delayMillis: number, keepAlive?: boolean): Timer;
}

/** The wall clock is compared with the monotonic one this often. */
const ANCHOR_CHECK_MILLIS = 1_000;
/** `Date.now()` has whole milliseconds and NTP slews in small steps; only a larger difference is a jump. */
const ANCHOR_TOLERANCE_MILLIS = 25;
/** `setTimeout` fires at once for longer delays. */
const MAX_TIMEOUT_MILLIS = 2_147_483_647;

class SystemClock implements Clock {
  #offset = performance.timeOrigin;
  #checkedAt = 0;

  now(): number {
    return this.toEpoch(performance.now());
  }

  toEpoch(elapsed: number): number {
    if (elapsed - this.#checkedAt > ANCHOR_CHECK_MILLIS) {
      this.#checkedAt = elapsed;
      const drift = Date.now() - (this.#offset + elapsed);
      if (drift < -ANCHOR_TOLERANCE_MILLIS || drift > ANCHOR_TOLERANCE_MILLIS) this.#offset += drift;
    }
    return this.#offset + elapsed;
  }

  monotonic(): number {
    return performance.now();
  }

  random(): number {
    return Math.random();
  }

  schedule(callback: () => void, delayMillis: number, keepAlive = false): Timer {
    const handle = setTimeout(callback, Math.min(Math.max(delayMillis, 0), MAX_TIMEOUT_MILLIS));
    if (!keepAlive) handle.unref();
    return { cancel: () => clearTimeout(handle) };
  }
}

export const systemClock: Clock = new SystemClock();
