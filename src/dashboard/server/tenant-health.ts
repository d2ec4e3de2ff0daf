import type { ObservedSpan, ObservedTenant } from '../../core/observe-registry.ts';
import type { DestinationHealth, TracerHealth, TracerStats } from '../../core/status.ts';
import type { LedgerSnapshot } from '../../processing/ledger.ts';
import { SIGNALS, type Signal } from '../otlp/signal.ts';

/** One way out of a tenant of an attached registry. */
export interface DestinationState extends DestinationHealth {
  /** `open` while it fails and is only probed. */
  readonly breaker: 'closed' | 'open';
  /** `refused` when the receiver said so last. */
  readonly credentials: 'ok' | 'refused';
}

/** How one tenant of an attached registry does. */
export interface TenantHealth {
  readonly tenant: string;
  /** Which of the attached registries, counted from 1. */
  readonly registry: number;
  readonly platform: boolean;
  readonly state: TracerHealth['state'];
  readonly ok: boolean;
  /** Why it is degraded or disabled; empty when it is not. */
  readonly reason: string;
  readonly profile: TracerHealth['profile'];
  readonly started: number;
  /** Spans that have not ended. */
  readonly open: number;
  /** Bytes that wait or are under way. */
  readonly bytes: number;
  /** The accounts: `created = exported + queued + spooled + sum of dropped`. */
  readonly signals: { readonly [S in Signal]?: LedgerSnapshot };
  readonly destinations: readonly DestinationState[];
  readonly issues: TracerHealth['issues'];
  readonly errors: TracerHealth['errors'];
  readonly recentErrors: TracerHealth['recentErrors'];
  readonly switchedOff: readonly string[];
  /** What is wrong with the disk under its spool; empty while all is well. */
  readonly spoolProblem: string;
  /** What it recorded and the dashboard could not take; its own deliveries know nothing of it. */
  readonly lost: number;
}

/** How tenants' tracers are. */
export interface HealthPage {
  /** Registries that are attached. */
  readonly attached: number;
  readonly tenants: readonly TenantHealth[];
  /** Tenants beyond the limit. */
  readonly more: number;
}

/** A span that has not ended yet. */
export interface PendingSpan extends Omit<ObservedSpan, 'tenantId' | 'isPlatform'> {
  readonly tenant: string;
  readonly registry: number;
}

/** Spans that are open for long. */
export interface PendingPage {
  readonly pending: readonly PendingSpan[];
  /** Those beyond the limit that are remembered. */
  readonly more: number;
}

export function describeHealth(
  tenant: string,
  registry: number,
  { health, stats, isPlatform, lost }: ObservedTenant,
): TenantHealth {
  const { state, ok, reason = '', profile, issues, errors, recentErrors, switchedOff, spoolProblem = '' } = health;
  const { started, open, bytes } = stats;
  return {
    ...{ tenant, registry, platform: isPlatform, state, ok, reason, profile, started, open, bytes },
    signals: signalsOf(stats),
    destinations: health.destinations.map(describeDestination),
    ...{ issues, errors, recentErrors, switchedOff, spoolProblem, lost },
  };
}

/** Whether nothing of it needs to be looked at. */
export function isWell({ ok, signals, lost }: TenantHealth): boolean {
  const losses = Object.values(signals).flatMap(({ dropped }) => Object.entries(dropped));
  return ok && lost === 0 && losses.every(([reason]) => reason === 'sampled');
}

/** The accounts that the statistics have, by signal. */
function signalsOf(stats: TracerStats): TenantHealth['signals'] {
  const accounts: { readonly [S in Signal]?: LedgerSnapshot } = stats;
  const known = SIGNALS.filter((signal) => accounts[signal] !== undefined);
  return Object.fromEntries(known.map((signal) => [signal, accounts[signal]]));
}

function describeDestination(health: DestinationHealth): DestinationState {
  const { condition } = health;
  const isWorking = condition === 'idle' || condition === 'delivering';
  return {
    ...health,
    breaker: isWorking ? 'closed' : 'open',
    credentials: condition === 'unauthorized' ? 'refused' : 'ok',
  };
}
