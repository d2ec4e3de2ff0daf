import { SPAN_KINDS, SPAN_STATUSES } from './span-flags.ts';
import type { SpanRecord, TelemetryAttributes, TelemetryOrigin, TelemetryValue } from './telemetry-model.ts';

/** An `ExportTraceServiceRequest`. */
export interface OtlpTraces {
  readonly resourceSpans: readonly object[];
}

/** Spans as an OTLP request in JSON: what can be sent to any receiver of OTLP, this one included. */
export function spansToOtlpJson(spans: readonly SpanRecord[]): OtlpTraces {
  const resources = groupBy(spans, ({ resource }) => resource);
  return {
    resourceSpans: [...resources].map(([resource, ofResource]) => ({
      resource: { attributes: toKeyValues(resource) },
      scopeSpans: [...groupBy(ofResource, ({ scope }) => scope)].map(([scope, ofScope]) => ({
        scope: { name: scope.name, version: scope.version, attributes: toKeyValues(scope.attributes) },
        spans: ofScope.map(toSpan),
      })),
    })),
  };
}

function groupBy<K extends TelemetryOrigin['resource'] | TelemetryOrigin['scope']>(
  spans: readonly SpanRecord[],
  keyOf: (span: SpanRecord) => K,
): Map<K, SpanRecord[]> {
  const groups = new Map<string, { readonly key: K; readonly spans: SpanRecord[] }>();
  for (const span of spans) {
    const key = keyOf(span);
    const text = JSON.stringify(key, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
    const group = groups.get(text);
    if (group === undefined) groups.set(text, { key, spans: [span] });
    else group.spans.push(span);
  }
  return new Map([...groups.values()].map((group) => [group.key, group.spans]));
}

function toSpan(span: SpanRecord): Record<string, unknown> {
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    traceState: span.traceState,
    parentSpanId: span.parentSpanId,
    flags: span.flags,
    name: span.name,
    kind: SPAN_KINDS.indexOf(span.kind),
    startTimeUnixNano: String(span.startTimeUnixNano),
    endTimeUnixNano: String(span.endTimeUnixNano),
    attributes: toKeyValues(span.attributes),
    droppedAttributesCount: span.droppedAttributesCount,
    events: span.events.map((event) => ({
      ...event,
      timeUnixNano: String(event.timeUnixNano),
      attributes: toKeyValues(event.attributes),
    })),
    droppedEventsCount: span.droppedEventsCount,
    links: span.links.map((link) => ({ ...link, attributes: toKeyValues(link.attributes) })),
    droppedLinksCount: span.droppedLinksCount,
    status: { code: SPAN_STATUSES.indexOf(span.status.code), message: span.status.message },
  };
}

function toKeyValues(attributes: TelemetryAttributes): { key: string; value: unknown }[] {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: toAnyValue(value) }));
}

/** As deep as values are when they come in: `MAX_NESTED_MESSAGES` bounds the recursion. */
function toAnyValue(value: TelemetryValue): Record<string, unknown> {
  switch (typeof value) {
    case 'string':
      return { stringValue: value };
    case 'boolean':
      return { boolValue: value };
    case 'bigint':
      return { intValue: String(value) };
    case 'number':
      if (Number.isSafeInteger(value) && !Object.is(value, -0)) return { intValue: String(value) };
      return { doubleValue: Number.isFinite(value) ? value : String(value) };
    default:
      if (value === null) return {};
      if (value instanceof Uint8Array) return { bytesValue: Buffer.from(value).toString('base64') };
      if (Array.isArray(value)) return { arrayValue: { values: value.map(toAnyValue) } };
      return { kvlistValue: { values: toKeyValues(value as TelemetryAttributes) } };
  }
}
