import type { Temporality } from '../processing/metric-model.ts';
import { INTEGER_OPTIONS } from '../utils/integer-options.ts';

/** How a tenant's metrics are put together and when they are sent. */
export interface MetricOptions {
  /** How often they are sent, in milliseconds. 10 to 86,400,000. Default: 60,000. Variable: `OTEL_METRIC_EXPORT_INTERVAL`. */
  intervalMillis?: number | undefined;
  /**
   * Whether points of counters and histograms say what there was since the tenant's metrics began (`'cumulative'`) or
   * since the last point (`'delta'`); a destination's own `temporality` comes over it. Default: `'cumulative'`.
   * Variable: `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`.
   */
  temporality?: Temporality | undefined;
  /**
   * Attribute sets that one instrument has at most; what comes beyond is counted under `otel.metric.overflow`. 2 to
   * 1,000,000. Default: 2,000.
   */
  cardinalityLimit?: number | undefined;
  /**
   * Whether points of counters and histograms carry trace and span id of a recent measurement, made inside a sampled
   * span of the same tenant. Default: `false`. Variable: `OTEL_METRICS_EXEMPLAR_FILTER`.
   */
  exemplars?: boolean | undefined;
  /** What holds for some instruments only, up to 100; the first that fits counts. Default: none. */
  views?: readonly MetricViewOptions[] | undefined;
}

/** How the instruments of some names are put together. */
export interface MetricViewOptions {
  /** The name of an instrument, or with `*` for any characters and `?` for one; case does not count. Required. */
  instrument: string;
  /** Only those of the instrumentation scope of that name. Default: those of all. */
  meter?: string | undefined;
  /**
   * Upper bounds of a histogram's buckets: up to 200 rising numbers; or `'exponential'` for up to 160 buckets that grow by a
   * constant factor and need no bounds. Default: what the instrument advises, else bounds for its unit.
   */
  buckets?: readonly number[] | 'exponential' | undefined;
  /** The attribute keys that count, up to 64; what the others told apart is added up. Default: all. */
  attributes?: readonly string[] | undefined;
  /** As the option of that name, for these instruments. Default: that option. */
  cardinalityLimit?: number | undefined;
  /** Measures nothing. Default: `false`. */
  drop?: boolean | undefined;
}

/** {@link MetricOptions}, complete. */
export interface MetricSettings {
  readonly intervalMillis: number;
  readonly temporality: Temporality;
  readonly cardinalityLimit: number;
  readonly exemplars: boolean;
  readonly views: readonly MetricView[];
}

export interface MetricView {
  /** In lower case. */
  readonly instrument: string;
  readonly meter: string | undefined;
  readonly buckets: readonly number[] | 'exponential' | undefined;
  readonly attributes: readonly string[] | undefined;
  readonly cardinalityLimit: number | undefined;
  readonly drop: boolean;
}

export const DEFAULT_METRICS: MetricSettings = Object.freeze({
  intervalMillis: INTEGER_OPTIONS['metrics.intervalMillis'].default,
  temporality: 'cumulative',
  cardinalityLimit: INTEGER_OPTIONS['metrics.cardinalityLimit'].default,
  exemplars: false,
  views: Object.freeze([]),
});
