import type { Attributes } from '@opentelemetry/api';
import type { Identity } from '../core/builder-conventions.ts';
import type { BuilderDraft, RetrySteps } from '../core/builder-options.ts';
import type { DestinationOptions } from '../core/destination-options.ts';
import type { TracerOptions } from '../core/options.ts';
import type { TelemetrySignal } from '../utils/telemetry-signal.ts';

/** What a client was built from, without its credentials. */
export interface TelemetryFlowConfig {
  /** The resource attribute `service.name`. */
  readonly serviceName: string;
  /** The resource attribute `service.version`. */
  readonly serviceVersion: string | undefined;
  /** The resource attribute `service.namespace`. */
  readonly serviceNamespace: string | undefined;
  /** The resource attribute `deployment.environment.name`. */
  readonly environment: string | undefined;
  /** Without query and credentials. */
  readonly endpoint: string;
  /** How OTLP is sent. */
  readonly protocol: string;
  /** Whether credentials may be sent without TLS. */
  readonly insecure: boolean;
  /** Whether requests are compressed. */
  readonly compression: boolean;
  /** Of one request, in milliseconds. */
  readonly timeoutMillis: number | undefined;
  /** Which signals are sent. */
  readonly enabledSignals: readonly TelemetrySignal[];
  /** Whether requests go to paths that begin with `/v2/`. */
  readonly useV2Api: boolean;
  /** Whether paths that begin with `/v1/` are refused. */
  readonly v2Only: boolean;
  /** Whether points of metrics name a recent span. */
  readonly exemplars: boolean;
  /** How long a batch waits to fill, in milliseconds. */
  readonly batchDelayMillis: number | undefined;
  /** Spans of a batch at most. */
  readonly batchMaxSize: number | undefined;
  /** When requests are sent again; `undefined` where the builder was not told: as isotrace does by itself. */
  readonly retry: Readonly<RetrySteps> | undefined;
  /** Spans a second on average; `undefined`: no limit. */
  readonly rateLimit: number | undefined;
  /** Who sends: the collector's id, name, description, hostname, datacenter and tags. */
  readonly collector: Identity;
  /** Resource attributes of the builder's steps, without those of the collector. */
  readonly customAttributes: Readonly<Attributes>;
}

const SIGNALS: readonly TelemetrySignal[] = ['metrics', 'logs', 'traces'];

/** Of options that are known to be acceptable. */
export function telemetryFlowConfig(
  { batch, destination, environment, limits, metrics, service, signals }: TracerOptions,
  { attributes, identity, retry }: BuilderDraft,
  api: { readonly useV2: boolean; readonly v2Only: boolean },
): TelemetryFlowConfig {
  const { compression, endpoint, insecure, protocol, timeoutMillis } = destination as DestinationOptions;
  const { host, pathname, protocol: scheme } = new URL(endpoint);
  return Object.freeze({
    serviceName: service?.name ?? '',
    serviceVersion: service?.version,
    serviceNamespace: service?.namespace,
    environment,
    endpoint: `${scheme}//${host}${pathname === '/' ? '' : pathname}`,
    protocol: protocol ?? 'http/protobuf',
    insecure: insecure ?? false,
    compression: compression === 'gzip',
    timeoutMillis,
    enabledSignals: Object.freeze(SIGNALS.filter((signal) => signals?.[signal] !== false)),
    useV2Api: api.useV2,
    v2Only: api.v2Only,
    exemplars: metrics?.exemplars ?? false,
    batchDelayMillis: batch?.delayMillis,
    batchMaxSize: batch?.maxSize,
    retry: retry && Object.freeze({ ...retry }),
    rateLimit: limits?.spansPerSecond,
    collector: Object.freeze({ ...identity, tags: Object.freeze({ ...identity?.tags }) }),
    customAttributes: Object.freeze({ ...attributes }),
  });
}
