import { type Attributes, type Context, context as contextApi, type Span, type SpanOptions } from '@opentelemetry/api';
import { createTracerWith } from '../core/create-tracer.ts';
import type { DisposableSpan } from '../core/operations.ts';
import type { Tracer } from '../core/tracer.ts';
import { TracerBase } from '../core/tracer-base.ts';
import { type FlushOptions, type FlushReport, resolveTimeout } from '../lifecycle/report.ts';
import { PROFILES } from '../processing/profiles.ts';
import { createRedaction } from '../processing/redaction.ts';
import type { ConfigIssue } from '../utils/errors.ts';
import type { Guard } from '../utils/guard.ts';
import {
  defaultName,
  ownerOf,
  runAs,
  type TracedFunction,
  type TraceFunctionOptions,
  traceCalls,
} from './honeyhive-call.ts';
import { type HoneyHiveSettings, type HoneyHiveTracerProperties, resolveHoneyHive } from './honeyhive-options.ts';
import {
  type EnrichSessionParams,
  type EnrichSpanParams,
  readFields,
  type SessionParams,
  spanAttributes,
} from './honeyhive-params.ts';
import { HoneyHiveSessions } from './honeyhive-sessions.ts';
import { HoneyHiveSpanProcessor } from './honeyhive-span-processor.ts';
import { honeyHiveTracerOptions } from './honeyhive-tracer-options.ts';
import { LiveTracers } from './live-tracers.ts';

/**
 * HoneyHive's tracer over ours: its names, its attributes, its endpoints. Each has a key, a session and a queue of its own,
 * and nothing of one reaches another. Making one calls nobody; no method throws or rejects, and what a function that was
 * handed in throws comes out as it is. Only with `options.strict` does the constructor throw, and tell all issues.
 */
export class HoneyHiveTracer implements AsyncDisposable {
  static readonly #live = new LiveTracers<HoneyHiveTracer>();

  /** For all that HoneyHive's tracer cannot do, and for libraries that take an OpenTelemetry tracer. */
  readonly tracer: Tracer;
  readonly #settings: HoneyHiveSettings;
  readonly #sessions: HoneyHiveSessions;
  readonly #guard: Guard;

