import type { JSX } from 'preact';

/** A line without axes; what it says is told by the words beside it. */
export function Sparkline(props: {
  readonly values: readonly number[];
  readonly tone?: 'accent' | 'error';
  readonly width?: number;
  readonly height?: number;
}): JSX.Element {
  const { values, tone = 'accent', width = 96, height = 22 } = props;
  const most = Math.max(...values, 1e-9);
  const step = width / Math.max(values.length - 1, 1);
  const points = values.map(
    (value, at) => `${(at * step).toFixed(1)},${(height - 1.5 - (value / most) * (height - 3)).toFixed(1)}`,
  );
  return (
    <svg
      class={`sparkline ${tone}`}
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      aria-hidden="true"
    >
      {points.length > 1 && <path class="area" d={`M0,${height} L${points.join(' L')} L${width},${height}Z`} />}
      {points.length > 1 && <path d={`M${points.join(' L')}`} />}
    </svg>
  );
}
