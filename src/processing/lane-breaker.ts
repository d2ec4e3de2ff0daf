import type { Breaker, Trouble } from './breaker.ts';

/** What was known when an attempt started. */
export interface BreakerRound {
  readonly reach: number;
  readonly own: number;
}

/**
 * Decides when a lane may try its destination again. Whether that can be reached, and how busy it is, all lanes of the
 * destination know together; that it refuses one signal (its credentials are not good for logs, say) keeps none of the
 * others from it.
 */
export class LaneBreaker {
  readonly #reach: Breaker;
  /** Few destinations ever refuse anything. */
  #own: Breaker | undefined;

  constructor(reach: Breaker) {
    this.#reach = reach;
  }

  get round(): BreakerRound {
    return { reach: this.#reach.round, own: this.#own?.round ?? 0 };
  }

  get failures(): number {
    return this.#reach.failures + (this.#own?.failures ?? 0);
  }

  get trouble(): Trouble | undefined {
    return this.#reach.trouble ?? this.#own?.trouble;
  }

  get lastError(): string | undefined {
    return (this.#isRefused ? this.#own?.lastError : undefined) ?? this.#reach.lastError ?? this.#own?.lastError;
  }

  get blockedUntil(): number {
    return Math.max(this.#reach.blockedUntil, this.#own?.blockedUntil ?? 0);
  }

  get open(): boolean {
    return this.#reach.open || this.#own?.open === true;
  }

  succeeded(round: BreakerRound): void {
    this.#reach.succeeded(round.reach);
    this.#own?.succeeded(round.own);
  }

  failed(round: BreakerRound, trouble: Trouble, message: string, retryAfterMillis?: number): void {
    if (trouble === 'retrying') {
      this.#own?.succeeded(round.own);
      this.#reach.failed(round.reach, trouble, message, retryAfterMillis);
      return;
    }
    // It answered.
    this.#reach.succeeded(round.reach);
    this.#own ??= this.#reach.another();
    this.#own.failed(round.own, trouble, message, retryAfterMillis);
  }

  lift(): void {
    this.#reach.lift();
    this.#own?.lift();
  }

  get #isRefused(): boolean {
    return this.#own?.trouble !== undefined;
  }
}
