import { MAX_NESTED_MESSAGES } from './check-message.ts';
import { MalformedOtlpError } from './malformed.ts';
import { encodeDouble, encodeFixed64, encodeVarint, MessageWriter } from './message-writer.ts';
import {
  ENUM_VALUES,
  type FieldSchema,
  isMessageName,
  type MessageName,
  type MessageSchema,
  SCHEMA,
  type ScalarType,
} from './otlp-schema.ts';
import type { Signal } from './signal.ts';

const REQUESTS: Readonly<Record<Signal, MessageName>> = {
  traces: 'TracesRequest',
  metrics: 'MetricsRequest',
  logs: 'LogsRequest',
};

/** The number of `AnyValue.double_value`. */
const DOUBLE_VALUE = 4;
const TWO_POW_63 = 2 ** 63;
const MAX_INT64 = (1n << 63n) - 1n;
const MAX_UINT64 = (1n << 64n) - 1n;
const MAX_UINT32 = 0xffff_ffff;

/**
 * Turns an OTLP request in JSON into the same request in protobuf, by the "JSON Protobuf Encoding" of OTLP 1.x: ids in
 * hex, 64-bit integers as text or numbers, enums as numbers or names; unknown fields and `null` are ignored. Throws
 * {@link MalformedOtlpError} on anything else. Nesting costs no stack, and no key reaches an object of ours.
 */
export function jsonToProtobuf(text: string, signal: Signal): Buffer {
  return encode(parseJson(text), REQUESTS[signal]);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new MalformedOtlpError('the body is no JSON');
  }
}

/** A message being written: its fields are taken one by one, and messages in it are frames on top of it. */
interface Frame {
  readonly schema: MessageSchema;
  readonly source: Readonly<Record<string, unknown>>;
  readonly keys: readonly string[];
  readonly writer: MessageWriter;
  /** The number of this message's field in the message around it. */
  readonly field: number;
  nextKey: number;
  /** A repeated message: its elements, of which `nextItem` is to be written next. */
  items: readonly unknown[] | undefined;
  nextItem: number;
}

function encode(value: unknown, name: MessageName): Buffer {
  const root = openFrame(value, name, 0);
  const stack = [root];
  for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
    const inner = advance(frame);
    if (inner !== undefined) {
      if (stack.length > MAX_NESTED_MESSAGES) throw new MalformedOtlpError('messages are nested too deeply');
      stack.push(inner);
      continue;
    }
    stack.pop();
    stack.at(-1)?.writer.message(frame.field, frame.writer);
  }
  return root.writer.toBytes();
}

/** Writes fields until one is a message, whose frame it returns; undefined at the end. */
function advance(frame: Frame): Frame | undefined {
  for (;;) {
    const key = frame.keys[frame.nextKey];
    if (key === undefined) return undefined;
    const field = frame.schema.get(key);
    const value = frame.source[key];
    if (field === undefined || value === null || value === undefined) {
      frame.nextKey += 1;
      continue;
    }
    if (!isMessageName(field.type)) {
      writeScalars(frame.writer, field, field.type, value, key);
      frame.nextKey += 1;
      continue;
    }
    if (!field.repeated) {
      frame.nextKey += 1;
      return openFrame(value, field.type, field.number);
    }
    if (!Array.isArray(value)) throw new MalformedOtlpError(`${key} is no array`);
    frame.items ??= value as unknown[];
    if (frame.nextItem < frame.items.length) {
      frame.nextItem += 1;
      return openFrame(frame.items[frame.nextItem - 1], field.type, field.number);
    }
    frame.items = undefined;
    frame.nextItem = 0;
    frame.nextKey += 1;
  }
}

function openFrame(value: unknown, name: MessageName, field: number): Frame {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new MalformedOtlpError(`a ${name} is no object`);
  }
  const source = value as Record<string, unknown>;
  const schema = SCHEMA.get(name) as MessageSchema;
  return {
    schema,
    source,
    keys: Object.keys(source),
    writer: new MessageWriter(),
    field,
    nextKey: 0,
    items: undefined,
    nextItem: 0,
  };
}

function writeScalars(writer: MessageWriter, field: FieldSchema, type: ScalarType, value: unknown, key: string): void {
  if (!field.repeated) {
    writeScalar(writer, field.number, type, value, key);
    return;
  }
  if (!Array.isArray(value)) throw new MalformedOtlpError(`${key} is no array`);
  const items = (value as unknown[]).map((item) => packed(type, item, key));
  writer.bytes(field.number, Buffer.concat(items));
}

