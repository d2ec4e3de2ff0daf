import { createRequire } from 'node:module';

/** A decoded `ExportTraceServiceRequest`: ids as lower-case hex, times in nanoseconds, attributes as plain values. */
export interface DecodedRequest {
  readonly resourceSpans: readonly DecodedResourceSpans[];
}

export interface DecodedResourceSpans {
  readonly resource: { readonly attributes: Record<string, unknown> };
  readonly scopeSpans: readonly DecodedScopeSpans[];
  readonly schemaUrl: string;
}

export interface DecodedScopeSpans {
  readonly scope: { readonly name: string; readonly version: string };
  readonly spans: readonly DecodedSpan[];
}

export interface DecodedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for a root span. */
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly name: string;
  /** OTLP's number, which is the API's `SpanKind` plus one. */
  readonly kind: number;
  readonly startTimeUnixNano: bigint;
  readonly endTimeUnixNano: bigint;
  readonly attributes: Record<string, unknown>;
  readonly events: readonly DecodedEvent[];
  readonly links: readonly DecodedLink[];
  readonly status: { readonly code: number; readonly message: string };
  readonly flags: number;
  readonly droppedAttributesCount: number;
  readonly droppedEventsCount: number;
  readonly droppedLinksCount: number;
}

export interface DecodedEvent {
  readonly name: string;
  readonly timeUnixNano: bigint;
  readonly attributes: Record<string, unknown>;
  readonly droppedAttributesCount: number;
}

export interface DecodedLink {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceState: string;
  readonly attributes: Record<string, unknown>;
  readonly droppedAttributesCount: number;
  readonly flags: number;
}

/**
 * Decodes an OTLP/HTTP protobuf body with OpenTelemetry's own generated decoder. Throws on malformed bytes.
 * Integers are numbers, or bigints beyond the safe range; an empty `AnyValue` is `null`.
 */
export function decodeTraceRequest(body: Uint8Array): DecodedRequest {
  const request = decodeTraceMessage(body) as unknown as RawRequest;
  return { resourceSpans: request.resourceSpans.map(toResourceSpans) };
}

/** Every span of a request, in the order of the wire. */
export function allSpans(request: DecodedRequest): DecodedSpan[] {
  return request.resourceSpans.flatMap((group) => group.scopeSpans.flatMap((scope) => scope.spans));
}

/**
 * The message as it is, with every default filled in: 64-bit numbers as decimal strings, bytes as arrays of
 * numbers, and each `AnyValue` with exactly the field that was set. For comparing two encoders.
 */
export function decodeTraceMessage(body: Uint8Array): Record<string, unknown> {
  return requestType.toObject(requestType.decode(body), { defaults: true, longs: String, bytes: Array });
}

export interface MessageType {
  decode(body: Uint8Array): object;
  toObject(message: object, options: { defaults: boolean; longs: unknown; bytes: unknown }): Record<string, unknown>;
}

// From 0.209 on the transformer ships no generated decoder any more, hence the alias of 0.208.
const generated = createRequire(import.meta.url)('otlp-transformer-208/build/src/generated/root.js') as {
  opentelemetry: { proto: { collector: { trace: { v1: { ExportTraceServiceRequest: MessageType } } } } };
};
const requestType = generated.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;

export interface RawValue {
  stringValue?: string;
  boolValue?: boolean;
  intValue?: string;
  doubleValue?: number;
  bytesValue?: number[];
  arrayValue?: { values: RawValue[] };
  kvlistValue?: { values: RawKeyValue[] };
}

export interface RawKeyValue {
  key: string;
  value: RawValue | null;
}

type Raw<T, Replaced> = Omit<T, keyof Replaced> & Replaced;

type RawEvent = Raw<DecodedEvent, { timeUnixNano: string; attributes: RawKeyValue[] }>;

type RawLink = Raw<DecodedLink, { traceId: number[]; spanId: number[]; attributes: RawKeyValue[] }>;

type RawSpan = Raw<
  DecodedSpan,
  {
    traceId: number[];
    spanId: number[];
    parentSpanId: number[];
    startTimeUnixNano: string;
    endTimeUnixNano: string;
    attributes: RawKeyValue[];
    events: RawEvent[];
    links: RawLink[];
    status: { code: number; message: string } | null;
  }
>;

interface RawScopeSpans {
  scope: { name: string; version: string } | null;
  spans: RawSpan[];
}

interface RawResourceSpans {
  resource: { attributes: RawKeyValue[] } | null;
  scopeSpans: RawScopeSpans[];
  schemaUrl: string;
}

interface RawRequest {
  resourceSpans: RawResourceSpans[];
}

function toResourceSpans(raw: RawResourceSpans): DecodedResourceSpans {
  return {
    resource: { attributes: toRecord(raw.resource?.attributes ?? []) },
    scopeSpans: raw.scopeSpans.map(({ scope, spans }) => ({
      scope: { name: scope?.name ?? '', version: scope?.version ?? '' },
      spans: spans.map(toSpan),
    })),
    schemaUrl: raw.schemaUrl,
  };
}

function toSpan(raw: RawSpan): DecodedSpan {
  return {
    traceId: toHex(raw.traceId),
    spanId: toHex(raw.spanId),
    parentSpanId: toHex(raw.parentSpanId),
    traceState: raw.traceState,
    name: raw.name,
    kind: raw.kind,
    startTimeUnixNano: BigInt(raw.startTimeUnixNano),
    endTimeUnixNano: BigInt(raw.endTimeUnixNano),
    attributes: toRecord(raw.attributes),
    events: raw.events.map(toEvent),
    links: raw.links.map(toLink),
    status: { code: raw.status?.code ?? 0, message: raw.status?.message ?? '' },
    flags: raw.flags,
    droppedAttributesCount: raw.droppedAttributesCount,
    droppedEventsCount: raw.droppedEventsCount,
    droppedLinksCount: raw.droppedLinksCount,
  };
}

function toEvent(raw: RawEvent): DecodedEvent {
  return {
    name: raw.name,
    timeUnixNano: BigInt(raw.timeUnixNano),
    attributes: toRecord(raw.attributes),
    droppedAttributesCount: raw.droppedAttributesCount,
  };
}

function toLink(raw: RawLink): DecodedLink {
  return {
    traceId: toHex(raw.traceId),
    spanId: toHex(raw.spanId),
    traceState: raw.traceState,
    attributes: toRecord(raw.attributes),
    droppedAttributesCount: raw.droppedAttributesCount,
    flags: raw.flags,
  };
}

export function toRecord(pairs: readonly RawKeyValue[]): Record<string, unknown> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, value === null ? null : toValue(value)]));
}

export function toValue(raw: RawValue): unknown {
  if (raw.stringValue !== undefined) return raw.stringValue;
  if (raw.boolValue !== undefined) return raw.boolValue;
  if (raw.intValue !== undefined) return toInteger(raw.intValue);
  if (raw.doubleValue !== undefined) return raw.doubleValue;
  if (raw.bytesValue !== undefined) return Uint8Array.from(raw.bytesValue);
  if (raw.arrayValue !== undefined) return raw.arrayValue.values.map(toValue);
  if (raw.kvlistValue !== undefined) return toRecord(raw.kvlistValue.values);
  return null;
}

function toInteger(text: string): number | bigint {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text);
}

export function toHex(bytes: readonly number[]): string {
  return Buffer.from(bytes).toString('hex');
}
