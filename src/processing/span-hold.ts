import type { BudgetUser, ByteBudget } from './byte-budget.ts';
import type { RecordingSpan } from './span.ts';
import { estimateBytes } from './span-size.ts';

export interface SpanHoldOptions {
  readonly limits: HoldLimits;
  /** What all tenants together may hold. */
  readonly budget: ByteBudget;
  /** Told how many spans had to make room for other tenants. */
  readonly crowdedOut: (count: number) => void;
}

export interface HoldLimits {
  readonly maxQueueSize: number;
  readonly maxQueueBytes: number;
}

/**
 * The ended spans of a tenant whose configuration has not come yet. They stay objects, because the tenant's own
 * sampling, processors and exporter are to see them; bounded in number and in estimated bytes, which count against the
 * budget of the process.
 */
export class SpanHold implements BudgetUser {
  readonly #options: SpanHoldOptions;
  #spans: RecordingSpan[] = [];
  readonly #sizes: number[] = [];
  #bytes = 0;

  constructor(options: SpanHoldOptions) {
    this.#options = options;
    options.budget.join(this);
  }

  get size(): number {
    return this.#spans.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** False when it, or the budget of the process, is full. */
  push(span: RecordingSpan): boolean {
    const { budget, limits } = this.#options;
    if (this.#spans.length >= limits.maxQueueSize) return false;
    const bytes = estimateBytes(span);
    if (this.#bytes + bytes > limits.maxQueueBytes || !budget.reserve(this, bytes)) return false;
    this.#spans.push(span);
    this.#sizes.push(bytes);
    this.#bytes += bytes;
    return true;
  }

  /** Empties the hold for good. */
  takeAll(): RecordingSpan[] {
    const { budget } = this.#options;
    const spans = this.#spans;
    budget.release(this.#bytes);
    budget.leave(this);
    this.#spans = [];
    this.#sizes.length = 0;
    this.#bytes = 0;
    return spans;
  }

  shed(bytes: number): number {
    const { budget, crowdedOut } = this.#options;
    const before = this.#spans.length;
    let freed = 0;
    while (freed < bytes && this.#spans.length > 0) {
      this.#spans.pop();
      freed += this.#sizes.pop() ?? 0;
    }
    const count = before - this.#spans.length;
    this.#bytes -= freed;
    budget.release(freed);
    if (count > 0) crowdedOut(count);
    return freed;
  }
}
