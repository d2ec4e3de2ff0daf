import type { MeterProvider } from '@opentelemetry/api';
import type { Clock } from '../utils/clock.ts';
import type { DiagnosticLogger } from '../utils/diagnostics.ts';
import type { TracerOptions } from './options.ts';

/**
 * Which endpoints a tenant's own destinations may have: any; those on public addresses (the literal one, and whatever
 * the name leads to when it is connected to); or those for which a function answers `true`.
 */
export type EndpointPolicy = 'any' | 'public' | ((url: URL) => boolean);

/** The options of a registry; those of {@link TracerOptions} are the defaults of its tenants. */
export interface RegistryOptions<T extends object = object> extends TracerOptions {
  /**
   * The options of a tenant, asked once when the tenant is first used. `undefined` or `null`: the tenant is unknown and
   * gets a tracer that does nothing. Default: every tenant has the registry's options.
   */
  configure?: ConfigureFunction | undefined;
  /**
   * Holds for the destinations that `configure` returns, not for the registry's own and the platform's. One that it
   * refuses is not acceptable. Default: `'any'`; when what is given is not acceptable, `'public'`.
   */
  endpointPolicy?: EndpointPolicy | undefined;
  /** Most tenants that are live at a time; the least recently used is evicted and loses no span. 1 to 1,000,000. Default: 1,000. */
  maxTenants?: number | undefined;
  /** A tenant unused for so long is evicted, in milliseconds. 1 to 86,400,000. Default: 1,800,000 (30 minutes). */
  idleTimeoutMillis?: number | undefined;
  /** Longest time that an evicted tenant may take to end its spans and deliver its queue, in milliseconds. 0 to 3,600,000. Default: 60,000. */
  drainTimeoutMillis?: number | undefined;
  /** Most bytes that wait in the queues of all tenants together. 1 KiB to 64 GiB. Default: 256 MiB. */
  maxTotalBytes?: number | undefined;
  /**
   * The process owner's own tracer: its options, over the registry's and the `OTEL_*` variables, or `false` for none.
   * Default: the registry's options. Variable: `OTEL_SDK_DISABLED` (`true` means none, whatever is given here).
   */
  platform?: TracerOptions | false | undefined;
  /**
   * A copy of the spans and log records that tenants send goes to the platform tracer's destinations: of all, of spans
   * with an error status and records from `ERROR` up, or of a share of the traces (0 to 1, by trace id) and of the
   * records outside of traces. It has the tenant's resource with its id as `tenant.id`,
   * and shows what the tenant's and then the platform's `redact` leave. Copies are counted for the platform tracer, and
   * never cost a tenant anything but time. An issue without a platform tracer that has a destination. Default: `false`.
   */
  platformCopy?: 'all' | 'errors' | number | false | undefined;
  /**
   * Where isotrace measures itself: OpenTelemetry's `otel.sdk.*` metrics, and `isotrace.*` for what those do not have.
   * Not shut down with the registry. Default: the platform tracer's own metrics, where it has a destination of its own
   * (`platform.destination` or the `OTEL_*` variables); else none.
   */
  meterProvider?: MeterProvider | undefined;
  /** What is measured beside totals. */
  selfMetrics?: SelfMetricsOptions | undefined;
  /**
   * After `install()`: what becomes of spans whose code runs for no tenant, and whose request has named none. Default:
   * `'platform'`.
   */
  unassigned?: 'platform' | 'drop' | undefined;
  /** After `install()`: how spans wait whose request has not named its tenant yet. */
  lateBinding?: LateBindingBounds | undefined;
  /** The class of the tenants' tracers, composed of mixins. Default: `Tracer`. */
  tracer?: TracerClass<T> | undefined;
  /** Where isotrace writes about itself, such as a pino logger. Default: a pino logger at level `warn`. */
  logger?: DiagnosticLogger | undefined;
  /** Whether unacceptable options throw an `IsotraceError` with code `config_invalid` from the constructor. Default: `false`. */
  strict?: boolean | undefined;
  /** Time and randomness, for tests. Default: the system's. */
  clock?: Clock | undefined;
}

/** How much isotrace's own metrics tell. */
export interface SelfMetricsOptions {
  /**
   * Tenants that have metrics of their own (`isotrace.tenant.span.*` with `tenant.id`), the most recently used first: as
   * many series more. 0 to 10,000. Default: 0.
   */
  tenants?: number | undefined;
}

/** Bounds of what waits for its request to name a tenant. */
export interface LateBindingBounds {
  /** Most spans that wait, of all requests; the oldest request is then treated as one without a tenant. 0 to 1,000,000. Default: 10,000. */
  maxSpans?: number | undefined;
  /** Longest wait, in milliseconds. 1 to 3,600,000. Default: 30,000. */
  maxMillis?: number | undefined;
}

/** Options of one tenant. */
export type ConfigureFunction = (tenantId: string) => ConfigureAnswer | Promise<ConfigureAnswer>;
/** The options of a tenant; `undefined` or `null`: there is no such tenant. */
export type ConfigureAnswer = TracerOptions | undefined | null;
/** A class that the registry makes tracers with; only the registry calls it. */
export type TracerClass<T extends object = object> = new (...args: never[]) => T;

/** The options of a tracer without a registry. No `OTEL_*` variable applies to it. */
export interface CreateTracerOptions extends TracerOptions {
  /** Names the tenant in diagnostics and for `headers`: 1 to 128 printable characters. Default: `default`. */
  tenantId?: string | undefined;
  /** As in {@link RegistryOptions}. */
  logger?: DiagnosticLogger | undefined;
  /** As in {@link RegistryOptions}. */
  strict?: boolean | undefined;
  /** As in {@link RegistryOptions}. */
  clock?: Clock | undefined;
}
