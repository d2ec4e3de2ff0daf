import type { Span } from '@opentelemetry/api';
import { context as contextApi, SpanKind } from '@opentelemetry/api';
import { countRows, QueryCall, type QueryOptions, type QueryStart, readQuery } from '../processing/query-call.ts';
import { runTracked } from '../processing/track-result.ts';
import type { Mixed, MixinBase } from './mixin.ts';
import { enterGuarded, startGuarded } from './operations.ts';
import { createTracedFetch, type FetchFunction } from './traced-fetch.ts';
import type { TracerBase } from './tracer-base.ts';
import type { TracerRuntime } from './tracer-runtime.ts';

/**
 * Calls to others, by OpenTelemetry's stable semantic conventions. No method throws on its own account; what the call
 * itself answers, throws or rejects with comes out as the very same value.
 */
export interface OutgoingOperations {
  /**
   * The process's `fetch` with a CLIENT span around each call, and with the trace and the allowed baggage in its headers
   * where `propagation.propagateTo` says. The span ends when the response's headers are there; response and body are the
   * host's, untouched. Works without its tracer: `new Client({ fetch: tracer.fetch })`.
   */
  readonly fetch: FetchFunction;

  /**
   * Runs `fn`, which asks a database, in a CLIENT span that ends with its result, as that of `withSpan` does. Literals of
   * the query are never shown, unless it is said to be parameterized.
   */
  traceQuery<T>(options: QueryOptions, fn: (span: Span) => T): T;
}

/** Adds {@link OutgoingOperations} to a tracer class. */
export function WithOutgoing<Base extends MixinBase<TracerBase>>(base: Base): Base & Mixed<OutgoingOperations> {
  abstract class WithOutgoingMixin extends base implements OutgoingOperations {
    #fetch: FetchFunction | undefined;

    get fetch(): FetchFunction {
      this.#fetch ??= createTracedFetch(() => this.runtime);
      return this.#fetch;
    }

    traceQuery<T>(options: QueryOptions, fn: (span: Span) => T): T {
      return typeof fn === 'function' ? runQuery(this.runtime, options, fn) : (undefined as T);
    }
  }
  return WithOutgoingMixin as never;
}

const UNREADABLE: QueryStart = { name: 'query', attributes: { 'db.system.name': 'other_sql' } };

function runQuery<T>(runtime: TracerRuntime, options: QueryOptions, fn: (span: Span) => T): T {
  const { guard } = runtime;
  const context = contextApi.active();
  const { name, attributes } = guard.run('host', 'traceQuery', () => readQuery(options), UNREADABLE);
  const span = startGuarded(runtime, name, { kind: SpanKind.CLIENT, attributes }, context, false);
  guard.run('host', 'traceQuery', () => options.attributes && span.setAttributes(options.attributes), undefined);
  const rowsOf = (result: unknown): unknown =>
    guard.run('host', 'returnedRows', () => (options.returnedRows ?? countRows)(result as never), undefined);
  return runTracked(() => fn(span), new QueryCall(span, enterGuarded(runtime, context, span), rowsOf));
}
