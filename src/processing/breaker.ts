import type { Clock } from '../utils/clock.ts';
import type { DropReason } from './ledger.ts';
import type { RetryPolicy } from './retry-policy.ts';

/** What is wrong with a destination. */
export type Trouble =
  /** It fails for the moment: unreachable, overloaded, too slow. */
  | 'retrying'
  /** It refuses the credentials. */
  | 'unauthorized'
  /** It is not what was configured: TLS, a redirect, no HTTP. */
  | 'misconfigured';

/** What a batch is counted under when its destination is in trouble until the give-up time; else it is kept. */
export const GIVE_UP_REASONS: Readonly<Record<Trouble, DropReason | undefined>> = {
  retrying: 'retry_exhausted',
  unauthorized: 'unauthorized',
  misconfigured: undefined,
};

/** Refused credentials and broken configuration are tried again this often; data waits meanwhile. */
const PROBE_MILLIS = 60_000;

/**
 * Decides when a lane's destination may be tried again, from what became of earlier attempts. When the first of
 * several attempts fails, those that were under way with it belong to the same round: their failures are not counted
 * again, their successes do not end the pause; only a longer wait that the receiver asks for still counts.
 */
export class Breaker {
  readonly #clock: Clock;
  readonly #policy: RetryPolicy;
  #round = 0;
  #failures = 0;
  #trouble: Trouble | undefined;
  #lastError: string | undefined;
  /** Our own wait, which a flush may cut short. */
  #backoffUntil = 0;
  /** The receiver's wish, or the time of the next probe. */
  #pausedUntil = 0;

  constructor(clock: Clock, policy: RetryPolicy) {
    this.#clock = clock;
    this.#policy = policy;
  }

  /** One that knows nothing yet, with the same rules. */
  another(): Breaker {
    return new Breaker(this.#clock, this.#policy);
  }

  /** Counts the failures that were noticed; to be remembered when an attempt starts. */
  get round(): number {
    return this.#round;
  }

  /** Rounds that failed since an attempt last succeeded. */
  get failures(): number {
    return this.#failures;
  }

  /** `undefined` while the destination works. */
  get trouble(): Trouble | undefined {
    return this.#trouble;
  }

  get lastError(): string | undefined {
    return this.#lastError;
  }

  /** On the monotonic clock; in the past when attempts may be made. */
  get blockedUntil(): number {
    return Math.max(this.#backoffUntil, this.#pausedUntil);
  }

  /** True while no attempt may be made. */
  get open(): boolean {
    return this.blockedUntil > this.#clock.monotonic();
  }

  /** The destination took an attempt that started in `round`, or refused its data for good: it works. */
  succeeded(round: number): void {
    if (this.#isOld(round)) return;
    this.#failures = 0;
    this.#trouble = undefined;
    this.#backoffUntil = 0;
    this.#pausedUntil = 0;
  }

  /** An attempt that started in `round` failed in a way that may pass. */
  failed(round: number, trouble: Trouble, message: string, retryAfterMillis?: number): void {
    this.#lastError = message;
    const now = this.#clock.monotonic();
    if (retryAfterMillis !== undefined) {
      this.#pausedUntil = Math.max(this.#pausedUntil, now + this.#policy.delayMillis(0, retryAfterMillis));
    }
    if (this.#isOld(round)) return;
    // The first refusal may be a credential that was just replaced: it is read again at once, then only probed.
    const readAgain = trouble === 'unauthorized' && this.#trouble !== 'unauthorized';
    this.#round += 1;
    this.#failures += 1;
    this.#trouble = trouble;
    if (readAgain) return;
    if (trouble !== 'retrying') this.#pausedUntil = now + PROBE_MILLIS;
    else if (retryAfterMillis === undefined) this.#backoffUntil = now + this.#policy.delayMillis(this.#failures - 1);
  }

  /** Ends our own wait. What the receiver asked for, and the pause between probes, stay. */
  lift(): void {
    this.#backoffUntil = 0;
  }

  #isOld(round: number): boolean {
    return this.#failures > 0 && round !== this.#round;
  }
}
