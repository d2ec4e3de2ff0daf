import { types } from 'node:util';
import { type Clock, systemClock } from '../utils/clock.ts';
import { printBigInt } from '../utils/cut-string.ts';

/** How much of a value is written. */
export interface SerializeLimits {
  /** Longest text in bytes of UTF-8; at least 64. */
  readonly maxBytes: number;
  /** Objects inside each other; what is deeper is named, not shown. Default: 12. */
  readonly maxDepth?: number;
  /** Values in all. Default: 2,000. */
  readonly maxCount?: number;
  /** Once so much time is over, what is left is not shown. Default: 20. */
  readonly maxMillis?: number;
}

const MAX_DEPTH = 12;
const MAX_COUNT = 2_000;
const MAX_MILLIS = 20;
const MIN_BYTES = 64;
/** Values between two looks at the clock. */
const CLOCK_STRIDE = 16;

/** What any value can be shown by, `"[…]"`, in bytes. */
const SHORTEST = 7;
/** `,"…"` and the bracket that closes an array. */
const ARRAY_END = 8;
/** `,"…":"…"` and the bracket that closes an object. */
const OBJECT_END = 13;
const CUT = '…';
const THROWS = '[Throws]';

/**
 * A value as JSON, whatever it is. The text is always whole JSON, never longer than `maxBytes`, and shows by `…` where
 * something was left out. What JSON has no words for becomes a text: `"[Circular]"`, `"NaN"`, `"[Function add]"`, the
 * name and length of bytes and typed arrays. A `Map` is an object (so that its keys can be redacted like any), a `Set`
 * an array, a `Date` its time, an `Error` its name, message, code and cause. `toJSON` is asked where there is one.
 *
 * Never throws; the value's own code (getters, `toJSON`, proxies) runs, and what throws is shown as `"[Throws]"`.
 */
export function serializeValue(value: unknown, limits: SerializeLimits, clock: Clock = systemClock): string {
  return new Serializer(limits, clock).write(value);
}

class Serializer {
  readonly #maxDepth: number;
  readonly #clock: Clock;
  readonly #endsAt: number;
  readonly #parts: string[] = [];
  readonly #ancestors: object[] = [];
  /** Bytes that may still be written; what closes the open brackets is set aside already. */
  #room: number;
  #countLeft: number;
  #isLate = false;

  constructor({ maxBytes, maxDepth, maxCount, maxMillis }: SerializeLimits, clock: Clock) {
    this.#room = Math.max(maxBytes, MIN_BYTES);
    this.#maxDepth = maxDepth ?? MAX_DEPTH;
    this.#countLeft = maxCount ?? MAX_COUNT;
    this.#clock = clock;
    this.#endsAt = clock.monotonic() + (maxMillis ?? MAX_MILLIS);
  }

  write(value: unknown): string {
    this.#value(value, true);
    return this.#parts.join('');
  }

