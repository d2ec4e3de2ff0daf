import type { Clock } from '../utils/clock.ts';
import { describeError } from '../utils/errors.ts';
import type { Headers } from '../utils/headers.ts';
import type { Agenda } from './agenda.ts';
import { limitAttempt } from './attempt-limit.ts';
import type { BudgetUser, ByteBudget } from './byte-budget.ts';
import type { SpanBatch, SpanByteQueue } from './byte-queue.ts';
import type { LaneCargo } from './lane-cargo.ts';
import type { DeliveryOutcome } from './outcome.ts';
import type { SpanSender, WireSettings } from './span-sender.ts';

/** Where a cargo's requests go. */
export interface SpanDestination extends WireSettings {
  /** Limit of one attempt, reading the headers included. */
  readonly timeoutMillis: number;
  /** The headers for one attempt, read anew each time; rejects when they cannot be had. */
  readonly headers: () => Headers | Promise<Headers>;
}

export interface SpanCargoOptions {
  readonly destination: SpanDestination;
  readonly queue: SpanByteQueue;
  readonly maxBatchSize: number;
  readonly maxBatchBytes: number;
  readonly budget: ByteBudget;
  readonly agenda: Agenda;
  readonly clock: Clock;
  readonly send: SpanSender;
  /** The body of a request, with the tenant's resource. */
  readonly frame: (batch: SpanBatch) => Uint8Array;
  /** Told how many waiting spans had to be given up for the process's budget. */
  readonly lost: (count: number) => void;
}

const NO_HEADERS = 'the headers function did not answer in time';

/** Encoded spans on their way to an OTLP receiver. Resource, scopes and credentials are added when a request is made. */
export class SpanCargo implements LaneCargo<SpanBatch>, BudgetUser {
  readonly #options: SpanCargoOptions;
  /** Bytes of batches that were taken and not yet released. */
  #takenBytes = 0;

  constructor(options: SpanCargoOptions) {
    this.#options = options;
    options.budget.join(this);
  }

  get destination(): string {
    const { url } = this.#options.destination;
    return `${url.origin}${url.pathname}`;
  }

  get origin(): string {
    return this.#options.destination.url.origin;
  }

  get size(): number {
    return this.#options.queue.size;
  }

  /** Bytes that wait or are under way. */
  get bytes(): number {
    return this.#options.queue.bytes + this.#takenBytes;
  }

  get full(): boolean {
    const { queue, maxBatchSize, maxBatchBytes } = this.#options;
    return queue.size >= maxBatchSize || queue.bytes >= maxBatchBytes;
  }

  /** Copies an encoded span in; false when the queue or the process's budget is full. */
  push(scratch: Uint8Array, start: number, end: number, scopeIndex: number): boolean {
    const { budget, queue } = this.#options;
    const before = queue.bytes;
    // In this order, so that nobody makes room for a span that its own queue then refuses.
    if (!queue.push(scratch, start, end, scopeIndex)) return false;
    const bytes = queue.bytes - before;
    if (budget.reserve(this, bytes)) return true;
    queue.dropNewest(bytes);
    return false;
  }

  take(): SpanBatch | undefined {
    const { maxBatchBytes, maxBatchSize, queue } = this.#options;
    const batch = queue.take(maxBatchSize, maxBatchBytes);
    if (batch !== undefined) this.#takenBytes += batch.bytes;
    return batch;
  }

  async attempt(batch: SpanBatch, signal: AbortSignal): Promise<DeliveryOutcome> {
    const { agenda, clock, destination, frame, send } = this.#options;
    const endsAt = clock.monotonic() + destination.timeoutMillis;
    let headers: Headers | 'timeout' | 'aborted';
    try {
      const given = destination.headers();
      headers = given instanceof Promise ? await limitAttempt(given, { agenda, endsAt, signal }) : given;
    } catch (error) {
      return { status: 'retryable', reason: 'hook', message: describeError(error) };
    }
    if (headers === 'aborted') return { status: 'retryable', reason: 'aborted', message: 'given up' };
    if (headers === 'timeout') return { status: 'retryable', reason: 'hook', message: NO_HEADERS };
    const timeoutMillis = Math.max(Math.ceil(endsAt - clock.monotonic()), 1);
    return send({ body: frame(batch), headers, timeoutMillis, signal });
  }

  split(batch: SpanBatch): readonly [SpanBatch, SpanBatch] | undefined {
    return batch.split();
  }

  release(batch: SpanBatch): void {
    this.#takenBytes -= batch.bytes;
    this.#options.budget.release(batch.bytes);
    batch.release();
  }

  clear(): number {
    const { budget, queue } = this.#options;
    budget.release(queue.bytes);
    budget.leave(this);
    return queue.clear();
  }

  shed(bytes: number): number {
    const { budget, lost, queue } = this.#options;
    const before = queue.bytes;
    const count = queue.dropNewest(bytes);
    const freed = before - queue.bytes;
    budget.release(freed);
    if (count > 0) lost(count);
    return freed;
  }
}
