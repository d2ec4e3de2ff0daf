import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import type { Context, TextMapGetter, TextMapSetter } from '@opentelemetry/api';
import { context as contextApi, propagation } from '@opentelemetry/api';
import { bindEmitter, bindFunction } from '../infra/bind-context.ts';
import { enterScope, type ScopeContext, scopeOfOwner } from '../processing/scope.ts';
import { ActiveSession, MAX_SESSION_ID_LENGTH, sessionIn } from '../processing/session.ts';
import { type SessionPatch, sessionAttributes } from '../processing/session-attributes.ts';
import { recordKeys } from '../utils/record-keys.ts';
import type { Mixed, MixinBase } from './mixin.ts';
import { extractContext, type IncomingTrust, injectContext } from './propagation.ts';
import type { TracerBase } from './tracer-base.ts';

/** A session of a tenant's user or agent. What it says beside its id stands on the session's root spans. */
export interface SessionOptions extends SessionPatch {
  /** `session.id`: 1 to 128 characters. Default: a random UUID. */
  readonly id?: string | undefined;
}

/** How a carrier is read, and how far it is trusted. */
export interface ContinueOptions {
  /** How far the carrier is trusted. Default: `'parent'`. */
  readonly incoming?: IncomingTrust | undefined;
  /** Reads the carrier; by default a plain object, `Headers`, a map or an array of pairs, whatever the case of names. */
  readonly getter?: TextMapGetter | undefined;
}

/**
 * What of a tenant travels with the code: its scope, baggage and session, and their way in and out of the process. All
 * is scoped to a function and never reaches another tenant. No method throws on its own account; what a function that
 * was handed in throws comes out as the very same value.
 */
export interface ContextOperations {
  /** Runs `fn` as this tenant: spans, wrappers and ordinary OpenTelemetry libraries inside belong to it. */
  run<T>(fn: () => T): T;

  /**
   * Ties a function, or the listeners that are added to an emitter from now on, to this tenant's context as it is now.
   * For callbacks that somebody else calls later: jobs, emitters, pools.
   */
  bind<T extends ((...args: never[]) => unknown) | EventEmitter>(target: T): T;

  /**
   * Runs `fn` with baggage added to the tenant's own. Entries without a key, with values that are no strings, and
   * those after the first 256 are left out.
   */
  withBaggage<T>(entries: Readonly<Record<string, string>>, fn: () => T): T;

  /** The value of one of the tenant's baggage entries in the running context. */
  getBaggage(key: string): string | undefined;

  /** Runs `fn` in a session: spans that start inside carry its id as `session.id`. The session around it comes back afterwards. */
  withSession<T>(session: string | SessionOptions, fn: () => T): T;

  /** The session of the running context. */
  sessionId(): string | undefined;

  /**
   * Writes `traceparent`, `tracestate` and the allowed `baggage` (W3C Trace Context level 2, W3C Baggage) of this
   * tenant's active span into a carrier and answers the carrier. Writes nothing malformed, and nothing of others.
   */
  inject<C>(carrier: C, setter?: TextMapSetter<C>): C;

  /** The context that continues a carrier, for `startSpan(name, options, context)` or `context.with`. Enters nothing. */
  extract(carrier: unknown, options?: ContinueOptions): Context;

  /** Runs `fn` as this tenant, continuing the trace and the allowed baggage that a carrier brought. */
  continueFrom<T>(carrier: unknown, fn: () => T): T;
  continueFrom<T>(carrier: unknown, options: ContinueOptions | undefined, fn: () => T): T;
}

/** Each entry copies the ones before it. */
const MAX_BAGGAGE_ENTRIES = 256;

