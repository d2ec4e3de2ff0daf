import type { Attributes, HrTime, Link, SpanKind, SpanStatus } from '@opentelemetry/api';
import { ROOT_CONTEXT, SpanStatusCode, trace } from '@opentelemetry/api';
import { enterScope } from '../processing/scope.ts';
import type { SpanScope } from '../processing/span-host.ts';
import { NOOP_SPAN } from '../processing/unsampled-span.ts';
import { parseTracestate } from '../utils/tracestate.ts';
import { TwinStarter } from './mirror-span.ts';
import type { TracerRuntime } from './tracer-runtime.ts';

/** A span that was made and has ended elsewhere, in another thread or process. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly traceFlags: number;
  readonly traceState: string | undefined;
  readonly name: string;
  readonly kind: SpanKind;
  readonly startTime: HrTime;
  readonly endTime: HrTime;
  readonly status: SpanStatus;
  readonly attributes: Attributes;
  readonly events: readonly { readonly name: string; readonly time: HrTime; readonly attributes: Attributes }[];
  readonly links: readonly Link[];
}

/**
 * Records such a span with the ids and times that it has, as this tenant's: by its sampling, limits, processors and
 * redaction. Answers whether the tenant takes spans; one that it does not take counts as dropped,
 * unless the tenant has traces switched off.
 */
export function receiveSpan(runtime: TracerRuntime, scope: SpanScope, received: ReceivedSpan): boolean {
  const { traceId, spanId, parentSpanId, traceFlags, name, kind, startTime, endTime, attributes, links } = received;
  const traceState = parseTracestate(received.traceState);
  const shared = { traceId, traceFlags, isRemote: true, ...(traceState !== undefined && { traceState }) };
  const parent = parentSpanId === undefined ? undefined : trace.wrapSpanContext({ ...shared, spanId: parentSpanId });
  const starter = new TwinStarter(runtime, { spanContext: () => ({ ...shared, spanId }) });
  const context = enterScope(ROOT_CONTEXT, runtime, { activeSpan: parent, ownSpan: parent });
  const options = { kind, attributes, links: [...links], startTime };
  const span = runtime.start(name, options, context, true, scope, starter);
  if (span === NOOP_SPAN) {
    // A tenant without the signal has no account of it.
    const { path, state } = runtime;
    if (path.tracing) path.discard(state === 'disabled' ? 'tenant_unknown' : 'shutdown_deadline', 1);
    return false;
  }
  for (const event of received.events) span.addEvent(event.name, event.attributes, event.time);
  if (received.status.code !== SpanStatusCode.UNSET) span.setStatus(received.status);
  span.end(endTime);
  return true;
}
