import type { Context, Counter, Gauge, Histogram, UpDownCounter } from '@opentelemetry/api';
import { describeKind } from '../utils/secret.ts';
import type { AttributeList } from './ended-span.ts';
import type {
  CollectedMetric,
  Exemplar,
  ExponentialPoint,
  HistogramPoint,
  MetricIdentity,
  MetricKind,
  NumberPoint,
  Temporality,
} from './metric-model.ts';
import { temporalityOf } from './metric-model.ts';
import { ExponentialSeries, HistogramSeries, LastValueSeries, type MetricSeries, SumSeries } from './metric-series.ts';
import { type SeriesHost, SeriesTable } from './series-table.ts';

/** How the measurements of an instrument are put together; what views say of it. */
export interface Aggregation {
  /** Upper bounds of a histogram's buckets, or how many exponential ones there may be. */
  readonly buckets: readonly number[] | { readonly maxSize: number };
  /** Attribute sets at most. */
  readonly cardinalityLimit: number;
  /** Attribute keys that count; all when absent. */
  readonly allowed: ReadonlySet<string> | undefined;
  /** Nothing is measured. */
  readonly dropped: boolean;
  /** What its destinations prefer; at least one. */
  readonly temporalities: readonly Temporality[];
  readonly exemplars: boolean;
}

/** Stands between the host and the instruments of one tenant. */
export interface MeasurementHost {
  /** Whether measurements are taken; otherwise `enter` is asked first. */
  readonly open: boolean;
  /** Set at each use. */
  touched: boolean;
  /** Answers whether measurements are taken. */
  enter(): boolean;
  /** How an instrument aggregates now; to be kept until it is told of another configuration. */
  aggregationOf(instrument: Instrument): Aggregation;
  now(): number;
  /** The running span of the tenant, if its trace is kept; for an exemplar. */
  exemplar(value: number, context: Context | undefined): Exemplar | undefined;
  /** A measurement was not acceptable. */
  refused(instrument: Instrument, reason: unknown): void;
  /** A measurement was counted without its attributes. */
  overflowed(instrument: Instrument): void;
}

type Table = SeriesTable<MetricSeries>;

interface Leftover {
  readonly points: readonly unknown[];
  readonly aggregation: Aggregation;
  readonly taken: Set<Temporality>;
}

/** What all instruments have: an identity, and a table of series for each temporality that is asked for. */
export abstract class Instrument implements MetricIdentity, SeriesHost<MetricSeries> {
  readonly name: string;
  readonly kind: MetricKind;
  readonly unit: string;
  readonly description: string;
  readonly isInteger: boolean;
  /** Boundaries that the code which made it advises. */
  readonly advice: readonly number[] | undefined;
  protected readonly host: MeasurementHost;
  #aggregation: Aggregation | undefined;

  constructor(host: MeasurementHost, identity: MetricIdentity, advice?: readonly number[]) {
    const { name, kind, unit, description, isInteger } = identity;
    this.host = host;
    this.name = name;
    this.kind = kind;
    this.unit = unit;
    this.description = description;
    this.isInteger = isInteger;
    this.advice = advice;
  }

  protected get aggregation(): Aggregation {
    this.#aggregation ??= this.host.aggregationOf(this);
    return this.#aggregation;
  }

  /** The points for destinations that prefer `preference`; those of deltas begin anew. */
  abstract collect(preference: Temporality): readonly CollectedMetric[];

  /**
   * Another configuration is in force.
   *
   * @param unsent whether what was measured has not been collected
   */
  reconfigure(_unsent: boolean): void {
    this.#aggregation = undefined;
  }

  /** Gives back the memory of what was collected. */
  abstract release(): void;

  protected newTable(startMillis: number): Table {
    return new SeriesTable<MetricSeries>(this, this.aggregation, startMillis);
  }

  protected describe(
    points: readonly unknown[],
    temporality: Temporality,
    { buckets }: Aggregation = this.aggregation,
  ): CollectedMetric {
    const { name, kind, unit, description, isInteger } = this;
    const identity = { name, kind, unit, description, isInteger };
    if (kind === 'gauge' || kind === 'observableGauge') {
      return { ...identity, shape: 'gauge', points: points as NumberPoint[] };
    }
    if (kind !== 'histogram') {
      const isMonotonic = kind === 'counter' || kind === 'observableCounter';
      return { ...identity, shape: 'sum', isMonotonic, temporality, points: points as NumberPoint[] };
    }
    return 'maxSize' in buckets
      ? { ...identity, shape: 'exponential', temporality, points: points as ExponentialPoint[] }
      : { ...identity, shape: 'histogram', temporality, boundaries: buckets, points: points as HistogramPoint[] };
  }

  seriesOverflowed(): void {
    this.host.overflowed(this);
  }

  newSeries(attributes: AttributeList): MetricSeries {
    if (this.kind === 'gauge' || this.kind === 'observableGauge') return new LastValueSeries(attributes);
    if (this.kind !== 'histogram') return new SumSeries(attributes);
    const { buckets } = this.aggregation;
    return 'maxSize' in buckets
      ? new ExponentialSeries(attributes, buckets.maxSize)
      : new HistogramSeries(attributes, buckets);
  }
}

/** An instrument that is told of each measurement when it is made. No method throws. */
export class SyncInstrument extends Instrument implements Counter, UpDownCounter, Gauge, Histogram {
  /** The only table, mostly. */
  #table: Table | undefined;
  #second: Table | undefined;
  #exemplars = false;
  #leftovers: Leftover[] | undefined;

