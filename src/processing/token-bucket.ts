import type { Clock } from '../utils/clock.ts';

/** Lets through so many a second on average, and as many at once after a quiet second. */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #capacity: number;
  readonly #clock: Clock;
  #tokens: number;
  #filledAt: number;

  constructor(perSecond: number, clock: Clock) {
    this.#perSecond = perSecond;
    this.#capacity = Math.max(perSecond, 1);
    this.#clock = clock;
    this.#tokens = this.#capacity;
    this.#filledAt = clock.monotonic();
  }

  /** Takes one; false when there is none left. */
  take(): boolean {
    if (this.#tokens < 1) {
      const now = this.#clock.monotonic();
      this.#tokens = Math.min(this.#tokens + ((now - this.#filledAt) * this.#perSecond) / 1_000, this.#capacity);
      this.#filledAt = now;
      if (this.#tokens < 1) return false;
    }
    this.#tokens -= 1;
    return true;
  }
}
