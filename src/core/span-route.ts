import { tenantResource } from '../infra/resources.ts';
import { untraced } from '../infra/untraced.ts';
import type { AgentWatch } from '../processing/agent-watch.ts';
import type { CopyOutlet } from '../processing/copy-outlet.ts';
import type { LaneSettings, OutletTenant } from '../processing/destination-lane.ts';
import type { EndedSpan } from '../processing/ended-span.ts';
import type { Lane } from '../processing/lane.ts';
import type { DropReason } from '../processing/ledger.ts';
import { LogOutlet } from '../processing/log-outlet.ts';
import { type LogRecord, SEVERITIES } from '../processing/log-record.ts';
import { MetricOutlet, type MetricSource } from '../processing/metric-outlet.ts';
import { LOG_RECORDS, type RecordKind, SPANS } from '../processing/record-kind.ts';
import type { RecordingSpan } from '../processing/span.ts';
import { SpanHooks } from '../processing/span-hooks.ts';
import { type OutletSettings, SpanOutlet } from '../processing/span-outlet.ts';
import type { Spool } from '../processing/spool.ts';
import type { OutletSpool } from '../processing/spool-lane.ts';
import type { SpoolSegment } from '../processing/spool-segment.ts';
import { WireParts } from '../processing/wire-parts.ts';
import type { TelemetrySignal } from '../utils/telemetry-signal.ts';
import { copierOf, openCopies } from './route-copies.ts';
import { RouteDestinations } from './route-destinations.ts';
import { closeIdle, deliverLane } from './route-lanes.ts';
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
  #copies: CopyOutlet<EndedSpan> | undefined;
  #logCopies: CopyOutlet<LogRecord> | undefined;
  #parts: WireParts | undefined;
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
    return [this.#outlet, this.#copies, this.#logs, this.#logCopies, this.#metrics].flatMap(
      (outlet) => outlet?.lanes ?? [],
    );
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
    return (this.#logs?.queued ?? 0) + (this.#logCopies?.queued ?? 0);
  }

  /** Log records that are only on the disk. */
  get spooledLogs(): number {
    return this.#logs?.spooled ?? 0;
  }

  get queuedMetrics(): number {
    return this.#metrics?.lanes.reduce((sum, lane) => sum + lane.queued, 0) ?? 0;
  }

  /** Whether nothing of any signal waits, or is about to. */
  get empty(): boolean {
    const waiting = this.queued + this.queuedLogs + this.queuedMetrics + this.#collecting;
    return waiting + this.spooled + this.spooledLogs === 0;
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
    if (!this.settings.signals.logs) return undefined;
    this.#logs ??= this.#openLogs();
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
  copyOutlet(): CopyOutlet<EndedSpan> {
    this.#copies ??= this.#openCopies(SPANS);
    return this.#copies;
  }

  /** The same for log records. */
  logCopyOutlet(): CopyOutlet<LogRecord> {
    this.#logCopies ??= this.#openCopies(LOG_RECORDS);
    return this.#logCopies;
  }

  /** Claims what the tenant has on the disk, now and whenever something turns up. */
  attach(): void {
    const { pipeline, spoolName } = this.#options;
    const claim = (segment: SpoolSegment): boolean => this.#claim(segment);
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

  /** Gives back the ways out for spans and log records when there is nothing in them; they are made anew when needed. */
  rest(): void {
    if (this.#hurried || this.#closing !== undefined || !this.empty) return;
    const { exporter, limits } = this.settings;
    if (exporter === undefined && closeIdle(this.#outlet, limits.spansPerSecond)) this.#outlet = undefined;
    if (closeIdle(this.#logs, limits.logsPerSecond)) this.#logs = undefined;
    if (this.#outlet === undefined && this.#logs === undefined) this.#parts = undefined;
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
      const signals = [this.#logs, this.#logCopies, this.#metrics].flatMap((outlet) => outlet?.lanes ?? []);
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

  #claim(segment: SpoolSegment): boolean {
    // Also when the signal is switched off: it was not when these were recorded.
    if (segment.header.signal === 'logs') {
      this.#logs ??= this.#openLogs();
      return this.#logs.claim(segment);
    }
    this.#outlet ??= this.#open();
    return this.#outlet.claim(segment);
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

  #openLogs(): LogOutlet {
    const { limits, logs } = this.settings;
    const outlet = new LogOutlet(this.#options.pipeline, this.#tenant('logs'), {
      ...this.#laneSettings,
      limits,
      destinations: this.#destinations.of('logs'),
      redaction: this.#destinations.redaction,
      minSeverityNumber: SEVERITIES[logs.minSeverity],
      parts: this.#wireParts,
      spool: this.#outletSpool,
      copier: copierOf(this.#options, this.settings, ({ logs: copied }) => copied),
    });
    this.#opened(outlet);
    return outlet;
  }

  #openCopies<Item>(kind: RecordKind<Item>): CopyOutlet<Item> {
    const platform = this.#tenant(kind.signal);
    const copies = openCopies(kind, this.#options.pipeline, platform, this.#laneSettings, this.#destinations);
    this.#opened(copies);
    return copies;
  }

  #tenant(signal: TelemetrySignal): OutletTenant {
    const { tenantId, isPlatform, guard, ledgers, progressed } = this.#options;
    return { tenantId, isPlatform, guard, ledger: ledgers[signal], progressed };
  }

  get #destinations(): RouteDestinations {
    this.#routeDestinations ??= new RouteDestinations(this.#options, this.settings);
    return this.#routeDestinations;
  }

  get #wireParts(): WireParts {
    const { baseResource, guard, pipeline } = this.#options;
    this.#parts ??= new WireParts(() => tenantResource(baseResource, this.settings), guard, pipeline.scopeBytes);
    return this.#parts;
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
    const { guard } = this.#options;
    const { batch, exporter, limits, retry } = this.settings;
    return {
      destinations: this.#destinations.of('traces'),
      exporter: exporter && { exporter, hook: guard.hook('exporter', 'export') },
      redact: this.#destinations.redaction?.span,
      limits,
      batch,
      retry,
      parts: this.#wireParts,
      spool: this.#outletSpool,
      copier: copierOf(this.#options, this.settings, ({ spans }) => spans),
    };
  }

  get #outletSpool(): OutletSpool | undefined {
    const { spool } = this.settings;
    const home = this.#spool;
    return spool && home && { home, name: this.#options.spoolName, maxBytes: spool.maxBytes, fsync: spool.fsync };
  }
}
