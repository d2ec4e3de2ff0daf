import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { MetricSummary } from '../../store/telemetry-store.ts';
import { addTerm, quoteValue } from '../model/complete-query.ts';
import { formatCompact } from '../model/format.ts';
import { GetStarted, NothingFound, Problem } from '../parts/empty-state.tsx';
import { ExportButton } from '../parts/export-button.tsx';
import { QueryBox } from '../parts/query-box.tsx';
import { param, setParams } from '../state/address.ts';
import { apiPath } from '../state/api.ts';
import { exportPage } from '../state/export-otlp.ts';
import { interest, NO_MATCH } from '../state/live.ts';
import { scopeValues } from '../state/scope.ts';
import { useQuestion } from '../state/use-question.ts';
import { MetricPanel, type ViewChart } from './metric-panel.tsx';

interface Views {
  readonly views: readonly { readonly metric: string; readonly chart: ViewChart }[];
}

export function MetricsView(): JSX.Element {
  const query = param('q');
  const list = useQuestion<{ readonly metrics: readonly MetricSummary[] }>(
    apiPath('metrics', { ...scopeValues(), query }),
    {
      follow: true,
      subject: 'metrics',
    },
  );
  const views = useQuestion<Views>(apiPath('views'));
  const [filter, setFilter] = useState('');
  useEffect(() => {
    interest.value = { query: NO_MATCH, logs: NO_MATCH };
  }, []);
  const metrics = list.value?.metrics ?? [];
  const registered = views.value?.views ?? [];
  const chosen = param('name').split(',').filter(Boolean);
  const shown =
    chosen.length > 0
      ? chosen
      : registered.length > 0
        ? registered.map(({ metric }) => metric)
        : metrics.slice(0, 4).map(({ name }) => name);
  const toggle = (name: string): void =>
    setParams({
      name: (chosen.includes(name) ? chosen.filter((other) => other !== name) : [...chosen, name]).join(','),
    });
  return (
    <div class="stack">
      <div class="toolbar">
        <QueryBox
          signal="metrics"
          value={query}
          placeholder="service:api attr.http.route=/x"
          onSearch={(q) => setParams({ q })}
        />
        <ExportButton
          what="metrics"
          disabled={metrics.length === 0}
          onExport={() => exportPage('metrics', { ...scopeValues(), query: addNames(query, chosen) })}
        />
      </div>
      {list.error && <Problem error={list.error} />}
      {list.value !== undefined &&
        metrics.length === 0 &&
        (query === '' ? <GetStarted icon="metrics" title="No metrics yet" /> : <NothingFound what="metrics" />)}
      {metrics.length > 0 && (
        <div class="split left">
          <aside class="metric-list" aria-label="Metrics">
            <input
              class="input"
              aria-label="Find a metric"
              placeholder="Find a metric"
              value={filter}
              onInput={(event) => setFilter(event.currentTarget.value)}
            />
            {metrics
              .filter(({ name }) => name.toLowerCase().includes(filter.toLowerCase()))
              .map(({ name, type, unit, points, tenants }) => (
                <button
                  type="button"
                  key={name}
                  class="choice"
                  aria-pressed={shown.includes(name)}
                  onClick={() => toggle(name)}
                  title={`${tenants.length} tenants`}
                >
                  <span>{name}</span>
                  <small>
                    {type} {unit === '' ? '' : `· ${unit}`} · {formatCompact(points)} points
                  </small>
                </button>
              ))}
          </aside>
          <div class="scroll charts">
            {shown.map((name) => (
              <MetricPanel
                key={name}
                name={name}
                query={query}
                chart={registered.find(({ metric }) => metric === name)?.chart ?? 'line'}
              />
            ))}
          </div>
        </div>
      )}
    </div>
  );
}

/** Only the metrics that were chosen; all that match without any. */
function addNames(query: string, names: readonly string[]): string {
  return names.length === 0 ? query : addTerm(query, `name:${names.map(quoteValue).join(',')}`);
}
