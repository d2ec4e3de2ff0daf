const VARINT = 0;
const FIXED64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED32 = 5;
const MAX_VARINT_BYTES = 10;
const NO_BYTES = new Uint8Array(0);

/** A varint, as a signed number of 64 bits, or the bytes of a text, of bytes or of a message. */
export type ProtoValue = bigint | Uint8Array;

/**
 * Calls `visit` for each top-level field of a protobuf message that holds a varint or bytes, in order; other fields
 * are skipped. Reads nothing nested, allocates nothing by what a length says, and throws on what is malformed.
 */
export function readFields(message: Uint8Array, visit: (field: number, value: ProtoValue) => void): void {
  let at = 0;

  function varint(): bigint {
    let value = 0n;
    for (let count = 0; count < MAX_VARINT_BYTES; count += 1) {
      const byte = message[at];
      if (byte === undefined) break;
      at += 1;
      value |= BigInt(byte & 0x7f) << BigInt(7 * count);
      if (byte < 0x80) return BigInt.asIntN(64, value);
    }
    throw new RangeError('malformed varint');
  }

  function take(length: number): Uint8Array {
    if (!(length >= 0 && length <= message.length - at)) throw new RangeError('field beyond the end');
    at += length;
    return message.subarray(at - length, at);
  }

  while (at < message.length) {
    const tag = Number(varint());
    const field = tag >>> 3;
    const wireType = tag & 7;
    if (wireType === VARINT) visit(field, varint());
    else if (wireType === LENGTH_DELIMITED) visit(field, take(Number(varint())));
    else if (wireType === FIXED64) take(8);
    else if (wireType === FIXED32) take(4);
    else throw new RangeError('unknown wire type');
  }
}

/** The fields by number; of one that occurs more than once the last, as protobuf demands of readers. */
export function lastFields(message: Uint8Array): ReadonlyMap<number, ProtoValue> {
  const fields = new Map<number, ProtoValue>();
  readFields(message, (field, value) => fields.set(field, value));
  return fields;
}

/** Nothing for a field that is missing or of another type. */
export function bytesOf(value: ProtoValue | undefined): Uint8Array {
  return value instanceof Uint8Array ? value : NO_BYTES;
}
