import type { Attributes, Context, Link, Span } from '@opentelemetry/api';
import { context as contextApi, SpanKind } from '@opentelemetry/api';
import { enterGuarded, type SpanEngine, startGuarded } from '../core/operations.ts';
import { injectContext, injectSpan, readRemoteSpan } from '../core/propagation.ts';
import { TracerRegistry } from '../core/registry.ts';
import { TracerBase } from '../core/tracer-base.ts';
import { TracerRuntime } from '../core/tracer-runtime.ts';
import { runTracked } from '../processing/track-result.ts';
import { readHeader } from '../utils/carrier.ts';
import { MessageCall, type MessageFacts, messageAttributes, messageSpanName } from './message-facts.ts';
import { isMarkedFor, markCarrier } from './message-mark.ts';

/** A message that is to be sent, or several in one go. */
export interface Publication extends MessageFacts {
  /** Where the headers of each message go: plain objects, `Headers` or maps. */
  readonly carriers: readonly object[];
  /** What is known only when the messages were sent, from what `send` answered. */
  readonly finalAttributes?: ((answer: unknown) => Attributes | undefined) | undefined;
}

/**
 * Sends messages inside one PRODUCER span of the tenant that the code works for (or of the given tracer's), whose context
 * is written into each carrier first, with the tenant's allowed baggage. A carrier that has a `traceparent` already keeps
 * it. Outside every tenant only `send` is called. Nothing but what `send` throws, rejects or answers comes out.
 */
export function publishing<T>(source: TracerRegistry<TracerBase> | TracerBase, message: Publication, send: () => T): T {
  const call = beginPublishing(source, message);
  return call === undefined ? send() : runTracked(send, call);
}

/** The same for a library that tells by a callback when messages are sent: the call is to be ended then. Never throws. */
export function beginPublishing(
  source: TracerRegistry<TracerBase> | TracerBase,
  message: Publication,
): MessageCall | undefined {
  const engine = engineOf(source);
  const active = contextApi.active();
  return engine?.guard.run('propagation', 'publish', () => begin(engine, active, message), undefined);
}

/** Anything that is no registry or tracer of this copy of the package publishes without telemetry. */
function engineOf(source: unknown): SpanEngine | undefined {
  if (source instanceof TracerBase) return TracerBase.runtimeOf(source);
  return source instanceof TracerRegistry ? source.routing.starterIn() : undefined;
}

function begin(engine: SpanEngine, active: Context, message: Publication): MessageCall {
  const { carriers, finalAttributes } = message;
  const fresh = carriers.filter((carrier) => readHeader(carrier, 'traceparent') === undefined);
  const links = engine instanceof TracerRuntime ? ownLinks(engine, carriers) : [];
  const options = { kind: SpanKind.PRODUCER, attributes: messageAttributes(message, 'send'), links };
  const span = startGuarded(engine, messageSpanName(message, 'send'), options, active, false);
  const context = enterGuarded(engine, active, span);
  for (const carrier of fresh) inject(engine, context, span, carrier);
  return new MessageCall(span, context, { finalAttributes });
}

/** A tenant that is not known yet has neither baggage nor a mark. */
function inject(engine: SpanEngine, context: Context, span: Span, carrier: object): void {
  if (engine instanceof TracerRuntime) {
    injectContext(engine, context, carrier);
    markCarrier(engine.tenantId, carrier);
  } else {
    injectSpan(span.spanContext(), carrier);
  }
}

/** Messages that are passed on keep the trace in which they were made. */
function ownLinks(runtime: TracerRuntime, carriers: readonly object[]): Link[] {
  return carriers
    .filter((carrier) => isMarkedFor(runtime.tenantId, carrier))
    .flatMap((carrier) => readRemoteSpan(carrier, undefined) ?? [])
    .map((remote) => ({ context: remote.spanContext() }));
}
