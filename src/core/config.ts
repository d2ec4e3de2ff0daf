import type { MeterProvider } from '@opentelemetry/api';
import type { EnvironmentOptions, EnvironmentReading } from '../infra/environment.ts';
import type { HostPlatform } from '../infra/host-platform.ts';
import type { CopyShare } from '../processing/span-copier.ts';
import type { Clock } from '../utils/clock.ts';
import type { DiagnosticLogger } from '../utils/diagnostics.ts';
import { type ConfigIssue, IsotraceError } from '../utils/errors.ts';
import { INTEGER_OPTIONS, type IntegerOptionPath } from '../utils/integer-options.ts';
import { callable, integer, objectWith, oneOf } from '../utils/option-checks.ts';
import { type Check, defineGroup, IssueLog, OptionReader, readGroup } from '../utils/option-reader.ts';
import { isTenantId } from '../utils/tenant-id.ts';
import { withProxies } from './destination-config.ts';
import { readEndpointPolicy } from './endpoint-rules.ts';
import type {
  ConfigureFunction,
  CreateTracerOptions,
  EndpointPolicy,
  RegistryOptions,
  TracerClass,
} from './registry-options.ts';
import {
  BUILT_IN_DEFAULTS,
  DEFAULT_CLOCK,
  DEFAULT_TENANT_ID,
  defaultsOn,
  type HostSettings,
  type LateBindingSettings,
  PLATFORM_TENANT_ID,
  type RegistrySettings,
  type SelfMetricsSettings,
  type StandaloneSettings,
  type TracerDefaults,
  type TracerSettings,
} from './settings.ts';
import { applyEnvironment, applyOptions, completeSettings, KNOWN_TRACER, TRACER_KEYS } from './tracer-config.ts';

export interface Resolved<T> {
  readonly settings: T;
  /** Every problem found; empty when there was none. */
  readonly issues: readonly ConfigIssue[];
}

/** What a tracer's options are laid over: a registry's defaults, or for the platform tracer only the environment. */
export type TracerContext = {
  readonly tenantId: string;
  /** Which endpoints the options may name; not asked about those of the defaults. Default: `'any'`. */
  readonly endpointPolicy?: EndpointPolicy | undefined;
} & (
  | { readonly defaults?: TracerDefaults | undefined; readonly environment?: undefined }
  | { readonly defaults?: undefined; readonly environment: EnvironmentOptions }
);

const KNOWN_STANDALONE: ReadonlySet<string> = new Set(
  Object.keys({
    ...TRACER_KEYS,
    tenantId: true,
    logger: true,
    strict: true,
    clock: true,
  } satisfies Record<keyof CreateTracerOptions, true>),
);
const KNOWN_REGISTRY: ReadonlySet<string> = new Set(
  Object.keys({
    ...TRACER_KEYS,
    configure: true,
    endpointPolicy: true,
    unassigned: true,
    lateBinding: true,
    maxTenants: true,
    idleTimeoutMillis: true,
    drainTimeoutMillis: true,
    maxTotalBytes: true,
    platform: true,
    platformCopy: true,
    meterProvider: true,
    selfMetrics: true,
    tracer: true,
    logger: true,
    strict: true,
    clock: true,
  } satisfies Record<keyof RegistryOptions, true>),
);

const LOGGER = objectWith<DiagnosticLogger>('debug', 'info', 'warn', 'error');
const METER_PROVIDER = objectWith<MeterProvider>('getMeter');
const SELF_METRICS = defineGroup<SelfMetricsSettings>({ tenants: integer('selfMetrics.tenants') });
const NO_SELF_METRICS: SelfMetricsSettings = Object.freeze({ tenants: INTEGER_OPTIONS['selfMetrics.tenants'].default });
const CLOCK = objectWith<Clock>('now', 'monotonic', 'random', 'schedule');
const STRICT = oneOf(true, false);
const UNASSIGNED = oneOf('platform', 'drop');
const LATE_BINDING = defineGroup<LateBindingSettings>({
  maxSpans: integer('lateBinding.maxSpans'),
  maxMillis: integer('lateBinding.maxMillis'),
});
const DEFAULT_LATE_BINDING: LateBindingSettings = Object.freeze({
  maxSpans: INTEGER_OPTIONS['lateBinding.maxSpans'].default,
  maxMillis: INTEGER_OPTIONS['lateBinding.maxMillis'].default,
});
const CONFIGURE = callable<ConfigureFunction>('a function');
const TRACER_CLASS = callable<TracerClass>('a class');
const PLATFORM_COPY: Check<CopyShare | false> = {
  accepted: '"all", "errors", a number from 0 to 1, or false',
  parse: (value) => {
    if (value === 'all' || value === 'errors' || value === false) return value;
    return typeof value === 'number' && value >= 0 && value <= 1 ? value : undefined;
  },
};
const TENANT_ID: Check<string> = {
  accepted: 'a string of 1 to 128 printable characters',
  parse: (value) => (isTenantId(value) ? value : undefined),
};

/**
 * The complete settings of one tracer. Never throws, whatever `input` is; reports every problem at once. Each option
 * comes from `input`, else from `defaults` or `environment`, else it is the built-in default. `attributes` are merged;
 * `destination` is taken as a whole.
 */
export function resolveTracerSettings(input: unknown, context: TracerContext): Resolved<TracerSettings> {
  const issues = new IssueLog();
  const { environment, defaults = BUILT_IN_DEFAULTS, endpointPolicy, tenantId } = context;
  const base = environment === undefined ? defaults : applyEnvironment(environment, defaults, issues);
  const reader = OptionReader.open(input, '', KNOWN_TRACER, issues);
  const own = reader === undefined ? base : applyOptions(reader, base, { policy: endpointPolicy ?? 'any' });
  const settings = completeSettings(own, tenantId, issues);
  return { settings, issues: issues.list() };
}

