import type { Signal } from '../../otlp/signal.ts';
import type { AttributeCondition, Condition, Query, TextPattern } from '../../query/query.ts';
import type { Statement } from './statement.ts';

/** The columns that hold what a search looks at. */
interface SignalColumns {
  readonly name: string;
  readonly attributes: string;
  /** Expressions of texts, and of lists of texts. */
  readonly texts: readonly string[];
  readonly lists: readonly string[];
}

const COLUMNS: Readonly<Record<Signal, SignalColumns>> = {
  traces: {
    name: 'SpanName',
    attributes: 'SpanAttributes',
    texts: ['SpanName', 'StatusMessage'],
    lists: [
      'mapValues(SpanAttributes)',
      'Events.Name',
      'arrayFlatten(arrayMap(attributes -> mapValues(attributes), Events.Attributes))',
    ],
  },
  logs: {
    name: 'EventName',
    attributes: 'LogAttributes',
    texts: ['Body', 'SeverityText'],
    lists: ['mapValues(LogAttributes)'],
  },
  metrics: { name: 'MetricName', attributes: 'Attributes', texts: [], lists: ['mapValues(Attributes)'] },
};

/** The conditions of a query as SQL, to go into `where`; `$tenant` stands for the tenant of a row. */
export function compileQuery(query: Query, signal: Signal, statement: Statement, tenant: string): string[] {
  return query.conditions.map((condition) => {
    const sql = compileCondition(condition, signal, statement, tenant);
    return condition.negated ? `NOT (${sql})` : `(${sql})`;
  });
}

function compileCondition(condition: Condition, signal: Signal, statement: Statement, tenant: string): string {
  const columns = COLUMNS[signal];
  switch (condition.type) {
    case 'text': {
      const text = statement.text(condition.text);
      return [
        ...columns.texts.map((column) => `position(${column}, ${text}) > 0`),
        ...columns.lists.map((list) => `arrayExists(value -> position(value, ${text}) > 0, ${list})`),
      ].join(' OR ');
    }
    case 'field': {
      const fields = {
        tenant,
        service: 'ServiceName',
        name: columns.name,
        scope: 'ScopeName',
        trace: 'TraceId',
        span: 'SpanId',
      };
      return matchAny(fields[condition.field], condition.patterns, statement);
    }
    // Older versions of the Collector write STATUS_CODE_ERROR and SPAN_KIND_SERVER.
    case 'status':
      return `replace(lower(StatusCode), 'status_code_', '') IN ${statement.bind(condition.values, 'Array(String)')}`;
    case 'kind':
      return `replace(lower(SpanKind), 'span_kind_', '') IN ${statement.bind(condition.values, 'Array(String)')}`;
    case 'root':
      return `(ParentSpanId = '') = ${statement.bind(condition.value ? 1 : 0, 'UInt8')}`;
    case 'duration':
      return `Duration ${condition.comparison} ${statement.bind(condition.nanos, 'Float64')}`;
    case 'severity':
      return condition.ranges
        .map(([min, max]) => `SeverityNumber BETWEEN ${statement.integer(min)} AND ${statement.integer(max)}`)
        .join(' OR ');
    case 'attribute':
      return compileAttribute(condition, columns.attributes, statement);
  }
}

function compileAttribute({ source, key, test }: AttributeCondition, own: string, statement: Statement): string {
  const map = source === 'record' ? own : 'ResourceAttributes';
  const name = statement.text(key);
  const value = `${map}[${name}]`;
  const exists = `mapContains(${map}, ${name})`;
  switch (test.type) {
    case 'exists':
      return exists;
    case 'equals':
      return `${exists} AND (${matchAny(value, test.patterns, statement)})`;
    case 'compare':
      return `ifNull(toFloat64OrNull(${value}) ${test.comparison} ${statement.bind(test.number, 'Float64')}, 0)`;
  }
}

function matchAny(column: string, patterns: readonly TextPattern[], statement: Statement): string {
  return patterns
    .map(({ text, wildcard }) =>
      wildcard ? `${column} LIKE ${statement.text(toLike(text))}` : `${column} = ${statement.text(text)}`,
    )
    .join(' OR ');
}

function toLike(pattern: string): string {
  return pattern.replaceAll(/[\\%_]/g, '\\$&').replaceAll('*', '%');
}
