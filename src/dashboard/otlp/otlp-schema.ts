/**
 * The messages of OTLP 1.x (opentelemetry-proto `trace/v1`, `metrics/v1`, `logs/v1`, `common/v1`, `resource/v1`), by
 * the names that their fields have in JSON. From this table come the check of protobuf bytes and the reading of JSON.
 */
export type ScalarType =
  | 'string'
  | 'bool'
  | 'double'
  /** Hex in JSON, bytes on the wire. */
  | 'id'
  /** Base64 in JSON, bytes on the wire. */
  | 'bytes'
  | 'uint32'
  | 'sint32'
  | 'fixed32'
  | 'int64'
  | 'fixed64'
  | 'sfixed64'
  | 'enum';

export interface FieldSchema {
  readonly number: number;
  /** A scalar, or the name of a message. */
  readonly type: ScalarType | MessageName;
  readonly repeated: boolean;
}

export type MessageSchema = ReadonlyMap<string, FieldSchema>;

/** `[number, type]`; a type with `[]` is repeated, and packed on the wire if it is a number. */
type Row = readonly [number: number, type: string];

const MESSAGES = {
  TracesRequest: { resourceSpans: [1, 'ResourceSpans[]'] },
  ResourceSpans: { resource: [1, 'Resource'], scopeSpans: [2, 'ScopeSpans[]'], schemaUrl: [3, 'string'] },
  ScopeSpans: { scope: [1, 'Scope'], spans: [2, 'Span[]'], schemaUrl: [3, 'string'] },
  Span: {
    traceId: [1, 'id'],
    spanId: [2, 'id'],
    traceState: [3, 'string'],
    parentSpanId: [4, 'id'],
    name: [5, 'string'],
    kind: [6, 'enum'],
    startTimeUnixNano: [7, 'fixed64'],
    endTimeUnixNano: [8, 'fixed64'],
    attributes: [9, 'KeyValue[]'],
    droppedAttributesCount: [10, 'uint32'],
    events: [11, 'Event[]'],
    droppedEventsCount: [12, 'uint32'],
    links: [13, 'Link[]'],
    droppedLinksCount: [14, 'uint32'],
    status: [15, 'Status'],
    flags: [16, 'fixed32'],
  },
  Event: {
    timeUnixNano: [1, 'fixed64'],
    name: [2, 'string'],
    attributes: [3, 'KeyValue[]'],
    droppedAttributesCount: [4, 'uint32'],
  },
  Link: {
    traceId: [1, 'id'],
    spanId: [2, 'id'],
    traceState: [3, 'string'],
    attributes: [4, 'KeyValue[]'],
    droppedAttributesCount: [5, 'uint32'],
    flags: [6, 'fixed32'],
  },
  Status: { message: [2, 'string'], code: [3, 'enum'] },

  LogsRequest: { resourceLogs: [1, 'ResourceLogs[]'] },
  ResourceLogs: { resource: [1, 'Resource'], scopeLogs: [2, 'ScopeLogs[]'], schemaUrl: [3, 'string'] },
  ScopeLogs: { scope: [1, 'Scope'], logRecords: [2, 'LogRecord[]'], schemaUrl: [3, 'string'] },
  LogRecord: {
    timeUnixNano: [1, 'fixed64'],
    severityNumber: [2, 'enum'],
    severityText: [3, 'string'],
    body: [5, 'AnyValue'],
    attributes: [6, 'KeyValue[]'],
    droppedAttributesCount: [7, 'uint32'],
    flags: [8, 'fixed32'],
    traceId: [9, 'id'],
    spanId: [10, 'id'],
    observedTimeUnixNano: [11, 'fixed64'],
    eventName: [12, 'string'],
  },

  MetricsRequest: { resourceMetrics: [1, 'ResourceMetrics[]'] },
  ResourceMetrics: { resource: [1, 'Resource'], scopeMetrics: [2, 'ScopeMetrics[]'], schemaUrl: [3, 'string'] },
  ScopeMetrics: { scope: [1, 'Scope'], metrics: [2, 'Metric[]'], schemaUrl: [3, 'string'] },
  Metric: {
    name: [1, 'string'],
    description: [2, 'string'],
    unit: [3, 'string'],
    gauge: [5, 'Gauge'],
    sum: [7, 'Sum'],
    histogram: [9, 'Histogram'],
    exponentialHistogram: [10, 'ExponentialHistogram'],
    summary: [11, 'Summary'],
    metadata: [12, 'KeyValue[]'],
  },
  Gauge: { dataPoints: [1, 'NumberPoint[]'] },
  Sum: { dataPoints: [1, 'NumberPoint[]'], aggregationTemporality: [2, 'enum'], isMonotonic: [3, 'bool'] },
  Histogram: { dataPoints: [1, 'HistogramPoint[]'], aggregationTemporality: [2, 'enum'] },
  ExponentialHistogram: { dataPoints: [1, 'ExponentialPoint[]'], aggregationTemporality: [2, 'enum'] },
  Summary: { dataPoints: [1, 'SummaryPoint[]'] },
  NumberPoint: {
    startTimeUnixNano: [2, 'fixed64'],
    timeUnixNano: [3, 'fixed64'],
    asDouble: [4, 'double'],
    exemplars: [5, 'Exemplar[]'],
    asInt: [6, 'sfixed64'],
    attributes: [7, 'KeyValue[]'],
    flags: [8, 'uint32'],
  },
  HistogramPoint: {
    startTimeUnixNano: [2, 'fixed64'],
    timeUnixNano: [3, 'fixed64'],
    count: [4, 'fixed64'],
    sum: [5, 'double'],
    bucketCounts: [6, 'fixed64[]'],
    explicitBounds: [7, 'double[]'],
    exemplars: [8, 'Exemplar[]'],
    attributes: [9, 'KeyValue[]'],
    flags: [10, 'uint32'],
    min: [11, 'double'],
    max: [12, 'double'],
  },
  ExponentialPoint: {
    attributes: [1, 'KeyValue[]'],
    startTimeUnixNano: [2, 'fixed64'],
    timeUnixNano: [3, 'fixed64'],
    count: [4, 'fixed64'],
    sum: [5, 'double'],
    scale: [6, 'sint32'],
    zeroCount: [7, 'fixed64'],
    positive: [8, 'Buckets'],
    negative: [9, 'Buckets'],
    flags: [10, 'uint32'],
    exemplars: [11, 'Exemplar[]'],
    min: [12, 'double'],
    max: [13, 'double'],
    zeroThreshold: [14, 'double'],
  },
  Buckets: { offset: [1, 'sint32'], bucketCounts: [2, 'int64[]'] },
  SummaryPoint: {
    startTimeUnixNano: [2, 'fixed64'],
    timeUnixNano: [3, 'fixed64'],
    count: [4, 'fixed64'],
    sum: [5, 'double'],
    quantileValues: [6, 'QuantileValue[]'],
    attributes: [7, 'KeyValue[]'],
    flags: [8, 'uint32'],
  },
  QuantileValue: { quantile: [1, 'double'], value: [2, 'double'] },
  Exemplar: {
    timeUnixNano: [2, 'fixed64'],
    asDouble: [3, 'double'],
    spanId: [4, 'id'],
    traceId: [5, 'id'],
    asInt: [6, 'sfixed64'],
    filteredAttributes: [7, 'KeyValue[]'],
  },

  Resource: { attributes: [1, 'KeyValue[]'], droppedAttributesCount: [2, 'uint32'] },
  Scope: {
    name: [1, 'string'],
    version: [2, 'string'],
    attributes: [3, 'KeyValue[]'],
    droppedAttributesCount: [4, 'uint32'],
  },
  KeyValue: { key: [1, 'string'], value: [2, 'AnyValue'] },
  AnyValue: {
    stringValue: [1, 'string'],
    boolValue: [2, 'bool'],
    intValue: [3, 'int64'],
    doubleValue: [4, 'double'],
    arrayValue: [5, 'ArrayValue'],
    kvlistValue: [6, 'KeyValueList'],
    bytesValue: [7, 'bytes'],
  },
  ArrayValue: { values: [1, 'AnyValue[]'] },
  KeyValueList: { values: [1, 'KeyValue[]'] },
} as const satisfies Record<string, Record<string, Row>>;

