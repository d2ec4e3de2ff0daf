import type { ConfigIssue } from './errors.ts';
import { type Check, IssueLog, OptionReader } from './option-reader.ts';

/** Reads one field of a message; what is wrong with it goes into the reader's issues. */
export type Field<T> = (reader: OptionReader, key: string) => T | undefined;

/** How each field of a message is read, besides its type. */
export type Fields<Message> = {
  readonly [K in Exclude<keyof Message, 'type'>]-?: Field<Exclude<Message[K], undefined>>;
};

/** The values of all fields, copied, or all that is wrong with the message; a field that is not known is. Never throws. */
export function readMessageFields(
  fields: Readonly<Record<string, Field<unknown>>>,
  message: unknown,
): { readonly values: Record<string, unknown> } | { readonly issues: readonly ConfigIssue[] } {
  const issues = new IssueLog();
  const reader = OptionReader.open(message, '', new Set(['type', ...Object.keys(fields)]), issues);
  const values = reader === undefined ? {} : readFields(reader, fields);
  return issues.count > 0 ? { issues: issues.list() } : { values };
}

export function readFields(reader: OptionReader, fields: object): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [key, read] of Object.entries(fields) as [string, Field<unknown>][]) values[key] = read(reader, key);
  return values;
}

export function describeIssues(issues: readonly ConfigIssue[]): string {
  return issues.map(({ option, accepted }) => `${option}: expected ${accepted}`).join('; ');
}

export function optional<T>(check: Check<T>): Field<T> {
  return (reader, key) => reader.read(key, check);
}

export function required<T>(check: Check<T>): Field<T> {
  return (reader, key) => {
    const before = reader.issues.count;
    const value = reader.read(key, check);
    if (value === undefined && reader.issues.count === before)
      reader.issues.add(reader.pathOf(key), check.accepted, 'undefined');
    return value;
  };
}

export function numberThat(accepted: string, holds: (value: number) => boolean): Check<number> {
  return { accepted, parse: (value) => (typeof value === 'number' && holds(value) ? value : undefined) };
}

export function matching(accepted: string, pattern: RegExp): Check<string> {
  return { accepted, parse: (value) => (typeof value === 'string' && pattern.test(value) ? value : undefined) };
}
