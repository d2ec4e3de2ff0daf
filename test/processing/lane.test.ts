import diagnosticsChannel from 'node:diagnostics_channel';
import { context } from '@opentelemetry/api';
import { isTracingSuppressed } from '@opentelemetry/core';
import fc from 'fast-check';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { ensureContextManager } from '../../src/infra/context-manager.ts';
import type { DeliveryOutcome } from '../../src/processing/outcome.ts';
import { settle } from '../support/fake-clock.ts';
import {
  DELIVERED,
  LaneKit,
  type LaneKitOptions,
  MISCONFIGURED,
  REJECTED,
  TOO_LARGE,
  throttled,
  UNAUTHORIZED,
  UNAVAILABLE,
} from './scripted-lane.ts';

const FIVE_MINUTES = 300_000;

const kits: LaneKit[] = [];

function kitWith(options?: LaneKitOptions): LaneKit {
  const kit = new LaneKit(options);
  kits.push(kit);
  return kit;
}

afterEach(() => {
  for (const kit of kits.splice(0)) {
    expect(kit.imbalance).toEqual([]);
    void kit.lane.close('evicted');
  }
});

/** How a promise stands after everything that can happen now has happened. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  void promise.then(() => {
    settled = true;
  });
  await settle(1);
  return settled;
}

describe('when a batch is sent', () => {
  it('waits for the delay, less up to a tenth of it', async () => {
    const kit = kitWith({ delayMillis: 5_000 });
    kit.add(3);
    await kit.advance(4_480);
    expect(kit.cargo.attempts).toHaveLength(0);
    await kit.advance(520);
    expect(kit.cargo.attempts.map(({ spans }) => spans)).toEqual([[0, 1, 2]]);
    await kit.answer(DELIVERED);
    expect(kit.leftovers).toEqual([]);
    expect(kit.ledger.snapshot(0)).toMatchObject({ created: 3, exported: 3, dropped: {} });
  });

  it('does not let many tenants that started together send in the same moment', async () => {
    const kits = Array.from({ length: 50 }, (_, seed) => kitWith({ seed }));
    for (const kit of kits) {
      kit.add(1);
      await kit.advance(5_000);
    }
    const times = new Set(kits.map(({ attemptTimes }) => Math.round((attemptTimes[0] ?? 0) / 10)));
    expect(times.size).toBeGreaterThan(20);
  });

  it('goes at once when it is full, two requests at a time', async () => {
    const kit = kitWith({ maxBatchSize: 10 });
    kit.add(45);
    expect(kit.cargo.attempts.map(({ spans }) => spans.length)).toEqual([10, 10]);
    await kit.answer(DELIVERED);
    await kit.answer(DELIVERED);
    await kit.answer(DELIVERED);
    await kit.answer(DELIVERED);
    expect(kit.cargo.open).toHaveLength(0);
    expect(kit.lane.queued).toBe(5);
    await kit.advance(5_000);
    await kit.answer(DELIVERED);
    expect(kit.cargo.attempts.flatMap(({ spans }) => spans)).toEqual(Array.from({ length: 45 }, (_, index) => index));
    expect(kit.leftovers).toEqual([]);
  });

  it('runs outside of the host’s request and is not traced', async () => {
    ensureContextManager();
    const kit = kitWith({ maxBatchSize: 1 });
    const key = Symbol('request');
    const seen: unknown[] = [];
    kit.cargo.script = () => {
      seen.push(context.active().getValue(key), isTracingSuppressed(context.active()));
      return DELIVERED;
    };
    context.with(context.active().setValue(key, 'of a tenant'), () => kit.add(1));
    await settle(1);
    expect(seen).toEqual([undefined, true]);
  });
});

describe('an answer', () => {
  it('that is a success exports the batch', async () => {
    const kit = kitWith();
    kit.add(10);
    expect(kit.lane.condition).toBe('delivering');
    await kit.answer(DELIVERED);
    expect(kit.ledger.snapshot(kit.lane.queued)).toMatchObject({ exported: 10, queued: 0, dropped: {} });
    expect([kit.lane.condition, kit.progressed]).toEqual(['idle', 1]);
    expect(kit.leftovers).toEqual([]);
  });

  it.each([
    [3, 7, { rejected: 3 }],
    [0, 10, {}],
    [99, 0, { rejected: 10 }],
    [-5, 10, {}],
  ])(
    'that is a partial success with %i rejected exports %i and is never repeated',
    async (rejected, exported, dropped) => {
      const kit = kitWith();
      kit.add(10);
      await kit.answer({ status: 'success', rejected, message: 'some were bad' });
      expect(kit.ledger.snapshot(0)).toMatchObject({ exported, dropped });
      await kit.advance(FIVE_MINUTES);
      expect(kit.cargo.attempts).toHaveLength(1);
      expect(kit.guard.recent().map(({ message }) => message)).toEqual(['some were bad']);
      expect(kit.leftovers).toEqual([]);
    },
  );

  it('that is retryable keeps the batch and sends the same spans again after a pause', async () => {
    const kit = kitWith();
    kit.add(10);
    await kit.answer(UNAVAILABLE);
    expect([kit.lane.condition, kit.lane.failures, kit.lane.queued]).toEqual(['retrying', 1, 10]);
    await kit.advance(480);
    expect(kit.cargo.attempts).toHaveLength(1);
    await kit.advance(520);
    expect(kit.cargo.attempts.map(({ spans }) => spans)).toEqual([
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    ]);
    await kit.answer(DELIVERED);
    expect([kit.lane.condition, kit.lane.failures, kit.ledger.exported]).toEqual(['idle', 0, 10]);
    expect(kit.leftovers).toEqual([]);
  });

  it('that asks for a pause gets it', async () => {
    const kit = kitWith();
    kit.add(10);
    await kit.answer(throttled(30_000));
    kit.add(100);
    await kit.advance(30_000);
    expect(kit.cargo.attempts).toHaveLength(1);
    await kit.advance(7_000);
    expect(kit.cargo.attempts).toHaveLength(2);
    expect(kit.attemptTimes[1]).toBeLessThanOrEqual(30_000 * 1.2 + 1_000);
  });

  it('that asks for a longer pause than the give-up time is still followed by an attempt', async () => {
    const kit = kitWith();
    kit.add(10);
    await kit.answer(throttled(600_000));
    await kit.advance(721_000);
    expect(kit.cargo.attempts).toHaveLength(2);
    await kit.answer(DELIVERED);
    expect(kit.ledger.exported).toBe(10);
  });

  it('that refuses the credentials long after the first attempt still gets them read again', async () => {
    const kit = kitWith();
    kit.add(10);
    await kit.answer(throttled(600_000));
    await kit.advance(721_000);
    await kit.answer(UNAUTHORIZED);
    expect(kit.cargo.open).toHaveLength(1);
    await kit.answer(DELIVERED);
    expect(kit.ledger.exported).toBe(10);
  });

  it('that refuses a batch for good drops it, and the next one goes through', async () => {
    const kit = kitWith();
    kit.add(20);
    await kit.answer(REJECTED);
    await kit.answer(DELIVERED);
    await kit.advance(FIVE_MINUTES);
    expect(kit.cargo.attempts).toHaveLength(2);
    expect(kit.ledger.snapshot(0)).toMatchObject({ exported: 10, dropped: { rejected: 10 } });
    expect(kit.lane.failures).toBe(0);
    expect(kit.leftovers).toEqual([]);
  });

  it('that finds a batch too large halves it, down to the one span that is', async () => {
    const kit = kitWith({ maxBatchSize: 512 });
    kit.cargo.script = (spans) => (spans.includes(300) ? TOO_LARGE : DELIVERED);
    kit.add(512);
    await kit.advance(1_000);
    expect(kit.ledger.snapshot(0)).toMatchObject({ exported: 511, dropped: { rejected: 1 } });
    expect(kit.cargo.attempts.length).toBeLessThanOrEqual(2 * Math.log2(512) + 1);
    expect(kit.leftovers).toEqual([]);
  });

  it('that finds everything too large loses exactly everything', async () => {
    const kit = kitWith({ maxBatchSize: 7 });
    kit.cargo.script = () => TOO_LARGE;
    kit.add(7);
    await kit.advance(1_000);
    expect(kit.ledger.snapshot(0)).toMatchObject({ exported: 0, dropped: { rejected: 7 } });
    expect(kit.cargo.attempts).toHaveLength(13);
    expect(kit.leftovers).toEqual([]);
  });

  it('that refuses the credentials leads to one attempt at once, then one a minute', async () => {
    const kit = kitWith();
    kit.cargo.script = () => UNAUTHORIZED;
    kit.add(10);
    await kit.advance(200_000);
    expect(kit.attemptTimes).toEqual([0, 0, 60_000, 120_000, 180_000]);
    expect([kit.lane.condition, kit.lane.queued]).toEqual(['unauthorized', 10]);
    kit.cargo.script = () => DELIVERED;
    await kit.advance(60_000);
    expect([kit.lane.condition, kit.ledger.exported]).toEqual(['idle', 10]);
    expect(kit.leftovers).toEqual([]);
  });

  it('that refuses the credentials for five minutes loses the batch, not the queue', async () => {
    const kit = kitWith();
    kit.cargo.script = () => UNAUTHORIZED;
    kit.add(15);
    await kit.advance(300_000);
    expect(kit.ledger.snapshot(kit.lane.queued)).toMatchObject({ queued: 5, dropped: { unauthorized: 10 } });
  });

  it('that shows a broken configuration leads to one attempt a minute, and loses nothing', async () => {
    const kit = kitWith();
    kit.cargo.script = () => MISCONFIGURED;
    kit.add(10);
    await kit.advance(600_000);
    expect(kit.attemptTimes).toEqual(Array.from({ length: 11 }, (_, minute) => minute * 60_000));
    expect([kit.lane.condition, kit.lane.queued]).toEqual(['misconfigured', 10]);
  });

  it('that never was one, because the cargo broke its promise, counts as a failure', async () => {
    const kit = kitWith();
    kit.add(10);
    kit.cargo.open[0]?.fail(new Error('bug'));
    await settle(1);
    expect([kit.lane.condition, kit.lane.queued, kit.lane.lastError]).toEqual(['retrying', 10, 'Error: bug']);
    kit.cargo.attempt = () => {
      throw new Error('thrown at once');
    };
    await kit.advance(1_000);
    expect([kit.lane.queued, kit.lane.lastError]).toEqual([10, 'Error: thrown at once']);
  });
});

describe('an outage', () => {
  it('is survived without loss up to five minutes, with at most 20 attempts', async () => {
    const kit = kitWith();
    kit.cargo.script = () => UNAVAILABLE;
    kit.add(100);
    await kit.advance(FIVE_MINUTES - 1_000);
    expect(kit.cargo.attempts.length).toBeLessThanOrEqual(20);
    expect(kit.lane.queued).toBe(100);
    kit.cargo.script = () => DELIVERED;
    await kit.advance(30_000);
    expect(kit.ledger.exported).toBe(100);
    expect(kit.leftovers).toEqual([]);
  });

  it('costs the oldest batch after five minutes, but not the pause before the next', async () => {
    const kit = kitWith();
    kit.cargo.script = () => UNAVAILABLE;
    kit.add(30);
    await kit.advance(FIVE_MINUTES + 60_000);
    expect(kit.ledger.dropped.get('retry_exhausted')).toBe(20);
    expect(kit.lane.queued).toBe(10);
    const { attemptTimes } = kit;
    const pauses = attemptTimes.slice(2).map((at, index) => at - (attemptTimes[index + 1] as number));
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(500);
    expect(Math.min(...pauses.slice(6))).toBeGreaterThanOrEqual(15_000);
  });

  it('is never hot, however many batches wait', async () => {
    const kit = kitWith();
    kit.cargo.script = () => UNAVAILABLE;
    for (let second = 0; second < 60; second += 1) {
      kit.add(10);
      await kit.advance(1_000);
    }
    // The first two went together.
    expect(kit.cargo.attempts.length).toBeLessThanOrEqual(12);
  });

  it('ends a pause that is shorter than a long batch delay', async () => {
    const kit = kitWith({ delayMillis: 3_600_000 });
    kit.add(10);
    kit.add(3);
    await kit.answer(UNAVAILABLE);
    await kit.advance(1_000);
    expect(kit.cargo.attempts).toHaveLength(2);
  });
});

describe('two requests under way', () => {
  it('become one after a failure, and two again after a success', async () => {
    const kit = kitWith();
    kit.add(60);
    expect(kit.cargo.open).toHaveLength(2);
    await kit.answer(UNAVAILABLE);
    await kit.advance(1_000);
    expect(kit.cargo.open).toHaveLength(1);
    await kit.answer(UNAVAILABLE);
    await kit.advance(1_000);
    expect(kit.cargo.open).toHaveLength(1);
    await kit.answer(DELIVERED);
    expect(kit.cargo.open).toHaveLength(2);
  });

  it('that are throttled and accepted leave the pause in force', async () => {
    const kit = kitWith();
    kit.add(60);
    await kit.answer(throttled(30_000));
    await kit.answer(DELIVERED);
    await kit.advance(29_999);
    expect(kit.cargo.attempts).toHaveLength(2);
    await kit.advance(8_000);
    expect(kit.cargo.attempts).toHaveLength(3);
  });

  it('that are throttled and reset leave the longer pause in force', async () => {
    const kit = kitWith();
    kit.add(60);
    await kit.answer(throttled(30_000));
    await kit.answer(UNAVAILABLE);
    await kit.advance(29_999);
    expect(kit.cargo.attempts).toHaveLength(2);
  });

  it('that are both refused for their credentials still read them again once', async () => {
    const kit = kitWith();
    kit.add(60);
    await kit.answer(UNAUTHORIZED);
    await kit.answer(UNAUTHORIZED);
    expect(kit.cargo.open).toHaveLength(1);
    await kit.answer(UNAUTHORIZED);
    await kit.advance(59_000);
    expect(kit.cargo.open).toHaveLength(0);
    await kit.advance(1_000);
    expect(kit.cargo.open).toHaveLength(1);
  });

  it('give their slots back exactly once, also when they hang', async () => {
    const kit = kitWith();
    kit.add(20);
    expect(kit.dispatcher.underWay).toBe(2);
    await kit.advance(1_000);
    expect([kit.dispatcher.underWay, kit.lane.standing]).toEqual([0, 'suspect']);
    await kit.answer(DELIVERED);
    expect([kit.dispatcher.underWay, kit.lane.standing]).toEqual([0, 'suspect']);
    await kit.answer(DELIVERED);
    expect(kit.dispatcher.underWay).toBe(0);
    kit.add(20);
    expect(kit.dispatcher.underWay).toBe(2);
    await kit.answer(DELIVERED);
    await kit.answer(DELIVERED);
    expect(kit.leftovers).toEqual([]);
  });

  it('make the lane suspect until one is answered in a time that is usual at its origin', async () => {
    const kit = kitWith();
    const standings: string[] = [kit.lane.standing];
    for (const millis of [10, 3_000, 10, 490, 510]) {
      kit.add(10);
      await kit.advance(millis);
      await kit.answer(DELIVERED);
      standings.push(kit.lane.standing);
    }
    expect(standings).toEqual(['unproven', 'proven', 'suspect', 'proven', 'proven', 'suspect']);
  });
});

describe('a flush', () => {
  it('sends at once what waits for its batch to fill', async () => {
    const kit = kitWith();
    kit.add(3);
    kit.lane.hurry();
    const flushed = kit.lane.settled('attempted');
    expect(kit.cargo.open).toHaveLength(1);
    await kit.answer(DELIVERED);
    expect(await isSettled(flushed)).toBe(true);
    kit.lane.relax();
    expect(kit.leftovers).toEqual([]);
  });

  it('is over at once when there is nothing', async () => {
    expect(await isSettled(kitWith().lane.settled('attempted'))).toBe(true);
    expect(await isSettled(kitWith().lane.settled('empty'))).toBe(true);
  });

  it('cuts the backoff short, and is over when the attempt failed', async () => {
    const kit = kitWith();
    kit.add(10);
    await kit.answer(UNAVAILABLE);
    kit.lane.hurry();
    expect(kit.cargo.open).toHaveLength(1);
    const flushed = kit.lane.settled('attempted');
    expect(await isSettled(flushed)).toBe(false);
    await kit.answer(UNAVAILABLE);
    expect(await isSettled(flushed)).toBe(true);
    expect(kit.lane.queued).toBe(10);
    kit.lane.relax();
  });

  it.each([
    ['what the receiver asked for', throttled(30_000)],
    ['the pause between probes', MISCONFIGURED],
  ])('honours %s, and is over at once', async (_case, outcome) => {
    const kit = kitWith();
    kit.add(10);
    await kit.answer(outcome);
    for (let flush = 0; flush < 5; flush += 1) {
      kit.lane.hurry();
      expect(await isSettled(kit.lane.settled('attempted'))).toBe(true);
      kit.lane.relax();
    }
    expect(kit.cargo.attempts).toHaveLength(1);
  });

  it('waits for the attempt with credentials that were read again', async () => {
    const kit = kitWith();
    kit.add(10);
    kit.lane.hurry();
    const flushed = kit.lane.settled('attempted');
    await kit.answer(UNAUTHORIZED);
    expect(await isSettled(flushed)).toBe(false);
    await kit.answer(DELIVERED);
    expect(await isSettled(flushed)).toBe(true);
    expect(kit.ledger.exported).toBe(10);
  });

  it('does not wait for what is produced after it', async () => {
    const kit = kitWith();
    kit.add(3);
    kit.lane.hurry();
    const flushed = kit.lane.settled('attempted');
    kit.add(5);
    await kit.answer(DELIVERED);
    expect(await isSettled(flushed)).toBe(true);
    expect(kit.lane.queued).toBe(5);
    kit.lane.relax();
  });

  it('waits for halves, and for what was under way before it', async () => {
    const kit = kitWith();
    kit.add(10);
    kit.add(2);
    kit.lane.hurry();
    const flushed = kit.lane.settled('attempted');
    await kit.answer(DELIVERED, 1);
    expect(await isSettled(flushed)).toBe(false);
    await kit.answer(TOO_LARGE);
    await kit.answer(DELIVERED);
    expect(await isSettled(flushed)).toBe(false);
    await kit.answer(DELIVERED);
    expect(await isSettled(flushed)).toBe(true);
  });

  it('waits for the whole queue', async () => {
    const kit = kitWith();
    kit.add(25);
    await kit.answer(UNAVAILABLE);
    await kit.answer(UNAVAILABLE);
    kit.lane.hurry();
    const flushed = kit.lane.settled('attempted');
    await kit.answer(DELIVERED);
    await kit.answer(DELIVERED);
    expect(await isSettled(flushed)).toBe(false);
    await kit.answer(DELIVERED);
    expect(await isSettled(flushed)).toBe(true);
    expect(kit.leftovers).toEqual([]);
  });

  it('ends when the rest of the queue had to make room for others', async () => {
    const kit = kitWith();
    kit.add(60);
    const flushed = kit.lane.settled('empty');
    await kit.answer(DELIVERED);
    kit.shed(100);
    await kit.answer(DELIVERED);
    await kit.answer(DELIVERED);
    expect(await isSettled(flushed)).toBe(true);

    const waiting = kitWith();
    waiting.add(5);
    const other = waiting.lane.settled('empty');
    waiting.shed(5);
    await waiting.advance(0);
    expect(await isSettled(other)).toBe(true);
    expect(waiting.progressed).toBe(1);
    expect(waiting.ledger.snapshot(0).dropped).toEqual({ queue_full: 5 });
  });

  it('sends new spans at once until as many have ended as began', async () => {
    const kit = kitWith();
    kit.cargo.script = () => DELIVERED;
    kit.lane.hurry();
    kit.lane.hurry();
    kit.add(1);
    await settle(1);
    kit.lane.relax();
    kit.add(1);
    await settle(1);
    expect(kit.cargo.attempts).toHaveLength(2);
    kit.lane.relax();
    kit.add(1);
    await settle(1);
    expect(kit.cargo.attempts).toHaveLength(2);
    await kit.advance(5_000);
    expect(kit.cargo.attempts).toHaveLength(3);
  });
});

describe('close', () => {
  it('counts what is left under its reason and keeps nothing', async () => {
    const kit = kitWith();
    kit.add(25);
    await kit.answer(UNAVAILABLE);
    const flushed = kit.lane.settled('empty');
    void kit.lane.close('shutdown_deadline');
    expect(kit.ledger.snapshot(kit.lane.queued)).toMatchObject({ queued: 0, dropped: { shutdown_deadline: 25 } });
    expect(await isSettled(flushed)).toBe(true);
    expect(kit.leftovers).toEqual([]);
    expect(kit.dispatcher.origins).toBe(0);
    void kit.lane.close('evicted');
    expect(kit.ledger.snapshot(kit.lane.queued)).toMatchObject({ queued: 0, dropped: { shutdown_deadline: 25 } });
  });

  it('aborts requests and releases their memory only when they have ended', async () => {
    const kit = kitWith();
    kit.add(20);
    const [first, second] = kit.cargo.open;
    const closing = kit.lane.close('evicted');
    expect([first?.signal.aborted, second?.signal.aborted]).toEqual([true, true]);
    expect(kit.cargo.held.size).toBe(2);
    expect(kit.imbalance).toEqual([]);
    await closing;
    expect(kit.leftovers).toEqual([]);
    expect(kit.imbalance).toEqual([]);
    expect(kit.ledger.snapshot(0)).toMatchObject({ exported: 0, dropped: { evicted: 20 } });
  });

  it('exports what a receiver had taken when its request was aborted, but for what it refused', async () => {
    const kit = kitWith();
    let published = 0;
    const listen = (message: unknown): void => {
      published += (message as { readonly count: number }).count;
    };
    diagnosticsChannel.subscribe('isotrace:dropped', listen);
    onTestFinished(() => void diagnosticsChannel.unsubscribe('isotrace:dropped', listen));
    kit.add(20);
    const whenAborted = kit.cargo.whenAborted;
    kit.cargo.whenAborted = (spans) => (spans.includes(0) ? { status: 'success', rejected: 3 } : whenAborted(spans));
    const closing = kit.lane.close('shutdown_deadline');
    expect(kit.ledger.snapshot(0)).toMatchObject({ exported: 0, dropped: { shutdown_deadline: 20 } });
    await closing;
    expect(kit.ledger.snapshot(0)).toMatchObject({ exported: 7, dropped: { shutdown_deadline: 13 } });
    expect(published).toBe(13);
    expect([kit.imbalance, kit.leftovers]).toEqual([[], []]);
  });

  it('ends all waits and all sending', async () => {
    const kit = kitWith();
    kit.add(3);
    kit.shed(1);
    void kit.lane.close('evicted');
    expect(kit.leftovers).toEqual([]);
    kit.lane.hurry();
    kit.lane.due();
    await kit.advance(60_000);
    expect(kit.cargo.attempts).toHaveLength(0);
    expect(await isSettled(kit.lane.settled('empty'))).toBe(true);
  });

  it('may be called while an attempt is being settled', async () => {
    const kit = kitWith();
    kit.add(20);
    void kit.lane.settled('attempted').then(() => kit.lane.close('evicted'));
    await kit.answer(DELIVERED);
    void kit.lane.close('evicted');
    await settle(1);
    expect(kit.ledger.snapshot(0)).toMatchObject({ exported: 10, dropped: { evicted: 10 } });
    expect(kit.leftovers).toEqual([]);
  });
});

describe('diagnostics', () => {
  it('tell of each failure, whether it is retried, and of each loss', async () => {
    const messages: unknown[] = [];
    const listen = (message: unknown): void => {
      messages.push(message);
    };
    for (const name of ['isotrace:export:failed', 'isotrace:dropped']) diagnosticsChannel.subscribe(name, listen);
    const kit = kitWith();
    kit.add(10);
    await kit.answer(UNAVAILABLE);
    await kit.advance(1_000);
    await kit.answer(REJECTED);
    for (const name of ['isotrace:export:failed', 'isotrace:dropped']) diagnosticsChannel.unsubscribe(name, listen);
    expect(messages).toEqual([
      { tenantId: 'a', reason: 'HTTP 503', willRetry: true },
      { tenantId: 'a', reason: 'HTTP 400', willRetry: false },
      { tenantId: 'a', reason: 'rejected', count: 10 },
    ]);
  });
});

describe('whatever a receiver answers', () => {
  it('the account balances, pauses are kept and nothing leaks', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(stepArbitrary(), { maxLength: 60 }), fc.nat(), async (steps, seed) => {
        const run = new RandomRun(new LaneKit({ maxBatchSize: 8, seed }));
        for (const step of steps) await run.step(step);
        await run.finish();
      }),
      { numRuns: 400 },
    );
  });
});

type Step =
  | { readonly kind: 'add'; readonly count: number }
  | { readonly kind: 'shed'; readonly count: number }
  | { readonly kind: 'answer'; readonly outcome: DeliveryOutcome; readonly index: number }
  | { readonly kind: 'advance'; readonly millis: number }
  | { readonly kind: 'flush' }
  | { readonly kind: 'close' };

class RandomRun {
  readonly #kit: LaneKit;
  readonly #flushes: Promise<void>[] = [];
  #pausedUntil = 0;
  #seen = 0;
  #closed = false;

  constructor(kit: LaneKit) {
    this.#kit = kit;
  }

  async step(step: Step): Promise<void> {
    const kit = this.#kit;
    if (this.#closed) return;
    if (step.kind === 'add') kit.add(step.count);
    else if (step.kind === 'shed') kit.shed(step.count);
    else if (step.kind === 'advance') await kit.advance(step.millis);
    else if (step.kind === 'flush') this.#flush();
    else if (step.kind === 'close') this.#close();
    else if (kit.cargo.open.length > 0) await this.#answer(step.outcome, step.index % kit.cargo.open.length);
    this.#check();
  }

  async finish(): Promise<void> {
    const kit = this.#kit;
    kit.cargo.script = () => DELIVERED;
    for (const attempt of kit.cargo.open) attempt.answer(DELIVERED);
    await settle(1);
    // The longest pause that a step asks for, the delay of a batch, and something to spare.
    for (let waits = 0; waits < 4; waits += 1) await kit.advance(80_000);
    expect(kit.leftovers).toEqual([]);
    expect(kit.imbalance).toEqual([]);
    await Promise.all(this.#flushes);
    void kit.lane.close('evicted');
    expect(kit.dispatcher.origins).toBe(0);
  }

  async #answer(outcome: DeliveryOutcome, index: number): Promise<void> {
    const asked = outcome.status === 'retryable' ? (outcome.retryAfterMillis ?? 0) : 0;
    const until = this.#kit.clock.monotonic() + asked;
    await this.#kit.answer(outcome, index);
    this.#pausedUntil = Math.max(this.#pausedUntil, until);
  }

  #flush(): void {
    const { lane } = this.#kit;
    lane.hurry();
    this.#flushes.push(lane.settled('attempted').then(() => lane.relax()));
  }

  #close(): void {
    this.#closed = true;
    void this.#kit.lane.close('shutdown_deadline');
    expect(this.#kit.lane.queued).toBe(0);
  }

  #check(): void {
    const { cargo, imbalance, lane } = this.#kit;
    expect(imbalance).toEqual([]);
    expect(cargo.open.length).toBeLessThanOrEqual(2);
    for (const attempt of cargo.attempts.slice(this.#seen))
      expect(attempt.at).toBeGreaterThanOrEqual(this.#pausedUntil);
    this.#seen = cargo.attempts.length;
    expect(lane.failures > 0 && lane.standing !== 'suspect').toBe(false);
  }
}

function stepArbitrary(): fc.Arbitrary<Step> {
  const outcome = fc.oneof(
    { weight: 4, arbitrary: fc.constant(DELIVERED) },
    fc.record({ status: fc.constant('success' as const), rejected: fc.nat({ max: 10 }) }),
    { weight: 2, arbitrary: fc.constant(UNAVAILABLE) },
    fc.integer({ min: 1, max: 60_000 }).map(throttled),
    fc.constantFrom(REJECTED, TOO_LARGE, UNAUTHORIZED, MISCONFIGURED),
  );
  return fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('add' as const), count: fc.integer({ min: 1, max: 20 }) }) },
    { weight: 8, arbitrary: fc.record({ kind: fc.constant('answer' as const), outcome, index: fc.nat({ max: 1 }) }) },
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('advance' as const), millis: fc.nat({ max: 20_000 }) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('flush' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('shed' as const), count: fc.integer({ min: 1, max: 20 }) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('advance' as const), millis: fc.constant(FIVE_MINUTES) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('close' as const) }) },
  );
}
