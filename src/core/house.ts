import type { Attributes, Meter, MeterProvider } from '@opentelemetry/api';
import { ensureContextManager } from '../infra/context-manager.ts';
import { createGrpcTransport } from '../infra/grpc-transport.ts';
import type { DetectedPlatform } from '../infra/host-platform.ts';
import { createHttpTransport } from '../infra/http-transport.ts';
import { createDefaultLogger } from '../infra/logger.ts';
import { baseResourceAttributes, readProcessFacts } from '../infra/resources.ts';
import { within } from '../lifecycle/deadline.ts';
import { originCapacity } from '../processing/dispatcher.ts';
import { Ledgers } from '../processing/ledger.ts';
import { createPipeline, type Pipeline } from '../processing/pipeline.ts';
import { PROFILES } from '../processing/profiles.ts';
import { ScopeTable } from '../processing/scope-table.ts';
import type { CopyShare } from '../processing/span-copier.ts';
import type { Clock } from '../utils/clock.ts';
import type { DiagnosticLogger } from '../utils/diagnostics.ts';
import type { ConfigIssue } from '../utils/errors.ts';
import { Guard } from '../utils/guard.ts';
import { VERSION } from '../utils/version.ts';
import { configError } from './config.ts';
import { ExportMeter } from './export-meter.ts';
import { HookLeases } from './hook-leases.ts';
import { OWN_SCOPE } from './own-scope.ts';
import { PlatformCopies } from './platform-copies.ts';
import type { TracerClass } from './registry-options.ts';
import { BUILT_IN_DEFAULTS, PLATFORM_TENANT_ID, type TracerDefaults, type TracerSettings } from './settings.ts';
import { shareContextManager } from './shared-context-manager.ts';
import { Tracer } from './tracer.ts';
import type { TracerBase, TracerInit } from './tracer-base.ts';
import type { TracerHouse } from './tracer-house.ts';
import { TracerRuntime } from './tracer-runtime.ts';

export interface HouseSettings {
  readonly defaults?: TracerDefaults;
  readonly host: DetectedPlatform;
  readonly tracer?: TracerClass | undefined;
  readonly logger: DiagnosticLogger | undefined;
  readonly clock: Clock;
  readonly maxTotalBytes: number;
  readonly drainTimeoutMillis: number;
  readonly meterProvider?: MeterProvider | undefined;
  /** Which of the tenants' spans are copied to the tracer that `platform` answers. */
  readonly platformCopy?: CopyShare | false;
  readonly strict?: boolean;
}

export interface HouseEvents {
  platform?(): TracerRuntime;
  /** All that are in memory. */
  runtimes?(): readonly TracerRuntime[];
  readmit(runtime: TracerRuntime): void;
  drained(runtime: TracerRuntime): void;
  closing?(runtime: TracerRuntime): void;
  /** A spool has spans of this tenant. */
  wake?(spoolName: string): void;
  closed(runtime: TracerRuntime, timeLeftMillis: number): void | Promise<void>;
}

/** Adapters may be made again and again. */
const MAX_ISSUES = 200;

/** The same for every registry and tracer of a process. */
const PROCESS_RESOURCE = baseResourceAttributes(readProcessFacts(VERSION));

/** What the tracers of a registry, or the one tracer of `createTracer`, live in: pipeline, account, guard, resource. */
export class House implements TracerHouse<TracerRuntime> {
  readonly pipeline: Pipeline;
  readonly ledgers = new Ledgers();
  readonly logScopes = new ScopeTable(OWN_SCOPE);
  readonly guard: Guard;
  issues: readonly ConfigIssue[];
  readonly leases: HookLeases;
  /** Where isotrace measures itself. */
  readonly meter: Meter | undefined;
  readonly exports: ExportMeter | undefined;
  readonly baseResource: Readonly<Attributes>;
  readonly defaults: TracerDefaults;
  readonly copies: PlatformCopies | undefined;
  readonly drainTimeoutMillis: number;
  readonly #settings: HouseSettings;
  readonly #logger: DiagnosticLogger;
  readonly #events: HouseEvents;

