import type { JSX } from 'preact';
import type { ErrorPage } from '../../store/telemetry-store.ts';
import { quoteValue } from '../model/complete-query.ts';
import { formatAgo, formatCompact, formatTime } from '../model/format.ts';
import { Badge, ServiceName } from '../parts/badge.tsx';
import { EmptyState } from '../parts/empty-state.tsx';
import { Icon } from '../parts/icon.tsx';
import { SpanSearch } from '../parts/span-search.tsx';
import { hrefTo, param } from '../state/address.ts';
import { apiPath } from '../state/api.ts';
import { scopeValues } from '../state/scope.ts';
import { useQuestion } from '../state/use-question.ts';

/** Failed spans, the same ones together. */
export function ErrorsView(): JSX.Element {
  const query = param('q');
  const { value, error } = useQuestion<ErrorPage>(apiPath('errors', { ...scopeValues(), query, limit: 200 }), {
    follow: true,
    subject: 'errors',
  });
  return (
    <div class="stack">
      <SpanSearch placeholder='service:api "declined"' error={error} />
      {value?.groups.length === 0 && (
        <EmptyState icon="check" title="Nothing failed">
          <p>No span failed in this time{query === '' ? '' : ' that matches this search'}.</p>
        </EmptyState>
      )}
      {value !== undefined && value.groups.length > 0 && (
        <div class="scroll">
          {(value.partial || value.more) && (
            <p class="summary">
              <Badge tone="warn">{value.partial ? 'partial' : 'there are more groups'}</Badge>
            </p>
          )}
          <ul class="errors">
            {value.groups.map((group) => (
              <li key={group.id} class="panel">
                <div class="error-count">
                  <b>{formatCompact(group.count)}</b>
                  <small>times</small>
                </div>
                <div class="error-what">
                  <h2>{group.type === 'error' ? 'Failed without an exception' : group.type}</h2>
                  <p>{group.message}</p>
                  {group.frame !== '' && <code title={group.frame}>{group.frame}</code>}
                  <p class="badges">
                    <ServiceName name={group.service} />
                    {group.operations.slice(0, 4).map((name) => (
                      <Badge key={name} tone="quiet">
                        {name}
                      </Badge>
                    ))}
                    {group.tenants.slice(0, 8).map(({ tenant, count }) => (
                      <a
                        key={tenant}
                        class="tenant"
                        href={hrefTo('/errors', { tenant, q: query })}
                        title={`Only tenant ${tenant}`}
                      >
                        {tenant} <small>{formatCompact(count)}</small>
                      </a>
                    ))}
                    {group.tenants.length > 8 && <small>and {group.tenants.length - 8} more tenants</small>}
                  </p>
                </div>
                <div class="error-when">
                  <span title={formatTime(group.lastMillis)}>Last {formatAgo(group.lastMillis)}</span>
                  <span title={formatTime(group.firstMillis)}>First {formatAgo(group.firstMillis)}</span>
                  <a
                    class="button small"
                    href={hrefTo(`/t/${group.example.traceId}`, {
                      of: group.example.tenant,
                      span: group.example.spanId,
                    })}
                  >
                    <Icon name="traces" size={14} /> Newest trace
                  </a>
                  <a
                    class="button small"
                    href={hrefTo('/', { q: `status:error service:${quoteValue(group.service)}` })}
                  >
                    All traces
                  </a>
                </div>
              </li>
            ))}
          </ul>
        </div>
      )}
    </div>
  );
}
