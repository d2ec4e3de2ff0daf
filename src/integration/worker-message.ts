import type { Attributes, HrTime, Link, SpanStatus } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import type { ReceivedSpan } from '../core/received-span.ts';
import { readLinkContext } from '../processing/span-view.ts';
import { type Envelope, isCount, kindAmong, objectOf } from './worker-envelope.ts';

/*
 * What a worker and its parent say to each other. All are plain objects that survive structured cloning and JSON, so that
 * a program can write them without this package:
 *
 * - worker to parent: `{ isotrace: 'spans', version: 1, batch, ended, dropped, spans }`, answered with
 * - parent to worker: `{ isotrace: 'taken', version: 1, batch }`;
 * - worker to parent: `{ isotrace: 'bye', version: 1, ended, dropped }`, when it will send no more.
 *
 * None names a tenant: the parent knows whose worker it is.
 */

/** How many spans ended in the worker by now, and how many it gave up itself. */
export interface WorkerAccount {
  readonly ended: number;
  readonly dropped: number;
}

/** Spans that a worker hands over. */
export interface SpansMessage extends WorkerAccount, Envelope<'spans'> {
  /** Told back when they are taken. */
  readonly batch: number;
  readonly spans: readonly SpanMessage[];
}

/** The parent took a batch. */
export interface TakenMessage extends Envelope<'taken'> {
  readonly batch: number;
}

export interface ByeMessage extends WorkerAccount, Envelope<'bye'> {}

/** A finished span; times are seconds and nanoseconds since the epoch. */
export interface SpanMessage {
  readonly traceId: string;
  readonly spanId: string;
  /** Default: none, and the span is a root. */
  readonly parentSpanId?: string | undefined;
  /** W3C's. Default: sampled. */
  readonly traceFlags?: number;
  /** W3C's. Default: none. */
  readonly traceState?: string | undefined;
  readonly name: string;
  /** OpenTelemetry's `SpanKind`. Default: internal. */
  readonly kind?: number;
  readonly startTime: HrTime;
  readonly endTime: HrTime;
  /** Default: unset. */
  readonly status?: SpanStatus;
  /** Default: none. */
  readonly attributes?: Attributes;
  /** Default: none. */
  readonly events?: readonly { readonly name: string; readonly time: HrTime; readonly attributes?: Attributes }[];
  /** Default: none. */
  readonly links?: readonly Link[];
  /** The instrumentation scope. Default: isotrace's own. */
  readonly scope?: { readonly name: string; readonly version?: string | undefined };
}

const KINDS = ['spans', 'taken', 'bye'] as const;
/** Far above what a worker sends at once. An array of a few bytes may say that it has four billion elements. */
const MAX_SPANS = 10_000;
/** As many as a tenant's limits may allow. */
const MAX_PARTS = 65_536;
const TRACE_ID = /^(?!0{32})[0-9a-f]{32}$/;
const SPAN_ID = /^(?!0{16})[0-9a-f]{16}$/;
const SAMPLED = 1;

/** What is exported of a span of this thread. */
export function writeSpan(span: ReadableSpan): SpanMessage {
  const { traceId, spanId, traceFlags, traceState } = span.spanContext();
  const { name, version } = span.instrumentationScope;
  return {
    traceId,
    spanId,
    parentSpanId: span.parentSpanContext?.spanId,
    traceFlags,
    traceState: traceState?.serialize(),
    name: span.name,
    kind: span.kind,
    startTime: span.startTime,
    endTime: span.endTime,
    status: { ...span.status },
    attributes: { ...span.attributes },
    events: span.events.map(({ name: event, time, attributes = {} }) => ({ name: event, time, attributes })),
    links: span.links.map(({ context, attributes = {} }) => ({ context: plainLink(context), attributes })),
    scope: { name, version },
  };
}

/** The kind of a message, if it is one of ours and of a version that we know. */
export function kindOf(message: unknown): (typeof KINDS)[number] | undefined {
  return kindAmong(message, KINDS);
}

/** The number of a batch; whoever wrote the message may have left it out. */
export function batchOf(message: unknown): number | undefined {
  const { batch } = objectOf(message);
  return isCount(batch) ? batch : undefined;
}

export function accountOf(message: unknown): WorkerAccount | undefined {
  const { ended, dropped } = objectOf(message);
  return isCount(ended) && isCount(dropped) ? { ended, dropped } : undefined;
}

/** The spans of a message, `undefined` for each that is none, and how many more there are than are read of one. */
export function readSpans(message: unknown): {
  readonly spans: readonly (SpanIn | undefined)[];
  readonly more: number;
} {
  const { spans: given } = objectOf(message);
  if (!Array.isArray(given)) return { spans: [], more: 0 };
  const spans = Array.from(given.slice(0, MAX_SPANS), readSpan);
  return { spans, more: given.length - spans.length };
}

export interface SpanIn {
  readonly span: ReceivedSpan;
  readonly scope: { readonly name: unknown; readonly version: unknown };
}

function readSpan(value: unknown): SpanIn | undefined {
  const given = objectOf(value);
  const { traceId, spanId, parentSpanId, startTime, endTime, name, kind, traceFlags, traceState } = given;
  if (!isId(traceId, TRACE_ID) || !isId(spanId, SPAN_ID) || !isTime(startTime) || !isTime(endTime)) return undefined;
  if (typeof name !== 'string' || (parentSpanId !== undefined && parentSpanId !== null && !isId(parentSpanId, SPAN_ID)))
    return undefined;
  const { code, message } = objectOf(given['status']);
  const isStatus = code === 1 || code === 2;
  const span: ReceivedSpan = {
    traceId,
    spanId,
    parentSpanId: parentSpanId ?? undefined,
    traceFlags: typeof traceFlags === 'number' ? traceFlags & 0xff : SAMPLED,
    traceState: typeof traceState === 'string' ? traceState : undefined,
    name,
    kind: typeof kind === 'number' ? kind : 0,
    startTime,
    endTime,
    status: { code: isStatus ? code : 0, ...(typeof message === 'string' && { message }) },
    attributes: attributesOf(given['attributes']),
    events: listOf(given['events']).flatMap(readEvent),
    links: listOf(given['links']).flatMap(readLink),
  };
  const scope = objectOf(given['scope']);
  return { span, scope: { name: scope['name'], version: scope['version'] } };
}

function readEvent(value: unknown): ReceivedSpan['events'] {
  const { name, time, attributes } = objectOf(value);
  return typeof name === 'string' && isTime(time) ? [{ name, time, attributes: attributesOf(attributes) }] : [];
}

function readLink(value: unknown): Link[] {
  const { context, attributes } = objectOf(value);
  const read = readLinkContext(objectOf(context) as never);
  return read === undefined ? [] : [{ context: read, attributes: attributesOf(attributes) }];
}

/** Links go without a trace state, which is an object with methods. */
function plainLink({ traceId, spanId, traceFlags, isRemote }: Link['context']): Link['context'] {
  return { traceId, spanId, traceFlags, ...(isRemote !== undefined && { isRemote }) };
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value.slice(0, MAX_PARTS) : [];
}

/** Values are checked where they are set. */
function attributesOf(value: unknown): Attributes {
  return Array.isArray(value) ? {} : (objectOf(value) as Attributes);
}

function isId(value: unknown, pattern: RegExp): value is string {
  return typeof value === 'string' && pattern.test(value);
}

function isTime(value: unknown): value is HrTime {
  return Array.isArray(value) && value.length === 2 && value.every(isCount);
}
