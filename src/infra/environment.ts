import { existsSync, readFileSync } from 'node:fs';
import { describeEndpoint, ENDPOINT_ACCEPTED, parseEndpoint } from '../utils/endpoint.ts';
import type { ConfigIssue } from '../utils/errors.ts';
import type { Headers } from '../utils/headers.ts';
import { describeInteger, INTEGER_OPTIONS, type IntegerOptionPath, isIntegerWithin } from '../utils/integer-options.ts';
import { describeProxy, PROXY_ACCEPTED, parseProxy } from '../utils/proxy-url.ts';
import { describeKind, maskSecrets, Secret } from '../utils/secret.ts';
import { parseAttributes, parseHeaders } from './environment-lists.ts';
import { type DetectedPlatform, detectPlatform } from './host-platform.ts';
import type { ProxyRules } from './proxy-rules.ts';

/** One variable that isotrace reads. */
export interface EnvironmentVariable<T> {
  /** The option of the platform tracer that it sets. */
  readonly option: string;
  /** What is accepted, in words. */
  readonly accepted: string;
  /** The value, or `undefined` when the text is not acceptable; `report` names a part that was left out. */
  parse(text: string, report: (received: string) => void): T | undefined;
  /** How a refused text is shown. */
  describe(text: string): string;
}

/** What the environment says about the platform tracer; options that it does not set are absent. */
export interface EnvironmentOptions {
  readonly serviceName?: string;
  readonly attributes?: Readonly<Record<string, string>>;
  readonly destination?: EnvironmentDestination;
  readonly sampling?: RatioSampling;
  /** Absent when there is no proxy. */
  readonly proxies?: ProxyRules;
  /** By option path, such as `batch.maxSize`. */
  readonly integers: Readonly<Partial<Record<IntegerOptionPath, number>>>;
}

