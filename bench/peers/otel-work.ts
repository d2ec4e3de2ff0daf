import type { Attributes, Tracer } from '@opentelemetry/api';
import { SpanWork } from './span-work.ts';

/** How the users of a peer trace a function. */
export interface Wrappers {
  sync(tracer: Tracer, fn: (turn: number) => number): (turn: number) => number;
  async(tracer: Tracer, fn: (turn: number) => Promise<number>): (turn: number) => Promise<number>;
}

/** The work of every peer that is, or gives, an OpenTelemetry tracer. */
export class OtelWork extends SpanWork {
  readonly #tracer: Tracer;
  readonly #wrappers: Wrappers;

  constructor(tracer: Tracer, wrappers: Wrappers) {
    super();
    this.#tracer = tracer;
    this.#wrappers = wrappers;
  }

  protected span(attributes: Attributes | undefined): void {
    const span = this.#tracer.startSpan('work');
    if (attributes !== undefined) span.setAttributes(attributes);
    span.end();
  }

  protected active<T>(attributes: Attributes | undefined, fn: () => T): T {
    return this.#tracer.startActiveSpan('work', (span) => {
      if (attributes !== undefined) span.setAttributes(attributes);
      const result = fn();
      span.end();
      return result;
    });
  }

  protected activeAsync<T>(fn: () => Promise<T>): Promise<T> {
    return this.#tracer.startActiveSpan('work', async (span) => {
      const result = await fn();
      span.end();
      return result;
    });
  }

  protected wrapSync(fn: (turn: number) => number): (turn: number) => number {
    return this.#wrappers.sync(this.#tracer, fn);
  }

  protected wrapAsync(fn: (turn: number) => Promise<number>): (turn: number) => Promise<number> {
    return this.#wrappers.async(this.#tracer, fn);
  }
}
