import type { Attributes, Context, Span, TextMapSetter } from '@opentelemetry/api';
import { isSpanContextValid, SpanKind, trace } from '@opentelemetry/api';
import { ownerIn, SPAN_TWIN, scopeOf } from '../processing/scope.ts';
import { RecordingSpan } from '../processing/span.ts';
import { UnsampledSpan } from '../processing/unsampled-span.ts';
import type { Guard } from '../utils/guard.ts';
import { matchesHost } from '../utils/host-pattern.ts';
import { isTracingSuppressed } from '../utils/suppress-tracing.ts';
import { injectContext, injectSpan } from './propagation.ts';
import type { PropagationSettings } from './settings.ts';
import { TracerRuntime } from './tracer-runtime.ts';
import { UnknownTenant } from './unknown-tenant.ts';

/**
 * Where a call goes: nowhere by itself (a carrier that the host fills itself), or to a host. The function answers
 * `undefined` where that is not known.
 */
export type CallDestination = (() => URL | undefined) | undefined;

/**
 * Writes what a call may take along: the span that is active in `context` for its tenant, and the tenant's allowed
 * baggage, as its `propagateTo` says. Writes nothing where tracing is suppressed: whoever suppressed it sends its own.
 * May throw what the carrier throws.
 */
export function injectOutgoing(
  context: Context,
  destination: CallDestination,
  carrier: unknown,
  setter?: TextMapSetter,
): void {
  if (isTracingSuppressed(context)) return;
  if (!mayTraceTo(context, destination)) return;
  const owner = ownerIn(context);
  if (owner instanceof TracerRuntime) {
    injectContext(owner, context, carrier, setter, mayCarryBaggage(owner, destination));
  } else injectSpan((scopeOf(context)?.ownSpan ?? trace.getSpan(context))?.spanContext(), carrier, setter);
}

/** Whether the trace of the code in `context` may go there; a tenant that is not known yet has the registry's rules. */
export function mayTraceTo(context: Context, destination: CallDestination): boolean {
  const owner = ownerIn(context);
  const runtime = owner instanceof UnknownTenant ? owner.room.nobody : owner;
  if (!(runtime instanceof TracerRuntime)) return true;
  const { propagateTo } = runtime.path.settings.propagation;
  return (
    propagateTo === undefined || destination === undefined || mayPropagate(runtime.guard, propagateTo, destination)
  );
}

function mayCarryBaggage(runtime: TracerRuntime, destination: CallDestination): boolean {
  const { propagateTo } = runtime.path.settings.propagation;
  // With `propagateTo` the trace would have been kept in, too.
  return destination === undefined || propagateTo !== undefined;
}

function mayPropagate(
  guard: Guard,
  propagateTo: NonNullable<PropagationSettings['propagateTo']>,
  destination: () => URL | undefined,
): boolean {
  const url = destination();
  if (url === undefined) return false;
  if (typeof propagateTo !== 'function') return propagateTo.some((pattern) => matchesHost(pattern, url));
  // A copy: the host may change it.
  const ask = (): boolean => (propagateTo(new URL(url)) as unknown) === true;
  return guard.run('propagation', 'propagateTo', ask, false);
}

/** Where the call goes whose CLIENT span is active, by the attributes that instrumentations start such spans with. */
export function destinationIn(context: Context): CallDestination {
  const get = activeClientIn(context);
  if (get !== undefined) return () => urlOf(get);
  const span = trace.getSpan(context);
  // Instrumentations that were told to make no span make an invalid one active.
  return span === undefined || isSpanContextValid(span.spanContext()) ? undefined : () => undefined;
}

/** Reads the attributes of the active span, if it is one of kind `CLIENT`. */
export function activeClientIn(context: Context): ((key: string) => unknown) | undefined {
  const span = trace.getSpan(context);
  if (span instanceof RecordingSpan && span.kind === SpanKind.CLIENT) return (key) => span.attributeList.get(key);
  const attributes = span instanceof UnsampledSpan ? span.clientAttributes : hostAttributes(span);
  return attributes && ((key) => attributes[key]);
}

/** Of a CLIENT span of the host's own SDK that the tenant has a twin of. */
function hostAttributes(span: Span | undefined): Attributes | undefined {
  if (span === undefined || !(SPAN_TWIN in span)) return undefined;
  const { attributes, kind } = span as { readonly attributes?: Attributes; readonly kind?: SpanKind };
  return kind === SpanKind.CLIENT ? attributes : undefined;
}

/** By stable and older conventions. An address is preferred: a whole URL may show the `Host` header instead. */
function urlOf(get: (key: string) => unknown): URL | undefined {
  const full = parseUrl(get('url.full') ?? get('http.url'));
  const address = get('server.address') ?? get('net.peer.name');
  if (typeof address !== 'string') return full;
  const host = address.includes(':') && !address.startsWith('[') ? `[${address}]` : address;
  const port = get('server.port') ?? get('net.peer.port');
  const isRpc = (get('rpc.system.name') ?? get('rpc.system')) !== undefined;
  const scheme = full?.protocol ?? `${String(get('url.scheme') ?? (isRpc ? 'grpc' : 'http'))}:`;
  const authority = typeof port === 'number' ? `${host}:${port}` : host;
  return parseUrl(`${scheme}//${authority}${full === undefined ? '/' : `${full.pathname}${full.search}`}`);
}

function parseUrl(text: unknown): URL | undefined {
  return typeof text === 'string' && URL.canParse(text) ? new URL(text) : undefined;
}
