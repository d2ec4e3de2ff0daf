import type { Attributes } from '@opentelemetry/api';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';

/** Kinds of spans. */
export type RecordedKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer';

/** A span as it left the tracer: sampled, limited and redacted. */
export interface RecordedSpan {
  readonly name: string;
  readonly kind: RecordedKind;
  readonly traceId: string;
  readonly spanId: string;
  /** Absent on a root span. */
  readonly parentSpanId?: string;
  readonly attributes: Readonly<Attributes>;
  readonly status: { readonly code: 'unset' | 'ok' | 'error'; readonly message?: string };
  readonly events: readonly { readonly name: string; readonly attributes: Readonly<Attributes> }[];
  readonly links: readonly {
    readonly traceId: string;
    readonly spanId: string;
    readonly attributes: Readonly<Attributes>;
  }[];
  readonly durationMillis: number;
  readonly resource: Readonly<Attributes>;
}

const KINDS: Readonly<Record<SpanKind, RecordedKind>> = {
  [SpanKind.INTERNAL]: 'internal',
  [SpanKind.SERVER]: 'server',
  [SpanKind.CLIENT]: 'client',
  [SpanKind.PRODUCER]: 'producer',
  [SpanKind.CONSUMER]: 'consumer',
};
const CODES: Readonly<Record<SpanStatusCode, 'unset' | 'ok' | 'error'>> = {
  [SpanStatusCode.UNSET]: 'unset',
  [SpanStatusCode.OK]: 'ok',
  [SpanStatusCode.ERROR]: 'error',
};

export function recordSpan(span: ReadableSpan): RecordedSpan {
  const { traceId, spanId } = span.spanContext();
  const { code, message } = span.status;
  const [seconds, nanos] = span.duration;
  return {
    name: span.name,
    kind: KINDS[span.kind],
    traceId,
    spanId,
    ...(span.parentSpanContext && { parentSpanId: span.parentSpanContext.spanId }),
    attributes: { ...span.attributes },
    status: message === undefined ? { code: CODES[code] } : { code: CODES[code], message },
    events: span.events.map(({ name, attributes }) => ({ name, attributes: { ...attributes } })),
    links: span.links.map(({ context, attributes }) => {
      return { traceId: context.traceId, spanId: context.spanId, attributes: { ...attributes } };
    }),
    durationMillis: seconds * 1_000 + nanos / 1_000_000,
    resource: { ...span.resource.attributes },
  };
}
