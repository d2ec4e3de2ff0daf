import type { HostPlatform } from '../infra/host-platform.ts';
import type { LedgerSnapshot } from '../processing/ledger.ts';
import type { ProfileName } from '../processing/profiles.ts';
import type { ConfigIssue } from '../utils/errors.ts';
import type { ContainedError, GuardedComponent } from '../utils/guard.ts';
import type { House } from './house.ts';
import type { InstallationHealth } from './install.ts';
import type { LateBindingCounts } from './late-binding.ts';
import type { Routing } from './routing.ts';
import { type TracerHealth, tracerHealth } from './status.ts';
import type { TenantTable } from './tenant-table.ts';
import type { TracerRuntime } from './tracer-runtime.ts';

/** Counts of a registry since it was made. */
export interface RegistryStats {
  /** Tenants that are in use and configured. */
  readonly live: number;
  /** Tenants whose configuration has not come. */
  readonly waiting: number;
  /** Evicted tenants that still deliver. */
  readonly draining: number;
  readonly maxTenants: number;
  /** Tenants that came into use, and were not there or forgotten. */
  readonly created: number;
  /** Tenants that were evicted: for want of room, because they were idle, or by `delete`. */
  readonly evicted: number;
  /** Evicted tenants that were used again. */
  readonly revived: number;
  /** Ids that `configure` did not know. */
  readonly unknown: number;
  /** Calls of `get` for new tenants while too many waited for their configuration. */
  readonly refused: number;
  /** Bytes that wait or are under way, of all tenants. */
  readonly bytes: number;
  /** Requests under way, not counting overdue ones. */
  readonly requests: number;
  /** Open connections to receivers. */
  readonly sockets: number;
  /** Spans that started before their tenant was known. */
  readonly lateBinding: LateBindingCounts;
  /** The account of all tenants together, evicted ones included. */
  readonly traces: LedgerSnapshot;
  /** The same in log records. */
  readonly logs: LedgerSnapshot;
  /** The same in data points. */
  readonly metrics: LedgerSnapshot;
}

/** How a registry and its tenants do. */
export interface RegistryHealth {
  /** True when the registry's options are good and every tenant is well. */
  readonly ok: boolean;
  /** The registry's own profile, which also tells how many requests at a time go to one origin. */
  readonly profile: ProfileName;
  /** Where the process runs, as far as it can be told. */
  readonly hostPlatform: HostPlatform;
  /** Options of the registry that were not acceptable; their defaults are in force. */
  readonly issues: readonly ConfigIssue[];
  /** Contained failures of the registry and all tenants, by component. */
  readonly errors: Readonly<Partial<Record<GuardedComponent, number>>>;
  /** The latest 20 of them, the newest last. */
  readonly recentErrors: readonly ContainedError[];
  /** The tenants that are not well. */
  readonly tenants: readonly TracerHealth[];
  /** What `install` came to; absent while nothing is installed. */
  readonly installation?: InstallationHealth;
}

/** What a registry counts of its tenants coming and going. */
export type RegistryCounts = Pick<RegistryStats, 'created' | 'evicted' | 'revived' | 'unknown' | 'refused'>;

export function registryStats(
  { ledgers, pipeline }: House,
  { draining, live, maxTenants, waiting }: TenantTable,
  counts: RegistryCounts,
  routing: Routing,
  runtimes: readonly TracerRuntime[],
): RegistryStats {
  const { budget, dispatcher, grpc, spools, transport } = pipeline;
  const queued = runtimes.reduce((sum, { path }) => sum + path.queued, 0);
  const logs = runtimes.reduce((sum, { path }) => sum + path.others.queuedLogs, 0);
  const metrics = runtimes.reduce((sum, { path }) => sum + path.others.queuedMetrics, 0);
  const routes = runtimes.flatMap(({ path }) => path.routes);
  const spooled = routes.reduce((sum, route) => sum + route.spooled, 0);
  const spooledLogs = routes.reduce((sum, route) => sum + route.spooledLogs, 0);
  return {
    ...{ live, waiting, draining: draining.size, maxTenants },
    ...counts,
    bytes: budget.used,
    requests: dispatcher.underWay,
    sockets: transport.openSockets() + grpc.openSockets(),
    lateBinding: routing.counts,
    // What the disk holds of tenants that are not in use is nobody's among the runtimes.
    traces: ledgers.snapshot('traces', queued, spooled + spools.spooled('traces')),
    logs: ledgers.snapshot('logs', logs, spooledLogs + spools.spooled('logs')),
    metrics: ledgers.snapshot('metrics', metrics),
  };
}

export function registryHealth(house: House, routing: Routing, runtimes: readonly TracerRuntime[]): RegistryHealth {
  const tenants = runtimes.map(tracerHealth).filter(({ ok }) => !ok);
  const { defaults, guard, issues } = house;
  return {
    ok: issues.length === 0 && tenants.length === 0,
    profile: defaults.profile,
    hostPlatform: defaults.hostPlatform,
    issues,
    errors: guard.counts(),
    recentErrors: guard.recent(),
    tenants,
    ...(routing.health !== undefined && { installation: routing.health }),
  };
}
