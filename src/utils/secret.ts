import { maskSecretShapes, REDACTED } from './secret-shapes.ts';

/** A longer text is not shown at all: what marks its secret may lie behind the cut. */
const MAX_MASKED_LENGTH = 512;
const MAX_SHOWN_LENGTH = 100;
const MAX_KEY_LENGTH = 64;

/**
 * Holds a credential so that printing, logging, serialising or cloning its owner never shows it. Whoever needs
 * the value says so with {@link reveal}. It cannot be hidden from a heap dump.
 */
export class Secret<T = string> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return REDACTED;
  }
}

/** Broader than what is masked in telemetry: a message to people may lose a harmless word. */
const MASKS: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  // Credentials before a host, up to the last "@": a password may hold "/", "?" and "@" where somebody forgot to encode it.
  [/^((?:[a-z][a-z\d+.-]*:)?\/\/)?.*@/is, `$1${REDACTED}@`],
  [/\?.*=.*/s, `?${REDACTED}`],
  [/\b(bearer|basic)\s+\S+/gi, `$1 ${REDACTED}`],
  [
    /((?:authorization|api[-_]?key|token|secret|passw(?:or)?d|pwd|credential|cookie)[\w-]*["']?\s*[:=]\s*).+/gis,
    `$1${REDACTED}`,
  ],
  [/\b(?:(?:sk|pk|rk|gh[pousr]|glpat|xox[a-z])[-_]|AKIA)[\w-]{8,}/g, REDACTED],
  // Anything long that mixes letters and digits: keys, hashes, UUIDs, parts of a JWT.
  [/(?=[\w+~-]*\d)(?=[\w+~-]*[A-Za-z])[\w+~-]{20,}/g, REDACTED],
];

/**
 * A short text for a value in a message to people. Strings are quoted, cut to 100 characters and lose what looks
 * like a credential; objects and functions are named by their kind, never printed. Never throws.
 */
export function maskSecrets(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return value.length > MAX_MASKED_LENGTH ? describeKind(value) : maskText(value);
    case 'number':
    case 'boolean':
    case 'undefined':
      return String(value);
    default:
      return describeKind(value);
  }
}

/** What kind of value it is, with nothing of its content: for options whose value is a credential. Never throws. */
export function describeKind(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  switch (typeof value) {
    case 'string':
      return value === '' ? 'an empty string' : `a string of ${value.length} characters`;
    case 'object':
      return describeObject(value);
    default:
      return `a ${typeof value}`;
  }
}

/** A user's key as it may stand in an option's path: short, without what looks like a credential. */
export function maskKey(key: string): string {
  const masked = maskSecrets(key.length > MAX_KEY_LENGTH ? `${key.slice(0, MAX_KEY_LENGTH)}…` : key);
  return /^"[\w$.-]+"$/.test(masked) ? masked.slice(1, -1) : `[${masked}]`;
}

function maskText(text: string): string {
  let masked = maskSecretShapes(text);
  for (const [pattern, replacement] of MASKS) masked = masked.replace(pattern, replacement);
  return JSON.stringify(masked.length > MAX_SHOWN_LENGTH ? `${masked.slice(0, MAX_SHOWN_LENGTH)}…` : masked);
}

function describeObject(value: object): string {
  try {
    if (Array.isArray(value)) return `an array of ${value.length}`;
    const tag = Object.prototype.toString.call(value).slice('[object '.length, -1);
    return tag !== 'Object' && /^\w{1,20}$/.test(tag) ? `an object (${tag})` : 'an object';
  } catch {
    return 'an object that cannot be read';
  }
}
