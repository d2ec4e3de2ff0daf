import type { Attributes, Context, Span } from '@opentelemetry/api';
import { context as contextApi, SpanStatusCode } from '@opentelemetry/api';
import type { TracerRuntime } from '../core/tracer-runtime.ts';
import { errorMessage, errorType } from '../processing/exception.ts';
import { ownerIn } from '../processing/scope.ts';
import { activeSpanIn } from '../processing/start-span.ts';
import { spanName } from './http-attributes.ts';
import type { HttpMeasurements } from './http-measurements.ts';

/** How a request ended. */
export interface HttpOutcome {
  /** The status that was sent; none when nothing was. */
  readonly statusCode: number | undefined;
  /** Why the response was not sent to its end: a word of low cardinality. */
  readonly broken?: string | undefined;
}

/** One request as an adapter's continuation sees it. */
export interface HttpExchange {
  /** Runs a part of the request's work in its tenant's scope; lets its result or error through. */
  run<T>(fn: () => T): T;
  /** As `run`, for work after something that may have left the scope; where nothing has, the context stays as it is. */
  resume<T>(fn: () => T): T;
  /** Records an error of the application on the request's span, once for each error. Never throws. */
  fail(error: unknown): void;
}

/** For a request that is not traced: its work runs where it is called. */
export const UNTRACED: HttpExchange = { run: (fn) => fn(), resume: (fn) => fn(), fail: () => undefined };

export interface ServerExchangeInit {
  readonly runtime: TracerRuntime;
  readonly span: Span;
  /** Whether the span is over with the request; one that instrumentation began, that ends. */
  readonly endsSpan: boolean;
  /** The context in which the span is active. */
  readonly context: Context;
  readonly method: string;
  /** When the request came, by the monotonic clock. */
  readonly arrivedAt: number;
  readonly measurements: HttpMeasurements | undefined;
  /** What the span began with, of which the measurements carry a part. */
  readonly attributes: Attributes;
}

/** A request that is traced: its SERVER span and its measurements, which end once, whoever says so first. */
export class ServerExchange implements HttpExchange {
  readonly runtime: TracerRuntime;
  readonly span: Span;
  readonly context: Context;
  readonly #init: ServerExchangeInit;
  readonly #routes: (() => string | undefined)[] = [];
  #failure: { readonly error: unknown } | undefined;
  #isOver = false;

  constructor(init: ServerExchangeInit) {
    this.runtime = init.runtime;
    this.span = init.span;
    this.context = init.context;
    this.#init = init;
    this.#measure((measurements, context) => measurements.active(1, init.attributes, context));
  }

  run<T>(fn: () => T): T {
    return contextApi.with(this.context, fn);
  }

  resume<T>(fn: () => T): T {
    const active = contextApi.active();
    const context = this.currentContext(active);
    return context === active ? fn() : contextApi.with(context, fn);
  }

  /** The active context if it is inside this request's span, else the one to go back to. */
  currentContext(active: Context): Context {
    const inside = activeSpanIn(active, { owner: this.runtime })?.spanContext().traceId;
    return inside === this.span.spanContext().traceId ? active : this.context;
  }

  /** Asked when the request is over; of several, the one that was added last knows best. */
  addRoute(route: () => string | undefined): void {
    this.#routes.unshift(route);
  }

  fail(error: unknown): void {
    if (this.#isOver || (this.#failure !== undefined && Object.is(this.#failure.error, error))) return;
    this.#failure = { error };
    this.span.recordException(error as Error);
  }

  end(outcome: HttpOutcome): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { runtime, attributes, method, arrivedAt } = this.#init;
    const final = runtime.guard.run('api', 'http', () => this.#finalAttributes(outcome), {});
    const { 'http.route': route, 'error.type': type } = final;
    this.span.setAttributes(final);
    if (typeof route === 'string') this.span.updateName(spanName(method, route));
    if (type !== undefined) this.span.setStatus(this.#errorStatus());
    if (this.#init.endsSpan) this.span.end();
    this.#measure((measurements, context) => measurements.active(-1, attributes, context));
    if (runtime.state === 'disabled') return;
    const seconds = (runtime.clock.monotonic() - arrivedAt) / 1_000;
    this.#measure((measurements, context) =>
      measurements.duration(Math.max(seconds, 0), { ...attributes, ...final }, context),
    );
  }

  #finalAttributes({ statusCode, broken }: HttpOutcome): Attributes {
    const route = this.#route();
    const type = this.#errorType(statusCode, broken);
    return {
      ...(statusCode !== undefined && { 'http.response.status_code': statusCode }),
      ...(route !== undefined && { 'http.route': route }),
      ...(type !== undefined && { 'error.type': type }),
    };
  }

  #route(): string | undefined {
    for (const read of this.#routes) {
      const route: unknown = this.runtime.guard.run('host', 'route', read, undefined);
      if (typeof route === 'string' && route !== '') return route;
    }
    return undefined;
  }

  /** Only a 5xx and a response that broke off are errors of a server (HTTP semantic conventions, status). */
  #errorType(statusCode: number | undefined, broken: string | undefined): string | undefined {
    const isError = broken !== undefined || (statusCode !== undefined && statusCode >= 500);
    if (!isError) return undefined;
    return errorType(this.#failure?.error) ?? broken ?? String(statusCode);
  }

  /** Without an error of the application the status code says it all. */
  #errorStatus(): { code: SpanStatusCode; message?: string } {
    const message = errorMessage(this.#failure?.error);
    return message === '' ? { code: SpanStatusCode.ERROR } : { code: SpanStatusCode.ERROR, message };
  }

  #measure(take: (measurements: HttpMeasurements, context: Context) => void): void {
    const { measurements, runtime, context } = this.#init;
    if (measurements === undefined) return;
    runtime.guard.run('host', 'meter', () => take(measurements, context), undefined);
  }
}

/** Work of a request that has its SERVER span already, in the scope of the tenant that it was given. */
export class JoinedExchange implements HttpExchange {
  readonly context: Context;
  readonly #server: ServerExchange | undefined;

  /** @param server the exchange to record errors on; none when it belongs to another tenant, or there is none */
  constructor(context: Context, server: ServerExchange | undefined) {
    this.context = context;
    this.#server = server;
  }

  run<T>(fn: () => T): T {
    return contextApi.with(this.context, fn);
  }

  resume<T>(fn: () => T): T {
    return ownerIn(contextApi.active()) === ownerIn(this.context) ? fn() : this.run(fn);
  }

  fail(error: unknown): void {
    this.#server?.fail(error);
  }
}
