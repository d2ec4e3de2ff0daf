import { LatencySketch } from './latency-sketch.ts';
import type { RedAnswer, RedFigures, RedGroup } from './telemetry-store.ts';

interface Tally {
  errors: number;
  readonly sketch: LatencySketch;
}

interface TalliedGroup extends Tally {
  readonly tenant: string;
  readonly service: string;
  readonly operation: string;
  /** By number: the time divided by the length of a step. */
  readonly steps: Map<number, Tally>;
}

/** Gathers rate, errors and durations by group and by step of time. */
export class RedTable {
  readonly #stepMillis: number;
  readonly #groups = new Map<string, TalliedGroup>();

  constructor(stepMillis: number) {
    this.#stepMillis = stepMillis;
  }

  group(tenant: string, service: string, operation: string): TalliedGroup {
    const key = JSON.stringify([tenant, service, operation]);
    const known = this.#groups.get(key);
    if (known !== undefined) return known;
    const group = { tenant, service, operation, errors: 0, sketch: new LatencySketch(), steps: new Map() };
    this.#groups.set(key, group);
    return group;
  }

  add(group: TalliedGroup, timeMillis: number, nanos: number, failed: boolean, weight = 1): void {
    const number = Math.floor(timeMillis / this.#stepMillis);
    let step = group.steps.get(number);
    if (step === undefined) {
      step = { errors: 0, sketch: new LatencySketch() };
      group.steps.set(number, step);
    }
    group.sketch.add(nanos, weight);
    step.sketch.add(nanos, weight);
    if (!failed) return;
    group.errors += weight;
    step.errors += weight;
  }

  answer(limit: number): Pick<RedAnswer, 'groups' | 'more'> {
    const sorted = [...this.#groups.values()].sort((left, right) => right.sketch.count - left.sketch.count);
    return { groups: sorted.slice(0, limit).map((group) => this.#toGroup(group)), more: sorted.length > limit };
  }

  #toGroup(group: TalliedGroup): RedGroup {
    const { tenant, service, operation } = group;
    const steps = [...group.steps]
      .sort(([left], [right]) => left - right)
      .map(([number, tally]) => ({ timeMillis: number * this.#stepMillis, ...figures(tally) }));
    return { tenant, service, operation, ...figures(group), steps };
  }
}

function figures({ errors, sketch }: Tally): RedFigures {
  return {
    count: sketch.count,
    errors,
    p50Nanos: sketch.quantile(0.5),
    p95Nanos: sketch.quantile(0.95),
    p99Nanos: sketch.quantile(0.99),
    maxNanos: sketch.max,
  };
}
