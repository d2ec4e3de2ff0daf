import type { Context, Span, SpanOptions } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import { tenantResource } from '../infra/resources.ts';
import { within } from '../lifecycle/deadline.ts';
import type { TenantReport } from '../lifecycle/report.ts';
import { Signal } from '../lifecycle/signal.ts';
import { canBecome, isRecordingState, type TracerState } from '../lifecycle/tracer-state.ts';
import { Ledgers } from '../processing/ledger.ts';
import type { ScopeOwner } from '../processing/scope.ts';
import { SettledResource } from '../processing/settled-resource.ts';
import type { RecordingSpan } from '../processing/span.ts';
import type { SpanScope } from '../processing/span-host.ts';
import { recordPending, type SpanStarter, startSpan } from '../processing/start-span.ts';
import type { TapSlot, TapTenant } from '../processing/telemetry-tap.ts';
import { NOOP_SPAN } from '../processing/unsampled-span.ts';
import type { Clock } from '../utils/clock.ts';
import { publishDiagnostic } from '../utils/diagnostics.ts';
import type { ConfigIssue } from '../utils/errors.ts';
import type { Guard } from '../utils/guard.ts';
import { Grace } from './grace.ts';
import { Metering } from './metering.ts';
import { OWN_SCOPE } from './own-scope.ts';
import { PLATFORM_SPOOL_NAME, type TracerDefaults } from './settings.ts';
import { SpanPath } from './span-path.ts';
import { SpanRules } from './span-rules.ts';
import { failureOf, reportWhile } from './tenant-report.ts';
import type { TracerHouse } from './tracer-house.ts';

/**
 * The engine behind one tenant's tracer: its state and its spans. One object for each tenant as long as anybody holds
 * its tracer; what costs memory is made on first use and let go when the tenant is evicted.
 */
export class TracerRuntime extends SpanRules implements ScopeOwner, SpanStarter, TapTenant {
  // First what a warm `registry.get` touches: one cache line of an object that is often in no cache.
  /** Set at each use, cleared by the registry's sweep. */
  touched = true;
  /** Whether host code may hold the tracer. */
  handedOut = false;
  /** The tracer in the host's hands; it lives as long as this does. */
  handle: object | undefined;
  readonly tenantId: string;
  readonly house: TracerHouse<TracerRuntime>;
  readonly guard: Guard;
  readonly ledgers: Ledgers;
  readonly path: SpanPath;
  readonly isPlatform: boolean;
  /** Does nothing for all tenants that do not exist; cannot be shut down. */
  standsIn = false;
  issues: readonly ConfigIssue[] = [];
  /** Counts the configurations that were put in force. */
  generation = 0;
  readonly #tap: TapSlot;
  #state: TracerState = 'pending';
  #reason: string | undefined;
  #resource: Resource | undefined;
  #open = 0;
  #started = 0;
  #unsampled = 0;
  #grace: Grace | undefined;
  #accepting = true;
  #shutdown: Promise<TenantReport> | undefined;
  /** The configuration came, or cannot be had, or is not wanted any more. */
  #answered: Signal | undefined;
  /** When `shutdown` has to end, by the monotonic clock. */
  #endsAt = Number.POSITIVE_INFINITY;
  /** The time of a later, shorter call of `shutdown` is over. */
  #overdue: Signal | undefined;
  #metering: Metering | undefined;

