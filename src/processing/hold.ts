import type { BudgetUser, ByteBudget } from './byte-budget.ts';

export interface HoldOptions<Item> {
  readonly limits: HoldLimits;
  /** What all tenants together may hold. */
  readonly budget: ByteBudget;
  /** The bytes that one takes, about. */
  readonly estimate: (item: Item) => number;
  /** Told how many items had to make room for other tenants. */
  readonly crowdedOut: (count: number) => void;
}

export interface HoldLimits {
  readonly maxQueueSize: number;
  readonly maxQueueBytes: number;
}

/**
 * Telemetry of a tenant whose configuration has not come yet, as objects: the tenant's own rules are still to see it.
 * Bounded in number and in estimated bytes, which count against the budget of the process.
 */
export class Hold<Item> implements BudgetUser {
  readonly #options: HoldOptions<Item>;
  #items: Item[] = [];
  readonly #sizes: number[] = [];
  #bytes = 0;

  constructor(options: HoldOptions<Item>) {
    this.#options = options;
    options.budget.join(this);
  }

  get size(): number {
    return this.#items.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** False when it, or the budget of the process, is full. */
  push(item: Item): boolean {
    const { budget, estimate, limits } = this.#options;
    if (this.#items.length >= limits.maxQueueSize) return false;
    const bytes = estimate(item);
    if (this.#bytes + bytes > limits.maxQueueBytes || !budget.reserve(this, bytes)) return false;
    this.#items.push(item);
    this.#sizes.push(bytes);
    this.#bytes += bytes;
    return true;
  }

  /** Empties the hold for good. */
  takeAll(): Item[] {
    const { budget } = this.#options;
    const items = this.#items;
    budget.release(this.#bytes);
    budget.leave(this);
    this.#items = [];
    this.#sizes.length = 0;
    this.#bytes = 0;
    return items;
  }

  shed(bytes: number): number {
    const { budget, crowdedOut } = this.#options;
    const before = this.#items.length;
    let freed = 0;
    while (freed < bytes && this.#items.length > 0) {
      this.#items.pop();
      freed += this.#sizes.pop() ?? 0;
    }
    const count = before - this.#items.length;
    this.#bytes -= freed;
    budget.release(freed);
    if (count > 0) crowdedOut(count);
    return freed;
  }
}
