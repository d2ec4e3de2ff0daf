import { type Attributes, type Context, context as contextApi, type Span, SpanKind, trace } from '@opentelemetry/api';
import { enterGuarded, startGuarded } from '../core/operations.ts';
import type { Tracer } from '../core/tracer.ts';
import { TracerBase } from '../core/tracer-base.ts';
import type { FlushReport } from '../lifecycle/report.ts';
import type { CallFailure, CallScope } from '../processing/call-scope.ts';
import { enrich } from '../processing/enrichment.ts';
import type { LogLevel } from '../processing/log-record.ts';
import { SEVERITIES } from '../processing/log-record.ts';
import { SpanCall } from '../processing/span-call.ts';
import { runTracked } from '../processing/track-result.ts';
import type { TelemetrySignal } from '../utils/telemetry-signal.ts';
import { VERSION } from '../utils/version.ts';
import { OpenSpans } from './open-spans.ts';
import type { TelemetryFlowConfig } from './telemetryflow-config.ts';

/** Kinds of spans. */
export type TelemetryFlowSpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer';

/** One log record. */
export interface TelemetryFlowLogEntry {
  readonly message: string;
  /** Default: `info`. */
  readonly severity?: LogLevel | undefined;
  /** Default: none. */
  readonly attributes?: Attributes | undefined;
}

/** What a client is made of, beside its tracer. */
export interface TelemetryFlowClientOptions {
  /** What {@link TelemetryFlowClient.config} answers. Default: nothing. */
  readonly config?: TelemetryFlowConfig | undefined;
  /** Makes the tracer after a shutdown, when the client is initialized again. Default: there is none, and it stays shut. */
  readonly renew?: (() => Tracer) | undefined;
  /** Spans known by their id at a time; the oldest is ended for another. 1 to 1,000,000. Default: 1,000. */
  readonly maxOpenSpans?: number | undefined;
}

/** What a client is set to, and what it has sent. */
export interface TelemetryFlowStatus {
  readonly initialized: boolean;
  readonly version: string;
  readonly serviceName: string | undefined;
  readonly endpoint: string | undefined;
  readonly protocol: string | undefined;
  readonly signalsEnabled: readonly TelemetrySignal[];
  /** Since it was initialized. */
  readonly uptimeSeconds: number | undefined;
  /** Accepted by destinations, not merely asked for. */
  readonly metricsSent: number;
  readonly logsSent: number;
  readonly spansSent: number;
}

const KINDS: ReadonlyMap<TelemetryFlowSpanKind, SpanKind> = new Map([
  ['internal', SpanKind.INTERNAL],
  ['server', SpanKind.SERVER],
  ['client', SpanKind.CLIENT],
  ['producer', SpanKind.PRODUCER],
  ['consumer', SpanKind.CONSUMER],
]);
const LEVELS: ReadonlySet<unknown> = new Set(Object.keys(SEVERITIES));
const MAX_OPEN_SPANS = 1_000;
const MOST_OPEN_SPANS = 1_000_000;
const SHUTDOWN_MILLIS = 30_000;

/**
 * TelemetryFlow's client over a tracer of ours: made by a builder, or of any tracer, one of a registry's too. It needs
 * no `initialize()`, but takes it. No method throws or rejects; what a function that was handed in throws comes out.
 */
export class TelemetryFlowClient implements AsyncDisposable {
  /** What the builder made of its steps and variables; without secrets. */
  readonly config: TelemetryFlowConfig | undefined;
  readonly #renew: (() => Tracer) | undefined;
  readonly #open: OpenSpans;
  #tracer: Tracer;
  #startedAt: number | undefined;
  #isShut = false;

  constructor(tracer: Tracer, options: TelemetryFlowClientOptions = {}) {
    const { config, maxOpenSpans = MAX_OPEN_SPANS, renew } = options ?? {};
    const fits = Number.isInteger(maxOpenSpans) && maxOpenSpans >= 1 && maxOpenSpans <= MOST_OPEN_SPANS;
    this.#tracer = tracer;
    this.#renew = renew;
    this.config = config;
    this.#open = new OpenSpans(fits ? maxOpenSpans : MAX_OPEN_SPANS);
  }

