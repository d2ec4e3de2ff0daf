import { isInUseState } from '../lifecycle/tracer-state.ts';
import { publishDiagnostic } from '../utils/diagnostics.ts';
import type { ConfigIssue } from '../utils/errors.ts';
import { isTenantId } from '../utils/tenant-id.ts';
import { createFingerprint } from './fingerprint.ts';
import type { House } from './house.ts';
import { IdleSweep } from './idle-sweep.ts';
import type { RegistryCounts } from './registry-status.ts';
import type { RegistrySettings, TracerDefaults } from './settings.ts';
import { type ReconfigureOutcome, TenantConfigurator } from './tenant-configurator.ts';
import { TenantTable } from './tenant-table.ts';
import type { TracerRuntime } from './tracer-runtime.ts';

/**
 * The coming and going of a registry's tenants: made on first use, configured, evicted when they are too many or unused,
 * taken back in when they are used again.
 */
export class Admission {
  readonly table: TenantTable;
  readonly #house: House;
  readonly #nobody: TracerRuntime;
  readonly #configurator: TenantConfigurator;
  readonly #sweep: IdleSweep;
  readonly #fingerprint = createFingerprint();
  readonly #counts = { created: 0, evicted: 0, revived: 0, unknown: 0, refused: 0 };
  #closed = false;

  /** @param nobody stands in for tenants that do not exist */
  constructor(house: House, settings: RegistrySettings, nobody: TracerRuntime) {
    const { clock, idleTimeoutMillis, maxTenants } = settings;
    const { agenda } = house.pipeline;
    this.#house = house;
    this.#nobody = nobody;
    this.table = new TenantTable({ maxTenants, clock, crowdedOut: (runtime) => this.evict(runtime, 'capacity') });
    this.#configurator = new TenantConfigurator({
      ...settings,
      agenda,
      configured: (runtime, tenantSettings, problems) => this.#configured(runtime, tenantSettings, problems),
      unknown: (runtime) => this.#unknown(runtime),
      failed: (runtime, reason) => runtime.degrade(reason),
    });
    this.#sweep = new IdleSweep(agenda, idleTimeoutMillis, {
      runtimes: () => this.table.runtimes(),
      idle: (runtime) => this.evict(runtime, 'idle'),
    });
  }

  get counts(): RegistryCounts {
    return this.#counts;
  }

  /** The engine of a tenant, made on first use. Never throws. */
  use(tenantId: string): TracerRuntime {
    try {
      const runtime = this.table.use(tenantId) ?? this.#miss(tenantId);
      runtime.touched = true;
      return runtime;
    } catch (error) {
      this.#house.guard.report('api', 'get', error);
      return this.#nobody;
    }
  }

  /** A spool has spans of a tenant that nobody uses at the moment. */
  wakeTenant(tenantId: string): void {
    if (this.#closed) return;
    if (!isTenantId(tenantId) || (this.use(tenantId) === this.#nobody && this.table.isUnknown(tenantId))) {
      this.#house.pipeline.spools.disown(tenantId, this.#house.ledgers);
    }
  }

  /** An evicted tenant is used again, through a tracer that somebody kept or through `get`. */
  readmit(runtime: TracerRuntime): void {
    if (this.#closed) return;
    const wasDraining = runtime.state === 'draining';
    if (wasDraining) runtime.revive();
    else if (runtime.state === 'dormant') runtime.reopen();
    else return;
    this.#counts.revived += 1;
    publishDiagnostic('isotrace:tenant:revived', { tenantId: runtime.tenantId });
    if (!wasDraining) this.#admit(runtime);
    else if (runtime.path.configured) this.table.addLive(runtime);
    else this.table.addWaiting(runtime);
    this.#sweep.start();
  }

  /** Puts a tenant out of use; it delivers what it has in the background. */
  evict(runtime: TracerRuntime, reason: 'capacity' | 'idle' | 'deleted'): void {
    this.#counts.evicted += 1;
    this.table.retire(runtime, true);
    publishDiagnostic('isotrace:tenant:evicted', { tenantId: runtime.tenantId, reason });
    runtime.evict();
  }

  /** A tenant that is out of use has nothing left. */
  retired(runtime: TracerRuntime): void {
    this.table.drained(runtime);
    this.#configurator.forget(runtime);
  }

  /** Asks for the configuration of a live tenant again. */
  async reconfigure(tenantId: string): Promise<ReconfigureOutcome> {
    this.table.forgetUnknown(tenantId);
    const runtime = this.table.peek(tenantId) ?? this.table.retired(tenantId);
    if (runtime === undefined || !isInUseState(runtime.state)) return 'unknown';
    // A question that is under way may be older than the change.
    await this.#configurator.settled(runtime);
    if (this.#closed || !isInUseState(runtime.state)) return 'unknown';
    const { generation } = runtime;
    const outcome = await this.#configurator.ask(runtime);
    if (outcome !== 'configured') return outcome;
    return runtime.generation === generation ? 'unchanged' : 'changed';
  }

  /** Takes no tenant in any more. */
  close(): void {
    this.#closed = true;
    this.#sweep.stop();
  }

  #miss(tenantId: unknown): TracerRuntime {
    if (!isTenantId(tenantId) || this.#closed) return this.#nobody;
    if (this.table.isUnknown(tenantId)) return this.#nobody;
    const known = this.table.retired(tenantId);
    if (known !== undefined && known.state !== 'disabled') {
      this.readmit(known);
      return known;
    }
    if (!this.table.mayWait()) {
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
    this.table.addWaiting(runtime);
    this.#sweep.start();
    void this.#configurator.ask(runtime);
  }

  #configured(runtime: TracerRuntime, settings: TracerDefaults, issues: readonly ConfigIssue[]): void {
    const { path } = runtime;
    const same = path.configured && this.#fingerprint(path.settings) === this.#fingerprint(settings);
    if (same) runtime.confirm(issues);
    else runtime.configure(settings, issues);
    if (runtime.state === 'active') this.table.addLive(runtime);
  }

  #unknown(runtime: TracerRuntime): void {
    this.#counts.unknown += 1;
    this.table.rememberUnknown(runtime.tenantId);
    runtime.disable();
    this.#house.pipeline.spools.disown(runtime.tenantId, runtime.ledgers);
    if (runtime.state === 'closed') return;
    // Most unknown ids are made up: they are to leave nothing behind.
    if (runtime.handedOut) this.table.retire(runtime, !runtime.path.empty);
    else this.table.forget(runtime);
  }
}
