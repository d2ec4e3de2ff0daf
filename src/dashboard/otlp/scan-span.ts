import { bytesEqual } from './byte-range.ts';
import { checkMessage, messageKind } from './check-message.ts';
import type { Scan } from './scan.ts';
import { addRecordRow, isSpanId, NANOS_PER_MILLI, RECORD_DEPTH, traceIdAt } from './scan-record.ts';
import { spanFlags } from './span-flags.ts';
import type { WireReader } from './wire-reader.ts';

const KEY_VALUE = messageKind('KeyValue');
const EVENT = messageKind('Event');
const LINK = messageKind('Link');
const STATUS = messageKind('Status');

const TWO_POW_32 = 4_294_967_296;
const EXCEPTION = Buffer.from('exception');

/** Tags of the fields, number and wire type. */
const TRACE_ID = (1 << 3) | 2;
const SPAN_ID = (2 << 3) | 2;
const PARENT_ID = (4 << 3) | 2;
const NAME = (5 << 3) | 2;
const KIND = 6 << 3;
const START_TIME = (7 << 3) | 1;
const END_TIME = (8 << 3) | 1;
const ATTRIBUTES = (9 << 3) | 2;
const EVENTS = (11 << 3) | 2;
const LINKS = (13 << 3) | 2;
const STATUS_FIELD = (15 << 3) | 2;
const EVENT_NAME = (2 << 3) | 2;
const STATUS_CODE = 3 << 3;

/** Reads the span that the reader's current field holds. */
export function scanSpan({ reader, batch, stack }: Scan): void {
  const outerEnd = reader.end;
  const { start, stop } = reader;
  let traceAt = 0;
  let hasSpanId = false;
  let nameStart = 0;
  let nameStop = 0;
  let kind = 0;
  let startLow = 0;
  let startHigh = 0;
  let endLow = 0;
  let endHigh = 0;
  let status = 0;
  let root = true;
  let exception = false;
  reader.enter();
  while (reader.next()) {
    switch (reader.tag) {
      case TRACE_ID:
        traceAt = traceIdAt(reader);
        break;
      case SPAN_ID:
        hasSpanId = isSpanId(reader);
        break;
      case PARENT_ID:
        root = !isSpanId(reader);
        break;
      case NAME:
        nameStart = reader.start;
        nameStop = reader.stop;
        break;
      case KIND:
        kind = reader.low;
        break;
      case START_TIME:
        startLow = reader.low;
        startHigh = reader.high;
        break;
      case END_TIME:
        endLow = reader.low;
        endHigh = reader.high;
        break;
      case ATTRIBUTES:
        checkMessage(reader, KEY_VALUE, stack, RECORD_DEPTH);
        break;
      case EVENTS:
        exception = isExceptionEvent(reader) || exception;
        checkMessage(reader, EVENT, stack, RECORD_DEPTH);
        break;
      case LINKS:
        checkMessage(reader, LINK, stack, RECORD_DEPTH);
        break;
      case STATUS_FIELD:
        status = statusCode(reader);
        checkMessage(reader, STATUS, stack, RECORD_DEPTH);
        break;
      default:
    }
  }
  reader.end = outerEnd;
  if (traceAt === 0 || !hasSpanId) {
    batch.reject(`a span has no valid ${traceAt === 0 ? 'trace' : 'span'} id`);
    return;
  }
  const row = addRecordRow(batch, start, stop, nameStart, nameStop, traceAt);
  batch.time[row] = (startHigh * TWO_POW_32 + startLow) / NANOS_PER_MILLI;
  batch.value[row] = Math.max((endHigh - startHigh) * TWO_POW_32 + (endLow - startLow), 0);
  batch.flags[row] = spanFlags(status, kind, root, exception);
}

/** Looks at the event in the field just read and leaves the reader at that field. */
function isExceptionEvent(reader: WireReader): boolean {
  const { start, stop, end } = reader;
  let found = false;
  reader.enter();
  while (reader.next()) if (reader.tag === EVENT_NAME) found = bytesEqual(reader.bytes, reader, EXCEPTION);
  reader.start = start;
  reader.stop = stop;
  reader.end = end;
  return found;
}

/** The code of the status in the field just read; leaves the reader at that field. */
function statusCode(reader: WireReader): number {
  const { start, stop, end } = reader;
  let code = 0;
  reader.enter();
  while (reader.next()) if (reader.tag === STATUS_CODE) code = reader.low;
  reader.start = start;
  reader.stop = stop;
  reader.end = end;
  return code;
}
