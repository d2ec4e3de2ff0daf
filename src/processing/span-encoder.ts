import type { SpanStatus } from '@opentelemetry/api';
import { writeAttributes } from './attribute-encoder.ts';
import type { AttributeList, EndedEvent, EndedLink, EndedSpan } from './ended-span.ts';
import { ProtoWriter } from './proto-writer.ts';
import { type HeldContext, SpanIdentity } from './span-identity.ts';

/*
 * Field numbers of opentelemetry/proto/trace/v1/trace.proto, common/v1/common.proto and
 * resource/v1/resource.proto (OTLP 1.x).
 */
const SPAN = {
  traceId: 1,
  spanId: 2,
  traceState: 3,
  parentSpanId: 4,
  name: 5,
  kind: 6,
  startTimeUnixNano: 7,
  endTimeUnixNano: 8,
  attributes: 9,
  droppedAttributesCount: 10,
  events: 11,
  droppedEventsCount: 12,
  links: 13,
  droppedLinksCount: 14,
  status: 15,
  flags: 16,
} as const;
const EVENT = { timeUnixNano: 1, name: 2, attributes: 3, droppedAttributesCount: 4 } as const;
const LINK = { traceId: 1, spanId: 2, traceState: 3, attributes: 4, droppedAttributesCount: 5, flags: 6 } as const;
const STATUS = { message: 2, code: 3 } as const;
const SCOPE = { name: 1, version: 2 } as const;
const RESOURCE = { attributes: 1 } as const;

export const TRACE_ID_BYTES = 16;
export const SPAN_ID_BYTES = 8;

/** `SpanFlags`: the low byte is the W3C trace flags; the other two say whether the parent's `isRemote` is known, and its value. */
const FLAG_HAS_IS_REMOTE = 0x100;
const FLAG_IS_REMOTE = 0x200;

const MAX_UINT32 = 2 ** 32 - 1;

export interface InstrumentationScopeLike {
  readonly name: string;
  readonly version?: string | undefined;
}

/**
 * Appends the OTLP `Span` message of `span`, the same message that OpenTelemetry's own exporter sends.
 * An id that is not hex of the right length or a time outside 64 bits throws; so does a span larger than
 * the writer allows. The writer then holds half a message: `rewind` it and go on with the next span.
 */
export function encodeSpan(writer: ProtoWriter, span: EndedSpan): void {
  const { context, parentContext } = span;
  writeTraceId(writer, SPAN.traceId, context);
  writeSpanId(writer, SPAN.spanId, context);
  writeTraceState(writer, SPAN.traceState, context);
  if (parentContext) writeParentId(writer, parentContext);
  writer.stringField(SPAN.name, span.name);
  // The API's SpanKind has no value for "unspecified", which is OTLP's 0.
  writer.uint32Field(SPAN.kind, span.kind + 1);
  writer.timeField(SPAN.startTimeUnixNano, span.startMillis ?? span.startTime);
  writer.timeField(SPAN.endTimeUnixNano, span.endMillis ?? span.endTime);
  writeAttributes(writer, SPAN.attributes, span.attributeList);
  writeCount(writer, SPAN.droppedAttributesCount, span.droppedAttributesCount);
  const events = span.eventList;
  for (let index = 0; index < events.length; index++) writeEvent(writer, events[index] as EndedEvent);
  writeCount(writer, SPAN.droppedEventsCount, span.droppedEventsCount);
  const links = span.linkList;
  for (let index = 0; index < links.length; index++) writeLink(writer, links[index] as EndedLink);
  writeCount(writer, SPAN.droppedLinksCount, span.droppedLinksCount);
  writeStatus(writer, span.status);
  writer.fixed32Field(SPAN.flags, spanFlags(context.traceFlags, parentContext?.isRemote));
}

/** An OTLP `Resource` message, to be made once and kept. Throws on attributes larger than 16 MiB. */
export function encodeResource(attributes: AttributeList): Uint8Array {
  const writer = new ProtoWriter();
  writeAttributes(writer, RESOURCE.attributes, attributes);
  return writer.toBytes();
}

/** An OTLP `InstrumentationScope` message, to be made once and kept. */
export function encodeScope(scope: InstrumentationScopeLike): Uint8Array {
  const writer = new ProtoWriter();
  writer.stringField(SCOPE.name, scope.name);
  if (scope.version) writer.stringField(SCOPE.version, scope.version);
  return writer.toBytes();
}

function writeEvent(writer: ProtoWriter, event: EndedEvent): void {
  const mark = writer.beginMessage(SPAN.events);
  writer.timeField(EVENT.timeUnixNano, event.time);
  writer.stringField(EVENT.name, event.name);
  writeAttributes(writer, EVENT.attributes, event.attributes);
  writeCount(writer, EVENT.droppedAttributesCount, event.droppedAttributesCount);
  writer.endMessage(mark);
}

function writeLink(writer: ProtoWriter, link: EndedLink): void {
  const { context } = link;
  const mark = writer.beginMessage(SPAN.links);
  writeTraceId(writer, LINK.traceId, context);
  writeSpanId(writer, LINK.spanId, context);
  writeTraceState(writer, LINK.traceState, context);
  writeAttributes(writer, LINK.attributes, link.attributes);
  writeCount(writer, LINK.droppedAttributesCount, link.droppedAttributesCount);
  writer.fixed32Field(LINK.flags, spanFlags(context.traceFlags, context.isRemote));
  writer.endMessage(mark);
}

function writeStatus(writer: ProtoWriter, status: SpanStatus): void {
  const mark = writer.beginMessage(SPAN.status);
  if (status.message) writer.stringField(STATUS.message, status.message);
  writeCount(writer, STATUS.code, status.code);
  writer.endMessage(mark);
}

export function writeTraceId(writer: ProtoWriter, field: number, context: HeldContext): void {
  if (context instanceof SpanIdentity) {
    writer.wordsField(field, context.trace0, context.trace1, context.trace2, context.trace3);
  } else {
    writer.hexField(field, context.traceId, TRACE_ID_BYTES);
  }
}

export function writeSpanId(writer: ProtoWriter, field: number, context: HeldContext): void {
  if (context instanceof SpanIdentity) writer.wordsField(field, context.span0, context.span1);
  else writer.hexField(field, context.spanId, SPAN_ID_BYTES);
}

function writeParentId(writer: ProtoWriter, parent: HeldContext): void {
  if (parent instanceof SpanIdentity || parent.spanId) writeSpanId(writer, SPAN.parentSpanId, parent);
}

function writeTraceState(writer: ProtoWriter, field: number, context: HeldContext): void {
  const traceState = context.traceState?.serialize();
  if (traceState) writer.stringField(field, traceState);
}

/** Zero is the default of proto3 and not written. */
function writeCount(writer: ProtoWriter, field: number, count: number): void {
  if (count > 0) writer.uint32Field(field, toUint32(count));
}

/** A count or an enum as the protocol can hold it. */
export function toUint32(value: number): number {
  return Math.min(value, MAX_UINT32) >>> 0;
}

export function spanFlags(traceFlags: number, isRemote: boolean | undefined): number {
  return (traceFlags & 0xff) | FLAG_HAS_IS_REMOTE | (isRemote ? FLAG_IS_REMOTE : 0);
}
