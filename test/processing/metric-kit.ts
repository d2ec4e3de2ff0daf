import type { Aggregation, Instrument } from '../../src/processing/metric-instrument.ts';
import type { Exemplar, MetricIdentity, MetricKind } from '../../src/processing/metric-model.ts';

export const AGGREGATION: Aggregation = {
  buckets: [0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1_000, 2_500, 5_000, 7_500, 10_000],
  cardinalityLimit: 2_000,
  allowed: undefined,
  dropped: false,
  temporalities: ['cumulative'],
  exemplars: false,
};

/** Stands in for a tenant. */
export class MeasurementKit {
  open = true;
  touched = false;
  aggregation: Aggregation;
  time = 1_000;
  active: Exemplar | undefined;
  readonly refusals: unknown[] = [];
  overflows = 0;

  constructor(aggregation: Partial<Aggregation> = {}) {
    this.aggregation = { ...AGGREGATION, ...aggregation };
  }

  enter(): boolean {
    return this.open;
  }

  aggregationOf(): Aggregation {
    return this.aggregation;
  }

  now(): number {
    return this.time;
  }

  exemplar(value: number): Exemplar | undefined {
    return this.active && { ...this.active, value };
  }

  refused(_instrument: Instrument, reason: unknown): void {
    this.refusals.push(reason);
  }

  overflowed(): void {
    this.overflows += 1;
  }

  addCallback(): void {}

  removeCallback(): void {}
}

export function identity(kind: MetricKind, name = 'm', more: Partial<MetricIdentity> = {}): MetricIdentity {
  return { name, kind, unit: '', description: '', isInteger: false, ...more };
}
