import type { AttributeList, AttributeValue } from './ended-span.ts';
import { KeyCache, type KeyWords } from './key-words.ts';
import type { ProtoWriter } from './proto-writer.ts';

/** Field numbers of opentelemetry/proto/common/v1/common.proto (OTLP 1.x). */
const KEY_VALUE = { key: 1, value: 2 } as const;
const ANY_VALUE = { string: 1, bool: 2, int: 3, double: 4, array: 5, kvlist: 6, bytes: 7 } as const;
const ARRAY_VALUE = { values: 1 } as const;
const KEY_VALUE_LIST = { values: 1 } as const;

/** Tags of the fields above as `writeSmall` writes them, each with its wire type. */
const TAG = { value: 0x12, string: 0x0a, bool: 0x10, int: 0x18, double: 0x21 } as const;

const MIN_INT64 = -(2 ** 63);
const INT64_END = 2 ** 63;

/**
 * Messages inside the value of an attribute. Protobuf decoders refuse a request nested deeper than 100
 * messages as a whole; above the value are at most 6 (request, ResourceSpans, ScopeSpans, Span, Event,
 * KeyValue).
 */
export const MAX_VALUE_MESSAGES = 93;
/** What one level of a list (AnyValue, ArrayValue) and of a map (AnyValue, KeyValueList, KeyValue) takes of them. */
export const LIST_MESSAGES = 2;
export const MAP_MESSAGES = 3;

/** The process's: keys are names, written alike for every tenant. */
const keyCache = new KeyCache();

/** The longest value that `writeSmall` takes: key and value together must need one byte for each length. */
const MAX_SMALL_STRING = 48;
/** An integer of more than two bytes takes the long way. */
const SMALL_INT_END = 0x4000;
/** Bytes of a `KeyValue` without the field of the key: two tags and lengths, and the longest value. */
const SMALL_ROOM = 2 + 4 + MAX_SMALL_STRING;

/** Appends each attribute as a `KeyValue` message in the repeated field `field`, whose number is below 16. */
export function writeAttributes(writer: ProtoWriter, field: number, { keys, values }: AttributeList): void {
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index] as string;
    const value = values[index];
    const keyWords = keyCache.find(key);
    if (keyWords === undefined || !writeSmall(writer, field, keyWords, value)) {
      writeKeyValue(writer, field, key, value, MAX_VALUE_MESSAGES);
    }
  }
}

/**
 * What `writeKeyValue` writes, for a known key with a short ASCII string, a boolean, a small integer or a double; false,
 * and nothing written, for any other. All lengths are known beforehand and take one byte.
 */
function writeSmall(writer: ProtoWriter, field: number, { length, words }: KeyWords, value: AttributeValue): boolean {
  let valueLength: number;
  if (typeof value === 'string') {
    if (value.length > MAX_SMALL_STRING) return false;
    valueLength = value.length;
  } else if (typeof value === 'boolean') {
    valueLength = 0;
  } else if (typeof value === 'number') {
    if (isInt64(value)) {
      if (!(value >= 0 && value < SMALL_INT_END)) return false;
      valueLength = value < 0x80 ? 0 : 1;
    } else {
      valueLength = 7;
    }
  } else {
    return false;
  }
  // Room for a last word that is filled up.
  const start = writer.claim(length + 4 + SMALL_ROOM);
  const { buffer, view } = writer;
  buffer[start] = (field << 3) | 2;
  buffer[start + 1] = length + 4 + valueLength;
  let position = start + 2;
  for (let index = 0; index < words.length; index++) view.setInt32(position + 4 * index, words[index] as number, true);
  position += length;
  buffer[position] = TAG.value;
  buffer[position + 1] = 2 + valueLength;
  if (typeof value === 'string') {
    buffer[position + 2] = TAG.string;
    buffer[position + 3] = valueLength;
    position += 4;
    let seen = 0;
    for (let index = 0; index < valueLength; index++) {
      const code = value.charCodeAt(index);
      seen |= code;
      buffer[position + index] = code;
    }
    // Nothing was committed.
    if (seen > 0x7f) return false;
    position += valueLength;
  } else if (typeof value === 'boolean') {
    buffer[position + 2] = TAG.bool;
    buffer[position + 3] = value ? 1 : 0;
    position += 4;
  } else if (valueLength === 7) {
    buffer[position + 2] = TAG.double;
    view.setFloat64(position + 3, value, true);
    position += 11;
  } else {
    buffer[position + 2] = TAG.int;
    buffer[position + 3] = valueLength === 0 ? value : (value & 0x7f) | 0x80;
    buffer[position + 4] = value >>> 7;
    position += 4 + valueLength;
  }
  writer.commit(position);
  return true;
}

function writeKeyValue(writer: ProtoWriter, field: number, key: string, value: AttributeValue, room: number): void {
  const mark = writer.beginMessage(field);
  writer.stringField(KEY_VALUE.key, key);
  writeAnyValue(writer, KEY_VALUE.value, value, room);
  writer.endMessage(mark);
}

/** Whatever OTLP has no value for, and what is nested too deep, becomes an empty `AnyValue`, which means null. */
export function writeAnyValue(writer: ProtoWriter, field: number, value: AttributeValue, room: number): void {
  const mark = writer.beginMessage(field);
  if (typeof value === 'string') writer.stringField(ANY_VALUE.string, value);
  else if (typeof value === 'number') writeNumber(writer, value);
  else if (typeof value === 'boolean') writer.uint32Field(ANY_VALUE.bool, value ? 1 : 0);
  else if (typeof value === 'object' && value !== null) writeComposite(writer, value, room);
  writer.endMessage(mark);
}

function writeNumber(writer: ProtoWriter, value: number): void {
  if (isInt64(value)) writer.int64Field(ANY_VALUE.int, value);
  else writer.doubleField(ANY_VALUE.double, value);
}

/** Whether a number is sent as an integer; all others are doubles. */
export function isInt64(value: number): boolean {
  return Number.isInteger(value) && value >= MIN_INT64 && value < INT64_END;
}

function writeComposite(writer: ProtoWriter, value: AttributeValue & object, room: number): void {
  if (value instanceof Uint8Array) {
    writer.bytesField(ANY_VALUE.bytes, value);
  } else if (Array.isArray(value)) {
    if (room < LIST_MESSAGES) return;
    const mark = writer.beginMessage(ANY_VALUE.array);
    const items: readonly AttributeValue[] = value;
    for (const item of items) writeAnyValue(writer, ARRAY_VALUE.values, item, room - LIST_MESSAGES);
    writer.endMessage(mark);
  } else {
    if (room < MAP_MESSAGES) return;
    const mark = writer.beginMessage(ANY_VALUE.kvlist);
    for (const [key, item] of Object.entries(value))
      writeKeyValue(writer, KEY_VALUE_LIST.values, key, item, room - MAP_MESSAGES);
    writer.endMessage(mark);
  }
}
