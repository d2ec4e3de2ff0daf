import { type SpanContext, TraceFlags } from '@opentelemetry/api';

import { trimOws } from './carrier.ts';

/** What a `traceparent` header says. */
export interface Traceparent {
  /** 32 lower-case hex digits, not all zero. */
  readonly traceId: string;
  /** 16 lower-case hex digits, not all zero. */
  readonly spanId: string;
  /** Only `TraceFlags.SAMPLED` and {@link RANDOM_FLAG} can be set. */
  readonly traceFlags: number;
}

/** The right-most 7 bytes of the trace id are random (Trace Context Level 2). */
export const RANDOM_FLAG = 0x02;

const KNOWN_FLAGS = TraceFlags.SAMPLED | RANDOM_FLAG;
/** Length of version 00, and of the part of a higher version that this one understands. */
const KNOWN_LENGTH = 55;
const KNOWN_PART =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})(?<traceId>[0-9a-f]{32})-(?!0{16})(?<spanId>[0-9a-f]{16})-(?<flags>[0-9a-f]{2})$/;
const TRACE_ID = /^(?!0{32})[0-9a-f]{32}$/;
const SPAN_ID = /^(?!0{16})[0-9a-f]{16}$/;

/**
 * Parses a `traceparent` header by W3C Trace Context Level 2. `undefined` means that a new trace starts:
 * the header is absent, malformed, of the forbidden version `ff`, or was sent more than once.
 *
 * A higher version is read by the rule "Versioning of traceparent": the known part must be followed by a dash
 * or nothing. Flags that this level does not define are cleared. Never throws, whatever is passed.
 */
export function parseTraceparent(header: unknown): Traceparent | undefined {
  const line = singleLine(header);
  if (line === undefined) return undefined;
  const text = trimOws(line);
  const isVersion00 = text.startsWith('00');
  if (text.length > KNOWN_LENGTH && (isVersion00 || text[KNOWN_LENGTH] !== '-')) return undefined;

  const { traceId, spanId, flags } = KNOWN_PART.exec(text.slice(0, KNOWN_LENGTH))?.groups ?? {};
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & KNOWN_FLAGS };
}

/**
 * The `traceparent` header for a span context, always of version 00. `undefined` when an id is not lower-case
 * hex of the right length or is all zero. Flags other than sampled and random are cleared. Never throws.
 */
export function formatTraceparent(context: SpanContext | undefined): string | undefined {
  try {
    if (context === undefined) return undefined;
    const { traceId, spanId, traceFlags } = context;
    if (typeof traceId !== 'string' || !TRACE_ID.test(traceId)) return undefined;
    if (typeof spanId !== 'string' || !SPAN_ID.test(spanId)) return undefined;
    const flags = typeof traceFlags === 'number' ? traceFlags & KNOWN_FLAGS : 0;
    return `00-${traceId}-${spanId}-0${flags}`;
  } catch {
    return undefined;
  }
}

function singleLine(header: unknown): string | undefined {
  if (typeof header === 'string') return header;
  try {
    if (!Array.isArray(header) || header.length !== 1) return undefined;
    const line: unknown = header[0];
    return typeof line === 'string' ? line : undefined;
  } catch {
    return undefined;
  }
}
