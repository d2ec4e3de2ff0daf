import { SPAN_KINDS, SPAN_STATUSES } from '../../otlp/span-flags.ts';
import type {
  ExemplarRecord,
  LogRecord,
  PointRecord,
  SpanRecord,
  TelemetryAttributes,
  TelemetryOrigin,
} from '../../otlp/telemetry-model.ts';
import { valueText } from '../../query/match.ts';
import { LOGS, METRICS, TRACES } from './tables.ts';

type AnyRecord = SpanRecord | LogRecord | PointRecord;

/** As the Collector writes them: kinds and statuses by name, everything in maps as text. */
const KIND_NAMES = SPAN_KINDS.map(capitalize);
const STATUS_NAMES = SPAN_STATUSES.map(capitalize);
const TEMPORALITIES = ['unspecified', 'delta', 'cumulative'];

/** The last that `DateTime64(9)` holds: 2262. */
const MAX_NANOS = 9_223_372_036_000_000_000n;
const NANOS_PER_SECOND = 1_000_000_000n;

/** Rows as the tables take them, each with the name of its table. The resource gets the tenant's attribute; a log record without a
 * time that of its arrival, in nanoseconds. */
export function encodeRow(
  record: AnyRecord,
  tenantAttribute: string,
  receivedAt: bigint,
): { readonly table: string; readonly row: object } {
  const shared = encodeOrigin(record, tenantAttribute);
  if ('kind' in record) return { table: TRACES, row: { ...shared, ...encodeSpan(record) } };
  if ('body' in record) return { table: LOGS, row: { ...shared, ...encodeLog(record, receivedAt) } };
  return encodePoint(record, shared);
}

function encodeOrigin({ tenant, service, resource, scope }: TelemetryOrigin, tenantAttribute: string): object {
  return {
    ServiceName: service,
    ResourceAttributes: { ...encodeMap(resource), [tenantAttribute]: tenant },
    ScopeName: scope.name,
    ScopeVersion: scope.version,
  };
}

function encodeSpan(span: SpanRecord): object {
  return {
    Timestamp: timeText(span.startTimeUnixNano),
    TraceId: span.traceId,
    SpanId: span.spanId,
    ParentSpanId: span.parentSpanId,
    TraceState: span.traceState,
    SpanName: span.name,
    SpanKind: KIND_NAMES[SPAN_KINDS.indexOf(span.kind)],
    SpanAttributes: encodeMap(span.attributes),
    Duration: String(maxBigInt(span.endTimeUnixNano - span.startTimeUnixNano, 0n)),
    StatusCode: STATUS_NAMES[SPAN_STATUSES.indexOf(span.status.code)],
    StatusMessage: span.status.message,
    'Events.Timestamp': span.events.map(({ timeUnixNano }) => timeText(timeUnixNano)),
    'Events.Name': span.events.map(({ name }) => name),
    'Events.Attributes': span.events.map(({ attributes }) => encodeMap(attributes)),
    'Links.TraceId': span.links.map(({ traceId }) => traceId),
    'Links.SpanId': span.links.map(({ spanId }) => spanId),
    'Links.TraceState': span.links.map(({ traceState }) => traceState),
    'Links.Attributes': span.links.map(({ attributes }) => encodeMap(attributes)),
  };
}

function encodeLog(log: LogRecord, receivedAt: bigint): object {
  return {
    Timestamp: timeText(log.timeUnixNano || log.observedTimeUnixNano || receivedAt),
    TraceId: log.traceId,
    SpanId: log.spanId,
    TraceFlags: log.flags & 0xff,
    SeverityText: log.severityText,
    SeverityNumber: log.severityNumber,
    Body: valueText(log.body),
    LogAttributes: encodeMap(log.attributes),
    EventName: log.eventName,
  };
}

function encodePoint(point: PointRecord, shared: object): { readonly table: string; readonly row: object } {
  const { metric, histogram } = point;
  const row = {
    ...shared,
    MetricName: metric.name,
    MetricDescription: metric.description,
    MetricUnit: metric.unit,
    Attributes: encodeMap(point.attributes),
    StartTimeUnix: timeText(point.startTimeUnixNano),
    TimeUnix: timeText(point.timeUnixNano),
    Flags: point.flags,
  };
  const temporality = { AggregationTemporality: TEMPORALITIES.indexOf(metric.temporality) };
  if (histogram === undefined) {
    const value = { ...row, Value: point.value, ...encodeExemplars(point.exemplars) };
    if (metric.type === 'gauge') return { table: METRICS.gauge, row: value };
    return { table: METRICS.sum, row: { ...value, ...temporality, IsMonotonic: metric.monotonic } };
  }
  const count = { Count: histogram.count, Sum: histogram.sum };
  if (metric.type === 'summary') {
    const quantiles = {
      'ValueAtQuantiles.Quantile': point.quantiles.map(({ quantile }) => quantile),
      'ValueAtQuantiles.Value': point.quantiles.map(({ value }) => value),
    };
    return { table: METRICS.summary, row: { ...row, ...count, ...quantiles } };
  }
  // Exponential ones too: with the bounds that their scale gives, which any reader of histograms understands.
  const buckets = { BucketCounts: histogram.counts, ExplicitBounds: histogram.bounds };
  const range = { Min: histogram.min ?? 0, Max: histogram.max ?? 0 };
  return {
    table: METRICS.histogram,
    row: { ...row, ...count, ...range, ...temporality, ...buckets, ...encodeExemplars(point.exemplars) },
  };
}

function encodeExemplars(exemplars: readonly ExemplarRecord[]): object {
  return {
    'Exemplars.FilteredAttributes': exemplars.map(({ attributes }) => encodeMap(attributes)),
    'Exemplars.TimeUnix': exemplars.map(({ timeUnixNano }) => timeText(timeUnixNano)),
    'Exemplars.Value': exemplars.map(({ value }) => value),
    'Exemplars.SpanId': exemplars.map(({ spanId }) => spanId),
    'Exemplars.TraceId': exemplars.map(({ traceId }) => traceId),
  };
}

function encodeMap(attributes: TelemetryAttributes): Record<string, string> {
  const map = Object.create(null) as Record<string, string>;
  for (const [key, value] of Object.entries(attributes)) map[key] = valueText(value);
  return map;
}

function capitalize(name: string): string {
  return `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
}

function maxBigInt(left: bigint, right: bigint): bigint {
  return left > right ? left : right;
}

/** Seconds with ten digits and a fraction: shorter texts are taken for dates. */
function timeText(nanos: bigint): string {
  const bounded = nanos < MAX_NANOS ? nanos : MAX_NANOS;
  const seconds = String(bounded / NANOS_PER_SECOND).padStart(10, '0');
  return `${seconds}.${String(bounded % NANOS_PER_SECOND).padStart(9, '0')}`;
}
