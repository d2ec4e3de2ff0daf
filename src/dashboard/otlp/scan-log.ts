import { checkMessage, messageKind } from './check-message.ts';
import type { Scan } from './scan.ts';
import { addRecordRow, NANOS_PER_MILLI, RECORD_DEPTH, traceIdAt } from './scan-record.ts';

const KEY_VALUE = messageKind('KeyValue');
const ANY_VALUE = messageKind('AnyValue');

const MAX_SEVERITY = 24;

const TIME = (1 << 3) | 1;
const SEVERITY = 2 << 3;
const BODY = (5 << 3) | 2;
const ATTRIBUTES = (6 << 3) | 2;
const TRACE_ID = (9 << 3) | 2;
const OBSERVED_TIME = (11 << 3) | 1;
const EVENT_NAME = (12 << 3) | 2;

/** Reads the log record that the reader's current field holds. Its time is the observed one where it has no other. */
export function scanLogRecord({ reader, batch, stack, receivedAt }: Scan): void {
  const outerEnd = reader.end;
  const { start, stop } = reader;
  let time = 0;
  let observed = 0;
  let severity = 0;
  let traceAt = 0;
  let nameStart = 0;
  let nameStop = 0;
  reader.enter();
  while (reader.next()) {
    switch (reader.tag) {
      case TIME:
        time = reader.unsigned;
        break;
      case OBSERVED_TIME:
        observed = reader.unsigned;
        break;
      case SEVERITY:
        severity = reader.low <= MAX_SEVERITY ? reader.low : 0;
        break;
      case BODY:
        checkMessage(reader, ANY_VALUE, stack, RECORD_DEPTH);
        break;
      case ATTRIBUTES:
        checkMessage(reader, KEY_VALUE, stack, RECORD_DEPTH);
        break;
      case TRACE_ID:
        traceAt = traceIdAt(reader);
        break;
      case EVENT_NAME:
        nameStart = reader.start;
        nameStop = reader.stop;
        break;
      default:
    }
  }
  reader.end = outerEnd;
  const row = addRecordRow(batch, start, stop, nameStart, nameStop, traceAt);
  const nanos = time > 0 ? time : observed;
  batch.time[row] = nanos > 0 ? nanos / NANOS_PER_MILLI : receivedAt;
  batch.value[row] = 0;
  batch.flags[row] = severity;
}
