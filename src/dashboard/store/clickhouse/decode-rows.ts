import type { MetricHeader, MetricType } from '../../otlp/row-batch.ts';
import { SPAN_KINDS, SPAN_STATUSES } from '../../otlp/span-flags.ts';
import type {
  LogRecord,
  PointRecord,
  SpanRecord,
  TelemetryAttributes,
  TelemetryOrigin,
} from '../../otlp/telemetry-model.ts';
import type { Row } from './client.ts';

const ORIGIN = '$tenant AS tenant, ServiceName, ResourceAttributes, ScopeName, ScopeVersion';
const nanosOf = (column: string): string => `toString(toUnixTimestamp64Nano(${column}))`;
const listOfNanos = (column: string): string => `arrayMap(time -> ${nanosOf('time')}, ${column})`;

/** 64-bit numbers are asked for as text: JSON would round them. */
export const SPAN_SELECTION = `${ORIGIN}, ${nanosOf('Timestamp')} AS startNanos, TraceId, SpanId, ParentSpanId, TraceState,
  SpanName, SpanKind, SpanAttributes, toString(Duration) AS durationNanos, StatusCode, StatusMessage,
  ${listOfNanos('Events.Timestamp')} AS eventTimes, Events.Name AS eventNames, Events.Attributes AS eventAttributes,
  Links.TraceId AS linkTraces, Links.SpanId AS linkSpans, Links.TraceState AS linkStates,
  Links.Attributes AS linkAttributes`;

const EXEMPLARS = `${listOfNanos('Exemplars.TimeUnix')} AS exemplarTimes, Exemplars.Value AS exemplarValues,
  Exemplars.TraceId AS exemplarTraces, Exemplars.SpanId AS exemplarSpans`;
const POINT = `${ORIGIN}, MetricName, MetricDescription, MetricUnit, Attributes, Flags,
  ${nanosOf('StartTimeUnix')} AS startNanos, ${nanosOf('TimeUnix')} AS timeNanos`;
const BUCKETS = 'toFloat64(Count) AS count, Sum AS sum, Min AS min, Max AS max, AggregationTemporality';

export const POINT_SELECTIONS: Readonly<Record<Exclude<MetricType, 'exponentialHistogram'>, string>> = {
  gauge: `${POINT}, Value, ${EXEMPLARS}`,
  sum: `${POINT}, Value, AggregationTemporality, IsMonotonic, ${EXEMPLARS}`,
  histogram: `${POINT}, ${BUCKETS}, arrayMap(count -> toFloat64(count), BucketCounts) AS counts,
    ExplicitBounds AS bounds, ${EXEMPLARS}`,
  summary: `${POINT}, toFloat64(Count) AS count, Sum AS sum, ValueAtQuantiles.Quantile AS quantiles,
    ValueAtQuantiles.Value AS quantileValues`,
};

/** `EventName` is missing in tables of older Collectors. */
export function logSelection(hasEventName: boolean): string {
  return `${ORIGIN}, ${nanosOf('Timestamp')} AS timeNanos, TraceId, SpanId, TraceFlags, SeverityText, SeverityNumber,
    Body, LogAttributes, ${hasEventName ? 'EventName' : "''"} AS eventName`;
}

export function toSpanRecord(row: Row): SpanRecord {
  const start = BigInt(textAt(row, 'startNanos'));
  return {
    ...originOf(row),
    traceId: textAt(row, 'TraceId'),
    spanId: textAt(row, 'SpanId'),
    parentSpanId: textAt(row, 'ParentSpanId'),
    traceState: textAt(row, 'TraceState'),
    flags: 0,
    name: textAt(row, 'SpanName'),
    kind: SPAN_KINDS.find((kind) => kind === plainName(row, 'SpanKind', 'span_kind_')) ?? 'unspecified',
    startTimeUnixNano: start,
    endTimeUnixNano: start + BigInt(textAt(row, 'durationNanos')),
    attributes: mapAt(row['SpanAttributes']),
    droppedAttributesCount: 0,
    events: listAt(row, 'eventNames').map((name, index) => ({
      name: String(name),
      timeUnixNano: BigInt(String(listAt(row, 'eventTimes')[index])),
      attributes: mapAt(listAt(row, 'eventAttributes')[index]),
      droppedAttributesCount: 0,
    })),
    droppedEventsCount: 0,
    links: listAt(row, 'linkTraces').map((traceId, index) => ({
      traceId: String(traceId),
      spanId: String(listAt(row, 'linkSpans')[index]),
      traceState: String(listAt(row, 'linkStates')[index]),
      attributes: mapAt(listAt(row, 'linkAttributes')[index]),
      droppedAttributesCount: 0,
      flags: 0,
    })),
    droppedLinksCount: 0,
    status: {
      code: SPAN_STATUSES.find((status) => status === plainName(row, 'StatusCode', 'status_code_')) ?? 'unset',
      message: textAt(row, 'StatusMessage'),
    },
  };
}

