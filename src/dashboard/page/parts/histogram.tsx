import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import type { RedAnswer } from '../../store/telemetry-store.ts';
import { formatCount, formatTime } from '../model/format.ts';
import { chooseRange, timeRange } from '../state/scope.ts';

interface Bar {
  readonly timeMillis: number;
  readonly count: number;
  readonly errors: number;
}

const HEIGHT = 48;

/** Spans over the time that is looked at, those that failed apart. To drag over it chooses a part of the time. */
export function Histogram({ answer }: { readonly answer: RedAnswer | undefined }): JSX.Element {
  const root = useRef<SVGSVGElement>(null);
  const [drag, setDrag] = useState<readonly [from: number, to: number]>();
  const { start, end } = timeRange();
  const bars = barsOf(answer);
  const first = bars[0]?.timeMillis ?? start;
  const from = start === 0 ? first : start;
  const step = answer?.stepMillis ?? 60_000;
  const length = Math.max(end - from, 1);
  const most = bars.reduce((highest, { count }) => Math.max(highest, count), 1);
  const shareOf = (millis: number): number => Math.min(Math.max((100 * (millis - from)) / length, 0), 100);
  const timeAt = (event: PointerEvent): number => {
    const box = root.current?.getBoundingClientRect();
    return box === undefined ? from : from + (length * (event.clientX - box.left)) / Math.max(box.width, 1);
  };
  return (
    <figure class="histogram">
      <svg
        ref={root}
        height={HEIGHT}
        role="img"
        aria-label={`Spans over time: ${formatCount(bars.reduce((sum, { count }) => sum + count, 0))}, ${formatCount(bars.reduce((sum, { errors }) => sum + errors, 0))} failed`}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          setDrag([timeAt(event), timeAt(event)]);
        }}
        onPointerMove={(event) => drag && setDrag([drag[0], timeAt(event)])}
        onPointerUp={() => {
          setDrag(undefined);
          if (drag === undefined || Math.abs(drag[1] - drag[0]) < length / 200) return;
          chooseRange(Math.min(...drag), Math.max(...drag));
        }}
      >
        {bars.map(({ timeMillis, count, errors }) => {
          const x = shareOf(timeMillis);
          const width = `${Math.max(shareOf(timeMillis + step) - x - 0.15, 0.15)}%`;
          const height = Math.max((HEIGHT * count) / most, 2);
          // Where all failed the division may come out a little higher than the whole.
          const failed = errors === 0 ? 0 : Math.min(Math.max(height * (errors / count), 2), height);
          return (
            <g key={timeMillis}>
              <title>{`${formatTime(timeMillis)}: ${formatCount(count)} spans, ${formatCount(errors)} failed`}</title>
              <rect class="good" x={`${x}%`} width={width} y={HEIGHT - height} height={height - failed} />
              <rect class="bad" x={`${x}%`} width={width} y={HEIGHT - failed} height={failed} />
            </g>
          );
        })}
        {drag && (
          <rect
            class="chosen"
            x={`${shareOf(Math.min(...drag))}%`}
            width={`${shareOf(Math.max(...drag)) - shareOf(Math.min(...drag))}%`}
            y={0}
            height={HEIGHT}
          />
        )}
      </svg>
      <figcaption>
        <span>{formatTime(from).slice(0, -4)}</span>
        <span>Drag to choose a time</span>
        <span>{formatTime(end).slice(0, -4)}</span>
      </figcaption>
    </figure>
  );
}

function barsOf(answer: RedAnswer | undefined): readonly Bar[] {
  const bars = new Map<number, Bar>();
  for (const { steps } of answer?.groups ?? []) {
    for (const { timeMillis, count, errors } of steps) {
      const known = bars.get(timeMillis);
      bars.set(timeMillis, { timeMillis, count: (known?.count ?? 0) + count, errors: (known?.errors ?? 0) + errors });
    }
  }
  return [...bars.values()].sort((left, right) => left.timeMillis - right.timeMillis);
}