  constructor(house: TracerHouse<TracerRuntime>, tenantId: string, isPlatform = false) {
    super();
    this.house = house;
    const { baseResource, defaults, drainTimeoutMillis, leases, pipeline } = house;
    this.tenantId = tenantId;
    this.isPlatform = isPlatform;
    this.#tap = pipeline.tap;
    this.guard = house.createGuard(tenantId);
    this.ledgers = new Ledgers(house.ledgers);
    this.path = new SpanPath({
      tenantId,
      spoolName: isPlatform ? PLATFORM_SPOOL_NAME : tenantId,
      isPlatform,
      copies: isPlatform ? undefined : house.copies,
      ...{ baseResource, defaults, drainTimeoutMillis, leases, pipeline },
      guard: this.guard,
      ledgers: this.ledgers,
      progressed: () => this.#checkDrained(),
      emitPending: (span) => {
        if (isRecordingState(this.#state)) recordPending(this, span);
      },
    });
  }

  get owner(): ScopeOwner {
    return this;
  }

  get state(): TracerState {
    return this.#state;
  }

  /** Why the tracer is degraded or disabled. */
  get reason(): string | undefined {
    return this.#reason;
  }

  get boundary(): 'isolate' | 'link' {
    return this.path.configured ? this.path.settings.boundary : 'isolate';
  }

  /** What the tenant measures with. */
  get metering(): Metering {
    this.#metering ??= new Metering(this);
    return this.#metering;
  }

  /** The same, if it measures at all. */
  get measured(): Metering | undefined {
    return this.#metering;
  }

  get clock(): Clock {
    return this.house.pipeline.clock;
  }

  get ids() {
    return this.house.pipeline.ids;
  }

  /** Spans that were started and have not ended. */
  get open(): number {
    return this.#open;
  }

  get started(): number {
    return this.#started;
  }

  /** Those of them that sampling turned away at once. */
  get unsampled(): number {
    return this.#unsampled;
  }

  resource(): Resource {
    this.#resource ??= new SettledResource(tenantResource(this.house.baseResource, this.path.settings));
    return this.#resource;
  }

  /** Notes a use; an evicted tenant comes back. Answers whether spans are recorded. */
  admit(): boolean {
    this.touched = true;
    if (isRecordingState(this.#state)) return true;
    if (this.#state === 'draining' || this.#state === 'dormant') this.house.readmit(this);
    return isRecordingState(this.#state);
  }

  /** Starts a span, or one that does nothing while the tracer does not record. May throw what the host's values throw. */
  start(
    name: string,
    options: SpanOptions | undefined,
    context: Context,
    isExplicit: boolean,
    instrumentation: SpanScope = OWN_SCOPE,
    starter: SpanStarter = this,
  ): Span & Disposable {
    if (!this.admit() || !this.path.tracing) return NOOP_SPAN;
    return startSpan(starter, instrumentation, name, options, context, isExplicit);
  }

  spanStarted(span: RecordingSpan): void {
    this.#open += 1;
    this.#started += 1;
    this.#tap.current?.started(this, span);
  }

  spanUnsampled(): void {
    this.#started += 1;
    this.#unsampled += 1;
    this.path.discard('sampled', 1);
  }

  spanEnding(span: RecordingSpan): void {
    if (!this.hooks.empty) this.hooks.ending(span);
  }

  spanEnded(span: RecordingSpan): void {
    this.#open -= 1;
    this.#tap.current?.ended(span);
    if (this.#state === 'dormant') this.house.readmit(this);
    if (this.#state === 'disabled') this.path.discard('tenant_unknown', 1);
    // Still dormant: the registry has been shut down.
    else if (!this.#accepting || this.#state === 'dormant') this.path.discard('shutdown_deadline', 1);
    else this.path.keep(span);
    this.#checkDrained();
  }

  /** Puts a configuration in force: the first one, or a changed one, whose predecessor delivers what it has. */
  configure(settings: TracerDefaults, issues: readonly ConfigIssue[]): void {
    if (!this.#accepting) return;
    this.confirm(issues);
    this.#resource = undefined;
    this.generation += 1;
    this.guard.level = settings.resilience;
    this.path.configure(settings);
    this.#metering?.configured();
    if (this.#state !== 'draining' && this.#state !== 'closed') this.#become('active');
    this.#answered?.raise();
    this.#checkDrained();
  }

  /** The configuration in force was confirmed. */
  confirm(issues: readonly ConfigIssue[]): void {
    this.issues = issues;
    this.#reason = undefined;
  }

  /** The configuration cannot be had at the moment. One that is in force stays; without one it records and keeps. */
  degrade(reason: string): void {
    if (this.#state === 'closed') return;
    this.#reason = reason;
    if (this.#state === 'pending') this.#become('degraded');
    this.#answered?.raise();
    publishDiagnostic('isotrace:tenant:degraded', { tenantId: this.tenantId, reason });
  }

  /** There is no such tenant: what was recorded without a configuration is dropped, what is queued still delivered. */
  disable(): void {
    if (this.#state !== 'closed') {
      this.#grace?.end();
      this.#become('disabled');
      this.#reason = 'configure knows no such tenant';
    }
    this.path.discardHold('tenant_unknown');
    this.path.unconfigure();
    this.#metering?.rest();
    this.#answered?.raise();
  }

  /** Stops holding memory: delivers what is there and waits for open spans, both within the grace. */
  evict(): void {
    if (!isRecordingState(this.#state)) return;
    this.#become('draining');
    this.path.hurry();
    this.#grace ??= new Grace(this.house.pipeline.agenda, () => this.#release());
    this.#grace.begin(this.house.drainTimeoutMillis);
    this.#checkDrained();
  }

  /** Takes a draining tracer back into use, as it was. */
  revive(): void {
    if (this.#state !== 'draining') return;
    this.#grace?.end();
    this.path.relax();
    this.#become(this.path.configured ? 'active' : this.#reason === undefined ? 'pending' : 'degraded');
  }

  /** A dormant or disabled tracer records again, until it is told its configuration. */
  reopen(): void {
    this.#become('pending');
    this.#reason = undefined;
    this.path.unconfigure();
  }

  /** Delivers what is there now. Never rejects; ends in time. */
  flush(timeoutMillis: number): Promise<TenantReport> {
    return reportWhile(this, async () => {
      const ended = await within(this.clock, timeoutMillis, this.#deliver('attempted'), true);
      return failureOf(this, ended);
    });
  }

  /**
   * Delivers what is there, then stops for good. Never rejects; ends in time. Later calls get the same report, but may
   * give it less time. What others still bring until `others` resolves is delivered too.
   */
  shutdown(timeoutMillis: number, others?: Promise<unknown>): Promise<TenantReport> {
    if (this.standsIn) return this.flush(timeoutMillis);
    this.#endsAt = Math.min(this.#endsAt, this.clock.monotonic() + timeoutMillis);
    if (this.#shutdown === undefined) this.#shutdown = this.#close(timeoutMillis, others);
    else void within(this.clock, timeoutMillis, this.#shutdown, true).then((ended) => ended || this.#overdue?.raise());
    return this.#shutdown;
  }

  async #close(timeoutMillis: number, others?: Promise<unknown>): Promise<TenantReport> {
    const { clock, path, tenantId } = this;
    this.#overdue = new Signal();
    const overdue = this.#overdue.wait();
    this.#grace?.end();
    this.#become('closed');
    this.house.closing(this);
    const report = await reportWhile(this, async () => {
      const ended = await within(clock, timeoutMillis, Promise.race([this.#deliverAll(others), overdue]), true);
      const failure = failureOf(this, ended);
      this.#accepting = false;
      const closed = path.close('shutdown_deadline');
      this.#metering?.rest();
      this.#answered?.raise();
      await within(clock, this.#timeLeft, Promise.race([closed, overdue]), true);
      return failure;
    });
    await this.house.closed(this, this.#timeLeft);
    publishDiagnostic('isotrace:tenant:closed', { tenantId });
    return report;
  }

  get #timeLeft(): number {
    return Math.max(this.#endsAt - this.clock.monotonic(), 0);
  }

  async #deliver(until: 'attempted' | 'empty'): Promise<void> {
    while (this.path.holds && (until === 'empty' || this.#reason === undefined)) {
      this.#answered ??= new Signal();
      await this.#answered.wait();
    }
    await this.path.deliver(until);
  }

  /** What is measured is asked for once, when the others are done. Those that hang get half of the time before that. */
  async #deliverAll(others?: Promise<unknown>): Promise<void> {
    if (others === undefined) return this.#deliver('empty');
    this.path.route?.hurry();
    const done = await within(this.clock, this.#timeLeft / 2, others);
    await this.#deliver('empty');
    if (!done) await others.then(() => this.#deliver('empty'));
  }

  #checkDrained(): void {
    const draining = this.#state === 'draining' && this.#open === 0;
    if ((!draining && this.#state !== 'disabled') || !this.path.empty) return;
    if (draining) this.#release();
    else this.house.drained(this);
  }

  #release(): void {
    if (this.#state !== 'draining') return;
    this.#grace?.end();
    this.#become('dormant');
    void this.path.close('evicted');
    this.#metering?.rest();
    this.#answered?.raise();
    this.house.drained(this);
  }

  #become(next: TracerState): void {
    if (this.#state === next) return;
    this.#metering?.pause();
    if (canBecome(this.#state, next)) this.#state = next;
    else this.guard.report('api', 'state', `no step from ${this.#state} to ${next}`);
  }
}
