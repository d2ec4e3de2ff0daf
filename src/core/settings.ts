import type { Attributes, MeterProvider } from '@opentelemetry/api';
import type { IdGenerator, Sampler, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace';
import { type HostPlatform, isFunctionPlatform } from '../infra/host-platform.ts';
import type { ResourceSettings } from '../infra/resources.ts';
import type { AddressRule, TlsOptions } from '../infra/transport.ts';
import type { CaptureSettings } from '../processing/capture.ts';
import type { LogLevel } from '../processing/log-record.ts';
import type { Temporality } from '../processing/metric-model.ts';
import { PROFILES, type ProfileName } from '../processing/profiles.ts';
import type { RedactOptions } from '../processing/redaction.ts';
import type { RetrySettings } from '../processing/retry-policy.ts';
import type { CopyShare } from '../processing/span-copier.ts';
import type { SpanLimitSettings } from '../processing/span-host.ts';
import type { OtlpProtocol } from '../processing/span-sender.ts';
import type { AgentSettings } from '../processing/usage.ts';
import { type Clock, systemClock } from '../utils/clock.ts';
import type { DiagnosticLogger } from '../utils/diagnostics.ts';
import type { ResilienceLevel } from '../utils/guard.ts';
import type { Headers } from '../utils/headers.ts';
import type { HostPattern } from '../utils/host-pattern.ts';
import { INTEGER_OPTIONS } from '../utils/integer-options.ts';
import type { Secret } from '../utils/secret.ts';
import type { TelemetrySignal } from '../utils/telemetry-signal.ts';
import type { HeaderFunction } from './destination-options.ts';
import type { DestinationUrls } from './destination-urls.ts';
import { DEFAULT_METRICS, type MetricSettings } from './metric-options.ts';
import type { BaggageFilter, PropagationFilter } from './options.ts';
import type { ConfigureFunction, EndpointPolicy, TracerClass } from './registry-options.ts';

/** {@link TracerOptions} complete, checked, copied and frozen; what was not given is shared with the defaults. */
export interface TracerDefaults extends ResourceSettings {
  readonly service: ServiceSettings;
  readonly environment: string | undefined;
  readonly attributes: Readonly<Attributes>;
  readonly destinations: readonly DestinationSettings[];
  readonly redact: RedactOptions | undefined;
  readonly sampling: SamplingSettings;
  readonly limits: LimitSettings;
  readonly batch: BatchSettings;
  readonly signals: SignalSettings;
  readonly metrics: MetricSettings;
  readonly logs: LogSettings;
  readonly retry: RetrySettings;
  readonly boundary: 'isolate' | 'link';
  readonly capture: CaptureSettings;
  readonly sessions: 'explicit' | 'per-root';
  /** `undefined`: spans are not looked at for what agents spend. */
  readonly agents: AgentSettings | undefined;
  readonly resilience: ResilienceLevel;
  readonly spanProcessors: readonly SpanProcessor[];
  readonly exporter: SpanExporter | undefined;
  readonly idGenerator: IdGenerator | undefined;
  readonly propagation: PropagationSettings;
  readonly spool: SpoolSettings | undefined;
  /** Says what of `limits`, `batch` and the destinations' timeouts was not given. */
  readonly profile: ProfileName;
  /** The values that were given, and that no profile changes. */
  readonly given: readonly GivenOption[];
  /** Where the process runs, which `'auto'` goes by. */
  readonly hostPlatform: HostPlatform;
}

/** The options that a profile has values for, but for the timeout, which each destination has for itself. */
export type GivenOption = 'delayMillis' | 'maxSize' | 'maxBytes' | 'maxQueueSize' | 'maxQueueBytes';

/** The settings of one tenant. A batch is never larger than the queue. */
export interface TracerSettings extends TracerDefaults {
  readonly tenantId: string;
}

export type ServiceSettings = ResourceSettings['service'];

export interface DestinationSettings {
  /** Origin and path that the first signal is sent to, for people; without the query, which may carry a key. */
  readonly endpoint: string;
  readonly protocol: OtlpProtocol;
  /** For `grpc` the origin alone. A signal that is not sent there has none. */
  readonly urls: DestinationUrls;
  readonly headers: Secret<Headers> | HeaderFunction;
  /** Name, in lower case, of the header for the tenant's id. */
  readonly tenantHeader: string | undefined;
  /** `undefined`: that of the tenant's metrics. */
  readonly temporality: Temporality | undefined;
  readonly tls: Secret<TlsOptions> | undefined;
  readonly addresses: AddressRule;
  readonly compression: 'gzip' | 'none';
  readonly timeoutMillis: number;
  /** Whether the timeout was given, and is not the profile's. */
  readonly timeoutGiven: boolean;
  readonly isolateConnections: boolean;
  /** Only for the platform tracer. */
  readonly proxy: Secret<URL> | undefined;
  readonly redact: RedactOptions | undefined;
}

export type SamplingSettings = SamplingRuleSettings | { readonly kind: 'sampler'; readonly sampler: Sampler };

export interface SamplingRuleSettings {
  readonly kind: 'rules';
  readonly ratio: number;
  /** `Infinity`: no such rule. */
  readonly spansPerSecond: number;
  readonly keepErrors: boolean;
  /** `Infinity`: no such rule. */
  readonly keepSlowerThanMillis: number;
  /** Whether a span follows the decision of its parent, if it has one; false only by `OTEL_TRACES_SAMPLER`. */
  readonly parentBased: boolean;
}

export interface LimitSettings extends SpanLimitSettings {
  readonly maxQueueSize: number;
  readonly maxQueueBytes: number;
  /** `Infinity`: no limit. */
  readonly spansPerSecond: number;
  /** `Infinity`: no limit. */
  readonly logsPerSecond: number;
}

export interface BatchSettings {
  readonly delayMillis: number;
  readonly maxSize: number;
  readonly maxBytes: number;
}

/** Which signals there are at all. */
export type SignalSettings = { readonly [Signal in TelemetrySignal]: boolean };

export interface LogSettings {
  readonly minSeverity: LogLevel;
}

export interface SpoolSettings {
  readonly directory: string;
  readonly maxBytes: number;
  readonly fsync: 'interval' | 'always';
}

export interface PropagationSettings {
  readonly baggage: readonly string[] | BaggageFilter;
  /** `undefined`: the trace goes to every host, and baggage to none. */
  readonly propagateTo: readonly HostPattern[] | PropagationFilter | undefined;
}

export interface RegistrySettings extends HostSettings {
  /** What a tenant without options of its own gets. */
  readonly defaults: TracerDefaults;
  /** `false`: there is no platform tracer. */
  readonly platform: TracerSettings | false;
  /** Whether isotrace's metrics about itself go into the platform tracer's own, unless there is a meter provider. */
  readonly measuresItself: boolean;
  /** `false` also where there is no platform tracer, or it has no destination. */
  readonly platformCopy: CopyShare | false;
  readonly configure: ConfigureFunction | undefined;
  readonly endpointPolicy: EndpointPolicy;
  readonly unassigned: 'platform' | 'drop';
  readonly lateBinding: LateBindingSettings;
  readonly maxTenants: number;
  readonly idleTimeoutMillis: number;
  readonly drainTimeoutMillis: number;
  readonly maxTotalBytes: number;
  readonly meterProvider: MeterProvider | undefined;
  readonly selfMetrics: SelfMetricsSettings;
  readonly tracer: TracerClass | undefined;
}

export interface SelfMetricsSettings {
  readonly tenants: number;
}

export interface LateBindingSettings {
  readonly maxSpans: number;
  readonly maxMillis: number;
}

/** The settings of a tracer without a registry. */
export interface StandaloneSettings extends HostSettings {
  readonly tracer: TracerSettings;
}

/** What the host lends to isotrace, and how it wants to hear of bad options. */
export interface HostSettings {
  readonly logger: DiagnosticLogger | undefined;
  readonly strict: boolean;
  readonly clock: Clock;
}

export const DEFAULT_SAMPLING: SamplingRuleSettings = Object.freeze({
  kind: 'rules',
  ratio: 1,
  spansPerSecond: Number.POSITIVE_INFINITY,
  keepErrors: false,
  keepSlowerThanMillis: INTEGER_OPTIONS['sampling.keepSlowerThanMillis'].default,
  parentBased: true,
});

export const BUILT_IN_DEFAULTS: TracerDefaults = Object.freeze({
  service: Object.freeze({ name: undefined, version: undefined, namespace: undefined, instanceId: undefined }),
  environment: undefined,
  attributes: Object.freeze(Object.create(null)),
  destinations: Object.freeze([]),
  redact: undefined,
  sampling: DEFAULT_SAMPLING,
  limits: Object.freeze({
    maxQueueSize: INTEGER_OPTIONS['limits.maxQueueSize'].default,
    maxQueueBytes: INTEGER_OPTIONS['limits.maxQueueBytes'].default,
    spansPerSecond: Number.POSITIVE_INFINITY,
    logsPerSecond: Number.POSITIVE_INFINITY,
    attributeCountLimit: INTEGER_OPTIONS['limits.attributeCountLimit'].default,
    attributeValueLengthLimit: INTEGER_OPTIONS['limits.attributeValueLengthLimit'].default,
    eventCountLimit: INTEGER_OPTIONS['limits.eventCountLimit'].default,
    linkCountLimit: INTEGER_OPTIONS['limits.linkCountLimit'].default,
    attributePerEventCountLimit: INTEGER_OPTIONS['limits.attributePerEventCountLimit'].default,
    attributePerLinkCountLimit: INTEGER_OPTIONS['limits.attributePerLinkCountLimit'].default,
  }),
  batch: Object.freeze({
    delayMillis: INTEGER_OPTIONS['batch.delayMillis'].default,
    maxSize: INTEGER_OPTIONS['batch.maxSize'].default,
    maxBytes: INTEGER_OPTIONS['batch.maxBytes'].default,
  }),
  signals: Object.freeze({ traces: true, metrics: true, logs: true }),
  metrics: DEFAULT_METRICS,
  logs: Object.freeze({ minSeverity: 'trace' }),
  retry: Object.freeze({
    initialMillis: INTEGER_OPTIONS['retry.initialMillis'].default,
    maxMillis: INTEGER_OPTIONS['retry.maxMillis'].default,
    giveUpMillis: INTEGER_OPTIONS['retry.giveUpMillis'].default,
  }),
  boundary: 'isolate',
  capture: Object.freeze({
    arguments: false,
    result: false,
    aggregate: undefined,
    maxBytes: INTEGER_OPTIONS['capture.maxBytes'].default,
    maxDepth: INTEGER_OPTIONS['capture.maxDepth'].default,
  }),
  sessions: 'explicit',
  agents: undefined,
  resilience: 'balanced',
  spanProcessors: Object.freeze([]),
  exporter: undefined,
  idGenerator: undefined,
  propagation: Object.freeze({ baggage: Object.freeze([]), propagateTo: undefined }),
  spool: undefined,
  profile: 'default',
  given: Object.freeze([]),
  hostPlatform: 'unknown',
});

/** The defaults where nothing is given at all. */
export function defaultsOn(hostPlatform: HostPlatform): TracerDefaults {
  return applyProfile(Object.freeze({ ...BUILT_IN_DEFAULTS, hostPlatform }), autoProfile(hostPlatform));
}

export function autoProfile(hostPlatform: HostPlatform): ProfileName {
  return isFunctionPlatform(hostPlatform) ? 'serverless' : 'default';
}

/** `settings` under another profile: what was not given takes its values. */
export function applyProfile(settings: TracerDefaults, profile: ProfileName): TracerDefaults {
  if (settings.profile === profile) return settings;
  const { batch, destinations, given, limits } = settings;
  const values = PROFILES[profile];
  const pick = <Key extends GivenOption>(key: Key, own: number): number => (given.includes(key) ? own : values[key]);
  return Object.freeze({
    ...settings,
    profile,
    limits: Object.freeze({
      ...limits,
      maxQueueSize: pick('maxQueueSize', limits.maxQueueSize),
      maxQueueBytes: pick('maxQueueBytes', limits.maxQueueBytes),
    }),
    batch: Object.freeze({
      delayMillis: pick('delayMillis', batch.delayMillis),
      maxSize: pick('maxSize', batch.maxSize),
      maxBytes: pick('maxBytes', batch.maxBytes),
    }),
    destinations: Object.freeze(
      destinations.map((destination) =>
        destination.timeoutGiven ? destination : Object.freeze({ ...destination, timeoutMillis: values.timeoutMillis }),
      ),
    ),
  });
}

export const DEFAULT_TENANT_ID = 'default';
/** What the platform tracer is called in diagnostics and for `headers`. */
export const PLATFORM_TENANT_ID = 'platform';
/** Whose the platform tracer's spans are in a spool; no tenant's id can be that. */
export const PLATFORM_SPOOL_NAME = '\u0000platform';
export const DEFAULT_CLOCK: Clock = systemClock;
