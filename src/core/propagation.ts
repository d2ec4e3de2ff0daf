import type { Baggage, Context, Link, Span, SpanContext, TextMapGetter, TextMapSetter } from '@opentelemetry/api';
import { propagation, trace } from '@opentelemetry/api';
import { enterScope, scopeOfOwner } from '../processing/scope.ts';
import { ActiveSession, readSessionId, SESSION_KEY, sessionIn } from '../processing/session.ts';
import { parseBaggage, serializeBaggage } from '../utils/baggage.ts';
import { readHeader, writeHeader } from '../utils/carrier.ts';
import { formatTraceparent, parseTraceparent } from '../utils/traceparent.ts';
import { parseTracestate, serializeTracestate } from '../utils/tracestate.ts';
import type { TracerRuntime } from './tracer-runtime.ts';

/** What an inbound trace context is good for. It is the caller's word: at a public endpoint prefer `'link'`. */
export type IncomingTrust =
  /** New spans become its children and follow its sampling decision. */
  | 'parent'
  /** New spans start a trace of their own, with a link to it. */
  | 'link'
  /** It is not looked at, nor is its baggage. */
  | 'ignore';

/** Writes the tenant's active span and, unless told not to, its allowed baggage into a carrier. */
export function injectContext(
  runtime: TracerRuntime,
  context: Context,
  carrier: unknown,
  setter?: TextMapSetter,
  withBaggage = true,
): void {
  // A tracer that does nothing is shared by tenants that do not exist: what one put there is not for another.
  if (runtime.state === 'disabled') return;
  const scope = scopeOfOwner(context, runtime);
  injectSpan(scope?.ownSpan?.spanContext(), carrier, setter);
  if (!withBaggage) return;
  const allowed = baggageFilter(runtime);
  const sessionId = sessionIn(runtime, scope)?.id;
  const withSession =
    sessionId !== undefined && allowed(SESSION_KEY)
      ? (scope?.baggage ?? propagation.createBaggage()).setEntry(SESSION_KEY, { value: sessionId })
      : scope?.baggage;
  const baggage = serializeBaggage(withSession, allowed);
  if (baggage !== undefined) writeHeader(carrier, 'baggage', baggage, setter);
}

/** Writes `traceparent` and `tracestate`. */
export function injectSpan(spanContext: SpanContext | undefined, carrier: unknown, setter?: TextMapSetter): void {
  const traceparent = formatTraceparent(spanContext);
  if (traceparent === undefined || !writeHeader(carrier, 'traceparent', traceparent, setter)) return;
  const tracestate = serializeTracestate(spanContext?.traceState);
  if (tracestate !== undefined) writeHeader(carrier, 'tracestate', tracestate, setter);
}

/** The tenant's context that continues what a carrier brought. A malformed header is as good as none. */
export function extractContext(
  runtime: TracerRuntime,
  context: Context,
  carrier: unknown,
  incoming: IncomingTrust,
  getter?: TextMapGetter,
): Context {
  if (incoming === 'ignore')
    return enterScope(context, runtime, { activeSpan: undefined, ownSpan: undefined, links: undefined });
  const remote = readRemoteSpan(carrier, getter);
  const baggage = allowedBaggage(runtime, readHeader(carrier, 'baggage', getter));
  const sessionId = readSessionId(baggage?.getEntry(SESSION_KEY)?.value);
  const { session } = scopeOfOwner(context, runtime) ?? {};
  const continued = incoming === 'parent' ? remote : undefined;
  const links: Link[] | undefined =
    incoming === 'link' && remote !== undefined ? [{ context: remote.spanContext() }] : undefined;
  return enterScope(context, runtime, {
    activeSpan: continued,
    ownSpan: continued,
    links,
    ...(baggage !== undefined && { baggage: baggage.removeEntry(SESSION_KEY) }),
    ...(sessionId !== undefined && { session: ActiveSession.open(sessionId, session, continued) }),
  });
}

/** Of a `baggage` header, what the tenant lets in. */
export function allowedBaggage(runtime: TracerRuntime, header: unknown): Baggage | undefined {
  return parseBaggage(header, baggageFilter(runtime));
}

/** The span that a carrier names; a malformed header is as good as none. */
export function readRemoteSpan(carrier: unknown, getter: TextMapGetter | undefined): Span | undefined {
  const parent = parseTraceparent(readHeader(carrier, 'traceparent', getter));
  if (parent === undefined) return undefined;
  const traceState = parseTracestate(readHeader(carrier, 'tracestate', getter));
  return trace.wrapSpanContext({ ...parent, isRemote: true, ...(traceState !== undefined && { traceState }) });
}

function baggageFilter(runtime: TracerRuntime): (key: string) => boolean {
  const allowed = runtime.path.settings.propagation.baggage;
  if (typeof allowed === 'function')
    return (key) => runtime.guard.run('propagation', 'baggage', () => allowed(key), false);
  return (key) => allowed.includes(key);
}
