import type { Attributes, Context, Histogram, Meter, UpDownCounter } from '@opentelemetry/api';
import { DURATION_BUCKETS, type MeasurementKind, pick } from './measurement-source.ts';

/**
 * Where the requests of one tenant are measured. Whoever has meters gives one; the handler knows nothing else of them.
 * Both methods may throw what a meter throws.
 */
export interface HttpMeasurements {
  /** A request came (`change` 1) or is over (-1). */
  active(change: 1 | -1, attributes: Attributes, context: Context): void;
  /** A request is over; the count of these is the count of requests. */
  duration(seconds: number, attributes: Attributes, context: Context): void;
}

/** What every point of a request carries, of the attributes that its span begins with. */
const ACTIVE_KEYS = ['http.request.method', 'url.scheme'] as const;
/** What its duration carries beside. */
const DURATION_KEYS = ['http.response.status_code', 'http.route', 'error.type', 'network.protocol.version'] as const;

export interface HttpInstruments {
  readonly durations: Histogram;
  readonly requests: UpDownCounter;
}

/** By the stable HTTP semantic conventions. */
export const HTTP_MEASUREMENTS: MeasurementKind<HttpInstruments, HttpMeasurements> = {
  create: (meter: Meter) => ({
    durations: meter.createHistogram('http.server.request.duration', {
      description: 'Duration of HTTP server requests.',
      unit: 's',
      advice: { explicitBucketBoundaries: DURATION_BUCKETS },
    }),
    requests: meter.createUpDownCounter('http.server.active_requests', {
      description: 'Number of active HTTP server requests.',
      unit: '{request}',
    }),
  }),
  over: ({ durations, requests }, constant) => ({
    active: (change, attributes, context) =>
      requests.add(change, { ...pick(attributes, ACTIVE_KEYS), ...constant }, context),
    duration: (seconds, attributes, context) => {
      const all = { ...pick(attributes, ACTIVE_KEYS), ...pick(attributes, DURATION_KEYS), ...constant };
      durations.record(seconds, all, context);
    },
  }),
};
