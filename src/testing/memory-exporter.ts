import type { SpanExporter } from '@opentelemetry/sdk-trace';
import { type RecordedSpan, recordSpan } from './recorded-span.ts';

/** Keeps what a tracer exports; it holds at most 100,000 spans, the latest. */
export class MemoryExporter implements SpanExporter {
  #spans: RecordedSpan[] = [];

  get spans(): readonly RecordedSpan[] {
    return this.#spans;
  }

  export(...[spans, done]: Parameters<SpanExporter['export']>): void {
    this.#spans = [...this.#spans, ...spans.map(recordSpan)].slice(-MAX_SPANS);
    done({ code: 0 });
  }

  async forceFlush(): Promise<void> {}

  async shutdown(): Promise<void> {}

  clear(): void {
    this.#spans = [];
  }
}

const MAX_SPANS = 100_000;
