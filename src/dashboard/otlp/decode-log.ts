import { hexOf, textOf } from './byte-range.ts';
import { AttributeReader, readValue } from './decode-value.ts';
import type { LogRecord, TelemetryOrigin, TelemetryValue } from './telemetry-model.ts';
import { WireReader } from './wire-reader.ts';

/** Reads a `LogRecord` message that was checked when it came in. */
export function decodeLogRecord(bytes: Uint8Array, start: number, stop: number, origin: TelemetryOrigin): LogRecord {
  const reader = new WireReader(bytes, start, stop);
  const attributes = new AttributeReader();
  let timeUnixNano = 0n;
  let observedTimeUnixNano = 0n;
  let severityNumber = 0;
  let severityText = '';
  let eventName = '';
  let body: TelemetryValue = null;
  let droppedAttributesCount = 0;
  let flags = 0;
  let traceId = '';
  let spanId = '';
  while (reader.next()) {
    switch (reader.field) {
      case 1:
        timeUnixNano = reader.bigUnsigned;
        break;
      case 2:
        severityNumber = reader.low;
        break;
      case 3:
        severityText = textOf(bytes, reader);
        break;
      case 5:
        body = readValue(bytes, reader.start, reader.stop);
        break;
      case 6:
        attributes.add(reader);
        break;
      case 7:
        droppedAttributesCount = reader.low;
        break;
      case 8:
        flags = reader.low;
        break;
      case 9:
        traceId = optionalId(hexOf(bytes, reader));
        break;
      case 10:
        spanId = optionalId(hexOf(bytes, reader));
        break;
      case 11:
        observedTimeUnixNano = reader.bigUnsigned;
        break;
      case 12:
        eventName = textOf(bytes, reader);
        break;
      default:
    }
  }
  return {
    ...origin,
    timeUnixNano,
    observedTimeUnixNano,
    severityNumber,
    severityText,
    eventName,
    body,
    attributes: attributes.attributes,
    droppedAttributesCount,
    flags,
    traceId,
    spanId,
  };
}

/** All zeros stand for none. */
function optionalId(hex: string): string {
  return /^0*$/.test(hex) ? '' : hex;
}
