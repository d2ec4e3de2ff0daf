import type { Attributes } from '@opentelemetry/api';
import { eightAttributes, type Shape, type Work } from '../support/workload.ts';

const CHILDREN = 3;

/** The work of every peer, in terms of the few things that its users call. */
export abstract class SpanWork implements Work {
  #turn = 0;

  /** Starts and ends a span. */
  protected abstract span(attributes: Attributes | undefined): void;
  /** Runs the function inside an active span that ends when the function has returned. */
  protected abstract active<T>(attributes: Attributes | undefined, fn: () => T): T;
  /** The same around a function that answers a promise; the span ends when that is settled. */
  protected abstract activeAsync<T>(fn: () => Promise<T>): Promise<T>;
  /** Traces each call of a function, as a user of the peer does. */
  protected abstract wrapSync(fn: (turn: number) => number): (turn: number) => number;
  protected abstract wrapAsync(fn: (turn: number) => Promise<number>): (turn: number) => Promise<number>;

  repeat(shape: Shape, count: number): number | Promise<number> {
    switch (shape) {
      case 'span0':
        for (let turn = 0; turn < count; turn++) this.span(undefined);
        return count;
      case 'span8':
        for (let turn = 0; turn < count; turn++) this.span(eightAttributes(turn));
        return count;
      case 'child':
        return this.#underParent(count, () => this.active(undefined, nothing));
      case 'child8':
        return this.children(eightAttributes, count);
      case 'sync':
        return this.#underParent(count, this.wrapSync(addOne));
      case 'async':
        return this.#repeatAsync(this.wrapAsync(addOneLater), count);
    }
  }

  children(attributesOf: (turn: number) => Attributes, count: number): number {
    return this.#underParent(count, (turn) => this.active(attributesOf(turn), nothing));
  }

  request(): number {
    const first = this.#turn++;
    return this.active(eightAttributes(first), () => {
      for (let child = 0; child < CHILDREN; child++) this.active(eightAttributes(first + child), nothing);
      return CHILDREN + 1;
    });
  }

  single(): number {
    this.span(eightAttributes(this.#turn++));
    return 1;
  }

  #underParent(count: number, work: (turn: number) => unknown): number {
    return this.active(undefined, () => {
      for (let turn = 0; turn < count; turn++) work(turn);
      return count + 1;
    });
  }

  #repeatAsync(traced: (turn: number) => Promise<number>, count: number): Promise<number> {
    return this.activeAsync(async () => {
      for (let turn = 0; turn < count; turn++) await traced(turn);
      return count + 1;
    });
  }
}

function nothing(): void {}

function addOne(turn: number): number {
  return turn + 1;
}

async function addOneLater(turn: number): Promise<number> {
  await Promise.resolve();
  return turn + 1;
}
