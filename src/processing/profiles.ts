import { INTEGER_OPTIONS } from '../utils/integer-options.ts';

/** Values for an environment; each gives way to the option of its name. */
export interface Profile {
  /** `batch.delayMillis` */
  readonly delayMillis: number;
  /** `batch.maxSize` */
  readonly maxSize: number;
  /** `batch.maxBytes` */
  readonly maxBytes: number;
  /** `limits.maxQueueSize` */
  readonly maxQueueSize: number;
  /** `limits.maxQueueBytes` */
  readonly maxQueueBytes: number;
  /** `destination.timeoutMillis` */
  readonly timeoutMillis: number;
  /** Requests at a time to one origin, of all tenants; while requests hang there are up to four times as many connections. */
  readonly requestsPerOrigin: number;
  /** How long `flush` and `shutdown` take at most when their caller does not say. */
  readonly flushTimeoutMillis: number;
}

/** Sets of defaults. */
export type ProfileName = 'default' | 'low-latency' | 'throughput' | 'serverless';

const KIB = 1_024;
const MIB = 1_024 * KIB;

/** All that profiles set. */
export const PROFILES: Readonly<Record<ProfileName, Profile>> = {
  default: {
    delayMillis: INTEGER_OPTIONS['batch.delayMillis'].default,
    maxSize: INTEGER_OPTIONS['batch.maxSize'].default,
    maxBytes: INTEGER_OPTIONS['batch.maxBytes'].default,
    maxQueueSize: INTEGER_OPTIONS['limits.maxQueueSize'].default,
    maxQueueBytes: INTEGER_OPTIONS['limits.maxQueueBytes'].default,
    timeoutMillis: INTEGER_OPTIONS['destination.timeoutMillis'].default,
    requestsPerOrigin: 8,
    flushTimeoutMillis: 10_000,
  },
  /** Spans are seen within a second: small batches, soon, and no long wait for a slow receiver. */
  'low-latency': {
    delayMillis: 200,
    maxSize: 128,
    maxBytes: 128 * KIB,
    maxQueueSize: 10_000,
    maxQueueBytes: 4 * MIB,
    timeoutMillis: 5_000,
    requestsPerOrigin: 16,
    flushTimeoutMillis: 5_000,
  },
  /** Many spans for little CPU: large batches, deep queues, patience. */
  throughput: {
    delayMillis: 10_000,
    maxSize: 4_096,
    maxBytes: 4 * MIB,
    maxQueueSize: 65_536,
    maxQueueBytes: 32 * MIB,
    timeoutMillis: 30_000,
    requestsPerOrigin: 16,
    flushTimeoutMillis: 30_000,
  },
  /** Little memory, few connections, and a process that may be frozen at any moment: send soon, give up soon. */
  serverless: {
    delayMillis: 100,
    maxSize: 256,
    maxBytes: 256 * KIB,
    maxQueueSize: 2_048,
    maxQueueBytes: MIB,
    timeoutMillis: 3_000,
    requestsPerOrigin: 4,
    flushTimeoutMillis: 2_000,
  },
};
