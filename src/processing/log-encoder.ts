import { MAX_VALUE_MESSAGES, writeAnyValue, writeAttributes } from './attribute-encoder.ts';
import type { LogRecord } from './log-record.ts';
import type { ProtoWriter } from './proto-writer.ts';
import { toUint32, writeSpanId, writeTraceId } from './span-encoder.ts';

/** Field numbers of opentelemetry/proto/logs/v1/logs.proto (OTLP 1.x). */
const LOG_RECORD = {
  timeUnixNano: 1,
  severityNumber: 2,
  severityText: 3,
  body: 5,
  attributes: 6,
  droppedAttributesCount: 7,
  flags: 8,
  traceId: 9,
  spanId: 10,
  observedTimeUnixNano: 11,
  eventName: 12,
} as const;

/**
 * Appends the OTLP `LogRecord` message of `record`. Throws for the same ids, times and sizes as `encodeSpan`; `rewind`
 * the writer then.
 */
export function encodeLog(writer: ProtoWriter, record: LogRecord): void {
  const { body, context, eventName, severityText, time } = record;
  if (time !== undefined) writer.timeField(LOG_RECORD.timeUnixNano, time);
  if (record.severityNumber > 0) writer.uint32Field(LOG_RECORD.severityNumber, toUint32(record.severityNumber));
  if (severityText) writer.stringField(LOG_RECORD.severityText, severityText);
  if (body !== undefined) writeAnyValue(writer, LOG_RECORD.body, body, MAX_VALUE_MESSAGES);
  writeAttributes(writer, LOG_RECORD.attributes, record.attributeList);
  if (record.droppedAttributesCount > 0) {
    writer.uint32Field(LOG_RECORD.droppedAttributesCount, toUint32(record.droppedAttributesCount));
  }
  if (context !== undefined) {
    if (context.traceFlags > 0) writer.fixed32Field(LOG_RECORD.flags, context.traceFlags & 0xff);
    writeTraceId(writer, LOG_RECORD.traceId, context);
    writeSpanId(writer, LOG_RECORD.spanId, context);
  }
  writer.timeField(LOG_RECORD.observedTimeUnixNano, record.observedTime);
  if (eventName) writer.stringField(LOG_RECORD.eventName, eventName);
}
