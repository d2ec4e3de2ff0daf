import { existsSync, readFileSync } from 'node:fs';
import type { ConfigIssue } from '../utils/errors.ts';
import type { Headers } from '../utils/headers.ts';
import { INTEGER_OPTIONS, type IntegerOptionPath } from '../utils/integer-options.ts';
import { Secret } from '../utils/secret.ts';
import { TELEMETRY_SIGNALS, type TelemetrySignal } from '../utils/telemetry-signal.ts';
import {
  ENVIRONMENT_VARIABLES,
  type EnvironmentProtocol,
  type EnvironmentVariable,
  type VariableValues as Values,
  type VariableName,
} from './environment-variables.ts';
import { type DetectedPlatform, detectPlatform } from './host-platform.ts';
import type { ProxyRules } from './proxy-rules.ts';

/** What the environment says about the platform tracer; options that it does not set are absent. */
export interface EnvironmentOptions {
  readonly serviceName?: string;
  readonly attributes?: Readonly<Record<string, string>>;
  /** The general one, for all signals without variables of their own, and one for each of the others. */
  readonly destinations: readonly EnvironmentDestination[];
  readonly sampling?: RatioSampling;
  readonly metrics?: EnvironmentMetrics;
  /** Absent when there is no proxy. */
  readonly proxies?: ProxyRules;
  /** By option path, such as `batch.maxSize`. */
  readonly integers: Readonly<Partial<Record<IntegerOptionPath, number>>>;
}

export interface EnvironmentDestination {
  /** May carry a key in its query. */
  readonly endpoint: Secret;
  /** What it is for. */
  readonly signals: readonly TelemetrySignal[];
  /** `base`: `/v1/traces` and the like is appended; a signal: the URL is used as it is. */
  readonly endpointKind: 'base' | TelemetrySignal;
  readonly protocol?: EnvironmentProtocol;
  readonly headers?: Secret<Headers>;
  /** Whether headers may be sent over `http:`. */
  readonly insecure?: boolean;
  readonly compression?: 'gzip' | 'none';
  readonly timeoutMillis?: number;
}

export interface EnvironmentMetrics {
  readonly temporality?: 'cumulative' | 'delta';
  readonly exemplars?: boolean;
}

export interface RatioSampling {
  readonly ratio: number;
  /** Whether a span follows the decision of its parent, if it has one. */
  readonly parentBased: boolean;
}

export interface EnvironmentReading {
  /** `OTEL_SDK_DISABLED`: there is to be no platform tracer. */
  readonly disabled: boolean;
  readonly options: EnvironmentOptions;
  /** `option` is the name of the variable. */
  readonly issues: readonly ConfigIssue[];
}

const MAX_TEXT_LENGTH = 65_536;
/**
 * Reads the `OTEL_*` variables. An empty variable counts as unset; one that is not acceptable is an issue that names
 * it and also counts as unset. Never throws.
 */
export function readEnvironment(env: Readonly<Record<string, string | undefined>> = process.env): EnvironmentReading {
  const issues: ConfigIssue[] = [];
  const values: Values = {};
  for (const name of Object.keys(ENVIRONMENT_VARIABLES) as VariableName[]) readVariable(name, env, values, issues);
  return { disabled: values.OTEL_SDK_DISABLED ?? false, options: toOptions(values), issues };
}

/** Where the process runs. Never throws. */
export function readHostPlatform(env: Readonly<Record<string, string | undefined>> = process.env): DetectedPlatform {
  return detectPlatform({ env, readFile: readSmallFile, exists: existsSync });
}

function readSmallFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** The variables of the process as they are now, for what reads others than `OTEL_*`. */
export function processVariables(): Readonly<Record<string, string | undefined>> {
  return process.env;
}

function readVariable<Name extends VariableName>(
  name: Name,
  env: Readonly<Record<string, string | undefined>>,
  values: Values,
  issues: ConfigIssue[],
): void {
  const text = env[name]?.trim();
  if (text === undefined || text === '') return;
  // In a CGI program it is what a client sent as the header "Proxy" (httpoxy, CVE-2016-5385).
  if (name === 'HTTP_PROXY' && env['REQUEST_METHOD'] !== undefined) return;
  const { accepted, parse, describe }: EnvironmentVariable<unknown> = ENVIRONMENT_VARIABLES[name];
  const report = (received: string) => issues.push({ option: name, accepted, received });
  const value = text.length > MAX_TEXT_LENGTH ? undefined : parse(text, report);
  if (value === undefined) report(describe(text));
  else values[name] = value as Values[Name];
}

function toOptions(values: Values): EnvironmentOptions {
  const sampling = toSampling(values);
  const proxies = toProxies(values);
  return {
    ...(values.OTEL_SERVICE_NAME !== undefined && { serviceName: values.OTEL_SERVICE_NAME }),
    ...(values.OTEL_RESOURCE_ATTRIBUTES !== undefined && { attributes: values.OTEL_RESOURCE_ATTRIBUTES }),
    destinations: toDestinations(values),
    ...(sampling !== undefined && { sampling }),
    ...toMetrics(values),
    ...(proxies !== undefined && { proxies }),
    integers: withoutUndefined({
      'metrics.intervalMillis': values.OTEL_METRIC_EXPORT_INTERVAL,
      'batch.delayMillis': values.OTEL_BSP_SCHEDULE_DELAY,
      'batch.maxSize': values.OTEL_BSP_MAX_EXPORT_BATCH_SIZE,
      'limits.maxQueueSize': values.OTEL_BSP_MAX_QUEUE_SIZE,
      'limits.attributeCountLimit': values.OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT ?? values.OTEL_ATTRIBUTE_COUNT_LIMIT,
      'limits.attributeValueLengthLimit':
        values.OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT ?? values.OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT,
      'limits.eventCountLimit': values.OTEL_SPAN_EVENT_COUNT_LIMIT,
      'limits.linkCountLimit': values.OTEL_SPAN_LINK_COUNT_LIMIT,
      'limits.attributePerEventCountLimit': values.OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT,
      'limits.attributePerLinkCountLimit': values.OTEL_LINK_ATTRIBUTE_COUNT_LIMIT,
    }),
  };
}

