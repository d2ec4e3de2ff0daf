import { describeEndpoint, ENDPOINT_ACCEPTED, parseEndpoint } from '../utils/endpoint.ts';
import type { Headers } from '../utils/headers.ts';
import { describeInteger, INTEGER_OPTIONS, type IntegerOptionPath, isIntegerWithin } from '../utils/integer-options.ts';
import { describeProxy, PROXY_ACCEPTED, parseProxy } from '../utils/proxy-url.ts';
import { describeKind, maskSecrets, Secret } from '../utils/secret.ts';
import type { TelemetrySignal } from '../utils/telemetry-signal.ts';
import { parseAttributes, parseHeaders } from './environment-lists.ts';

export type EnvironmentProtocol = 'http/protobuf' | 'http/json' | 'grpc';

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
  OTEL_EXPORTER_OTLP_HEADERS: variable('destination.headers', 'name=value,name=value', parseHeaders, describeKind),
  OTEL_EXPORTER_OTLP_PROTOCOL: variable('destination.protocol', PROTOCOL_ACCEPTED, parseProtocol),
  OTEL_EXPORTER_OTLP_INSECURE: variable('destination.insecure', '"true" or "false"', parseBoolean),
  OTEL_EXPORTER_OTLP_TIMEOUT: integerVariable('destination.timeoutMillis'),
  OTEL_EXPORTER_OTLP_COMPRESSION: variable('destination.compression', '"gzip" or "none"', parseCompression),
  ...signalVariables('TRACES'),
  ...signalVariables('METRICS'),
  ...signalVariables('LOGS'),
  OTEL_TRACES_SAMPLER: variable(
    'sampling',
    'always_on, always_off, traceidratio, or one of them after parentbased_',
    parseSampler,
  ),
  OTEL_TRACES_SAMPLER_ARG: variable('sampling.ratio', 'a number from 0 to 1', parseRatio),
  OTEL_METRIC_EXPORT_INTERVAL: integerVariable('metrics.intervalMillis'),
  OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: variable(
    'metrics.temporality',
    '"cumulative" or "delta"',
    parseTemporality,
  ),
  OTEL_METRICS_EXEMPLAR_FILTER: variable('metrics.exemplars', '"trace_based" or "always_off"', parseExemplarFilter),
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

type SignalVariables<Name extends Uppercase<TelemetrySignal>> = {
  [Key in `OTEL_EXPORTER_OTLP_${Name}_ENDPOINT`]: EnvironmentVariable<Secret>;
} & { [Key in `OTEL_EXPORTER_OTLP_${Name}_HEADERS`]: EnvironmentVariable<Secret<Headers>> } & {
  [Key in `OTEL_EXPORTER_OTLP_${Name}_PROTOCOL`]: EnvironmentVariable<EnvironmentProtocol>;
} & { [Key in `OTEL_EXPORTER_OTLP_${Name}_INSECURE`]: EnvironmentVariable<boolean> } & {
  [Key in `OTEL_EXPORTER_OTLP_${Name}_TIMEOUT`]: EnvironmentVariable<number>;
} & { [Key in `OTEL_EXPORTER_OTLP_${Name}_COMPRESSION`]: EnvironmentVariable<'gzip' | 'none'> };

export type VariableName = keyof typeof ENVIRONMENT_VARIABLES;
/** What the variables that are set say. */
export type VariableValues = {
  [Name in VariableName]?: Exclude<ReturnType<(typeof ENVIRONMENT_VARIABLES)[Name]['parse']>, undefined> | undefined;
};

function variable<T>(
  option: string,
  accepted: string,
  parse: EnvironmentVariable<T>['parse'],
  describe: (text: string) => string = maskSecrets,
): EnvironmentVariable<T> {
  return { option, accepted, parse, describe };
}

/** What is said about the destination of one signal alone. */
function signalVariables<Name extends Uppercase<TelemetrySignal>>(name: Name) {
  const prefix = `OTEL_EXPORTER_OTLP_${name}` as const;
  return {
    [`${prefix}_ENDPOINT`]: variable('destination.endpoint', ENDPOINT_ACCEPTED, parseUrl, describeEndpoint),
    [`${prefix}_HEADERS`]: variable('destination.headers', 'name=value,name=value', parseHeaders, describeKind),
    [`${prefix}_PROTOCOL`]: variable('destination.protocol', PROTOCOL_ACCEPTED, parseProtocol),
    [`${prefix}_INSECURE`]: variable('destination.insecure', '"true" or "false"', parseBoolean),
    [`${prefix}_TIMEOUT`]: integerVariable('destination.timeoutMillis'),
    [`${prefix}_COMPRESSION`]: variable('destination.compression', '"gzip" or "none"', parseCompression),
  } as SignalVariables<Name>;
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

function parseTemporality(text: string): 'cumulative' | 'delta' | undefined {
  const lower = text.toLowerCase();
  return lower === 'cumulative' || lower === 'delta' ? lower : undefined;
}

function parseExemplarFilter(text: string): boolean | undefined {
  if (text === 'trace_based') return true;
  return text === 'always_off' ? false : undefined;
}

function parseUrl(text: string): Secret | undefined {
  return parseEndpoint(text) && new Secret(text);
}

function parseProtocol(text: string): EnvironmentProtocol | undefined {
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
