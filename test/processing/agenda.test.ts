import { AsyncLocalStorage } from 'node:async_hooks';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Agenda, type Job } from '../../src/processing/agenda.ts';
import { systemClock, type Timer } from '../../src/utils/clock.ts';
import { FakeClock } from '../support/fake-clock.ts';

const SLACK_MILLIS = 10;
const JOBS = 16;

type Command =
  | { readonly kind: 'schedule'; readonly job: number; readonly inMillis: number }
  | { readonly kind: 'cancel'; readonly job: number };

type Step = Command | { readonly kind: 'advance'; readonly millis: number };

describe('Agenda', () => {
  it('runs each job once, in order and in time, whatever jobs do to each other when they run', () => {
    const script = fc.array(fc.array(commandArbitrary(), { maxLength: 3 }), { minLength: JOBS, maxLength: JOBS });
    fc.assert(
      fc.property(fc.array(stepArbitrary(), { minLength: 20, maxLength: 100 }), script, (steps, whenDue) => {
        const comparison = new Comparison(whenDue);
        for (const step of steps) comparison.run(step);
        comparison.finish();
      }),
      { numRuns: 2_000 },
    );
  });

  it('has one timer for a thousand jobs', () => {
    const clock = new FakeClock();
    const agenda = new Agenda(clock);
    let runs = 0;
    for (let at = 1_000; at > 0; at -= 1) agenda.schedule({ due: () => (runs += 1) }, at);

    expect(agenda.size).toBe(1_000);
    expect(clock.pendingTimers).toBe(1);
    clock.advance(1_000);
    expect(runs).toBe(1_000);
    expect([agenda.size, clock.pendingTimers]).toEqual([0, 0]);
  });

  it('runs jobs that come due within 10 ms of each other in one wake-up', () => {
    const clock = new CountingClock();
    const agenda = new Agenda(clock);
    for (let at = 100; at < 110; at += 1) agenda.schedule({ due: () => {} }, at);
    clock.advance(200);
    expect(clock.wakeUps).toBe(1);
  });

  it('lets a job that wants to run again at once wait for the next wake-up', () => {
    const clock = new FakeClock();
    const agenda = new Agenda(clock);
    const order: string[] = [];
    const eager: Job = {
      due: (now) => {
        order.push('eager');
        if (order.length < 50) agenda.schedule(eager, now);
      },
    };
    agenda.schedule(eager, 100);
    agenda.schedule({ due: () => order.push('other') }, 105);
    clock.advance(100);
    expect(order.slice(0, 3)).toEqual(['eager', 'other', 'eager']);
  });

  it('forgets everything when it is closed, also in the middle of a wake-up', () => {
    const clock = new FakeClock();
    const agenda = new Agenda(clock);
    const ran: string[] = [];
    agenda.schedule({ due: () => agenda.close() }, 1);
    agenda.schedule({ due: () => ran.push('same wake-up') }, 2);
    agenda.schedule({ due: () => ran.push('later') }, 500);
    clock.advance(1_000);
    agenda.schedule({ due: () => ran.push('after') }, 1_000);
    clock.advance(1_000);
    expect(ran).toEqual([]);
    expect([agenda.size, clock.pendingTimers]).toEqual([0, 0]);
  });

  it('runs no job in the async context of whoever scheduled it', async () => {
    const requests = new AsyncLocalStorage<string>();
    const agenda = new Agenda(systemClock);
    const seen = await requests.run(
      'tenant a',
      () =>
        new Promise((resolve) => {
          agenda.schedule({ due: () => resolve(requests.getStore()) }, agenda.now());
        }),
    );
    expect(seen).toBeUndefined();
    agenda.close();
  });
});

class CountingClock extends FakeClock {
  wakeUps = 0;

  override schedule(callback: () => void, delayMillis: number): Timer {
    const wake = (): void => {
      this.wakeUps += 1;
      callback();
    };
    return super.schedule(wake, delayMillis);
  }
}

interface Planned {
  readonly at: number;
  readonly plannedAt: number;
  /** The wake-up during which it was planned. */
  readonly wakeUp: number;
}

/** An agenda beside a plain map of what it should hold. */
class Comparison {
  readonly #clock = new CountingClock();
  readonly #agenda = new Agenda(this.#clock);
  readonly #planned = new Map<number, Planned>();
  readonly #jobs: readonly Job[];
  #awake = false;

  constructor(whenDue: readonly (readonly Command[])[]) {
    this.#jobs = whenDue.map((commands, index) => ({
      due: (now) => {
        this.#check(index, now);
        this.#awake = true;
        for (const command of commands) this.#apply(command);
        this.#awake = false;
      },
    }));
  }

  run(step: Step): void {
    if (step.kind === 'advance') {
      this.#clock.advance(step.millis);
      const overdue = [...this.#planned.values()].filter(({ at }) => at <= this.#clock.monotonic());
      expect(overdue).toEqual([]);
    } else {
      this.#apply(step);
    }
    expect(this.#agenda.size).toBe(this.#planned.size);
    expect(this.#clock.pendingTimers).toBeLessThanOrEqual(1);
  }

  finish(): void {
    for (const job of this.#jobs) this.#agenda.cancel(job);
    expect(this.#agenda.size).toBe(0);
    this.#agenda.close();
    expect(this.#clock.pendingTimers).toBe(0);
  }

  #apply(command: Command): void {
    const job = this.#jobs[command.job] as Job;
    if (command.kind === 'cancel') {
      this.#agenda.cancel(job);
      this.#planned.delete(command.job);
      return;
    }
    const now = this.#clock.monotonic();
    // A job that plans itself for now for ever would never let time move on.
    const at = now + Math.max(command.inMillis, this.#awake ? SLACK_MILLIS + 1 : Number.NEGATIVE_INFINITY);
    this.#agenda.schedule(job, at);
    this.#planned.set(command.job, { at, plannedAt: now, wakeUp: this.#awake ? this.#clock.wakeUps : 0 });
  }

  #check(index: number, now: number): void {
    const own = this.#planned.get(index);
    expect(own, `job ${index} was not planned`).toBeDefined();
    this.#planned.delete(index);
    const { at, plannedAt } = own as Planned;
    expect(now).toBeGreaterThanOrEqual(Math.min(at - SLACK_MILLIS, plannedAt));
    expect(now).toBeLessThanOrEqual(Math.max(at, plannedAt));
    for (const other of this.#planned.values()) {
      if (other.wakeUp !== this.#clock.wakeUps) expect(other.at).toBeGreaterThanOrEqual(at);
    }
  }
}

function commandArbitrary(): fc.Arbitrary<Command> {
  const job = fc.nat({ max: JOBS - 1 });
  return fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant('schedule'), job, inMillis: fc.integer({ min: -5, max: 300 }) }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('cancel'), job }) },
  );
}

function stepArbitrary(): fc.Arbitrary<Step> {
  return fc.oneof(
    { weight: 4, arbitrary: commandArbitrary() },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('advance'), millis: fc.nat({ max: 60 }) }) },
  );
}
