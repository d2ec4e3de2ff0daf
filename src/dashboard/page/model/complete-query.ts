import type { Signal } from '../../otlp/signal.ts';

/** What can be completed at a place in a query: a field, or a value of one. */
export interface CompletionPlace {
  readonly field: string | undefined;
  readonly prefix: string;
  /** What a chosen completion replaces. */
  readonly start: number;
  readonly end: number;
}

/** Fields whose values are numbers: there is nothing to list. */
const UNLISTED = new Set(['dur', 'duration', 'trace', 'span']);
const FIXED: Readonly<Record<string, readonly string[]>> = { root: ['true', 'false'] };
const ALIASES: Readonly<Record<string, string>> = {
  operation: 'name',
  metric: 'name',
  event: 'name',
  level: 'severity',
};

export function completionPlace(text: string, caret: number): CompletionPlace | undefined {
  const before = text.slice(0, caret);
  const quotes = before.match(/(?<!\\)"/g)?.length ?? 0;
  const inQuotes = quotes % 2 === 1;
  const from = inQuotes ? before.lastIndexOf('"') : Math.max(before.search(/\S*$/), 0);
  const wordStart = inQuotes ? Math.max(before.slice(0, from).search(/\S*$/), 0) : from;
  const word = before.slice(wordStart);
  const end = caret + (/^[^\s,"]*/.exec(text.slice(caret))?.[0].length ?? 0);
  const [, name, , values] = /^-?([^\s:=!<>"]+)(:?(?:!=|>=|<=|>|<|=)|:)(.*)$/s.exec(word) ?? [];
  if (name === undefined) {
    const minus = word.startsWith('-') ? 1 : 0;
    return inQuotes ? undefined : { field: undefined, prefix: word.slice(minus), start: wordStart + minus, end };
  }
  const field = ALIASES[name] ?? name;
  if (UNLISTED.has(field)) return undefined;
  const value = inQuotes ? before.slice(from) : (values?.slice(values.lastIndexOf(',') + 1) ?? '');
  return { field, prefix: value.replace(/^"/, ''), start: caret - value.length, end };
}

/** Values that are always there, without asking. */
export function fixedValues(field: string | undefined): readonly string[] | undefined {
  return field === undefined ? undefined : FIXED[field];
}

/** The text with the completion in it, and where the caret stands then. */
export function applyCompletion(
  text: string,
  place: CompletionPlace,
  chosen: string,
  signal: Signal,
): { readonly text: string; readonly caret: number } {
  const isField = place.field === undefined;
  const insert = isField
    ? `${writtenField(chosen)}${chosen === 'duration' && signal === 'traces' ? '>' : ':'}`
    : quoteValue(chosen);
  const rest = text.slice(place.end).replace(/^"/, '');
  const space = isField || rest.startsWith(' ') ? '' : ' ';
  const caret = place.start + insert.length + space.length;
  return { text: `${text.slice(0, place.start)}${insert}${space}${rest}`, caret };
}

/** In quotes where it would otherwise be read as something else. */
export function quoteValue(value: string): string {
  return /^[^\s,"*:=<>!\\][^\s,"*\\]*$/.test(value) ? value : `"${value.replaceAll(/[\\"]/g, '\\$&')}"`;
}

/** A name with a dot needs no `attr.`. */
function writtenField(field: string): string {
  const key = field.startsWith('attr.') ? field.slice(5) : field;
  return key.includes('.') ? key : field;
}

/** The query with one more term. */
export function addTerm(query: string, term: string): string {
  return query.trim() === '' ? term : query.includes(term) ? query : `${query.trim()} ${term}`;
}
