import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import type { EndedSpan } from './ended-span.ts';
import { plainContext } from './span-identity.ts';
import { viewEvent, viewLink } from './span-view.ts';

/** A redacted span as OpenTelemetry's exporters read it; what is never redacted comes from the span that it is of. */
export function viewRedacted(span: ReadableSpan, redacted: EndedSpan): ReadableSpan {
  const { keys, values } = redacted.attributeList;
  return {
    name: redacted.name,
    kind: redacted.kind,
    spanContext: () => plainContext(redacted.context),
    ...(span.parentSpanContext && { parentSpanContext: span.parentSpanContext }),
    startTime: redacted.startTime,
    endTime: redacted.endTime,
    status: redacted.status,
    attributes: Object.fromEntries(keys.map((key, index) => [key, values[index]])) as ReadableSpan['attributes'],
    events: redacted.eventList.map(viewEvent),
    links: redacted.linkList.map(viewLink),
    duration: span.duration,
    ended: span.ended,
    resource: span.resource,
    instrumentationScope: span.instrumentationScope,
    droppedAttributesCount: redacted.droppedAttributesCount,
    droppedEventsCount: redacted.droppedEventsCount,
    droppedLinksCount: redacted.droppedLinksCount,
  };
}
