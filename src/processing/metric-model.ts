import type { AttributeList } from './ended-span.ts';

export const METRIC_KINDS = [
  'counter',
  'upDownCounter',
  'gauge',
  'histogram',
  'observableCounter',
  'observableUpDownCounter',
  'observableGauge',
] as const;

export type MetricKind = (typeof METRIC_KINDS)[number];

/** Whether a point says what there was since the series began (`'cumulative'`), or since the last point (`'delta'`). */
export type Temporality = 'cumulative' | 'delta';

/** What an instrument is, to those who read its points. */
export interface MetricIdentity {
  readonly name: string;
  readonly kind: MetricKind;
  /** Empty when none was given. */
  readonly unit: string;
  readonly description: string;
  /** Whether its numbers are whole ones, to be sent as such. */
  readonly isInteger: boolean;
}

/** A measurement that was made inside a span of the same tenant. */
export interface Exemplar {
  readonly value: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Lower-case hex. */
  readonly traceId: string;
  readonly spanId: string;
}

export interface PointBase {
  readonly attributes: AttributeList;
  /** Milliseconds since the epoch. */
  readonly startMillis: number;
  readonly atMillis: number;
  readonly exemplars: readonly Exemplar[];
}

export interface NumberPoint extends PointBase {
  readonly value: number;
}

interface Distribution extends PointBase {
  readonly count: number;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
}

export interface HistogramPoint extends Distribution {
  /** One more than the boundaries. */
  readonly buckets: readonly number[];
}

export interface ExponentialPoint extends Distribution {
  readonly scale: number;
  readonly zeroCount: number;
  /** The index of the first bucket. */
  readonly offset: number;
  readonly buckets: readonly number[];
}

/** The points of one instrument at one time. */
export type MetricData =
  | { readonly shape: 'gauge'; readonly points: readonly NumberPoint[] }
  | {
      readonly shape: 'sum';
      readonly isMonotonic: boolean;
      readonly temporality: Temporality;
      readonly points: readonly NumberPoint[];
    }
  | {
      readonly shape: 'histogram';
      readonly temporality: Temporality;
      /** Upper bounds, inclusive; the last bucket has none. */
      readonly boundaries: readonly number[];
      readonly points: readonly HistogramPoint[];
    }
  | {
      readonly shape: 'exponential';
      readonly temporality: Temporality;
      readonly points: readonly ExponentialPoint[];
    };

export type CollectedMetric = MetricIdentity & MetricData;

/** The metrics of one instrumentation scope. */
export interface ScopeMetrics {
  readonly scope: { readonly name: string; readonly version?: string | undefined };
  readonly metrics: readonly CollectedMetric[];
}

const NAME = /^[a-z][a-z0-9_.\-/]{0,254}$/i;
const MAX_UNIT_LENGTH = 63;

/** OpenTelemetry specification, "Instrument name syntax". */
export function isInstrumentName(name: unknown): name is string {
  return typeof name === 'string' && NAME.test(name);
}

/** OpenTelemetry specification, "Instrument unit": up to 63 ASCII characters. */
export function isUnit(unit: unknown): unit is string {
  if (typeof unit !== 'string' || unit.length > MAX_UNIT_LENGTH) return false;
  for (let index = 0; index < unit.length; index++)
    if (unit.charCodeAt(index) > 0x7e || unit.charCodeAt(index) < 0x20) return false;
  return true;
}

/**
 * What a destination that prefers `preference` gets of an instrument. Sums that go up and down are always cumulative
 * (OTLP exporter specification, "delta" preference).
 */
export function temporalityOf(kind: MetricKind, preference: Temporality): Temporality {
  return kind === 'upDownCounter' || kind === 'observableUpDownCounter' ? 'cumulative' : preference;
}
