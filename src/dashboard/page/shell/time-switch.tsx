import type { JSX } from 'preact';
import { formatTime } from '../model/format.ts';
import { Popover } from '../parts/popover.tsx';
import { chooseLast, chooseRange, exactStart, isRolling, lastOf, RANGES, timeRange } from '../state/scope.ts';

/** Which time is looked at, in all views. */
export function TimeSwitch(): JSX.Element {
  return (
    <Popover name="Choose the time" icon="clock" label={label()} alignEnd>
      {(close) => (
        <>
          <div class="choices">
            {RANGES.map(([last, words]) => (
              <button
                type="button"
                key={last}
                class="choice"
                aria-pressed={isRolling() && exactStart() === undefined && lastOf() === last}
                onClick={() => {
                  chooseLast(last);
                  close();
                }}
              >
                {words}
              </button>
            ))}
          </div>
          <ExactTimes />
        </>
      )}
    </Popover>
  );
}

function ExactTimes(): JSX.Element {
  const { start, end } = timeRange();
  const change = (from: number, to: number): void => {
    if (Number.isFinite(from) && Number.isFinite(to) && from < to) chooseRange(from, to);
  };
  return (
    <fieldset class="exact">
      <legend>Exactly</legend>
      <label>
        From
        <input
          type="datetime-local"
          step="1"
          class="input"
          value={toLocal(start)}
          onChange={(event) => change(Date.parse(event.currentTarget.value), end)}
        />
      </label>
      <label>
        To
        <input
          type="datetime-local"
          step="1"
          class="input"
          value={toLocal(end)}
          onChange={(event) => change(start, Date.parse(event.currentTarget.value))}
        />
      </label>
    </fieldset>
  );
}

function label(): string {
  const from = exactStart();
  if (isRolling() && from === undefined) return RANGES.find(([last]) => last === lastOf())?.[1] ?? `Last ${lastOf()}`;
  const { start, end } = timeRange();
  if (isRolling()) return start === 0 ? 'All the time' : `Since ${shortTime(start)}`;
  return `${shortTime(start)} – ${shortTime(end)}`;
}

function shortTime(millis: number): string {
  return formatTime(millis).replace(/\.\d+$/, '');
}

/** As the input wants it: without a time zone. */
function toLocal(millis: number): string {
  const date = new Date(millis);
  return new Date(millis - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}
