import type { JSX } from 'preact';
import { formatTime } from '../model/format.ts';
import type { ChartSeries } from './chart.tsx';

const ROW_HEIGHT = 18;
const MOST_ROWS = 24;

/** One row a series, one cell a step: the more, the stronger. */
export function HeatGrid({
  series,
  format,
}: {
  readonly series: readonly ChartSeries[];
  readonly format: (value: number) => string;
}): JSX.Element {
  const rows = series.slice(0, MOST_ROWS);
  const times = [...new Set(rows.flatMap(({ points }) => points.map(([time]) => time)))].sort(
    (left, right) => left - right,
  );
  const most = Math.max(...rows.flatMap(({ points }) => points.map(([, value]) => value)), 1e-9);
  const width = 100 / Math.max(times.length, 1);
  return (
    <div class="heat">
      {rows.map(({ name, points }) => {
        const values = new Map(points);
        return (
          <div key={name}>
            <small title={name}>{name}</small>
            <svg height={ROW_HEIGHT} role="img" aria-label={`${name}: up to ${format(Math.max(...values.values()))}`}>
              {times.map((time, at) => {
                const value = values.get(time);
                if (value === undefined) return null;
                return (
                  <rect
                    key={time}
                    x={`${at * width}%`}
                    width={`${width * 0.94}%`}
                    y={1}
                    height={ROW_HEIGHT - 2}
                    opacity={0.12 + (0.88 * Math.max(value, 0)) / most}
                  >
                    <title>{`${formatTime(time)}: ${format(value)}`}</title>
                  </rect>
                );
              })}
            </svg>
          </div>
        );
      })}
    </div>
  );
}
