import {
  type Attributes,
  type Counter,
  type Gauge,
  type Histogram,
  type MetricOptions,
  type ObservableCallback,
  type ObservableCounter,
  type ObservableGauge,
  type ObservableUpDownCounter,
  type UpDownCounter,
  ValueType,
} from '@opentelemetry/api';
import { MetricTimer } from '../processing/metric-timer.ts';
import type { TenantMeter, TenantMeterProvider } from './meter.ts';
import type { Mixed, MixinBase } from './mixin.ts';
import { OWN_SCOPE } from './own-scope.ts';
import type { TracerBase } from './tracer-base.ts';
import type { TracerRuntime } from './tracer-runtime.ts';

/** What an instrument says about itself. */
export interface InstrumentOptions {
  /** Such as `s`, `By` or `{request}` (UCUM). Up to 63 ASCII characters. Default: none. */
  readonly unit?: string | undefined;
  /** What it measures, for people. Default: none. */
  readonly description?: string | undefined;
  /** Whether values are whole numbers; fractions are cut off. Default: `false`. */
  readonly integer?: boolean | undefined;
}

/** Options of a histogram. */
export interface HistogramOptions extends InstrumentOptions {
  /**
   * Upper bounds of the buckets, up to 200 rising numbers; a view of the tenant's comes over it. Default: from 5 ms to 10 s for
   * the unit `s`, else OpenTelemetry's, from 0 to 10,000.
   */
  readonly buckets?: readonly number[] | undefined;
}

/**
 * The instruments of one tenant, by name: the same name and kind is the same instrument, whose unit and description are
 * those of the first call. They stay valid when the tenant is evicted or configured anew. A name that breaks
 * OpenTelemetry's rules gives an instrument that does nothing and an entry in `health()`. No method throws.
 */
export interface TenantInstruments {
  /** A sum that only grows; what is below 0 is left out. */
  counter(name: string, options?: InstrumentOptions): Counter;
  /** A sum that goes up and down, such as the requests under way. */
  upDownCounter(name: string, options?: InstrumentOptions): UpDownCounter;
  /** A value that is what was recorded last, such as a temperature. */
  gauge(name: string, options?: InstrumentOptions): Gauge;
  /** A distribution: counts of values by buckets, and their sum. */
  histogram(name: string, options?: HistogramOptions): Histogram;
  /** Measures durations into a histogram with the unit `s`. */
  timer(name: string, options?: Omit<HistogramOptions, 'unit' | 'integer'>): MetricTimer;
  /**
   * The observable forms: `observe` is called when metrics are collected, as this tenant, and may be asynchronous; what it
   * has not said within 5 seconds is not waited for.
   */
  observableCounter(name: string, observe: ObservableCallback, options?: InstrumentOptions): ObservableCounter;
  /** As {@link TenantInstruments.observableCounter}, for a sum that goes up and down. */
  observableUpDownCounter(
    name: string,
    observe: ObservableCallback,
    options?: InstrumentOptions,
  ): ObservableUpDownCounter;
  /** As {@link TenantInstruments.observableCounter}, for a value. */
  observableGauge(name: string, observe: ObservableCallback, options?: InstrumentOptions): ObservableGauge;
}

/** What a tenant measures. */
export interface Metrics {
  /** The tenant's instruments, by name. Always the same object. */
  readonly metrics: TenantInstruments;
  /** OpenTelemetry's meters of this tenant, for libraries that take a `MeterProvider`. */
  readonly meterProvider: TenantMeterProvider;
  /**
   * Records a value under a name: on the counter, histogram or gauge that has it already, else on a gauge, which is what
   * was recorded last.
   */
  recordMetric(name: string, value: number, attributes?: Attributes, options?: InstrumentOptions): void;
}

/** Adds {@link Metrics} to a tracer class. */
export function WithMetrics<Base extends MixinBase<TracerBase>>(base: Base): Base & Mixed<Metrics> {
  abstract class WithMetricsMixin extends base implements Metrics {
    #instruments: Instruments | undefined;

    get metrics(): TenantInstruments {
      this.#instruments ??= new Instruments(this.runtime);
      return this.#instruments;
    }

    get meterProvider(): TenantMeterProvider {
      return this.runtime.metering.provider;
    }

    recordMetric(name: string, value: number, attributes?: Attributes, options?: InstrumentOptions): void {
      const known = this.runtime.metering.metrics.findByName(OWN_SCOPE, name);
      (known ?? this.metrics.gauge(name, options)).record(value, attributes);
    }
  }
  return WithMetricsMixin;
}

type Runtime = Pick<TracerRuntime, 'clock' | 'guard' | 'metering'>;

class Instruments implements TenantInstruments {
  readonly #meter: TenantMeter;
  readonly #runtime: Runtime;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    this.#meter = runtime.metering.provider.getMeter(OWN_SCOPE.name, OWN_SCOPE.version);
  }

  counter(name: string, options?: InstrumentOptions): Counter {
    return this.#meter.createCounter(name, this.#optionsOf(options));
  }

  upDownCounter(name: string, options?: InstrumentOptions): UpDownCounter {
    return this.#meter.createUpDownCounter(name, this.#optionsOf(options));
  }

  gauge(name: string, options?: InstrumentOptions): Gauge {
    return this.#meter.createGauge(name, this.#optionsOf(options));
  }

  histogram(name: string, options?: HistogramOptions): Histogram {
    return this.#meter.createHistogram(name, this.#optionsOf(options));
  }

  timer(name: string, options?: Omit<HistogramOptions, 'unit' | 'integer'>): MetricTimer {
    const { clock } = this.#runtime;
    const own = { ...this.#optionsOf(options), unit: 's', valueType: ValueType.DOUBLE };
    return new MetricTimer(this.#meter.createHistogram(name, own), clock);
  }

  observableCounter(name: string, observe: ObservableCallback, options?: InstrumentOptions): ObservableCounter {
    return this.#observed(this.#meter.createObservableCounter(name, this.#optionsOf(options)), observe);
  }

  observableUpDownCounter(
    name: string,
    observe: ObservableCallback,
    options?: InstrumentOptions,
  ): ObservableUpDownCounter {
    return this.#observed(this.#meter.createObservableUpDownCounter(name, this.#optionsOf(options)), observe);
  }

  observableGauge(name: string, observe: ObservableCallback, options?: InstrumentOptions): ObservableGauge {
    return this.#observed(this.#meter.createObservableGauge(name, this.#optionsOf(options)), observe);
  }

  #observed<T extends ObservableCounter>(observable: T, observe: ObservableCallback): T {
    if (typeof observe === 'function') observable.addCallback(observe);
    return observable;
  }

  /** As OpenTelemetry's meters take them; none when they cannot be read. */
  #optionsOf(given: HistogramOptions | undefined): MetricOptions | undefined {
    if (given === undefined || given === null) return undefined;
    const read = (): MetricOptions => {
      const { buckets, description, integer, unit } = given;
      return {
        ...(unit !== undefined && { unit }),
        ...(description !== undefined && { description }),
        valueType: integer === true ? ValueType.INT : ValueType.DOUBLE,
        // Checked where meters of OpenTelemetry's get theirs.
        ...(buckets !== undefined && { advice: { explicitBucketBoundaries: buckets as number[] } }),
      };
    };
    return this.#runtime.guard.run('metrics', 'options', read, undefined);
  }
}
