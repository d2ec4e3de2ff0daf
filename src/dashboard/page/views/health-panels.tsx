import type { JSX } from 'preact';
import {
  formatAgo,
  formatBytes,
  formatCompact,
  formatCount,
  formatDuration,
  formatPercent,
  threeDigits,
} from '../model/format.ts';
import type {
  Account,
  DestinationState,
  TenantState,
  WireAlerts,
  WireHealth,
  WirePending,
  WireSlos,
} from '../model/health.ts';
import { Badge, TenantName, type Tone } from '../parts/badge.tsx';
import { Problem } from '../parts/empty-state.tsx';
import { Icon } from '../parts/icon.tsx';
import { hrefTo } from '../state/address.ts';
import { apiPath } from '../state/api.ts';
import { tenantValues } from '../state/scope.ts';
import { useHealthBeat } from '../state/use-health-beat.ts';
import { useQuestion } from '../state/use-question.ts';

/** How the tenants of registries of this very process do. Nothing where none is attached. */
export function HealthPanel(): JSX.Element | null {
  const beat = useHealthBeat();
  const { value, error } = useQuestion<WireHealth>(apiPath('health', tenantValues()), { beat });
  const pending = useQuestion<WirePending>(apiPath('pending', { ...tenantValues(), limit: 20 }), { beat });
  if (value === undefined || value.attached === 0) return null;
  return (
    <section class="panel" aria-label="Health">
      <header>
        <h2>Tenants of this process</h2>
        <small>
          {formatCount(value.tenants.length + value.more)} tenants,{' '}
          {formatCount(value.tenants.filter(({ ok }) => !ok).length)} in trouble
        </small>
      </header>
      {error && <Problem error={error} />}
      <table class="table">
        <thead>
          <tr>
            <th>Tenant</th>
            <th>State</th>
            <th class="number">Open</th>
            <th class="number">Queue</th>
            <th class="number">Created</th>
            <th class="number">Exported</th>
            <th>Dropped</th>
            <th>Destinations</th>
          </tr>
        </thead>
        <tbody>
          {value.tenants.map((tenant) => (
            <HealthRow key={`${tenant.registry} ${tenant.tenant}`} tenant={tenant} />
          ))}
        </tbody>
      </table>
      {value.more > 0 && <p class="hint">and {formatCount(value.more)} more tenants, all well or less urgent</p>}
      {(pending.value?.pending.length ?? 0) > 0 && (
        <details>
          <summary>
            Open spans <small>{formatCount((pending.value?.pending.length ?? 0) + (pending.value?.more ?? 0))}</small>
          </summary>
          <ul class="plain">
            {pending.value?.pending.map(({ tenant, traceId, spanId, name, startMillis }) => (
              <li key={`${spanId} ${tenant}`}>
                <TenantName name={tenant} />
                <a href={hrefTo(`/t/${traceId}`, { of: tenant })}>{name === '' ? spanId : name}</a>
                <small>open for {formatDuration(Math.max(Date.now() - startMillis, 0) * 1e6)}</small>
              </li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}

function HealthRow({ tenant }: { readonly tenant: TenantState }): JSX.Element {
  const accounts = Object.values(tenant.signals);
  const sum = (read: (account: Account) => number): number =>
    accounts.reduce((total, account) => total + read(account), 0);
  const drops = new Map<string, number>();
  for (const { dropped } of accounts) {
    for (const [reason, count] of Object.entries(dropped)) drops.set(reason, (drops.get(reason) ?? 0) + count);
  }
  if (tenant.lost > 0) drops.set('lost to the dashboard', tenant.lost);
  return (
    <tr class={tenant.ok ? undefined : 'trouble'}>
      <td>
        <TenantName name={tenant.tenant} />
      </td>
      <td>
        <Badge tone={tenant.ok ? 'good' : 'error'} title={tenant.reason}>
          {tenant.state}
        </Badge>{' '}
        {tenant.reason !== '' && <small>{tenant.reason}</small>}
        {tenant.issues.length > 0 && <Badge tone="warn">{formatCount(tenant.issues.length)} wrong options</Badge>}
        {tenant.switchedOff.map((name) => (
          <Badge key={name} tone="warn" title="It failed too often">
            {name} switched off
          </Badge>
        ))}
        {tenant.spoolProblem !== '' && <Badge tone="warn">{tenant.spoolProblem}</Badge>}
      </td>
      <td class="number">{formatCount(tenant.open)}</td>
      <td class="number" title={formatBytes(tenant.bytes)}>
        {formatCount(sum(({ queued, spooled }) => queued + spooled))}
      </td>
      <td class="number">{formatCount(sum(({ created }) => created))}</td>
      <td class="number">{formatCount(sum(({ exported }) => exported))}</td>
      <td>
        {[...drops].map(([reason, count]) => (
          <Badge key={reason} tone={reason === 'sampled' ? 'quiet' : 'error'}>
            {formatCompact(count)} {reason.replaceAll('_', ' ')}
          </Badge>
        ))}
        {drops.size === 0 && <small>nothing</small>}
      </td>
      <td>
        {tenant.destinations.map((destination) => (
          <Destination key={destination.destination} {...destination} />
        ))}
      </td>
    </tr>
  );
}

function Destination(props: DestinationState): JSX.Element {
  const { destination, condition, breaker, credentials, failures, lastError } = props;
  return (
    <div class="destination">
      <span class="mono">{destination}</span>
      <Badge tone={breaker === 'open' ? 'error' : 'good'} title={lastError}>
        {breaker === 'open' ? `breaker open: ${condition}` : condition}
      </Badge>
      {credentials === 'refused' && <Badge tone="error">credentials refused</Badge>}
      {failures > 0 && (
        <small title={lastError}>
          {formatCount(failures)} failures in a row{lastError === undefined ? '' : `: ${lastError}`}
        </small>
      )}
    </div>
  );
}

const SEVERITIES: Readonly<Record<string, Tone>> = { info: 'accent', warning: 'warn', critical: 'error' };

export function AlertPanel(): JSX.Element | null {
  const { value } = useQuestion<WireAlerts>(apiPath('alerts', tenantValues()), { beat: useHealthBeat() });
  if (value === undefined || value.alerts.length === 0) return null;
  return (
    <section class="panel" aria-label="Alerts">
      <header>
        <h2>Alerts</h2>
        <small>{formatCount(value.alerts.filter(({ state }) => state === 'firing').length)} firing</small>
      </header>
      <ul class="plain">
        {value.alerts.map(
          ({ rule, tenant, state, severity, description, sinceMillis, resolvedMillis, value: figure }) => (
            <li key={`${rule} ${tenant} ${sinceMillis}`} class={state}>
              <Icon name="bell" />
              <Badge
                tone={state === 'resolved' ? 'quiet' : state === 'pending' ? 'warn' : (SEVERITIES[severity] ?? 'warn')}
              >
                {state} · {severity}
              </Badge>
              <b>{rule}</b>
              <TenantName name={tenant} />
              {figure !== undefined && <span>{threeDigits(figure)}</span>}
              <small>
                {state === 'resolved' ? `over ${formatAgo(resolvedMillis)}` : `since ${formatAgo(sinceMillis)}`}
              </small>
              {description !== '' && <small>{description}</small>}
            </li>
          ),
        )}
      </ul>
    </section>
  );
}

export function SloPanel(): JSX.Element | null {
  const { value } = useQuestion<WireSlos>(apiPath('slos', tenantValues()), { beat: useHealthBeat() });
  if (value === undefined || value.slos.length === 0) return null;
  return (
    <section class="panel" aria-label="Objectives">
      <header>
        <h2>Objectives</h2>
      </header>
      <table class="table">
        <thead>
          <tr>
            <th>Objective</th>
            <th>Tenant</th>
            <th class="number">Target</th>
            <th class="number">Now</th>
            <th>Error budget left</th>
            <th class="number">Burn rate</th>
            <th>Policy</th>
          </tr>
        </thead>
        <tbody>
          {value.slos.map((slo) => (
            <tr key={`${slo.name} ${slo.tenant}`} class={slo.met ? undefined : 'trouble'}>
              <td>
                {slo.name} <small>{slo.indicator.replaceAll('_', ' ')}</small>
              </td>
              <td>
                <TenantName name={slo.tenant} />
              </td>
              <td class="number">{threeDigits(slo.target * 100)}%</td>
              <td class="number">
                <Badge
                  tone={slo.met ? 'good' : 'error'}
                  title={`${formatCount(slo.good)} of ${formatCount(slo.total)} are good`}
                >
                  {Number((slo.value * 100).toFixed(3))}%
                </Badge>
                {slo.partial && <Badge tone="warn">partial</Badge>}
              </td>
              <td>
                <span class={`share ${slo.budget.remaining <= 0.25 ? 'bad' : ''}`}>
                  <i style={{ width: `calc((100% - 76px) * ${Math.max(0, Math.min(slo.budget.remaining, 1))})` }} />
                  <small>{slo.budget.remaining <= 0 ? 'used up' : formatPercent(slo.budget.remaining, 1)}</small>
                </span>
              </td>
              <td class="number">{threeDigits(slo.burnRate)}×</td>
              <td>{slo.policy.replaceAll('-', ' ')}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
