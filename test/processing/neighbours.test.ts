import { expect, it } from 'vitest';
import { Agenda } from '../../src/processing/agenda.ts';
import { Dispatcher } from '../../src/processing/dispatcher.ts';
import { Lane } from '../../src/processing/lane.ts';
import type { Batch, LaneCargo } from '../../src/processing/lane-cargo.ts';
import { Ledger } from '../../src/processing/ledger.ts';
import type { DeliveryOutcome } from '../../src/processing/outcome.ts';
import { createRetryPolicy } from '../../src/processing/retry-policy.ts';
import { Guard } from '../../src/utils/guard.ts';
import { FakeClock } from '../support/fake-clock.ts';

type Kind = 'ok' | 'hang' | 'slow';

const ANSWERS: Readonly<Record<Kind, { readonly afterMillis: number; readonly outcome: DeliveryOutcome }>> = {
  ok: { afterMillis: 5, outcome: { status: 'success', rejected: 0 } },
  slow: { afterMillis: 3_000, outcome: { status: 'success', rejected: 0 } },
  hang: { afterMillis: 10_000, outcome: { status: 'retryable', reason: 'timeout', message: 'no answer' } },
};

interface Times extends Batch {
  readonly times: readonly number[];
}

/** One tenant of the origin that all share; spans are the times at which they ended. */
class TimedCargo implements LaneCargo<Times> {
  readonly destination = 'one';
  readonly origin = 'https://one.test';
  readonly bytes = 0;
  readonly full = false;
  readonly delays: number[] = [];
  times: number[] = [];
  readonly #clock: FakeClock;
  readonly #kind: Kind;

  constructor(clock: FakeClock, kind: Kind) {
    this.#clock = clock;
    this.#kind = kind;
  }

  get size(): number {
    return this.times.length;
  }

  take(): Times | undefined {
    const times = this.times.splice(0);
    return times.length === 0 ? undefined : { count: times.length, times };
  }

  attempt({ times }: Times): Promise<DeliveryOutcome> {
    const { afterMillis, outcome } = ANSWERS[this.#kind];
    for (const time of times) this.delays.push(this.#clock.monotonic() + afterMillis - time);
    return new Promise((resolve) => {
      this.#clock.schedule(() => resolve(outcome), afterMillis);
    });
  }

  split(): undefined {
    return undefined;
  }

  release(): void {}

  clear(): number {
    return this.times.splice(0).length;
  }
}

it.each(['hang', 'slow'] as const)(
  'ten tenants of an origin that %s delay the other ninety once, shortly',
  async (kind) => {
    for (const seed of [1, 2]) {
      const clock = new FakeClock({ seed });
      const shared = { clock, agenda: new Agenda(clock), dispatcher: new Dispatcher() };
      const guard = new Guard({ clock, level: 'balanced' });
      const tenants = Array.from({ length: 100 }, (_, index) => {
        const cargo = new TimedCargo(clock, index < 10 ? kind : 'ok');
        const retryPolicy = createRetryPolicy({ clock });
        const own = { tenantId: `${index}`, ledger: new Ledger(), guard, retryPolicy, progressed: () => {} };
        return { cargo, lane: new Lane({ ...shared, ...own, cargo, delayMillis: 1_000 }) };
      });
      for (let millis = 0; millis < 6_000; millis += 5) {
        if (millis % 100 === 0 && millis < 5_000) {
          for (const { cargo, lane } of tenants) {
            cargo.times.push(clock.monotonic());
            lane.added();
          }
        }
        await clock.advanceAsync(5);
      }
      const delays = tenants.slice(10).flatMap(({ cargo }) => cargo.delays);
      expect(delays).toHaveLength(90 * 50);
      // A batch's delay, what an unproven request may take at most, and the grain of this clock.
      expect(Math.max(...delays)).toBeLessThan(1_000 + 250 + 50);
      expect(delays.filter((delay) => delay > 1_050).length / delays.length).toBeLessThan(0.05);
    }
  },
);
