import type { Context, Link, TextMapGetter, TextMapPropagator, TextMapSetter } from '@opentelemetry/api';
import { createContextKey, trace } from '@opentelemetry/api';
import { enterScope, ownerIn, scopeOf } from '../processing/scope.ts';
import type { Guard } from '../utils/guard.ts';
import { type IncomingTrust, injectContext, injectSpan, readRemoteSpan } from './propagation.ts';
import { TracerRuntime } from './tracer-runtime.ts';

/** Where a request that is not to continue an inbound trace keeps the link to it. */
const INCOMING_LINKS = createContextKey('isotrace.incoming.links');

/** The links that the first span of a request gets, from an inbound trace that it does not continue. */
export function incomingLinks(context: Context): readonly Link[] | undefined {
  return context.getValue(INCOMING_LINKS) as readonly Link[] | undefined;
}

/**
 * W3C Trace Context and Baggage for code that knows nothing of tenants. What it writes is the tenant's that the code
 * runs for: its span, and of its baggage what its own settings let out. Inbound baggage belongs to no tenant that is
 * known yet, so none is read.
 */
export class RoutingPropagator implements TextMapPropagator {
  readonly #guard: Guard;
  readonly #incoming: IncomingTrust;

  constructor(guard: Guard, incoming: IncomingTrust) {
    this.#guard = guard;
    this.#incoming = incoming;
  }

  inject(context: Context, carrier: unknown, setter: TextMapSetter): void {
    const inject = (): void => {
      const owner = ownerIn(context);
      if (owner instanceof TracerRuntime) injectContext(owner, context, carrier, setter);
      else injectSpan((scopeOf(context)?.ownSpan ?? trace.getSpan(context))?.spanContext(), carrier, setter);
    };
    this.#guard.run('propagation', 'inject', inject, undefined);
  }

  extract(context: Context, carrier: unknown, getter: TextMapGetter): Context {
    return this.#guard.run('propagation', 'extract', () => this.#extract(context, carrier, getter), context);
  }

  fields(): string[] {
    return ['traceparent', 'tracestate', 'baggage'];
  }

  #extract(context: Context, carrier: unknown, getter: TextMapGetter): Context {
    if (this.#incoming === 'ignore') return context;
    const remote = readRemoteSpan(carrier, getter);
    if (remote === undefined) return context;
    if (this.#incoming === 'parent') return trace.setSpan(context, remote);
    const links = [{ context: remote.spanContext() }];
    const owner = scopeOf(context)?.owner;
    if (owner === undefined) return context.setValue(INCOMING_LINKS, links);
    return enterScope(context, owner, { activeSpan: undefined, ownSpan: undefined, links });
  }
}