export type MessageName = keyof typeof MESSAGES;

/** Names of enum values; in JSON an enum may be its number or its name. */
export const ENUM_VALUES: ReadonlyMap<string, number> = new Map([
  ...['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'].map(
    (name, value) => [`SPAN_KIND_${name}`, value] as const,
  ),
  ...['UNSET', 'OK', 'ERROR'].map((name, value) => [`STATUS_CODE_${name}`, value] as const),
  ...['UNSPECIFIED', 'DELTA', 'CUMULATIVE'].map((name, value) => [`AGGREGATION_TEMPORALITY_${name}`, value] as const),
  ...severityNames().map((name, value) => [`SEVERITY_NUMBER_${name}`, value] as const),
]);

export const SCHEMA: ReadonlyMap<string, MessageSchema> = new Map(
  Object.entries(MESSAGES).map(([name, fields]) => [name, new Map(Object.entries(fields).map(toField))]),
);

export function isMessageName(type: ScalarType | MessageName): type is MessageName {
  return SCHEMA.has(type);
}

function toField([name, [number, type]]: [string, Row]): [string, FieldSchema] {
  const repeated = type.endsWith('[]');
  const single = (repeated ? type.slice(0, -2) : type) as ScalarType | MessageName;
  return [name, { number, type: single, repeated }];
}

function severityNames(): string[] {
  const levels = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];
  return ['UNSPECIFIED', ...levels.flatMap((level) => [level, `${level}2`, `${level}3`, `${level}4`])];
}
