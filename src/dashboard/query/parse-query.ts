import type { Signal } from '../otlp/signal.ts';
import { SPAN_KINDS, SPAN_STATUSES } from '../otlp/span-flags.ts';
import { parseDuration } from './parse-duration.ts';
import { parseSeverityRange } from './parse-severity.ts';
import {
  type Comparison,
  type Condition,
  type Query,
  type QueryPosition,
  TEXT_FIELDS,
  type TextPattern,
} from './query.ts';
import { QueryCursor, type QueryValue } from './query-cursor.ts';
import { QueryError } from './query-error.ts';

const MAX_LENGTH = 4_096;
const MAX_CONDITIONS = 64;

/** A query, or what is wrong with the text and where. */
export type ParseResult =
  | { readonly ok: true; readonly query: Query }
  | { readonly ok: false; readonly message: string; readonly position: QueryPosition };

/** Other names of fields. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ['operation', 'name'],
  ['metric', 'name'],
  ['event', 'name'],
  ['dur', 'duration'],
  ['level', 'severity'],
  ['traceId', 'trace'],
  ['spanId', 'span'],
]);

/** The fields of each signal besides `attr.…` and `resource.…`. */
export const SIGNAL_FIELDS: Readonly<Record<Signal, readonly string[]>> = {
  traces: ['tenant', 'service', 'name', 'status', 'kind', 'duration', 'root', 'trace', 'span', 'scope'],
  logs: ['tenant', 'service', 'severity', 'name', 'trace', 'span', 'scope'],
  metrics: ['tenant', 'service', 'name', 'scope'],
};

/** What a field's part of the query says. */
interface Clause {
  readonly field: string;
  readonly operator: '=' | Comparison;
  readonly values: readonly QueryValue[];
  readonly negated: boolean;
  readonly position: QueryPosition;
}

/**
 * Reads a search such as `service:api status:error dur>200ms "time out" attr.http.route=/x -status:ok`. Terms are
 * separated by spaces and all have to hold; a leading `-` turns one round; `a,b` are alternatives; `*` in a value that
 * is not quoted stands for anything. Never throws: what is wrong comes with its place in the text.
 */
export function parseQuery(text: string, signal: Signal): ParseResult {
  if (text.length > MAX_LENGTH) {
    const position = { start: MAX_LENGTH, end: text.length };
    return { ok: false, message: `a query has at most ${MAX_LENGTH} characters`, position };
  }
  try {
    return { ok: true, query: { conditions: parseConditions(text, signal) } };
  } catch (error) {
    if (error instanceof QueryError) return { ok: false, message: error.message, position: error.position };
    throw error;
  }
}

function parseConditions(text: string, signal: Signal): Condition[] {
  const cursor = new QueryCursor(text);
  const conditions: Condition[] = [];
  for (let start = cursor.skipSpaces(); !cursor.atEnd; start = cursor.skipSpaces()) {
    const negated = cursor.takeMinus();
    const condition = parseTerm(cursor, signal, negated, start);
    if (condition !== undefined) conditions.push(condition);
    if (conditions.length > MAX_CONDITIONS) {
      throw new QueryError(`a query has at most ${MAX_CONDITIONS} terms`, { start, end: cursor.at });
    }
  }
  return conditions;
}

function parseTerm(cursor: QueryCursor, signal: Signal, negated: boolean, start: number): Condition | undefined {
  const word = cursor.takeWord();
  const operator = word.quoted ? undefined : cursor.takeOperator();
  const position = (): QueryPosition => ({ start, end: cursor.at });
  if (operator === undefined) {
    if (word.text === '')
      throw new QueryError('a term is missing here', { start, end: Math.max(cursor.at, start + 1) });
    if (!word.quoted && word.text === 'AND' && !negated) return undefined;
    if (!word.quoted && (word.text === 'OR' || /^[()]|[()]$/.test(word.text))) {
      throw new QueryError('terms are always joined by AND; alternatives are written as field:a,b', position());
    }
    return { type: 'text', text: word.text, negated };
  }
  const values = cursor.takeValues();
  const turned = operator === '!=';
  return toCondition(
    { field: word.text, operator: turned ? '=' : operator, values, negated: negated !== turned, position: position() },
    signal,
  );
}

