import type { Sampler } from '@opentelemetry/sdk-trace';
import { hasMethods, integer, numberAbove0, oneOf } from '../utils/option-checks.ts';
import { type Check, OptionReader } from '../utils/option-reader.ts';
import type { SamplingOptions } from './options.ts';
import { DEFAULT_SAMPLING, type SamplingSettings } from './settings.ts';

const KNOWN: ReadonlySet<string> = new Set(
  Object.keys({
    ratio: true,
    spansPerSecond: true,
    keepErrors: true,
    keepSlowerThanMillis: true,
  } satisfies Record<keyof SamplingOptions, true>),
);
const RATIO: Check<number> = {
  accepted: 'a number from 0 to 1',
  parse: (value) => (typeof value === 'number' && value >= 0 && value <= 1 ? value : undefined),
};
const SPANS_PER_SECOND = numberAbove0(1_000_000);
const KEEP_ERRORS = oneOf(true, false);
const KEEP_SLOWER_THAN_MILLIS = integer('sampling.keepSlowerThanMillis');

/** `base` with the rules that are given. A sampler knows no rules: it takes the place of all, and any of them its place. */
export function readSampling(reader: OptionReader, base: SamplingSettings): SamplingSettings {
  const value = reader.get('sampling');
  if (isSampler(value)) return Object.freeze({ kind: 'sampler', sampler: value });
  const own = OptionReader.open(value, reader.pathOf('sampling'), KNOWN, reader.issues);
  if (own === undefined) return base;
  const ratio = own.read('ratio', RATIO);
  const spansPerSecond = own.read('spansPerSecond', SPANS_PER_SECOND);
  const keepErrors = own.read('keepErrors', KEEP_ERRORS);
  const keepSlowerThanMillis = own.read('keepSlowerThanMillis', KEEP_SLOWER_THAN_MILLIS);
  if ([ratio, spansPerSecond, keepErrors, keepSlowerThanMillis].every((given) => given === undefined)) return base;
  const rules = base.kind === 'rules' ? base : DEFAULT_SAMPLING;
  return Object.freeze({
    kind: 'rules',
    ratio: ratio ?? rules.ratio,
    spansPerSecond: spansPerSecond ?? rules.spansPerSecond,
    keepErrors: keepErrors ?? rules.keepErrors,
    keepSlowerThanMillis: keepSlowerThanMillis ?? rules.keepSlowerThanMillis,
    parentBased: ratio === undefined ? rules.parentBased : true,
  });
}

function isSampler(value: unknown): value is Sampler {
  try {
    return hasMethods(value, ['shouldSample']);
  } catch {
    return false;
  }
}
