import {
  type Attributes,
  type Context,
  context as contextApi,
  type Span,
  SpanKind,
  SpanStatusCode,
} from '@opentelemetry/api';
import type { ContextOperations } from '../core/context.ts';
import { emitLog } from '../core/emit-log.ts';
import type { Metrics } from '../core/metrics.ts';
import type { Operations } from '../core/operations.ts';
import type { TracerBase } from '../core/tracer-base.ts';
import type { TracerRuntime } from '../core/tracer-runtime.ts';
import { SEVERITIES } from '../processing/log-record.ts';
import { enterSpan } from '../processing/scope.ts';
import { fail, succeed } from '../utils/bus-result.ts';
import { millisToHrTime } from '../utils/span-time.ts';
import { formatTraceparent } from '../utils/traceparent.ts';
import type {
  Command,
  CommandAttributes,
  CommandError,
  CommandOf,
  CommandResult,
  CommandSpanKind,
  CommandType,
  CommandValues,
  LogItem,
} from './command.ts';
import type { OpenSpans } from './command-spans.ts';

/** A tracer that can do what commands say. */
export type CommandTracer = TracerBase & Operations & ContextOperations & Metrics;

/** Whose telemetry a command is about. */
export interface CommandScope {
  readonly tracer: CommandTracer;
  readonly runtime: TracerRuntime;
  readonly spans: OpenSpans;
}

/** Commands that start or end more than themselves are the bus's own. */
type LifecycleType = 'initialize' | 'shutdown';
type Executed = Exclude<CommandType, LifecycleType>;
type Outcome<T extends CommandType> = CommandResult<CommandValues[T]>;
type Execution<T extends CommandType> = (
  scope: CommandScope,
  command: CommandOf<T>,
) => Outcome<T> | Promise<Outcome<T>>;

const KINDS: Readonly<Record<CommandSpanKind, SpanKind>> = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
};

const DONE = succeed(undefined);
/** A registry has the same stand-in for both. */
export const NO_TENANT = 'there is no such tenant, or its registry was shut down';

const EXECUTIONS: { readonly [T in Executed]: Execution<T> } = {
  flush: async ({ tracer }, { timeoutMillis }) => succeed(await tracer.flush({ timeoutMillis })),
  recordMetric: (scope, { name, value, attributes, unit }) =>
    measure(scope, ({ tracer }) => tracer.recordMetric(name, value, attributesOf(attributes), unitOf(unit))),
  recordCounter: (scope, { name, value = 1, attributes, unit }) =>
    measure(scope, ({ tracer }) => tracer.metrics.counter(name, unitOf(unit)).add(value, attributesOf(attributes))),
  recordGauge: (scope, { name, value, attributes, unit }) =>
    measure(scope, ({ tracer }) => tracer.metrics.gauge(name, unitOf(unit)).record(value, attributesOf(attributes))),
  recordHistogram: (scope, { name, value, attributes, unit }) =>
    measure(scope, ({ tracer }) =>
      tracer.metrics.histogram(name, unitOf(unit)).record(value, attributesOf(attributes)),
    ),
  emitLog: (scope, log) => emitAll(scope, [log]),
  emitLogs: (scope, { logs }) => emitAll(scope, logs),
  startSpan,
  endSpan,
  addSpanEvent: ({ spans }, { id, name, attributes, timeMillis }) => {
    const span = spans.get(id);
    if (span === undefined) return unknownSpan(id);
    span.addEvent(name, attributesOf(attributes), timeOf(timeMillis));
    return DONE;
  },
};

/** Does what a command says. May throw, or reject with, what the tenant's hooks throw. */
export function execute(
  scope: CommandScope,
  command: Exclude<Command, { readonly type: LifecycleType }>,
): CommandResult | Promise<CommandResult> {
  const execution = EXECUTIONS[command.type] as Execution<Executed>;
  return execution(scope, command as CommandOf<Executed>);
}

