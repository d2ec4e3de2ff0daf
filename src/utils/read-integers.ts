import { describeInteger, type IntegerOption, isIntegerWithin } from './integer-options.ts';
import { IssueLog, OptionReader } from './option-reader.ts';

/** The whole numbers among some options, and what the others are read with. */
interface IntegersRead<Key extends string> {
  readonly values: Readonly<Record<Key, number>>;
  /** Of the same options; absent when they are no object. */
  readonly reader: OptionReader | undefined;
  /** Where the reader reports to. */
  readonly log: IssueLog;
}

/**
 * The whole numbers among some options, each within its bounds; what is not acceptable falls back to its default and is
 * an issue, as is an option that is none of these or of `others`. Never throws.
 */
export function readIntegers<Key extends string>(
  options: unknown,
  bounds: Readonly<Record<Key, IntegerOption>>,
  others: readonly string[] = [],
): IntegersRead<Key> {
  const log = new IssueLog();
  const reader = OptionReader.open(options, '', new Set([...Object.keys(bounds), ...others]), log);
  const entries = (Object.entries(bounds) as [Key, IntegerOption][]).map(([key, bound]) => {
    const check = {
      accepted: describeInteger(bound),
      parse: (value: unknown) => (isIntegerWithin(bound, value) ? value : undefined),
    };
    return [key, reader?.read(key, check) ?? bound.default] as const;
  });
  return { values: Object.fromEntries(entries) as Record<Key, number>, reader, log };
}
