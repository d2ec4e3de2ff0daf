import type { Context, Link, TextMapGetter, TextMapPropagator, TextMapSetter } from '@opentelemetry/api';
import { createContextKey, trace } from '@opentelemetry/api';
import { enterScope, ownerIn } from '../processing/scope.ts';
import { readHeader } from '../utils/carrier.ts';
import type { Guard } from '../utils/guard.ts';
import { destinationIn, injectOutgoing } from './outgoing-context.ts';
import { extractContext, type IncomingTrust, readRemoteSpan } from './propagation.ts';
import { TracerRuntime } from './tracer-runtime.ts';

/** What arrived with a request beside the trace that it continues. */
export interface Arrived {
  /** For its first span: the trace that it does not continue. */
  readonly links: readonly Link[] | undefined;
  /** The header, for the tenant to choose from. */
  readonly baggage: unknown;
}

const ARRIVED = createContextKey('isotrace.arrived');

/** What arrived in a context in which no span has started yet. */
export function arrivedIn(context: Context): Arrived | undefined {
  return context.getValue(ARRIVED) as Arrived | undefined;
}

/**
 * W3C Trace Context and Baggage for code that knows nothing of tenants. What it writes is the tenant's that the code
 * runs for: its span, and of its baggage what its own settings let out, both only where they may go. Inbound baggage waits for the tenant, and for
 * what its settings let in.
 */
export class RoutingPropagator implements TextMapPropagator {
  readonly #guard: Guard;
  readonly #incoming: IncomingTrust;

  constructor(guard: Guard, incoming: IncomingTrust) {
    this.#guard = guard;
    this.#incoming = incoming;
  }

  inject(context: Context, carrier: unknown, setter: TextMapSetter): void {
    const inject = (): void => injectOutgoing(context, destinationIn(context), carrier, setter);
    this.#guard.run('propagation', 'inject', inject, undefined);
  }

  extract(context: Context, carrier: unknown, getter: TextMapGetter): Context {
    return this.#guard.run('propagation', 'extract', () => this.#extract(context, carrier, getter), context);
  }

  fields(): string[] {
    return ['traceparent', 'tracestate', 'baggage'];
  }

  #extract(context: Context, carrier: unknown, getter: TextMapGetter): Context {
    const incoming = this.#incoming;
    const owner = ownerIn(context);
    if (owner instanceof TracerRuntime) return extractContext(owner, context, carrier, incoming, getter);
    if (incoming === 'ignore') return context;
    const remote = readRemoteSpan(carrier, getter);
    const baggage = readHeader(carrier, 'baggage', getter);
    const links = incoming === 'link' && remote !== undefined ? [{ context: remote.spanContext() }] : undefined;
    // In a request whose tenant is not known yet, as a message that it reads.
    if (owner !== undefined && links !== undefined) {
      return enterScope(context, owner, { activeSpan: undefined, ownSpan: undefined, links });
    }
    const isMore = links !== undefined || baggage !== undefined;
    const arrived = isMore ? context.setValue(ARRIVED, { links, baggage } satisfies Arrived) : context;
    return incoming === 'parent' && remote !== undefined ? trace.setSpan(arrived, remote) : arrived;
  }
}
