import { groupByOrigin, toAnyValue, toKeyValues } from './export-parts.ts';
import { SPAN_KINDS, SPAN_STATUSES } from './span-flags.ts';
import type { LogRecord, SpanRecord } from './telemetry-model.ts';

/** An `ExportTraceServiceRequest`. */
export interface OtlpTraces {
  readonly resourceSpans: readonly object[];
}

/** An `ExportLogsServiceRequest`. */
export interface OtlpLogs {
  readonly resourceLogs: readonly object[];
}

/** Spans as an OTLP request in JSON: what can be sent to any receiver of OTLP, this one included. */
export function spansToOtlpJson(spans: readonly SpanRecord[]): OtlpTraces {
  return {
    resourceSpans: groupByOrigin(spans).map(({ resource, scopes }) => ({
      resource,
      scopeSpans: scopes.map(({ scope, records }) => ({ scope, spans: records.map(toSpan) })),
    })),
  };
}

/** Log records as {@link spansToOtlpJson} has spans. */
export function logsToOtlpJson(logs: readonly LogRecord[]): OtlpLogs {
  return {
    resourceLogs: groupByOrigin(logs).map(({ resource, scopes }) => ({
      resource,
      scopeLogs: scopes.map(({ scope, records }) => ({ scope, logRecords: records.map(toLog) })),
    })),
  };
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

function toLog(log: LogRecord): Record<string, unknown> {
  return {
    timeUnixNano: String(log.timeUnixNano),
    observedTimeUnixNano: String(log.observedTimeUnixNano),
    severityNumber: log.severityNumber,
    severityText: log.severityText,
    eventName: log.eventName,
    // An empty value and none are the same to who reads it.
    ...(log.body !== null && { body: toAnyValue(log.body) }),
    attributes: toKeyValues(log.attributes),
    droppedAttributesCount: log.droppedAttributesCount,
    flags: log.flags,
    traceId: log.traceId,
    spanId: log.spanId,
  };
}
