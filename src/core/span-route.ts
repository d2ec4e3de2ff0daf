import { tenantResource } from '../infra/resources.ts';
import { untraced } from '../infra/untraced.ts';
import type { AgentWatch } from '../processing/agent-watch.ts';
import { CopyOutlet } from '../processing/copy-outlet.ts';
import type { LaneSettings, OutletTenant } from '../processing/destination-lane.ts';
import type { EndedSpan } from '../processing/ended-span.ts';
import type { Lane } from '../processing/lane.ts';
import type { DropReason } from '../processing/ledger.ts';
import { LogOutlet } from '../processing/log-outlet.ts';
import { SEVERITIES } from '../processing/log-record.ts';
import { MetricOutlet, type MetricSource } from '../processing/metric-outlet.ts';
import type { RecordingSpan } from '../processing/span.ts';
import type { SpanCopier } from '../processing/span-copier.ts';
import { SpanHooks } from '../processing/span-hooks.ts';
import { type OutletSettings, SpanOutlet } from '../processing/span-outlet.ts';
import type { Spool } from '../processing/spool.ts';
import type { SpoolSegment } from '../processing/spool-segment.ts';
import { TenantCopier } from '../processing/tenant-copier.ts';
import type { TelemetrySignal } from '../utils/telemetry-signal.ts';
import { RouteDestinations } from './route-destinations.ts';
import type { TracerDefaults } from './settings.ts';
import type { SpanRouteOptions } from './span-route-options.ts';

/** What measures for the tenant, if anything does. */
export interface Measuring {
  readonly metricSource: MetricSource | undefined;
}

/**
 * What one configuration of a tenant opens: its span processors and its ways out, made when the first span needs them.
 * A changed configuration gets a route of its own.
 */
export class SpanRoute {
  readonly settings: TracerDefaults;
  readonly #options: SpanRouteOptions;
  readonly #watch: AgentWatch | undefined;
  readonly #measuring: Measuring;
  #routeDestinations: RouteDestinations | undefined;
  #logs: LogOutlet | undefined;
  #metrics: MetricOutlet | undefined;
  /** What still pushes data points. */
  #collecting = 0;
  #retired = false;
  #hooks: SpanHooks | undefined;
  #outlet: SpanOutlet | undefined;
  #copies: CopyOutlet | undefined;
  #hurried = false;
  #closing: Promise<void> | undefined;
  #detach: (() => void) | undefined;

  constructor(options: SpanRouteOptions, settings: TracerDefaults, measuring: Measuring, watch?: AgentWatch) {
    this.#measuring = measuring;
    this.#options = options;
    this.#watch = watch;
    this.settings = settings;
    options.leases.take(settings);
  }

  get hooks(): SpanHooks {
    this.#hooks ??= new SpanHooks(this.settings.spanProcessors, this.#options.guard, this.#watch);
    return this.#hooks;
  }

