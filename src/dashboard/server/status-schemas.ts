import type { DropCounts, LedgerSnapshot } from '../../processing/ledger.ts';
import { PROFILES } from '../../processing/profiles.ts';
import type { ConfigIssue } from '../../utils/errors.ts';
import type { ContainedError } from '../../utils/guard.ts';
import { ALERT_SEVERITIES, type Alert } from '../objectives/alert-rule.ts';
import type { HandlerState } from '../objectives/handler-calls.ts';
import type { AlertPage, RuleState } from '../objectives/objectives.ts';
import { SLO_INDICATORS, SLO_POLICIES, type SloStatus } from '../objectives/slo.ts';
import {
  anything,
  bool,
  count,
  list,
  object,
  oneOf,
  optional,
  real,
  record,
  type Schema,
  text,
} from './response-schema.ts';
import type { DestinationState, HealthPage, PendingPage, PendingSpan, TenantHealth } from './tenant-health.ts';

const ledger = object<LedgerSnapshot>('Account', {
  ...{ created: count, exported: count, queued: count, spooled: count, dropped: record<DropCounts>(count) },
});

const destination = object<DestinationState>('Destination', {
  destination: text,
  condition: oneOf<DestinationState['condition']>([
    ...(['idle', 'delivering', 'retrying', 'unauthorized', 'misconfigured'] as const),
  ]),
  ...{ queued: count, spooled: count, failures: count, lastError: optional(text) },
  breaker: oneOf<DestinationState['breaker']>(['closed', 'open']),
  credentials: oneOf<DestinationState['credentials']>(['ok', 'refused']),
});

const tenantHealth = object<TenantHealth>('TenantHealth', {
  ...{ tenant: text, registry: count, platform: bool, ok: bool, reason: text },
  state: oneOf<TenantHealth['state']>([
    ...(['pending', 'active', 'degraded', 'disabled', 'draining', 'dormant', 'closed'] as const),
  ]),
  profile: oneOf<TenantHealth['profile']>(Object.keys(PROFILES) as TenantHealth['profile'][]),
  ...{ started: count, open: count, bytes: count, lost: count },
  signals: object<TenantHealth['signals']>('Accounts', {
    ...{ traces: optional(ledger), metrics: optional(ledger), logs: optional(ledger) },
  }),
  destinations: list(destination),
  issues: list(object<ConfigIssue>('Issue', { option: text, accepted: text, received: text })),
  errors: record<TenantHealth['errors']>(count),
  recentErrors: list(
    object<ContainedError>('ContainedError', {
      component: text as Schema<ContainedError['component']>,
      ...{ operation: text, message: text, at: real, tenantId: optional(text) },
    }),
  ),
  switchedOff: list(text),
  spoolProblem: text,
});

export const healthPage = object<HealthPage>('HealthPage', {
  ...{ attached: count, tenants: list(tenantHealth), more: count },
});

const pendingSpan = object<PendingSpan>('PendingSpan', {
  ...{ tenant: text, registry: count, traceId: text, spanId: text, parentSpanId: text, kind: text },
  ...{ startMillis: real, name: text, attributes: record<PendingSpan['attributes']>(anything) },
});

export const pendingPage = object<PendingPage>('PendingPage', { pending: list(pendingSpan), more: count });

const slo = object<SloStatus>('Slo', {
  ...{ name: text, tenant: text, indicator: oneOf(SLO_INDICATORS), target: real, windowMillis: real },
  ...{ total: count, good: count, value: real, met: bool, burnRate: real, policy: oneOf(SLO_POLICIES) },
  budget: object('Budget', { allowed: real, used: count, remaining: real }),
  ...{ coveredMillis: real, partial: bool },
});

export const sloPage = object<{ slos: readonly SloStatus[]; more: number }>('SloPage', {
  slos: list(slo),
  more: count,
});

const alert = object<Alert>('Alert', {
  ...{ rule: text, severity: oneOf(ALERT_SEVERITIES), description: text, tenant: text },
  state: oneOf<Alert['state']>(['pending', 'firing', 'resolved']),
  ...{ sinceMillis: real, firedMillis: real, resolvedMillis: real, value: optional(real) },
});
const rule = object<RuleState>('AlertRule', {
  ...{ name: text, severity: oneOf(ALERT_SEVERITIES), description: text, forMillis: real, windowMillis: real },
  ...{ lookedAtMillis: real, failures: count, lastError: text },
});
const handler = object<HandlerState>('AlertHandler', {
  ...{ calls: count, failures: count, skipped: count, lastError: text },
});

export const alertPage = object<AlertPage>('AlertPage', {
  ...{ alerts: list(alert), more: count, omitted: count, rules: list(rule), handlers: list(handler) },
});

/** Of `health` events. */
export const liveHealth = object<{ health: HealthPage; pending: PendingPage }>('LiveHealth', {
  ...{ health: healthPage, pending: pendingPage },
});

/** Of `alerts` events. */
export const liveAlerts = object<Pick<AlertPage, 'alerts'>>('LiveAlerts', { alerts: list(alert) });
