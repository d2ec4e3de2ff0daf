import { types } from 'node:util';
import type { RedactFunction, RedactOptions } from '../processing/redaction.ts';
import { callable, oneOf, text } from '../utils/option-checks.ts';
import { type Check, elementsOf, OptionReader, REFUSED } from '../utils/option-reader.ts';
import { describeKind } from '../utils/secret.ts';

const KNOWN: ReadonlySet<string> = new Set(
  Object.keys({
    keys: true,
    values: true,
    custom: true,
    replacement: true,
  } satisfies Record<keyof RedactOptions, true>),
);

const MAX_KEYS = 128;
const MAX_KEY_LENGTH = 256;
/** A list of keys that is too long still counts with its first ones; of one beyond this nothing does. */
const MAX_LISTED = 65_536;

const KEY: Check<string | RegExp> = {
  accepted: `a string of 1 to ${MAX_KEY_LENGTH} characters or a regular expression`,
  parse: (value) => {
    if (typeof value === 'string') return value !== '' && value.length <= MAX_KEY_LENGTH ? value : undefined;
    return isPattern(value) ? value : undefined;
  },
  describe: describeKind,
};
const VALUES = oneOf(true, false);
const CUSTOM = callable<RedactFunction>('a function');
const REPLACEMENT = text(64);
const DEFAULTS: RedactOptions = Object.freeze({});

/**
 * What `redact` gives, over `base`. Whatever is given, acceptable or not, redaction is on: what cannot be used is an
 * issue and leaves that part as in `base`, or at its default.
 */
export function readRedact(reader: OptionReader, base?: RedactOptions): RedactOptions | undefined {
  const value = reader.getOrRefused('redact');
  if (value === undefined) return base;
  const underneath = base ?? DEFAULTS;
  if (value === true || value === REFUSED) return underneath;
  const path = reader.pathOf('redact');
  const own = OptionReader.open(value, path, KNOWN, reader.issues);
  if (own === undefined) return underneath;
  return Object.freeze({
    keys: readKeys(own, path) ?? underneath.keys,
    values: own.read('values', VALUES) ?? underneath.values,
    custom: own.read('custom', CUSTOM) ?? underneath.custom,
    replacement: own.read('replacement', REPLACEMENT) ?? underneath.replacement,
  });
}

function readKeys(own: OptionReader, path: string): RedactOptions['keys'] {
  const given = own.get('keys');
  if (given === undefined) return undefined;
  const list = elementsOf(given, MAX_LISTED);
  if (list === undefined || list.length <= MAX_KEYS) return own.readList('keys', KEY, MAX_KEYS);
  own.issues.add(own.pathOf('keys'), `an array of up to ${MAX_KEYS}`, describeKind(given));
  const shortened = { keys: list.slice(0, MAX_KEYS) };
  return OptionReader.open(shortened, path, KNOWN, own.issues)?.readList('keys', KEY, MAX_KEYS);
}

/** A regular expression of the language, or of an engine with a `test` of its own. */
function isPattern(value: unknown): value is RegExp {
  if (!types.isRegExp(value)) return value instanceof RegExp && value.test !== RegExp.prototype.test;
  // Throws for one whose properties were tampered with: it is copied later on.
  return new RegExp(value.source, value.flags) !== undefined;
}