export interface EnvironmentDestination {
  /** May carry a key in its query. */
  readonly endpoint: Secret;
  /** `base`: `/v1/traces` is appended; `traces`: the URL is used as it is. */
  readonly endpointKind: 'base' | 'traces';
  readonly protocol?: 'http/protobuf' | 'http/json' | 'grpc';
  readonly headers?: Secret<Headers>;
  /** Whether headers may be sent over `http:`. */
  readonly insecure?: boolean;
  readonly compression?: 'gzip' | 'none';
  readonly timeoutMillis?: number;
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
const PROTOCOL_ACCEPTED = '"http/protobuf", "http/json" or "grpc"';

/**
 * Every variable that isotrace reads, with OpenTelemetry's meaning ("Environment Variable Specification" and
 * "OpenTelemetry Protocol Exporter"), and what names a proxy. They apply to the platform tracer only, never to a tenant.
 */
export const ENVIRONMENT_VARIABLES = {
  OTEL_SDK_DISABLED: variable('platform', '"true" or "false"', parseBoolean),
  OTEL_SERVICE_NAME: variable('service.name', 'a string of 1 to 255 characters', (text) =>
    text.length <= 255 ? text : undefined,
  ),
  OTEL_RESOURCE_ATTRIBUTES: variable(
    'attributes',
    'key=value,key=value with percent-encoding',
    parseAttributes,
    describeKind,
  ),
  OTEL_EXPORTER_OTLP_ENDPOINT: variable('destination.endpoint', ENDPOINT_ACCEPTED, parseUrl, describeEndpoint),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: variable('destination.endpoint', ENDPOINT_ACCEPTED, parseUrl, describeEndpoint),
  OTEL_EXPORTER_OTLP_HEADERS: variable('destination.headers', 'name=value,name=value', parseHeaders, describeKind),
  OTEL_EXPORTER_OTLP_TRACES_HEADERS: variable(
    'destination.headers',
    'name=value,name=value',
    parseHeaders,
    describeKind,
  ),
  OTEL_EXPORTER_OTLP_PROTOCOL: variable('destination.protocol', PROTOCOL_ACCEPTED, parseProtocol),
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: variable('destination.protocol', PROTOCOL_ACCEPTED, parseProtocol),
  OTEL_EXPORTER_OTLP_INSECURE: variable('destination.insecure', '"true" or "false"', parseBoolean),
  OTEL_EXPORTER_OTLP_TRACES_INSECURE: variable('destination.insecure', '"true" or "false"', parseBoolean),
  OTEL_EXPORTER_OTLP_TIMEOUT: integerVariable('destination.timeoutMillis'),
  OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: integerVariable('destination.timeoutMillis'),
  OTEL_EXPORTER_OTLP_COMPRESSION: variable('destination.compression', '"gzip" or "none"', parseCompression),
  OTEL_EXPORTER_OTLP_TRACES_COMPRESSION: variable('destination.compression', '"gzip" or "none"', parseCompression),
  OTEL_TRACES_SAMPLER: variable(
    'sampling',
    'always_on, always_off, traceidratio, or one of them after parentbased_',
    parseSampler,
  ),
  OTEL_TRACES_SAMPLER_ARG: variable('sampling.ratio', 'a number from 0 to 1', parseRatio),
  OTEL_BSP_SCHEDULE_DELAY: integerVariable('batch.delayMillis'),
  OTEL_BSP_MAX_QUEUE_SIZE: integerVariable('limits.maxQueueSize'),
  OTEL_BSP_MAX_EXPORT_BATCH_SIZE: integerVariable('batch.maxSize'),
  /** The smaller of this and the OTLP timeout counts. */
  OTEL_BSP_EXPORT_TIMEOUT: integerVariable('destination.timeoutMillis'),
  OTEL_ATTRIBUTE_COUNT_LIMIT: integerVariable('limits.attributeCountLimit'),
  OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT: integerVariable('limits.attributeValueLengthLimit'),
  OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT: integerVariable('limits.attributeCountLimit'),
  OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT: integerVariable('limits.attributeValueLengthLimit'),
  OTEL_SPAN_EVENT_COUNT_LIMIT: integerVariable('limits.eventCountLimit'),
  OTEL_SPAN_LINK_COUNT_LIMIT: integerVariable('limits.linkCountLimit'),
  OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT: integerVariable('limits.attributePerEventCountLimit'),
  OTEL_LINK_ATTRIBUTE_COUNT_LIMIT: integerVariable('limits.attributePerLinkCountLimit'),
  HTTPS_PROXY: proxyVariable(),
  https_proxy: proxyVariable(),
  HTTP_PROXY: proxyVariable(),
  http_proxy: proxyVariable(),
  grpc_proxy: proxyVariable(),
  NO_PROXY: variable('destination.proxy', 'names, addresses and subnets, or "*"', parseText),
  no_proxy: variable('destination.proxy', 'names, addresses and subnets, or "*"', parseText),
};

type VariableName = keyof typeof ENVIRONMENT_VARIABLES;
type Values = {
  [Name in VariableName]?: Exclude<ReturnType<(typeof ENVIRONMENT_VARIABLES)[Name]['parse']>, undefined> | undefined;
};

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
  const destination = toDestination(values);
  const sampling = toSampling(values);
  const proxies = toProxies(values);
  return {
    ...(values.OTEL_SERVICE_NAME !== undefined && { serviceName: values.OTEL_SERVICE_NAME }),
    ...(values.OTEL_RESOURCE_ATTRIBUTES !== undefined && { attributes: values.OTEL_RESOURCE_ATTRIBUTES }),
    ...(destination !== undefined && { destination }),
    ...(sampling !== undefined && { sampling }),
    ...(proxies !== undefined && { proxies }),
    integers: withoutUndefined({
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

/** Without an endpoint there is no destination: isotrace does not send to `localhost` unasked. */
function toDestination(values: Values): EnvironmentDestination | undefined {
  const own = values.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT;
  const endpoint = own ?? values.OTEL_EXPORTER_OTLP_ENDPOINT;
  if (endpoint === undefined) return undefined;
  const headers = mergeHeaders(values.OTEL_EXPORTER_OTLP_HEADERS, values.OTEL_EXPORTER_OTLP_TRACES_HEADERS);
  const compression = values.OTEL_EXPORTER_OTLP_TRACES_COMPRESSION ?? values.OTEL_EXPORTER_OTLP_COMPRESSION;
  const timeoutMillis = toTimeout(values);
  const protocol = values.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL ?? values.OTEL_EXPORTER_OTLP_PROTOCOL;
  const insecure = values.OTEL_EXPORTER_OTLP_TRACES_INSECURE ?? values.OTEL_EXPORTER_OTLP_INSECURE;
  return {
    endpoint,
    endpointKind: own === undefined ? 'base' : 'traces',
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

function toTimeout(values: Values): number | undefined {
  const exporter = values.OTEL_EXPORTER_OTLP_TRACES_TIMEOUT ?? values.OTEL_EXPORTER_OTLP_TIMEOUT;
  const processor = values.OTEL_BSP_EXPORT_TIMEOUT;
  if (processor === undefined) return exporter;
  return Math.min(processor, exporter ?? INTEGER_OPTIONS['destination.timeoutMillis'].default);
}

function toSampling(values: Values): RatioSampling | undefined {
  const sampler = values.OTEL_TRACES_SAMPLER;
  if (sampler === undefined) return undefined;
  const ratio = sampler.ratio ?? values.OTEL_TRACES_SAMPLER_ARG ?? 1;
  return { ratio, parentBased: sampler.parentBased };
}

function variable<T>(
  option: string,
  accepted: string,
  parse: EnvironmentVariable<T>['parse'],
  describe: (text: string) => string = maskSecrets,
): EnvironmentVariable<T> {
  return { option, accepted, parse, describe };
}

function proxyVariable(): EnvironmentVariable<Secret<URL>> {
  const parse = (text: string): Secret<URL> | undefined => {
    const url = parseProxy(text);
    return url && new Secret(url);
  };
  return variable('destination.proxy', PROXY_ACCEPTED, parse, describeProxy);
}

function parseText(text: string): string {
  return text;
}

function integerVariable(option: IntegerOptionPath): EnvironmentVariable<number> {
  const range = INTEGER_OPTIONS[option];
  return variable(option, describeInteger(range), (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : undefined;
    return isIntegerWithin(range, value) ? value : undefined;
  });
}

function parseBoolean(text: string): boolean | undefined {
  const lower = text.toLowerCase();
  return lower === 'true' || lower === 'false' ? lower === 'true' : undefined;
}

function parseUrl(text: string): Secret | undefined {
  return parseEndpoint(text) && new Secret(text);
}

function parseProtocol(text: string): EnvironmentDestination['protocol'] {
  return text === 'http/protobuf' || text === 'http/json' || text === 'grpc' ? text : undefined;
}

function parseCompression(text: string): 'gzip' | 'none' | undefined {
  return text === 'gzip' || text === 'none' ? text : undefined;
}

function parseRatio(text: string): number | undefined {
  const value = /^(\d+\.?\d*|\.\d+)(e-?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
  return value >= 0 && value <= 1 ? value : undefined;
}

/** `ratio` is left open for the samplers that take it from `OTEL_TRACES_SAMPLER_ARG`. */
function parseSampler(text: string): { ratio: number | undefined; parentBased: boolean } | undefined {
  const [, prefix, name] = /^(parentbased_)?(always_on|always_off|traceidratio)$/.exec(text.toLowerCase()) ?? [];
  if (name === undefined) return undefined;
  const ratio = { always_on: 1, always_off: 0, traceidratio: undefined }[name];
  return { ratio, parentBased: prefix !== undefined };
}

function withoutUndefined<T extends object>(record: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as never;
}
