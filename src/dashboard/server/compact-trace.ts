import type { SpanRecord, TelemetryOrigin } from '../otlp/telemetry-model.ts';
import type { TraceSpans } from '../store/telemetry-store.ts';

/** A span less what it has in common with others, and less what is zero or empty. */
export type CompactSpan = Partial<Omit<SpanRecord, keyof TelemetryOrigin | 'traceId'>> & {
  /** Index into `origins`. */
  readonly origin: number;
};

/** The spans of one trace in about half of the bytes. */
export interface CompactTrace {
  readonly origins: readonly TelemetryOrigin[];
  readonly compact: readonly CompactSpan[];
  readonly more: boolean;
}

export function compactTrace({ spans, more }: TraceSpans): CompactTrace {
  const origins: TelemetryOrigin[] = [];
  const known = new Map<object, Map<object, number>>();
  const originOf = ({ tenant, service, resource, scope }: SpanRecord): number => {
    const ofResource = known.get(resource) ?? new Map<object, number>();
    known.set(resource, ofResource);
    let index = ofResource.get(scope);
    if (index === undefined) {
      index = origins.push({ tenant, service, resource, scope }) - 1;
      ofResource.set(scope, index);
    }
    return index;
  };
  return { origins, compact: spans.map((span) => compactSpan(span, originOf(span))), more };
}

function compactSpan(span: SpanRecord, origin: number): CompactSpan {
  const { traceState, flags, events, links, status } = span;
  return {
    origin,
    spanId: span.spanId,
    ...(span.parentSpanId !== '' && { parentSpanId: span.parentSpanId }),
    ...(traceState !== '' && { traceState }),
    ...(flags !== 0 && { flags }),
    name: span.name,
    kind: span.kind,
    startTimeUnixNano: span.startTimeUnixNano,
    endTimeUnixNano: span.endTimeUnixNano,
    attributes: span.attributes,
    ...(span.droppedAttributesCount !== 0 && { droppedAttributesCount: span.droppedAttributesCount }),
    ...(events.length > 0 && { events }),
    ...(span.droppedEventsCount !== 0 && { droppedEventsCount: span.droppedEventsCount }),
    ...(links.length > 0 && { links }),
    ...(span.droppedLinksCount !== 0 && { droppedLinksCount: span.droppedLinksCount }),
    ...((status.code !== 'unset' || status.message !== '') && { status }),
  };
}
