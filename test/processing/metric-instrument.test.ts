import { ValueType } from '@opentelemetry/api';
import {
  AggregationTemporality,
  AggregationType,
  DataPointType,
  type InstrumentType,
  MeterProvider,
  MetricReader,
} from '@opentelemetry/sdk-metrics';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SyncInstrument } from '../../src/processing/metric-instrument.ts';
import type {
  CollectedMetric,
  ExponentialPoint,
  HistogramPoint,
  MetricKind,
  NumberPoint,
  Temporality,
} from '../../src/processing/metric-model.ts';
import { ObservableInstrument } from '../../src/processing/observable-instrument.ts';
import { hostileValues } from '../support/hostile-values.ts';
import { identity, MeasurementKit } from './metric-kit.ts';

class ManualReader extends MetricReader {
  protected async onForceFlush(): Promise<void> {}
  protected async onShutdown(): Promise<void> {}
}

/** What both say of a point, without times. */
interface Plain {
  readonly attributes: Record<string, unknown>;
  readonly numbers: unknown;
}

function plain(metrics: readonly CollectedMetric[]): Plain[] {
  return metrics
    .flatMap((metric): Plain[] =>
      metric.points.map((point) => ({
        attributes: Object.fromEntries(
          point.attributes.keys.map((key, index) => [key, point.attributes.values[index]]),
        ),
        numbers: numbersOf(metric, point),
      })),
    )
    .sort(byText);
}

function numbersOf(metric: CollectedMetric, point: NumberPoint | HistogramPoint | ExponentialPoint): unknown {
  if (metric.shape === 'gauge' || metric.shape === 'sum') return (point as NumberPoint).value;
  const { count, max, min, sum } = point as HistogramPoint;
  if (metric.shape === 'histogram') return { count, max, min, sum, buckets: (point as HistogramPoint).buckets };
  const { buckets, offset, scale, zeroCount } = point as ExponentialPoint;
  return { count, max, min, sum, scale, zeroCount, ...trimmed(offset, buckets) };
}

/** Without empty buckets at the ends, which say nothing. */
function trimmed(offset: number, buckets: readonly number[]): { offset: number; buckets: number[] } {
  const first = buckets.findIndex((count) => count > 0);
  const last = buckets.findLastIndex((count) => count > 0);
  return first < 0 ? { offset: 0, buckets: [] } : { offset: offset + first, buckets: buckets.slice(first, last + 1) };
}

function byText(one: Plain, other: Plain): number {
  return keyOf(one) < keyOf(other) ? -1 : 1;
}

function keyOf({ attributes }: Plain): string {
  return JSON.stringify(Object.entries(attributes).sort(([left], [right]) => (left < right ? -1 : 1)));
}

/** The SDK's own, told the same. */
class Oracle {
  readonly #reader: ManualReader;
  readonly #instrument: { record(value: number, attributes: object): void };

