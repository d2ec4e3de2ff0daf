import { types } from 'node:util';
import type { AttributeValue } from '@opentelemetry/api';
import { serializeValue } from '../processing/serialize-value.ts';
import { cutString, printBigInt } from '../utils/cut-string.ts';
import { recordKeys } from '../utils/record-keys.ts';

const MAX_DEPTH = 8;
const MAX_ATTRIBUTES = 256;
const MAX_ELEMENTS = 1_024;
const DEEP_LIMITS = { maxBytes: 8_192 };
const OPAQUE_LIMITS = { maxBytes: 1_024, maxCount: 100 };
/** Of all texts together and of one, in UTF-16 units. */
const MAX_TEXT = 4 * 1_048_576;
const MAX_TEXT_LENGTH = 1_048_576;
/** Deep objects that are written as JSON; further ones are only named. */
const MAX_JSON = 16;

/**
 * The attributes that HoneyHive makes of a value (typescript-sdk, `setSpanAttributes`): one for each leaf of objects and
 * arrays, under dotted keys. Other than theirs it ends: there are `maxAttributes` at most, with 4 MiB of text, and what is
 * deeper than 8 levels becomes JSON. Nor do maps, sets, bytes and objects without properties of their own, such as a
 * `URL`, vanish. What throws when it is read is left out. Never throws.
 */
export function flattenValue(
  prefix: string,
  value: unknown,
  maxAttributes = MAX_ATTRIBUTES,
): Record<string, AttributeValue> {
  const found: Record<string, AttributeValue> = Object.create(null);
  let jsonLeft = MAX_JSON;
  let left = maxAttributes;
  let room = MAX_TEXT;
  const put = (key: string, leaf: AttributeValue): void => {
    if (left <= 0) return;
    const shown = typeof leaf === 'string' ? cutString(leaf, Math.min(room, MAX_TEXT_LENGTH)) : leaf;
    found[key] = shown;
    left -= 1;
    if (typeof shown === 'string') room -= shown.length;
  };
  const putDeep = (key: string, current: object): void => {
    const isNamed = jsonLeft <= 0;
    jsonLeft -= 1;
    put(key, isNamed ? nameOf(current) : textOfJson(serializeValue(current, DEEP_LIMITS)));
  };
  const add = (key: string, current: unknown, ancestors: readonly object[]): void => {
    if (left <= 0) return;
    if (typeof current !== 'object' || current === null) {
      put(key, leafOf(current));
      return;
    }
    if (types.isStringObject(current)) {
      put(key, String(current));
    } else if (current instanceof Date || current instanceof Error || ArrayBuffer.isView(current)) {
      put(key, textOf(current));
    } else if (ancestors.includes(current)) {
      put(key, '[Circular]');
    } else if (ancestors.length >= MAX_DEPTH) {
      putDeep(key, current);
    } else {
      const inside = [...ancestors, current];
      for (const [part, read] of partsOf(current)) {
        if (left <= 0) return;
        attempt(() => add(`${key}.${part}`, read(), inside));
      }
      if (isOpaque(current)) put(key, textOfJson(serializeValue(current, OPAQUE_LIMITS)));
    }
  };
  attempt(() => add(prefix, value, []));
  return found;
}

/** What is in an object, by name, as far as it is looked at. */
function* partsOf(value: object): Iterable<readonly [part: string, read: () => unknown]> {
  if (Array.isArray(value)) {
    const length = Math.min(value.length, MAX_ELEMENTS);
    for (let index = 0; index < length; index += 1) yield [String(index), () => value[index] as unknown];
  } else if (value instanceof Map || value instanceof Set) {
    let index = 0;
    for (const [key, item] of value.entries() as Iterable<[unknown, unknown]>) {
      if (index >= MAX_ELEMENTS) return;
      yield [value instanceof Set ? String(index) : partName(key, index), () => item];
      index += 1;
    }
  } else {
    for (const key of recordKeys(value).slice(0, MAX_ELEMENTS)) {
      yield [key, () => (value as Record<string, unknown>)[key]];
    }
  }
}

function partName(key: unknown, index: number): string {
  return typeof key === 'string' || typeof key === 'number' ? String(key) : String(index);
}

/** Whether an object shows nothing by its properties, and is not just empty. */
function isOpaque(value: object): boolean {
  if (Array.isArray(value) || value instanceof Map || value instanceof Set) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype !== null && prototype !== Object.prototype && Object.keys(value).length === 0;
}

function nameOf(value: object): string {
  return Array.isArray(value) ? '[Array]' : '[Object]';
}

/** A text by itself, anything else as it is written. */
function textOfJson(json: string): string {
  const shown: unknown = JSON.parse(json);
  return typeof shown === 'string' ? shown : json;
}

function leafOf(value: unknown): AttributeValue {
  if (value === undefined || value === null) return 'null';
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  if (typeof value === 'function') return value.name || 'anonymous';
  if (typeof value === 'bigint') return printBigInt(value);
  return String(value);
}

function textOf(value: Date | Error | ArrayBufferView): string {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  return value instanceof Error ? String(value) : `${value.byteLength} bytes`;
}

function attempt(add: () => void): void {
  try {
    add();
  } catch {
    // A value that cannot be looked at.
  }
}