function writeScalar(writer: MessageWriter, number: number, type: ScalarType, value: unknown, key: string): void {
  switch (type) {
    case 'string':
      writer.bytes(number, Buffer.from(toText(value, key), 'utf8'));
      return;
    case 'id':
      writer.bytes(number, toId(value, key));
      return;
    case 'bytes':
      writer.bytes(number, toBytes(value, key));
      return;
    case 'bool':
      writer.varint(number, toBoolean(value, key) ? 1n : 0n);
      return;
    case 'enum':
      writer.varint(number, BigInt(toEnum(value, key)));
      return;
    case 'double':
      writer.double(number, toDouble(value, key));
      return;
    case 'uint32':
      writer.varint(number, BigInt(toUint32(value, key)));
      return;
    case 'fixed32':
      writer.fixed32(number, toUint32(value, key));
      return;
    case 'sint32': {
      const integer = toInteger(value, key);
      writer.varint(number, BigInt.asUintN(32, (integer << 1n) ^ (integer >> 31n)));
      return;
    }
    case 'int64':
      // The stock exporter writes doubles beyond 64 bits as integers, because they have no fraction.
      if (key === 'intValue' && typeof value === 'number' && Math.abs(value) >= TWO_POW_63) {
        writer.double(DOUBLE_VALUE, value);
      } else writer.varint(number, toInteger(value, key));
      return;
    case 'fixed64':
    case 'sfixed64':
      writer.fixed64(number, toInteger(value, key));
      return;
  }
}

/** An element of a packed list. */
function packed(type: ScalarType, value: unknown, key: string): Uint8Array {
  if (type === 'double') return encodeDouble(toDouble(value, key));
  const integer = toInteger(value, key);
  return type === 'fixed64' ? encodeFixed64(integer) : encodeVarint(BigInt.asUintN(64, integer));
}

function toText(value: unknown, key: string): string {
  if (typeof value !== 'string') throw new MalformedOtlpError(`${key} is no text`);
  return value;
}

function toId(value: unknown, key: string): Buffer {
  const text = toText(value, key);
  if (!/^(?:[\da-f]{2})*$/i.test(text)) throw new MalformedOtlpError(`${key} is not in hex`);
  return Buffer.from(text, 'hex');
}

function toBytes(value: unknown, key: string): Buffer {
  const text = toText(value, key);
  if (!/^[\w+/-]*={0,2}$/.test(text)) throw new MalformedOtlpError(`${key} is not in base64`);
  return Buffer.from(text, 'base64');
}

function toBoolean(value: unknown, key: string): boolean {
  if (typeof value !== 'boolean') throw new MalformedOtlpError(`${key} is neither true nor false`);
  return value;
}

function toEnum(value: unknown, key: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_UINT32) return value;
  const named = typeof value === 'string' ? ENUM_VALUES.get(value) : undefined;
  if (named === undefined) throw new MalformedOtlpError(`${key} has an unknown value`);
  return named;
}

function toDouble(value: unknown, key: string): number {
  if (typeof value === 'number') return value;
  if (value === 'NaN') return Number.NaN;
  if (value === 'Infinity') return Number.POSITIVE_INFINITY;
  if (value === '-Infinity') return Number.NEGATIVE_INFINITY;
  const number = typeof value === 'string' && /^[-+]?[\d.]+(?:e[-+]?\d+)?$/i.test(value) ? Number(value) : Number.NaN;
  if (Number.isNaN(number)) throw new MalformedOtlpError(`${key} is no number`);
  return number;
}

function toUint32(value: unknown, key: string): number {
  const integer = toInteger(value, key);
  if (integer < 0n || integer > MAX_UINT32) throw new MalformedOtlpError(`${key} is out of range`);
  return Number(integer);
}

function toInteger(value: unknown, key: string): bigint {
  const isInteger = typeof value === 'number' ? Number.isInteger(value) : /^[-+]?\d{1,20}$/.test(String(value));
  if (!isInteger || (typeof value !== 'number' && typeof value !== 'string')) {
    throw new MalformedOtlpError(`${key} is no integer`);
  }
  const integer = BigInt(typeof value === 'string' ? value.replace('+', '') : value);
  if (integer < -MAX_INT64 - 1n || integer > MAX_UINT64) throw new MalformedOtlpError(`${key} is out of range`);
  return integer;
}
