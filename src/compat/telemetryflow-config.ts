import type { DestinationOptions } from '../core/destination-options.ts';
import type { TracerOptions } from '../core/options.ts';
import type { TelemetrySignal } from '../utils/telemetry-signal.ts';

/** What a client was built from, without its credentials. */
export interface TelemetryFlowConfig {
  readonly serviceName: string;
  readonly serviceVersion: string | undefined;
  readonly serviceNamespace: string | undefined;
  readonly environment: string | undefined;
  /** Without query and credentials. */
  readonly endpoint: string;
  readonly protocol: string;
  readonly insecure: boolean;
  readonly compression: boolean;
  readonly timeoutMillis: number | undefined;
  readonly enabledSignals: readonly TelemetrySignal[];
  readonly useV2Api: boolean;
  readonly v2Only: boolean;
  readonly exemplars: boolean;
}

const SIGNALS: readonly TelemetrySignal[] = ['metrics', 'logs', 'traces'];

/** Of options that are known to be acceptable. */
export function telemetryFlowConfig(
  { destination, environment, metrics, service, signals }: TracerOptions,
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
  });
}
