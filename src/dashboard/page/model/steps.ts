import type { RedFigures, RedGroup } from '../../store/telemetry-store.ts';

export type RedStep = RedGroup['steps'][number];

const MOST = 2_000;
const NOTHING: RedFigures = { count: 0, errors: 0, p50Nanos: 0, p95Nanos: 0, p99Nanos: 0, maxNanos: 0 };

/** All steps of a time, also those in which nothing happened. */
export function fillSteps(
  steps: readonly RedStep[],
  stepMillis: number,
  start: number,
  end: number,
): readonly RedStep[] {
  const [first] = steps;
  if (first === undefined || (end - start) / stepMillis > MOST) return steps;
  const known = new Map(steps.map((step) => [step.timeMillis, step]));
  // Steps begin at multiples of their length.
  const phase = first.timeMillis % stepMillis;
  const from = Math.floor((start - phase) / stepMillis) * stepMillis + phase;
  const filled: RedStep[] = [];
  for (let timeMillis = from; timeMillis < end; timeMillis += stepMillis) {
    filled.push(known.get(timeMillis) ?? { ...NOTHING, timeMillis });
  }
  return filled;
}