export function toLogRecord(row: Row): LogRecord {
  return {
    ...originOf(row),
    timeUnixNano: BigInt(textAt(row, 'timeNanos')),
    observedTimeUnixNano: 0n,
    severityNumber: Number(row['SeverityNumber']),
    severityText: textAt(row, 'SeverityText'),
    eventName: textAt(row, 'eventName'),
    body: textAt(row, 'Body'),
    attributes: mapAt(row['LogAttributes']),
    droppedAttributesCount: 0,
    flags: Number(row['TraceFlags']),
    traceId: textAt(row, 'TraceId'),
    spanId: textAt(row, 'SpanId'),
  };
}

export function toPointRecord(row: Row, type: MetricType): PointRecord {
  const isNumber = type === 'gauge' || type === 'sum';
  const histogram = {
    count: Number(row['count'] ?? 0),
    sum: Number(row['sum'] ?? 0),
    min: row['min'] === undefined ? undefined : Number(row['min']),
    max: row['max'] === undefined ? undefined : Number(row['max']),
    bounds: listAt(row, 'bounds').map(Number),
    counts: listAt(row, 'counts').map(Number),
  };
  return {
    ...originOf(row),
    metric: toMetricHeader(row, type),
    startTimeUnixNano: BigInt(textAt(row, 'startNanos')),
    timeUnixNano: BigInt(textAt(row, 'timeNanos')),
    attributes: mapAt(row['Attributes']),
    value: Number(isNumber ? row['Value'] : row['sum']),
    histogram: isNumber ? undefined : histogram,
    exponential: undefined,
    quantiles: listAt(row, 'quantiles').map((quantile, index) => ({
      quantile: Number(quantile),
      value: Number(listAt(row, 'quantileValues')[index]),
    })),
    exemplars: listAt(row, 'exemplarTimes').map((time, index) => ({
      timeUnixNano: BigInt(String(time)),
      value: Number(listAt(row, 'exemplarValues')[index]),
      traceId: String(listAt(row, 'exemplarTraces')[index]),
      spanId: String(listAt(row, 'exemplarSpans')[index]),
      attributes: mapAt(undefined),
    })),
    flags: Number(row['Flags']),
  };
}

export function toMetricHeader(row: Row, type: MetricType): MetricHeader {
  return {
    name: textAt(row, 'MetricName'),
    description: textAt(row, 'MetricDescription'),
    unit: textAt(row, 'MetricUnit'),
    type,
    temporality:
      (['unspecified', 'delta', 'cumulative'] as const)[Number(row['AggregationTemporality'] ?? 0)] ?? 'unspecified',
    monotonic: row['IsMonotonic'] === true || row['IsMonotonic'] === 1,
  };
}

export function textAt(row: Row, column: string): string {
  const value = row[column];
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

export function listAt(row: Row, column: string): readonly unknown[] {
  const value = row[column];
  return Array.isArray(value) ? (value as unknown[]) : [];
}

function originOf(row: Row): TelemetryOrigin {
  return {
    tenant: textAt(row, 'tenant'),
    service: textAt(row, 'ServiceName'),
    resource: mapAt(row['ResourceAttributes']),
    scope: { name: textAt(row, 'ScopeName'), version: textAt(row, 'ScopeVersion'), attributes: mapAt(undefined) },
  };
}

function mapAt(value: unknown): TelemetryAttributes {
  const map = Object.create(null) as Record<string, string>;
  for (const [key, text] of Object.entries((value ?? {}) as Record<string, string>)) map[key] = String(text);
  return map;
}

function plainName(row: Row, column: string, prefix: string): string {
  return textAt(row, column).toLowerCase().replace(prefix, '');
}
