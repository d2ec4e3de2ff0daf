import { MAX_VALUE_MESSAGES } from './attribute-encoder.ts';
import type { LogRecord } from './log-record.ts';
import type { ProtoWriter } from './proto-writer.ts';
import { SPAN_ID_BYTES, TRACE_ID_BYTES, toUint32 } from './span-encoder.ts';
import { attributesText, countText, idText, quote, timeText, valueText } from './span-json.ts';

/** Appends `record` as OTLP/JSON, by the rules of `encodeSpanJson`. */
export function encodeLogJson(writer: ProtoWriter, record: LogRecord): void {
  writer.text(recordText(record));
}

function recordText(record: LogRecord): string {
  const { body, context, eventName, severityText, time } = record;
  return (
    `{"observedTimeUnixNano":"${timeText(record.observedTime)}"` +
    (time === undefined ? '' : `,"timeUnixNano":"${timeText(time)}"`) +
    (record.severityNumber > 0 ? `,"severityNumber":${toUint32(record.severityNumber)}` : '') +
    (severityText ? `,"severityText":${quote(severityText)}` : '') +
    (body === undefined ? '' : `,"body":${valueText(body, MAX_VALUE_MESSAGES)}`) +
    attributesText(record.attributeList) +
    countText('droppedAttributesCount', record.droppedAttributesCount) +
    (context === undefined ? '' : contextText(context)) +
    (eventName ? `,"eventName":${quote(eventName)}}` : '}')
  );
}

function contextText({ spanId, traceFlags, traceId }: NonNullable<LogRecord['context']>): string {
  const ids = `,"traceId":"${idText(traceId, TRACE_ID_BYTES)}","spanId":"${idText(spanId, SPAN_ID_BYTES)}"`;
  return traceFlags > 0 ? `${ids},"flags":${traceFlags & 0xff}` : ids;
}
