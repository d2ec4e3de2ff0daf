import type { ConfigIssue } from './errors.ts';
import { describeKind, maskKey } from './secret.ts';

/** Valid headers with lower-case names; has no prototype. */
export type Headers = Readonly<Record<string, string>>;

export interface SanitizedHeaders {
  /** Whether it was a plain object that could be read. */
  readonly isRecord: boolean;
  readonly headers: Headers;
  /** What was left out and why; never shows a value, nor a name that is not valid. */
  readonly issues: readonly ConfigIssue[];
}

const MAX_HEADERS = 64;
const MAX_NAME_LENGTH = 128;
const MAX_VALUE_LENGTH = 8_192;

const NAME_ACCEPTED = `names of up to ${MAX_NAME_LENGTH} letters, digits and hyphens`;
const VALUE_ACCEPTED = `a string of up to ${MAX_VALUE_LENGTH} latin1 characters without line breaks and NUL`;

/** RFC 9110, section 5.6.2: token. */
const TOKEN = /^[!#$%&'*+\-.^_`|~\da-z]+$/i;
/** RFC 9110, section 5.5: visible characters, space, tab and obs-text (latin1). */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Framing and encoding belong to the transport; a user's value would corrupt the request on a shared connection. */
const RESERVED: ReadonlySet<string> = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/**
 * Copies the headers that can be sent and leaves out the others, each with an issue: names that are no tokens or
 * belong to the transport, values that are no strings, hold CR, LF, NUL or anything beyond latin1, or are longer than
 * 8,192 characters, and what comes after the first 64. Properties that are `undefined` do not count as given. Never
 * throws, whatever `raw` is.
 */
export function sanitizeHeaders(raw: unknown, option = 'headers'): SanitizedHeaders {
  const headers: Record<string, string> = Object.create(null);
  const issues: ConfigIssue[] = [];
  const names = namesOf(raw);
  if (names === undefined) issues.push({ option, accepted: 'a plain object of strings', received: describeKind(raw) });
  else if (names.length > MAX_HEADERS) {
    issues.push({ option, accepted: `up to ${MAX_HEADERS} headers`, received: `${names.length} headers` });
  }
  for (const name of (names ?? []).slice(0, MAX_HEADERS)) {
    const value = readValue(raw as Record<string, unknown>, name);
    if (value === undefined) continue;
    const lower = name.toLowerCase();
    if (!isName(name)) {
      issues.push({ option, accepted: NAME_ACCEPTED, received: `a name of ${name.length} characters` });
    } else if (RESERVED.has(lower)) {
      refuse(lower, 'a header that the transport does not set itself', 'a reserved name');
    } else if (!isValue(value)) {
      refuse(
        lower,
        VALUE_ACCEPTED,
        typeof value === 'string' ? `${describeKind(value)}, some not accepted` : describeKind(value),
      );
    } else {
      if (lower in headers) refuse(lower, 'each name once, in any case', 'the name twice; the last one counts');
      headers[lower] = value;
    }
  }
  return { isRecord: names !== undefined, headers: Object.freeze(headers), issues };

  function refuse(name: string, accepted: string, received: string): void {
    issues.push({ option: `${option}.${maskKey(name)}`, accepted, received });
  }
}

function isName(name: string): boolean {
  return name.length <= MAX_NAME_LENGTH && TOKEN.test(name);
}

function isValue(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_VALUE_LENGTH && FIELD_VALUE.test(value);
}

/** The names in a plain object; anything else, such as a `Map`, would look like an object without any. */
function namesOf(raw: unknown): string[] | undefined {
  if (typeof raw !== 'object' || raw === null) return undefined;
  try {
    const prototype = Object.getPrototypeOf(raw);
    const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
    return isPlain ? Object.keys(raw) : undefined;
  } catch {
    return undefined;
  }
}

/** A symbol stands for a value that cannot be read: it is refused like every other that is not a string. */
function readValue(raw: Record<string, unknown>, name: string): unknown {
  try {
    return raw[name];
  } catch {
    return Symbol('unreadable');
  }
}
