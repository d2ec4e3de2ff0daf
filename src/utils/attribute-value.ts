import { types } from 'node:util';
import { cutString, printBigInt } from './cut-string.ts';

/** What a span attribute can hold after it was copied: plain, bounded data that is safe to read later. */
export type AttributeValue =
  | string
  | number
  | boolean
  | null
  | undefined
  | Uint8Array
  | readonly AttributeValue[]
  | { readonly [key: string]: AttributeValue };

/** The deepest nesting that is kept (OpenTelemetry specification, AttributeValueDepthLimit). */
export const MAX_DEPTH = 64;
/** Longer keys, of attributes and of objects inside them, are left out. */
export const MAX_KEY_LENGTH = 1_024;
/** Elements kept of one array or keys of one object. */
const MAX_ELEMENTS = 1_024;
/** Elements and keys kept of one attribute in all: objects that share parts would otherwise grow without end. */
const MAX_NESTED = 4_096;

/**
 * Copies a host's value into one that is safe to keep, or answers `undefined` when it cannot be an attribute
 * (functions, symbols). Strings and bytes are cut to `maxLength`; a `bigint` becomes a number when that is exact,
 * else a string; an object met again inside itself becomes `"[Circular]"`. May throw what the value's own
 * getters or proxies throw.
 */
export function copyAttributeValue(value: unknown, maxLength: number): AttributeValue {
  switch (typeof value) {
    case 'string':
      return cutString(value, maxLength);
    case 'number':
    case 'boolean':
      return value;
    case 'bigint':
      return copyBigInt(value, maxLength);
    case 'object':
      return value === null ? null : copyObject(value, { maxLength, ancestors: [], nested: 0 });
    default:
      return undefined;
  }
}

interface Copying {
  readonly maxLength: number;
  readonly ancestors: object[];
  /** Elements and keys copied so far. */
  nested: number;
}

function copyBigInt(value: bigint, maxLength: number): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : cutString(printBigInt(value), maxLength);
}

function copyObject(value: object, copying: Copying): AttributeValue {
  const { ancestors, maxLength } = copying;
  if (types.isUint8Array(value)) return copyBytes(value, maxLength);
  if (types.isDate(value)) return copyDate(value);
  // Its keys are its characters.
  if (types.isStringObject(value)) return cutString(String.prototype.valueOf.call(value), maxLength);
  if (ancestors.includes(value)) return '[Circular]';
  if (ancestors.length >= MAX_DEPTH - 1) return '[Depth]';
  ancestors.push(value);
  const isList = Array.isArray(value) || types.isTypedArray(value);
  const copy = isList ? copyArray(value as ArrayLike<unknown>, copying) : copyRecord(value, copying);
  ancestors.pop();
  return copy;
}

/** Not by the value's own methods: a `Buffer` would go on sharing its memory. */
function copyBytes(value: Uint8Array, maxLength: number): Uint8Array {
  const { buffer, byteLength, byteOffset } = value;
  return new Uint8Array(buffer, byteOffset, Math.min(byteLength, maxLength)).slice();
}

function copyDate(value: Date): string {
  const millis = Date.prototype.getTime.call(value);
  return Number.isNaN(millis) ? 'Invalid Date' : new Date(millis).toISOString();
}

function copyArray(value: ArrayLike<unknown>, copying: Copying): AttributeValue {
  const copy: AttributeValue[] = [];
  const length = Math.min(value.length, MAX_ELEMENTS);
  for (let index = 0; index < length && copying.nested < MAX_NESTED; index += 1) {
    copying.nested += 1;
    copy.push(copyNested(value[index], copying) ?? null);
  }
  return copy;
}

function copyRecord(value: object, copying: Copying): AttributeValue {
  const copy: Record<string, AttributeValue> = Object.create(null);
  for (const key of Object.keys(value).slice(0, MAX_ELEMENTS)) {
    if (copying.nested >= MAX_NESTED) break;
    copying.nested += 1;
    if (key.length > MAX_KEY_LENGTH) continue;
    const nested = copyNested((value as Record<string, unknown>)[key], copying);
    if (nested !== undefined) copy[key] = nested;
  }
  return copy;
}

function copyNested(value: unknown, copying: Copying): AttributeValue {
  return typeof value === 'object' && value !== null
    ? copyObject(value, copying)
    : copyAttributeValue(value, copying.maxLength);
}
