import { textOf } from './byte-range.ts';
import { MAX_NESTED_MESSAGES } from './check-message.ts';
import { MalformedOtlpError } from './malformed.ts';
import type { ScopeRecord, TelemetryAttributes, TelemetryValue } from './telemetry-model.ts';
import { WireReader } from './wire-reader.ts';

/** The most values that one attribute list gives; what is beyond is left out. */
const MAX_VALUES = 10_000;

const TAG_1 = (1 << 3) | 2;
const TAG_2 = (2 << 3) | 2;
const TAG_3 = (3 << 3) | 2;

const STRING_VALUE = (1 << 3) | 2;
const BOOL_VALUE = 2 << 3;
const INT_VALUE = 3 << 3;
const DOUBLE_VALUE = (4 << 3) | 1;
const ARRAY_VALUE = (5 << 3) | 2;
const MAP_VALUE = (6 << 3) | 2;
const BYTES_VALUE = (7 << 3) | 2;

/** Where a decoded value goes. */
type Place = (value: TelemetryValue) => void;

type MutableAttributes = Record<string, TelemetryValue>;

/** Attributes being read, one `KeyValue` after the other. */
export class AttributeReader {
  readonly attributes = createAttributes();
  readonly #budget = { values: MAX_VALUES };
  #inner: WireReader | undefined;

  /** Reads the `KeyValue` in the reader's current field. */
  add(reader: WireReader): void {
    if (this.#budget.values > 0 && this.#addPlain(reader)) return;
    const pending: Pending[] = [];
    readKeyValue(reader, this.attributes, pending);
    readPending(reader.bytes, pending, this.#budget);
  }

  /** Nearly all values are no lists or maps, and need nothing that is made for them. False for others. */
  #addPlain({ bytes, start, stop }: WireReader): boolean {
    this.#inner ??= new WireReader(bytes);
    const inner = this.#inner;
    inner.move(start, stop);
    let key = '';
    let valueStart = 0;
    let valueStop = 0;
    while (inner.next()) {
      if (inner.tag === TAG_1) key = textOf(bytes, inner);
      else if (inner.tag === TAG_2) {
        valueStart = inner.start;
        valueStop = inner.stop;
      }
    }
    inner.move(valueStart, valueStop);
    let value: TelemetryValue = null;
    while (inner.next()) {
      if (inner.tag === ARRAY_VALUE || inner.tag === MAP_VALUE) return false;
      value = plainValue(inner, value);
    }
    this.#budget.values -= 1;
    this.attributes[key] = value;
    return true;
  }
}

export function createAttributes(): MutableAttributes {
  return Object.create(null) as MutableAttributes;
}

/** The value of the `AnyValue` in these bytes. */
export function readValue(bytes: Uint8Array, start: number, stop: number): TelemetryValue {
  let result: TelemetryValue = null;
  const place: Place = (value) => {
    result = value;
  };
  readPending(bytes, [{ start, stop, depth: 0, place }], { values: MAX_VALUES });
  return result;
}

export function decodeResource(bytes: Uint8Array, start: number, stop: number): TelemetryAttributes {
  const reader = new WireReader(bytes, start, stop);
  const attributes = new AttributeReader();
  while (reader.next()) if (reader.tag === TAG_1) attributes.add(reader);
  return attributes.attributes;
}

export function decodeScope(bytes: Uint8Array, start: number, stop: number): ScopeRecord {
  const reader = new WireReader(bytes, start, stop);
  const attributes = new AttributeReader();
  let name = '';
  let version = '';
  while (reader.next()) {
    if (reader.tag === TAG_1) name = textOf(bytes, reader);
    else if (reader.tag === TAG_2) version = textOf(bytes, reader);
    else if (reader.tag === TAG_3) attributes.add(reader);
  }
  return { name, version, attributes: attributes.attributes };
}

/** An `AnyValue` that is still to be read. */
interface Pending {
  readonly start: number;
  readonly stop: number;
  readonly depth: number;
  readonly place: Place;
}

function readKeyValue(reader: WireReader, target: MutableAttributes, pending: Pending[], depth = 0): void {
  const inner = new WireReader(reader.bytes, reader.start, reader.stop);
  let key = '';
  let start = 0;
  let stop = 0;
  while (inner.next()) {
    if (inner.tag === TAG_1) key = textOf(inner.bytes, inner);
    else if (inner.tag === TAG_2) ({ start, stop } = inner);
  }
  // Sets the order of the keys; the value itself follows.
  target[key] = null;
  pending.push({
    start,
    stop,
    depth,
    place: (value) => {
      target[key] = value;
    },
  });
}

/**
 * Reads values one after the other instead of one inside the other, so that their nesting costs no stack; in order, so
 * that of the same key the last value stays.
 */
function readPending(bytes: Uint8Array, pending: Pending[], budget: { values: number }): void {
  for (const next of pending) {
    if (budget.values <= 0) return;
    budget.values -= 1;
    if (next.depth > MAX_NESTED_MESSAGES) throw new MalformedOtlpError('messages are nested too deeply');
    const { depth, place } = next;
    const reader = new WireReader(bytes, next.start, next.stop);
    while (reader.next()) {
      if (reader.tag === ARRAY_VALUE) place(readArray(reader, pending, depth));
      else if (reader.tag === MAP_VALUE) place(readMap(reader, pending, depth));
      else {
        const value = plainValue(reader, undefined);
        if (value !== undefined) place(value);
      }
    }
  }
}

/** The value in the reader's current field, which is no list or map; `otherwise` where it is none that is known. */
function plainValue<T>(reader: WireReader, otherwise: T): TelemetryValue | T {
  switch (reader.tag) {
    case STRING_VALUE:
      return textOf(reader.bytes, reader);
    case BOOL_VALUE:
      return reader.low !== 0 || reader.high !== 0;
    case INT_VALUE:
      return toInteger(reader);
    case DOUBLE_VALUE:
      return reader.double;
    case BYTES_VALUE:
      return new Uint8Array(reader.bytes.subarray(reader.start, reader.stop));
    default:
      return otherwise;
  }
}

function readArray(reader: WireReader, pending: Pending[], depth: number): TelemetryValue {
  const array: TelemetryValue[] = [];
  const inner = new WireReader(reader.bytes, reader.start, reader.stop);
  while (inner.next()) {
    if (inner.tag !== TAG_1) continue;
    const index = array.push(null) - 1;
    const place: Place = (value) => {
      array[index] = value;
    };
    pending.push({ start: inner.start, stop: inner.stop, depth: depth + 2, place });
    if (array.length >= MAX_VALUES) break;
  }
  return array;
}

function readMap(reader: WireReader, pending: Pending[], depth: number): TelemetryValue {
  const map = createAttributes();
  const inner = new WireReader(reader.bytes, reader.start, reader.stop);
  for (let count = 0; count < MAX_VALUES && inner.next(); ) {
    if (inner.tag !== TAG_1) continue;
    readKeyValue(inner, map, pending, depth + 3);
    count += 1;
  }
  return map;
}

function toInteger(reader: WireReader): number | bigint {
  if (reader.high === 0) return reader.low;
  const value = reader.bigSigned;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
