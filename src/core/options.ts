import type { Attributes } from '@opentelemetry/api';
import type { IdGenerator, Sampler, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace';
import type { CaptureOptions } from '../processing/capture.ts';
import type { LogLevel } from '../processing/log-record.ts';
import type { ProfileName } from '../processing/profiles.ts';
import type { RedactOptions } from '../processing/redaction.ts';
import type { AgentOptions } from '../processing/usage.ts';
import type { ResilienceLevel } from '../utils/guard.ts';
import type { DestinationOptions } from './destination-options.ts';
import type { MetricOptions } from './metric-options.ts';

/**
 * The options of one tenant. Given to a registry they are the defaults of all its tenants. Precedence, for each
 * option by itself: the tenant's own, then the registry's, then the default. `OTEL_*` variables apply to the platform
 * tracer only, between the registry's options and the defaults.
 *
 * Options are copied and never modified. A value that is not acceptable, or an option that does not exist, is an
 * issue in `health()`, and the option counts as not given; with `strict: true` all issues together are thrown.
 */
export interface TracerOptions {
  /** Who produces the telemetry: the `service.*` resource attributes. */
  service?: ServiceOptions | undefined;
  /**
   * Resource attribute `deployment.environment.name`: 1 to 255 characters. Default: none.
   * Variable: `OTEL_RESOURCE_ATTRIBUTES`.
   */
  environment?: string | undefined;
  /**
   * Resource attributes, added to the registry's; up to 256, strings up to 8,192 characters. Those that `service` and
   * `environment` set may be given here too, but give way to them. Default: none. Variable: `OTEL_RESOURCE_ATTRIBUTES`.
   */
  attributes?: Attributes | undefined;
  /**
   * Where spans, metrics and log records are sent; all of up to 16 destinations get everything of the signals that they
   * take. A tenant's own destinations replace the registry's, also when one of its own is not acceptable: nothing is ever
   * sent where the tenant did not say. Default: none, and spans and log records are counted as dropped.
   */
  destination?: DestinationOptions | readonly DestinationOptions[] | undefined;
  /**
   * What is hidden in spans, log records and the attributes of metrics before they are queued for anyone; `true` is short for `{}`. What is not acceptable in it
   * never switches it off. A tenant cannot switch off the registry's. Default: none.
   */
  redact?: RedactOptions | true | undefined;
  /**
   * Which traces are exported: rules, or an OpenTelemetry sampler, which has none of them. Each rule by itself takes the
   * place of the registry's. A sampler given to the registry is shared by its tenants. Default: all traces. Variables: `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG`.
   */
  sampling?: SamplingOptions | Sampler | undefined;
  /** Bounds on what waits, for each signal, and on what one span or log record may hold. */
  limits?: LimitOptions | undefined;
  /** How spans and log records are gathered into requests. */
  batch?: BatchOptions | undefined;
  /** When a request that failed in a way that may pass is sent again. */
  retry?: RetryOptions | undefined;
  /**
   * Other defaults for `batch`, the size of queues, `timeoutMillis`, `flush` and `shutdown`; whatever is given itself
   * wins, here, in the registry's options or by a variable. The registry's own profile also says how many requests at
   * a time go to one origin. `'auto'` is `'serverless'` where functions run (AWS Lambda, Cloud Functions, Azure Functions,
   * Vercel, Netlify), else `'default'`. Default: `'auto'`.
   */
  profile?: ProfileOption | undefined;
  /** Which signals there are; one that is switched off costs nothing and is counted nowhere. */
  signals?: SignalOptions | undefined;
  /** How metrics are put together and when they are sent. */
  metrics?: MetricOptions | undefined;
  /** Which log records are taken. */
  logs?: LogOptions | undefined;
  /**
   * What a new root span knows of the other tenant's span around it: nothing (`'isolate'`) or a span link
   * (`'link'`, for workflows of one owner). Default: `'isolate'`.
   */
  boundary?: 'isolate' | 'link' | undefined;
  /**
   * Whether the arguments and results of functions wrapped with `trace` are recorded; `true` and `false` are short for
   * both. A wrapper's own `capture` comes over it. Default: `false`.
   */
  capture?: CaptureOptions | boolean | undefined;
  /**
   * Which spans are in a session: those inside `withSession` (`'explicit'`), or with `'per-root'` also each local root
   * span of kind `SERVER` that is in none, in a new session for itself and what is below it. Default: `'explicit'`.
   */
  sessions?: 'explicit' | 'per-root' | undefined;
  /**
   * Adds up what agents spend, by the `gen_ai.usage.*` attributes of spans, whoever set them; `true` is short for `{}`.
   * A tenant cannot switch off the registry's. Default: none.
   */
  agents?: AgentOptions | true | undefined;
  /**
   * How soon a hook (sampler, processor, exporter …) that fails again and again is switched off: at its first failure
   * (`'strict'`), after 10 failures within a minute (`'balanced'`), or as that but tried again after 30 seconds
   * (`'resilient'`). Failures never reach the application. Default: `'balanced'`.
   */
  resilience?: ResilienceLevel | undefined;
  /**
   * OpenTelemetry span processors that see every span, up to 32. They replace the registry's, whose instances are
   * shared by its tenants. Default: none.
   */
  spanProcessors?: readonly SpanProcessor[] | undefined;
  /**
   * An OpenTelemetry exporter that gets every sampled span, beside the destinations. One given to the registry is
   * shared by its tenants. Default: none.
   */
  exporter?: SpanExporter | undefined;
  /** Makes trace and span ids. Default: random ids. */
  idGenerator?: IdGenerator | undefined;
  /**
   * Keeps the spans that wait for the destinations on disk too, so that they survive the process and outages that are
   * longer than memory lasts. Spans for an `exporter`, metrics and log records are not kept there. Default: none.
   */
  spool?: SpoolOptions | undefined;
  /** What crosses the border of the process. */
  propagation?: PropagationOptions | undefined;
}

/** A profile, or `auto`: by where the process runs. */
export type ProfileOption = 'auto' | ProfileName;

/** All 1 to 255 characters long. */
export interface ServiceOptions {
  /** `service.name`. Default: `unknown_service:node`. Variable: `OTEL_SERVICE_NAME`. */
  name?: string | undefined;
  /** `service.version`. Default: none. Variable: `OTEL_RESOURCE_ATTRIBUTES`. */
  version?: string | undefined;
  /** `service.namespace`. Default: none. Variable: `OTEL_RESOURCE_ATTRIBUTES`. */
  namespace?: string | undefined;
  /** `service.instance.id`. Default: a random UUID for each process. Variable: `OTEL_RESOURCE_ATTRIBUTES`. */
  instanceId?: string | undefined;
}

/** Which traces are exported. */
export interface SamplingOptions {
  /**
   * Share of traces that are recorded, 0 to 1, decided by trace id; a span with a parent in the same tenant, or a
   * remote parent, follows it. Default: 1. Variable: `OTEL_TRACES_SAMPLER_ARG`.
   */
  ratio?: number | undefined;
  /**
   * How many spans a second are to be recorded on average: once so many are, new traces are turned away. Traces stay
   * whole, and those that a remote parent wants recorded are: what is above the rate is made up for later, up to a
   * minute's worth. More than 0, up to 1,000,000. Default: no rate.
   */
  spansPerSecond?: number | undefined;
  /**
   * Whether traces that ratio, rate or remote parent turn away are kept after all when a span of theirs ends with status
   * `ERROR`. Their spans wait in memory until the local root ends. Default: `false`.
   */
  keepErrors?: boolean | undefined;
  /**
   * As `keepErrors`, for traces whose local root lasts at least so many milliseconds. 0 to 86,400,000. Default: no such
   * rule.
   */
  keepSlowerThanMillis?: number | undefined;
}

/** How much one tenant may produce, and hold. */
export interface LimitOptions {
  /** Most spans, log records or data points, each by themselves, that wait to be sent; more are dropped and counted. 1 to 1,000,000. Default: 10,000. Variable: `OTEL_BSP_MAX_QUEUE_SIZE`. */
  maxQueueSize?: number | undefined;
  /** Most bytes of encoded spans, and of each other signal, that wait to be sent. 1 KiB to 1 GiB. Default: 4 MiB. */
  maxQueueBytes?: number | undefined;
  /**
   * Most spans a second that are accepted, on average; more are dropped and counted. More than 0, up to 1,000,000.
   * Default: no limit.
   */
  spansPerSecond?: number | undefined;
  /**
   * Most log records a second that are accepted, on average; more are dropped and counted. More than 0, up to 1,000,000.
   * Default: no limit.
   */
  logsPerSecond?: number | undefined;
  /** Most attributes of a span or a log record. 0 to 65,536. Default: 128. Variables: `OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT`, `OTEL_ATTRIBUTE_COUNT_LIMIT`. */
  attributeCountLimit?: number | undefined;
  /**
   * Longest string in an attribute, in UTF-16 units; longer ones are cut. 0 to 1,048,576. Default: 8,192. Variables:
   * `OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT`, `OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT`.
   */
  attributeValueLengthLimit?: number | undefined;
  /** Most events of a span. 0 to 65,536. Default: 128. Variable: `OTEL_SPAN_EVENT_COUNT_LIMIT`. */
  eventCountLimit?: number | undefined;
  /** Most links of a span. 0 to 65,536. Default: 128. Variable: `OTEL_SPAN_LINK_COUNT_LIMIT`. */
  linkCountLimit?: number | undefined;
  /** Most attributes of an event. 0 to 65,536. Default: 128. Variable: `OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT`. */
  attributePerEventCountLimit?: number | undefined;
  /** Most attributes of a link. 0 to 65,536. Default: 128. Variable: `OTEL_LINK_ATTRIBUTE_COUNT_LIMIT`. */
  attributePerLinkCountLimit?: number | undefined;
}

/** Exponential backoff with full jitter, by the OTLP specification. A receiver's own wish (`Retry-After`) wins. */
export interface RetryOptions {
  /** Upper end of the first delay in milliseconds: 1 to 3,600,000; no delay is below 500. Default: 1,000. */
  initialMillis?: number | undefined;
  /** Upper end of every delay in milliseconds: 1 to 3,600,000. Default: 30,000. */
  maxMillis?: number | undefined;
  /**
   * How long after its first attempt a request is still sent again, in milliseconds: 0 (never) to 86,400,000. With a
   * spool it does not count: what is on the disk stays there. Default: 300,000.
   */
  giveUpMillis?: number | undefined;
}

/** When what waits is sent. */
export interface BatchOptions {
  /** Longest wait for a batch to fill, in milliseconds. 0 to 3,600,000. Default: 5,000. Variable: `OTEL_BSP_SCHEDULE_DELAY`. */
  delayMillis?: number | undefined;
  /**
   * Most spans or log records in a request, and how many waiting ones start one. 1 to 65,536, never more than `limits.maxQueueSize`.
   * Default: 512. Variable: `OTEL_BSP_MAX_EXPORT_BATCH_SIZE`.
   */
  maxSize?: number | undefined;
  /** Most bytes of encoded spans or log records in a request. 1 KiB to 64 MiB, never more than `limits.maxQueueBytes`. Default: 512 KiB. */
  maxBytes?: number | undefined;
}

/** Which signals are recorded and sent. */
export interface SignalOptions {
  /** Default: `true`. */
  traces?: boolean | undefined;
  /** Default: `true`. */
  metrics?: boolean | undefined;
  /** Default: `true`. */
  logs?: boolean | undefined;
}

/** Which log records are kept. */
export interface LogOptions {
  /**
   * Records of a lower severity are left out and not counted: `'trace'`, `'debug'`, `'info'`, `'warn'`, `'error'` or
   * `'fatal'`. Those without a severity are taken. Default: `'trace'`.
   */
  minSeverity?: LogLevel | undefined;
}

/** Where what waits is kept on disk too, and how much. */
export interface SpoolOptions {
  /**
   * An absolute path of up to 4,096 characters; made if it is not there, for the owner alone. Processes, registries and
   * tenants may share it. Required.
   */
  directory: string;
  /**
   * Most bytes that one tenant's files take in it; when they are used up, and memory too, the newest spans are dropped
   * and counted. 64 KiB to 64 GiB. Default: 64 MiB.
   */
  maxBytes?: number | undefined;
  /**
   * When spans are on the disk: within half a second (`'interval'`), or before the `end()` of the span returns
   * (`'always'`, which costs a wait for the disk for each span). Default: `'interval'`.
   */
  fsync?: 'interval' | 'always' | undefined;
}

/** What enters and leaves the process beside telemetry. */
export interface PropagationOptions {
  /**
   * The baggage keys that may enter and leave the process: a list of up to 128, or a function that says for each.
   * Default: none.
   */
  baggage?: readonly string[] | BaggageFilter | undefined;
  /**
   * Where outgoing calls (`tracer.fetch`, `isotrace/grpc`, and HTTP and gRPC clients of OpenTelemetry's instrumentations
   * after `install()`) take the trace and the allowed baggage along: up to 128 hosts (`api.example.com`,
   * `*.example.com`, `host:8080`, `https://api.example.com`, `*`), or a function that answers `true` for a URL. Nothing
   * is sent anywhere else. What is not acceptable counts as no host. Default: the trace goes to every host, and baggage
   * to none.
   */
  propagateTo?: readonly string[] | PropagationFilter | undefined;
}

/** Whether a call to this address takes the trace and baggage along. */
export type PropagationFilter = (url: URL) => boolean;
/** Whether the entry of a key may cross the process's border. */
export type BaggageFilter = (key: string) => boolean;
