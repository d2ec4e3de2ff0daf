import type { IdGenerator } from '@opentelemetry/sdk-trace';
import type { Job } from '../processing/agenda.ts';
import { AgentWatch } from '../processing/agent-watch.ts';
import type { CopyOutlet } from '../processing/copy-outlet.ts';
import type { EndedSpan } from '../processing/ended-span.ts';
import type { Lane } from '../processing/lane.ts';
import { sampleLate } from '../processing/late-sampling.ts';
import { type DropReason, recordDrop } from '../processing/ledger.ts';
import type { LocalTrace } from '../processing/local-trace.ts';
import { isSampled, type SpanSampler, unconfiguredSampler } from '../processing/sampling.ts';
import { RootSessions } from '../processing/session.ts';
import type { RecordingSpan } from '../processing/span.ts';
import { SpanHold } from '../processing/span-hold.ts';
import { SpanHooks } from '../processing/span-hooks.ts';
import { TentativeSpan } from '../processing/tentative-span.ts';
import type { TokenBucket } from '../processing/token-bucket.ts';
import { TraceHold } from '../processing/trace-hold.ts';
import type { AgentSettings, TenantUsage } from '../processing/usage.ts';
import type { HookSwitch } from '../utils/guard.ts';
import { OtherSignals, type SignalPlace } from './other-signals.ts';
import type { TracerDefaults } from './settings.ts';
import { SpanRoute } from './span-route.ts';
import type { SpanRouteOptions } from './span-route-options.ts';
import { rateOf, samplerOf } from './span-sampling.ts';

export interface SpanPathOptions extends SpanRouteOptions {
  /** In force until the tenant's own configuration comes. */
  readonly defaults: TracerDefaults;
  readonly drainTimeoutMillis: number;
  /** Exports a record of a span that is open for long. */
  readonly emitPending: (span: RecordingSpan) => void;
}

/**
 * What a tenant's spans go through: the hold while there is no configuration, then the route that the configuration
 * opens. A change of configuration opens a new route and lets the old one deliver what it has.
 */
export class SpanPath implements SignalPlace {
  /** Whether there are spans at all. */
  tracing = true;
  /** Logs and metrics. */
  readonly others = new OtherSignals(this);
  readonly options: SpanPathOptions;
  #route: SpanRoute | undefined;
  #retiring: SpanRoute[] = [];
  #sampler: SpanSampler = unconfiguredSampler;
  /** That of `sampling.spansPerSecond`; one that stays the same survives a change of other options. */
  #rate: TokenBucket | undefined;
  #hostIds: { readonly generator: IdGenerator; readonly hook: HookSwitch } | undefined;
  /** The registry's processors, for spans that start before the configuration comes. */
  #defaultHooks: SpanHooks | undefined;
  #hold: SpanHold | undefined;
  #traces: TraceHold | undefined;
  #rootSessions: RootSessions | undefined;
  #watch: AgentWatch | undefined;
  #hurried = false;

  constructor(options: SpanPathOptions) {
    this.options = options;
    this.#follow(options.defaults);
  }

  /** The sessions of server spans; none when sessions are only entered. */
  get rootSessions(): RootSessions | undefined {
    return this.#rootSessions;
  }

  /** What looks at the spans for agents, where the settings want that. */
  get agentWatch(): AgentWatch | undefined {
    return this.settings.agents === undefined ? undefined : this.#watchFor(this.settings.agents);
  }

  /** What agents spent; none when no settings ever wanted that. */
  get usage(): TenantUsage | undefined {
    return this.#watch?.usage;
  }

  get settings(): TracerDefaults {
    return this.#route?.settings ?? this.options.defaults;
  }

  /** Whether the settings are the tenant's own. */
  get configured(): boolean {
    return this.#route !== undefined;
  }

  get sampler(): SpanSampler {
    return this.#sampler;
  }

  get hostIds() {
    return this.#hostIds;
  }

