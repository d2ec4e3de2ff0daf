import { isRootSpan, kindOf, statusOf } from '../../otlp/span-flags.ts';
import type {
  LogRecord,
  PointRecord,
  SpanRecord,
  TelemetryAttributes,
  TelemetryValue,
} from '../../otlp/telemetry-model.ts';
import { compare, matchesAny, matchesAttribute } from '../../query/match.ts';
import type { AttributeCondition, Condition, Query, TextPattern } from '../../query/query.ts';
import type { Segment } from './segment.ts';

/** Whether a row is found. */
export type RowTest = (row: number) => boolean;

/** How many rows one search may decode; shared by all segments that it looks at. */
export interface DecodeBudget {
  left: number;
  /** Whether it ran out, so that rows may be missing. */
  exceeded: boolean;
}

const DECODES = 100_000;

export function createDecodeBudget(decodes = DECODES): DecodeBudget {
  return { left: decodes, exceeded: false };
}

type Decoded = SpanRecord | LogRecord | PointRecord;
type ConditionOf<T extends Condition['type']> = Extract<Condition, { readonly type: T }>;

/**
 * Makes the test of a query for the rows of a segment from `fromRow` on; `undefined` when none of them can match. What
 * the columns do not hold is searched for in the raw bytes first; only rows with a hit are decoded.
 */
export function bindQuery(query: Query, segment: Segment, budget: DecodeBudget, fromRow = 0): RowTest | undefined {
  const columns: RowTest[] = [];
  const deep: Condition[] = [];
  for (const condition of query.conditions) {
    const test = columnTest(condition, segment);
    if (test === false) return undefined;
    if (test === 'deep') deep.push(condition);
    else if (test !== true) columns.push(test);
  }
  if (deep.length > 0) {
    const rows = new DecodedRows(segment, budget);
    columns.push(...deep.map((condition) => deepTest(condition, segment, rows, fromRow)));
  }
  const [first, second] = columns;
  if (first === undefined) return () => true;
  if (second === undefined) return first;
  return (row) => columns.every((test) => test(row));
}

/** A test by columns; `true` or `false` where it is the same for all rows, `'deep'` where columns do not tell. */
function columnTest(condition: Condition, segment: Segment): RowTest | boolean | 'deep' {
  const { negated } = condition;
  const { flags, value } = segment;
  switch (condition.type) {
    case 'field':
      return fieldTest(condition, segment);
    case 'status':
      return (row) => condition.values.includes(statusOf(flags[row] as number)) !== negated;
    case 'kind':
      return (row) => condition.values.includes(kindOf(flags[row] as number)) !== negated;
    case 'root':
      return (row) => (isRootSpan(flags[row] as number) === condition.value) !== negated;
    case 'duration':
      return (row) => compare(condition.comparison, value[row] as number, condition.nanos) !== negated;
    case 'severity':
      return (row) => {
        const number = flags[row] as number;
        return condition.ranges.some(([min, max]) => number >= min && number <= max) !== negated;
      };
    case 'attribute':
      return condition.source === 'record' ? 'deep' : resourceTest(condition, segment);
    case 'text':
      return 'deep';
  }
}

function fieldTest({ field, patterns, negated }: ConditionOf<'field'>, segment: Segment): RowTest | boolean | 'deep' {
  switch (field) {
    case 'tenant':
      return matchesAny(patterns, segment.tenant) !== negated;
    case 'service': {
      const found = segment.services.map((service) => matchesAny(patterns, service) !== negated);
      if (!found.includes(false)) return true;
      return found.includes(true) && ((row) => found[segment.groupOf(row).service] === true);
    }
    case 'name': {
      const matches = memoize((id) => matchesAny(patterns, segment.names.text(id, segment.buffer)) !== negated);
      return (row) => matches(segment.name[row] as number);
    }
    case 'scope': {
      const matches = memoize((group) => matchesAny(patterns, segment.scopeOfGroup(group).name) !== negated);
      return (row) => matches(segment.group[row] as number);
    }
    case 'trace':
      return traceTest(patterns, negated, segment);
    case 'span':
      return 'deep';
  }
}

function traceTest(patterns: readonly TextPattern[], negated: boolean, segment: Segment): RowTest {
  if (patterns.some(({ wildcard }) => wildcard)) {
    return (row) => matchesAny(patterns, segment.traceIdOf(row)) !== negated;
  }
  const rows = new Set(patterns.flatMap(({ text }) => segment.chains.find(segment.buffer, Buffer.from(text, 'hex'))));
  return (row) => rows.has(row) !== negated;
}

function resourceTest(condition: AttributeCondition, segment: Segment): RowTest {
  const matches = memoize((group) => matchesAttribute(condition, segment.resourceOfGroup(group)[condition.key]));
  return (row) => matches(segment.group[row] as number);
}

