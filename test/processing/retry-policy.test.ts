import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRetryPolicy } from '../../src/processing/retry-policy.ts';
import type { Clock } from '../../src/utils/clock.ts';
import { FakeClock } from '../support/fake-clock.ts';

const ALMOST_ONE = 1 - Number.EPSILON;

function clockThatDraws(random: number): Clock {
  const clock = new FakeClock();
  clock.random = () => random;
  return clock;
}

function range(retry: number, retryAfterMillis?: number, options: object = {}): [number, number] {
  const ends = [0, ALMOST_ONE].map((random) =>
    createRetryPolicy({ clock: clockThatDraws(random), ...options }).delayMillis(retry, retryAfterMillis),
  );
  return ends.map((end) => Math.round(end)) as [number, number];
}

describe('the delay before a retry', () => {
  it.each<[number, [number, number]]>([
    [0, [500, 1_000]],
    [1, [500, 2_000]],
    [2, [500, 4_000]],
    [3, [500, 8_000]],
    [4, [500, 16_000]],
    [5, [15_000, 30_000]],
    [6, [15_000, 30_000]],
    [2_000, [15_000, 30_000]],
  ])('number %i is drawn from %j', (retry, expected) => {
    expect(range(retry)).toEqual(expected);
  });

  it('follows the configured ends, but never below 500 ms', () => {
    expect(range(0, undefined, { initialMillis: 2_000, maxMillis: 6_000 })).toEqual([500, 2_000]);
    expect(range(2, undefined, { initialMillis: 2_000, maxMillis: 6_000 })).toEqual([3_000, 6_000]);
    expect(range(9, undefined, { initialMillis: 1, maxMillis: 10 })).toEqual([500, 500]);
  });

  it('is what the receiver asked for, plus at most a fifth and a second', () => {
    expect(range(0, 30_000)).toEqual([30_000, 37_000]);
    expect(range(9, 1_000)).toEqual([1_000, 2_200]);
    expect(range(0, 600_000)).toEqual([600_000, 721_000]);
    expect(range(0, 1)).toEqual([500, 1_600]);
  });

  it('leads to at most 20 attempts in five minutes at a receiver that refuses at once', () => {
    const attempts = Array.from({ length: 500 }, (_, seed) => attemptsInFiveMinutes(seed));
    const within = attempts.filter((count) => count <= 20).length;
    expect(within / attempts.length).toBeGreaterThan(0.99);
    expect(Math.max(...attempts)).toBeLessThanOrEqual(21);
  });

  it('is spread: two tenants rarely come back within the same 10 ms', () => {
    const policy = createRetryPolicy({ clock: new FakeClock() });
    const slots = new Set(Array.from({ length: 100 }, () => Math.floor(policy.delayMillis(6) / 10)));
    expect(slots.size).toBeGreaterThan(90);
  });

  it('is finite and at least 500 ms whatever is asked', () => {
    fc.assert(
      fc.property(fc.nat(5_000), fc.option(fc.nat(600_000), { nil: undefined }), fc.integer(), (retry, asked, seed) => {
        const millis = createRetryPolicy({ clock: new FakeClock({ seed }) }).delayMillis(retry, asked);
        expect(millis).toBeGreaterThanOrEqual(Math.max(500, asked ?? 0));
        expect(millis).toBeLessThanOrEqual(asked === undefined ? 30_000 : Math.max(asked, 500) * 1.2 + 1_000);
      }),
    );
  });
});

describe('giving up', () => {
  it('comes five minutes after the first attempt, by the monotonic clock', () => {
    const clock = new FakeClock();
    clock.advance(1_000);
    const firstAttempt = clock.monotonic();
    const policy = createRetryPolicy({ clock });
    clock.jumpWallClock(3_600_000);
    clock.advance(299_999);
    expect(policy.exhausted(firstAttempt)).toBe(false);
    clock.advance(1);
    expect(policy.exhausted(firstAttempt)).toBe(true);
  });

  it('comes when configured', () => {
    const clock = new FakeClock();
    const policy = createRetryPolicy({ clock, giveUpMillis: 10 });
    expect(policy.exhausted(0)).toBe(false);
    clock.advance(10);
    expect(policy.exhausted(0)).toBe(true);
  });
});

function attemptsInFiveMinutes(seed: number): number {
  const clock = new FakeClock({ seed });
  const policy = createRetryPolicy({ clock });
  let attempts = 0;
  while (!policy.exhausted(0)) {
    clock.advance(policy.delayMillis(attempts));
    attempts += 1;
  }
  return attempts;
}