  get hooks(): SpanHooks {
    if (this.#route !== undefined) return this.#route.hooks;
    const { defaults, guard } = this.options;
    this.#defaultHooks ??= new SpanHooks(defaults.spanProcessors, guard, this.agentWatch);
    return this.#defaultHooks;
  }

  get lanes(): readonly Lane[] {
    return this.routes.flatMap((route) => route.lanes);
  }

  /** Whether spans or log records wait for a configuration. */
  get holds(): boolean {
    return (this.#hold?.size ?? 0) + this.others.held > 0;
  }

  /** Ended spans of open traces that the tail rules of sampling have still to decide. */
  get undecided(): number {
    return this.#traces?.size ?? 0;
  }

  /** Spans that are neither delivered nor dropped. */
  get queued(): number {
    const waiting = (this.#hold?.size ?? 0) + this.undecided;
    return this.routes.reduce((sum, route) => sum + route.queued, waiting);
  }

  /** Spans that are only on the disk, those included that wait there for a configuration or for their tenant to be used again. */
  get spooled(): number {
    return this.#spooled + this.options.pipeline.spools.spooled(this.options.ledgers.traces);
  }

  get spoolProblem(): string | undefined {
    return this.#route?.spoolProblem;
  }

  get #spooled(): number {
    return this.routes.reduce((sum, route) => sum + route.spooled, 0);
  }

  get bytes(): number {
    const waiting = (this.#hold?.bytes ?? 0) + (this.#traces?.bytes ?? 0) + this.others.heldBytes;
    return this.routes.reduce((sum, route) => sum + route.bytes, waiting);
  }

  get empty(): boolean {
    return !this.holds && this.undecided === 0 && this.#retiring.length === 0 && this.#route?.empty !== false;
  }

  get route(): SpanRoute | undefined {
    return this.#route;
  }

  get routes(): readonly SpanRoute[] {
    return this.#route === undefined ? this.#retiring : [this.#route, ...this.#retiring];
  }

  /** Puts a configuration in force: the first one, or a changed one. */
  configure(settings: TracerDefaults): void {
    const { guard, pipeline } = this.options;
    const { sampling, idGenerator } = settings;
    const previous = this.#route;
    if (!settings.signals.traces) this.#traces?.settleAll();
    guard.forgetHooks();
    this.#route = new SpanRoute(
      this.options,
      settings,
      this.others,
      settings.agents && this.#watchFor(settings.agents),
    );
    this.#follow(settings);
    if (previous !== undefined) this.#retire(previous);
    if (this.#hurried) this.#route.drain();
    this.#rate = rateOf(sampling, this.#rate, pipeline.clock);
    this.#sampler = samplerOf(sampling, this.#rate, guard);
    this.#hostIds = idGenerator && { generator: idGenerator, hook: guard.hook('idGenerator', 'idGenerator') };
    this.#releaseHold();
    this.others.release();
    this.#route.attach();
  }

  /** Back to the defaults, for a tenant whose configuration has to be asked for again or is gone. */
  unconfigure(): void {
    this.#traces?.settleAll();
    const previous = this.#route;
    this.options.guard.forgetHooks();
    this.#route = undefined;
    this.#hostIds = undefined;
    this.#hurried = false;
    this.#sampler = unconfiguredSampler;
    this.#follow(this.options.defaults);
    if (previous !== undefined) this.#retire(previous);
  }

  /** Takes an ended span. */
  keep(span: RecordingSpan): void {
    if (!this.tracing) return;
    const { localTrace } = span;
    if (localTrace !== undefined) this.#keepTentative(span, localTrace);
    else if (this.#route !== undefined) this.#push(this.#route, span);
    else if (!isSampled(span.context)) this.discard('sampled', 1);
    else this.#holdBack(span);
  }

  /** What may be shown of a span, also an open one; `undefined` while there is no configuration to say so. */
  show(span: EndedSpan): EndedSpan | undefined {
    return this.#route?.show(span);
  }

  /** Where copies of tenants' spans go, of the platform tracer; `undefined` once it is closed. */
  copyOutlet(): CopyOutlet | undefined {
    return this.tracing ? this.#route?.copyOutlet() : undefined;
  }

  /** Sends without waiting for batches to fill, until `relax`. */
  hurry(): void {
    this.#hurried = true;
    this.#route?.drain();
  }

  relax(): void {
    this.#hurried = false;
    this.#route?.relax();
  }

  /**
   * Waits until nothing is left, or, with `attempted`, until each destination was tried. Nothing can be left when open
   * traces are decided by what is known of them. Never rejects, may never resolve.
   */
  async deliver(until: 'attempted' | 'empty'): Promise<void> {
    if (until === 'empty') this.#traces?.settleAll();
    await Promise.all(this.routes.map((route) => route.deliver(until)));
  }

  /**
   * Gives up what waits, under `reason`, and lets go of queues, processors and exporter. Resolves when those are
   * flushed; never rejects, may never resolve.
   */
  async close(reason: DropReason): Promise<void> {
    this.#traces?.settleAll();
    const routes = this.routes;
    this.discardHold(reason);
    this.#watch?.close();
    this.#route = undefined;
    this.#retiring = [];
    this.#hurried = false;
    this.#traces = undefined;
    await Promise.all(routes.map((route) => route.close(reason)));
  }

  discardHold(reason: DropReason): void {
    this.#drop(reason, this.#takeHeld().length);
    this.others.discard(reason);
  }

  /** Counts spans that never reach a queue. */
  discard(reason: DropReason, count: number): void {
    if (!this.tracing) return;
    this.options.ledgers.traces.countCreated(count);
    this.#drop(reason, count);
  }

  #follow({ sessions, signals }: TracerDefaults): void {
    this.tracing = signals.traces;
    this.#rootSessions = sessions === 'per-root' ? (this.#rootSessions ?? new RootSessions()) : undefined;
  }

  #watchFor(settings: AgentSettings): AgentWatch {
    const { emitPending, pipeline } = this.options;
    this.#watch ??= new AgentWatch({ agenda: pipeline.agenda, emitPending }, settings);
    this.#watch.settings = settings;
    return this.#watch;
  }

  #drop(reason: DropReason, count: number): void {
    recordDrop(this.options.ledgers.traces, this.options.tenantId, reason, count);
  }

  #push(route: SpanRoute, span: RecordingSpan): void {
    if (!route.hooks.empty) route.hooks.ended(span);
    if (isSampled(span.context)) route.push(span);
    else this.discard('sampled', 1);
  }

