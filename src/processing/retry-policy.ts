import type { Clock } from '../utils/clock.ts';

export interface RetrySettings {
  /** Upper end of the first delay; doubles with each further one. */
  readonly initialMillis: number;
  /** Upper end of every delay. */
  readonly maxMillis: number;
  /** How long after the first attempt a batch is still retried. */
  readonly giveUpMillis: number;
}

/** Without settings: 1,000, 30,000 and 300,000. */
export interface RetryPolicyOptions extends Partial<RetrySettings> {
  readonly clock: Clock;
}

/** When to send a batch again. Holds no state of its own: one serves all destinations with these settings. */
export interface RetryPolicy {
  /**
   * How long to wait before the next attempt, in milliseconds and never below 500.
   *
   * @param retry 0 for the first retry
   * @param retryAfterMillis the receiver's wish, which wins over the backoff
   */
  delayMillis(retry: number, retryAfterMillis?: number): number;
  /**
   * Whether the time for retries is over. Ask after a failed attempt, not before the next one: a wait that
   * the receiver asked for may outlast the time and must still end in an attempt.
   */
  exhausted(firstAttemptAtMonotonic: number): boolean;
}

const FLOOR_MILLIS = 500;

/** Makes the policy of given settings; the same object for the same settings. */
export function createRetryPolicies(clock: Clock): (settings: RetrySettings) => RetryPolicy {
  const policies = new WeakMap<RetrySettings, RetryPolicy>();
  return (settings) => {
    let policy = policies.get(settings);
    if (policy === undefined) {
      policy = createRetryPolicy({ clock, ...settings });
      policies.set(settings, policy);
    }
    return policy;
  };
}

export function createRetryPolicy(options: RetryPolicyOptions): RetryPolicy {
  const { clock, initialMillis = 1_000, maxMillis = 30_000, giveUpMillis = 300_000 } = options;

  function backoffMillis(retry: number): number {
    const ceiling = Math.min(maxMillis, initialMillis * 2 ** Math.max(retry, 0));
    // Full jitter while the ceiling grows. At the cap the upper half: with the full range a batch would be
    // sent about 24 times in five minutes instead of the promised 20, and 15 s spread the tenants well.
    const floor = Math.max(FLOOR_MILLIS, ceiling < maxMillis ? 0 : ceiling / 2);
    return floor + clock.random() * Math.max(ceiling - floor, 0);
  }

  return {
    delayMillis(retry, retryAfterMillis) {
      if (retryAfterMillis === undefined) return backoffMillis(retry);
      // Spread, lest all tenants of one receiver come back in the same instant.
      const asked = Math.max(retryAfterMillis, FLOOR_MILLIS);
      return asked + clock.random() * (asked * 0.2 + 1_000);
    },
    exhausted: (firstAttemptAtMonotonic) => clock.monotonic() - firstAttemptAtMonotonic >= giveUpMillis,
  };
}
