import type { Attributes, Context, Histogram, Meter, MeterProvider, UpDownCounter } from '@opentelemetry/api';
import { OWN_SCOPE } from '../core/own-scope.ts';
import type { TracerRuntime } from '../core/tracer-runtime.ts';
import { VERSION } from '../utils/version.ts';

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

/** The boundaries that the HTTP semantic conventions advise for durations in seconds. */
const DURATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

interface Instruments {
  readonly durations: Histogram;
  readonly requests: UpDownCounter;
}

/** By the stable HTTP semantic conventions. */
function createInstruments(meter: Meter): Instruments {
  return {
    durations: meter.createHistogram('http.server.request.duration', {
      description: 'Duration of HTTP server requests.',
      unit: 's',
      advice: { explicitBucketBoundaries: DURATION_BUCKETS },
    }),
    requests: meter.createUpDownCounter('http.server.active_requests', {
      description: 'Number of active HTTP server requests.',
      unit: '{request}',
    }),
  };
}

/** @param constant on every point */
function createHttpMeasurements({ durations, requests }: Instruments, constant: Attributes): HttpMeasurements {
  return {
    active: (change, attributes, context) =>
      requests.add(change, { ...pick(attributes, ACTIVE_KEYS), ...constant }, context),
    duration: (seconds, attributes, context) => {
      const all = { ...pick(attributes, ACTIVE_KEYS), ...pick(attributes, DURATION_KEYS), ...constant };
      durations.record(seconds, all, context);
    },
  };
}

/**
 * Finds the measurements of a tenant. One provider for all tenants is the process owner's own, and its points carry
 * `tenant.id`; a function answers a meter for each tenant, of which none is kept that the function itself does not keep.
 */
export class MeasurementSource {
  readonly #source: MeterProvider | ((tenantId: string) => Meter | undefined);
  readonly #ofMeter = new WeakMap<Meter, HttpMeasurements>();
  #instruments: Instruments | undefined;

  constructor(source: MeterProvider | ((tenantId: string) => Meter | undefined)) {
    this.#source = source;
  }

  /** May throw what the user's function or provider throws. */
  of(tenantId: string): HttpMeasurements | undefined {
    if (typeof this.#source !== 'function') {
      this.#instruments ??= createInstruments(this.#source.getMeter('isotrace', VERSION));
      return createHttpMeasurements(this.#instruments, { 'tenant.id': tenantId });
    }
    const meter = this.#source(tenantId) as Meter | null | undefined;
    if (meter === undefined || meter === null) return undefined;
    const known = this.#ofMeter.get(meter);
    if (known !== undefined) return known;
    const measurements = createHttpMeasurements(createInstruments(meter), {});
    this.#ofMeter.set(meter, measurements);
    return measurements;
  }
}

/** The measurements of each tenant in its own metrics. */
export class OwnMeasurements {
  readonly #ofTenant = new WeakMap<TracerRuntime, HttpMeasurements>();

  /** None for a tenant without metrics. */
  of(tenant: TracerRuntime): HttpMeasurements | undefined {
    if (!tenant.path.settings.signals.metrics) return undefined;
    let measurements = this.#ofTenant.get(tenant);
    if (measurements === undefined) {
      const meter = tenant.metering.provider.getMeter(OWN_SCOPE.name, OWN_SCOPE.version);
      measurements = createHttpMeasurements(createInstruments(meter), {});
      this.#ofTenant.set(tenant, measurements);
    }
    return measurements;
  }
}

function pick(attributes: Attributes, keys: readonly string[]): Attributes {
  const picked: Attributes = {};
  for (const key of keys) {
    const value = attributes[key];
    if (value !== undefined) picked[key] = value;
  }
  return picked;
}
