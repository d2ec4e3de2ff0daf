import type { TextMapGetter, TextMapSetter } from '@opentelemetry/api';

import { recordKeys } from './record-keys.ts';

/** At most this many keys of a carrier, and this many lines of one header, are looked at. */
const MAX_KEYS = 1_000;
/** The size at which Node.js refuses a whole header block. */
const MAX_VALUE_LENGTH = 16_384;

/** `token` of RFC 9110, section 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** What `node:http` accepts as a header value: no controls but the tab, nothing outside latin1. */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

interface HeadersLike {
  get(name: string): unknown;
  set(name: string, value: string): unknown;
}

/**
 * The values of one header, whatever the casing of its name. Reads plain objects and Node's
 * `IncomingHttpHeaders` (own properties only), web `Headers`, `Map`s, arrays of pairs, and any other
 * carrier through an OpenTelemetry `getter`.
 *
 * Returns the array when there are several values, so that a repeated header is seen as such (web `Headers`
 * join them with a comma themselves). Values that are not strings count as absent. A carrier or getter that
 * throws has no header; this function never throws. A name in lower case is found directly; for other
 * casings the first 1,000 keys are compared.
 */
export function readHeader(carrier: unknown, name: string, getter?: TextMapGetter): string | string[] | undefined {
  const values: string[] = [];
  try {
    const wanted = name.toLowerCase();
    if (getter !== undefined) readWithGetter(values, carrier, wanted, getter);
    else if (carrier instanceof Map || Array.isArray(carrier)) readPairs(values, carrier, wanted);
    else if (isObject(carrier)) readObject(values, carrier, wanted);
  } catch {
    return undefined;
  }
  return values.length > 1 ? values : values[0];
}

/**
 * Sets one header on a plain object, web `Headers`, a `Map`, or any other carrier through an OpenTelemetry
 * `setter`. On plain objects and maps an entry of the same name in another casing is replaced, so that the
 * header is never sent twice.
 *
 * Returns false and changes nothing when the name is not a header name, when the value holds CR, LF, NUL,
 * another control character or anything outside latin1, or has more than 16,384 characters, and when the
 * carrier refuses (frozen, throwing, not one of the kinds above). Never throws.
 */
export function writeHeader(carrier: unknown, name: string, value: string, setter?: TextMapSetter): boolean {
  try {
    if (!isToken(name) || name === '__proto__' || !isHeaderValue(value)) return false;
    if (setter !== undefined) {
      setter.set(carrier, name, value);
      return true;
    }
    if (carrier instanceof Map) return writeMap(carrier, name, value);
    if (!isObject(carrier) || Array.isArray(carrier)) return false;
    if (isHeadersLike(carrier)) {
      carrier.set(name, value);
      return true;
    }
    return writeObject(carrier, name, value);
  } catch {
    return false;
  }
}

/** Whether `value` is a `token` of RFC 9110, section 5.6.2. */
export function isToken(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_VALUE_LENGTH && TOKEN.test(value);
}

/** `text` without the optional whitespace (spaces and tabs) around it; linear, unlike a regular expression. */
export function trimOws(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isOws(text.charCodeAt(start))) start++;
  while (end > start && isOws(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

/**
 * The lines of a list header as one (RFC 9110, section 5.3), looking at no more than `maxLength + 1`
 * characters of them: a longer result means that the header is longer than `maxLength`. `undefined` when
 * the header is neither a string nor an array of strings. Never throws.
 */
export function joinHeaderLines(header: unknown, maxLength: number): string | undefined {
  if (typeof header === 'string') return header.slice(0, maxLength + 1);
  try {
    if (!Array.isArray(header)) return undefined;
    let joined: string | undefined;
    for (const line of header) {
      if (typeof line !== 'string') return undefined;
      const room = maxLength + 1 - (joined === undefined ? 0 : joined.length + 1);
      joined = joined === undefined ? line.slice(0, room) : `${joined},${line.slice(0, room)}`;
      if (joined.length > maxLength) break;
    }
    return joined;
  } catch {
    return undefined;
  }
}

function readWithGetter(values: string[], carrier: unknown, wanted: string, getter: TextMapGetter): void {
  addValues(values, getter.get(carrier, wanted));
  if (values.length > 0) return;
  let looked = 0;
  for (const key of getter.keys(carrier)) {
    if (++looked > MAX_KEYS) return;
    if (key !== wanted && isSameName(key, wanted)) addValues(values, getter.get(carrier, key));
  }
}

function readPairs(values: string[], pairs: Iterable<unknown>, wanted: string): void {
  let looked = 0;
  for (const pair of pairs) {
    if (++looked > MAX_KEYS) return;
    if (Array.isArray(pair) && isSameName(pair[0], wanted)) addValues(values, pair[1]);
  }
}

function readObject(values: string[], carrier: object, wanted: string): void {
  if (isHeadersLike(carrier)) {
    addValues(values, carrier.get(wanted));
    if (values.length > 0) return;
  }
  if (Object.hasOwn(carrier, wanted)) addValues(values, Reflect.get(carrier, wanted));
  for (const key of otherCasings(recordKeys(carrier), wanted)) addValues(values, Reflect.get(carrier, key));
}

function addValues(values: string[], value: unknown): void {
  if (typeof value === 'string') values.push(value);
  else if (Array.isArray(value)) {
    let looked = 0;
    for (const line of value) {
      if (++looked > MAX_KEYS) return;
      if (typeof line === 'string') values.push(line);
    }
  }
}

function writeMap(carrier: Map<unknown, unknown>, name: string, value: string): boolean {
  const replaced = otherCasings(carrier.keys(), name);
  carrier.set(name, value);
  for (const key of replaced) carrier.delete(key);
  return true;
}

function writeObject(carrier: object, name: string, value: string): boolean {
  const replaced = otherCasings(recordKeys(carrier), name);
  if (!Reflect.set(carrier, name, value)) return false;
  for (const key of replaced) Reflect.deleteProperty(carrier, key);
  return true;
}

function otherCasings(keys: Iterable<unknown>, name: string): string[] {
  const wanted = name.toLowerCase();
  const found: string[] = [];
  let looked = 0;
  for (const key of keys) {
    if (++looked > MAX_KEYS) break;
    if (key !== name && isSameName(key, wanted)) found.push(key);
  }
  return found;
}

function isSameName(key: unknown, wanted: string): key is string {
  return typeof key === 'string' && key.length === wanted.length && key.toLowerCase() === wanted;
}

function isHeadersLike(carrier: object): carrier is HeadersLike {
  return typeof Reflect.get(carrier, 'get') === 'function' && typeof Reflect.get(carrier, 'set') === 'function';
}

function isHeaderValue(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_VALUE_LENGTH && HEADER_VALUE.test(value);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function isOws(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