function toCondition(clause: Clause, signal: Signal): Condition {
  const { field: written, position, negated } = clause;
  const attribute = attributeOf(written);
  if (attribute !== undefined) return { type: 'attribute', negated, ...attribute, test: attributeTest(clause) };
  const field = ALIASES.get(written) ?? written;
  if (!SIGNAL_FIELDS[signal].includes(field)) {
    const known = [...SIGNAL_FIELDS[signal], 'attr.…', 'resource.…'].join(', ');
    throw new QueryError(`${signal} have no field '${written}'; there are ${known}`, position);
  }
  switch (field) {
    case 'status':
      return { type: 'status', negated, values: oneOf(clause, SPAN_STATUSES) };
    case 'kind':
      return { type: 'kind', negated, values: oneOf(clause, SPAN_KINDS) };
    case 'root':
      return { type: 'root', negated, value: oneOf(clause, ['true', 'false'])[0] === 'true' };
    case 'duration':
      return { type: 'duration', negated, ...durationTest(clause) };
    case 'severity':
      return { type: 'severity', negated, ranges: clause.values.map((value) => severityRange(clause, value)) };
    default: {
      const name = TEXT_FIELDS.find((candidate) => candidate === field) ?? 'name';
      return { type: 'field', negated, field: name, patterns: patterns(clause, name === 'trace' || name === 'span') };
    }
  }
}

/** A name with a dot that is no field is an attribute without its `attr.`. */
function attributeOf(field: string): { source: 'record' | 'resource'; key: string } | undefined {
  const [, prefix, rest] = /^(attr|resource)\.(.+)$/s.exec(field) ?? [];
  if (prefix !== undefined && rest !== undefined)
    return { source: prefix === 'attr' ? 'record' : 'resource', key: rest };
  return field.includes('.') ? { source: 'record', key: field } : undefined;
}

function attributeTest(clause: Clause): (Condition & { type: 'attribute' })['test'] {
  const { operator, values, position } = clause;
  if (operator === '=') {
    const [only] = values;
    if (values.length === 1 && only?.quoted === false && only.text === '*') return { type: 'exists' };
    return { type: 'equals', patterns: patterns(clause, false) };
  }
  const [value] = values;
  const number = value?.text === '' ? Number.NaN : Number(value?.text);
  if (values.length !== 1 || !Number.isFinite(number)) {
    throw new QueryError(`'${operator}' needs one number`, position);
  }
  return { type: 'compare', comparison: operator, number };
}

function patterns({ operator, values, position }: Clause, hex: boolean): TextPattern[] {
  if (operator !== '=') throw new QueryError(`a text cannot be compared with '${operator}'`, position);
  return values.map(({ text, quoted }) => ({
    text: hex ? text.toLowerCase() : text,
    wildcard: !quoted && text.includes('*'),
  }));
}

function oneOf<T extends string>({ operator, values, position }: Clause, known: readonly T[]): T[] {
  const found = values.map(({ text }) => known.find((candidate) => candidate === text.toLowerCase()));
  if (operator !== '=' || !found.every((value) => value !== undefined)) {
    throw new QueryError(`expected ${known.join(', ')}`, position);
  }
  return found;
}

function durationTest({ operator, values, position }: Clause): { comparison: Comparison; nanos: number } {
  const nanos = parseDuration(values[0]?.text ?? '');
  if (operator === '=' || values.length !== 1) {
    throw new QueryError("a duration is compared with '>', '>=', '<' or '<='", position);
  }
  if (nanos === undefined) throw new QueryError('expected a duration such as 200ms, 1.5s or 2m', position);
  return { comparison: operator, nanos };
}

function severityRange({ operator, position, values }: Clause, { text }: QueryValue): readonly [number, number] {
  const range = parseSeverityRange(operator, text);
  if (range === undefined || (operator !== '=' && values.length > 1)) {
    throw new QueryError('expected trace, debug, info, warn, error, fatal or a number from 1 to 24', position);
  }
  return range;
}