/** The settings of a registry and of its platform tracer. Never throws; reports every problem at once. */
export function resolveRegistrySettings(
  input: unknown,
  environment: EnvironmentReading,
  hostPlatform: HostPlatform = 'unknown',
): Resolved<RegistrySettings> {
  const issues = new IssueLog();
  const reader = OptionReader.open(input, '', KNOWN_REGISTRY, issues);
  const base = defaultsOn(hostPlatform);
  const defaults = reader === undefined ? base : applyOptions(reader, base);
  const platform = resolvePlatform(reader, environment, base, issues);
  const settings: RegistrySettings = Object.freeze({
    defaults,
    platform,
    measuresItself: measuresItself(reader, platform),
    platformCopy: readPlatformCopy(reader, platform),
    configure: reader?.read('configure', CONFIGURE),
    endpointPolicy: readEndpointPolicy(reader),
    unassigned: reader?.read('unassigned', UNASSIGNED) ?? 'platform',
    lateBinding:
      reader === undefined
        ? DEFAULT_LATE_BINDING
        : readGroup(reader, 'lateBinding', LATE_BINDING, DEFAULT_LATE_BINDING),
    maxTenants: readInteger(reader, 'maxTenants'),
    idleTimeoutMillis: readInteger(reader, 'idleTimeoutMillis'),
    drainTimeoutMillis: readInteger(reader, 'drainTimeoutMillis'),
    maxTotalBytes: readInteger(reader, 'maxTotalBytes'),
    meterProvider: reader?.read('meterProvider', METER_PROVIDER),
    selfMetrics:
      reader === undefined ? NO_SELF_METRICS : readGroup(reader, 'selfMetrics', SELF_METRICS, NO_SELF_METRICS),
    tracer: reader?.read('tracer', TRACER_CLASS),
    ...readHost(reader),
  });
  return { settings, issues: issues.list() };
}

/** The settings of a tracer without a registry; no environment applies. Never throws; reports every problem at once. */
export function resolveStandaloneSettings(
  input: unknown,
  hostPlatform: HostPlatform = 'unknown',
): Resolved<StandaloneSettings> {
  const issues = new IssueLog();
  const reader = OptionReader.open(input, '', KNOWN_STANDALONE, issues);
  const tenantId = reader?.read('tenantId', TENANT_ID) ?? DEFAULT_TENANT_ID;
  const base = defaultsOn(hostPlatform);
  const defaults = reader === undefined ? base : applyOptions(reader, base);
  const settings: StandaloneSettings = Object.freeze({
    tracer: completeSettings(defaults, tenantId, issues),
    ...readHost(reader),
  });
  return { settings, issues: issues.list() };
}

/** What `strict: true` throws: one error that names every problem. */
export function configError(issues: readonly ConfigIssue[]): IsotraceError {
  const lines = issues.map(
    ({ option, accepted, received }) => `\n- ${option}: expected ${accepted}, received ${received}`,
  );
  return new IsotraceError('config_invalid', `Invalid isotrace options:${lines.join('')}`, { issues });
}

/** The platform tracer has its own options, over the registry's, over the environment. */
function resolvePlatform(
  registry: OptionReader | undefined,
  environment: EnvironmentReading,
  base: TracerDefaults,
  issues: IssueLog,
): TracerSettings | false {
  if (environment.disabled || registry?.get('platform') === false) return false;
  issues.addAll(environment.issues);
  let settings = applyEnvironment(environment.options, base, issues);
  if (registry !== undefined) {
    // A second reading of the same options, so their issues are known already.
    settings = applyOptions(registry.reportingTo(new IssueLog()), settings);
    const own = registry.open('platform', KNOWN_TRACER);
    if (own !== undefined) settings = applyOptions(own, settings, { policy: 'any', mayProxy: true });
  }
  const destinations = withProxies(settings.destinations, environment.options.proxies, issues);
  return completeSettings({ ...settings, destinations }, PLATFORM_TENANT_ID, issues);
}

/** Whether the platform tracer sends metrics to a destination of its own. That of the registry's options is the tenants'. */
function measuresItself(registry: OptionReader | undefined, platform: TracerSettings | false): boolean {
  if (platform === false || !platform.signals.metrics) return false;
  const own = registry?.reportingTo(new IssueLog()).open('platform', KNOWN_TRACER);
  const isInherited = registry?.get('destination') !== undefined && own?.get('destination') === undefined;
  return !isInherited && platform.destinations.some(({ urls }) => urls.metrics !== undefined);
}

function readPlatformCopy(reader: OptionReader | undefined, platform: TracerSettings | false): CopyShare | false {
  const share = reader?.read('platformCopy', PLATFORM_COPY);
  if (reader === undefined || share === undefined || share === false || share === 0) return false;
  if (platform !== false && platform.destinations.length > 0) return share;
  reader.issues.add(
    'platformCopy',
    'a platform tracer with a destination',
    platform === false ? 'none' : 'one without',
  );
  return false;
}

function readHost(reader: OptionReader | undefined): HostSettings {
  return {
    logger: reader?.read('logger', LOGGER),
    strict: reader?.read('strict', STRICT) ?? false,
    clock: reader?.read('clock', CLOCK) ?? DEFAULT_CLOCK,
  };
}

function readInteger(reader: OptionReader | undefined, option: IntegerOptionPath & keyof RegistryOptions): number {
  return reader?.read(option, integer(option)) ?? INTEGER_OPTIONS[option].default;
}
