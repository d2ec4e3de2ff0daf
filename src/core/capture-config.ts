import type { CaptureOptions, CaptureSettings } from '../processing/capture.ts';
import { integer } from '../utils/option-checks.ts';
import { type Check, OptionReader } from '../utils/option-reader.ts';
import { describeKind } from '../utils/secret.ts';

const KNOWN: ReadonlySet<string> = new Set(
  Object.keys({
    arguments: true,
    result: true,
    aggregate: true,
    maxBytes: true,
    maxDepth: true,
  } satisfies Record<keyof CaptureOptions, true>),
);

function switchOrFunction<T extends (...args: never[]) => unknown>(): Check<boolean | T> {
  return {
    accepted: 'true, false or a function',
    parse: (value) => (typeof value === 'boolean' || typeof value === 'function' ? (value as boolean | T) : undefined),
    describe: describeKind,
  };
}

const ARGUMENTS = switchOrFunction<Exclude<CaptureSettings['arguments'], boolean>>();
const RESULT = switchOrFunction<Exclude<CaptureSettings['result'], boolean>>();
const AGGREGATE: Check<NonNullable<CaptureSettings['aggregate']>> = {
  accepted: 'a function',
  parse: (value) => (typeof value === 'function' ? (value as NonNullable<CaptureSettings['aggregate']>) : undefined),
  describe: describeKind,
};
const MAX_BYTES = integer('capture.maxBytes');
const MAX_DEPTH = integer('capture.maxDepth');

/** `base` with what `capture` gives: `true` and `false` switch both sides, an object each by itself. */
export function readCapture(reader: OptionReader, base: CaptureSettings): CaptureSettings {
  const value = reader.get('capture');
  if (typeof value === 'boolean') return Object.freeze({ ...base, arguments: value, result: value });
  const own = OptionReader.open(value, reader.pathOf('capture'), KNOWN, reader.issues);
  if (own === undefined) return base;
  return Object.freeze({
    arguments: own.read('arguments', ARGUMENTS) ?? base.arguments,
    result: own.read('result', RESULT) ?? base.result,
    aggregate: own.read('aggregate', AGGREGATE) ?? base.aggregate,
    maxBytes: own.read('maxBytes', MAX_BYTES) ?? base.maxBytes,
    maxDepth: own.read('maxDepth', MAX_DEPTH) ?? base.maxDepth,
  });
}
