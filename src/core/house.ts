import type { Attributes } from '@opentelemetry/api';
import { ensureContextManager } from '../infra/context-manager.ts';
import { createGrpcTransport } from '../infra/grpc-transport.ts';
import { createHttpTransport } from '../infra/http-transport.ts';
import { createDefaultLogger } from '../infra/logger.ts';
import { baseResourceAttributes, readProcessFacts } from '../infra/resources.ts';
import { within } from '../lifecycle/deadline.ts';
import { Ledger } from '../processing/ledger.ts';
import { createPipeline, type Pipeline } from '../processing/pipeline.ts';
import type { Clock } from '../utils/clock.ts';
import type { DiagnosticLogger } from '../utils/diagnostics.ts';
import type { ConfigIssue } from '../utils/errors.ts';
import { Guard } from '../utils/guard.ts';
import { VERSION } from '../utils/version.ts';
import { HookLeases } from './hook-leases.ts';
import type { TracerClass } from './options.ts';
import { BUILT_IN_DEFAULTS, type TracerDefaults } from './settings.ts';
import { Tracer } from './tracer.ts';
import type { TracerBase, TracerInit } from './tracer-base.ts';
import type { TracerHouse } from './tracer-house.ts';
import { TracerRuntime } from './tracer-runtime.ts';

export interface HouseSettings {
  readonly defaults?: TracerDefaults;
  readonly tracer?: TracerClass | undefined;
  readonly logger: DiagnosticLogger | undefined;
  readonly clock: Clock;
  readonly maxTotalBytes: number;
  readonly drainTimeoutMillis: number;
}

export interface HouseEvents {
  readmit(runtime: TracerRuntime): void;
  drained(runtime: TracerRuntime): void;
  closing?(runtime: TracerRuntime): void;
  closed(runtime: TracerRuntime, timeLeftMillis: number): void | Promise<void>;
}

/** The same for every registry and tracer of a process. */
const PROCESS_RESOURCE = baseResourceAttributes(readProcessFacts(VERSION));

/** What the tracers of a registry, or the one tracer of `createTracer`, live in: pipeline, account, guard, resource. */
export class House implements TracerHouse<TracerRuntime> {
  readonly pipeline: Pipeline;
  readonly ledger = new Ledger();
  readonly guard: Guard;
  readonly issues: readonly ConfigIssue[];
  readonly leases: HookLeases;
  readonly baseResource: Readonly<Attributes> = PROCESS_RESOURCE;
  readonly defaults: TracerDefaults;
  readonly drainTimeoutMillis: number;
  readonly #settings: HouseSettings;
  readonly #logger: DiagnosticLogger;
  readonly #events: HouseEvents;

  constructor(settings: HouseSettings, issues: readonly ConfigIssue[], events: HouseEvents) {
    const { clock, defaults = BUILT_IN_DEFAULTS, drainTimeoutMillis, logger, maxTotalBytes } = settings;
    this.#settings = settings;
    this.#events = events;
    this.#logger = logger ?? createDefaultLogger();
    this.issues = issues;
    this.defaults = defaults;
    this.drainTimeoutMillis = drainTimeoutMillis;
    this.guard = new Guard({ clock, level: defaults.resilience, logger: this.#logger });
    this.pipeline = createPipeline({
      clock,
      maxTotalBytes,
      transport: createHttpTransport({ clock }),
      grpc: createGrpcTransport({ clock }),
    });
    this.leases = new HookLeases(this.guard);
    this.leases.take(defaults);
    this.guard.run('context', 'ensureContextManager', ensureContextManager, undefined);
    if (issues.length > 0) this.#logIssues(issues);
  }

  createGuard(tenantId: string): Guard {
    const { clock } = this.#settings;
    return new Guard({ clock, level: this.defaults.resilience, tenantId, parent: this.guard });
  }

  /** A tenant's engine and its tracer, of the user's class; of the plain one when that cannot be constructed. */
  createRuntime(tenantId: string): TracerRuntime {
    const runtime = new TracerRuntime(this, tenantId);
    const TenantTracer = (this.#settings.tracer ?? Tracer) as unknown as new (init: TracerInit) => TracerBase;
    runtime.handle =
      this.guard.run('api', 'tracer class', () => new TenantTracer({ runtime }), undefined) ?? new Tracer({ runtime });
    return runtime;
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

  /** Shuts down the user's processors and exporters, in the given time, and closes all connections. Never rejects. */
  async close(timeoutMillis: number): Promise<void> {
    await within(this.#settings.clock, timeoutMillis, this.leases.close(), true);
    await this.pipeline.close();
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
