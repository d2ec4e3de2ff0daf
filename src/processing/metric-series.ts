import type { AttributeList } from './ended-span.ts';
import { ExponentialBuckets } from './exponential-buckets.ts';
import type { Exemplar, ExponentialPoint, HistogramPoint, NumberPoint, PointBase } from './metric-model.ts';

/** What one attribute set of an instrument has come to. */
export interface MetricSeries {
  readonly attributes: AttributeList;
  record(value: number): void;
  /** Keeps a recent measurement beside the point. */
  keepExemplar(exemplar: Exemplar): void;
  point(startMillis: number, atMillis: number): PointBase;
}

const NO_EXEMPLARS: readonly Exemplar[] = Object.freeze([]);

/** The sum of what was added. */
export class SumSeries implements MetricSeries {
  readonly attributes: AttributeList;
  value = 0;
  #exemplar: Exemplar | undefined;

  constructor(attributes: AttributeList) {
    this.attributes = attributes;
  }

  record(value: number): void {
    this.value += value;
  }

  keepExemplar(exemplar: Exemplar): void {
    this.#exemplar = exemplar;
  }

  point(startMillis: number, atMillis: number): NumberPoint {
    const exemplars = this.#exemplar === undefined ? NO_EXEMPLARS : [this.#exemplar];
    return { attributes: this.attributes, startMillis, atMillis, exemplars, value: this.value };
  }
}

/** The latest value. */
export class LastValueSeries implements MetricSeries {
  readonly attributes: AttributeList;
  value = 0;

  constructor(attributes: AttributeList) {
    this.attributes = attributes;
  }

  record(value: number): void {
    this.value = value;
  }

  keepExemplar(): void {}

  point(startMillis: number, atMillis: number): NumberPoint {
    return { attributes: this.attributes, startMillis, atMillis, exemplars: NO_EXEMPLARS, value: this.value };
  }
}

/** Counts by buckets with given upper bounds, inclusive. */
export class HistogramSeries implements MetricSeries {
  readonly attributes: AttributeList;
  readonly #boundaries: readonly number[];
  readonly #buckets: number[];
  /** The latest of each bucket. */
  #exemplars: (Exemplar | undefined)[] | undefined;
  #count = 0;
  #sum = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;

  constructor(attributes: AttributeList, boundaries: readonly number[]) {
    this.attributes = attributes;
    this.#boundaries = boundaries;
    this.#buckets = new Array<number>(boundaries.length + 1).fill(0);
  }

  record(value: number): void {
    const index = bucketOf(value, this.#boundaries);
    this.#buckets[index] = (this.#buckets[index] as number) + 1;
    this.#count += 1;
    this.#sum += value;
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
  }

  keepExemplar(exemplar: Exemplar): void {
    this.#exemplars ??= [];
    this.#exemplars[bucketOf(exemplar.value, this.#boundaries)] = exemplar;
  }

  point(startMillis: number, atMillis: number): HistogramPoint {
    return {
      ...{ attributes: this.attributes, startMillis, atMillis },
      exemplars: this.#exemplars?.filter((exemplar) => exemplar !== undefined) ?? NO_EXEMPLARS,
      ...{ count: this.#count, sum: this.#sum, min: this.#min, max: this.#max },
      buckets: this.#buckets.slice(),
    };
  }
}

const EXPONENTIAL_EXEMPLARS = 8;

/** Counts by buckets that grow by a constant factor, as fine as the size allows. */
export class ExponentialSeries implements MetricSeries {
  readonly attributes: AttributeList;
  readonly #buckets: ExponentialBuckets;
  #exemplars: Exemplar[] | undefined;
  #next = 0;
  #zeroCount = 0;
  #count = 0;
  #sum = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;

  constructor(attributes: AttributeList, maxSize: number) {
    this.attributes = attributes;
    this.#buckets = new ExponentialBuckets(maxSize);
  }

  record(value: number): void {
    if (value === 0) this.#zeroCount += 1;
    else this.#buckets.add(value);
    this.#count += 1;
    this.#sum += value;
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
  }

  keepExemplar(exemplar: Exemplar): void {
    this.#exemplars ??= [];
    this.#exemplars[this.#next] = exemplar;
    this.#next = (this.#next + 1) % EXPONENTIAL_EXEMPLARS;
  }

  point(startMillis: number, atMillis: number): ExponentialPoint {
    const { counts, offset, scale } = this.#buckets;
    return {
      ...{ attributes: this.attributes, startMillis, atMillis },
      exemplars: this.#exemplars?.slice() ?? NO_EXEMPLARS,
      ...{ count: this.#count, sum: this.#sum, min: this.#min, max: this.#max },
      ...{ scale, offset, zeroCount: this.#zeroCount, buckets: counts.slice() },
    };
  }
}

/** The first bucket whose upper bound is not below the value. */
function bucketOf(value: number, boundaries: readonly number[]): number {
  let low = 0;
  let high = boundaries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (value <= (boundaries[middle] as number)) high = middle;
    else low = middle + 1;
  }
  return low;
}
