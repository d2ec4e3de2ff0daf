import { randomUUID } from 'node:crypto';
import { type Attributes, type Context, context as contextApi, type Span, type SpanOptions } from '@opentelemetry/api';
import { createTracer } from '../core/create-tracer.ts';
import type { DisposableSpan } from '../core/operations.ts';
import type { CreateTracerOptions } from '../core/registry-options.ts';
import type { Tracer } from '../core/tracer.ts';
import { TracerBase } from '../core/tracer-base.ts';
import type { FlushOptions, FlushReport } from '../lifecycle/report.ts';
import type { ConfigIssue } from '../utils/errors.ts';
import { flattenValue } from './flatten-value.ts';
import { HoneyHiveApi } from './honeyhive-api.ts';
import { defaultName, runAs, type TracedFunction, type TraceFunctionOptions, traceCalls } from './honeyhive-call.ts';
import {
  type HoneyHiveSettings,
  type HoneyHiveTracerProperties,
  honeyHiveHeaders,
  resolveHoneyHive,
} from './honeyhive-options.ts';
import type { EnrichSessionParams, EnrichSpanParams, SessionParams } from './honeyhive-params.ts';
import { type HoneyHiveSession, HoneyHiveSpanProcessor } from './honeyhive-span-processor.ts';
import { LiveTracers } from './live-tracers.ts';

const SPAN_FIELDS = {
  config: 'honeyhive_config',
  metadata: 'honeyhive_metadata',
  metrics: 'honeyhive_metrics',
  feedback: 'honeyhive_feedback',
  inputs: 'honeyhive_inputs',
  outputs: 'honeyhive_outputs',
  userProperties: 'honeyhive_user_properties',
  error: 'honeyhive_error',
  eventName: 'honeyhive_event_name',
} as const satisfies Record<keyof EnrichSpanParams, string>;

/**
 * HoneyHive's tracer over ours: its names, its attributes, its endpoints. Each has a key, a session and a queue of its own,
 * and nothing of one reaches another. Making one calls nobody; no method throws or rejects, and what a function that was
 * handed in throws comes out as it is.
 */
export class HoneyHiveTracer implements AsyncDisposable {
  static readonly #live = new LiveTracers<HoneyHiveTracer>();

  /** For all that HoneyHive's tracer cannot do, and for libraries that take an OpenTelemetry tracer. */
  readonly tracer: Tracer;
  readonly #settings: HoneyHiveSettings;
  readonly #issues: readonly ConfigIssue[];
  readonly #api: HoneyHiveApi;
  /** Under which a context knows this tracer's session. */
  readonly #sessionKey = Symbol('isotrace honeyhive session');
  #session: HoneyHiveSession;
  #started: Promise<boolean> | undefined;