/** Signals with variables of their own have a destination of their own. */
function toDestinations(values: Values): readonly EnvironmentDestination[] {
  const apart = TELEMETRY_SIGNALS.filter((signal) => hasOwnVariables(values, signal));
  const together = TELEMETRY_SIGNALS.filter((signal) => !apart.includes(signal));
  // That of the traces first.
  const groups = [together, ...apart.map((signal) => [signal])].toSorted((one, other) => placeOf(one) - placeOf(other));
  return groups.map((signals) => toDestination(values, signals)).filter((destination) => destination !== undefined);
}

function placeOf([signal]: readonly TelemetrySignal[]): number {
  return signal === undefined ? 0 : TELEMETRY_SIGNALS.indexOf(signal);
}

function hasOwnVariables(values: Values, signal: TelemetrySignal): boolean {
  const own = ownVariables(values, signal);
  const { OTEL_BSP_EXPORT_TIMEOUT: processor } = values;
  return Object.values(own).some((value) => value !== undefined) || (signal === 'traces' && processor !== undefined);
}

/** The variables that only this signal has. */
function ownVariables(values: Values, signal: TelemetrySignal) {
  const name = signal.toUpperCase() as Uppercase<TelemetrySignal>;
  return {
    endpoint: values[`OTEL_EXPORTER_OTLP_${name}_ENDPOINT`],
    headers: values[`OTEL_EXPORTER_OTLP_${name}_HEADERS`],
    protocol: values[`OTEL_EXPORTER_OTLP_${name}_PROTOCOL`],
    insecure: values[`OTEL_EXPORTER_OTLP_${name}_INSECURE`],
    compression: values[`OTEL_EXPORTER_OTLP_${name}_COMPRESSION`],
    timeoutMillis: values[`OTEL_EXPORTER_OTLP_${name}_TIMEOUT`],
  };
}

/** Without an endpoint there is no destination: isotrace does not send to `localhost` unasked. */
function toDestination(values: Values, signals: readonly TelemetrySignal[]): EnvironmentDestination | undefined {
  const [signal] = signals;
  if (signal === undefined) return undefined;
  const own = ownVariables(values, signal);
  const endpoint = own.endpoint ?? values.OTEL_EXPORTER_OTLP_ENDPOINT;
  if (endpoint === undefined) return undefined;
  const headers = mergeHeaders(values.OTEL_EXPORTER_OTLP_HEADERS, own.headers);
  const compression = own.compression ?? values.OTEL_EXPORTER_OTLP_COMPRESSION;
  const timeoutMillis = toTimeout(values, signal, own.timeoutMillis ?? values.OTEL_EXPORTER_OTLP_TIMEOUT);
  const protocol = own.protocol ?? values.OTEL_EXPORTER_OTLP_PROTOCOL;
  const insecure = own.insecure ?? values.OTEL_EXPORTER_OTLP_INSECURE;
  return {
    signals,
    endpoint,
    endpointKind: own.endpoint === undefined ? 'base' : signal,
    ...(protocol !== undefined && { protocol }),
    ...(headers !== undefined && { headers }),
    ...(insecure !== undefined && { insecure }),
    ...(compression !== undefined && { compression }),
    ...(timeoutMillis !== undefined && { timeoutMillis }),
  };
}

function mergeHeaders(
  general: Secret<Headers> | undefined,
  own: Secret<Headers> | undefined,
): Secret<Headers> | undefined {
  if (general === undefined || own === undefined) return own ?? general;
  return new Secret({ ...general.reveal(), ...own.reveal() });
}

/** Lower case comes first, as everywhere. */
function toProxies(values: Values): ProxyRules | undefined {
  const https = values.https_proxy ?? values.HTTPS_PROXY;
  const http = values.http_proxy ?? values.HTTP_PROXY;
  const grpc = values.grpc_proxy;
  if (https === undefined && http === undefined && grpc === undefined) return undefined;
  return { https, http, grpc, bypass: values.no_proxy ?? values.NO_PROXY ?? '' };
}

function toTimeout(values: Values, signal: TelemetrySignal, exporter: number | undefined): number | undefined {
  const processor = signal === 'traces' ? values.OTEL_BSP_EXPORT_TIMEOUT : undefined;
  if (processor === undefined) return exporter;
  return Math.min(processor, exporter ?? INTEGER_OPTIONS['destination.timeoutMillis'].default);
}

function toSampling(values: Values): RatioSampling | undefined {
  const sampler = values.OTEL_TRACES_SAMPLER;
  if (sampler === undefined) return undefined;
  const ratio = sampler.ratio ?? values.OTEL_TRACES_SAMPLER_ARG ?? 1;
  return { ratio, parentBased: sampler.parentBased };
}

function toMetrics(values: Values): { readonly metrics?: EnvironmentMetrics } {
  const temporality = values.OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE;
  const exemplars = values.OTEL_METRICS_EXEMPLAR_FILTER;
  if (temporality === undefined && exemplars === undefined) return {};
  return {
    metrics: { ...(temporality !== undefined && { temporality }), ...(exemplars !== undefined && { exemplars }) },
  };
}

function withoutUndefined<T extends object>(record: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as never;
}
