import { TraceFlags } from '@opentelemetry/api';
import type { IdGenerator } from '@opentelemetry/sdk-trace';
import type { Job } from '../processing/agenda.ts';
import type { Lane } from '../processing/lane.ts';
import { type DropReason, recordDrop } from '../processing/ledger.ts';
import { createHostSampler, createRatioSampler, isInRatio, type SpanSampler } from '../processing/sampling.ts';
import type { RecordingSpan } from '../processing/span.ts';
import { SpanHold } from '../processing/span-hold.ts';
import { SpanHooks } from '../processing/span-hooks.ts';
import type { HeldContext } from '../processing/span-identity.ts';
import type { HookSwitch } from '../utils/guard.ts';
import type { TracerDefaults } from './settings.ts';
import { SpanRoute, type SpanRouteOptions } from './span-route.ts';

export interface SpanPathOptions extends SpanRouteOptions {
  /** In force until the tenant's own configuration comes. */
  readonly defaults: TracerDefaults;
  readonly drainTimeoutMillis: number;
}

/**
 * What a tenant's spans go through: the hold while there is no configuration, then the route that the configuration
 * opens. A change of configuration opens a new route and lets the old one deliver what it has.
 */
export class SpanPath {
  readonly #options: SpanPathOptions;
  #route: SpanRoute | undefined;
  #retiring: SpanRoute[] = [];
  #sampler: SpanSampler = createRatioSampler(1);
  #hostIds: { readonly generator: IdGenerator; readonly hook: HookSwitch } | undefined;
  /** The registry's processors, for spans that start before the configuration comes. */
  #defaultHooks: SpanHooks | undefined;
  #hold: SpanHold | undefined;
  /** Spans of traces that began before the configuration came: its ratio is applied to them when they end. */
  #undecided: WeakSet<HeldContext> | undefined;
  #hurried = false;

  constructor(options: SpanPathOptions) {
    this.#options = options;
  }

  get settings(): TracerDefaults {
    return this.#route?.settings ?? this.#options.defaults;
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
    this.#defaultHooks ??= new SpanHooks(this.#options.defaults.spanProcessors, this.#options.guard);
    return this.#defaultHooks;
  }

  get lanes(): readonly Lane[] {
    return this.#routes.flatMap((route) => route.lanes);
  }

  /** Whether spans wait for a configuration. */
  get holds(): boolean {
    return this.#hold !== undefined && this.#hold.size > 0;
  }

  /** Spans that are neither delivered nor dropped. */
  get queued(): number {
    return this.#routes.reduce((sum, route) => sum + route.queued, this.#hold?.size ?? 0);
  }

  get bytes(): number {
    return this.#routes.reduce((sum, route) => sum + route.bytes, this.#hold?.bytes ?? 0);
  }

  get empty(): boolean {
    return this.queued === 0 && this.#retiring.length === 0;
  }

