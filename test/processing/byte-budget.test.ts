import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BudgetUser, ByteBudget } from '../../src/processing/byte-budget.ts';

const KIB = 1_024;
const MAX_BYTES = 1_000 * KIB;

type Step =
  | { readonly kind: 'push'; readonly user: number; readonly bytes: number }
  | { readonly kind: 'take' | 'release' | 'leave'; readonly user: number };

describe('ByteBudget', () => {
  it('stays within its bound, and only those who hold more make room', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.array(stepArbitrary(), { maxLength: 120 }), (users, steps) => {
        const comparison = new Comparison(users);
        for (const step of steps) comparison.run(step);
        comparison.finish();
      }),
      { numRuns: 1_000 },
    );
  });

  it('lets the largest give up its newest items for a small one', () => {
    const budget = new ByteBudget(MAX_BYTES);
    const [large, small] = [new Queue(budget), new Queue(budget)];
    while (large.push(100 * KIB));
    expect(large.bytes).toBe(1_000 * KIB);
    expect(small.push(10 * KIB)).toBe(true);
    expect([large.bytes, small.bytes, budget.used]).toEqual([900 * KIB, 10 * KIB, 910 * KIB]);
  });

  it('asks the next largest when what the largest holds is under way', () => {
    const budget = new ByteBudget(MAX_BYTES);
    const [first, second, small] = [new Queue(budget), new Queue(budget), new Queue(budget)];
    for (let count = 0; count < 6; count += 1) first.push(100 * KIB);
    for (let count = 0; count < 4; count += 1) second.push(100 * KIB);
    first.take();
    expect(small.push(10 * KIB)).toBe(true);
    expect([first.bytes, second.bytes, small.bytes]).toEqual([600 * KIB, 300 * KIB, 10 * KIB]);
  });

  it('refuses a small one only when nobody has anything left to give up', () => {
    const budget = new ByteBudget(MAX_BYTES);
    const [large, small] = [new Queue(budget), new Queue(budget)];
    while (large.push(100 * KIB));
    large.take();
    expect(small.push(10 * KIB)).toBe(false);
    large.release();
    expect(small.push(10 * KIB)).toBe(true);
    expect(budget.used).toBe(10 * KIB);
  });

  it('frees more than is needed at once, so that a full budget is not shed item by item', () => {
    const budget = new ByteBudget(MAX_BYTES);
    const [large, small] = [new Queue(budget), new Queue(budget)];
    while (large.push(KIB));
    for (let count = 0; count < 64; count += 1) small.push(KIB);
    expect(large.sheds).toBe(1);
  });
});

/** What a cargo is to the budget: items that wait, and items that are under way. */
class Queue implements BudgetUser {
  readonly waiting: number[] = [];
  sheds = 0;
  onShed = (): void => {};
  readonly #budget: ByteBudget;
  #taken = 0;

  constructor(budget: ByteBudget) {
    this.#budget = budget;
    budget.join(this);
  }

  get bytes(): number {
    return this.waiting.reduce((sum, bytes) => sum + bytes, this.#taken);
  }

  push(bytes: number): boolean {
    if (!this.#budget.reserve(this, bytes)) return false;
    this.waiting.push(bytes);
    return true;
  }

  take(): void {
    for (const bytes of this.waiting.splice(0)) this.#taken += bytes;
  }

  release(): void {
    this.#budget.release(this.#taken);
    this.#taken = 0;
  }

  leave(): void {
    this.#budget.release(this.waiting.splice(0).reduce((sum, bytes) => sum + bytes, 0));
    this.#budget.leave(this);
  }

  shed(bytes: number): number {
    this.onShed();
    this.sheds += 1;
    let freed = 0;
    while (freed < bytes && this.waiting.length > 0) freed += this.waiting.pop() as number;
    this.#budget.release(freed);
    return freed;
  }
}

class Comparison {
  readonly #budget = new ByteBudget(MAX_BYTES);
  readonly #users: Queue[];
  readonly #gone = new Set<Queue>();

  constructor(users: number) {
    this.#users = Array.from({ length: users }, () => new Queue(this.#budget));
  }

  run(step: Step): void {
    const user = this.#users[step.user % this.#users.length] as Queue;
    if (step.kind === 'push') this.#push(user, step.bytes);
    else if (step.kind === 'leave') this.#leave(user);
    else user[step.kind]();
    expect(this.#budget.used).toBe(this.#users.reduce((sum, { bytes }) => sum + bytes, 0));
    expect(this.#budget.used).toBeLessThanOrEqual(MAX_BYTES);
  }

  finish(): void {
    for (const user of this.#users) {
      user.leave();
      user.release();
    }
    expect(this.#budget.used).toBe(0);
  }

  #push(user: Queue, bytes: number): void {
    if (this.#gone.has(user)) return;
    const others = this.#users.filter((other) => other !== user && !this.#gone.has(other));
    for (const victim of others) {
      victim.onShed = () => {
        expect(victim.bytes).toBeGreaterThan(user.bytes);
        const larger = others.filter((other) => other.waiting.length > 0 && other.bytes > victim.bytes);
        expect(larger).toEqual([]);
      };
    }
    if (user.push(bytes)) return;
    const couldGive = others.filter((other) => other.waiting.length > 0 && other.bytes > user.bytes);
    expect(couldGive).toEqual([]);
    expect(this.#budget.used + bytes).toBeGreaterThan(MAX_BYTES);
  }

  #leave(user: Queue): void {
    user.leave();
    this.#gone.add(user);
  }
}

function stepArbitrary(): fc.Arbitrary<Step> {
  const user = fc.nat({ max: 5 });
  return fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({ kind: fc.constant('push'), user, bytes: fc.integer({ min: 1, max: 200 * KIB }) }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('take', 'release'), user }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('leave'), user }) },
  );
}
