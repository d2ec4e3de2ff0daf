/** The bounds of one numeric option, ends included, and its default; `Infinity` where that is none. */
export interface IntegerOption {
  readonly min: number;
  readonly max: number;
  readonly default: number;
  readonly unit: string;
}

const KIB = 1_024;
const MIB = 1_024 * KIB;
const HOUR_MILLIS = 3_600_000;
const ATTRIBUTES: IntegerOption = { min: 0, max: 65_536, default: 128, unit: 'attributes' };

/** Every option that is a whole number, by its path. Nothing in isotrace is unbounded, so each has a maximum. */
export const INTEGER_OPTIONS = {
  'sampling.keepSlowerThanMillis': {
    min: 0,
    max: 24 * HOUR_MILLIS,
    default: Number.POSITIVE_INFINITY,
    unit: 'milliseconds',
  },
  'limits.maxQueueSize': { min: 1, max: 1_000_000, default: 10_000, unit: 'spans' },
  'limits.maxQueueBytes': { min: KIB, max: 1_024 * MIB, default: 4 * MIB, unit: 'bytes' },
  'limits.attributeCountLimit': ATTRIBUTES,
  'limits.attributeValueLengthLimit': { min: 0, max: MIB, default: 8_192, unit: 'UTF-16 units' },
  'limits.eventCountLimit': { min: 0, max: 65_536, default: 128, unit: 'events' },
  'limits.linkCountLimit': { min: 0, max: 65_536, default: 128, unit: 'links' },
  'limits.attributePerEventCountLimit': ATTRIBUTES,
  'limits.attributePerLinkCountLimit': ATTRIBUTES,
  'batch.delayMillis': { min: 0, max: HOUR_MILLIS, default: 5_000, unit: 'milliseconds' },
  'batch.maxSize': { min: 1, max: 65_536, default: 512, unit: 'spans' },
  'batch.maxBytes': { min: KIB, max: 64 * MIB, default: 512 * KIB, unit: 'bytes' },
  'retry.initialMillis': { min: 1, max: HOUR_MILLIS, default: 1_000, unit: 'milliseconds' },
  'retry.maxMillis': { min: 1, max: HOUR_MILLIS, default: 30_000, unit: 'milliseconds' },
  'retry.giveUpMillis': { min: 0, max: 24 * HOUR_MILLIS, default: 300_000, unit: 'milliseconds' },
  'spool.maxBytes': { min: 64 * KIB, max: 64 * 1_024 * MIB, default: 64 * MIB, unit: 'bytes' },
  'capture.maxBytes': { min: 64, max: MIB, default: 8_192, unit: 'bytes' },
  'capture.maxDepth': { min: 1, max: 32, default: 8, unit: 'levels' },
  'agents.pendingAfterMillis': {
    min: 100,
    max: 24 * HOUR_MILLIS,
    default: Number.POSITIVE_INFINITY,
    unit: 'milliseconds',
  },
  'metrics.intervalMillis': { min: 10, max: 24 * HOUR_MILLIS, default: 60_000, unit: 'milliseconds' },
  'metrics.cardinalityLimit': { min: 2, max: 1_000_000, default: 2_000, unit: 'attribute sets' },
  'destination.timeoutMillis': { min: 1, max: 600_000, default: 10_000, unit: 'milliseconds' },
  'lateBinding.maxSpans': { min: 0, max: 1_000_000, default: 10_000, unit: 'spans' },
  'lateBinding.maxMillis': { min: 1, max: HOUR_MILLIS, default: 30_000, unit: 'milliseconds' },
  maxTenants: { min: 1, max: 1_000_000, default: 1_000, unit: 'tenants' },
  idleTimeoutMillis: { min: 1, max: 24 * HOUR_MILLIS, default: 30 * 60_000, unit: 'milliseconds' },
  drainTimeoutMillis: { min: 0, max: HOUR_MILLIS, default: 60_000, unit: 'milliseconds' },
  'selfMetrics.tenants': { min: 0, max: 10_000, default: 0, unit: 'tenants' },
  maxTotalBytes: { min: KIB, max: 64 * 1_024 * MIB, default: 256 * MIB, unit: 'bytes' },
} as const satisfies Record<string, IntegerOption>;

export type IntegerOptionPath = keyof typeof INTEGER_OPTIONS;

/** The accepted values in words, for an issue. */
export function describeInteger({ min, max, unit }: IntegerOption): string {
  return `a whole number from ${min} to ${max} (${unit})`;
}

export function isIntegerWithin({ min, max }: IntegerOption, value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
}
