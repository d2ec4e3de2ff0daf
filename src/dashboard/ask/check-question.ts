import type { ConfigIssue } from '../../utils/errors.ts';
import {
  type Fields,
  matching,
  numberThat,
  optional,
  readMessageFields,
  required,
} from '../../utils/message-fields.ts';
import { oneOf, text } from '../../utils/option-checks.ts';
import type { Check } from '../../utils/option-reader.ts';
import type { Signal } from '../otlp/signal.ts';
import { parseQuery } from '../query/parse-query.ts';
import { stepOf } from '../query/step-of.ts';
import { METRIC_AGGREGATIONS, type Search, type TimeRange } from '../store/telemetry-store.ts';
import type { Question, QuestionOf, QuestionType, Searched } from './question.ts';

/** What a source is asked within its scope; `written` is the query as it was given. */
export type Written = Omit<Search, 'scope'> & { readonly written: string };

const HOUR_MILLIS = 3_600_000;
const MAX_GROUPS = 100;
const DEFAULT_LIMIT = 100;

const TIME = numberThat('milliseconds since the epoch', (value) => value >= 0 && value <= Number.MAX_SAFE_INTEGER);
const STEP = numberThat('1 or more milliseconds', (value) => value >= 1 && Number.isSafeInteger(value));
const QUERY: Check<string> = {
  accepted: 'a query',
  parse: (value) => (typeof value === 'string' ? value : undefined),
};
const NAME = text(1_024);
/** They go to a dashboard in a list that is separated by commas. */
const GROUP = matching('tenant, service, or the name of an attribute without commas', /^[^,]{1,256}$/);

const SEARCHED = { query: optional(QUERY), startMillis: optional(TIME), endMillis: optional(TIME) };
const METRIC = { ...SEARCHED, name: required(NAME), stepMillis: optional(STEP), limit: upTo(1_000) };

const FIELDS: { readonly [T in QuestionType]: Fields<QuestionOf<T>> } = {
  getMetric: METRIC,
  aggregateMetrics: {
    ...METRIC,
    aggregation: required(oneOf(...METRIC_AGGREGATIONS)),
    groupBy: (reader, key) => reader.readList(key, GROUP, MAX_GROUPS),
  },
  getLogs: { ...SEARCHED, limit: upTo(10_000) },
  getTrace: { traceId: required(matching('32 hex digits', /^[\da-f]{32}$/i)), limit: upTo(100_000) },
  searchTraces: { ...SEARCHED, order: optional(oneOf('newest', 'longest')), limit: upTo(1_000) },
  getHealth: { limit: upTo(10_000) },
  getStatus: { limit: upTo(10_000) },
};

const SIGNALS: { readonly [T in QuestionType]?: Signal } = {
  getMetric: 'metrics',
  aggregateMetrics: 'metrics',
  getLogs: 'logs',
  searchTraces: 'traces',
};

export function isQuestionType(type: string): type is QuestionType {
  return Object.hasOwn(FIELDS, type);
}

/** A question of a known type, copied; or all that is wrong with it. Never throws. */
export function readQuestion(
  type: QuestionType,
  given: unknown,
): { readonly question: Question } | { readonly issues: readonly ConfigIssue[] } {
  const read = readMessageFields(FIELDS[type], given);
  if ('issues' in read) return read;
  const question = { type, ...read.values } as unknown as Question;
  const { startMillis, endMillis, query }: Searched = question;
  if (startMillis !== undefined && endMillis !== undefined && startMillis >= endMillis)
    return { issues: [{ option: 'endMillis', accepted: 'a time after startMillis', received: String(endMillis) }] };
  const signal = SIGNALS[type];
  const parsed = signal && query !== undefined ? parseQuery(query, signal) : undefined;
  if (parsed?.ok !== false) return { question };
  const { message, position } = parsed;
  const received = `characters ${position.start} to ${position.end}`;
  return { issues: [{ option: 'query', accepted: `a query of the search language (${message})`, received }] };
}

/** What a question that was read looks for. */
export function searchOf(
  { query = '', startMillis, endMillis, limit = DEFAULT_LIMIT }: Searched,
  signal: Signal,
  now: number,
): Written {
  const end = endMillis ?? Number.MAX_SAFE_INTEGER;
  const range = { startMillis: startMillis ?? Math.min(end, now) - HOUR_MILLIS, endMillis: end };
  const parsed = parseQuery(query, signal);
  return { query: parsed.ok ? parsed.query : { conditions: [] }, range, limit, written: query };
}

/** The step that was asked for, or one that makes about 60. */
export function stepMillisOf(step: number | undefined, { startMillis, endMillis }: TimeRange, now: number): number {
  return stepOf(step, startMillis, Math.min(endMillis, now));
}

function upTo(max: number) {
  return optional(
    numberThat(`an integer from 1 to ${max}`, (value) => Number.isInteger(value) && value >= 1 && value <= max),
  );
}