/** Adds {@link ContextOperations} to a tracer class. */
export function WithContext<Base extends MixinBase<TracerBase>>(base: Base): Base & Mixed<ContextOperations> {
  abstract class WithContextMixin extends base implements ContextOperations {
    run<T>(fn: () => T): T {
      return runIn(this.#enter({}), fn);
    }

    bind<T extends ((...args: never[]) => unknown) | EventEmitter>(target: T): T {
      const bind = (): T => {
        if (target instanceof EventEmitter) return bindEmitter(this.#enter({}), target);
        return typeof target === 'function' ? (bindFunction(this.#enter({}), target) as T) : target;
      };
      return this.runtime.guard.run('context', 'bind', bind, target);
    }

    withBaggage<T>(entries: Readonly<Record<string, string>>, fn: () => T): T {
      const { guard } = this.runtime;
      const context = guard.run('context', 'withBaggage', () => this.#withBaggage(entries), undefined);
      return runIn(context ?? this.#enter({}), fn);
    }

    getBaggage(key: string): string | undefined {
      return this.runtime.guard.run(
        'context',
        'getBaggage',
        () => this.#scope()?.baggage?.getEntry(key)?.value,
        undefined,
      );
    }

    withSession<T>(session: string | SessionOptions, fn: () => T): T {
      const { guard } = this.runtime;
      const id = guard.run('context', 'withSession', () => sessionIdOf(session), undefined) ?? randomUUID();
      const context = guard.run('context', 'withSession', () => this.#withSession(id, session), undefined);
      return runIn(context ?? this.#enter({ session: { id } }), fn);
    }

    sessionId(): string | undefined {
      const { runtime } = this;
      return runtime.guard.run('context', 'sessionId', () => sessionIn(runtime, this.#scope())?.id, undefined);
    }

    inject<C>(carrier: C, setter?: TextMapSetter<C>): C {
      const { runtime } = this;
      runtime.guard.run(
        'propagation',
        'inject',
        () => injectContext(runtime, contextApi.active(), carrier, setter),
        undefined,
      );
      return carrier;
    }

    extract(carrier: unknown, options?: ContinueOptions): Context {
      const { runtime } = this;
      const extract = (): Context => {
        const { incoming = 'parent', getter } = options ?? {};
        return extractContext(runtime, contextApi.active(), carrier, incoming, getter);
      };
      return runtime.guard.run('propagation', 'extract', extract, undefined) ?? this.#enter({});
    }

    continueFrom<T>(carrier: unknown, optionsOrFn: unknown, maybeFn?: unknown): T {
      const [options, fn] = typeof optionsOrFn === 'function' ? [undefined, optionsOrFn] : [optionsOrFn, maybeFn];
      return runIn(this.extract(carrier, options as ContinueOptions | undefined), fn as () => T);
    }

    #enter(change: Parameters<typeof enterScope>[2]): Context {
      const active = contextApi.active();
      return this.runtime.guard.run('context', 'enter', () => enterScope(active, this.runtime, change), active);
    }

    /** Of a tracer that does nothing there is none: it stands for any number of tenants that do not exist. */
    #scope(): ScopeContext | undefined {
      return this.runtime.state === 'disabled' ? undefined : scopeOfOwner(contextApi.active(), this.runtime);
    }

    #withSession(id: string, session: unknown): Context {
      const { guard, spanLimits } = this.runtime;
      const scope = this.#scope();
      const failed = (error: unknown): void => guard.report('host', 'withSession', error);
      const isPlain = typeof session !== 'object' || session === null;
      const attributes = isPlain ? undefined : sessionAttributes(session, failed, spanLimits.attributeValueLengthLimit);
      const outer = sessionIn(this.runtime, scope);
      return this.#enter({ session: ActiveSession.open(id, outer, scope?.ownSpan, attributes) });
    }

    #withBaggage(entries: Readonly<Record<string, string>>): Context {
      let baggage = this.#scope()?.baggage ?? propagation.createBaggage();
      for (const key of recordKeys(entries).slice(0, MAX_BAGGAGE_ENTRIES)) {
        const value: unknown = entries[key];
        if (key !== '' && typeof value === 'string') baggage = baggage.setEntry(key, { value });
      }
      return this.#enter({ baggage });
    }
  }
  return WithContextMixin as never;
}

/** Calls `fn` once; whatever is no function is not called. */
function runIn<T>(context: Context, fn: () => T): T {
  return typeof fn === 'function' ? contextApi.with(context, fn) : (undefined as T);
}

function sessionIdOf(session: string | SessionOptions): string | undefined {
  const id = typeof session === 'string' ? session : session.id;
  return typeof id === 'string' && id !== '' ? id.slice(0, MAX_SESSION_ID_LENGTH) : undefined;
}