  constructor(kind: MetricKind, temporality: Temporality, exponential: boolean) {
    this.#reader = new ManualReader({
      aggregationTemporalitySelector: (type: InstrumentType) =>
        temporality === 'cumulative' || type === 'UP_DOWN_COUNTER'
          ? AggregationTemporality.CUMULATIVE
          : AggregationTemporality.DELTA,
    });
    const views = exponential
      ? [
          {
            instrumentName: '*',
            aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM as const, options: { maxSize: 160 } },
          },
        ]
      : [];
    const meter = new MeterProvider({ readers: [this.#reader], views }).getMeter('oracle');
    this.#instrument = made(meter, kind);
  }

  record(value: number, attributes: object): void {
    this.#instrument.record(value, attributes);
  }

  async collect(): Promise<Plain[]> {
    const { resourceMetrics } = await this.#reader.collect();
    return resourceMetrics.scopeMetrics
      .flatMap(({ metrics }) => metrics)
      .flatMap((metric) =>
        metric.dataPoints.map(({ attributes, value }): Plain => {
          if (metric.dataPointType === DataPointType.HISTOGRAM) {
            const { buckets, count, max, min, sum } = value as unknown as Record<string, unknown>;
            return {
              attributes: { ...attributes },
              numbers: { count, max, min, sum, buckets: (buckets as { counts: number[] }).counts },
            };
          }
          if (metric.dataPointType === DataPointType.EXPONENTIAL_HISTOGRAM) {
            const { count, max, min, positive, scale, sum, zeroCount } = value as unknown as Record<string, unknown>;
            const { bucketCounts, offset } = positive as { bucketCounts: number[]; offset: number };
            return {
              attributes: { ...attributes },
              numbers: { count, max, min, sum, scale, zeroCount, ...trimmed(offset, bucketCounts) },
            };
          }
          return { attributes: { ...attributes }, numbers: value };
        }),
      )
      .sort(byText);
  }
}

function made(
  meter: ReturnType<MeterProvider['getMeter']>,
  kind: MetricKind,
): { record(value: number, attributes: object): void } {
  const options = { valueType: ValueType.DOUBLE };
  if (kind === 'counter') {
    const counter = meter.createCounter('m', options);
    return { record: (value, attributes) => counter.add(value, attributes as never) };
  }
  if (kind === 'upDownCounter') {
    const counter = meter.createUpDownCounter('m', options);
    return { record: (value, attributes) => counter.add(value, attributes as never) };
  }
  const recording = kind === 'gauge' ? meter.createGauge('m', options) : meter.createHistogram('m', options);
  return { record: (value, attributes) => recording.record(value, attributes as never) };
}

const KINDS = ['counter', 'upDownCounter', 'gauge', 'histogram'] as const;
const attributeSets = fc.dictionary(
  fc.constantFrom('a', 'b', 'http.route', '1:as'),
  fc.oneof(
    fc.constantFrom('x', 'y', '', '2:xy'),
    fc.integer({ min: -2, max: 2 }),
    fc.boolean(),
    fc.constant(['x', 'y']),
  ),
  { maxKeys: 3 },
);
const steps = fc.array(
  fc.oneof(
    {
      weight: 9,
      arbitrary: fc.record({ value: fc.double({ min: 0, max: 1e6, noNaN: true }), attributes: attributeSets }),
    },
    { weight: 1, arbitrary: fc.constant('collect' as const) },
  ),
  { maxLength: 60 },
);

describe('a synchronous instrument', () => {
  test.each(KINDS.flatMap((kind) => [['cumulative', kind] as const, ['delta', kind] as const]))(
    'comes to what the SDK comes to, %s, as a %s',
    async (temporality, kind) => {
      await fc.assert(
        fc.asyncProperty(steps, fc.boolean(), async (program, exponential) => {
          const isExponential = exponential && kind === 'histogram';
          const oracle = new Oracle(kind, temporality, isExponential);
          const kit = new MeasurementKit({
            temporalities: [temporality],
            ...(isExponential && { buckets: { maxSize: 160 } }),
          });
          const own = new SyncInstrument(kit, identity(kind));
          for (const step of [...program, 'collect' as const]) {
            if (step === 'collect') expect(plain(own.collect(temporality))).toEqual(await oracle.collect());
            else {
              oracle.record(step.value, step.attributes);
              own.record(step.value, step.attributes);
            }
          }
        }),
        { numRuns: 40 },
      );
    },
  );

  test('takes each temporality its own account when both are asked for', () => {
    const kit = new MeasurementKit({ temporalities: ['delta', 'cumulative'] });
    const counter = new SyncInstrument(kit, identity('counter'));
    const values = (temporality: Temporality): unknown[] =>
      plain(counter.collect(temporality)).map(({ numbers }) => numbers);
    counter.add(1);
    expect(values('delta')).toEqual([1]);
    counter.add(2);
    expect(values('cumulative')).toEqual([3]);
    expect(values('delta')).toEqual([2]);
    expect(values('delta')).toEqual([]);
    expect(values('cumulative')).toEqual([3]);
  });

  test('says in each delta since when it counts, and in a cumulative point when it began', () => {
    const kit = new MeasurementKit({ temporalities: ['delta', 'cumulative'] });
    const counter = new SyncInstrument(kit, identity('counter'));
    const times = (temporality: Temporality): unknown[] =>
      counter
        .collect(temporality)
        .flatMap(({ points }) => points.map(({ atMillis, startMillis }) => [startMillis, atMillis]));
    counter.add(1);
    kit.time = 2_000;
    expect([times('delta'), times('cumulative')]).toEqual([[[1_000, 2_000]], [[1_000, 2_000]]]);
    counter.add(1);
    kit.time = 3_000;
    expect([times('delta'), times('cumulative')]).toEqual([[[2_000, 3_000]], [[1_000, 3_000]]]);
  });

  test('keeps no attributes that the host goes on using', () => {
    const counter = new SyncInstrument(new MeasurementKit(), identity('counter'));
    const attributes = { tenant: 'a', list: ['a'] };
    counter.add(1, attributes);
    attributes.tenant = 'b';
    attributes.list[0] = 'b';
    counter.add(1, attributes);
    expect(plain(counter.collect('cumulative')).map((point) => point.attributes)).toEqual([
      { tenant: 'a', list: ['a'] },
      { tenant: 'b', list: ['b'] },
    ]);
  });

  test('counts what comes beyond the limit of attribute sets without attributes', () => {
    const kit = new MeasurementKit({ cardinalityLimit: 3 });
    const counter = new SyncInstrument(kit, identity('counter'));
    for (let index = 0; index < 1_000; index++) counter.add(1, { index });
    counter.add(1, { index: 1 });
    expect(plain(counter.collect('cumulative'))).toEqual([
      { attributes: { index: 0 }, numbers: 1 },
      { attributes: { index: 1 }, numbers: 2 },
      { attributes: { 'otel.metric.overflow': true }, numbers: 998 },
    ]);
    expect(kit.overflows).toBe(998);
  });

  test('adds up what left out attributes told apart', () => {
    const kit = new MeasurementKit({ allowed: new Set(['route']) });
    const counter = new SyncInstrument(kit, identity('counter'));
    for (let index = 0; index < 10; index++) counter.add(1, { route: index % 2, user: index });
    expect(plain(counter.collect('cumulative'))).toEqual([
      { attributes: { route: 0 }, numbers: 5 },
      { attributes: { route: 1 }, numbers: 5 },
    ]);
  });

  test('takes no measurement that is none, and throws nothing', () => {
    const kit = new MeasurementKit();
    const counter = new SyncInstrument(kit, identity('counter'));
    for (const value of [-1, Number.NaN, Number.POSITIVE_INFINITY, ...hostileValues().map(({ value }) => value)]) {
      if (typeof value === 'number' && value >= 0 && Number.isFinite(value)) continue;
      counter.add(value as number);
    }
    for (const { value } of hostileValues()) counter.add(0, value as object);
    for (const { value } of hostileValues()) counter.add(0, { value });
    expect(
      counter
        .collect('cumulative')
        .flatMap(({ points }) => points as NumberPoint[])
        .every(({ value }) => value === 0),
    ).toBe(true);
    expect(kit.refusals.length).toBeGreaterThan(3);
  });

  test('cuts a long label and leaves out what would be too many', () => {
    const counter = new SyncInstrument(new MeasurementKit(), identity('counter'));
    counter.add(1, {
      long: 'x'.repeat(1_000_000),
      ...Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`k${index}`, 1])),
    });
    const [point] = plain(counter.collect('cumulative'));
    expect(Object.keys(point?.attributes ?? {})).toHaveLength(64);
    expect(Object.values(point?.attributes ?? {}).every((value) => String(value).length <= 1_024)).toBe(true);
  });

  test('goes on with what is a level, and begins anew with what is not, when it is configured anew', () => {
    for (const [kind, after] of [
      ['upDownCounter', 7],
      ['gauge', 2],
      ['counter', 2],
    ] as const) {
      const kit = new MeasurementKit({ temporalities: ['cumulative'] });
      const instrument = new SyncInstrument(kit, identity(kind));
      instrument.record(5, { a: 1 });
      instrument.collect('cumulative');
      kit.aggregation = { ...kit.aggregation, cardinalityLimit: 10 };
      instrument.reconfigure(false);
      const between = plain(instrument.collect('cumulative')).map(({ numbers }) => numbers);
      expect([kind, between]).toEqual([kind, kind === 'counter' ? [] : [5]]);
      instrument.record(2, { a: 1 });
      expect([kind, plain(instrument.collect('cumulative'))]).toEqual([
        kind,
        [{ attributes: { a: 1 }, numbers: after }],
      ]);
    }
  });

  test.each(['cumulative', 'delta'] as const)('loses nothing of before its configuration came, %s', (temporality) => {
    for (const change of [{}, { buckets: [1, 2] }, { temporalities: [temporality] }, { exemplars: true }]) {
      const kit = new MeasurementKit();
      const histogram = new SyncInstrument(kit, identity('histogram'));
      histogram.record(3);
      kit.aggregation = { ...kit.aggregation, temporalities: [temporality], ...change };
      histogram.reconfigure(true);
      histogram.record(4);
      const counts = histogram
        .collect(temporality)
        .flatMap(({ points }) => (points as HistogramPoint[]).map(({ count }) => count));
      expect(counts.reduce((sum, count) => sum + count, 0)).toBe(2);
      histogram.record(5);
      const again = histogram.collect(temporality).flatMap(({ points }) => points as HistogramPoint[]);
      expect(again.map(({ count }) => count)).toEqual([temporality === 'delta' ? 1 : counts.length === 1 ? 3 : 2]);
    }
  });
});

describe('an observable instrument', () => {
  test('says what was observed last, and the difference to the last time in a delta', () => {
    const kit = new MeasurementKit({ temporalities: ['delta', 'cumulative'] });
    const counter = new ObservableInstrument(kit, identity('observableCounter'), kit.now());
    const round = (value: number): unknown[] => {
      counter.clear();
      counter.observe(value, { a: 1 });
      return ['delta', 'cumulative'].map(
        (temporality) => plain(counter.collect(temporality as Temporality))[0]?.numbers,
      );
    };
    expect([round(5), round(8), round(8), round(2)]).toEqual([
      [5, 5],
      [3, 8],
      [0, 8],
      [2, 2],
    ]);
    counter.clear();
    expect(counter.collect('cumulative')).toEqual([]);
  });

  test('has a limit of attribute sets too', () => {
    const kit = new MeasurementKit({ cardinalityLimit: 3 });
    const counter = new ObservableInstrument(kit, identity('observableUpDownCounter'), 0);
    for (let index = 0; index < 10; index++) counter.observe(1, { index });
    expect(plain(counter.collect('cumulative')).map(({ numbers }) => numbers)).toEqual([1, 1, 8]);
  });
});