  /** For all that TelemetryFlow's client cannot do. */
  get tracer(): Tracer {
    return this.#tracer;
  }

  /** Does nothing the second time; after a shutdown the client works again, with a new tracer. */
  initialize(): void {
    if (this.#isShut && this.#renew !== undefined) {
      this.#tracer = this.#renew();
      this.#isShut = false;
    }
    this.#use();
  }

  /** Whether it was initialized, and not shut down since. */
  isInitialized(): boolean {
    return this.#startedAt !== undefined;
  }

  /** Ends the spans that are open, and sends what waits. */
  async shutdown(timeoutMillis = SHUTDOWN_MILLIS): Promise<FlushReport> {
    this.#open.abandonAll();
    this.#isShut = true;
    this.#startedAt = undefined;
    return this.#tracer.shutdown({ timeoutMillis });
  }

  /** Sends what waits. */
  async flush(): Promise<FlushReport> {
    return this.#tracer.flush();
  }

  /** What is on a counter, histogram or gauge of that name already goes there, else the value of a gauge is set. */
  recordMetric(name: string, value: number, unit = '', attributes?: Attributes): void {
    this.#use().recordMetric(name, value, attributes, { unit });
  }

  /** Adds to a counter, 1 by default. */
  incrementCounter(name: string, value = 1, attributes?: Attributes): void {
    this.#use().metrics.counter(name).add(value, attributes);
  }

  /** Sets a gauge. */
  recordGauge(name: string, value: number, attributes?: Attributes): void {
    this.#use().metrics.gauge(name).record(value, attributes);
  }

  /** Records a value in a histogram. */
  recordHistogram(name: string, value: number, unit = '', attributes?: Attributes): void {
    this.#use().metrics.histogram(name, { unit }).record(value, attributes);
  }

  /** A log record, with the ids of the active span of this client's own. An unknown severity is `info`. */
  log(message: string, severity: LogLevel = 'info', attributes?: Attributes): void {
    const { log } = this.#use();
    const write = LEVELS.has(severity) ? log[severity] : log.info;
    write(message, attributes);
  }

  /** As {@link TelemetryFlowClient.log}, with the severity `trace`. */
  logTrace(message: string, attributes?: Attributes): void {
    this.log(message, 'trace', attributes);
  }

  /** As {@link TelemetryFlowClient.log}, with the severity `debug`. */
  logDebug(message: string, attributes?: Attributes): void {
    this.log(message, 'debug', attributes);
  }

  /** As {@link TelemetryFlowClient.log}, with the severity `info`. */
  logInfo(message: string, attributes?: Attributes): void {
    this.log(message, 'info', attributes);
  }

  /** As {@link TelemetryFlowClient.log}, with the severity `warn`. */
  logWarn(message: string, attributes?: Attributes): void {
    this.log(message, 'warn', attributes);
  }

  /** As {@link TelemetryFlowClient.log}, with the severity `error`. */
  logError(message: string, attributes?: Attributes): void {
    this.log(message, 'error', attributes);
  }

  /** As {@link TelemetryFlowClient.log}, with the severity `fatal`. */
  logFatal(message: string, attributes?: Attributes): void {
    this.log(message, 'fatal', attributes);
  }

