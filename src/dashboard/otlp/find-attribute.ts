import { bytesEqual, EMPTY_RANGE } from './byte-range.ts';
import { readValue } from './decode-value.ts';
import type { TelemetryValue } from './telemetry-model.ts';
import { WIRE_BYTES, WireReader } from './wire-reader.ts';

const TAG_1 = (1 << 3) | WIRE_BYTES;
const TAG_2 = (2 << 3) | WIRE_BYTES;

/**
 * The value of one attribute of a record, without decoding the others; `undefined` if it has none of that name.
 * `field` is the number of the record's attributes.
 */
export function findAttribute(
  bytes: Buffer,
  start: number,
  stop: number,
  field: number,
  key: Uint8Array,
): TelemetryValue | undefined {
  const reader = new WireReader(bytes, start, stop);
  const tag = (field << 3) | WIRE_BYTES;
  let found: TelemetryValue | undefined;
  while (reader.next()) {
    if (reader.tag !== tag) continue;
    reader.enter();
    let matches = key.length === 0;
    let value = EMPTY_RANGE;
    while (reader.next()) {
      if (reader.tag === TAG_1) matches = bytesEqual(bytes, reader, key);
      else if (reader.tag === TAG_2) value = { start: reader.start, stop: reader.stop };
    }
    reader.end = stop;
    if (matches) found = readValue(bytes, value.start, value.stop);
  }
  return found;
}
