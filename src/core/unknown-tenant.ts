import { type Baggage, type Context, type Span, type SpanOptions, TraceFlags } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import type { SamplingVerdict } from '../processing/sampling.ts';
import type { ScopeOwner } from '../processing/scope.ts';
import type { ActiveSession } from '../processing/session.ts';
import { RecordingSpan } from '../processing/span.ts';
import type { SpanHooks } from '../processing/span-hooks.ts';
import type { SpanScope } from '../processing/span-host.ts';
import { type SpanStarter, startSpan } from '../processing/start-span.ts';
import { adoptSpan, joinRootSession } from './adopt-span.ts';
import { OWN_SCOPE } from './own-scope.ts';
import { allowedBaggage } from './propagation.ts';
import { TracerRuntime } from './tracer-runtime.ts';

/** Logs something for a tenant. */
export type DeferredLog = (tenant: TracerRuntime) => void;

/** Measures something for a tenant; for nobody when there is none. */
export type DeferredMeasurement = (tenant: TracerRuntime | undefined) => void;

/** Log records of one request that wait for its tenant. */
const MAX_WAITING_LOGS = 100;
/** Likewise; those beyond are not taken. */
const MAX_WAITING_MEASUREMENTS = 100;

/** How the wait of a span for its tenant ended. */
export type LateBindingOutcome = 'bound' | 'unassigned' | 'expired';

/** What a request needs of those who keep the list of requests that wait. */
export interface WaitingRoom {
  /** Records for nobody: lends its clock, ids and limits to spans whose tenant is not known. */
  readonly nobody: TracerRuntime;
  /** Processors are the tenant's: they are told of a span when its tenant is known. */
  readonly noHooks: SpanHooks;
  /** Whether a request in which this tenant is entered first becomes its own. */
  mayClaim(tenant: TracerRuntime): boolean;
  /** To be called for each span that begins to wait. */
  added(request: UnknownTenant): void;
  /** Nothing can name a tenant any more. */
  over(request: UnknownTenant): void;
  /** To be called once, when the tenant is known, before the spans are handed over. */
  settled(request: UnknownTenant, outcome: LateBindingOutcome, spans: number): void;
}

/**
 * Stands in for the tenant of one request until that is known; from then on it is that tenant. Spans are real from the
 * start: their ids are sent on, their times are kept.
 */
export class UnknownTenant implements ScopeOwner, SpanStarter {
  readonly tenantId = '';
  readonly boundary = 'isolate';
  readonly owner: ScopeOwner = this;
  readonly hostIds = undefined;
  /** When it began, on the monotonic clock. */
  readonly since: number;
  readonly room: WaitingRoom;
  #waiting: RecordingSpan[] = [];
  #root: RecordingSpan | undefined;
  #tenant: TracerRuntime | undefined;
  #baggageHeader: unknown;
  #inboundBaggage: Baggage | undefined;
  /** Those that are still to be handed over, while others are. */
  #left: Set<RecordingSpan> | undefined;
  /** What was logged meanwhile. */
  #logs: DeferredLog[] | undefined;
  #measurements: DeferredMeasurement[] | undefined;
  /** Open spans that the tenant does not record. */
  #turnedAway: Set<RecordingSpan> | undefined;

  /** @param baggage the header that arrived with the request */
  constructor(room: WaitingRoom, since: number, baggage?: unknown) {
    this.room = room;
    this.since = since;
    this.#baggageHeader = baggage;
  }

  get tenant(): TracerRuntime | undefined {
    return this.#tenant;
  }

  get inboundBaggage(): Baggage | undefined {
    return this.#inboundBaggage;
  }

  /** The first span of the request, usually its SERVER span, until it ends. */
  get root(): RecordingSpan | undefined {
    return this.#root;
  }

  /** The tenant's: waiting spans join sessions when it is known. */
  get rootSessions() {
    return this.#tenant?.rootSessions;
  }

  get captureSettings() {
    return this.#lender.captureSettings;
  }

  get clock() {
    return this.#lender.clock;
  }

  get guard() {
    return this.#lender.guard;
  }

  get ids() {
    return this.#lender.ids;
  }

  get spanLimits() {
    return this.#lender.spanLimits;
  }

  get hooks(): SpanHooks {
    return this.room.noHooks;
  }

