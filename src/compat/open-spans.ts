import type { Span } from '@opentelemetry/api';

/** The attribute of a span that was not ended by whoever began it. */
export const ABANDONED_KEY = 'isotrace.span.abandoned';

/**
 * Spans that are known by their id until they are ended. There are so many at most: the oldest is ended, with
 * `isotrace.span.abandoned`, to make room for another, so code that forgets to end its spans leaks none.
 */
export class OpenSpans {
  readonly #max: number;
  readonly #spans = new Map<string, Span>();

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#spans.size;
  }

  /** Answers the id under which the span is known. */
  add(span: Span): string {
    const { spanId } = span.spanContext();
    this.#spans.set(spanId, span);
    for (const [id, oldest] of this.#spans) {
      if (this.#spans.size <= this.#max) break;
      this.#abandon(id, oldest);
    }
    return spanId;
  }

  get(id: string | undefined): Span | undefined {
    return id === undefined ? undefined : this.#spans.get(id);
  }

  /** Forgets a span that is about to be ended. */
  take(id: string): Span | undefined {
    const span = this.#spans.get(id);
    this.#spans.delete(id);
    return span;
  }

  /** Ends all that are open. */
  abandonAll(): void {
    for (const [id, span] of this.#spans) this.#abandon(id, span);
  }

  #abandon(id: string, span: Span): void {
    this.#spans.delete(id);
    span.setAttribute(ABANDONED_KEY, true);
    span.end();
  }
}
