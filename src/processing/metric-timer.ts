import type { Attributes, Histogram } from '@opentelemetry/api';
import type { Clock } from '../utils/clock.ts';
import { copyRecord } from '../utils/record-keys.ts';
import type { CallScope } from './call-scope.ts';
import { runTracked } from './track-result.ts';

const MAX_ATTRIBUTES = 128;

/** A duration that is being measured; stops once, also by `using`. */
export interface RunningTimer extends Disposable {
  /** Records the time since the start, in seconds, and answers it. */
  stop(attributes?: Attributes): number;
}

/** Measures durations into a histogram, in seconds. No method throws on its own account. */
export class MetricTimer {
  readonly #histogram: Histogram;
  readonly #clock: Clock;

  /** Made by `tracer.metrics.timer`. */
  constructor(histogram: Histogram, clock: Clock) {
    this.#histogram = histogram;
    this.#clock = clock;
  }

  /** Records a duration that was measured otherwise. */
  record(seconds: number, attributes?: Attributes): void {
    this.#histogram.record(seconds, attributes);
  }

  /** Begins to measure; what is answered records the duration. */
  start(attributes?: Attributes): RunningTimer {
    const startedAt = this.#clock.monotonic();
    let seconds: number | undefined;
    const stop = (more?: Attributes): number => {
      if (seconds === undefined) {
        seconds = Math.max(this.#clock.monotonic() - startedAt, 0) / 1_000;
        this.#histogram.record(seconds, more === undefined ? attributes : joined(attributes, more));
      }
      return seconds;
    };
    return { stop, [Symbol.dispose]: () => void stop() };
  }

  /**
   * Runs `fn` and measures until its result is over, as `tracer.withSpan` does. A failure is measured with `error.type`,
   * and comes out as the very same value.
   */
  time<T>(fn: () => T, attributes?: Attributes): T {
    const running = this.start(attributes);
    const scope: CallScope = {
      run: (call) => call(),
      end: (failure) => void running.stop(failure === undefined ? undefined : { 'error.type': typeOf(failure.error) }),
    };
    return runTracked(fn, scope);
  }
}

function joined(attributes: Attributes | undefined, more: Attributes): Attributes | undefined {
  try {
    return { ...copyRecord(attributes, MAX_ATTRIBUTES), ...copyRecord(more, MAX_ATTRIBUTES) } as Attributes;
  } catch {
    return attributes;
  }
}

/** The name of an error's class: a few values, where messages would be as many as there are failures. */
function typeOf(error: unknown): string {
  try {
    return error instanceof Error && typeof error.name === 'string' ? error.name : '_OTHER';
  } catch {
    return '_OTHER';
  }
}