  /** Adds to a counter. */
  add(value: number, attributes?: object, context?: Context): void {
    this.#record(value, attributes, context);
  }

  /** Sets a gauge, or takes a value into a histogram. */
  record(value: number, attributes?: object, context?: Context): void {
    this.#record(value, attributes, context);
  }

  collect(preference: Temporality): readonly CollectedMetric[] {
    const temporality = temporalityOf(this.kind, preference);
    const table = temporality === this.#firstTemporality ? this.#table : this.#second;
    const leftovers = this.#leftovers === undefined ? [] : this.#takeLeftovers(temporality);
    if (table === undefined || table.size === 0) return leftovers;
    const now = this.host.now();
    const points = temporality === 'delta' ? table.take(now) : table.read(now);
    return [...leftovers, this.describe(points, temporality)];
  }

  override reconfigure(unsent: boolean): void {
    const table = this.#firstTemporality === 'cumulative' ? this.#table : (this.#second ?? this.#table);
    const before = this.aggregation;
    super.reconfigure(unsent);
    if (table === undefined || table.size === 0) this.release();
    else if (this.#isLevel) this.#carryOver(table);
    else if (!unsent) this.release();
    else if (!isSameAggregation(before, this.aggregation)) {
      this.#leftovers ??= [];
      this.#leftovers.push({ points: table.read(this.host.now()), aggregation: before, taken: new Set() });
      this.release();
    }
  }

  override release(): void {
    if (this.#isLevel && (this.#table?.size ?? 0) > 0) return;
    this.#table = undefined;
    this.#second = undefined;
  }

  /** Sums that go up and down, and gauges: they are still true later, and under another configuration. */
  get #isLevel(): boolean {
    return this.kind === 'upDownCounter' || this.kind === 'gauge';
  }

  #carryOver(table: Table): void {
    this.#table = undefined;
    this.#second = undefined;
    if (!this.#begin(table.startMillis)) return;
    for (const { attributes, value } of table.read(0) as NumberPoint[]) {
      const { keys, values } = attributes;
      const record = Object.fromEntries(keys.map((key, index) => [key, values[index]]));
      for (const own of this.#tables) own.find(record).record(value);
    }
  }

  /** What was measured before the configuration came, in buckets that are not its own; once for each temporality. */
  #takeLeftovers(temporality: Temporality): CollectedMetric[] {
    const wanted = this.aggregation.temporalities;
    const metrics: CollectedMetric[] = [];
    for (const leftover of this.#leftovers ?? []) {
      if (leftover.taken.has(temporality)) continue;
      leftover.taken.add(temporality);
      metrics.push(this.describe(leftover.points, temporality, leftover.aggregation));
    }
    this.#leftovers = this.#leftovers?.filter(({ taken }) => wanted.some((preference) => !taken.has(preference)));
    if (this.#leftovers?.length === 0) this.#leftovers = undefined;
    return metrics;
  }

  get #tables(): Table[] {
    return [this.#table, this.#second].filter((table) => table !== undefined);
  }

  get #firstTemporality(): Temporality {
    return temporalityOf(this.kind, this.aggregation.temporalities[0] ?? 'cumulative');
  }

  #record(value: number, attributes: object | undefined, context: Context | undefined): void {
    const { host } = this;
    try {
      if (!host.open && !host.enter()) return;
      host.touched = true;
      if (typeof value !== 'number' || !(value - value === 0) || (value < 0 && !this.#isLevel)) {
        host.refused(this, `${describeKind(value)} is no measurement of a ${this.kind}`);
        return;
      }
      if (this.#table === undefined && !this.#begin(host.now())) return;
      const series = (this.#table as Table).find(attributes);
      series.record(this.isInteger ? Math.trunc(value) : value);
      if (this.#second !== undefined || this.#exemplars) this.#recordMore(series, value, attributes, context);
    } catch (error) {
      host.refused(this, error);
    }
  }

  #recordMore(series: MetricSeries, value: number, attributes: object | undefined, context: Context | undefined): void {
    const second = this.#second?.find(attributes);
    second?.record(this.isInteger ? Math.trunc(value) : value);
    const exemplar = this.#exemplars ? this.host.exemplar(value, context) : undefined;
    if (exemplar === undefined) return;
    series.keepExemplar(exemplar);
    second?.keepExemplar(exemplar);
  }

  #begin(startMillis: number): boolean {
    const { dropped, exemplars, temporalities } = this.aggregation;
    if (dropped) return false;
    const kinds = new Set(temporalities.map((preference) => temporalityOf(this.kind, preference)));
    this.#table = this.newTable(startMillis);
    this.#second = kinds.size > 1 ? this.newTable(startMillis) : undefined;
    this.#exemplars = exemplars && this.kind !== 'gauge';
    return true;
  }
}

function isSameAggregation(one: Aggregation, other: Aggregation): boolean {
  return (
    isSameList(bucketsKey(one), bucketsKey(other)) &&
    isSameList([...(one.allowed ?? ['*'])], [...(other.allowed ?? ['*'])]) &&
    one.cardinalityLimit === other.cardinalityLimit &&
    one.dropped === other.dropped &&
    one.exemplars === other.exemplars &&
    isSameList(one.temporalities, other.temporalities)
  );
}

function bucketsKey({ buckets }: Aggregation): readonly number[] {
  return 'maxSize' in buckets ? [Number.NaN, buckets.maxSize] : buckets;
}

function isSameList(one: readonly unknown[], other: readonly unknown[]): boolean {
  return one.length === other.length && one.every((item, index) => Object.is(item, other[index]));
}