  constructor(settings: HouseSettings, issues: readonly ConfigIssue[], events: HouseEvents) {
    const { clock, defaults = BUILT_IN_DEFAULTS, drainTimeoutMillis, host, logger, maxTotalBytes } = settings;
    const capacity = originCapacity(PROFILES[defaults.profile].requestsPerOrigin);
    this.#settings = settings;
    this.#events = events;
    this.#logger = logger ?? createDefaultLogger();
    this.issues = issues;
    this.baseResource = Object.freeze({ ...PROCESS_RESOURCE, ...host.attributes });
    this.defaults = defaults;
    this.copies = createCopies(settings, events);
    this.drainTimeoutMillis = drainTimeoutMillis;
    this.guard = new Guard({ clock, level: defaults.resilience, logger: this.#logger });
    this.meter = this.guard.run(
      'metrics',
      'getMeter',
      () => settings.meterProvider?.getMeter('isotrace', VERSION),
      undefined,
    );
    this.exports = this.#measureExports();
    this.pipeline = createPipeline({
      recorder: this.exports,
      clock,
      maxTotalBytes,
      capacity,
      transport: createHttpTransport({ clock, connectionsPerOrigin: capacity.connectionsPerOrigin }),
      grpc: createGrpcTransport({ clock }),
      spool: { guard: this.guard, ledger: this.ledgers.traces, wake: events.wake },
    });
    if (defaults.spool !== undefined) this.pipeline.spools.open(defaults.spool.directory);
    this.leases = new HookLeases(this.guard);
    this.leases.take(defaults);
    this.guard.run('context', 'ensureContextManager', ensureContextManager, undefined);
    this.guard.run('context', 'shareContextManager', shareContextManager, undefined);
    if (issues.length > 0) this.#logIssues(issues);
  }

  createGuard(tenantId: string): Guard {
    const { clock } = this.#settings;
    return new Guard({ clock, level: this.defaults.resilience, tenantId, parent: this.guard });
  }

  /**
   * Makes problems in the options of an integration known, as those in the registry's own.
   *
   * @throws IsotraceError with code `config_invalid`, under `strict: true` only
   */
  refuse(issues: readonly ConfigIssue[]): void {
    if (issues.length === 0) return;
    if (this.#settings.strict === true) throw configError(issues);
    this.issues = [...this.issues, ...issues].slice(0, MAX_ISSUES);
    this.#logIssues(issues);
  }

  /** A tenant's engine and its tracer, of the user's class; of the plain one when that cannot be constructed. */
  createRuntime(tenantId: string, isPlatform = false): TracerRuntime {
    const runtime = new TracerRuntime(this, tenantId, isPlatform);
    const TenantTracer = (this.#settings.tracer ?? Tracer) as unknown as new (init: TracerInit) => TracerBase;
    runtime.handle =
      this.guard.run('api', 'tracer class', () => new TenantTracer({ runtime }), undefined) ?? new Tracer({ runtime });
    return runtime;
  }

  /** The engine of the process owner's own tracer, configured. */
  createPlatform(settings: TracerSettings): TracerRuntime {
    const runtime = this.createRuntime(PLATFORM_TENANT_ID, true);
    runtime.configure(settings, []);
    return runtime;
  }

  /** The engines in memory: of the tenants, also of those that are leaving, and of the platform. */
  runtimes(): readonly TracerRuntime[] {
    return this.#events.runtimes?.() ?? [];
  }

  readmit(runtime: TracerRuntime): void {
    this.#events.readmit(runtime);
  }

  drained(runtime: TracerRuntime): void {
    this.#events.drained(runtime);
  }

  closing(runtime: TracerRuntime): void {
    this.#events.closing?.(runtime);
  }

  async closed(runtime: TracerRuntime, timeLeftMillis: number): Promise<void> {
    await this.#events.closed(runtime, timeLeftMillis);
  }

  /** Shuts down the user's processors and exporters and syncs the spools, in the given time, and closes all connections. Never rejects. */
  async close(timeoutMillis: number): Promise<void> {
    const { spools } = this.pipeline;
    await within(this.#settings.clock, timeoutMillis, Promise.all([this.leases.close(), spools.sync()]), true);
    await this.pipeline.close();
  }

  #measureExports(): ExportMeter | undefined {
    const { meter } = this;
    return (
      meter &&
      this.guard.run(
        'metrics',
        'instruments',
        () => new ExportMeter(meter, this.guard, this.#settings.clock),
        undefined,
      )
    );
  }

  #logIssues(issues: readonly ConfigIssue[]): void {
    this.guard.run(
      'logger',
      'issues',
      () => this.#logger.warn({ issues }, 'some isotrace options were not acceptable'),
      undefined,
    );
  }
}

function createCopies({ platformCopy }: HouseSettings, { platform }: HouseEvents): PlatformCopies | undefined {
  if (platformCopy === undefined || platformCopy === false || platform === undefined) return undefined;
  return new PlatformCopies(platformCopy, platform);
}
