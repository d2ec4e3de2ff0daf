import { hexOf, textOf } from './byte-range.ts';
import { AttributeReader } from './decode-value.ts';
import { SPAN_KINDS, SPAN_STATUSES } from './span-flags.ts';
import type { EventRecord, LinkRecord, SpanRecord, TelemetryOrigin } from './telemetry-model.ts';
import { WireReader } from './wire-reader.ts';

/** Reads a `Span` message that was checked when it came in. */
export function decodeSpan(bytes: Uint8Array, start: number, stop: number, origin: TelemetryOrigin): SpanRecord {
  const reader = new WireReader(bytes, start, stop);
  const attributes = new AttributeReader();
  const events: EventRecord[] = [];
  const links: LinkRecord[] = [];
  let traceId = '';
  let spanId = '';
  let parentSpanId = '';
  let traceState = '';
  let name = '';
  let kind = 0;
  let startTimeUnixNano = 0n;
  let endTimeUnixNano = 0n;
  let droppedAttributesCount = 0;
  let droppedEventsCount = 0;
  let droppedLinksCount = 0;
  let status: SpanRecord['status'] = { code: 'unset', message: '' };
  let flags = 0;
  while (reader.next()) {
    switch (reader.field) {
      case 1:
        traceId = hexOf(bytes, reader);
        break;
      case 2:
        spanId = hexOf(bytes, reader);
        break;
      case 3:
        traceState = textOf(bytes, reader);
        break;
      case 4:
        parentSpanId = parentId(bytes, reader);
        break;
      case 5:
        name = textOf(bytes, reader);
        break;
      case 6:
        kind = reader.low;
        break;
      case 7:
        startTimeUnixNano = reader.bigUnsigned;
        break;
      case 8:
        endTimeUnixNano = reader.bigUnsigned;
        break;
      case 9:
        attributes.add(reader);
        break;
      case 10:
        droppedAttributesCount = reader.low;
        break;
      case 11:
        events.push(decodeEvent(reader));
        break;
      case 12:
        droppedEventsCount = reader.low;
        break;
      case 13:
        links.push(decodeLink(reader));
        break;
      case 14:
        droppedLinksCount = reader.low;
        break;
      case 15:
        status = decodeStatus(reader);
        break;
      case 16:
        flags = reader.low;
        break;
      default:
    }
  }
  return {
    // Spelled out: a spread costs much of the whole.
    tenant: origin.tenant,
    service: origin.service,
    resource: origin.resource,
    scope: origin.scope,
    traceId,
    spanId,
    parentSpanId,
    traceState,
    flags,
    name,
    kind: SPAN_KINDS[kind] ?? 'unspecified',
    startTimeUnixNano,
    endTimeUnixNano,
    attributes: attributes.attributes,
    droppedAttributesCount,
    events,
    droppedEventsCount,
    links,
    droppedLinksCount,
    status,
  };
}

/** Some senders write a missing parent as eight zeros. */
function parentId(bytes: Uint8Array, reader: WireReader): string {
  for (let at = reader.start; at < reader.stop; at += 1) if (bytes[at] !== 0) return hexOf(bytes, reader);
  return '';
}

function decodeEvent({ bytes, start, stop }: WireReader): EventRecord {
  const reader = new WireReader(bytes, start, stop);
  const attributes = new AttributeReader();
  let name = '';
  let timeUnixNano = 0n;
  let droppedAttributesCount = 0;
  while (reader.next()) {
    if (reader.field === 1) timeUnixNano = reader.bigUnsigned;
    else if (reader.field === 2) name = textOf(bytes, reader);
    else if (reader.field === 3) attributes.add(reader);
    else if (reader.field === 4) droppedAttributesCount = reader.low;
  }
  return { name, timeUnixNano, attributes: attributes.attributes, droppedAttributesCount };
}

function decodeLink({ bytes, start, stop }: WireReader): LinkRecord {
  const reader = new WireReader(bytes, start, stop);
  const attributes = new AttributeReader();
  const ids = { traceId: '', spanId: '', traceState: '' };
  let droppedAttributesCount = 0;
  let flags = 0;
  while (reader.next()) {
    if (reader.field === 1) ids.traceId = hexOf(bytes, reader);
    else if (reader.field === 2) ids.spanId = hexOf(bytes, reader);
    else if (reader.field === 3) ids.traceState = textOf(bytes, reader);
    else if (reader.field === 4) attributes.add(reader);
    else if (reader.field === 5) droppedAttributesCount = reader.low;
    else if (reader.field === 6) flags = reader.low;
  }
  return { ...ids, attributes: attributes.attributes, droppedAttributesCount, flags };
}

function decodeStatus({ bytes, start, stop }: WireReader): SpanRecord['status'] {
  const reader = new WireReader(bytes, start, stop);
  let message = '';
  let code = 0;
  while (reader.next()) {
    if (reader.field === 2) message = textOf(bytes, reader);
    else if (reader.field === 3) code = reader.low;
  }
  return { code: SPAN_STATUSES[code] ?? 'unset', message };
}
