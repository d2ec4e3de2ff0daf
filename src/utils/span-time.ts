import { performance } from 'node:perf_hooks';
import type { HrTime, TimeInput } from '@opentelemetry/api';

const NANOS_PER_MILLI = 1_000_000;
const NANOS_PER_SECOND = 1_000_000_000;
/** OTLP counts nanoseconds in 64 bits, which last until the year 2554. */
const MAX_SECONDS = 18_446_744_072;

/** Milliseconds since the Unix epoch, with a fraction, as OpenTelemetry's `[seconds, nanoseconds]`. */
export function millisToHrTime(millis: number): HrTime {
  // Both steps are exact, so that no fraction is lost between seconds and nanoseconds.
  const rest = millis % 1_000;
  return normalize((millis - rest) / 1_000, Math.round(rest * NANOS_PER_MILLI));
}

/**
 * A time as OpenTelemetry's API takes it: `[seconds, nanoseconds]`, a `Date`, milliseconds since the epoch, or a
 * `performance.now()` reading (any number up to the present reading). `undefined` when it is none of these or cannot
 * be a point in time that OTLP can carry. Never throws.
 */
export function timeInputToHrTime(input: unknown): HrTime | undefined {
  try {
    const time = readTime(input);
    return time !== undefined && time[0] <= MAX_SECONDS ? time : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a value stands for a time, be it a good one or not. Never throws. */
export function isTimeInput(value: unknown): value is TimeInput {
  if (typeof value === 'number') return true;
  if (typeof value !== 'object' || value === null) return false;
  try {
    return value instanceof Date || isPairOfNumbers(value);
  } catch {
    return false;
  }
}

/** The difference of two times, never negative in sum: `[0, 0]` when `end` is before `start`. */
export function hrTimeDuration(start: HrTime, end: HrTime): HrTime {
  let seconds = end[0] - start[0];
  let nanos = end[1] - start[1];
  if (nanos < 0) {
    seconds -= 1;
    nanos += NANOS_PER_SECOND;
  }
  return seconds < 0 ? [0, 0] : [seconds, nanos];
}

function readTime(input: unknown): HrTime | undefined {
  if (typeof input === 'number') {
    return isCount(input)
      ? millisToHrTime(input <= performance.now() ? performance.timeOrigin + input : input)
      : undefined;
  }
  if (input instanceof Date) {
    const millis = Date.prototype.getTime.call(input);
    return isCount(millis) ? millisToHrTime(millis) : undefined;
  }
  if (!isPairOfNumbers(input)) return undefined;
  const [seconds, nanos] = input;
  return isCount(seconds) && isCount(nanos) ? normalize(seconds, nanos) : undefined;
}

function normalize(seconds: number, nanos: number): HrTime {
  if (nanos < NANOS_PER_SECOND) return [seconds, nanos];
  const more = Math.floor(nanos / NANOS_PER_SECOND);
  return [seconds + more, nanos - more * NANOS_PER_SECOND];
}

function isPairOfNumbers(value: unknown): value is HrTime {
  return Array.isArray(value) && value.length === 2 && typeof value[0] === 'number' && typeof value[1] === 'number';
}

function isCount(value: number): boolean {
  return Number.isFinite(value) && value >= 0;
}
