import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import type { RedAnswer, RedFigures, RedGroup } from '../../store/telemetry-store.ts';
import { quoteValue } from '../model/complete-query.ts';
import { formatCompact, formatCount, formatDuration, formatPercent, threeDigits } from '../model/format.ts';
import { fillSteps } from '../model/steps.ts';
import { Badge, ServiceName, TenantName } from '../parts/badge.tsx';
import { Chart } from '../parts/chart.tsx';
import { GetStarted, NothingFound, Problem } from '../parts/empty-state.tsx';
import { QueryBox } from '../parts/query-box.tsx';
import { Sparkline } from '../parts/sparkline.tsx';
import { hrefTo, param, setParams } from '../state/address.ts';
import { apiPath } from '../state/api.ts';
import { interest, NO_MATCH } from '../state/live.ts';
import { chooseRange, scopeValues, timeRange } from '../state/scope.ts';
import { useQuestion } from '../state/use-question.ts';

const GROUPS = ['tenant', 'service', 'operation'] as const;

/** Rate, errors and duration, made from spans. */
export function ServicesView(): JSX.Element {
  const query = param('q');
  const by = GROUPS.find((name) => name === param('by')) ?? 'service';
  const spans = param('spans') === 'all' ? 'all' : 'entry';
  const path = apiPath('red', { ...scopeValues(), query, by, spans, limit: 200 });
  const { value, error } = useQuestion<RedAnswer>(path, { follow: true, subject: by });
  useEffect(() => {
    interest.value = { query: NO_MATCH, logs: NO_MATCH };
  }, []);
  const groups = value?.groups ?? [];
  const chosen = groups.find((group) => keyOf(group) === param('group')) ?? groups[0];
  const { start, end } = timeRange();
  const from = start === 0 ? (value?.groups[0]?.steps[0]?.timeMillis ?? end - 1) : start;
  const seconds = Math.max((end - from) / 1_000, 1);
  return (
    <div class="stack">
      <div class="toolbar">
        <QueryBox
          signal="traces"
          value={query}
          placeholder="service:api attr.http.route=/x"
          onSearch={(q) => setParams({ q })}
        />
        <div class="segmented" role="group" aria-label="Group by">
          {GROUPS.map((name) => (
            <button
              type="button"
              key={name}
              aria-pressed={by === name}
              onClick={() => setParams({ by: name === 'service' ? undefined : name, group: undefined })}
            >
              {name}
            </button>
          ))}
        </div>
        <div class="segmented" role="group" aria-label="Which spans">
          <button
            type="button"
            aria-pressed={spans === 'entry'}
            title="Roots, servers and consumers"
            onClick={() => setParams({ spans: undefined })}
          >
            Requests
          </button>
          <button type="button" aria-pressed={spans === 'all'} onClick={() => setParams({ spans: 'all' })}>
            All spans
          </button>
        </div>
      </div>
      {error && <Problem error={error} />}
      {value?.partial && <Badge tone="warn">partial</Badge>}
      {value !== undefined &&
        groups.length === 0 &&
        !error &&
        (query === '' ? <GetStarted icon="services" title="No requests yet" /> : <NothingFound what="requests" />)}
      {chosen !== undefined && value !== undefined && (
        <RedCharts group={chosen} stepMillis={value.stepMillis} start={from} end={end} />
      )}
      {groups.length > 0 && (
        <div class="scroll">
          <table class="table">
            <thead>
              <tr>
                <th>{by}</th>
                {by !== 'tenant' && <th>Tenant</th>}
                <th class="number">Rate</th>
                <th />
                <th class="number">Errors</th>
                <th class="number">p50</th>
                <th class="number">p95</th>
                <th class="number">p99</th>
                <th class="number">Longest</th>
                <th />
              </tr>
            </thead>
            <tbody>
              {groups.map((group) => (
                <tr key={keyOf(group)} class={group === chosen ? 'chosen' : undefined}>
                  <td>
                    <button
                      type="button"
                      class="link"
                      aria-pressed={group === chosen}
                      onClick={() => setParams({ group: keyOf(group) })}
                    >
                      {by === 'tenant' ? <TenantName name={group.tenant} /> : <ServiceName name={group.service} />}
                      {by === 'operation' && <b>{group.operation}</b>}
                    </button>
                  </td>
                  {by !== 'tenant' && (
                    <td>
                      <TenantName name={group.tenant} />
                    </td>
                  )}
                  <td class="number" title={`${formatCount(group.count)} in this time`}>
                    {rateText(group.count / seconds)}
                  </td>
                  <td>
                    <Sparkline
                      values={fillSteps(group.steps, value?.stepMillis ?? 60_000, from, end).map(({ count }) => count)}
                    />
                  </td>
                  <td class="number">
                    {group.errors > 0 ? <Badge tone="error">{formatPercent(group.errors, group.count)}</Badge> : '0%'}
                  </td>
                  <td class="number">{formatDuration(group.p50Nanos)}</td>
                  <td class="number">{formatDuration(group.p95Nanos)}</td>
                  <td class="number">{formatDuration(group.p99Nanos)}</td>
                  <td class="number">{formatDuration(group.maxNanos)}</td>
                  <td class="number">
                    <a class="button small" href={tracesOf(group)}>
                      Traces
                    </a>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          {value?.more && <p class="hint">There are more groups: narrow the search.</p>}
        </div>
      )}
    </div>
  );
}

function RedCharts(props: {
  readonly group: RedGroup;
  readonly stepMillis: number;
  readonly start: number;
  readonly end: number;
}): JSX.Element {
  const { group, stepMillis, start, end } = props;
  const name = [group.tenant, group.service, group.operation].filter(Boolean).join(' · ');
  const all = fillSteps(group.steps, stepMillis, start, end);
  const pointsOf = (read: (step: RedFigures) => number) =>
    all.map((step): readonly [number, number] => [step.timeMillis, read(step)]);
  const durationsOf = (read: (step: RedFigures) => number) =>
    group.steps.map((step): readonly [number, number] => [step.timeMillis, read(step)]);
  const frame = { ...{ start, end, stepMillis }, height: 150, onChoose: chooseRange };
  return (
    <section class="red" aria-label={name}>
      <div class="panel">
        <h2>Rate</h2>
        <Chart
          {...frame}
          title={`Requests a second of ${name}`}
          series={[
            { name: 'requests', points: pointsOf(({ count }) => (count * 1_000) / stepMillis), color: '--accent' },
          ]}
          format={rateText}
        />
      </div>
      <div class="panel">
        <h2>Errors</h2>
        <Chart
          {...frame}
          bars
          title={`Share of failed requests of ${name}`}
          series={[
            {
              name: 'failed',
              points: pointsOf(({ count, errors }) => (count === 0 ? 0 : errors / count)),
              color: '--error',
            },
          ]}
          format={(value) => `${threeDigits(value * 100)}%`}
        />
      </div>
      <div class="panel">
        <h2>Duration</h2>
        <Chart
          {...frame}
          title={`Durations of ${name}`}
          series={[
            { name: 'p50', points: durationsOf(({ p50Nanos }) => p50Nanos), color: '--good' },
            { name: 'p95', points: durationsOf(({ p95Nanos }) => p95Nanos), color: '--warn' },
            { name: 'p99', points: durationsOf(({ p99Nanos }) => p99Nanos), color: '--error' },
          ]}
          format={formatDuration}
        />
      </div>
    </section>
  );
}

function rateText(perSecond: number): string {
  return perSecond >= 1 || perSecond === 0 ? `${formatCompact(perSecond)}/s` : `${threeDigits(perSecond * 60)}/min`;
}

function keyOf({ tenant, service, operation }: RedGroup): string {
  return [tenant, service, operation].join('|');
}

function tracesOf({ tenant, service, operation }: RedGroup): string {
  const terms = [
    service === '' ? '' : `service:${quoteValue(service)}`,
    operation === '' ? '' : `name:${quoteValue(operation)}`,
  ];
  return hrefTo('/', { tenant, q: terms.filter(Boolean).join(' ') });
}
