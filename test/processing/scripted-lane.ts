import { Agenda } from '../../src/processing/agenda.ts';
import { Dispatcher } from '../../src/processing/dispatcher.ts';
import { Lane } from '../../src/processing/lane.ts';
import type { Batch, LaneCargo } from '../../src/processing/lane-cargo.ts';
import { LaneGroup } from '../../src/processing/lane-group.ts';
import { Ledger } from '../../src/processing/ledger.ts';
import type { DeliveryOutcome } from '../../src/processing/outcome.ts';
import { createRetryPolicy } from '../../src/processing/retry-policy.ts';
import { Guard } from '../../src/utils/guard.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';

export const DELIVERED: DeliveryOutcome = { status: 'success', rejected: 0 };
export const UNAVAILABLE: DeliveryOutcome = { status: 'retryable', reason: 'unavailable', message: 'HTTP 503' };
export const REJECTED: DeliveryOutcome = { status: 'failure', reason: 'rejected', message: 'HTTP 400' };
const ABORTED: DeliveryOutcome = { status: 'retryable', reason: 'aborted', message: 'given up' };
export const TOO_LARGE: DeliveryOutcome = { status: 'failure', reason: 'too_large', message: 'HTTP 413' };
export const UNAUTHORIZED: DeliveryOutcome = { status: 'failure', reason: 'unauthorized', message: 'HTTP 401' };
export const MISCONFIGURED: DeliveryOutcome = { status: 'failure', reason: 'config', message: 'no TLS there' };

export function throttled(retryAfterMillis: number): DeliveryOutcome {
  return { status: 'retryable', reason: 'throttled', message: 'HTTP 429', retryAfterMillis };
}

/** Spans are numbers, in the order in which they were put in. */
export interface Numbers extends Batch {
  readonly spans: readonly number[];
}

export interface ScriptedAttempt {
  readonly spans: readonly number[];
  /** On the monotonic clock. */
  readonly at: number;
  readonly signal: AbortSignal;
  answered: boolean;
  answer(outcome: DeliveryOutcome): void;
  fail(error: unknown): void;
}

/** A cargo whose attempts wait for the test to answer them, or are answered by `script`. */
export class ScriptedCargo implements LaneCargo<Numbers> {
  readonly destination = 'https://scripted.test/v1/traces';
  readonly origin = 'https://scripted.test';
  readonly bytes = 0;
  readonly attempts: ScriptedAttempt[] = [];
  /** Batches that were taken or made by halving, and not released. */
  readonly held = new Set<Numbers>();
  readonly problems: string[] = [];
  script: ((spans: readonly number[], index: number) => DeliveryOutcome) | undefined;
  whenAborted = (_spans: readonly number[]): DeliveryOutcome => ABORTED;
  readonly #maxBatchSize: number;
  readonly #clock: FakeClock;
  #queue: number[] = [];
  #next = 0;

  constructor(clock: FakeClock, maxBatchSize: number) {
    this.#clock = clock;
    this.#maxBatchSize = maxBatchSize;
  }

  get size(): number {
    return this.#queue.length;
  }

  get full(): boolean {
    return this.#queue.length >= this.#maxBatchSize;
  }

  get open(): readonly ScriptedAttempt[] {
    return this.attempts.filter(({ answered }) => !answered);
  }

  push(): void {
    this.#queue.push(this.#next);
    this.#next += 1;
  }

  /** As a full budget does. */
  dropNewest(count: number): number {
    return this.#queue.splice(Math.max(this.#queue.length - count, 0)).length;
  }

