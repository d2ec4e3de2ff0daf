import type { LogRecord, SpanRecord } from '../../otlp/telemetry-model.ts';
import type { LogPage, TraceSpans } from '../../store/telemetry-store.ts';

/** A value of an attribute as JSON brings it: integers beyond the safe range and bytes are texts. */
export type WireValue = string | number | boolean | null | readonly WireValue[] | { readonly [key: string]: WireValue };
export type WireAttributes = Readonly<Record<string, WireValue>>;

interface WireOrigin {
  readonly resource: WireAttributes;
  readonly scope: { readonly name: string; readonly version: string; readonly attributes: WireAttributes };
  readonly attributes: WireAttributes;
}

export interface WireEvent {
  readonly name: string;
  readonly timeUnixNano: string;
  readonly attributes: WireAttributes;
  readonly droppedAttributesCount: number;
}

export interface WireLink {
  readonly traceId: string;
  readonly spanId: string;
  readonly attributes: WireAttributes;
}

export type WireSpan = Omit<
  SpanRecord,
  keyof WireOrigin | 'events' | 'links' | 'startTimeUnixNano' | 'endTimeUnixNano'
> &
  WireOrigin & {
    readonly startTimeUnixNano: string;
    readonly endTimeUnixNano: string;
    readonly events: readonly WireEvent[];
    readonly links: readonly WireLink[];
  };

export type WireLog = Omit<LogRecord, keyof WireOrigin | 'timeUnixNano' | 'observedTimeUnixNano' | 'body'> &
  WireOrigin & { readonly timeUnixNano: string; readonly observedTimeUnixNano: string; readonly body: WireValue };

export type WireTrace = Omit<TraceSpans, 'spans'> & { readonly spans: readonly WireSpan[] };
export type WireLogPage = Omit<LogPage, 'logs'> & { readonly logs: readonly WireLog[] };

/** A trace with what its spans have in common once, and nothing that is zero or empty. */
export interface WireCompactTrace {
  readonly origins: readonly Pick<WireSpan, 'tenant' | 'service' | 'resource' | 'scope'>[];
  readonly compact: readonly (Partial<WireSpan> & { readonly origin: number })[];
  readonly more: boolean;
}

export function expandTrace(traceId: string, { origins, compact, more }: WireCompactTrace): WireTrace {
  const common = { traceId, parentSpanId: '', traceState: '', flags: 0, ...NOTHING };
  const spans = compact.map(({ origin, ...span }) => ({ ...origins[origin], ...common, ...span }) as WireSpan);
  return { spans, more };
}

const NOTHING = {
  ...{ droppedAttributesCount: 0, events: [], droppedEventsCount: 0, links: [], droppedLinksCount: 0 },
  status: { code: 'unset', message: '' },
} as const;

/** As it reads best: texts as they are, the rest as JSON. */
export function textOf(value: WireValue | undefined): string {
  if (value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

export function millisOf(nanos: string): number {
  return nanos.length > 6 ? Number(nanos.slice(0, -6)) + Number(nanos.slice(-6)) / 1e6 : 0;
}

/** When a record was made, or else when it was seen. */
export function logMillis(log: WireLog): number {
  return millisOf(log.timeUnixNano === '0' ? log.observedTimeUnixNano : log.timeUnixNano);
}
