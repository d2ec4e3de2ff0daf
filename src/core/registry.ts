import type { Span } from '@opentelemetry/api';
import { context as contextApi } from '@opentelemetry/api';
import { readEnvironment } from '../infra/environment.ts';
import { installProcessHooks, type ProcessHookOptions } from '../lifecycle/process-hooks.ts';
import { combineReports, type FlushOptions, type FlushReport, resolveTimeout } from '../lifecycle/report.ts';
import { isRecordingState } from '../lifecycle/tracer-state.ts';
import { enterScope, ownerIn } from '../processing/scope.ts';
import { createTraceFunction, type TraceFunction } from '../processing/trace-function.ts';
import { NOOP_SPAN } from '../processing/unsampled-span.ts';
import { publishDiagnostic } from '../utils/diagnostics.ts';
import type { ConfigIssue } from '../utils/errors.ts';
import { isTenantId } from '../utils/tenant-id.ts';
import { configError, resolveRegistrySettings } from './config.ts';
import { createFingerprint } from './fingerprint.ts';
import { House } from './house.ts';
import { IdleSweep } from './idle-sweep.ts';
import { beginCall, runInSpan, type SpanRunOptions } from './operations.ts';
import type { RegistryOptions } from './options.ts';
import { type RegistryHealth, type RegistryStats, registryHealth } from './registry-status.ts';
import { PLATFORM_TENANT_ID, type RegistrySettings, type TracerDefaults } from './settings.ts';
import { TenantConfigurator } from './tenant-configurator.ts';
import { TenantTable } from './tenant-table.ts';
import type { Tracer } from './tracer.ts';
import type { TracerBase } from './tracer-base.ts';
import { TracerRuntime } from './tracer-runtime.ts';

/** What `reconfigure` came to. `'unchanged'`: the configuration is what it was, and nothing was touched. */
export type ReconfigureOutcome = 'changed' | 'unchanged' | 'unknown' | 'failed';

/**
 * The tenants of a process and their tracers. `get(tenantId)` is made to be called for every request: it is synchronous,
 * never throws and always answers a tracer. No method throws or rejects; only the constructor may throw, and only under
 * `strict: true`.
 */
export class TracerRegistry<T extends TracerBase = Tracer> implements AsyncDisposable {
  /** Wraps and decorates as a tracer's `trace` does, for the tenant that the code runs for when it is called. */
  readonly trace: TraceFunction;
  readonly #settings: RegistrySettings;
  readonly #house: House;
  readonly #table: TenantTable;
  readonly #configurator: TenantConfigurator;
  readonly #sweep: IdleSweep;
  readonly #fingerprint = createFingerprint();
  readonly #counts = { created: 0, evicted: 0, revived: 0, unknown: 0, refused: 0 };
  /** Stands in for tenants that do not exist. */
  readonly #nobody: TracerRuntime;
  #platform: TracerRuntime | undefined;
  #closed = false;
  #closing: Promise<FlushReport> | undefined;

