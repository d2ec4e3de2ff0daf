import type { RowBatch } from './row-batch.ts';
import type { WireReader } from './wire-reader.ts';

/** Nested messages above the fields of a span or a log record. */
export const RECORD_DEPTH = 4;
export const NANOS_PER_MILLI = 1_000_000;

const TRACE_ID_BYTES = 16;
const SPAN_ID_BYTES = 8;

/** Where the trace id in the field just read is; 0 when it is none. */
export function traceIdAt(reader: WireReader): number {
  return isId(reader, TRACE_ID_BYTES) ? reader.start : 0;
}

/** Whether the field just read is a span id. */
export function isSpanId(reader: WireReader): boolean {
  return isId(reader, SPAN_ID_BYTES);
}

/** A row of the last group of a batch, whose time, value and flags the caller sets. */
export function addRecordRow(
  batch: RowBatch,
  start: number,
  stop: number,
  nameStart: number,
  nameStop: number,
  traceAt: number,
): number {
  const row = batch.add();
  batch.start[row] = start;
  batch.stop[row] = stop;
  batch.nameStart[row] = nameStart;
  batch.nameStop[row] = nameStop;
  batch.traceAt[row] = traceAt;
  batch.group[row] = batch.groups.length - 1;
  return row;
}

/** Not all zeros, as the specification demands of valid ids. */
function isId({ bytes, start, stop }: WireReader, length: number): boolean {
  if (stop - start !== length) return false;
  for (let index = start; index < stop; index += 1) if (bytes[index] !== 0) return true;
  return false;
}
