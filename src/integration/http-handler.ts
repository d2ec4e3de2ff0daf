import { types } from 'node:util';
import type { Attributes, Context } from '@opentelemetry/api';
import { context as contextApi, SpanKind } from '@opentelemetry/api';
import { type IntegrationHost, integrationHostOf, platformRuntimeOf, runtimeOf } from '../core/integration-host.ts';
import { requestSpanIn } from '../core/late-binding.ts';
import { extractContext } from '../core/propagation.ts';
import type { TracerRegistry } from '../core/registry.ts';
import type { TracerBase } from '../core/tracer-base.ts';
import type { TracerRuntime } from '../core/tracer-runtime.ts';
import { createDefaultLogger } from '../infra/logger.ts';
import { enterScope, enterSpan, isSame, ownerIn, ownerOfSpan } from '../processing/scope.ts';
import type { RecordingSpan } from '../processing/span.ts';
import { NOOP_SPAN } from '../processing/unsampled-span.ts';
import { IssueLog } from '../utils/option-reader.ts';
import { type HttpFacts, parseRequestLine, type RequestLine, requestAttributes, spanName } from './http-attributes.ts';
import { type HttpExchange, type HttpOutcome, JoinedExchange, ServerExchange, UNTRACED } from './http-exchange.ts';
import { HTTP_MEASUREMENTS, type HttpInstruments, type HttpMeasurements } from './http-measurements.ts';
import { type HttpOptions, type HttpSettings, readHttpOptions } from './http-options.ts';
import { MeasurementSource } from './measurement-source.ts';
import { askTenant } from './tenant-answer.ts';

/** One request as the adapter of its framework shows it. What its methods throw is contained. */
export interface HttpCall<Request> {
  /** What the user's callbacks get: the framework's own request. */
  readonly request: Request;
  /** The same object for the same request, whichever adapter shows it. */
  readonly key: object;
  /** When the request came, by the clock of the registry, where that was earlier than now. */
  readonly arrivedAt?: number | undefined;
  /** Whether the tenant is asked for again, when more is known: that it is not known now means nothing. */
  readonly isEarly?: boolean;
  facts(): HttpFacts;
  /** The template of the route, as far as it is known. */
  route(): string | undefined;
  /** Calls `ended` when the response is over, at once if it is. Called for a request once, by whoever begins its span. */
  watch(ended: (outcome: HttpOutcome) => void): void;
  /** Lets what the request itself sets off (its body, its end) run in its tenant's scope. */
  bind?(exchange: HttpExchange): void;
}

/** A request as it came. */
interface Arrival {
  readonly facts: HttpFacts;
  readonly line: RequestLine;
  /** By the monotonic clock. */
  readonly at: number;
}

const MAX_UNSEEN_WAIT_MILLIS = 0.1;

/**
 * What all web frameworks have in common: a request comes, belongs to a tenant, gets one SERVER span around its work,
 * and is over. Knows no framework; an adapter shows it each request as an {@link HttpCall}.
 */
export class HttpHandler<Request> {
  readonly #registry: TracerRegistry<TracerBase>;
  readonly #host: IntegrationHost | undefined;
  readonly #settings: HttpSettings<Request>;
  readonly #measurements: MeasurementSource<HttpInstruments, HttpMeasurements>;