  /**
   * @throws IsotraceError with code `config_invalid` and every problem in `issues`, under `strict: true` only; otherwise
   * an option that is not acceptable falls back to its default and `health().issues` names it
   */
  constructor(options: RegistryOptions<T> = {}) {
    const { settings, issues } = resolveRegistrySettings(options, readEnvironment());
    if (settings.strict && issues.length > 0) throw configError(issues);
    this.#settings = settings;
    this.#house = new House(settings, issues, {
      readmit: (runtime) => this.#readmit(runtime),
      drained: (runtime) => this.#done(runtime),
      closing: (runtime) => {
        if (runtime !== this.#platform) this.#table.close(runtime);
      },
      closed: (runtime) => this.#done(runtime),
    });
    const { clock, idleTimeoutMillis, maxTenants } = settings;
    this.#table = new TenantTable({ maxTenants, clock, crowdedOut: (runtime) => this.#evict(runtime, 'capacity') });
    this.#configurator = new TenantConfigurator({
      ...settings,
      agenda: this.#house.pipeline.agenda,
      configured: (runtime, tenantSettings, problems) => this.#configured(runtime, tenantSettings, problems),
      unknown: (runtime) => this.#unknown(runtime),
      failed: (runtime, reason) => runtime.degrade(reason),
    });
    this.#sweep = new IdleSweep(this.#house.pipeline.agenda, idleTimeoutMillis, {
      runtimes: () => this.#table.runtimes(),
      idle: (runtime) => this.#evict(runtime, 'idle'),
    });
    this.#nobody = this.#house.createRuntime('nobody');
    this.#nobody.standsIn = true;
    this.#nobody.disable();
    this.trace = createTraceFunction((name, spanOptions, args) => {
      const runtime = this.#currentRuntime();
      return runtime === undefined ? undefined : beginCall(runtime, name, spanOptions, args);
    });
  }

  /**
   * The tracer of a tenant, made on first use. A tenant whose configuration is on the way records meanwhile; an id that
   * is no tenant id (1 to 128 printable characters), a tenant that `configure` does not know, and every tenant after
   * `shutdown` get one shared tracer that does nothing.
   */
  get(tenantId: string): T {
    return this.#use(tenantId).handle as T;
  }

  /** The tracer of a live tenant, without making one and without counting as use. */
  peek(tenantId: string): T | undefined {
    return this.#table.peek(tenantId)?.handle as T | undefined;
  }

  /** Whether the tenant is live. */
  has(tenantId: string): boolean {
    return this.#table.peek(tenantId) !== undefined;
  }

  /** Evicts a tenant; it delivers what it has in the background. Answers whether it was live. */
  delete(tenantId: string): boolean {
    const runtime = this.#table.peek(tenantId);
    if (runtime === undefined) return false;
    this.#evict(runtime, 'deleted');
    return true;
  }

  /** Ids of the live tenants, the most recently used first. */
  *keys(): IterableIterator<string> {
    for (const { tenantId } of this.#table.runtimes()) yield tenantId;
  }

  /** Live tenants and their tracers, the most recently used first. */
  *entries(): IterableIterator<[string, T]> {
    for (const { tenantId, handle } of this.#table.runtimes()) yield [tenantId, handle as T];
  }

  /** Number of live tenants. */
  get size(): number {
    return this.#table.live + this.#table.waiting;
  }

  /** The process owner's own tracer, for what belongs to no tenant; the only one that `OTEL_*` variables apply to. */
  get platform(): T {
    const { platform } = this.#settings;
    if (platform === false || this.#closed) return (this.#platform ?? this.#nobody).handle as T;
    if (this.#platform === undefined) {
      this.#platform = this.#house.createRuntime(PLATFORM_TENANT_ID);
      this.#platform.configure(platform, []);
    }
    return this.#platform.handle as T;
  }

  /** The tracer of the tenant that the running code works for, if it is one of this registry. */
  current(): T | undefined {
    return this.#currentRuntime()?.handle as T | undefined;
  }

  /** Runs `fn` as a tenant: spans, wrappers and ordinary OpenTelemetry libraries inside belong to it. */
  run<R>(tenantId: string, fn: () => R): R {
    const runtime = this.#use(tenantId);
    const active = contextApi.active();
    const context = this.#house.guard.run('context', 'run', () => enterScope(active, runtime), active);
    return typeof fn === 'function' ? contextApi.with(context, fn) : (undefined as R);
  }

  /** As the tracer's `withSpan`, for the tenant that the code runs for; outside every tenant `fn` runs without a span. */
  withSpan<R>(name: string, fn: (span: Span) => R): R;
  withSpan<R>(name: string, options: SpanRunOptions | undefined, fn: (span: Span) => R): R;
  withSpan<R>(name: string, optionsOrFn: unknown, maybeFn?: unknown): R {
    const [options, fn] = typeof optionsOrFn === 'function' ? [undefined, optionsOrFn] : [optionsOrFn, maybeFn];
    if (typeof fn !== 'function') return undefined as R;
    const runtime = this.#currentRuntime();
    if (runtime === undefined) return (fn as (span: Span) => R)(NOOP_SPAN);
    return runInSpan(runtime, name, options as SpanRunOptions | undefined, fn as (span: Span) => R);
  }

  /**
   * Asks `configure` again for a live tenant. A change opens new queues and connections first; the old ones deliver what
   * they have with the old credentials. A tenant that `configure` no longer knows is switched off, one that it did not
   * know is asked for again at the next `get`.
   */
  async reconfigure(tenantId: string): Promise<ReconfigureOutcome> {
    this.#table.forgetUnknown(tenantId);
    const runtime = this.#table.peek(tenantId) ?? this.#table.retired(tenantId);
    if (runtime === undefined || !isInUse(runtime)) return 'unknown';
    // A question that is under way may be older than the change.
    await this.#configurator.settled(runtime);
    if (this.#closed || !isInUse(runtime)) return 'unknown';
    const { generation } = runtime;
    const outcome = await this.#configurator.ask(runtime);
    if (outcome !== 'configured') return outcome;
    return runtime.generation === generation ? 'unchanged' : 'changed';
  }

  /** Delivers what waits, of all tenants at once. Resolves, in the given time plus 100 ms at most, with a report per tenant. */
  async flush(options?: FlushOptions): Promise<FlushReport> {
    const timeoutMillis = resolveTimeout(options);
    return combineReports(await Promise.all(this.#all().map((runtime) => runtime.flush(timeoutMillis))));
  }

  /**
   * Delivers what waits, of all tenants at once, then stops for good and closes all connections. One deadline for all.
   * Further calls resolve with the first report.
   */
  shutdown(options?: FlushOptions): Promise<FlushReport> {
    this.#closed = true;
    this.#closing ??= this.#close(resolveTimeout(options));
    return this.#closing;
  }

  /**
   * Opt-in: delivers what waits when the process runs out of work, and shuts down at `SIGTERM` before that takes its
   * default action. Answers a function that takes the hooks out again.
   */
  installProcessHooks(options?: ProcessHookOptions): () => void {
    return this.#house.guard.run(
      'api',
      'installProcessHooks',
      () => installProcessHooks(this, options ?? {}),
      () => undefined,
    );
  }

  /** Counts since the registry was made. */
  stats(): RegistryStats {
    const { budget, dispatcher, grpc, transport } = this.#house.pipeline;
    const all = this.#all();
    return {
      live: this.#table.live,
      waiting: this.#table.waiting,
      draining: this.#table.draining.size,
      maxTenants: this.#table.maxTenants,
      ...this.#counts,
      bytes: budget.used,
      requests: dispatcher.underWay,
      sockets: transport.openSockets() + grpc.openSockets(),
      traces: this.#house.ledger.snapshot(all.reduce((sum, { path }) => sum + path.queued, 0)),
    };
  }

  /** How the registry and its tenants do. */
  health(): RegistryHealth {
    return registryHealth(this.#house, this.#all());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  #use(tenantId: string): TracerRuntime {
    try {
      const runtime = this.#table.use(tenantId) ?? this.#miss(tenantId);
      runtime.touched = true;
      return runtime;
    } catch (error) {
      this.#house.guard.report('api', 'get', error);
      return this.#nobody;
    }
  }

  #miss(tenantId: unknown): TracerRuntime {
    if (!isTenantId(tenantId) || this.#closed) return this.#nobody;
    if (this.#table.isUnknown(tenantId)) return this.#nobody;
    const known = this.#table.retired(tenantId);
    if (known !== undefined && known.state !== 'disabled') {
      this.#readmit(known);
      return known;
    }
    if (!this.#table.mayWait()) {
      this.#counts.refused += 1;
      return this.#nobody;
    }
    const runtime = known ?? this.#house.createRuntime(tenantId);
    if (known === undefined) this.#counts.created += 1;
    else known.reopen();
    this.#admit(runtime);
    if (runtime.state === 'disabled') return this.#nobody;
    runtime.handedOut = true;
    if (known === undefined) publishDiagnostic('isotrace:tenant:created', { tenantId });
    return runtime;
  }

  /** Puts a tenant among those that wait for their configuration, and asks for it. */
  #admit(runtime: TracerRuntime): void {
    this.#table.addWaiting(runtime);
    this.#sweep.start();
    void this.#configurator.ask(runtime);
  }

  /** An evicted tenant is used again, through a tracer that somebody kept or through `get`. */
  #readmit(runtime: TracerRuntime): void {
    if (this.#closed) return;
    const wasDraining = runtime.state === 'draining';
    if (wasDraining) runtime.revive();
    else if (runtime.state === 'dormant') runtime.reopen();
    else return;
    this.#counts.revived += 1;
    publishDiagnostic('isotrace:tenant:revived', { tenantId: runtime.tenantId });
    if (!wasDraining) this.#admit(runtime);
    else if (runtime.path.configured) this.#table.addLive(runtime);
    else this.#table.addWaiting(runtime);
    this.#sweep.start();
  }

  #configured(runtime: TracerRuntime, settings: TracerDefaults, issues: readonly ConfigIssue[]): void {
    const { path } = runtime;
    const same = path.configured && this.#fingerprint(path.settings) === this.#fingerprint(settings);
    if (same) runtime.confirm(issues);
    else runtime.configure(settings, issues);
    if (runtime.state === 'active') this.#table.addLive(runtime);
  }

  #unknown(runtime: TracerRuntime): void {
    this.#counts.unknown += 1;
    this.#table.rememberUnknown(runtime.tenantId);
    runtime.disable();
    if (runtime.state === 'closed') return;
    // Most unknown ids are made up: they are to leave nothing behind.
    if (runtime.handedOut) this.#table.retire(runtime, !runtime.path.empty);
    else this.#table.forget(runtime);
  }

  /** A tenant that is out of use has nothing left. */
  #done(runtime: TracerRuntime): void {
    this.#table.drained(runtime);
    this.#configurator.forget(runtime);
  }

  #evict(runtime: TracerRuntime, reason: 'capacity' | 'idle' | 'deleted'): void {
    this.#counts.evicted += 1;
    this.#table.retire(runtime, true);
    publishDiagnostic('isotrace:tenant:evicted', { tenantId: runtime.tenantId, reason });
    runtime.evict();
  }

  #currentRuntime(): TracerRuntime | undefined {
    const owner = ownerIn(contextApi.active());
    return owner instanceof TracerRuntime && owner.house === this.#house ? owner : undefined;
  }

  #all(): TracerRuntime[] {
    const platform = this.#platform === undefined ? [] : [this.#platform];
    return [...this.#table.runtimes(), ...this.#table.draining, ...platform];
  }

  async #close(timeoutMillis: number): Promise<FlushReport> {
    const { clock } = this.#settings;
    const endsAt = clock.monotonic() + timeoutMillis;
    this.#sweep.stop();
    const reports = await Promise.all(this.#all().map((runtime) => runtime.shutdown(timeoutMillis)));
    this.#table.clear();
    await this.#house.close(Math.max(endsAt - clock.monotonic(), 0));
    return combineReports(reports);
  }
}

function isInUse({ state }: TracerRuntime): boolean {
  return isRecordingState(state) || state === 'draining';
}