  get lanes(): readonly Lane[] {
    return [this.#outlet, this.#copies, this.#logs, this.#metrics].flatMap((outlet) => outlet?.lanes ?? []);
  }

  /** Spans that are neither delivered nor dropped. */
  get queued(): number {
    return (this.#outlet?.queued ?? 0) + (this.#copies?.queued ?? 0);
  }

  /** Spans that are only on the disk. */
  get spooled(): number {
    return this.#outlet?.spooled ?? 0;
  }

  /** What is wrong with the disk under the spool. */
  get spoolProblem(): string | undefined {
    return this.#spool?.store.problem;
  }

  get queuedLogs(): number {
    return queuedIn(this.#logs);
  }

  get queuedMetrics(): number {
    return queuedIn(this.#metrics);
  }

  /** Whether nothing of any signal waits, or is about to. */
  get empty(): boolean {
    return this.queued + this.spooled + this.queuedLogs + this.queuedMetrics + this.#collecting === 0;
  }

  get bytes(): number {
    return this.lanes.reduce((sum, lane) => sum + lane.bytes, 0);
  }

  push(span: RecordingSpan): void {
    this.#outlet ??= this.#open();
    this.#outlet.push(span);
  }

  /** What may be shown of a span; `undefined` where that cannot be told. */
  show(span: EndedSpan): EndedSpan | undefined {
    this.#outlet ??= this.#open();
    return this.#outlet.show(span);
  }

  /** Where log records go; nowhere when logs are switched off. */
  logOutlet(): LogOutlet | undefined {
    if (this.#logs === undefined && this.settings.signals.logs) {
      const { limits, logs } = this.settings;
      this.#logs = new LogOutlet(this.#options.pipeline, this.#tenant('logs'), {
        ...this.#laneSettings,
        limits,
        destinations: this.#destinations.of('logs'),
        redaction: this.#destinations.redaction,
        minSeverityNumber: SEVERITIES[logs.minSeverity],
        resource: () => tenantResource(this.#options.baseResource, this.settings),
      });
      this.#opened(this.#logs);
    }
    return this.#logs;
  }

  /** Where metrics go; nowhere when they are switched off. */
  metricOutlet(): MetricOutlet | undefined {
    if (this.#metrics === undefined && this.settings.signals.metrics) {
      this.#metrics = new MetricOutlet(this.#options.pipeline, this.#tenant('metrics'), {
        ...this.#laneSettings,
        destinations: this.#destinations.of('metrics'),
        redaction: this.#destinations.redaction,
      });
      this.#opened(this.#metrics);
    }
    return this.#metrics;
  }

  /** Where copies of all tenants' spans go; of the platform tracer only. */
  copyOutlet(): CopyOutlet {
    if (this.#copies === undefined) {
      this.#copies = new CopyOutlet(this.#options.pipeline, this.#tenant('traces'), this.#outletSettings());
      this.#opened(this.#copies);
    }
    return this.#copies;
  }

  /** Claims what the tenant has on the disk, now and whenever something turns up. */
  attach(): void {
    const claim = (segment: SpoolSegment): boolean => {
      this.#outlet ??= this.#open();
      return this.#outlet.claim(segment);
    };
    const { pipeline, spoolName } = this.#options;
    // The one that is configured has to be open; another may have been before.
    if (this.#spool !== undefined) this.#detach = pipeline.spools.attach(spoolName, { claim });
  }

  /** Claims nothing any more. */
  detach(): void {
    this.#detach?.();
    this.#detach = undefined;
  }

  /** Is no longer in force: takes what was measured until now, delivers everything, and takes nothing any more. */
  retire(): Promise<void> {
    this.detach();
    const delivered = this.deliver('empty');
    this.#retired = true;
    return delivered;
  }

  /** Sends without waiting for batches to fill, until `relax`. */
  hurry(): void {
    if (this.#hurried) return;
    this.#hurried = true;
    for (const lane of this.lanes) lane.hurry();
  }

  /** As `hurry`, and sends what was measured until now. */
  drain(): void {
    if (this.#hurried) return;
    this.hurry();
    void this.#collect();
  }

  relax(): void {
    if (!this.#hurried) return;
    this.#hurried = false;
    for (const lane of this.lanes) lane.relax();
  }

  /**
   * Waits until nothing is left, or, with `attempted`, until each destination was tried; meanwhile the processors and
   * the exporter flush. None of them waits for another. Never rejects, may never resolve.
   */
  async deliver(until: 'attempted' | 'empty'): Promise<void> {
    await untraced(() => Promise.all([this.#hooks?.flush(), this.#deliverAll(until)]));
  }

  /** Gives up what is left, under `reason`, and lets go of processors and exporter. Never rejects, may never resolve. */
  close(reason: DropReason): Promise<void> {
    if (this.#closing === undefined) {
      this.detach();
      const signals = [this.#logs, this.#metrics].flatMap((outlet) => outlet?.lanes ?? []);
      const ended = [this.#outlet, this.#copies, ...signals].map((way) => way?.close(reason));
      this.#closing = Promise.all([...ended, this.#options.leases.giveBack(this.settings)]).then(() => {});
    }
    return this.#closing;
  }

  #deliverAll(until: 'attempted' | 'empty'): Promise<void> {
    if (this.#measuring.metricSource === undefined) return this.#deliverLanes(until);
    return this.#collect().then(() => this.#deliverLanes(until));
  }

  async #deliverLanes(until: 'attempted' | 'empty'): Promise<void> {
    const { lanes } = this;
    if (lanes.length === 0) return;
    await Promise.all(lanes.map((lane) => deliverLane(lane, until)));
    const { exporter } = this.settings;
    if (this.#closing !== undefined) return;
    try {
      await exporter?.forceFlush?.();
    } catch (error) {
      this.#options.guard.report('exporter', 'forceFlush', error);
    }
  }

  get #spool(): Spool | undefined {
    const { spool } = this.settings;
    return spool && this.#options.pipeline.spools.open(spool.directory);
  }

  #open(): SpanOutlet {
    const outlet = new SpanOutlet(this.#options.pipeline, this.#tenant('traces'), this.#outletSettings());
    this.#opened(outlet);
    return outlet;
  }

  #tenant(signal: TelemetrySignal): OutletTenant {
    const { tenantId, isPlatform, guard, ledgers, progressed } = this.#options;
    return { tenantId, isPlatform, guard, ledger: ledgers[signal], progressed };
  }

  get #destinations(): RouteDestinations {
    this.#routeDestinations ??= new RouteDestinations(this.#options, this.settings);
    return this.#routeDestinations;
  }

  get #laneSettings(): LaneSettings {
    const { batch, limits, retry } = this.settings;
    return { batch, limits, retry };
  }

  /** Lets whoever measures push what is not pushed yet. Never rejects. */
  async #collect(): Promise<void> {
    const { guard, progressed } = this.#options;
    const source = this.#retired || this.#closing !== undefined ? undefined : this.#measuring.metricSource;
    const outlet = source && this.metricOutlet();
    if (source === undefined || outlet === undefined) return;
    this.#collecting += 1;
    try {
      await source.collect(outlet);
    } catch (error) {
      guard.report('metrics', 'collect', error);
    }
    this.#collecting -= 1;
    progressed();
  }

  #opened({ lanes }: { readonly lanes: readonly Lane[] }): void {
    if (this.#hurried) for (const lane of lanes) lane.hurry();
  }

  #outletSettings(): OutletSettings {
    const { guard, baseResource, spoolName } = this.#options;
    const { batch, exporter, limits, retry, spool } = this.settings;
    const home = this.#spool;
    return {
      destinations: this.#destinations.of('traces'),
      exporter: exporter && { exporter, hook: guard.hook('exporter', 'export') },
      redact: this.#destinations.redaction?.span,
      limits,
      batch,
      retry,
      resource: () => tenantResource(baseResource, this.settings),
      spool: spool && home && { home, name: spoolName, maxBytes: spool.maxBytes, fsync: spool.fsync },
      copier: this.#copier(),
    };
  }

  #copier(): SpanCopier | undefined {
    const { baseResource, copies, tenantId } = this.#options;
    if (copies === undefined) return undefined;
    // Only here does the tenant's id go on the wire by itself.
    const resource = () => ({ ...tenantResource(baseResource, this.settings), 'tenant.id': tenantId });
    return new TenantCopier({ tenantId, share: copies.share, target: copies, resource });
  }
}

function queuedIn(outlet: { readonly lanes: readonly Lane[] } | undefined): number {
  return outlet === undefined ? 0 : outlet.lanes.reduce((sum, lane) => sum + lane.queued, 0);
}

async function deliverLane(lane: Lane, until: 'attempted' | 'empty'): Promise<void> {
  lane.hurry();
  await lane.settled(until);
  lane.relax();
}
