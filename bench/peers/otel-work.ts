import type { Span, Tracer } from '@opentelemetry/api';
import { eightAttributes, type Shape, type Work } from '../support/workload.ts';

/** How the users of a peer trace a function. */
export interface Wrappers {
  sync(tracer: Tracer, fn: (turn: number) => number): (turn: number) => number;
  async(tracer: Tracer, fn: (turn: number) => Promise<number>): (turn: number) => Promise<number>;
}

const CHILDREN = 3;

/** The work of every peer that is, or gives, an OpenTelemetry tracer. */
export class OtelWork implements Work {
  readonly #tracer: Tracer;
  readonly #wrappers: Wrappers;
  #turn = 0;

  constructor(tracer: Tracer, wrappers: Wrappers) {
    this.#tracer = tracer;
    this.#wrappers = wrappers;
  }

  repeat(shape: Shape, count: number): number | Promise<number> {
    switch (shape) {
      case 'span0':
        for (let turn = 0; turn < count; turn++) this.#tracer.startSpan('work').end();
        return count;
      case 'span8':
        for (let turn = 0; turn < count; turn++) endWithAttributes(this.#tracer.startSpan('work'), turn);
        return count;
      case 'child':
        return this.#underParent(() => {
          for (let turn = 0; turn < count; turn++) this.#tracer.startActiveSpan('work', end);
          return count;
        });
      case 'child8':
        return this.#underParent(() => {
          for (let turn = 0; turn < count; turn++) this.#child(turn);
          return count;
        });
      case 'sync':
        return this.#repeatSync(this.#wrappers.sync(this.#tracer, addOne), count);
      case 'async':
        return this.#repeatAsync(this.#wrappers.async(this.#tracer, addOneLater), count);
    }
  }

  request(): number {
    const first = this.#turn++;
    return this.#tracer.startActiveSpan('GET /orders/:id', (root) => {
      root.setAttributes(eightAttributes(first));
      for (let child = 0; child < CHILDREN; child++) this.#child(first + child);
      root.end();
      return CHILDREN + 1;
    });
  }

  single(): number {
    endWithAttributes(this.#tracer.startSpan('work'), this.#turn++);
    return 1;
  }

  #repeatSync(traced: (turn: number) => number, count: number): number {
    return this.#underParent(() => {
      for (let turn = 0; turn < count; turn++) traced(turn);
      return count;
    });
  }

  #repeatAsync(traced: (turn: number) => Promise<number>, count: number): Promise<number> {
    return this.#tracer.startActiveSpan('parent', async (parent) => {
      for (let turn = 0; turn < count; turn++) await traced(turn);
      parent.end();
      return count + 1;
    });
  }

  #child(turn: number): void {
    this.#tracer.startActiveSpan('work', (span) => endWithAttributes(span, turn));
  }

  #underParent(fn: () => number): number {
    return this.#tracer.startActiveSpan('parent', (parent) => {
      const made = fn();
      parent.end();
      return made + 1;
    });
  }
}

function end(span: Span): void {
  span.end();
}

function endWithAttributes(span: Span, turn: number): void {
  span.setAttributes(eightAttributes(turn));
  span.end();
}

function addOne(turn: number): number {
  return turn + 1;
}

async function addOneLater(turn: number): Promise<number> {
  await Promise.resolve();
  return turn + 1;
}