  /** Writes one value; there is room for the shortest. */
  #value(value: unknown, asksJson: boolean): void {
    this.#countLeft -= 1;
    switch (typeof value) {
      case 'string':
        this.#text(value);
        break;
      case 'number':
        if (Number.isFinite(value)) this.#plain(String(value));
        else this.#text(String(value));
        break;
      case 'boolean':
        this.#plain(String(value));
        break;
      case 'bigint':
        this.#text(printBigInt(value));
        break;
      case 'symbol':
        this.#text(`[${String(value)}]`);
        break;
      case 'function':
        this.#text(`[Function ${textOf(() => value.name)}]`);
        break;
      case 'object':
        if (value === null) this.#plain('null');
        else this.#object(value, asksJson);
        break;
      default:
        this.#plain('null');
    }
  }

  #object(value: object, asksJson: boolean): void {
    const short = this.#ancestors.includes(value) ? '[Circular]' : describeBuiltIn(value);
    const isDeep = this.#ancestors.length >= this.#maxDepth;
    if (short !== undefined || isDeep) {
      this.#text(short ?? (isArray(value) ? '[Array]' : '[Object]'));
      return;
    }
    const mark = { parts: this.#parts.length, room: this.#room };
    this.#ancestors.push(value);
    try {
      this.#structure(value, asksJson);
    } catch {
      // Nothing of it stays but that it could not be looked at.
      this.#parts.length = mark.parts;
      this.#room = mark.room;
      this.#text(THROWS);
    }
    this.#ancestors.pop();
  }

  /** Throws what looking at the value throws; what its members throw stays with them. */
  #structure(value: object, asksJson: boolean): void {
    if (types.isMap(value)) this.#record(mapEntries(value));
    else if (types.isSet(value)) this.#array(setItems(value));
    else if (types.isNativeError(value)) this.#record(errorEntries(value));
    else if (isArray(value)) this.#array(arrayItems(value));
    else {
      const toJson = asksJson ? (value as { toJSON?: unknown }).toJSON : undefined;
      if (typeof toJson === 'function') this.#value(Reflect.apply(toJson, value, ['']), false);
      else this.#record(objectEntries(value));
    }
  }

  #array(items: Iterable<Read>): void {
    if (!this.#open('[', ARRAY_END)) return;
    let isFirst = true;
    for (const read of items) {
      const comma = isFirst ? '' : ',';
      if (!this.#hasRoom(comma.length + SHORTEST)) {
        this.#setAside(`${comma}"${CUT}"`);
        break;
      }
      this.#plain(comma);
      this.#member(read);
      isFirst = false;
    }
    this.#setAside(']');
  }

  #record(entries: Iterable<readonly [key: string, read: Read]>): void {
    if (!this.#open('{', OBJECT_END)) return;
    let isFirst = true;
    for (const [key, read] of entries) {
      const before = `${isFirst ? '' : ','}${JSON.stringify(key.slice(0, this.#room))}:`;
      const size = Buffer.byteLength(before);
      if (!this.#hasRoom(size + SHORTEST)) {
        this.#setAside(`${isFirst ? '' : ','}"${CUT}":"${CUT}"`);
        break;
      }
      this.#parts.push(before);
      this.#room -= size;
      this.#member(read);
      isFirst = false;
    }
    this.#setAside('}');
  }

  #member(read: Read): void {
    let value: unknown;
    try {
      value = read();
    } catch {
      value = THROWS;
    }
    this.#value(value, true);
  }

  /** Opens a bracket and sets aside what closes it; shows that there is something when there is no room for it. */
  #open(bracket: string, end: number): boolean {
    if (this.#room < end + 1 + SHORTEST) {
      this.#text(bracket === '[' ? '[Array]' : '[Object]');
      return false;
    }
    this.#room -= end;
    this.#plain(bracket);
    return true;
  }

  #hasRoom(size: number): boolean {
    if (this.#countLeft <= 0 || this.#room < size) return false;
    if (this.#countLeft % CLOCK_STRIDE === 0) this.#isLate ||= this.#clock.monotonic() > this.#endsAt;
    return !this.#isLate;
  }

  /** Writes what room was set aside for. */
  #setAside(part: string): void {
    this.#parts.push(part);
  }

  /** ASCII that is known to fit, or is shown by `...`. */
  #plain(part: string): void {
    if (part.length > this.#room) {
      this.#text(CUT);
      return;
    }
    this.#parts.push(part);
    this.#room -= part.length;
  }

  #text(text: string): void {
    let json = JSON.stringify(text.length > this.#room ? `${text.slice(0, this.#room)}${CUT}` : text);
    let size = Buffer.byteLength(json);
    let kept = Math.min(text.length, this.#room);
    while (size > this.#room && kept > 0) {
      // The end of a pair that is cut in two would be written as an escape.
      kept = Math.min(kept - 1, Math.floor((kept * (this.#room - SHORTEST)) / size));
      kept = Math.max(kept, 0);
      if (isHighSurrogate(text, kept - 1)) kept -= 1;
      json = JSON.stringify(`${text.slice(0, kept)}${CUT}`);
      size = Buffer.byteLength(json);
    }
    this.#parts.push(json);
    this.#room -= size;
  }
}

/** Reads a member; may throw what the value throws. */
type Read = () => unknown;

function isArray(value: object): value is unknown[] {
  try {
    return Array.isArray(value);
  } catch {
    // A revoked proxy.
    return false;
  }
}

/** What is shown by its name or its own text instead of its members. */
function describeBuiltIn(value: object): string | undefined {
  if (types.isProxy(value)) return undefined;
  if (types.isDate(value)) {
    const millis = Date.prototype.getTime.call(value);
    return Number.isNaN(millis) ? 'Invalid Date' : new Date(millis).toISOString();
  }
  if (types.isRegExp(value)) return textOf(() => RegExp.prototype.toString.call(value));
  if (types.isStringObject(value)) return String.prototype.valueOf.call(value);
  if (types.isBoxedPrimitive(value)) return textOf(() => String(value));
  if (value instanceof URL) return textOf(() => value.href);
  if (ArrayBuffer.isView(value)) return `[${viewName(value)} ${value.byteLength} bytes]`;
  if (types.isAnyArrayBuffer(value)) return `[ArrayBuffer ${value.byteLength} bytes]`;
  if (types.isPromise(value)) return '[Promise]';
  if (types.isWeakMap(value) || types.isWeakSet(value)) return '[WeakCollection]';
  if (types.isGeneratorObject(value)) return '[Generator]';
  return undefined;
}

/** Not by `constructor`, which is the host's to change. */
function viewName(view: object): string {
  if (Buffer.isBuffer(view)) return 'Buffer';
  return Object.prototype.toString.call(view).slice('[object '.length, -1).slice(0, 32);
}

function* arrayItems(value: readonly unknown[]): Generator<Read> {
  for (let index = 0; index < value.length; index += 1) yield () => value[index];
}

function* setItems(value: ReadonlySet<unknown>): Generator<Read> {
  for (const item of Set.prototype.values.call(value) as IterableIterator<unknown>) yield () => item;
}

function* mapEntries(value: ReadonlyMap<unknown, unknown>): Generator<[string, Read]> {
  for (const [key, item] of Map.prototype.entries.call(value) as IterableIterator<[unknown, unknown]>) {
    yield [keyText(key), () => item];
  }
}

function* objectEntries(value: object): Generator<[string, Read]> {
  for (const key of Object.keys(value)) {
    const descriptor = Reflect.getOwnPropertyDescriptor(value, key);
    if (descriptor !== undefined && 'value' in descriptor && descriptor.value === undefined) continue;
    yield [key, () => (value as Record<string, unknown>)[key]];
  }
}

/** Not the stack, which `recordException` has, and not what libraries hang on errors: requests with their headers. */
function* errorEntries(value: Error): Generator<[string, Read]> {
  yield ['name', () => value.name];
  yield ['message', () => value.message];
  for (const key of ['code', 'cause', 'errors'] as const) {
    const member = readMember(value, key);
    if (member !== undefined) yield [key, () => member];
  }
}

function readMember(value: object, key: string): unknown {
  try {
    return (value as Record<string, unknown>)[key];
  } catch {
    return THROWS;
  }
}

function keyText(key: unknown): string {
  if (typeof key === 'string') return key;
  if (typeof key === 'bigint') return printBigInt(key);
  return typeof key === 'object' && key !== null ? '[Object]' : textOf(() => String(key));
}

function textOf(read: () => unknown): string {
  try {
    const text = read();
    return typeof text === 'string' ? text : '';
  } catch {
    return THROWS;
  }
}

function isHighSurrogate(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  return code >= 0xd800 && code <= 0xdbff;
}
