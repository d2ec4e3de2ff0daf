import type { Span } from '@opentelemetry/api';
import { context as contextApi } from '@opentelemetry/api';
import { readEnvironment, readHostPlatform } from '../infra/environment.ts';
import { installProcessHooks, type ProcessHookOptions } from '../lifecycle/process-hooks.ts';
import { combineReports, type FlushOptions, type FlushReport, resolveTimeout } from '../lifecycle/report.ts';
import { PROFILES } from '../processing/profiles.ts';
import { enterScope } from '../processing/scope.ts';
import { createTraceFunction, type TraceFunction } from '../processing/trace-function.ts';
import { NOOP_SPAN } from '../processing/unsampled-span.ts';
import { Admission } from './admission.ts';
import { configError, resolveRegistrySettings } from './config.ts';
import { House } from './house.ts';
import type { Installation, InstallOptions } from './install.ts';
import { type MetricReading, readMetrics } from './metric-reading.ts';
import { beginCall, runInSpan, type SpanRunOptions } from './operations.ts';
import { Platform, platformMeters } from './platform.ts';
import type { RegistryOptions } from './registry-options.ts';
import { type RegistryHealth, type RegistryStats, registryHealth, registryStats } from './registry-status.ts';
import { Routing } from './routing.ts';
import { measureRegistry, type SelfMetrics } from './self-metrics.ts';
import { PLATFORM_SPOOL_NAME, type RegistrySettings } from './settings.ts';
import type { ReconfigureOutcome } from './tenant-configurator.ts';
import type { TenantTable } from './tenant-table.ts';
import type { Tracer } from './tracer.ts';
import type { TracerBase } from './tracer-base.ts';
import { TracerRuntime } from './tracer-runtime.ts';

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
  readonly #admission: Admission;
  readonly #table: TenantTable;
  /** Stands in for tenants that do not exist. */
  readonly #nobody: TracerRuntime;
  readonly #metrics: SelfMetrics | undefined;
  readonly #platform: Platform;
  /** @internal Code that knows nothing of tenants; for the integrations. */
  readonly routing: Routing;
  /** Take out the listeners on the process. */
  readonly #unhooks = new Set<() => void>();
  #closed = false;
  #closing: Promise<FlushReport> | undefined;

  /**
   * @throws IsotraceError with code `config_invalid` and every problem in `issues`, under `strict: true` only; otherwise
   * an option that is not acceptable falls back to its default and `health().issues` names it
   */
  constructor(options: RegistryOptions<T> = {}) {
    const host = readHostPlatform();
    const { settings, issues } = resolveRegistrySettings(options, readEnvironment(), host.platform);
    if (settings.strict && issues.length > 0) throw configError(issues);
    this.#settings = settings;
    const own = settings.measuresItself ? platformMeters(() => this.#platform.get()) : undefined;
    const meterProvider = settings.meterProvider ?? own;
    this.#house = new House({ ...settings, meterProvider, host }, issues, {
      platform: () => this.#platform.made ?? this.#nobody,
      runtimes: () => this.#all(),
      readmit: (runtime) => this.#admission.readmit(runtime),
      drained: (runtime) => this.#done(runtime),
      closing: (runtime) => {
        if (runtime !== this.#platform.made) this.#table.close(runtime);
      },
      wake: (name) => this.#wake(name),
      closed: (runtime) => this.#done(runtime),
    });
    const { platform } = settings;
    if (platform !== false && platform.spool) this.#house.pipeline.spools.open(platform.spool.directory);
    this.#nobody = this.#house.createRuntime('nobody');
    this.#nobody.standsIn = true;
    this.#nobody.disable();
    this.#admission = new Admission(this.#house, settings, this.#nobody);
    this.#table = this.#admission.table;
    this.#platform = new Platform(this.#house, settings.platform);
    if (settings.platformCopy !== false) this.#platform.get();
    this.#metrics = measureRegistry(this.#house, settings.selfMetrics, {
      runtimes: () => this.#table.runtimes(),
      all: () => this.#all(),
      stats: () => this.stats(),
    });
    this.routing = new Routing({
      house: this.#house,
      settings,
      nobody: this.#nobody,
      platform: () => this.#platform.get(),
      isPlatform: (runtime) => runtime === this.#platform.made,
    });
    this.trace = createTraceFunction((name, spanOptions, args) => {
      const starter = this.routing.starterIn();
      return starter === undefined ? undefined : beginCall(starter, name, spanOptions, args);
    });
  }

  /**
   * The tracer of a tenant, made on first use. A tenant whose configuration is on the way records meanwhile; an id that
   * is no tenant id (1 to 128 printable characters), a tenant that `configure` does not know, and every tenant after
   * `shutdown` get one shared tracer that does nothing.
   */
  get(tenantId: string): T {
    return this.#admission.use(tenantId).handle as T;
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
    this.#admission.evict(runtime, 'deleted');
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
    return (this.#platform.get() ?? this.#nobody).handle as T;
  }

  /** The tracer of the tenant that the running code works for, if it is one of this registry. */
  current(): T | undefined {
    const starter = this.routing.starterIn();
    return starter instanceof TracerRuntime ? (starter.handle as T) : undefined;
  }

  /** Runs `fn` as a tenant: spans, wrappers and ordinary OpenTelemetry libraries inside belong to it. */
  run<R>(tenantId: string, fn: () => R): R {
    const runtime = this.#admission.use(tenantId);
    const active = contextApi.active();
    const context = this.#house.guard.run('context', 'run', () => enterScope(active, runtime), active);
    return typeof fn === 'function' ? contextApi.with(context, fn) : (undefined as R);
  }

  /**
   * As the tracer's `withSpan`, for the tenant that the code runs for, also if that is not known yet; outside every
   * tenant `fn` runs without a span.
   */
  withSpan<R>(name: string, fn: (span: Span) => R): R;
  withSpan<R>(name: string, options: SpanRunOptions | undefined, fn: (span: Span) => R): R;
  withSpan<R>(name: string, optionsOrFn: unknown, maybeFn?: unknown): R {
    const [options, fn] = typeof optionsOrFn === 'function' ? [undefined, optionsOrFn] : [optionsOrFn, maybeFn];
    if (typeof fn !== 'function') return undefined as R;
    const starter = this.routing.starterIn();
    if (starter === undefined) return (fn as (span: Span) => R)(NOOP_SPAN);
    return runInSpan(starter, name, options as SpanRunOptions | undefined, fn as (span: Span) => R);
  }

  /**
   * Asks `configure` again for a live tenant. A change opens new queues and connections first; the old ones deliver what
   * they have with the old credentials. A tenant that `configure` no longer knows is switched off, one that it did not
   * know is asked for again at the next `get`.
   */
  async reconfigure(tenantId: string): Promise<ReconfigureOutcome> {
    return this.#admission.reconfigure(tenantId);
  }

  /** Delivers what waits, of all tenants at once. Resolves, in the given time plus 100 ms at most, with a report per tenant. */
  async flush(options?: FlushOptions): Promise<FlushReport> {
    const timeoutMillis = this.#timeoutOf(options);
    return combineReports(await Promise.all(this.#all().map((runtime) => runtime.flush(timeoutMillis))));
  }

  /**
   * Delivers what waits, of all tenants at once, then stops for good and closes all connections. One deadline for all.
   * Further calls resolve with the first report.
   */
  shutdown(options?: FlushOptions): Promise<FlushReport> {
    if (!this.#closed) this.routing.close();
    this.#closed = true;
    this.#admission.close();
    this.#closing ??= this.#close(this.#timeoutOf(options));
    return this.#closing;
  }

  /**
   * Opt-in: delivers what waits when the process runs out of work, and shuts down at `SIGTERM` before that takes its
   * default action. Answers a function that takes the hooks out again, as the end of `shutdown` does.
   */
  installProcessHooks(options?: ProcessHookOptions): () => void {
    const none = (): void => undefined;
    if (this.#closed) return none;
    const install = (): (() => void) => installProcessHooks(this, options ?? {});
    const remove = this.#house.guard.run('api', 'installProcessHooks', install, none);
    const unhook = (): void => {
      this.#unhooks.delete(unhook);
      remove();
    };
    this.#unhooks.add(unhook);
    return unhook;
  }

  /**
   * Opt-in: spans of code that knows nothing of tenants, such as OpenTelemetry's instrumentation packages, go to the
   * tenant that the code works for, or wait for the one that their request names. Another call answers the same
   * installation until that is taken out.
   */
  install(options?: InstallOptions): Installation {
    return this.routing.install(options ?? {});
  }

  /** Counts since the registry was made. */
  stats(): RegistryStats {
    return registryStats(this.#house, this.#table, this.#admission.counts, this.routing, this.#all());
  }

  /** How the registry and its tenants do. */
  health(): RegistryHealth {
    return registryHealth(this.#house, this.routing, this.#all());
  }

  /**
   * @internal The cumulative metrics of the platform tracer and of the most recently used tenants, up to so many; for the
   * integrations.
   */
  readMetrics(tenants: number): Promise<readonly MetricReading[]> {
    const wanted = Number.isSafeInteger(tenants) ? tenants : 0;
    return readMetrics(this.#platform.made, this.#table.runtimes(), wanted);
  }

  /** As `shutdown()`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  /** A spool has spans of a tenant, or of the platform, that nobody uses at the moment. */
  #wake(spoolName: string): void {
    if (spoolName !== PLATFORM_SPOOL_NAME) this.#admission.wakeTenant(spoolName);
    else if (!this.#closed) void this.platform;
  }

  /** A tenant that is out of use has nothing left. */
  #done(runtime: TracerRuntime): void {
    this.#metrics?.retire(runtime);
    this.#admission.retired(runtime);
  }

  #all(): TracerRuntime[] {
    const { made } = this.#platform;
    return [...this.#table.runtimes(), ...this.#table.draining, ...(made === undefined ? [] : [made])];
  }

  #timeoutOf(options: FlushOptions | undefined): number {
    return resolveTimeout(options, PROFILES[this.#settings.defaults.profile].flushTimeoutMillis);
  }

  async #close(timeoutMillis: number): Promise<FlushReport> {
    const { clock } = this.#settings;
    const endsAt = clock.monotonic() + timeoutMillis;
    this.#platform.close();
    const { pipeline } = this.#house;
    // Before the first tenant gives up: the slots that it gives back are of no use to the others then.
    const stop = clock.schedule(() => pipeline.dispatcher.close(), timeoutMillis);
    const { made } = this.#platform;
    const tenants = this.#all().filter((runtime) => runtime !== made);
    const reports = tenants.map((runtime) => runtime.shutdown(timeoutMillis));
    // Tenants bring copies until the end.
    if (made !== undefined) reports.push(made.shutdown(timeoutMillis, Promise.all(reports)));
    await Promise.all(reports);
    stop.cancel();
    this.#table.clear();
    await this.#house.close(Math.max(endsAt - clock.monotonic(), 0));
    this.#house.guard.run('metrics', 'stop', () => this.#metrics?.stop(), undefined);
    for (const unhook of this.#unhooks) unhook();
    return combineReports(await Promise.all(reports));
  }
}
