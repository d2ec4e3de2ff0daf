import type { JSX } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { StoreStats } from '../../store/store-figures.ts';
import type { RedAnswer, TraceSummary } from '../../store/telemetry-store.ts';
import { traceKey } from '../model/followed-traces.ts';
import { formatAgo, formatCompact, formatCount, formatDuration, formatTime } from '../model/format.ts';
import { Badge, ServiceName, TenantName } from '../parts/badge.tsx';
import { GetStarted, NothingFound, Problem } from '../parts/empty-state.tsx';
import { ExportButton } from '../parts/export-button.tsx';
import { Histogram } from '../parts/histogram.tsx';
import { Icon } from '../parts/icon.tsx';
import { QueryBox } from '../parts/query-box.tsx';
import { VirtualList } from '../parts/virtual-list.tsx';
import { go, hrefTo, param, setParams } from '../state/address.ts';
import { announce } from '../state/announce.ts';
import { apiPath } from '../state/api.ts';
import { exportTraces } from '../state/export-otlp.ts';
import { scopeValues, tenantValues } from '../state/scope.ts';
import { useKeys } from '../state/use-keys.ts';
import { useLiveTraces } from '../state/use-live-traces.ts';
import { useQuestion } from '../state/use-question.ts';

const ROW_HEIGHT = 44;

export function TracesView(): JSX.Element {
  const query = param('q');
  const order = param('order') === 'longest' ? 'longest' : 'newest';
  const { traces, error, more, partial } = useLiveTraces(query, order);
  const rates = useQuestion<RedAnswer>(apiPath('red', { ...scopeValues(), query, by: 'tenant', spans: 'all' }), {
    follow: true,
  });
  const stats = useQuestion<StoreStats>(apiPath('stats', tenantValues()), { follow: true });
  const list = traces ?? [];
  const [active, setActive] = useState<string>();
  const [reveal, setReveal] = useState(0);
  const at = list.findIndex((trace) => traceKey(trace) === active);
  const longest = useMemo(() => list.reduce((most, { durationNanos }) => Math.max(most, durationNanos), 1), [list]);
  const move = (by: number): void => {
    const next = list[Math.min(Math.max(at + by, 0), list.length - 1)];
    if (next === undefined) return;
    setActive(traceKey(next));
    setReveal((number) => number + 1);
  };
  const open = (trace: TraceSummary | undefined): void => {
    if (trace !== undefined) go(traceHref(trace));
  };
  const nextError = (by: number): void => {
    const found = (by > 0 ? list.slice(at + 1) : list.slice(0, Math.max(at, 0)).reverse()).find(
      ({ errors }) => errors > 0,
    );
    if (found === undefined) {
      announce('No other failed trace in the list');
      return;
    }
    setActive(traceKey(found));
    setReveal((number) => number + 1);
  };
  useKeys('Traces', [
    { keys: 'j', words: 'Next trace', run: () => move(1) },
    { keys: 'k', words: 'Trace before', run: () => move(-1) },
    { keys: 'Enter', words: 'Open the trace', run: () => open(list[at]) },
    { keys: 'e', words: 'Next failed trace', run: () => nextError(1) },
    { keys: 'E', words: 'Failed trace before', run: () => nextError(-1) },
  ]);
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      move(event.key === 'ArrowDown' ? 1 : -1);
    }
  };
  const stored = stats.value?.stored;
  const isVirgin = stored !== undefined && stored.traces + stored.logs + stored.metrics === 0;
  useEffect(() => setReveal(0), [query]);
  return (
    <div class="stack">
      <div class="toolbar">
        <QueryBox
          signal="traces"
          value={query}
          placeholder='service:api status:error dur>200ms "text" attr.http.route=/x'
          onSearch={(q) => setParams({ q })}
        />
        <div class="segmented" role="group" aria-label="Order">
          {(['newest', 'longest'] as const).map((name) => (
            <button
              type="button"
              key={name}
              aria-pressed={order === name}
              onClick={() => setParams({ order: name === 'newest' ? undefined : name })}
            >
              {name === 'newest' ? 'Newest' : 'Longest'}
            </button>
          ))}
        </div>
        <button
          type="button"
          class="button"
          title="Spans that failed"
          aria-pressed={query.includes('status:error')}
          onClick={() =>
            setParams({
              q: query.includes('status:error')
                ? query.replace(/ ?status:error/, '').trim()
                : `${query} status:error`.trim(),
            })
          }
        >
          <Icon name="errors" />
          <span class="button-label">Errors only</span>
        </button>
        <ExportButton what="traces" disabled={list.length === 0} onExport={() => exportTraces(list)} />
      </div>
      {isVirgin && list.length === 0 && query === '' && error === undefined ? (
        <GetStarted icon="traces" title="Waiting for the first span" />
      ) : (
        <>
          <Histogram answer={rates.value} />
          {error && <Problem error={error} />}
          <p class="summary" role="status">
            {traces === undefined
              ? 'Looking …'
              : `${formatCount(list.length)} ${list.length === 1 ? 'trace' : 'traces'}`}
            {more && <span>, and more: narrow the search or the time</span>}
            {partial && (
              <Badge tone="warn" title="The search ended at its budget: some may be missing">
                partial
              </Badge>
            )}
          </p>
          {traces !== undefined && list.length === 0 && error === undefined && <NothingFound what="traces" />}
          {list.length > 0 && (
            <VirtualList
              id="traces"
              role="grid"
              label="Traces"
              class="traces"
              count={list.length}
              rowHeight={ROW_HEIGHT}
              active={at}
              reveal={reveal}
              keyOf={(index) => traceKey(list[index] as TraceSummary)}
              onKeyDown={onKeyDown}
              header={<Header />}
              row={(index) => {
                const trace = list[index] as TraceSummary;
                return <Row trace={trace} index={index} active={index === at} longest={longest} />;
              }}
            />
          )}
        </>
      )}
    </div>
  );
}