  #keepTentative(span: RecordingSpan, localTrace: LocalTrace<RecordingSpan>): void {
    localTrace.note(span);
    const route = this.#route;
    if (route !== undefined && localTrace.decision === 'unconfigured') sampleLate(localTrace, this.#sampler);
    if (localTrace.decision === 'unrecorded') this.discard('sampled', 1);
    else if (route === undefined) this.#holdBack(span);
    else {
      if (!route.hooks.empty) route.hooks.ended(span);
      localTrace.note(span);
      this.#traces ??= this.#openTraceHold();
      this.#traces.push(span, localTrace);
    }
  }

  #openTraceHold(): TraceHold {
    const { ledgers, pipeline, tenantId } = this.options;
    return new TraceHold({
      tenantId,
      ledger: ledgers.traces,
      limits: () => this.settings.limits,
      budget: pipeline.budget,
      clock: pipeline.clock,
      keep: (span, localTrace) => {
        if (localTrace.prepaid) localTrace.prepaid = false;
        else this.#rate?.charge();
        if (span instanceof TentativeSpan) span.markSampled();
        if (this.#route === undefined) this.#holdBack(span);
        else this.#route.push(span);
      },
    });
  }

  /** A held span counts as one that is queued; how many destinations it has is not known yet. */
  #holdBack(span: RecordingSpan): void {
    const { ledgers, pipeline } = this.options;
    this.#hold ??= new SpanHold({
      limits: this.settings.limits,
      budget: pipeline.budget,
      crowdedOut: (count) => this.#drop('queue_full', count),
    });
    ledgers.traces.countCreated(1);
    if (!this.#hold.push(span)) this.#drop('queue_full', 1);
  }

  #takeHeld(): readonly RecordingSpan[] {
    const held = this.#hold?.takeAll() ?? [];
    this.#hold = undefined;
    return held;
  }

  /** Spans from before the configuration meet what it says: its sampling, its processors, its destinations. */
  #releaseHold(): void {
    const held = this.#takeHeld();
    this.options.ledgers.traces.countCreated(-held.length);
    for (const span of held) this.keep(span);
  }

  /** A route that is no longer in force delivers what it has, with its own credentials, within the grace. */
  #retire(route: SpanRoute): void {
    const { drainTimeoutMillis, pipeline, progressed } = this.options;
    const finish = (): void => {
      pipeline.agenda.cancel(graceOver);
      void route.close('evicted');
      this.#retiring = this.#retiring.filter((other) => other !== route);
      progressed();
    };
    const graceOver: Job = { due: finish };
    this.#retiring.push(route);
    pipeline.agenda.schedule(graceOver, pipeline.agenda.now() + drainTimeoutMillis);
    void route.retire().then(finish);
  }
}
