import type { MetricHeader } from './row-batch.ts';
import type { SpanKindName, SpanStatusName } from './span-flags.ts';

/**
 * A value of OTLP's `AnyValue`. Integers beyond the safe range are bigints; an empty value is `null`. Maps have no
 * prototype: any key is just a key.
 */
export type TelemetryValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | Uint8Array
  | readonly TelemetryValue[]
  | { readonly [key: string]: TelemetryValue };

/** By name; without a prototype. Of a name that occurs twice the last value counts. */
export type TelemetryAttributes = Readonly<Record<string, TelemetryValue>>;

/** The instrumentation scope that telemetry came from. */
export interface ScopeRecord {
  readonly name: string;
  readonly version: string;
  readonly attributes: TelemetryAttributes;
}

/** What spans, log records and points have in common. */
export interface TelemetryOrigin {
  readonly tenant: string;
  /** `service.name` of the resource; empty if it has none. */
  readonly service: string;
  readonly resource: TelemetryAttributes;
  readonly scope: ScopeRecord;
}

/** An event of a span. */
export interface EventRecord {
  readonly name: string;
  readonly timeUnixNano: bigint;
  readonly attributes: TelemetryAttributes;
  readonly droppedAttributesCount: number;
}

/** A link of a span. */
export interface LinkRecord {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceState: string;
  readonly attributes: TelemetryAttributes;
  readonly droppedAttributesCount: number;
  readonly flags: number;
}

/** A span, as it was received. */
export interface SpanRecord extends TelemetryOrigin {
  /** Ids are lower-case hex. */
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for a root. */
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly flags: number;
  readonly name: string;
  readonly kind: SpanKindName;
  readonly startTimeUnixNano: bigint;
  readonly endTimeUnixNano: bigint;
  readonly attributes: TelemetryAttributes;
  readonly droppedAttributesCount: number;
  readonly events: readonly EventRecord[];
  readonly droppedEventsCount: number;
  readonly links: readonly LinkRecord[];
  readonly droppedLinksCount: number;
  readonly status: { readonly code: SpanStatusName; readonly message: string };
}

/** A log record, as it was received. */
export interface LogRecord extends TelemetryOrigin {
  readonly timeUnixNano: bigint;
  readonly observedTimeUnixNano: bigint;
  /** 1 to 24, or 0 for none. */
  readonly severityNumber: number;
  readonly severityText: string;
  readonly eventName: string;
  readonly body: TelemetryValue;
  readonly attributes: TelemetryAttributes;
  readonly droppedAttributesCount: number;
  readonly flags: number;
  /** Empty for none. */
  readonly traceId: string;
  readonly spanId: string;
}

/** A measurement behind a metric's point, with the span that it was made in. */
export interface ExemplarRecord {
  readonly timeUnixNano: bigint;
  readonly value: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly attributes: TelemetryAttributes;
}

/** Counts by bucket: `counts[i]` values up to `bounds[i]`, the last without an upper bound. */
export interface HistogramRecord {
  readonly count: number;
  readonly sum: number;
  readonly min: number | undefined;
  readonly max: number | undefined;
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
}

/** An exponential histogram's buckets as they came in (OpenTelemetry metrics data model). */
export interface ExponentialRecord {
  readonly scale: number;
  readonly zeroCount: number;
  readonly zeroThreshold: number;
  readonly positive: BucketRecord;
  readonly negative: BucketRecord;
}

/** `counts[i]` values in bucket `offset + i`. */
export interface BucketRecord {
  readonly offset: number;
  readonly counts: readonly number[];
}

/** A data point of a metric as a store keeps it. */
export interface PointRecord extends TelemetryOrigin {
  readonly metric: MetricHeader;
  readonly startTimeUnixNano: bigint;
  readonly timeUnixNano: bigint;
  readonly attributes: TelemetryAttributes;
  /** The number of a gauge or sum; the sum of all others. */
  readonly value: number;
  /** Absent for numbers. Exponential histograms come with the bounds that their scale gives. */
  readonly histogram: HistogramRecord | undefined;
  /** Of an exponential histogram, in stores that keep what came in. */
  readonly exponential: ExponentialRecord | undefined;
  /** Of a summary. */
  readonly quantiles: readonly { readonly quantile: number; readonly value: number }[];
  readonly exemplars: readonly ExemplarRecord[];
  readonly flags: number;
}