  get #routes(): readonly SpanRoute[] {
    return this.#route === undefined ? this.#retiring : [this.#route, ...this.#retiring];
  }

  /** Puts a configuration in force: the first one, or a changed one. */
  configure(settings: TracerDefaults): void {
    const { guard } = this.#options;
    const { sampling, idGenerator } = settings;
    const previous = this.#route;
    guard.forgetHooks();
    this.#route = new SpanRoute(this.#options, settings);
    if (previous !== undefined) this.#retire(previous);
    if (this.#hurried) this.#route.hurry();
    this.#sampler =
      sampling.kind === 'ratio'
        ? createRatioSampler(sampling.ratio, sampling.parentBased)
        : createHostSampler(sampling.sampler, guard.hook('sampler', 'shouldSample'));
    this.#hostIds = idGenerator && { generator: idGenerator, hook: guard.hook('idGenerator', 'idGenerator') };
    this.#releaseHold();
  }

  /** Back to the defaults, for a tenant whose configuration has to be asked for again or is gone. */
  unconfigure(): void {
    const previous = this.#route;
    this.#options.guard.forgetHooks();
    this.#route = undefined;
    this.#hostIds = undefined;
    this.#hurried = false;
    this.#sampler = createRatioSampler(1);
    if (previous !== undefined) this.#retire(previous);
  }

  /** Whether `started` has to be told of spans. */
  get deciding(): boolean {
    return this.#route === undefined || this.#undecided !== undefined;
  }

  /** Notes a span whose trace began without a configuration; one that continues a remote trace follows that. */
  started({ context, parentContext: parent }: RecordingSpan): void {
    const undecided = parent === undefined ? this.#route === undefined : this.#undecided?.has(parent);
    if (undecided !== true) return;
    this.#undecided ??= new WeakSet();
    this.#undecided.add(context);
  }

  /** Takes an ended span. */
  keep(span: RecordingSpan): void {
    if (this.#route !== undefined) this.#push(this.#route, span);
    else if (!isSampled(span)) this.discard('sampled', 1);
    else this.#holdBack(span);
  }

  /** No span is open any more. */
  allEnded(): void {
    if (this.#route !== undefined) this.#undecided = undefined;
  }

  /** Sends without waiting for batches to fill, until `relax`. */
  hurry(): void {
    this.#hurried = true;
    this.#route?.hurry();
  }

  relax(): void {
    this.#hurried = false;
    this.#route?.relax();
  }

  /** Waits until nothing is left, or, with `attempted`, until each destination was tried. Never rejects, may never resolve. */
  async deliver(until: 'attempted' | 'empty'): Promise<void> {
    await Promise.all(this.#routes.map((route) => route.deliver(until)));
  }

  /**
   * Gives up what waits, under `reason`, and lets go of queues, processors and exporter. Resolves when those are
   * flushed; never rejects, may never resolve.
   */
  async close(reason: DropReason): Promise<void> {
    const routes = this.#routes;
    this.discardHold(reason);
    this.#route = undefined;
    this.#retiring = [];
    this.#hurried = false;
    this.#undecided = undefined;
    await Promise.all(routes.map((route) => route.close(reason)));
  }

  discardHold(reason: DropReason): void {
    this.#drop(reason, this.#takeHeld().length);
  }

  /** Counts spans that never reach a queue. */
  discard(reason: DropReason, count: number): void {
    this.#options.ledger.countCreated(count);
    this.#drop(reason, count);
  }

  #drop(reason: DropReason, count: number): void {
    recordDrop(this.#options.ledger, this.#options.tenantId, reason, count);
  }

  #push(route: SpanRoute, span: RecordingSpan): void {
    if (this.#isTurnedAway(span)) {
      this.discard('sampled', 1);
      return;
    }
    if (!route.hooks.empty) route.hooks.ended(span);
    if (isSampled(span)) route.push(span);
    else this.discard('sampled', 1);
  }

  #isTurnedAway(span: RecordingSpan): boolean {
    if (this.#undecided === undefined) return false;
    const { context } = span;
    const { sampling } = this.settings;
    if (sampling.kind !== 'ratio' || sampling.ratio >= 1) return false;
    return this.#undecided.has(context) && !isInRatio(context.traceId, sampling.ratio);
  }

  /** A held span counts as one that is queued; how many destinations it has is not known yet. */
  #holdBack(span: RecordingSpan): void {
    const { ledger, pipeline } = this.#options;
    this.#hold ??= new SpanHold({
      limits: this.settings.limits,
      budget: pipeline.budget,
      crowdedOut: (count) => this.#drop('queue_full', count),
    });
    ledger.countCreated(1);
    if (!this.#hold.push(span)) this.#drop('queue_full', 1);
  }

  #takeHeld(): readonly RecordingSpan[] {
    const held = this.#hold?.takeAll() ?? [];
    this.#hold = undefined;
    return held;
  }

  /** Spans from before the configuration meet what it says: its ratio, its processors, its destinations. */
  #releaseHold(): void {
    const held = this.#takeHeld();
    this.#options.ledger.countCreated(-held.length);
    for (const span of held) this.keep(span);
  }

  /** A route that is no longer in force delivers what it has, with its own credentials, within the grace. */
  #retire(route: SpanRoute): void {
    const { drainTimeoutMillis, pipeline, progressed } = this.#options;
    const finish = (): void => {
      pipeline.agenda.cancel(graceOver);
      void route.close('evicted');
      this.#retiring = this.#retiring.filter((other) => other !== route);
      progressed();
    };
    const graceOver: Job = { due: finish };
    this.#retiring.push(route);
    pipeline.agenda.schedule(graceOver, pipeline.agenda.now() + drainTimeoutMillis);
    void route.deliver('empty').then(finish);
  }
}

function isSampled({ context }: RecordingSpan): boolean {
  return (context.traceFlags & TraceFlags.SAMPLED) !== 0;
}
