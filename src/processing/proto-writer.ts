import type { HrTime } from '@opentelemetry/api';
import { HEX_DIGITS } from '../utils/hex-digits.ts';

const INITIAL_BYTES = 4_096;
/** A buffer that one large message blew up is let go at the next `reset`. */
const RETAINED_BYTES = 65_536;
const DEFAULT_MAX_BYTES = 16 * 1_048_576;
/** Views of the first bytes are kept up to here: making one takes longer than copying what it shows. */
const MAX_KEPT_VIEW_BYTES = 1_024;

/** Where a loop over char codes takes as long as one native write, about 70 ns on Node 20. */
const LOOP_MAX_CHARS = 32;

const TWO_POW_16 = 65_536;
const TWO_POW_32 = 4_294_967_296;
const NANOS_PER_MILLI = 1_000_000;
const NANOS_PER_SECOND = 1_000_000_000;

const WIRE_VARINT = 0;
const WIRE_FIXED64 = 1;
const WIRE_LENGTH_DELIMITED = 2;
const WIRE_FIXED32 = 5;

export interface ProtoWriterOptions {
  /** A message that would need more throws a `RangeError`. Default 16 MiB. */
  readonly maxBytes?: number;
}

/**
 * Writes protobuf fields into one buffer that grows as needed and is reused for message after message.
 *
 * Every method either writes a complete field or throws; after a throw, `rewind` to the position before
 * the message makes the writer good again. Field numbers go up to 2047.
 */
export class ProtoWriter {
  readonly #maxBytes: number;
  #buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  #view = new DataView(this.#buffer.buffer);
  /** By length. */
  #heads: Uint8Array[] = [];
  #position = 0;

  constructor(options: ProtoWriterOptions = {}) {
    this.#maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
  }

  /** The bytes written so far are `buffer[0 .. position]`. Growth replaces the buffer: read it after writing. */
  get buffer(): Uint8Array {
    return this.#buffer;
  }

  get position(): number {
    return this.#position;
  }

  /** On the same memory as `buffer`. */
  get view(): DataView {
    return this.#view;
  }

  /** Makes room for so many bytes and answers where they start in `buffer`, as it is then; `commit` says where they end. */
  claim(bytes: number): number {
    this.#reserve(bytes);
    return this.#position;
  }

  commit(end: number): void {
    this.#position = end;
  }

  /** Forgets everything written after `position`. */
  rewind(position: number): void {
    this.#position = position;
  }