  get #lender(): TracerRuntime {
    return this.#tenant ?? this.room.nobody;
  }

  /** Everything is recorded, and passed on as the caller wants it; the tenant's own rules come with the tenant. */
  sampler(parent: { readonly traceFlags: number } | undefined): SamplingVerdict {
    const sampled = parent === undefined || (parent.traceFlags & TraceFlags.SAMPLED) !== 0;
    return { record: true, sampled, open: 'unconfigured' };
  }

  resource(): Resource {
    return this.#lender.resource();
  }

  /** @param starter asked for the span in place of this */
  start(
    name: string,
    options: SpanOptions | undefined,
    context: Context,
    isExplicit: boolean,
    instrumentation: SpanScope = OWN_SCOPE,
    starter: SpanStarter = this,
  ): Span & Disposable {
    const span = startSpan(starter, instrumentation, name, options, context, isExplicit);
    if (!(span instanceof RecordingSpan)) return span;
    // Code of the host that ran meanwhile may have named the tenant.
    if (this.#tenant !== undefined) {
      this.#handOver([span]);
      return span;
    }
    this.#waiting.push(span);
    this.#root ??= span;
    this.room.added(this);
    return span;
  }

  /**
   * Has something logged for the tenant, once that is known. When there is none, or too many wait, it is counted as
   * dropped.
   */
  log(emit: DeferredLog): void {
    if (this.#tenant !== undefined) {
      emit(this.#tenant);
      return;
    }
    this.#logs ??= [];
    this.#logs.push(emit);
    if (this.#logs.length > MAX_WAITING_LOGS) this.#dropLog();
  }

  #dropLog(): void {
    this.#logs?.shift();
    this.room.nobody.path.others.turnAway('queue_full', 1);
  }

  #settleLogs(tenant: TracerRuntime | undefined): void {
    const logs = this.#logs ?? [];
    this.#logs = undefined;
    if (tenant === undefined) this.room.nobody.path.others.turnAway('unassigned', logs.length);
    else for (const emit of logs) emit(tenant);
  }

  /** Has something measured for the tenant, once that is known. Takes a hundred. */
  measure(measurement: DeferredMeasurement): void {
    if (this.#tenant !== undefined) {
      measurement(this.#tenant === this.room.nobody ? undefined : this.#tenant);
      return;
    }
    this.#measurements ??= [];
    if (this.#measurements.length < MAX_WAITING_MEASUREMENTS) this.#measurements.push(measurement);
  }

  bind(tenant: ScopeOwner): void {
    if (tenant instanceof TracerRuntime && this.room.mayClaim(tenant)) this.settle(tenant, 'bound');
  }

  /** Hands everything over to `tenant`; to nobody, when there is none. */
  settle(tenant: TracerRuntime | undefined, outcome: LateBindingOutcome): void {
    if (this.#tenant !== undefined) return;
    const { nobody } = this.room;
    const spans = this.#waiting;
    this.#tenant = tenant ?? nobody;
    this.#waiting = [];
    if (outcome === 'bound' && tenant !== undefined && this.#baggageHeader !== undefined) {
      this.#inboundBaggage = allowedBaggage(tenant, this.#baggageHeader);
    }
    this.#baggageHeader = undefined;
    this.room.settled(this, outcome, spans.length);
    this.#handOver(spans);
    this.#settleLogs(tenant);
    const measurements = this.#measurements ?? [];
    this.#measurements = undefined;
    for (const measure of measurements) measure(tenant);
  }

  #handOver(spans: readonly RecordingSpan[]): void {
    const tenant = this.#tenant === this.room.nobody ? undefined : this.#tenant;
    if (tenant === undefined) this.room.nobody.path.discard('unassigned', spans.length);
    // What the host does while it is told of one may end another.
    const left = new Set(spans);
    this.#left = left;
    const byId = new Map(tenant === undefined || tenant.hooks.empty ? [] : spans.map((span) => [idOf(span), span]));
    let session: ActiveSession | undefined;
    for (const span of spans) {
      left.delete(span);
      if (tenant !== undefined) session = joinRootSession(tenant, span, session);
      if (tenant !== undefined && adoptSpan(tenant, span, byId.get(span.parentSpanContext?.spanId ?? ''))) continue;
      if (span.ended) continue;
      this.#turnedAway ??= new Set();
      this.#turnedAway.add(span);
    }
    this.#left = undefined;
  }

  spanStarted(): void {}

  spanUnsampled(): void {}

  spanEnding(span: RecordingSpan): void {
    if (this.#left?.has(span) === true) return;
    if (this.#turnedAway?.has(span) !== true) this.#tenant?.spanEnding(span);
  }

  spanEnded(span: RecordingSpan): void {
    const isRoot = span === this.#root;
    if (isRoot) this.#root = undefined;
    if (this.#left?.has(span) === true) return;
    if (this.#turnedAway?.delete(span) === true) return;
    if (this.#tenant !== undefined) this.#tenant.spanEnded(span);
    else if (isRoot) this.room.over(this);
  }
}

function idOf(span: RecordingSpan): string {
  return span.spanContext().spanId;
}
