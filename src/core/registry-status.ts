import type { LedgerSnapshot } from '../processing/ledger.ts';
import type { ConfigIssue } from '../utils/errors.ts';
import type { ContainedError, GuardedComponent } from '../utils/guard.ts';
import type { House } from './house.ts';
import type { LateBindingCounts } from './late-binding.ts';
import { type TracerHealth, tracerHealth } from './status.ts';
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
  readonly created: number;
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
  readonly sockets: number;
  /** Spans that started before their tenant was known. */
  readonly lateBinding: LateBindingCounts;
  /** The account of all tenants together, evicted ones included. */
  readonly traces: LedgerSnapshot;
}

/** How a registry and its tenants do. */
export interface RegistryHealth {
  /** True when the registry's options are good and every tenant is well. */
  readonly ok: boolean;
  /** Options of the registry that were not acceptable; their defaults are in force. */
  readonly issues: readonly ConfigIssue[];
  /** Contained failures of the registry and all tenants, by component. */
  readonly errors: Readonly<Partial<Record<GuardedComponent, number>>>;
  readonly recentErrors: readonly ContainedError[];
  /** The tenants that are not well. */
  readonly tenants: readonly TracerHealth[];
}

export function registryHealth(house: House, runtimes: readonly TracerRuntime[]): RegistryHealth {
  const tenants = runtimes.map(tracerHealth).filter(({ ok }) => !ok);
  const { guard, issues } = house;
  return {
    ok: issues.length === 0 && tenants.length === 0,
    issues,
    errors: guard.counts(),
    recentErrors: guard.recent(),
    tenants,
  };
}