  constructor(properties: HoneyHiveTracerProperties = {}) {
    const { issues, settings } = resolveHoneyHive(properties);
    this.#settings = settings;
    const processor = new HoneyHiveSpanProcessor(settings, (context) => this.#sessions.of(context));
    this.tracer = createTracerWith(honeyHiveTracerOptions(settings, processor), issues);
    const { clock, guard, path } = TracerBase.runtimeOf(this.tracer);
    const { redact } = path.settings;
    this.#guard = guard;
    this.#sessions = new HoneyHiveSessions(settings, {
      clock,
      redaction: redact && createRedaction(redact, guard.hook('redactor', 'redact of sessions'), clock),
      failed: (component, operation, error) => guard.report(component, operation, error),
    });
    HoneyHiveTracer.#live.add(this);
  }

  /** As the constructor; a promise because theirs is one. */
  static async init(properties?: HoneyHiveTracerProperties): Promise<HoneyHiveTracer> {
    return new HoneyHiveTracer(properties);
  }

  /** Sends what waits in all tracers that are in use. */
  static async flush(): Promise<void> {
    await Promise.all([...HoneyHiveTracer.#live].map((tracer) => tracer.flush()));
  }

  /** As the function `enrichSpan`. */
  static enrichSpan(params: EnrichSpanParams = {}): boolean {
    const owner = ownerOf(contextApi.active());
    return owner instanceof HoneyHiveTracer && owner.enrichSpan(params);
  }

  /** The name of the project, as it was given or by `HH_PROJECT`. */
  get project(): string | undefined {
    return this.#settings.project;
  }

  /** Where the spans come from, such as `production`. */
  get source(): string {
    return this.#settings.source;
  }

  /** Where spans and sessions go; `undefined` when nothing may be sent to the address that was given. */
  get serverUrl(): string | undefined {
    return this.#settings.serverUrl;
  }

  /** What the tracer's own session begins with. */
  get inputs(): Readonly<Record<string, unknown>> {
    return this.#settings.inputs;
  }

  /** Anything about the tracer's own session. */
  get metadata(): Readonly<Record<string, unknown>> {
    return this.#settings.metadata;
  }

  /** Whether the spans are part of an evaluation. */
  get isEvaluation(): boolean {
    return this.#settings.isEvaluation;
  }

  /** Of an evaluation: its run. */
  get runId(): string | undefined {
    return this.#settings.runId;
  }

  /** Of an evaluation: its data set. */
  get datasetId(): string | undefined {
    return this.#settings.datasetId;
  }

  /** Of an evaluation: the point of its data set. */
  get datapointId(): string | undefined {
    return this.#settings.datapointId;
  }

  /** Of the session of the running code, else of the tracer's own. */
  get sessionName(): string | undefined {
    return this.#sessions.of(contextApi.active()).name;
  }

  /** Of the running code, else the tracer's own. */
  get sessionId(): string {
    return this.#sessions.of(contextApi.active()).id;
  }

  /** Another session of the tracer's own, which exists. */
  set sessionId(id: string) {
    this.#sessions.replaceOwn(id);
  }

  /** What is wrong with the options and variables; also in `tracer.health()`. */
  get issues(): readonly ConfigIssue[] {
    return this.tracer.health().issues;
  }

  /** An OpenTelemetry tracer, whose spans carry the session. */
  getTracer(): Tracer {
    return this.tracer;
  }

  /** The caller ends it. */
  startSpan(name: string, options?: SpanOptions, context?: Context): DisposableSpan {
    return this.tracer.startSpan(name, options, context);
  }

  /** Runs `fn` in a span with these attributes, which ends when the result is over. */
  withSpan<T>(name: string, options: EnrichSpanParams, fn: (span: Span) => T): T {
    const run: unknown = typeof options === 'function' ? options : fn;
    if (typeof run !== 'function') return undefined as T;
    const attributes = this.#attributes('withSpan', options);
    return this.tracer.withSpan(name, { attributes }, (span) => runAs(this, () => (run as typeof fn)(span)));
  }

  /** Runs `fn` now as code of this tracer: functions wrapped by those of this entry that name no tracer find it. */
  trace<A extends unknown[], R>(fn: (...args: A) => R, ...args: A): R {
    if (typeof fn !== 'function') return undefined as R;
    return this.tracer.run(() => runAs(this, () => fn(...args)));
  }

  /** Wraps a function: each call is a span with its arguments and what it came to. */
  traceFunction(options: TraceFunctionOptions = {}): <F extends TracedFunction>(fn: F) => F {
    return traceCalls(() => this, options);
  }

  /** As {@link HoneyHiveTracer.traceFunction}, for calls of models. */
  traceModel<F extends TracedFunction>(fn: F, options: Omit<TraceFunctionOptions, 'eventType'> = {}): F {
    return traceCalls(() => this, options, 'model')(fn);
  }

  /** As {@link HoneyHiveTracer.traceFunction}, for tools. */
  traceTool<F extends TracedFunction>(fn: F, options: Omit<TraceFunctionOptions, 'eventType'> = {}): F {
    return traceCalls(() => this, options, 'tool')(fn);
  }

  /** As {@link HoneyHiveTracer.traceFunction}, for steps of a chain. */
  traceChain<F extends TracedFunction>(fn: F, options: Omit<TraceFunctionOptions, 'eventType'> = {}): F {
    return traceCalls(() => this, options, 'chain')(fn);
  }

  /** A call of a model that is over already, as a span. */
  logModel(params: EnrichSpanParams = {}): void {
    const attributes = { ...this.#attributes('logModel', params), honeyhive_event_type: 'model' };
    const { eventName } = readFields(params, () => undefined);
    this.tracer
      .startSpan(typeof eventName === 'string' && eventName ? eventName : defaultName('model'), { attributes })
      .end();
  }

  /** Adds to this tracer's active span. Answers whether there was one that records. */
  enrichSpan(params: EnrichSpanParams = {}): boolean {
    const span = this.tracer.activeSpan();
    if (span === undefined || !span.isRecording()) return false;
    span.setAttributes(this.#attributes('enrichSpan', params));
    return true;
  }

  /**
   * Tells HoneyHive of the tracer's own session, once; spans tell of it as well. One that exists, by the `sessionId` that
   * was given, is just continued. Answers its id.
   */
  async startSession(): Promise<string> {
    return this.#sessions.start();
  }

  /**
   * A session beside the tracer's own, for {@link withSession}. Answers its id; when HoneyHive's API did not take it, the
   * spans in it tell of it.
   */
  async createSession(params: SessionParams = {}): Promise<string> {
    return this.#sessions.create(params);
  }

  /**
   * Runs `fn` in a session: one that exists, by its id, or a new one, which HoneyHive is told of meanwhile. The session
   * around it comes back afterwards.
   */
  withSession<T>(session: string | SessionParams, fn: () => T): T {
    if (typeof fn !== 'function') return undefined as T;
    return this.tracer.run(() =>
      contextApi.with(this.#sessions.enter(contextApi.active(), session), () => runAs(this, fn)),
    );
  }

  /** Adds to a session, through HoneyHive's API. Answers whether HoneyHive took it. */
  async enrichSession(params: EnrichSessionParams = {}): Promise<boolean> {
    return this.#sessions.enrich(params, this.sessionId);
  }

  /** Sends what waits, and waits for the calls of the API that are under way. */
  async flush(options?: FlushOptions): Promise<void> {
    await Promise.all([this.tracer.flush(options), this.#sessions.settled(this.#timeout(options))]);
  }

  /** Delivers what waits and stops; later calls do nothing. */
  async shutdown(options?: FlushOptions): Promise<FlushReport> {
    HoneyHiveTracer.#live.delete(this);
    const [report] = await Promise.all([
      this.tracer.shutdown(options),
      this.#sessions.settled(this.#timeout(options)).finally(() => this.#sessions.close()),
    ]);
    return report;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  #timeout(options: FlushOptions | undefined): number {
    const { profile } = TracerBase.runtimeOf(this.tracer).path.settings;
    return resolveTimeout(options, PROFILES[profile].flushTimeoutMillis);
  }

  #attributes(operation: string, params: EnrichSpanParams | undefined): Attributes {
    return spanAttributes(params, (error) => this.#guard.report('host', operation, error));
  }
}