  constructor(properties: HoneyHiveTracerProperties = {}) {
    const given = properties ?? {};
    const { issues, settings } = resolveHoneyHive(given);
    const { isNewSession, serverUrl, sessionId, sessionName } = settings;
    this.#settings = settings;
    this.#issues = issues;
    this.#session = { id: sessionId, name: sessionName, isNew: isNewSession };
    const processor = new HoneyHiveSpanProcessor(settings, (context) => this.#sessionIn(context));
    this.tracer = createTracer(tracerOptions(settings, given.options ?? {}, processor));
    const { guard } = TracerBase.runtimeOf(this.tracer);
    this.#api = new HoneyHiveApi({
      serverUrl,
      headers: honeyHiveHeaders(settings),
      failed: (operation, error) => guard.report('delivery', operation, error),
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

  /** The project that spans go to, as it was given or by `HH_PROJECT`. */
  get project(): string | undefined {
    return this.#settings.project;
  }

  /** Where the spans come from, such as `production`. */
  get source(): string {
    return this.#settings.source;
  }

  /** Where spans and sessions go. */
  get serverUrl(): string {
    return this.#settings.serverUrl;
  }

  /** Of the session of the running code, else of the tracer's own. */
  get sessionName(): string | undefined {
    return this.#sessionIn(contextApi.active()).name;
  }

  /** Of the running code, else the tracer's own. */
  get sessionId(): string {
    return this.#sessionIn(contextApi.active()).id;
  }

  /** Another session of the tracer's own, which exists. */
  set sessionId(id: string) {
    if (typeof id !== 'string' || id === '') return;
    this.#session = { id, name: undefined, isNew: false };
    this.#started = undefined;
  }

  /** What is wrong with the options and variables. */
  get issues(): readonly ConfigIssue[] {
    return [...this.#issues, ...this.tracer.health().issues];
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
    return this.tracer.withSpan(name, { attributes: spanAttributes(options) }, (span) => runAs(this, () => fn(span)));
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
    return this.traceFunction({ ...options, eventType: 'model' })(fn);
  }

  /** As {@link HoneyHiveTracer.traceFunction}, for tools. */
  traceTool<F extends TracedFunction>(fn: F, options: Omit<TraceFunctionOptions, 'eventType'> = {}): F {
    return this.traceFunction({ ...options, eventType: 'tool' })(fn);
  }

  /** As {@link HoneyHiveTracer.traceFunction}, for steps of a chain. */
  traceChain<F extends TracedFunction>(fn: F, options: Omit<TraceFunctionOptions, 'eventType'> = {}): F {
    return this.traceFunction({ ...options, eventType: 'chain' })(fn);
  }

  /** A call of a model that is over already, as a span. */
  logModel(params: EnrichSpanParams = {}): void {
    const attributes = { ...spanAttributes(params), honeyhive_event_type: 'model' };
    this.tracer.startSpan(params?.eventName || defaultName('model'), { attributes }).end();
  }

  /** Adds to this tracer's active span. Answers whether there was one that records. */
  enrichSpan(params: EnrichSpanParams = {}): boolean {
    const span = this.tracer.activeSpan();
    if (span === undefined || !span.isRecording()) return false;
    span.setAttributes(spanAttributes(params));
    return true;
  }

  /** Tells HoneyHive of the tracer's own session, once; spans tell of it as well. Answers its id. */
  async startSession(): Promise<string> {
    const { id, name } = this.#session;
    await this.#start({ id, name });
    return id;
  }

  /** A session beside the tracer's own, for {@link withSession}. Answers its id. */
  async createSession(params: SessionParams = {}): Promise<string> {
    const session = this.#newSession(params);
    if (params?.skipApiCall !== true) await this.#post(session, params);
    return session.id;
  }

  /**
   * Runs `fn` in a session: one that exists, by its id, or a new one, which HoneyHive is told of meanwhile. The session
   * around it comes back afterwards.
   */
  withSession<T>(session: string | SessionParams, fn: () => T): T {
    const isKnown = typeof session === 'string' && session !== '';
    const params: SessionParams = typeof session === 'object' && session !== null ? session : {};
    const entered: HoneyHiveSession = isKnown
      ? { id: session, name: undefined, isNew: false }
      : this.#newSession(params);
    if (!isKnown && params.skipApiCall !== true) void this.#post(entered, params);
    return this.tracer.run(() =>
      contextApi.with(contextApi.active().setValue(this.#sessionKey, entered), () => runAs(this, fn)),
    );
  }

  /** Adds to a session, through HoneyHive's API. Answers whether HoneyHive took it. */
  async enrichSession(params: EnrichSessionParams = {}): Promise<boolean> {
    const { config, feedback, inputs, metadata, metrics, outputs, sessionId, userProperties } = params ?? {};
    if (!this.#isOnline) return false;
    const id = sessionId ?? this.sessionId;
    if (id === this.#session.id && this.#session.isNew) await this.#start(this.#session);
    return this.#api.updateEvent({
      event_id: id,
      ...((metadata ?? inputs) && { metadata: { ...metadata, ...(inputs && { inputs }) } }),
      ...(feedback && { feedback }),
      ...(metrics && { metrics }),
      ...(config && { config }),
      ...(outputs && { outputs }),
      ...(userProperties && { user_properties: userProperties }),
    });
  }

  /** Sends what waits, and waits for the calls of the API that are under way. */
  async flush(options?: FlushOptions): Promise<void> {
    await Promise.all([this.tracer.flush(options), this.#api.settled()]);
  }

  /** Delivers what waits and stops; later calls do nothing. */
  async shutdown(options?: FlushOptions): Promise<FlushReport> {
    HoneyHiveTracer.#live.delete(this);
    const [report] = await Promise.all([this.tracer.shutdown(options), this.#api.settled()]);
    return report;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  get #isOnline(): boolean {
    const { apiKey, disableTracing, testMode } = this.#settings;
    return apiKey !== undefined && !testMode && !disableTracing;
  }

  #sessionIn(context: Context): HoneyHiveSession {
    return (context.getValue(this.#sessionKey) as HoneyHiveSession | undefined) ?? this.#session;
  }

  #newSession({ sessionId, sessionName }: SessionParams): HoneyHiveSession {
    const isGiven = typeof sessionId === 'string' && sessionId !== '';
    return { id: isGiven ? sessionId : randomUUID(), name: sessionName ?? this.#settings.sessionName, isNew: true };
  }

  #start(session: Pick<HoneyHiveSession, 'id' | 'name'>): Promise<boolean> {
    const { inputs, metadata } = this.#settings;
    this.#started ??= this.#post(session, { inputs, metadata });
    return this.#started;
  }

  async #post({ id, name }: Pick<HoneyHiveSession, 'id' | 'name'>, params: SessionParams): Promise<boolean> {
    if (!this.#isOnline) return false;
    const { inputs, metadata, source, userProperties } = params;
    return this.#api.startSession({
      ...(this.project !== undefined && { project: this.project }),
      session_name: name,
      source: source ?? this.source,
      session_id: id,
      ...(inputs && { inputs }),
      ...(metadata && { metadata }),
      ...(userProperties && { user_properties: userProperties }),
    });
  }
}

function tracerOptions(
  settings: HoneyHiveSettings,
  given: CreateTracerOptions,
  processor: HoneyHiveSpanProcessor,
): CreateTracerOptions {
  const { apiKey, batch, disableBatch, disableTracing, limits, project, protocol, serverUrl, testMode } = settings;
  const others = given.destination === undefined ? [] : [given.destination].flat();
  const own = { endpoint: `${serverUrl}/opentelemetry`, protocol, headers: honeyHiveHeaders(settings) };
  const isOnline = apiKey !== undefined && !testMode;
  const destination = [...(isOnline ? [own] : []), ...others];
  return {
    ...given,
    ...(project !== undefined && { service: { name: project, ...given.service } }),
    ...(destination.length > 0 && { destination }),
    // HoneyHive takes traces only.
    signals: {
      metrics: false,
      logs: false,
      ...given.signals,
      ...((disableTracing || (!isOnline && !testMode)) && { traces: false }),
    },
    batch: { ...batch, ...(disableBatch && { maxSize: 1 }), ...given.batch },
    limits: { ...limits, ...given.limits },
    spanProcessors: [processor, ...(given.spanProcessors ?? [])],
  };
}

function spanAttributes(params: EnrichSpanParams): Attributes {
  const found: Attributes = {};
  for (const [field, prefix] of Object.entries(SPAN_FIELDS) as [keyof EnrichSpanParams, string][]) {
    const value = params?.[field];
    if (value) Object.assign(found, flattenValue(prefix, value));
  }
  return found;
}
