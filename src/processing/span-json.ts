import type { HrTime, SpanStatus } from '@opentelemetry/api';
import { isInt64, LIST_MESSAGES, MAP_MESSAGES, MAX_VALUE_MESSAGES } from './attribute-encoder.ts';
import type { AttributeList, AttributeValue, EndedEvent, EndedLink, EndedSpan } from './ended-span.ts';
import { ProtoWriter } from './proto-writer.ts';
import { type InstrumentationScopeLike, SPAN_ID_BYTES, spanFlags, TRACE_ID_BYTES, toUint32 } from './span-encoder.ts';
import type { HeldContext } from './span-identity.ts';

/**
 * Appends `span` as OTLP/JSON (OTLP 1.x, "JSON Protobuf Encoding"): hex ids in lower case, enums as numbers,
 * 64-bit integers as decimal strings, bytes as base64, NaN and infinities as strings, nothing that is empty.
 * Throws for the same spans as `encodeSpan`; `rewind` the writer then.
 */
export function encodeSpanJson(writer: ProtoWriter, span: EndedSpan): void {
  writer.text(spanText(span));
}

/** An OTLP/JSON `Resource`, to be made once and kept. Throws on attributes larger than 16 MiB. */
export function encodeResourceJson(attributes: AttributeList): Uint8Array {
  return toBytes(`{${attributesText(attributes).slice(1)}}`);
}

/** An OTLP/JSON `InstrumentationScope`, to be made once and kept. */
export function encodeScopeJson({ name, version }: InstrumentationScopeLike): Uint8Array {
  return toBytes(`{"name":${quote(name)}${version ? `,"version":${quote(version)}` : ''}}`);
}

function toBytes(text: string): Uint8Array {
  const writer = new ProtoWriter();
  writer.text(text);
  return writer.toBytes();
}

function spanText(span: EndedSpan): string {
  const { context, parentContext } = span;
  const parentId = parentContext?.spanId;
  return (
    `{${contextText(context)}` +
    (parentId ? `,"parentSpanId":"${idText(parentId, SPAN_ID_BYTES)}"` : '') +
    // The API's SpanKind has no value for "unspecified", which is OTLP's 0.
    `,"name":${quote(span.name)},"kind":${toUint32(span.kind + 1)}` +
    `,"startTimeUnixNano":"${timeText(span.startTime)}","endTimeUnixNano":"${timeText(span.endTime)}"` +
    attributesText(span.attributeList) +
    countText('droppedAttributesCount', span.droppedAttributesCount) +
    listText('events', span.eventList, eventText) +
    countText('droppedEventsCount', span.droppedEventsCount) +
    listText('links', span.linkList, linkText) +
    countText('droppedLinksCount', span.droppedLinksCount) +
    `,"status":${statusText(span.status)}` +
    `,"flags":${spanFlags(context.traceFlags, parentContext?.isRemote)}}`
  );
}

function eventText(event: EndedEvent): string {
  return (
    `{"timeUnixNano":"${timeText(event.time)}","name":${quote(event.name)}` +
    attributesText(event.attributes) +
    `${countText('droppedAttributesCount', event.droppedAttributesCount)}}`
  );
}

function linkText({ context, attributes, droppedAttributesCount }: EndedLink): string {
  return (
    `{${contextText(context)}` +
    attributesText(attributes) +
    countText('droppedAttributesCount', droppedAttributesCount) +
    `,"flags":${spanFlags(context.traceFlags, context.isRemote)}}`
  );
}

function contextText({ traceId, spanId, traceState }: HeldContext): string {
  const state = traceState?.serialize();
  const ids = `"traceId":"${idText(traceId, TRACE_ID_BYTES)}","spanId":"${idText(spanId, SPAN_ID_BYTES)}"`;
  return state ? `${ids},"traceState":${quote(state)}` : ids;
}

function statusText({ code, message }: SpanStatus): string {
  return `{${`${message ? `,"message":${quote(message)}` : ''}${countText('code', code)}`.slice(1)}}`;
}

/** A field with a comma before it, or nothing for the default of proto3. */
export function countText(name: string, count: number): string {
  return count > 0 ? `,"${name}":${toUint32(count)}` : '';
}

function listText<T>(name: string, items: readonly T[], toText: (item: T) => string): string {
  return items.length > 0 ? `,"${name}":[${items.map(toText).join(',')}]` : '';
}

export function attributesText({ keys, values }: AttributeList): string {
  let text = '';
  for (let index = 0; index < keys.length; index++) {
    text += `${index === 0 ? ',"attributes":[' : ','}${keyValueText(keys[index] as string, values[index], MAX_VALUE_MESSAGES)}`;
  }
  return text === '' ? '' : `${text}]`;
}

function keyValueText(key: string, value: AttributeValue, room: number): string {
  return `{"key":${quote(key)},"value":${valueText(value, room)}}`;
}

/** Whatever OTLP has no value for, and what is nested too deep, becomes an empty `AnyValue`, which means null. */
export function valueText(value: AttributeValue, room: number): string {
  if (typeof value === 'string') return `{"stringValue":${quote(value)}}`;
  if (typeof value === 'number') return numberText(value);
  if (typeof value === 'boolean') return `{"boolValue":${value}}`;
  if (typeof value !== 'object' || value === null) return '{}';
  return compositeText(value, room);
}

function numberText(value: number): string {
  if (!isInt64(value)) return `{"doubleValue":${Number.isFinite(value) ? value : `"${value}"`}}`;
  // Beyond 2^53 a number's own text is rounded.
  return `{"intValue":"${Number.isSafeInteger(value) ? value : BigInt(value)}"}`;
}

function compositeText(value: AttributeValue & object, room: number): string {
  if (value instanceof Uint8Array) {
    return `{"bytesValue":"${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')}"}`;
  }
  if (Array.isArray(value)) {
    if (room < LIST_MESSAGES) return '{}';
    const items: readonly AttributeValue[] = value;
    return `{"arrayValue":{"values":[${Array.from(items, (item) => valueText(item, room - LIST_MESSAGES)).join(',')}]}}`;
  }
  if (room < MAP_MESSAGES) return '{}';
  const pairs = Object.entries(value).map(([key, item]) => keyValueText(key, item, room - MAP_MESSAGES));
  return `{"kvlistValue":{"values":[${pairs.join(',')}]}}`;
}

/** Ids and times go through the protobuf writer, which checks them and computes the nanoseconds. */
const checker = new ProtoWriter();

export function idText(id: string, length: number): string {
  checker.rewind(0);
  checker.hexField(1, id, length);
  return id.toLowerCase();
}

export function timeText(time: HrTime | number): string {
  checker.rewind(0);
  checker.timeField(1, time);
  const { buffer } = checker;
  return new DataView(buffer.buffer, buffer.byteOffset).getBigUint64(1, true).toString();
}

/** A JSON string. A lone surrogate becomes U+FFFD: JSON.stringify would escape it, which many parsers refuse. */
export function quote(text: string): string {
  const quoted = JSON.stringify(text);
  if (quoted.length === text.length + 2 || !/\p{Surrogate}/u.test(text)) return quoted;
  return JSON.stringify(text.replace(/\p{Surrogate}/gu, '\ufffd'));
}
