import { outsideOfRequests } from '../infra/untraced.ts';
import type { Clock, Timer } from '../utils/clock.ts';

/** Something to be done at a point in time. One job stands in an agenda at most once. */
export interface Job {
  /**
   * Called when the time has come, or up to 10 ms earlier, outside of every request; the job is no longer in the
   * agenda then. Must not throw.
   */
  due(now: number): void;
}

/** Jobs that come due within this time of each other run in one wake-up. */
const SLACK_MILLIS = 10;

interface Entry {
  at: number;
  readonly job: Job;
  /** Where it stands in the heap. */
  position: number;
}

/**
 * One timer for everything that waits: a binary heap of jobs ordered by time. All tenants of a pipeline share it, so
 * that a thousand tenants cost one timer.
 */
export class Agenda {
  readonly #clock: Clock;
  readonly #heap: Entry[] = [];
  readonly #entries = new Map<Job, Entry>();
  /** Jobs of this wake-up that have not run yet. */
  readonly #ripe = new Set<Job>();
  #timer: Timer | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#heap.length + this.#ripe.size;
  }

  now(): number {
    return this.#clock.monotonic();
  }

  /** Puts the job at `at` on the monotonic clock, or moves it there. */
  schedule(job: Job, at: number): void {
    if (this.#closed) return;
    this.#ripe.delete(job);
    let entry = this.#entries.get(job);
    if (entry === undefined) {
      entry = { at, job, position: this.#heap.length };
      this.#entries.set(job, entry);
      this.#heap.push(entry);
      this.#up(entry.position);
    } else {
      const earlier = at < entry.at;
      entry.at = at;
      if (earlier) this.#up(entry.position);
      else this.#down(entry.position);
    }
    this.#arm();
  }

  cancel(job: Job): void {
    this.#ripe.delete(job);
    const entry = this.#entries.get(job);
    if (entry !== undefined) this.#remove(entry);
  }

  /** Forgets all jobs and stops the timer. */
  close(): void {
    this.#closed = true;
    this.#heap.length = 0;
    this.#entries.clear();
    this.#ripe.clear();
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(): void {
    const first = this.#heap[0];
    if (first === undefined) return;
    if (this.#timer !== undefined && this.#timerAt <= first.at) return;
    this.#timer?.cancel();
    this.#timerAt = first.at;
    const delayMillis = first.at - this.#clock.monotonic();
    // The jobs are of many tenants: none may run in the async context of whoever happened to set the timer.
    this.#timer = outsideOfRequests(() => this.#clock.schedule(() => this.#wake(), delayMillis));
  }

  #wake(): void {
    this.#timer = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
    const now = this.#clock.monotonic();
    for (let first = this.#heap[0]; first !== undefined && first.at <= now + SLACK_MILLIS; first = this.#heap[0]) {
      this.#remove(first);
      this.#ripe.add(first.job);
    }
    // What these schedule waits for another wake-up, however soon, so that none can keep the loop for itself.
    for (const job of this.#ripe) {
      this.#ripe.delete(job);
      job.due(now);
    }
    this.#arm();
  }

  #remove(removed: Entry): void {
    this.#entries.delete(removed.job);
    const last = this.#heap.pop() as Entry;
    if (last === removed) return;
    this.#place(last, removed.position);
    this.#up(last.position);
    this.#down(last.position);
  }

  #up(from: number): void {
    let position = from;
    const entry = this.#heap[position] as Entry;
    while (position > 0) {
      const parent = (position - 1) >> 1;
      const above = this.#heap[parent] as Entry;
      if (above.at <= entry.at) break;
      this.#place(above, position);
      position = parent;
    }
    this.#place(entry, position);
  }

  #down(from: number): void {
    let position = from;
    const entry = this.#heap[position] as Entry;
    for (;;) {
      let child = position * 2 + 1;
      const left = this.#heap[child];
      if (left === undefined) break;
      const right = this.#heap[child + 1];
      if (right !== undefined && right.at < left.at) child += 1;
      const smallest = this.#heap[child] as Entry;
      if (smallest.at >= entry.at) break;
      this.#place(smallest, position);
      position = child;
    }
    this.#place(entry, position);
  }

  #place(entry: Entry, position: number): void {
    this.#heap[position] = entry;
    entry.position = position;
  }
}
