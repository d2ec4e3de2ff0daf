import { AsyncLocalStorage } from 'node:async_hooks';
import { type Context, type ContextManager, context as contextApi, propagation, trace } from '@opentelemetry/api';
import { ensureContextManager } from '../infra/context-manager.ts';
import { findApiConflict } from '../infra/global-api.ts';
import { isDatadogContextManager, registeredContextManager } from '../infra/global-sdk.ts';
import { scopeOf } from '../processing/scope.ts';

/**
 * Puts a context manager around Datadog's, where that is registered: its own puts whatever span of Datadog's is active
 * in the place of a tenant's, and leaves the baggage of one context behind for the next.
 */
export function shareContextManager(): void {
  const manager = registeredContextManager();
  // Under another version of the API, ours could not be registered in its place.
  if (!isDatadogContextManager(manager) || findApiConflict() !== undefined) return;
  contextApi.disable();
  contextApi.setGlobalContextManager(new SharedContextManager(manager));
}

/** Likewise where Datadog's provider is to get no more spans: then the contexts need not be its own either. */
export function takeContextManager(): void {
  const manager = registeredContextManager();
  if (!(manager instanceof SharedContextManager) && !isDatadogContextManager(manager)) return;
  if (findApiConflict() !== undefined) return;
  contextApi.disable();
  ensureContextManager();
}

/**
 * Contexts of tenants are kept here; the host's manager sees them without the tenant's baggage, and tells which of the
 * host's spans is active in them. Contexts outside of every tenant are the host's as ever.
 */
class SharedContextManager implements ContextManager {
  readonly #host: ContextManager;
  readonly #scopes = new AsyncLocalStorage<Context | undefined>();

  constructor(host: ContextManager) {
    this.#host = host;
  }

  active(): Context {
    const scope = this.#scopes.getStore();
    const seen = this.#host.active();
    if (scope === undefined) return seen;
    const span = trace.getSpan(seen);
    // The host's own is shown, so that its traces are not torn; the scope keeps the tenant's beside it.
    return span === undefined || span === trace.getSpan(scope) ? scope : trace.setSpan(scope, span);
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    context: Context,
    fn: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    const scope = scopeOf(context);
    const call = (): ReturnType<F> => fn.apply(thisArg, args);
    const seen = scope === undefined ? context : propagation.deleteBaggage(scope);
    return this.#host.with(seen, () => this.#scopes.run(scope, call));
  }

  bind<T>(context: Context, target: T): T {
    if (typeof target !== 'function') return this.#host.bind(context, target);
    const manager = this;
    const bound = function (this: unknown, ...args: unknown[]): unknown {
      return manager.with(context, () => Reflect.apply(target, this, args) as unknown);
    };
    Object.defineProperty(bound, 'length', { value: target.length, configurable: true });
    return bound as T;
  }

  enable(): this {
    return this;
  }

  disable(): this {
    return this;
  }
}
