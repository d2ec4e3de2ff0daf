import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { TenantSummary } from '../../store/store-figures.ts';
import { formatCompact } from '../model/format.ts';
import { Badge } from '../parts/badge.tsx';
import { Problem } from '../parts/empty-state.tsx';
import { Popover } from '../parts/popover.tsx';
import { apiPath } from '../state/api.ts';
import { chooseTenants, chosenTenants } from '../state/scope.ts';
import { useQuestion } from '../state/use-question.ts';

/** One tenant, several, or all. */
export function TenantSwitch(): JSX.Element {
  const chosen = chosenTenants();
  const [first] = chosen;
  const label = first === undefined ? 'All tenants' : chosen.length === 1 ? first : `${first} + ${chosen.length - 1}`;
  return (
    <Popover name="Choose tenants" icon="tenants" label={label}>
      {(close) => <TenantChoice chosen={chosen} close={close} />}
    </Popover>
  );
}

function TenantChoice({
  chosen,
  close,
}: {
  readonly chosen: readonly string[];
  readonly close: () => void;
}): JSX.Element {
  const { value, error } = useQuestion<{ readonly tenants: readonly TenantSummary[] }>(apiPath('tenants'), {
    follow: true,
  });
  const [filter, setFilter] = useState('');
  const known = value?.tenants ?? [];
  const others = chosen.filter((name) => !known.some(({ tenant }) => tenant === name));
  const toggle = (tenant: string): void =>
    chooseTenants(chosen.includes(tenant) ? chosen.filter((other) => other !== tenant) : [...chosen, tenant]);
  return (
    <>
      <input
        class="input"
        aria-label="Find a tenant"
        placeholder="Find a tenant"
        value={filter}
        onInput={(event) => setFilter(event.currentTarget.value)}
      />
      <div class="choices">
        <label class="choice">
          <input type="checkbox" checked={chosen.length === 0} onChange={() => chooseTenants([])} />
          <span>All tenants</span>
        </label>
        {others.map((tenant) => (
          <label class="choice" key={tenant}>
            <input type="checkbox" checked onChange={() => toggle(tenant)} />
            <span>{tenant}</span>
            {value !== undefined && <small>nothing stored</small>}
          </label>
        ))}
        {known
          .filter(({ tenant }) => tenant.toLowerCase().includes(filter.toLowerCase()))
          .map(({ tenant, stored, evicted, rejected }) => (
            <div class="choice" key={tenant}>
              <label>
                <input type="checkbox" checked={chosen.includes(tenant)} onChange={() => toggle(tenant)} />
                <span>{tenant}</span>
              </label>
              {evicted.traces + evicted.logs + evicted.metrics > 0 && (
                <Badge tone="warn" title="Spans, log records and points that had to make room">
                  {formatCompact(evicted.traces + evicted.logs + evicted.metrics)} evicted
                </Badge>
              )}
              {rejected > 0 && <Badge tone="error">{formatCompact(rejected)} rejected</Badge>}
              <small>{formatCompact(stored.traces)} spans</small>
              <button
                type="button"
                class="link"
                aria-label={`Only ${tenant}`}
                onClick={() => {
                  chooseTenants([tenant]);
                  close();
                }}
              >
                only
              </button>
            </div>
          ))}
        {error && <Problem error={error} />}
        {value?.tenants.length === 0 && <p class="hint">No tenant has sent anything yet.</p>}
      </div>
    </>
  );
}