  /** Starts afresh, and lets an unusually large buffer go. */
  reset(): void {
    this.#position = 0;
    if (this.#buffer.length > RETAINED_BYTES) this.#replaceBuffer(INITIAL_BYTES);
  }

  /** Everything written, until something else is. */
  get written(): Uint8Array {
    const length = this.#position;
    if (length > MAX_KEPT_VIEW_BYTES) return this.#buffer.subarray(0, length);
    let head = this.#heads[length];
    if (head === undefined) {
      head = new Uint8Array(this.#buffer.buffer, 0, length);
      this.#heads[length] = head;
    }
    return head;
  }

  /** A copy of everything written. */
  toBytes(): Uint8Array {
    return new Uint8Array(this.#buffer.subarray(0, this.#position));
  }

  /** `uint32`, `bool` or an enum. */
  uint32Field(field: number, value: number): void {
    this.#reserve(12);
    this.#tag(field, WIRE_VARINT);
    this.#varint32(value);
  }

  /** `value` must be an integer in `[-2^63, 2^63)`. */
  int64Field(field: number, value: number): void {
    this.#reserve(12);
    this.#tag(field, WIRE_VARINT);
    if (value >= 0 && value < TWO_POW_32) this.#varint32(value);
    else this.#varint64(value);
  }

  doubleField(field: number, value: number): void {
    this.#reserve(10);
    this.#tag(field, WIRE_FIXED64);
    this.#view.setFloat64(this.#position, value, true);
    this.#position += 8;
  }

  fixed32Field(field: number, value: number): void {
    this.#reserve(6);
    this.#tag(field, WIRE_FIXED32);
    this.#view.setUint32(this.#position, value, true);
    this.#position += 4;
  }

  /** A byte string of two or four words of 32 bits, the highest bits first. */
  wordsField(field: number, first: number, second: number, third?: number, fourth?: number): void {
    this.#reserve(19);
    this.#tag(field, WIRE_LENGTH_DELIMITED);
    const view = this.#view;
    const start = this.#position + 1;
    view.setInt32(start, first);
    view.setInt32(start + 4, second);
    let length = 8;
    if (third !== undefined && fourth !== undefined) {
      view.setInt32(start + 8, third);
      view.setInt32(start + 12, fourth);
      length = 16;
    }
    this.#buffer[this.#position] = length;
    this.#position = start + length;
  }

  /**
   * Nanoseconds since the epoch as `fixed64`, exact. Fractions of `[seconds, nanoseconds]` are cut off, milliseconds
   * are rounded to nanoseconds; a time that is negative, not finite or beyond 64 bits throws.
   */
  timeField(field: number, time: HrTime | number): void {
    if (typeof time === 'number') {
      const millis = Math.floor(time);
      this.#fixed64Field(field, millis, NANOS_PER_MILLI, Math.round((time - millis) * NANOS_PER_MILLI));
    } else {
      this.#fixed64Field(field, Math.trunc(time[0]), NANOS_PER_SECOND, Math.trunc(time[1]));
    }
  }

  /** `units * nanosPerUnit + nanos`. */
  #fixed64Field(field: number, units: number, nanosPerUnit: number, nanos: number): void {
    // Their product is no safe integer, so the lower 16 bits of the units and the rest are multiplied apart.
    const unitsHigh = Math.floor(units / TWO_POW_16);
    const upper = unitsHigh * nanosPerUnit;
    const upperHigh = Math.floor(upper / TWO_POW_16);
    const unitsLow = units - unitsHigh * TWO_POW_16;
    const low = (upper - upperHigh * TWO_POW_16) * TWO_POW_16 + unitsLow * nanosPerUnit + nanos;
    const high = upperHigh + Math.floor(low / TWO_POW_32);
    if (!(units >= 0 && nanos >= 0 && nanos < TWO_POW_32 && high < TWO_POW_32)) throw new RangeError('invalid time');
    this.#reserve(10);
    this.#tag(field, WIRE_FIXED64);
    this.#view.setUint32(this.#position, low, true);
    this.#view.setUint32(this.#position + 4, high, true);
    this.#position += 8;
  }

  bytesField(field: number, value: Uint8Array): void {
    this.#reserve(7 + value.length);
    this.#tag(field, WIRE_LENGTH_DELIMITED);
    this.#varint32(value.length);
    this.#buffer.set(value, this.#position);
    this.#position += value.length;
  }

  /** `length` bytes from twice as many hex digits; anything else throws. */
  hexField(field: number, hex: string, length: number): void {
    if (typeof hex !== 'string' || hex.length !== 2 * length) throw new RangeError('invalid id');
    this.#reserve(7 + length);
    this.#tag(field, WIRE_LENGTH_DELIMITED);
    this.#varint32(length);
    const buffer = this.#buffer;
    let position = this.#position;
    let seen = 0;
    for (let index = 0; index < hex.length; index += 2) {
      const upper = HEX_DIGITS[hex.charCodeAt(index)] ?? 0xff;
      const lower = HEX_DIGITS[hex.charCodeAt(index + 1)] ?? 0xff;
      seen |= upper | lower;
      buffer[position++] = (upper << 4) | lower;
    }
    if (seen > 0xf) throw new RangeError('invalid id');
    this.#position = position;
  }

  /** UTF-8; a lone surrogate becomes U+FFFD, as `TextEncoder` does it. */
  stringField(field: number, value: string): void {
    const length = value.length;
    if (length > LOOP_MAX_CHARS) {
      this.#longStringField(field, value);
      return;
    }
    this.#reserve(3 + length);
    const start = this.#position;
    this.#tag(field, WIRE_LENGTH_DELIMITED);
    const buffer = this.#buffer;
    let position = this.#position;
    buffer[position++] = length;
    for (let index = 0; index < length; index++) {
      const code = value.charCodeAt(index);
      if (code > 0x7f) {
        this.#position = start;
        this.#longStringField(field, value);
        return;
      }
      buffer[position++] = code;
    }
    this.#position = position;
  }

  /** The text alone, as UTF-8 without tag and length; for formats other than protobuf. */
  text(value: string): void {
    const length = Buffer.byteLength(value, 'utf8');
    this.#reserve(length);
    this.#utf8(value, length);
  }

  /** Opens a nested message and returns the mark that `endMessage` needs. */
  beginMessage(field: number): number {
    this.#reserve(3);
    this.#tag(field, WIRE_LENGTH_DELIMITED);
    return ++this.#position;
  }

  /** Closes a nested message: fills in its length, moving the content if that takes more than the one byte kept. */
  endMessage(mark: number): void {
    const length = this.#position - mark;
    if (length < 0x80) {
      this.#buffer[mark - 1] = length;
      return;
    }
    const extra = varintLength(length) - 1;
    this.#reserve(extra);
    this.#buffer.copyWithin(mark + extra, mark, this.#position);
    writeVarint(this.#buffer, mark - 1, length);
    this.#position += extra;
  }

  #longStringField(field: number, value: string): void {
    const mostBytes = 3 * value.length;
    if (this.#position + 7 + mostBytes <= this.#buffer.length) {
      this.#directStringField(field, value, mostBytes);
      return;
    }
    const length = Buffer.byteLength(value, 'utf8');
    this.#reserve(7 + length);
    this.#tag(field, WIRE_LENGTH_DELIMITED);
    this.#varint32(length);
    this.#utf8(value, length);
  }

  /** Where there is room for any text of its length: one native call instead of two. */
  #directStringField(field: number, value: string, mostBytes: number): void {
    this.#tag(field, WIRE_LENGTH_DELIMITED);
    const start = this.#position;
    const asciiStart = start + varintLength(value.length);
    const length = this.#buffer.write(value, asciiStart, mostBytes);
    const textStart = start + varintLength(length);
    if (textStart !== asciiStart) this.#buffer.copyWithin(textStart, asciiStart, asciiStart + length);
    writeVarint(this.#buffer, start, length);
    this.#position = textStart + length;
  }

  /** `length` bytes of UTF-8, for which there is room. */
  #utf8(value: string, length: number): void {
    // As many bytes as chars means ASCII only.
    this.#buffer.write(value, this.#position, length, length === value.length ? 'latin1' : 'utf8');
    this.#position += length;
  }

  #tag(field: number, wireType: number): void {
    if (field < 16) this.#buffer[this.#position++] = (field << 3) | wireType;
    else this.#varint32((field << 3) | wireType);
  }

