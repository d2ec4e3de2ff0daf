import { METRIC_TYPES, type MetricHeader } from '../otlp/row-batch.ts';
import { SPAN_KINDS, SPAN_STATUSES } from '../otlp/span-flags.ts';
import type {
  BucketRecord,
  EventRecord,
  ExemplarRecord,
  ExponentialRecord,
  HistogramRecord,
  LinkRecord,
  LogRecord,
  PointRecord,
  ScopeRecord,
  SpanRecord,
  TelemetryAttributes,
  TelemetryOrigin,
  TelemetryValue,
} from '../otlp/telemetry-model.ts';
import type { CompactSpan, CompactTrace } from './compact-trace.ts';
import {
  anything,
  bool,
  count,
  int64,
  integer,
  list,
  object,
  oneOf,
  optional,
  real,
  record,
  type Schema,
  text,
} from './response-schema.ts';

/** Integers beyond the safe range and numbers that JSON lacks are texts, bytes base64. */
const value = anything as Schema<TelemetryValue>;
const attributes = record<TelemetryAttributes>(value);
const scope = object<ScopeRecord>('Scope', { name: text, version: text, attributes });
const origin = { tenant: text, service: text, resource: attributes, scope };

const event = object<EventRecord>('Event', {
  ...{ name: text, timeUnixNano: int64, attributes, droppedAttributesCount: count },
});
const link = object<LinkRecord>('Link', {
  ...{ traceId: text, spanId: text, traceState: text, attributes, droppedAttributesCount: count, flags: count },
});

const status = object<SpanRecord['status']>('SpanStatus', { code: oneOf(SPAN_STATUSES), message: text });

export const compactTraceSchema = object<CompactTrace>('CompactTrace', {
  origins: list(object<TelemetryOrigin>('Origin', origin)),
  compact: list(
    object<CompactSpan>('CompactSpan', {
      origin: count,
      ...{ spanId: optional(text), parentSpanId: optional(text), traceState: optional(text), flags: optional(count) },
      ...{ name: optional(text), kind: optional(oneOf(SPAN_KINDS)), attributes: optional(attributes) },
      ...{ startTimeUnixNano: optional(int64), endTimeUnixNano: optional(int64) },
      ...{ droppedAttributesCount: optional(count), droppedEventsCount: optional(count) },
      ...{ events: optional(list(event)), links: optional(list(link)), droppedLinksCount: optional(count) },
      status: optional(status),
    }),
  ),
  more: bool,
});

export const spanSchema = object<SpanRecord>('Span', {
  ...origin,
  ...{ traceId: text, spanId: text, parentSpanId: text, traceState: text, flags: count, name: text },
  kind: oneOf(SPAN_KINDS),
  ...{ startTimeUnixNano: int64, endTimeUnixNano: int64, attributes, droppedAttributesCount: count },
  ...{ events: list(event), droppedEventsCount: count, links: list(link), droppedLinksCount: count },
  status,
});

export const logSchema = object<LogRecord>('LogRecord', {
  ...origin,
  ...{ timeUnixNano: int64, observedTimeUnixNano: int64, severityNumber: count, severityText: text, eventName: text },
  ...{ body: value, attributes, droppedAttributesCount: count, flags: count, traceId: text, spanId: text },
});

export const metricHeader = {
  ...{ name: text, description: text, unit: text, type: oneOf(METRIC_TYPES) },
  temporality: oneOf<MetricHeader['temporality']>(['delta', 'cumulative', 'unspecified']),
  monotonic: bool,
};

const exemplar = object<ExemplarRecord>('PointExemplar', {
  ...{ timeUnixNano: int64, value: real, traceId: text, spanId: text, attributes },
});
const buckets = object<BucketRecord>('Buckets', { offset: integer, counts: list(count) });

export const pointSchema = object<PointRecord>('Point', {
  ...origin,
  metric: object('Metric', metricHeader),
  ...{ startTimeUnixNano: int64, timeUnixNano: int64, attributes, value: real, flags: count },
  histogram: optional(
    object<HistogramRecord>('HistogramPoint', {
      ...{ count, sum: real, min: optional(real), max: optional(real), bounds: list(real), counts: list(count) },
    }),
  ),
  exponential: optional(
    object<ExponentialRecord>('ExponentialPoint', {
      ...{ scale: integer, zeroCount: count, zeroThreshold: real, positive: buckets, negative: buckets },
    }),
  ),
  quantiles: list(object<PointRecord['quantiles'][number]>('Quantile', { quantile: real, value: real })),
  exemplars: list(exemplar),
});
