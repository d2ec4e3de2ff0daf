import type {
  Context,
  Tracer as OtelTracer,
  Span,
  SpanOptions,
  TracerOptions,
  TracerProvider,
} from '@opentelemetry/api';
import { context as contextApi, trace } from '@opentelemetry/api';
import { IS_ISOTRACE_PROVIDER } from '../infra/global-sdk.ts';
import { enterSpan, ownerIn, ownerOfSpan } from '../processing/scope.ts';
import type { SpanScope } from '../processing/span-host.ts';
import { NOOP_SPAN } from '../processing/unsampled-span.ts';
import type { Guard } from '../utils/guard.ts';
import { type LateBindings, UnknownTenant } from './late-binding.ts';
import { type DisposableSpan, isContext, startAgain } from './operations.ts';
import { TracerRuntime } from './tracer-runtime.ts';

/** Whose spans a router hands out. */
export interface SpanRouterOptions {
  readonly guard: Guard;
  readonly lateBindings: LateBindings;
  /** Whether a tenant is one of this registry. */
  readonly isOwn: (tenant: TracerRuntime) => boolean;
}

/** Names of instrumentation scopes may come from outside; those beyond this number share the scope of isotrace. */
const MAX_SCOPES = 1_000;
const OWN_SCOPE_INDEX = 0;

/**
 * An OpenTelemetry tracer provider for code that knows nothing of tenants, such as instrumentation packages: each span
 * goes to the tenant that the running code works for. Outside every tenant it waits until its request names one.
 */
export class SpanRouter implements TracerProvider {
  readonly [IS_ISOTRACE_PROVIDER] = true;
  readonly #options: SpanRouterOptions;
  readonly #tracers = new Map<string, RoutingTracer>();

  constructor(options: SpanRouterOptions) {
    this.#options = options;
  }

  getTracer(name: string, version?: string, _options?: TracerOptions): OtelTracer {
    const scopeName = typeof name === 'string' && name !== '' ? name : 'unknown';
    const scopeVersion = typeof version === 'string' ? version : undefined;
    const key = JSON.stringify([scopeName, scopeVersion]);
    let tracer = this.#tracers.get(key);
    if (tracer === undefined) {
      const isFull = this.#tracers.size >= MAX_SCOPES;
      const index = isFull ? OWN_SCOPE_INDEX : OWN_SCOPE_INDEX + 1 + this.#tracers.size;
      const scope = { index, name: scopeName, ...(scopeVersion !== undefined && { version: scopeVersion }) };
      tracer = new RoutingTracer(this.#options, scope);
      if (!isFull) this.#tracers.set(key, tracer);
    }
    return tracer;
  }
}

/** A tracer without a tenant of its own. No method throws. */
class RoutingTracer implements OtelTracer {
  readonly #options: SpanRouterOptions;
  readonly #scope: SpanScope;

  constructor(options: SpanRouterOptions, scope: SpanScope) {
    this.#options = options;
    this.#scope = scope;
  }

  startSpan(name: string, options?: SpanOptions, given?: Context): Span {
    const isExplicit = isContext(given);
    const context = isExplicit ? given : contextApi.active();
    const start = (readable: SpanOptions | undefined): DisposableSpan =>
      this.#start(name, readable, context, isExplicit);
    try {
      return start(options ?? undefined);
    } catch (error) {
      return startAgain(this.#options.guard, error, options, start);
    }
  }

  startActiveSpan<T>(name: string, ...rest: unknown[]): T {
    const fn = rest[Math.min(rest.length, 3) - 1];
    if (typeof fn !== 'function') return undefined as T;
    const options = rest.length > 1 ? (rest[0] as SpanOptions | undefined) : undefined;
    const given = rest.length > 2 ? (rest[1] as Context | undefined) : undefined;
    const span = this.startSpan(name, options, given);
    return contextApi.with(this.#enter(given, span), fn as (span: Span) => T, undefined, span);
  }

  #start(name: string, options: SpanOptions | undefined, context: Context, isExplicit: boolean): DisposableSpan {
    const { isOwn, lateBindings } = this.#options;
    const owner = ownerIn(context);
    if (owner === undefined) return lateBindings.start(this.#scope, name, options, context, isExplicit);
    if (owner instanceof UnknownTenant) return owner.start(this.#scope, name, options, context, isExplicit);
    if (owner instanceof TracerRuntime && isOwn(owner)) {
      return owner.start(name, options, context, isExplicit, this.#scope);
    }
    // A tenant of another registry, whose own router would have to be the one that is installed.
    return NOOP_SPAN;
  }

  #enter(given: Context | undefined, span: Span): Context {
    const context = isContext(given) ? given : contextApi.active();
    const enter = (): Context => {
      const owner = ownerOfSpan(span);
      return owner === undefined ? trace.setSpan(context, span) : enterSpan(context, owner, span);
    };
    return this.#options.guard.run('context', 'enterSpan', enter, context);
  }
}
