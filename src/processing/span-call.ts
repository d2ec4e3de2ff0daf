import type { Context, Span } from '@opentelemetry/api';
import { context as contextApi, SpanStatusCode } from '@opentelemetry/api';
import type { CallFailure, CallScope } from './call-scope.ts';
import { errorMessage } from './exception.ts';

/** One call that runs inside a span: the span is active in it, records how it fails, and ends with it. */
export class SpanCall implements CallScope {
  readonly #span: Span;
  readonly #context: Context;

  constructor(span: Span, context: Context) {
    this.#span = span;
    this.#context = context;
  }

  run<T>(fn: () => T): T {
    return contextApi.with(this.#context, fn);
  }

  end(failure?: CallFailure): void {
    if (failure !== undefined) {
      this.#span.recordException(failure.error as Error);
      this.#span.setStatus({ code: SpanStatusCode.ERROR, message: errorMessage(failure.error) });
    }
    this.#span.end();
  }
}
