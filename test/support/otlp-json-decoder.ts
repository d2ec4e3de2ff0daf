import type { DecodedEvent, DecodedLink, DecodedRequest, DecodedScopeSpans, DecodedSpan } from './otlp-decoder.ts';

/**
 * Decodes an OTLP/HTTP body in JSON into the same shape as `decodeTraceRequest`. Takes what the specification
 * allows: fields that are left out, 64-bit integers as strings or numbers. Throws on bytes that are no UTF-8.
 */
export function decodeJsonTraceRequest(body: Uint8Array): DecodedRequest {
  const request = parse(body) as { resourceSpans?: Raw[] };
  return {
    resourceSpans: (request.resourceSpans ?? []).map(({ resource, scopeSpans, schemaUrl }) => ({
      resource: { attributes: toRecord(resource?.attributes) },
      scopeSpans: (scopeSpans ?? []).map(toScopeSpans),
      schemaUrl: schemaUrl ?? '',
    })),
  };
}

interface RawValue {
  stringValue?: string;
  boolValue?: boolean;
  intValue?: string | number;
  doubleValue?: number | string | null;
  bytesValue?: string;
  arrayValue?: { values: RawValue[] };
  kvlistValue?: { values: RawKeyValue[] };
}

interface RawKeyValue {
  key: string;
  value: RawValue;
}

/** Any of the messages; each field is optional, as in every proto3 message. */
interface Raw {
  resource?: Raw;
  scopeSpans?: Raw[];
  scope?: Raw;
  spans?: Raw[];
  schemaUrl?: string;
  name?: string;
  version?: string;
  attributes?: RawKeyValue[];
  traceId?: string;
  spanId?: string;
  parentSpanId?: string;
  traceState?: string;
  kind?: number;
  startTimeUnixNano?: string;
  endTimeUnixNano?: string;
  timeUnixNano?: string;
  events?: Raw[];
  links?: Raw[];
  status?: { code?: number; message?: string };
  flags?: number;
  droppedAttributesCount?: number;
  droppedEventsCount?: number;
  droppedLinksCount?: number;
}

export function parse(body: Uint8Array): unknown {
  // What comes from an escaped lone surrogate is replaced, as a conforming parser may do.
  return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body), (_, value: unknown) =>
    typeof value === 'string' ? Buffer.from(value).toString() : value,
  );
}

function toScopeSpans({ scope, spans }: Raw): DecodedScopeSpans {
  return {
    scope: { name: scope?.name ?? '', version: scope?.version ?? '' },
    spans: (spans ?? []).map(toSpan),
  };
}

function toSpan(raw: Raw): DecodedSpan {
  return {
    traceId: raw.traceId ?? '',
    spanId: raw.spanId ?? '',
    parentSpanId: raw.parentSpanId ?? '',
    traceState: raw.traceState ?? '',
    name: raw.name ?? '',
    kind: raw.kind ?? 0,
    startTimeUnixNano: BigInt(raw.startTimeUnixNano ?? 0),
    endTimeUnixNano: BigInt(raw.endTimeUnixNano ?? 0),
    attributes: toRecord(raw.attributes),
    events: (raw.events ?? []).map(toEvent),
    links: (raw.links ?? []).map(toLink),
    status: { code: raw.status?.code ?? 0, message: raw.status?.message ?? '' },
    flags: raw.flags ?? 0,
    droppedAttributesCount: raw.droppedAttributesCount ?? 0,
    droppedEventsCount: raw.droppedEventsCount ?? 0,
    droppedLinksCount: raw.droppedLinksCount ?? 0,
  };
}

function toEvent(raw: Raw): DecodedEvent {
  return {
    name: raw.name ?? '',
    timeUnixNano: BigInt(raw.timeUnixNano ?? 0),
    attributes: toRecord(raw.attributes),
    droppedAttributesCount: raw.droppedAttributesCount ?? 0,
  };
}

function toLink(raw: Raw): DecodedLink {
  return {
    traceId: raw.traceId ?? '',
    spanId: raw.spanId ?? '',
    traceState: raw.traceState ?? '',
    attributes: toRecord(raw.attributes),
    droppedAttributesCount: raw.droppedAttributesCount ?? 0,
    flags: raw.flags ?? 0,
  };
}

export function toRecord(pairs: readonly RawKeyValue[] = []): Record<string, unknown> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, toValue(value)]));
}

export function toValue(raw: RawValue): unknown {
  if (raw.stringValue !== undefined) return raw.stringValue;
  if (raw.boolValue !== undefined) return raw.boolValue;
  if (raw.intValue !== undefined) return toInteger(raw.intValue);
  if (raw.doubleValue !== undefined) return raw.doubleValue === null ? Number.NaN : Number(raw.doubleValue);
  if (raw.bytesValue !== undefined) return new Uint8Array(Buffer.from(raw.bytesValue, 'base64'));
  if (raw.arrayValue !== undefined) return raw.arrayValue.values.map(toValue);
  if (raw.kvlistValue !== undefined) return toRecord(raw.kvlistValue.values);
  return null;
}

/** OpenTelemetry's serializer also calls an integer what no 64 bits can hold. */
function toInteger(value: string | number): number | bigint {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  return number >= -(2 ** 63) && number < 2 ** 63 ? BigInt(value) : number;
}
