import type { HostPlatform } from '../infra/host-platform.ts';
import type { TracerState } from '../lifecycle/tracer-state.ts';
import type { LaneCondition } from '../processing/lane-options.ts';
import type { LedgerSnapshot } from '../processing/ledger.ts';
import type { ProfileName } from '../processing/profiles.ts';
import type { TenantUsage } from '../processing/usage.ts';
import type { ConfigIssue } from '../utils/errors.ts';
import type { ContainedError, GuardedComponent } from '../utils/guard.ts';
import type { TracerRuntime } from './tracer-runtime.ts';

/** Counts of one tracer since it was made. */
export interface TracerStats {
  readonly tenantId: string;
  readonly state: TracerState;
  /** Spans started, also those that sampling turned away. */
  readonly started: number;
  /** Spans started and not ended. */
  readonly open: number;
  /** Bytes that wait or are under way. */
  readonly bytes: number;
  /** The account of the traces signal: `created = exported + queued + spooled + sum of dropped`. */
  readonly traces: LedgerSnapshot;
  /** The account of the logs signal, in log records. */
  readonly logs: LedgerSnapshot;
  /** The account of the metrics signal, in data points. */
  readonly metrics: LedgerSnapshot;
  /** What agents spent, with the option `agents`. */
  readonly usage?: TenantUsage;
}

/** How deliveries to one destination go. */
export interface DestinationHealth {
  /** Origin and path; never the query or credentials. */
  readonly destination: string;
  readonly condition: LaneCondition;
  /** Spans, log records or data points that wait in memory or are in a request. */
  readonly queued: number;
  /** Spans, or log records, that are only on disk. */
  readonly spooled: number;
  /** Attempts that failed since the last that did not. */
  readonly failures: number;
  /** Why the last attempt failed: a status, or the code of a network error; never credentials. Absent while all is well. */
  readonly lastError?: string;
}

/** How one tracer does. */
export interface TracerHealth {
  readonly tenantId: string;
  readonly state: TracerState;
  /** True when the tracer is in use, its options are good and nothing fails. */
  readonly ok: boolean;
  /** Why it is degraded or disabled. */
  readonly reason?: string;
  /** The profile in force. */
  readonly profile: ProfileName;
  /** Where the process runs, as far as it can be told. */
  readonly hostPlatform: HostPlatform;
  /** Options that were not acceptable; their defaults are in force. */
  readonly issues: readonly ConfigIssue[];
  /** Contained failures, by component, since the tracer was made. */
  readonly errors: Readonly<Partial<Record<GuardedComponent, number>>>;
  /** The latest 20 of them, the newest last. */
  readonly recentErrors: readonly ContainedError[];
  /** Hooks of the user's that were switched off because they failed again and again. */
  readonly switchedOff: readonly string[];
  /** Its ways out, one for each destination and signal that has been used. */
  readonly destinations: readonly DestinationHealth[];
  /** What is wrong with the disk under the spool; spans wait in memory meanwhile. Absent while all is well. */
  readonly spoolProblem?: string;
}

export function tracerStats(runtime: TracerRuntime): TracerStats {
  const { tenantId, state, started, open, path, ledgers } = runtime;
  const { others, usage } = path;
  return {
    tenantId,
    state,
    started,
    open,
    bytes: path.bytes,
    traces: ledgers.snapshot('traces', path.queued, path.spooled),
    logs: ledgers.snapshot('logs', others.queuedLogs, others.spooledLogs),
    metrics: ledgers.snapshot('metrics', others.queuedMetrics),
    ...(usage !== undefined && { usage }),
  };
}

export function tracerHealth(runtime: TracerRuntime): TracerHealth {
  const { tenantId, state, reason, issues, guard, path } = runtime;
  const switchedOff = guard.switchedOff();
  const destinations = path.lanes.map((lane): DestinationHealth => {
    const { condition, destination, failures, lastError, queued, spooled } = lane;
    return {
      destination,
      condition,
      queued,
      spooled,
      failures,
      ...(failures > 0 && lastError !== undefined && { lastError }),
    };
  });
  const { spoolProblem } = path;
  const disturbed = switchedOff.length > 0 || spoolProblem !== undefined;
  const failing = disturbed || destinations.some(({ failures }) => failures > 0);
  const inUse = state !== 'degraded' && state !== 'disabled' && state !== 'closed';
  return {
    tenantId,
    state,
    ok: inUse && !failing && issues.length === 0,
    ...(reason !== undefined && { reason }),
    profile: path.settings.profile,
    hostPlatform: path.settings.hostPlatform,
    issues,
    errors: guard.counts(),
    recentErrors: guard.recent(),
    switchedOff,
    destinations,
    ...(spoolProblem !== undefined && { spoolProblem }),
  };
}
