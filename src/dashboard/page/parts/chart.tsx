import 'uplot/dist/uPlot.min.css';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import UPlot from 'uplot';
import { formatTime } from '../model/format.ts';
import { isDark } from '../state/theme.ts';
import { cssColor } from './css-color.ts';

export interface ChartSeries {
  readonly name: string;
  /** Time in milliseconds, and value; not in order. */
  readonly points: readonly (readonly [timeMillis: number, value: number])[];
  readonly color?: string;
}

export interface ChartDot {
  readonly timeMillis: number;
  readonly value: number;
  readonly title: string;
  readonly href: string;
}

export interface ChartProps {
  readonly title: string;
  readonly series: readonly ChartSeries[];
  readonly start: number;
  readonly end: number;
  readonly stepMillis: number;
  readonly bars?: boolean;
  readonly dots?: readonly ChartDot[];
  readonly format: (value: number) => string;
  readonly onChoose?: (start: number, end: number) => void;
  readonly height?: number;
}

const HUES = 12;
const MOST_DOTS = 200;

/** Lines or bars over time. To drag over it chooses a time; dots are links to traces. */
export function Chart(props: ChartProps): JSX.Element {
  const root = useRef<HTMLDivElement>(null);
  const newest = useRef(props);
  newest.current = props;
  const dark = isDark.value;
  const names = props.series.map(({ name }) => name).join('\n');
  const plot = useRef<UPlot | undefined>(undefined);
  useEffect(() => {
    const element = root.current;
    if (element === null) return undefined;
    const chart = new UPlot(optionsOf(element, newest), dataOf(newest.current), element);
    plot.current = chart;
    const observer = new ResizeObserver(() =>
      chart.setSize({ width: element.clientWidth, height: newest.current.height ?? 180 }),
    );
    observer.observe(element);
    return () => {
      observer.disconnect();
      chart.destroy();
      plot.current = undefined;
    };
  }, [dark, names, props.bars]);
  useEffect(() => {
    plot.current?.setData(dataOf(props));
  }, [props.series, props.start, props.end]);
  return (
    <figure class="chart" aria-label={props.title}>
      <div ref={root} class="chart-plot" />
      <div class="dots" aria-label="Exemplars" role="group" />
      <table class="off-screen">
        <caption>{props.title}</caption>
        <tbody>
          {props.series.map(({ name, points }) => (
            <tr key={name}>
              <th>{name}</th>
              <td>{props.format(points.at(-1)?.[1] ?? 0)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </figure>
  );
}

function optionsOf(element: HTMLElement, newest: { readonly current: ChartProps }): UPlot.Options {
  const { series, bars, height = 180 } = newest.current;
  const [text, line] = [cssColor('--muted'), cssColor('--line')];
  const axis = {
    stroke: text,
    grid: { stroke: line, width: 1 },
    ticks: { stroke: line, width: 1, size: 4 },
    font: '11px system-ui',
  };
  const paths = bars ? UPlot.paths.bars?.({ size: [0.8, 40] }) : undefined;
  return {
    width: Math.max(element.clientWidth, 200),
    height,
    ms: 1,
    scales: {
      x: { time: true, range: () => [newest.current.start, newest.current.end] },
      y: { range: (_plot, _least, most) => [0, most > 0 ? most * 1.1 : 1] },
    },
    cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 6 } },
    axes: [
      { ...axis, size: 26, values: (plot, splits) => splits.map((time) => axisTime(time, plot.scales['x'])) },
      { ...axis, size: 62, values: (_plot, values) => values.map((value) => newest.current.format(value)) },
    ],
    series: [
      { label: 'Time', value: (_plot: UPlot, millis: number | null) => (millis === null ? '–' : formatTime(millis)) },
      ...series.map(({ name, color }, at) => {
        const stroke = cssColor(color ?? '--hue', color === undefined ? `hue-${at % HUES}` : '');
        return {
          ...{ label: name, stroke, width: 1.5, spanGaps: false },
          ...(paths && { paths, fill: stroke }),
          points: { show: series.length === 1 && (series[0]?.points.length ?? 0) < 3 },
          value: (_plot: UPlot, value: number | null) => (value === null ? '–' : newest.current.format(value)),
        };
      }),
    ],
    hooks: {
      setSelect: [
        (plot) => {
          const { left, width } = plot.select;
          if (width > 4) newest.current.onChoose?.(plot.posToVal(left, 'x'), plot.posToVal(left + width, 'x'));
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
      draw: [(plot) => placeDots(plot, element, newest.current.dots ?? [])],
    },
  };
}

/** Series have their own times; the plot wants one list, with nothing where a series has no value. */
function dataOf({ series }: ChartProps): UPlot.AlignedData {
  const times = [...new Set(series.flatMap(({ points }) => points.map(([time]) => time)))].sort(
    (left, right) => left - right,
  );
  const places = new Map(times.map((time, at) => [time, at]));
  const columns = series.map(({ points }) => {
    const values = new Array<number | null>(times.length).fill(null);
    for (const [time, value] of points) values[places.get(time) ?? 0] = value;
    return values;
  });
  return [times, ...columns] as UPlot.AlignedData;
}

/** Links, so that they can be reached with the keyboard. */
function placeDots(plot: UPlot, element: HTMLElement, dots: readonly ChartDot[]): void {
  const layer = element.nextElementSibling;
  if (!(layer instanceof HTMLElement)) return;
  layer.replaceChildren();
  for (const { timeMillis, value, title, href } of dots.slice(0, MOST_DOTS)) {
    const [x, y] = [plot.valToPos(timeMillis, 'x'), plot.valToPos(value, 'y')];
    const box = plot.over;
    if (x < 0 || x > box.clientWidth || y < 0 || y > box.clientHeight) continue;
    const link = document.createElement('a');
    link.href = href;
    link.className = 'exemplar';
    link.title = title;
    link.setAttribute('aria-label', title);
    link.style.left = `${x + box.offsetLeft}px`;
    link.style.top = `${y + box.offsetTop}px`;
    layer.append(link);
  }
}

/** As short as the length of the whole allows. */
function axisTime(millis: number, scale: UPlot.Scale | undefined): string {
  const length = (scale?.max ?? 0) - (scale?.min ?? 0);
  const date = new Date(millis);
  const [hours, minutes, seconds] = [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) =>
    String(part).padStart(2, '0'),
  );
  if (length > 2 * 86_400_000) return `${date.getMonth() + 1}/${date.getDate()} ${hours}:${minutes}`;
  return length < 600_000 ? `${hours}:${minutes}:${seconds}` : `${hours}:${minutes}`;
}