export function traceHref({ traceId, tenant }: Pick<TraceSummary, 'traceId' | 'tenant'>, spanId?: string): string {
  return hrefTo(`/t/${traceId}`, { of: tenant, span: spanId });
}

function Header(): JSX.Element {
  return (
    <div class="trace-row head" role="row">
      {['Trace', 'Tenant', 'Services', 'Spans', 'Duration', 'Start'].map((name) => (
        <span role="columnheader" key={name}>
          {name}
        </span>
      ))}
    </div>
  );
}

function Row(props: {
  readonly trace: TraceSummary;
  readonly index: number;
  readonly active: boolean;
  readonly longest: number;
}): JSX.Element {
  const { trace, index, active, longest } = props;
  const { service, name, tenant, services, spans, errors, durationNanos, startMillis, rootMissing } = trace;
  return (
    <div
      role="row"
      id={`traces-${index}`}
      aria-rowindex={index + 1}
      aria-selected={active}
      class="trace-row"
      data-trace={trace.traceId}
    >
      <span role="gridcell" class="trace-name">
        <a href={traceHref(trace)} tabIndex={-1}>
          {name === '' ? 'no name' : name}
        </a>
        <ServiceName name={service} />
        {rootMissing && (
          <Badge tone="warn" title="The root span has not come in">
            no root
          </Badge>
        )}
      </span>
      <span role="gridcell">
        <TenantName name={tenant} />
      </span>
      <span role="gridcell" class="services" title={services.join(', ')}>
        {services.slice(0, 5).map((other) => (
          <ServiceName key={other} name={other} />
        ))}
        {services.length > 5 && <small>+{services.length - 5}</small>}
      </span>
      <span role="gridcell" class="numbers">
        {errors > 0 && <Badge tone="error">{formatCompact(errors)} failed</Badge>} {formatCompact(spans)}
      </span>
      <span role="gridcell" class="numbers duration">
        {formatDuration(durationNanos)}
        <i style={{ width: `${Math.max(2, (100 * durationNanos) / longest)}%` }} />
      </span>
      <span role="gridcell" class="numbers time" title={new Date(startMillis).toISOString()}>
        {formatTime(startMillis)}
        <small>{formatAgo(startMillis)}</small>
      </span>
    </div>
  );
}
