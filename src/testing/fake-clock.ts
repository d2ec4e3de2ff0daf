import type { Clock, Timer } from '../utils/clock.ts';

/** Where a clock starts. */
export interface FakeClockOptions {
  /** What `now()` starts at. Default 2025-01-01T00:00:00Z. */
  readonly startEpochMillis?: number;
  /** Of the random numbers. Default 1. */
  readonly seed?: number;
}

interface FakeTimer {
  readonly dueAt: number;
  readonly callback: () => void;
}

/** Time that stands still until a test moves it, and random numbers that are the same in every run. */
export class FakeClock implements Clock {
  readonly #timers = new Set<FakeTimer>();
  #monotonic = 0;
  #epochAtZero: number;
  #seed: number;

  constructor({ startEpochMillis = Date.UTC(2025, 0, 1), seed = 1 }: FakeClockOptions = {}) {
    this.#epochAtZero = startEpochMillis;
    this.#seed = seed;
  }

  now(): number {
    return this.#epochAtZero + this.#monotonic;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  toEpoch(monotonicMillis: number): number {
    return this.#epochAtZero + monotonicMillis;
  }

  /** Mulberry32. */
  random(): number {
    this.#seed = (this.#seed + 0x6d2b79f5) | 0;
    let value = Math.imul(this.#seed ^ (this.#seed >>> 15), this.#seed | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  }

  schedule(callback: () => void, delayMillis: number): Timer {
    const timer: FakeTimer = { dueAt: this.#monotonic + Math.max(delayMillis, 0), callback };
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer) };
  }

  /** Timers that wait. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Milliseconds until the next timer; undefined without any. */
  get nextDelayMillis(): number | undefined {
    const next = this.#next();
    return next && next.dueAt - this.#monotonic;
  }

  /** Moves time on and runs the timers that become due, in order, those included that they schedule. */
  advance(millis: number): void {
    const end = this.#monotonic + millis;
    while (this.#runNext(end));
    this.#monotonic = end;
  }

  /** As `advance`, but lets promises and pending I/O settle before, between and after the timers. */
  async advanceAsync(millis: number): Promise<void> {
    const end = this.#monotonic + millis;
    await settle();
    while (this.#runNext(end)) await settle();
    this.#monotonic = end;
  }

  /** Sets the wall clock forward or back without any time passing. */
  jumpWallClock(millis: number): void {
    this.#epochAtZero += millis;
  }

  #runNext(end: number): boolean {
    const next = this.#next();
    if (!next || next.dueAt > end) return false;
    this.#timers.delete(next);
    this.#monotonic = Math.max(this.#monotonic, next.dueAt);
    next.callback();
    return true;
  }

  /** The first due; of several at the same time the one scheduled first. */
  #next(): FakeTimer | undefined {
    let first: FakeTimer | undefined;
    for (const timer of this.#timers) {
      if (!first || timer.dueAt < first.dueAt) first = timer;
    }
    return first;
  }
}

/** Lets promises and the I/O that is ready run. */
export async function settle(turns = 3): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
  }
}
