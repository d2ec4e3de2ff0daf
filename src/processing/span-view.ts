import type { Attributes, Link, SpanContext } from '@opentelemetry/api';
import type { TimedEvent } from '@opentelemetry/sdk-trace';
import { timeInputToHrTime } from '../utils/span-time.ts';
import { AttributeMap } from './attribute-map.ts';
import type { EndedEvent, EndedLink } from './ended-span.ts';

const TRACE_ID = /^[0-9a-f]{32}$/i;
const SPAN_ID = /^[0-9a-f]{16}$/i;

/** Copies the attributes of whatever part of a span. */
export type CopyAttributes = (attributes: unknown) => AttributeMap;

/** An event as OpenTelemetry's processors and exporters read it. */
export function viewEvent({ name, time, attributes, droppedAttributesCount }: EndedEvent): TimedEvent {
  return { name, time, attributes: viewAttributes(attributes), droppedAttributesCount };
}

/** A link as OpenTelemetry's processors and exporters read it: as in the SDK, without what it does not have. */
export function viewLink({ context, attributes, droppedAttributesCount }: EndedLink): Link {
  return {
    context,
    ...(attributes.keys.length > 0 && { attributes: viewAttributes(attributes) }),
    ...(droppedAttributesCount > 0 && { droppedAttributesCount }),
  };
}

/**
 * A copy of a link's context, or `undefined` when its ids could not be sent. Ids of zeros are let through, as the
 * specification allows.
 */
export function readLinkContext(context: SpanContext): SpanContext | undefined {
  const { traceId, spanId, traceFlags, traceState, isRemote } = context;
  if (!isHex(traceId, TRACE_ID) || !isHex(spanId, SPAN_ID)) return undefined;
  return {
    traceId,
    spanId,
    traceFlags: Number(traceFlags) & 0xff,
    ...(typeof traceState?.serialize === 'function' && { traceState }),
    ...(isRemote !== undefined && { isRemote: isRemote === true }),
  };
}

/** The events of a view that a processor may have changed; one that is no event any more is left out. */
export function readEvents(view: readonly TimedEvent[], copy: CopyAttributes): EndedEvent[] {
  return view.flatMap((event) => {
    const time = timeInputToHrTime(event.time);
    if (typeof event.name !== 'string' || time === undefined) return [];
    const { name, attributes, droppedAttributesCount = 0 } = event;
    return [{ name, time, attributes: copy(attributes), droppedAttributesCount }];
  });
}

/** The links of a view that a processor may have changed. */
export function readLinks(view: readonly Link[], copy: CopyAttributes): EndedLink[] {
  return view.flatMap(({ context: given, attributes, droppedAttributesCount = 0 }) => {
    const context = readLinkContext(given);
    return context === undefined ? [] : [{ context, attributes: copy(attributes), droppedAttributesCount }];
  });
}

function viewAttributes(list: EndedEvent['attributes']): Attributes {
  return list instanceof AttributeMap ? list.copyTo({}) : {};
}

function isHex(id: unknown, pattern: RegExp): boolean {
  return typeof id === 'string' && pattern.test(id);
}