/** Decodes a row for several conditions once. */
class DecodedRows {
  readonly #segment: Segment;
  readonly #budget: DecodeBudget;
  #row = -1;
  #record: Decoded | undefined;

  constructor(segment: Segment, budget: DecodeBudget) {
    this.#segment = segment;
    this.#budget = budget;
  }

  /** Undefined when the budget is exceeded. */
  at(row: number): Decoded | undefined {
    if (row === this.#row) return this.#record;
    if (this.#budget.left <= 0) {
      this.#budget.exceeded = true;
      return undefined;
    }
    this.#budget.left -= 1;
    this.#row = row;
    this.#record = this.#segment.recordAt(row);
    return this.#record;
  }
}

function deepTest(condition: Condition, segment: Segment, rows: DecodedRows, fromRow: number): RowTest {
  const hits = rowsWith(segment, needlesOf(condition), fromRow);
  const key = Buffer.from(condition.type === 'attribute' ? condition.key : '');
  return (row) => {
    // A row without a hit cannot hold what is looked for.
    if (hits[row] !== 1) return condition.negated;
    if (condition.type === 'attribute') return matchesAttribute(condition, segment.attributeAt(row, key));
    const record = rows.at(row);
    return record !== undefined && testRecord(condition, record);
  };
}

function testRecord(condition: Condition, record: Decoded): boolean {
  if (condition.type === 'text')
    return textsOf(record).some((text) => text.includes(condition.text)) !== condition.negated;
  if (condition.type !== 'field') return true;
  return matchesAny(condition.patterns, 'spanId' in record ? record.spanId : '') !== condition.negated;
}

/** Texts of which a row that could match holds at least one in its bytes. */
function needlesOf(condition: Condition): readonly Buffer[] {
  switch (condition.type) {
    case 'text':
      return [Buffer.from(condition.text)];
    case 'attribute': {
      const { key, test } = condition;
      const values = test.type === 'equals' ? test.patterns.map(valueNeedle) : [undefined];
      return values.map((value) => Buffer.from(value ?? key));
    }
    case 'field':
      return condition.patterns.map(({ text, wildcard }) => (wildcard ? Buffer.alloc(0) : Buffer.from(text, 'hex')));
    default:
      return [];
  }
}

/** Only a plain text stands in the bytes as it is written in a query; numbers, lists and maps do not. */
function valueNeedle({ text, wildcard }: TextPattern): string | undefined {
  const isPlain = text !== '' && !wildcard && !/^(?:[[{]|[-+]?[\d.]|true$|false$|NaN$|-?Infinity$)/.test(text);
  return isPlain ? text : undefined;
}

/** Marks the rows whose bytes hold one of the needles. */
function rowsWith(segment: Segment, needles: readonly Buffer[], fromRow: number): Uint8Array {
  const { buffer, count, length, start, stop } = segment;
  const hits = new Uint8Array(count);
  const content = buffer.subarray(0, length);
  for (const needle of needles) {
    if (needle.length === 0) return hits.fill(1);
    let row = fromRow;
    let at = row < count ? content.indexOf(needle, start[row]) : -1;
    while (at >= 0) {
      row = rowAt(stop, at, row, count);
      if (row === count) break;
      const rowStart = start[row] as number;
      if (at >= rowStart && at + needle.length <= (stop[row] as number)) {
        hits[row] = 1;
        at = content.indexOf(needle, stop[row]);
      } else at = content.indexOf(needle, at < rowStart ? Math.max(at + 1, rowStart) : at + 1);
    }
  }
  return hits;
}

/** The first row from `from` on that ends behind `at`. */
function rowAt(stops: Uint32Array, at: number, from: number, count: number): number {
  let low = from;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((stops[middle] as number) <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The texts that a search for a text looks at. */
function textsOf(record: Decoded): string[] {
  const texts: string[] = [];
  if ('status' in record) {
    texts.push(record.name, record.status.message);
    for (const event of record.events) {
      texts.push(event.name);
      collectTexts(event.attributes, texts);
    }
  } else if ('body' in record) {
    texts.push(record.eventName, record.severityText);
    collectTexts(record.body, texts);
  }
  collectTexts(record.attributes, texts);
  return texts;
}

function collectTexts(value: TelemetryValue | TelemetryAttributes, texts: string[]): void {
  if (typeof value === 'string') texts.push(value);
  else if (typeof value === 'object' && value !== null && !(value instanceof Uint8Array)) {
    for (const inner of Array.isArray(value) ? (value as TelemetryValue[]) : Object.values(value)) {
      collectTexts(inner as TelemetryValue, texts);
    }
  }
}

function memoize(test: (id: number) => boolean): (id: number) => boolean {
  const known: (boolean | undefined)[] = [];
  return (id) => {
    known[id] ??= test(id);
    return known[id] as boolean;
  };
}
