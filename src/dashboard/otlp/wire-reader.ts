import { MalformedOtlpError } from './malformed.ts';

export const WIRE_VARINT = 0;
export const WIRE_FIXED64 = 1;
export const WIRE_BYTES = 2;
export const WIRE_FIXED32 = 5;

const MAX_VARINT_BYTES = 10;
const TWO_POW_32 = 4_294_967_296;

/** To make a number of its two halves. Node's machines are little-endian. */
const double = new Float64Array(1);
const halves = new Uint32Array(double.buffer);
const whole = new BigUint64Array(double.buffer);

/**
 * A cursor over protobuf bytes that allocates nothing: `next` moves to the next field of the current message and sets
 * `tag` (field number and wire type) and either `start` and `stop`, the bounds of its bytes, or `low` and `high`, the
 * halves of its number, and the others to 0. Throws {@link MalformedOtlpError} on what is malformed, and never reads outside the bounds.
 */
export class WireReader {
  readonly bytes: Uint8Array;
  at: number;
  end: number;
  tag = 0;
  start = 0;
  stop = 0;
  low = 0;
  high = 0;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  get field(): number {
    return this.tag >>> 3;
  }

  get wireType(): number {
    return this.tag & 7;
  }

  /** Whether there is another field. */
  next(): boolean {
    if (this.at >= this.end) return false;
    const first = this.bytes[this.at] as number;
    if (first < 0x80) {
      this.at += 1;
      this.tag = first;
    } else {
      this.#varint();
      if (this.high !== 0) throw new MalformedOtlpError('a field number is out of range');
      this.tag = this.low;
    }
    if (this.tag >>> 3 === 0) throw new MalformedOtlpError('a field has the number 0');
    switch (this.tag & 7) {
      case WIRE_BYTES:
        this.#bounds();
        return true;
      case WIRE_VARINT:
        this.#varint();
        this.start = this.stop = 0;
        return true;
      case WIRE_FIXED64:
        this.#need(8);
        this.low = this.#fixed32(this.at);
        this.high = this.#fixed32(this.at + 4);
        this.at += 8;
        this.start = this.stop = 0;
        return true;
      case WIRE_FIXED32:
        this.#need(4);
        this.low = this.#fixed32(this.at);
        this.high = 0;
        this.at += 4;
        this.start = this.stop = 0;
        return true;
      default:
        throw new MalformedOtlpError('a field has an unknown wire type');
    }
  }

  /** Makes these bytes the current message. */
  move(start: number, end: number): void {
    this.at = start;
    this.end = end;
  }

  /** Makes the field just read, which has bytes, the current message. Afterwards the cursor stands behind it, at `stop`. */
  enter(): void {
    this.at = this.start;
    this.end = this.stop;
  }

  /** The number just read, unsigned; beyond 2^53 not exact. */
  get unsigned(): number {
    return this.high * TWO_POW_32 + this.low;
  }

  /** The fixed64 just read, as a double; 0 for a field of another wire type. */
  get double(): number {
    if (this.wireType !== WIRE_FIXED64) return 0;
    halves[0] = this.low;
    halves[1] = this.high;
    return double[0] as number;
  }

  get bigUnsigned(): bigint {
    halves[0] = this.low;
    halves[1] = this.high;
    return whole[0] as bigint;
  }

  get bigSigned(): bigint {
    return BigInt.asIntN(64, this.bigUnsigned);
  }

  /** A varint without tag, as in a packed list. */
  bareVarint(): number {
    this.#varint();
    return this.unsigned;
  }

  /** A fixed64 without tag, as in a packed list. */
  bareFixed64(): void {
    this.#need(8);
    this.tag = WIRE_FIXED64;
    this.low = this.#fixed32(this.at);
    this.high = this.#fixed32(this.at + 4);
    this.at += 8;
  }

  #bounds(): void {
    const first = this.bytes[this.at];
    let length: number;
    if (first !== undefined && first < 0x80 && this.at < this.end) {
      this.at += 1;
      length = first;
    } else {
      this.#varint();
      length = this.unsigned;
    }
    if (length > this.end - this.at) throw new MalformedOtlpError('a field is longer than its message');
    this.start = this.at;
    this.stop = this.at + length;
    this.at = this.stop;
    this.low = this.high = 0;
  }

  #varint(): void {
    let low = 0;
    let high = 0;
    for (let count = 0; count < MAX_VARINT_BYTES; count += 1) {
      if (this.at >= this.end) break;
      const byte = this.bytes[this.at] as number;
      this.at += 1;
      const bits = byte & 0x7f;
      if (count < 4) low |= bits << (7 * count);
      else if (count === 4) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (7 * count - 32);
      if (byte < 0x80) {
        this.low = low >>> 0;
        this.high = high >>> 0;
        return;
      }
    }
    throw new MalformedOtlpError('a number is cut off or too long');
  }

  #fixed32(at: number): number {
    const { bytes } = this;
    const upper = ((bytes[at + 3] as number) << 24) | ((bytes[at + 2] as number) << 16);
    return (upper | ((bytes[at + 1] as number) << 8) | (bytes[at] as number)) >>> 0;
  }

  #need(length: number): void {
    if (length > this.end - this.at) throw new MalformedOtlpError('a field is longer than its message');
  }
}