  /** Several log records, in their order. One that cannot be read takes no other with it. */
  logBatch(entries: readonly TelemetryFlowLogEntry[]): void {
    const { guard } = TracerBase.runtimeOf(this.#tracer);
    const given: unknown = entries;
    const list = Array.isArray(given) ? (given as (TelemetryFlowLogEntry | undefined)[]) : [];
    for (const entry of list) {
      const write = (): void => this.log(entry?.message ?? '', entry?.severity, entry?.attributes);
      guard.run('host', 'logBatch', write, undefined);
    }
  }

  /**
   * Begins a span and answers its id, for {@link endSpan} and {@link addSpanEvent}. Its parent is the open span of
   * `parentSpanId`, else the active one. It is not active itself; {@link span} makes one that is.
   */
  startSpan(
    name: string,
    kind: TelemetryFlowSpanKind = 'internal',
    attributes?: Attributes,
    parentSpanId?: string,
  ): string {
    const active = contextApi.active();
    const parent = this.#open.get(parentSpanId);
    const context = parent === undefined ? active : trace.setSpan(active, parent);
    return this.#open.add(this.#begin(name, kind, attributes, context, parent !== undefined));
  }

  /** With an error the span has the status `ERROR` and an `exception` event. An id that is not known is let be. */
  endSpan(spanId: string, error?: unknown): void {
    const span = this.#open.take(spanId);
    if (span === undefined) return;
    if (error !== undefined && error !== null) {
      const { guard } = TracerBase.runtimeOf(this.#tracer);
      enrich(span, { error }, (problem) => guard.report('host', 'endSpan', problem));
    }
    span.end();
  }

  /** Adds an event to an open span. An id that is not known is let be. */
  addSpanEvent(spanId: string, name: string, attributes?: Attributes): void {
    this.#open.get(spanId)?.addEvent(name, attributes);
  }

  /** Runs `fn` in a span that is active in it and ends when the result is over, as of {@link Tracer.withSpan}. */
  span<T>(name: string, fn: (spanId: string) => T): T;
  span<T>(name: string, kind: TelemetryFlowSpanKind, fn: (spanId: string) => T): T;
  span<T>(name: string, kind: TelemetryFlowSpanKind, attributes: Attributes, fn: (spanId: string) => T): T;
  span<T>(name: string, ...rest: unknown[]): T {
    const fn = rest.at(-1);
    if (typeof fn !== 'function') return undefined as T;
    const [kind, attributes] = rest.slice(0, -1) as [TelemetryFlowSpanKind?, Attributes?];
    const context = contextApi.active();
    const span = this.#begin(name, kind, attributes, context, false);
    const id = this.#open.add(span);
    const call = new SpanCall(span, enterGuarded(TracerBase.runtimeOf(this.#tracer), context, span));
    return runTracked(() => (fn as (spanId: string) => T)(id), new KnownCall(call, () => this.#open.take(id)));
  }

  /** What the client is set to, and what it has sent. */
  getStatus(): TelemetryFlowStatus {
    const { logs, metrics, traces } = this.#tracer.stats();
    const { clock } = TracerBase.runtimeOf(this.#tracer);
    const startedAt = this.#startedAt;
    return {
      initialized: startedAt !== undefined,
      version: VERSION,
      serviceName: this.config?.serviceName,
      endpoint: this.config?.endpoint,
      protocol: this.config?.protocol,
      signalsEnabled: this.config?.enabledSignals ?? [],
      uptimeSeconds: startedAt === undefined ? undefined : Math.max(0, clock.now() - startedAt) / 1_000,
      metricsSent: metrics.exported,
      logsSent: logs.exported,
      spansSent: traces.exported,
    };
  }

  /** For people, without secrets. */
  toString(): string {
    const state = this.isInitialized() ? 'initialized' : 'not initialized';
    return `TelemetryFlowClient(service=${this.config?.serviceName ?? ''}, ${state})`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  #use(): Tracer {
    if (!this.#isShut) this.#startedAt ??= TracerBase.runtimeOf(this.#tracer).clock.now();
    return this.#tracer;
  }

  #begin(
    name: string,
    kind: TelemetryFlowSpanKind | undefined,
    attributes: Attributes | undefined,
    context: Context,
    isExplicit: boolean,
  ): Span {
    const options = { kind: KINDS.get(kind ?? 'internal') ?? SpanKind.INTERNAL, ...(attributes && { attributes }) };
    return startGuarded(TracerBase.runtimeOf(this.#use()), name, options, context, isExplicit);
  }
}

/** The call of a function in a span that is known by its id until then. */
class KnownCall implements CallScope {
  readonly #call: CallScope;
  readonly #forget: () => void;

  constructor(call: CallScope, forget: () => void) {
    this.#call = call;
    this.#forget = forget;
  }

  run<T>(fn: () => T): T {
    return this.#call.run(fn);
  }

  end(failure?: CallFailure): void {
    this.#forget();
    this.#call.end(failure);
  }
}