  take(): Numbers | undefined {
    if (this.#queue.length === 0) return undefined;
    return this.#hold(this.#queue.splice(0, this.#maxBatchSize));
  }

  attempt(batch: Numbers, signal: AbortSignal): Promise<DeliveryOutcome> {
    if (!this.held.has(batch)) this.problems.push('sent a batch that was released');
    return new Promise((resolve, reject) => {
      const attempt: ScriptedAttempt = {
        spans: batch.spans,
        at: this.#clock.monotonic(),
        signal,
        answered: false,
        answer: (outcome) => {
          if (!this.held.has(batch)) this.problems.push('released a batch that was under way');
          attempt.answered = true;
          resolve(outcome);
        },
        fail: (error) => {
          attempt.answered = true;
          reject(error as Error);
        },
      };
      this.attempts.push(attempt);
      signal.addEventListener('abort', () => {
        if (!attempt.answered) attempt.answer(this.whenAborted(batch.spans));
      });
      if (this.script !== undefined) attempt.answer(this.script(batch.spans, this.attempts.length - 1));
    });
  }

  split(batch: Numbers): readonly [Numbers, Numbers] | undefined {
    const half = batch.count >>> 1;
    if (half === 0) return undefined;
    this.release(batch);
    return [this.#hold(batch.spans.slice(0, half)), this.#hold(batch.spans.slice(half))];
  }

  release(batch: Numbers): void {
    if (!this.held.delete(batch)) this.problems.push('released a batch twice');
  }

  clear(): number {
    return this.#queue.splice(0).length;
  }

  #hold(spans: readonly number[]): Numbers {
    const batch = { spans, count: spans.length };
    this.held.add(batch);
    return batch;
  }
}

export interface LaneKitOptions {
  readonly maxBatchSize?: number;
  readonly delayMillis?: number;
  readonly seed?: number;
  /** The lane of another signal to the same destination. */
  readonly beside?: LaneKit;
}

/** A lane with everything real but time and its cargo. */
export class LaneKit {
  readonly clock: FakeClock;
  readonly agenda: Agenda;
  readonly dispatcher: Dispatcher;
  readonly group: LaneGroup;
  readonly ledger = new Ledger();
  readonly guard: Guard;
  readonly cargo: ScriptedCargo;
  readonly lane: Lane;
  progressed = 0;

  constructor({ beside, maxBatchSize = 10, delayMillis = 5_000, seed = 1 }: LaneKitOptions = {}) {
    this.clock = beside?.clock ?? new FakeClock({ seed });
    this.agenda = beside?.agenda ?? new Agenda(this.clock);
    this.dispatcher = beside?.dispatcher ?? new Dispatcher();
    const retryPolicy = createRetryPolicy({ clock: this.clock });
    this.group = beside?.group ?? new LaneGroup(this.clock, retryPolicy);
    this.guard = new Guard({ clock: this.clock, level: 'balanced' });
    this.cargo = new ScriptedCargo(this.clock, maxBatchSize);
    this.lane = new Lane({
      tenantId: 'a',
      cargo: this.cargo,
      delayMillis,
      ledger: this.ledger,
      guard: this.guard,
      clock: this.clock,
      agenda: this.agenda,
      dispatcher: this.dispatcher,
      retryPolicy,
      group: this.group,
      progressed: () => {
        this.progressed += 1;
      },
    });
  }

  add(count: number): void {
    for (let left = count; left > 0; left -= 1) {
      this.ledger.countCreated(1);
      this.cargo.push();
      this.lane.added();
    }
  }

  shed(count: number): void {
    this.lane.lost(this.cargo.dropNewest(count));
  }

  /** Answers the attempt that has waited longest. */
  async answer(outcome: DeliveryOutcome, index = 0): Promise<void> {
    const attempt = this.cargo.open[index];
    if (attempt === undefined) throw new Error('no attempt is under way');
    attempt.answer(outcome);
    await settle(1);
  }

  async advance(millis: number): Promise<void> {
    await this.clock.advanceAsync(millis);
  }

  /** Milliseconds, of all attempts so far. */
  get attemptTimes(): readonly number[] {
    return this.cargo.attempts.map(({ at }) => at);
  }

  /** What does not add up at this moment; empty when all is well. */
  get imbalance(): readonly string[] {
    const { created, exported, queued, dropped } = this.ledger.snapshot(this.lane.queued);
    const lost = Object.values(dropped).reduce((sum, count) => sum + count, 0);
    const problems = [...this.cargo.problems];
    if (created !== exported + queued + lost) problems.push(`${created} != ${exported} + ${queued} + ${lost}`);
    return problems;
  }

  /** What a lane without work must not hold; empty when all is well. */
  get leftovers(): readonly string[] {
    const { agenda, cargo, dispatcher, lane } = this;
    const problems: string[] = [];
    if (cargo.held.size > 0) problems.push(`${cargo.held.size} batches are not released`);
    if (dispatcher.underWay > 0) problems.push(`${dispatcher.underWay} slots are taken`);
    if (agenda.size > 0) problems.push(`${agenda.size} jobs wait`);
    if (lane.queued > 0) problems.push(`${lane.queued} spans wait`);
    return problems;
  }
}