  /**
   * Options that are not acceptable become issues of the registry, in `health()`.
   *
   * @param name of the adapter, before the names of its options in issues
   * @throws IsotraceError with code `config_invalid`, if the registry has `strict: true`
   */
  constructor(name: string, registry: TracerRegistry<TracerBase>, options: HttpOptions<Request>) {
    const issues = new IssueLog();
    this.#registry = registry;
    this.#settings = readHttpOptions(name, options, issues);
    this.#host = integrationHostOf(registry);
    this.#measurements = new MeasurementSource(HTTP_MEASUREMENTS, this.#settings.meterProvider);
    if (this.#host === undefined) warnOfNoRegistry(name);
    else this.#host.refuse(issues.list());
  }

  /** The clock by which requests arrive. */
  now(): number {
    return this.#host?.pipeline.clock.monotonic() ?? 0;
  }

  /**
   * Runs `proceed`, exactly once, in the scope of the request's tenant: at once, or when an asynchronous `tenant` has
   * answered. Nothing but what `proceed` throws or rejects with comes out.
   */
  handle<T>(call: HttpCall<Request>, proceed: (exchange: HttpExchange) => T): T | Promise<Awaited<T>> {
    const entered = this.#enter(call);
    if (!types.isPromise(entered)) return entered.run(() => proceed(entered));
    return entered.then((exchange) => exchange.run(() => proceed(exchange))) as Promise<Awaited<T>>;
  }

  /** Never throws, and the promise never rejects. */
  #enter(call: HttpCall<Request>): HttpExchange | Promise<HttpExchange> {
    const host = this.#host;
    const { exclude, knownMethods, tenant, tenantTimeoutMillis } = this.#settings;
    if (host === undefined || tenant === undefined) return UNTRACED;
    try {
      const at = call.arrivedAt ?? this.now();
      const facts = call.facts();
      const arrival: Arrival = { facts, line: parseRequestLine(facts, knownMethods), at };
      const { path } = arrival.line;
      if (exclude !== undefined && host.guard.run('host', 'exclude', () => exclude(call.request, path), false))
        return UNTRACED;
      const answer = askTenant(() => tenant(call.request), {
        clock: host.pipeline.clock,
        timeoutMillis: tenantTimeoutMillis,
        failed: (error) => reportTenant(host, call, error),
      });
      if (!types.isPromise(answer)) return this.#begin(host, call, arrival, answer);
      return answer.then((late) => this.#begin(host, call, arrival, late));
    } catch (error) {
      host.guard.report('host', 'request', error);
      return UNTRACED;
    }
  }

  /** Never throws. */
  #begin(host: IntegrationHost, call: HttpCall<Request>, arrival: Arrival, answer: string | undefined): HttpExchange {
    try {
      const named = answer === undefined ? undefined : runtimeOf(this.#registry, answer);
      const open = openExchange(call.key, host);
      if (open !== undefined) return this.#join(host, call, open, named);
      const isWanted = this.#settings.unassigned === 'platform' && call.isEarly !== true;
      const runtime = named ?? (isWanted ? platformRuntimeOf(this.#registry) : undefined);
      // Without a tenant, a span that instrumentation began goes where the registry's `unassigned` says.
      if (runtime === undefined || (named === undefined && serverSpanIn(contextApi.active()))) return UNTRACED;
      const exchange =
        runtime.state === 'disabled'
          ? new JoinedExchange(enterScope(contextApi.active(), runtime), undefined)
          : this.#open(host, call, arrival, runtime);
      host.guard.run('context', 'bind', () => call.bind?.(exchange), undefined);
      return exchange;
    } catch (error) {
      host.guard.report('context', 'http', error);
      return UNTRACED;
    }
  }

  #open(host: IntegrationHost, call: HttpCall<Request>, arrival: Arrival, runtime: TracerRuntime): ServerExchange {
    const { facts, line, at } = arrival;
    const { clock } = runtime;
    const active = contextApi.active();
    const waiting = serverSpanIn(active);
    // Entering makes the waiting span this tenant's, unless it is somebody else's already.
    const entered = waiting && enterScope(active, runtime);
    const isOwn = waiting === undefined || !isOf(waiting, runtime);
    const remote =
      isOwn || entered === undefined
        ? extractContext(runtime, active, facts.headers, this.#settings.incoming)
        : entered;
    const attributes = requestAttributes(facts, line, this.#settings.trustProxy);
    const route = (): string | undefined => this.#routeOf(call);
    const known = host.guard.run('host', 'route', route, undefined);
    if (known !== undefined) attributes['http.route'] = known;
    const waited = clock.monotonic() - at;
    const options = {
      kind: SpanKind.SERVER,
      attributes: { ...attributes, ...this.#ownAttributes(host, call.request) },
      // A start that is given is measured by the wall clock, so it is given only where it matters.
      ...(waited > MAX_UNSEEN_WAIT_MILLIS && { startTime: clock.now() - waited }),
    };
    const span = isOwn ? runtime.start(spanName(line.method, known), options, remote, true) : waiting;
    if (!isOwn) span.setAttributes(options.attributes);
    const exchange = new ServerExchange({
      runtime,
      span,
      endsSpan: isOwn,
      context: span === NOOP_SPAN || !isOwn ? remote : enterSpan(remote, runtime, span),
      method: line.method,
      arrivedAt: at,
      // An instrumentation that began the span has measurements of its own.
      measurements: this.#measurements.of(runtime, isOwn),
      attributes,
    });
    exchange.addRoute(route);
    remember(call.key, host, exchange);
    try {
      call.watch((outcome) => exchange.end(outcome));
    } catch (error) {
      host.guard.report('api', 'watch', error);
      exchange.end({ statusCode: undefined });
    }
    return exchange;
  }

  /**
   * The request has its span, from another adapter around this one. This one knows the route better. Its work runs as the
   * tenant that was named here: with another tenant's, it has no part in the span.
   */
  #join(
    host: IntegrationHost,
    call: HttpCall<Request>,
    open: ServerExchange,
    named: TracerRuntime | undefined,
  ): HttpExchange {
    open.addRoute(() => this.#routeOf(call));
    if (named === undefined || named === open.runtime)
      return new JoinedExchange(open.currentContext(contextApi.active()), open);
    const context = enterScope(contextApi.active(), named);
    const joined = new JoinedExchange(context, undefined);
    host.guard.run('context', 'bind', () => call.bind?.(joined), undefined);
    return joined;
  }

  #routeOf(call: HttpCall<Request>): string | undefined {
    return this.#settings.route?.(call.request) ?? call.route();
  }

  #ownAttributes(host: IntegrationHost, request: Request): Attributes | undefined {
    const { attributes } = this.#settings;
    return attributes && host.guard.run('host', 'attributes', () => attributes(request), undefined);
  }
}

function reportTenant(host: IntegrationHost, { isEarly }: HttpCall<unknown>, error: unknown): void {
  if (isEarly !== true) host.guard.report('host', 'tenant', error);
}

/** Records how a continuation fails and lets its result or the very same error through. */
export function recordingFailure<T>(exchange: HttpExchange, fn: () => T): T {
  let result: T;
  try {
    result = fn();
  } catch (error) {
    exchange.fail(error);
    throw error;
  }
  if (!types.isPromise(result)) return result;
  return result.then(undefined, (error: unknown) => {
    exchange.fail(error);
    throw error;
  }) as T;
}

/** The SERVER span of the request, if instrumentation began one before the tenant was known. */
function serverSpanIn(active: Context): RecordingSpan | undefined {
  const span = requestSpanIn(active);
  return span?.kind === SpanKind.SERVER && span.isRecording() ? span : undefined;
}

function isOf(span: RecordingSpan, runtime: TracerRuntime): boolean {
  const owner = ownerOfSpan(span);
  return owner !== undefined && isSame(owner, runtime);
}

/** Under this key a request knows its exchange, and whose it is. */
const EXCHANGE = Symbol('isotrace.http.exchange');

/**
 * The exchange of a request that has its SERVER span already: the one place where a span is taken over instead of begun.
 * Whatever else starts such spans before the tenant is known has its exchange found here.
 */
function openExchange(key: object, host: IntegrationHost): ServerExchange | undefined {
  const open = (key as { [EXCHANGE]?: unknown })[EXCHANGE] as { host: IntegrationHost; exchange: unknown } | undefined;
  return open?.host === host && open.exchange instanceof ServerExchange ? open.exchange : undefined;
}

function remember(key: object, host: IntegrationHost, exchange: ServerExchange): void {
  Reflect.defineProperty(key, EXCHANGE, { value: { host, exchange }, configurable: true, writable: true });
}

/** The exchange of a request, for middleware that comes later; none where another tenant works. Never throws. */
export function exchangeOf(key: unknown): HttpExchange {
  try {
    const exchange = (key as { [EXCHANGE]?: { exchange?: unknown } })[EXCHANGE]?.exchange;
    const owner = ownerIn(contextApi.active());
    const isOwn = exchange instanceof ServerExchange && (owner === undefined || owner === exchange.runtime);
    return isOwn ? exchange : UNTRACED;
  } catch {
    return UNTRACED;
  }
}

/** There is nobody else to tell. */
function warnOfNoRegistry(name: string): void {
  createDefaultLogger().warn({ adapter: name }, 'the adapter was not given a registry of this copy of isotrace');
}
