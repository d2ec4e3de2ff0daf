import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import type { MetricAnswer, MetricSeries } from '../../store/telemetry-store.ts';
import { formatCompact, formatTime, threeDigits } from '../model/format.ts';
import { Badge } from '../parts/badge.tsx';
import { Chart } from '../parts/chart.tsx';
import { Problem } from '../parts/empty-state.tsx';
import { HeatGrid } from '../parts/heat-grid.tsx';
import { hrefTo, param, setParams } from '../state/address.ts';
import { apiPath } from '../state/api.ts';
import { chooseRange, scopeValues, timeRange } from '../state/scope.ts';
import { useQuestion } from '../state/use-question.ts';

export type ViewChart = 'line' | 'bar' | 'heatmap' | 'stat' | 'table';

const AGGREGATIONS = ['auto', 'avg', 'sum', 'min', 'max', 'last', 'rate', 'count', 'p50', 'p95', 'p99'];
const GROUPS = ['', 'tenant', 'service', 'tenant,service'];
const MOST_SERIES = 24;

/** One metric over time. */
export function MetricPanel(props: {
  readonly name: string;
  readonly query: string;
  readonly chart: ViewChart;
}): JSX.Element {
  const { name, query, chart } = props;
  const aggregation = param('agg') || 'auto';
  const by = param('by');
  const path = apiPath('metrics/query', { ...scopeValues(), query, name, aggregation, by, limit: MOST_SERIES });
  const { value, error } = useQuestion<MetricAnswer>(path, { follow: true, subject: name });
  const series = useMemo(() => value?.series.map((one) => ({ name: labelOf(one), points: one.points })) ?? [], [value]);
  const unit = value?.metric?.unit ?? '';
  const format = (number: number): string => formatUnit(number, unit);
  const { start, end } = timeRange();
  const from =
    start === 0
      ? Math.min(...(value?.series.flatMap(({ points }) => points.map(([time]) => time)) ?? []), end - 1)
      : start;
  return (
    <section class="panel" aria-label={name}>
      <header>
        <h2>{name}</h2>
        {value && (
          <small>
            {value.metric?.type} · {value.aggregation}
            {unit === '' ? '' : ` · ${unit}`}
          </small>
        )}
        {value?.partial && <Badge tone="warn">partial</Badge>}
        {(value?.omittedSeries ?? 0) > 0 && (
          <Badge tone="quiet">{formatCompact(value?.omittedSeries ?? 0)} more series</Badge>
        )}
        <span class="spring" />
        <Choice
          name="Aggregation"
          value={aggregation}
          values={AGGREGATIONS}
          onChoose={(agg) => setParams({ agg: agg === 'auto' ? undefined : agg })}
        />
        <Choice name="Group by" value={by} values={GROUPS} onChoose={(group) => setParams({ by: group })} />
      </header>
      {error && <Problem error={error} />}
      {value?.metric === undefined && value !== undefined && <p class="hint">No points in this time.</p>}
      {value?.metric !== undefined && (chart === 'line' || chart === 'bar') && (
        <Chart
          title={name}
          {...{ series, format, end }}
          start={from}
          stepMillis={value.stepMillis}
          bars={chart === 'bar'}
          dots={dotsOf(value, format)}
          onChoose={chooseRange}
        />
      )}
      {value !== undefined && chart === 'heatmap' && <HeatGrid series={series} format={format} />}
      {value !== undefined && chart === 'stat' && (
        <div class="stats">
          {series.map((one) => (
            <div class="fact" key={one.name}>
              <b>{format(one.points.at(-1)?.[1] ?? 0)}</b>
              <small>{one.name}</small>
            </div>
          ))}
        </div>
      )}
      {value !== undefined && chart === 'table' && (
        <table class="table">
          <tbody>
            {series.map((one) => (
              <tr key={one.name}>
                <td>{one.name}</td>
                <td class="number">{format(one.points.at(-1)?.[1] ?? 0)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function Choice(props: {
  readonly name: string;
  readonly value: string;
  readonly values: readonly string[];
  readonly onChoose: (value: string) => void;
}): JSX.Element {
  const { name, value, values, onChoose } = props;
  return (
    <select
      class="input"
      aria-label={name}
      title={name}
      value={value}
      onChange={(event) => onChoose(event.currentTarget.value)}
    >
      {values.map((one) => (
        <option key={one} value={one}>
          {one === '' ? 'every series' : one}
        </option>
      ))}
    </select>
  );
}

function labelOf({ labels }: MetricSeries): string {
  const texts = Object.entries(labels).map(([key, value]) =>
    key === 'tenant' || key === 'service' ? value : `${key}=${value}`,
  );
  return texts.length === 0 ? 'all' : texts.join(' · ');
}

function dotsOf({ series }: MetricAnswer, format: (value: number) => string) {
  return series.flatMap(({ exemplars }) =>
    exemplars
      .filter(({ traceId }) => traceId !== '')
      .map(({ timeMillis, value, tenant, traceId, spanId }) => ({
        ...{ timeMillis, value },
        title: `${format(value)} at ${formatTime(timeMillis)}, ${tenant}: open the trace`,
        href: hrefTo(`/t/${traceId}`, { of: tenant, span: spanId }),
      })),
  );
}

function formatUnit(value: number, unit: string): string {
  if (unit === 'By') return `${formatCompact(value)}B`;
  if (unit === '1' && Math.abs(value) <= 1) return threeDigits(value);
  return `${formatCompact(value)}${/^[a-zµ]{1,3}$/.test(unit) ? ` ${unit}` : ''}`;
}
