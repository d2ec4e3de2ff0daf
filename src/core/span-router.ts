import type { Context, Tracer as OtelTracer, Span, SpanOptions, TracerProvider } from '@opentelemetry/api';
import { context as contextApi, trace } from '@opentelemetry/api';
import { IS_ISOTRACE_PROVIDER } from '../infra/global-sdk.ts';
import { enterSpan, ownerIn, ownerOfSpan, type ScopeOwner } from '../processing/scope.ts';
import type { SpanScope } from '../processing/span-host.ts';
import { NOOP_SPAN } from '../processing/unsampled-span.ts';
import type { Guard } from '../utils/guard.ts';
import type { LateBindings } from './late-binding.ts';
import { type DisposableSpan, isContext, type SpanEngine, startGuarded } from './operations.ts';
import { OWN_SCOPE } from './own-scope.ts';
import { type ServedCall, ServedSpan } from './served-span.ts';
import { TracerRuntime } from './tracer-runtime.ts';
import { UnknownTenant } from './unknown-tenant.ts';

export interface SpanRouterOptions {
  readonly guard: Guard;
  readonly lateBindings: LateBindings;
  /** Whether a tenant is one of this registry. */
  readonly isOwn: (tenant: TracerRuntime) => boolean;
}

/** Names of instrumentation scopes may come from outside; those beyond this number share the scope of isotrace. */
const MAX_SCOPES = 1_000;
const MAX_SCOPE_TEXT = 256;

/**
 * An OpenTelemetry tracer provider for code that knows nothing of tenants, such as instrumentation packages: each span
 * goes to the tenant that the running code works for. Outside every tenant it waits until its request names one.
 *
 * A registry has one for good: host code keeps tracers, and tenants keep the numbers of the scopes.
 */
export class SpanRouter implements TracerProvider {
  readonly [IS_ISOTRACE_PROVIDER] = true;
  /** While false, its tracers do nothing. */
  isOpen = false;
  readonly #options: SpanRouterOptions;
  readonly #tracers = new Map<string, RoutingTracer>();
  #serving: ServedCall | undefined;

  constructor(options: SpanRouterOptions) {
    this.#options = options;
  }

  get guard(): Guard {
    return this.#options.guard;
  }

  getTracer(name: string, version?: string): OtelTracer {
    return this.#tracer(name, version);
  }

  /** The instrumentation scope of that name, with the number that all tenants know it by. */
  scope(name: unknown, version: unknown): SpanScope {
    return this.#tracer(name, version).scope;
  }

  /** Whose spans code in this context makes; `undefined` outside every tenant, `null` in one of another registry. */
  starterIn(context: Context): TracerRuntime | UnknownTenant | undefined | null {
    const owner = ownerIn(context);
    return owner === undefined || this.isOwn(owner) ? owner : null;
  }

  isOwn(owner: ScopeOwner): owner is TracerRuntime | UnknownTenant {
    const { isOwn, lateBindings } = this.#options;
    if (owner instanceof TracerRuntime) return isOwn(owner);
    return owner instanceof UnknownTenant && owner.room === lateBindings;
  }

  start(
    scope: SpanScope,
    name: string,
    options: SpanOptions | undefined,
    context: Context,
    isExplicit: boolean,
  ): DisposableSpan {
    const starter = this.isOpen ? this.starterIn(context) : null;
    // A tenant of another registry: that one's own router would have to be installed.
    if (starter === null) return NOOP_SPAN;
    if (starter !== undefined) return starter.start(name, options, context, isExplicit, scope);
    return this.servedSpan(scope) ?? this.#options.lateBindings.start(scope, name, options, context, isExplicit);
  }

  /**
   * Runs what hands a call to its handler. Instrumentation around that handler forgets the context and starts a span of
   * its own: it gets the call's instead.
   */
  serve<T>(call: ServedCall, handOver: () => T): T {
    const before = this.#serving;
    this.#serving = call;
    try {
      return handOver();
    } finally {
      this.#serving = before;
    }
  }

  /** In place of the first span that `instrumentation` starts outside of every tenant while a call is handed over. */
  servedSpan(instrumentation: { readonly name: string }): ServedSpan | undefined {
    const call = this.#serving;
    if (call === undefined || call.instrumentation !== instrumentation.name) return undefined;
    this.#serving = undefined;
    return new ServedSpan(call);
  }

  #tracer(givenName: unknown, givenVersion: unknown): RoutingTracer {
    const name = textOf(givenName) ?? 'unknown';
    const version = textOf(givenVersion);
    const key = version === undefined ? name : `${name}\n${version}`;
    const known = this.#tracers.get(key);
    if (known !== undefined) return known;
    const count = this.#tracers.size;
    if (count >= MAX_SCOPES) return new RoutingTracer(this, OWN_SCOPE);
    const index = OWN_SCOPE.index + 1 + count;
    const tracer = new RoutingTracer(this, { index, name, ...(version !== undefined && { version }) });
    this.#tracers.set(key, tracer);
    return tracer;
  }
}

/** A tracer without a tenant of its own. No method throws. */
class RoutingTracer implements OtelTracer {
  readonly scope: SpanScope;
  readonly #engine: Pick<SpanEngine, 'guard' | 'start'>;

  constructor(router: SpanRouter, scope: SpanScope) {
    this.scope = scope;
    this.#engine = {
      guard: router.guard,
      start: (name, options, context, isExplicit) => router.start(scope, name, options, context, isExplicit),
    };
  }

  startSpan(name: string, options?: SpanOptions, given?: Context): Span {
    const isExplicit = isContext(given);
    return startGuarded(this.#engine, name, options, isExplicit ? given : contextApi.active(), isExplicit);
  }

  startActiveSpan<T>(name: string, ...rest: unknown[]): T {
    const fn = rest[Math.min(rest.length, 3) - 1];
    if (typeof fn !== 'function') return undefined as T;
    const options = rest.length > 1 ? (rest[0] as SpanOptions | undefined) : undefined;
    const given = rest.length > 2 ? (rest[1] as Context | undefined) : undefined;
    const span = this.startSpan(name, options, given);
    return contextApi.with(this.#enter(given, span), fn as (span: Span) => T, undefined, span);
  }

  #enter(given: Context | undefined, span: Span): Context {
    const context = isContext(given) ? given : contextApi.active();
    const enter = (): Context => {
      const owner = ownerOfSpan(span);
      return owner === undefined ? trace.setSpan(context, span) : enterSpan(context, owner, span);
    };
    return this.#engine.guard.run('context', 'enterSpan', enter, context);
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value.slice(0, MAX_SCOPE_TEXT) : undefined;
}
