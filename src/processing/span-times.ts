import type { HrTime } from '@opentelemetry/api';
import type { Clock } from '../utils/clock.ts';
import { millisToHrTime, timeInputToHrTime } from '../utils/span-time.ts';

/**
 * When a span started and ended. What was measured stays in milliseconds, which are written as they are; they become
 * OpenTelemetry's pairs when somebody asks, and then those are what counts.
 */
export abstract class SpanTimes {
  readonly #clock: Clock;
  /** Where durations are measured from, on the monotonic clock; `undefined` when the host gave the start. */
  readonly #startedAt: number | undefined;
  readonly #startMillis: number | undefined;
  #endMillis: number | undefined;
  #startTime: HrTime | undefined;
  #endTime: HrTime | undefined;

  constructor(clock: Clock, startTime: unknown) {
    this.#clock = clock;
    this.#startTime = startTime === undefined ? undefined : timeInputToHrTime(startTime);
    if (this.#startTime === undefined) {
      this.#startedAt = clock.monotonic();
      this.#startMillis = clock.toEpoch(this.#startedAt);
    }
  }

  get startTime(): HrTime {
    this.#startTime ??= millisToHrTime(this.#startMillis ?? 0);
    return this.#startTime;
  }

  set startTime(time: HrTime) {
    this.#startTime = time;
  }

  /** Since the epoch; `undefined` once `startTime` is what counts. */
  get startMillis(): number | undefined {
    return this.#startTime === undefined ? this.#startMillis : undefined;
  }

  get endTime(): HrTime {
    if (this.#endTime === undefined && this.#endMillis === undefined) return [0, 0];
    this.#endTime ??= millisToHrTime(this.#endMillis ?? 0);
    return this.#endTime;
  }

  set endTime(time: HrTime) {
    this.#endTime = time;
  }

  /** Since the epoch; `undefined` once `endTime` is what counts. */
  get endMillis(): number | undefined {
    return this.#endTime === undefined ? this.#endMillis : undefined;
  }

  /** Ends at the given time, or now; never before the start. */
  protected setEnd(endTime: unknown): void {
    const start = this.startMillis;
    const given = endTime === undefined ? undefined : timeInputToHrTime(endTime);
    if (given === undefined && start !== undefined) {
      this.#endMillis = Math.max(this.#now(), start);
      return;
    }
    const [seconds, nanos] = this.startTime;
    const end = given ?? millisToHrTime(this.#now());
    this.#endTime = end[0] < seconds || (end[0] === seconds && end[1] < nanos) ? [seconds, nanos] : end;
  }

  /** The time that was given, or now. */
  protected timeOf(input: unknown): HrTime {
    const given = input === undefined ? undefined : timeInputToHrTime(input);
    return given ?? millisToHrTime(this.#now());
  }

  /** Milliseconds since the epoch: measured from the start on the monotonic clock unless the start was given. */
  #now(): number {
    if (this.#startedAt === undefined || this.#startMillis === undefined) return this.#clock.now();
    return this.#startMillis + this.#clock.monotonic() - this.#startedAt;
  }
}
