import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import type { SignalCounts, StoreStats, TenantSummary } from '../../store/store-figures.ts';
import { formatAgo, formatBytes, formatCompact, formatCount } from '../model/format.ts';
import { Badge, TenantName } from '../parts/badge.tsx';
import { GetStarted, Problem } from '../parts/empty-state.tsx';
import { hrefTo } from '../state/address.ts';
import { apiPath } from '../state/api.ts';
import { interest, NO_MATCH } from '../state/live.ts';
import { tenantValues } from '../state/scope.ts';
import { useQuestion } from '../state/use-question.ts';
import { AlertPanel, HealthPanel, SloPanel } from './health-panels.tsx';

/** What is kept of each tenant, and how it does. */
export function TenantsView(): JSX.Element {
  const { value, error } = useQuestion<{ readonly tenants: readonly TenantSummary[] }>(
    apiPath('tenants', tenantValues()),
    {
      follow: true,
      subject: 'tenants',
    },
  );
  const stats = useQuestion<StoreStats>(apiPath('stats', tenantValues()), { follow: true });
  useEffect(() => {
    interest.value = { query: NO_MATCH, logs: NO_MATCH };
  }, []);
  const tenants = value?.tenants ?? [];
  const most = tenants.reduce((highest, { bytes }) => Math.max(highest, bytes), 1);
  return (
    <div class="stack">
      {error && <Problem error={error} />}
      <div class="scroll">
        <AlertPanel />
        <HealthPanel />
        <SloPanel />
        {value !== undefined && tenants.length === 0 && (
          <GetStarted icon="tenants" title="No tenant has sent anything yet" />
        )}
        {tenants.length > 0 && (
          <section class="panel" aria-label="Stored telemetry">
            <header>
              <h2>Stored telemetry</h2>
              {stats.value && <StoreLine stats={stats.value} />}
            </header>
            <table class="table">
              <thead>
                <tr>
                  <th>Tenant</th>
                  <th class="number">Spans</th>
                  <th class="number">Log records</th>
                  <th class="number">Points</th>
                  <th class="number">Evicted</th>
                  <th class="number">Rejected</th>
                  <th>Share of the store</th>
                  <th class="number">Last seen</th>
                  <th />
                </tr>
              </thead>
              <tbody>
                {tenants.map(({ tenant, stored, evicted, rejected, bytes, lastMillis }) => (
                  <tr key={tenant}>
                    <td>
                      <TenantName name={tenant} />
                    </td>
                    <td class="number">{formatCount(stored.traces)}</td>
                    <td class="number">{formatCount(stored.logs)}</td>
                    <td class="number">{formatCount(stored.metrics)}</td>
                    <td class="number">
                      {sumOf(evicted) > 0 ? <Badge tone="warn">{formatCompact(sumOf(evicted))}</Badge> : '0'}
                    </td>
                    <td class="number">{rejected > 0 ? <Badge tone="error">{formatCompact(rejected)}</Badge> : '0'}</td>
                    <td>
                      <span class="share">
                        <i style={{ width: `calc((100% - 76px) * ${bytes / most})` }} />
                        <small>{formatBytes(bytes)}</small>
                      </span>
                    </td>
                    <td class="number">{formatAgo(lastMillis)}</td>
                    <td class="number">
                      <a class="button small" href={hrefTo('/', { tenant })}>
                        Traces
                      </a>{' '}
                      <a class="button small" href={hrefTo('/logs', { tenant })}>
                        Logs
                      </a>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </section>
        )}
      </div>
    </div>
  );
}

function StoreLine({ stats }: { readonly stats: StoreStats }): JSX.Element {
  const { store, bytes, maxBytes, full, notices } = stats;
  return (
    <>
      <small>
        {store} · {formatBytes(bytes)}
        {maxBytes === undefined ? '' : ` of ${formatBytes(maxBytes)}`}
      </small>
      {full && (
        <Badge tone="warn" title="The tenant that takes the most loses its oldest telemetry first">
          full: old makes room for new
        </Badge>
      )}
      {notices.map((notice) => (
        <Badge key={notice} tone="quiet">
          {notice}
        </Badge>
      ))}
    </>
  );
}

function sumOf({ traces, logs, metrics }: SignalCounts): number {
  return traces + logs + metrics;
}
