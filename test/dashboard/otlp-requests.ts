import { jsonToProtobuf } from '../../src/dashboard/otlp/otlp-json.ts';
import type { Signal } from '../../src/dashboard/otlp/signal.ts';
import { parseQuery } from '../../src/dashboard/query/parse-query.ts';
import type { Query } from '../../src/dashboard/query/query.ts';
import type { AppendResult, TelemetryStore } from '../../src/dashboard/store/telemetry-store.ts';

/** 2025-01-01T00:00:00Z, in milliseconds. */
export const T0 = Date.UTC(2025, 0, 1);
export const ALWAYS = { startMillis: 0, endMillis: 10 * T0 };

type Plain = string | number | boolean;

export interface SpanSpec {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name?: string;
  /** OTLP's number. */
  readonly kind?: number;
  /** Milliseconds after `T0`. */
  readonly at?: number;
  readonly durationMillis?: number;
  readonly attributes?: Readonly<Record<string, Plain>>;
  readonly error?: boolean;
  readonly exception?: { readonly type: string; readonly message: string; readonly stack?: string };
}

export interface ResourceSpec {
  readonly service?: string;
  /** As the attribute `tenant.id`. */
  readonly tenant?: string;
  readonly attributes?: Readonly<Record<string, Plain>>;
}

/** The same hex digits over and over. */
export function traceId(number: number): string {
  return number.toString(16).padStart(32, 'a');
}

export function spanId(number: number): string {
  return number.toString(16).padStart(16, 'b');
}

export function nanos(millisAfterStart: number): string {
  return String(BigInt(T0) * 1_000_000n + BigInt(Math.round(millisAfterStart * 1_000_000)));
}

export function keyValues(attributes: Readonly<Record<string, Plain>>): unknown[] {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: anyValue(value) }));
}

function anyValue(value: Plain): unknown {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}

export function resource({ service, tenant, attributes = {} }: ResourceSpec): unknown {
  const named = { ...(service !== undefined && { 'service.name': service }), ...attributes };
  return { attributes: keyValues({ ...named, ...(tenant !== undefined && { 'tenant.id': tenant }) }) };
}

export function tracesJson(of: ResourceSpec, spans: readonly SpanSpec[]): unknown {
  return {
    resourceSpans: [{ resource: resource(of), scopeSpans: [{ scope: { name: 'lib' }, spans: spans.map(toSpan) }] }],
  };
}

function toSpan(spec: SpanSpec): unknown {
  const { at = 0, durationMillis = 1, exception } = spec;
  const attributes = exception && {
    'exception.type': exception.type,
    'exception.message': exception.message,
    'exception.stacktrace': exception.stack ?? '',
  };
  return {
    traceId: spec.traceId,
    spanId: spec.spanId,
    parentSpanId: spec.parentSpanId ?? '',
    name: spec.name ?? 'work',
    kind: spec.kind ?? 1,
    startTimeUnixNano: nanos(at),
    endTimeUnixNano: nanos(at + durationMillis),
    attributes: keyValues(spec.attributes ?? {}),
    events: attributes ? [{ name: 'exception', timeUnixNano: nanos(at), attributes: keyValues(attributes) }] : [],
    status: { code: spec.error ? 2 : 0, message: '' },
  };
}

export interface LogSpec {
  readonly body: string;
  readonly severity?: number;
  readonly at?: number;
  readonly traceId?: string;
  readonly attributes?: Readonly<Record<string, Plain>>;
}

export function logsJson(of: ResourceSpec, logs: readonly LogSpec[]): unknown {
  const logRecords = logs.map(({ body, severity = 9, at = 0, traceId: id, attributes = {} }) => ({
    timeUnixNano: nanos(at),
    severityNumber: severity,
    body: { stringValue: body },
    attributes: keyValues(attributes),
    ...(id !== undefined && { traceId: id }),
  }));
  return { resourceLogs: [{ resource: resource(of), scopeLogs: [{ scope: { name: 'lib' }, logRecords }] }] };
}

export function metricsJson(of: ResourceSpec, metrics: readonly unknown[]): unknown {
  return { resourceMetrics: [{ resource: resource(of), scopeMetrics: [{ scope: { name: 'lib' }, metrics }] }] };
}

export function protobuf(signal: Signal, json: unknown): Buffer {
  return jsonToProtobuf(JSON.stringify(json), signal);
}

/** Appends for the tenant that the resource names, else `default`. */
export function append(store: TelemetryStore, signal: Signal, json: unknown): Promise<AppendResult> {
  return store.append({
    signal,
    format: 'protobuf',
    bytes: protobuf(signal, json),
    tenantOf: (claimed) => claimed ?? 'default',
  });
}

export function query(text: string, signal: Signal = 'traces'): Query {
  const result = parseQuery(text, signal);
  if (!result.ok) throw new Error(result.message);
  return result.query;
}
