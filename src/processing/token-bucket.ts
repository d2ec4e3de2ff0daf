import type { Clock } from '../utils/clock.ts';

/** How long the tokens that can be owed take to come. */
const MAX_DEBT_SECONDS = 60;
const MIN_MAX_DEBT = 100;

/**
 * Lets through so many a second on average, and as many at once after a quiet second. What cannot be turned away takes
 * its tokens in advance: up to a minute's, and at least 100, can be owed.
 */
export class TokenBucket {
  readonly perSecond: number;
  readonly #capacity: number;
  readonly #clock: Clock;
  #tokens: number;
  #filledAt: number;

  constructor(perSecond: number, clock: Clock) {
    this.perSecond = perSecond;
    this.#capacity = Math.max(perSecond, 1);
    this.#clock = clock;
    this.#tokens = this.#capacity;
    this.#filledAt = clock.monotonic();
  }

  /** Takes one; false when there is none left. */
  take(): boolean {
    if (this.#tokens < 1) {
      this.#fill();
      if (this.#tokens < 1) return false;
    }
    this.#tokens -= 1;
    return true;
  }

  /** Takes one, or owes it. */
  charge(): void {
    if (this.#tokens < 1) this.#fill();
    this.#tokens = Math.max(this.#tokens - 1, -Math.max(this.perSecond * MAX_DEBT_SECONDS, MIN_MAX_DEBT));
  }

  #fill(): void {
    const now = this.#clock.monotonic();
    this.#tokens = Math.min(this.#tokens + ((now - this.#filledAt) * this.perSecond) / 1_000, this.#capacity);
    this.#filledAt = now;
  }
}
