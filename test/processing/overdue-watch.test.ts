import { describe, expect, it } from 'vitest';
import { Agenda } from '../../src/processing/agenda.ts';
import { watchOverdue } from '../../src/processing/overdue-watch.ts';
import type { Timer } from '../../src/utils/clock.ts';
import { FakeClock } from '../support/fake-clock.ts';

describe('watchOverdue', () => {
  it('tells once when the patience is over', () => {
    const clock = new FakeClock();
    let calls = 0;
    watchOverdue(new Agenda(clock), 1_000, () => {
      calls += 1;
    });
    clock.advance(980);
    expect(calls).toBe(0);
    clock.advance(20);
    expect(calls).toBe(1);
    clock.advance(60_000);
    expect(calls).toBe(1);
  });

  it('is silent after it was cancelled', () => {
    const clock = new FakeClock();
    const agenda = new Agenda(clock);
    let calls = 0;
    const watch = watchOverdue(agenda, 1_000, () => {
      calls += 1;
    });
    agenda.cancel(watch);
    clock.advance(60_000);
    expect(calls).toBe(0);
  });

  it('does not blame the receiver for a standstill of the process', () => {
    const clock = new StallingClock();
    let calls = 0;
    watchOverdue(new Agenda(clock), 1_000, () => {
      calls += 1;
    });
    clock.stallMillis = 3_000;
    clock.advance(1_000);
    expect(calls).toBe(0);
    clock.stallMillis = 0;
    clock.advance(980);
    expect(calls).toBe(0);
    clock.advance(20);
    expect(calls).toBe(1);
  });

  it('takes a busy process for an excuse within the first second only', () => {
    const clock = new StallingClock();
    let calls = 0;
    watchOverdue(new Agenda(clock), 300, () => {
      calls += 1;
    });
    clock.stallMillis = 60;
    clock.advance(300);
    expect([calls, clock.monotonic()]).toEqual([0, 360]);
    clock.advance(300);
    expect([calls, clock.monotonic()]).toEqual([0, 720]);
    clock.advance(300);
    expect([calls, clock.monotonic()]).toEqual([1, 1_080]);
  });
});

/** Its timers come late by the time that the process is said to stand still. */
class StallingClock extends FakeClock {
  stallMillis = 0;
  #lost = 0;

  override monotonic(): number {
    return super.monotonic() + this.#lost;
  }

  override schedule(callback: () => void, delayMillis: number): Timer {
    const late = (): void => {
      this.#lost += this.stallMillis;
      callback();
    };
    return super.schedule(late, delayMillis);
  }
}
