import { describe, expect, it } from 'vitest';
import { within } from '../../src/lifecycle/deadline.ts';
import type { Clock } from '../../src/utils/clock.ts';
import { FakeClock } from '../support/fake-clock.ts';

describe('within', () => {
  it('is true as soon as the work is done, whichever way, and leaves no timer', async () => {
    const clock = new FakeClock();
    expect(await within(clock, 1_000, Promise.resolve(7))).toBe(true);
    expect(await within(clock, 1_000, Promise.reject(new Error('no')))).toBe(true);
    expect(clock.pendingTimers).toBe(0);
  });

  it('is false exactly when the time is over, and stays so when the work fails later', async () => {
    const clock = new FakeClock();
    let fail: (error: Error) => void = () => {};
    const work = new Promise((_resolve, reject) => {
      fail = reject;
    });
    let outcome: boolean | undefined;
    const waiting = within(clock, 1_000, work).then((inTime) => {
      outcome = inTime;
    });
    await clock.advanceAsync(999);
    expect(outcome).toBeUndefined();
    await clock.advanceAsync(1);
    expect(outcome).toBe(false);
    fail(new Error('too late'));
    await waiting;
    expect(clock.pendingTimers).toBe(0);
  });

  it('keeps the process alive only when it is told to', async () => {
    const asked: unknown[] = [];
    const clock = new FakeClock();
    const schedule: Clock['schedule'] = (callback, delayMillis, keepAlive) => {
      asked.push(keepAlive);
      return clock.schedule(callback, delayMillis);
    };
    const watched = Object.assign(Object.create(clock) as Clock, { schedule });
    await within(watched, 1, Promise.resolve());
    await within(watched, 1, Promise.resolve(), true);
    expect(asked).toEqual([false, true]);
  });
});