  #varint32(value: number): void {
    this.#position = writeVarint(this.#buffer, this.#position, value);
  }

  /** Two's complement: a negative number always takes ten bytes. */
  #varint64(value: number): void {
    const buffer = this.#buffer;
    let position = this.#position;
    let rest = value;
    for (let written = 0; value < 0 ? written < 9 : rest > 0x7f; written++) {
      buffer[position++] = (rest & 0x7f) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    buffer[position++] = value < 0 ? 1 : rest;
    this.#position = position;
  }

  #reserve(bytes: number): void {
    if (this.#position + bytes > this.#buffer.length) this.#grow(this.#position + bytes);
  }

  #grow(needed: number): void {
    if (needed > this.#maxBytes) throw new RangeError(`the message is larger than ${this.#maxBytes} bytes`);
    const old = this.#buffer;
    this.#replaceBuffer(Math.min(Math.max(2 * old.length, needed), this.#maxBytes));
    this.#buffer.set(old.subarray(0, this.#position));
  }

  #replaceBuffer(bytes: number): void {
    this.#buffer = Buffer.allocUnsafeSlow(bytes);
    this.#view = new DataView(this.#buffer.buffer);
    this.#heads = [];
  }
}

/** How many bytes an unsigned 32-bit integer takes as a varint. */
export function varintLength(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  return value < 0x1000_0000 ? 4 : 5;
}

/** Writes an unsigned 32-bit integer as a varint at `offset`, which must have room, and returns the offset after it. */
export function writeVarint(target: Uint8Array, offset: number, value: number): number {
  let position = offset;
  let rest = value >>> 0;
  while (rest > 0x7f) {
    target[position++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[position++] = rest;
  return position;
}