function startSpan(scope: CommandScope, command: CommandOf<'startSpan'>): Outcome<'startSpan'> {
  const { runtime, spans, tracer } = scope;
  const { id: given, name, kind = 'internal', attributes, parentId, traceparent, timeMillis } = command;
  if (!takes(scope, 'traces')) return notRecording(scope);
  if (given !== undefined && spans.has(given)) return fail('span_exists', `a span ${quote(given)} is open already`);
  const parent = parentId === undefined ? undefined : spans.get(parentId);
  if (parentId !== undefined && parent === undefined) return unknownSpan(parentId);
  const startTime = timeOf(timeMillis);
  const options = {
    kind: KINDS[kind],
    attributes: attributesOf(attributes) ?? {},
    ...(startTime && { startTime }),
  };
  const span = tracer.startSpan(name, options, contextOf(tracer, runtime, parent, traceparent));
  const header = formatTraceparent(span.spanContext());
  if (header === undefined) return notRecording(scope);
  const { spanId, traceId } = span.spanContext();
  const id = given ?? spanId;
  spans.add(id, span);
  return succeed({ id, traceId, spanId, traceparent: header });
}

function endSpan({ spans }: CommandScope, { id, error, timeMillis }: CommandOf<'endSpan'>): Outcome<'endSpan'> {
  const span = spans.take(id);
  if (span === undefined) return unknownSpan(id);
  if (error !== undefined) recordFailure(span, error, timeMillis);
  span.end(timeOf(timeMillis));
  return DONE;
}

function recordFailure(span: Span, error: string | CommandError, timeMillis: number | undefined): void {
  const { message, type, stack }: CommandError = typeof error === 'string' ? { message: error } : error;
  const exception = { name: type ?? 'Error', message, ...(stack !== undefined && { stack }) };
  span.recordException(exception, timeOf(timeMillis));
  span.setStatus({ code: SpanStatusCode.ERROR, message });
}

/** All of them or none. */
function emitAll(scope: CommandScope, logs: readonly LogItem[]): Outcome<'emitLogs'> {
  const { runtime, spans } = scope;
  if (!takes(scope, 'logs')) return notRecording(scope);
  const missing = logs.find(({ inSpan }) => inSpan !== undefined && !spans.has(inSpan));
  if (missing?.inSpan !== undefined) return unknownSpan(missing.inSpan);
  for (const { message, severity = 'info', attributes, timeMillis, inSpan } of logs) {
    const span = inSpan === undefined ? undefined : spans.get(inSpan);
    const entry = {
      severityNumber: SEVERITIES[severity],
      severityText: severity.toUpperCase(),
      body: message,
      attributes,
      time: timeOf(timeMillis),
    };
    emitLog(runtime, entry, span ? enterSpan(contextApi.active(), runtime, span) : contextApi.active());
  }
  return DONE;
}

function measure(scope: CommandScope, record: (scope: CommandScope) => void): CommandResult<undefined> {
  if (!takes(scope, 'metrics')) return notRecording(scope);
  record(scope);
  return DONE;
}

/** The parent's context; without one the trace that `traceparent` names, else the running one. */
function contextOf(
  tracer: CommandTracer,
  runtime: TracerRuntime,
  parent: Span | undefined,
  traceparent: string | undefined,
): Context | undefined {
  if (parent !== undefined) return enterSpan(contextApi.active(), runtime, parent);
  return traceparent === undefined ? undefined : tracer.extract({ traceparent });
}

/** Whether the tenant records this signal, as far as that is known. */
function takes({ runtime }: CommandScope, signal: 'traces' | 'metrics' | 'logs'): boolean {
  return runtime.admit() && runtime.path.settings.signals[signal];
}

function notRecording({ runtime: { state } }: CommandScope): CommandResult<never> {
  if (state === 'closed') return fail('closed', 'the tracer was shut down');
  return fail(
    'not_recording',
    state === 'disabled' ? NO_TENANT : `the tenant is ${state} and takes none of this signal`,
  );
}

function unknownSpan(id: string): CommandResult<never> {
  return fail('unknown_span', `no span ${quote(id)} is open`);
}

function quote(id: string): string {
  return JSON.stringify(id.slice(0, 40));
}

/** Deeper values are the encoder's matter. */
function attributesOf(attributes: CommandAttributes | undefined): Attributes | undefined {
  return attributes as Attributes | undefined;
}

/** OpenTelemetry takes small numbers for readings of a monotonic clock. */
function timeOf(millis: number | undefined): ReturnType<typeof millisToHrTime> | undefined {
  return millis === undefined ? undefined : millisToHrTime(millis);
}

function unitOf(unit: string | undefined): { readonly unit: string } | undefined {
  return unit === undefined ? undefined : { unit };
}
