import type { EnvironmentVariable } from '../infra/environment-variables.ts';
import { describeEndpoint, ENDPOINT_ACCEPTED, isUrlPath, parseEndpoint } from '../utils/endpoint.ts';
import type { ConfigIssue } from '../utils/errors.ts';
import { INTEGER_OPTIONS } from '../utils/integer-options.ts';
import { describeKind, maskSecrets } from '../utils/secret.ts';
import { isTenantId } from '../utils/tenant-id.ts';
import { isKeyPart, MAX_ID_LENGTH, MAX_SECRET_LENGTH } from './credentials.ts';

/** What a number without a unit means, in milliseconds; both may be written with one: `250ms`, `10s`, `1m`. */
type PlainUnit = 1 | 1_000;

interface Bounds {
  readonly min: number;
  readonly max: number;
}

const MAX_TEXT_LENGTH = 4_096;
const UNIT_MILLIS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const TRUE: ReadonlySet<string> = new Set(['true', '1', 'yes', 'on']);
const FALSE: ReadonlySet<string> = new Set(['false', '0', 'no', 'off']);
/** Later delays are twice as long. */
const BACKOFF: Bounds = { min: 1, max: INTEGER_OPTIONS['retry.maxMillis'].max / 2 };

/**
 * The variables that {@link TracerBuilder.fromEnv} reads, by what follows the prefix (`ISOTRACE_` unless another is
 * given). One table for the builder, `isotrace doctor`, `isotrace config` and the documentation.
 */
export const BUILDER_VARIABLES = {
  API_KEY_ID: keyPart(MAX_ID_LENGTH),
  API_KEY_SECRET: keyPart(MAX_SECRET_LENGTH),
  /** With a scheme, or as `host:port`. */
  ENDPOINT: variable('withEndpoint', `${ENDPOINT_ACCEPTED}, or host:port`, parseAddress, describeEndpoint),
  TRACES_ENDPOINT: urlPath('withTracesEndpoint'),
  METRICS_ENDPOINT: urlPath('withMetricsEndpoint'),
  LOGS_ENDPOINT: urlPath('withLogsEndpoint'),
  PROTOCOL: variable('withProtocol', 'grpc, http, http/protobuf or http/json', parseProtocol),
  INSECURE: flag('withInsecure'),
  COMPRESSION: variable('withCompression', 'gzip, none, true or false', parseCompression),
  TIMEOUT: duration('withTimeout', 1_000, INTEGER_OPTIONS['destination.timeoutMillis']),
  TENANT: variable('withTenant', 'a tenant id: up to 128 printable characters', (text) =>
    isTenantId(text) ? text : undefined,
  ),
  SERVICE_NAME: variable('withService', 'a string of 1 to 255 characters', parseName),
  SERVICE_VERSION: variable('withService', 'a string of 1 to 255 characters', parseName),
  SERVICE_NAMESPACE: variable('withServiceNamespace', 'a string of 1 to 255 characters', parseName),
  ENVIRONMENT: variable('withEnvironment', 'a string of 1 to 255 characters', parseName),
  COLLECTOR_ID: variable('withCollectorId', 'a string of 1 to 255 characters', parseName),
  COLLECTOR_NAME: variable('withCollectorName', 'a string of 1 to 255 characters', parseName),
  COLLECTOR_HOSTNAME: variable('withCollectorHostname', 'a string of 1 to 255 characters', parseName),
  DATACENTER: variable('withDatacenter', 'a string of 1 to 255 characters', parseName),
  ENRICH_RESOURCES: flag('withEnrichResources'),
  ENABLE_TRACES: flag('withSignals'),
  ENABLE_METRICS: flag('withSignals'),
  ENABLE_LOGS: flag('withSignals'),
  ENABLE_EXEMPLARS: flag('withExemplars'),
  RETRY_ENABLED: flag('withRetry'),
  MAX_RETRIES: count('withRetry', { min: 0, max: 1_000 }),
  RETRY_BACKOFF: duration('withRetry', 1, BACKOFF),
  BATCH_TIMEOUT: duration('withBatchSettings', 1, INTEGER_OPTIONS['batch.delayMillis']),
  BATCH_MAX_SIZE: count('withBatchSettings', INTEGER_OPTIONS['batch.maxSize']),
  /** `0`: no limit. */
  RATE_LIMIT: count('withRateLimit', { min: 0, max: 1_000_000 }),
};

export type BuilderVariable = keyof typeof BUILDER_VARIABLES;
export type BuilderValues = {
  [Name in BuilderVariable]?: Exclude<ReturnType<(typeof BUILDER_VARIABLES)[Name]['parse']>, undefined> | undefined;
};
/** Variables by name, such as `process.env`. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** The issue of a variable that has to be set and is not. */
export function unsetIssue(variable: string, name: BuilderVariable): ConfigIssue {
  return { option: variable, accepted: BUILDER_VARIABLES[name].accepted, received: 'undefined' };
}

/** The text of a variable, trimmed; empty when it is not set. What cannot be read or is no text is reported. Never throws. */
export function variableText(env: Variables, name: string, report: (received: string) => void): string {
  let value: unknown;
  try {
    value = env?.[name];
  } catch {
    report('a value that throws when it is read');
    return '';
  }
  if (typeof value === 'string') return value.trim();
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (value !== undefined && value !== null) report(describeKind(value));
  return '';
}

/**
 * The values of the variables with this prefix. An empty one counts as unset, and so does one that is not acceptable.
 * Each variable's issues are reported under its full name, also when there is none any more. Never throws.
 */
export function readBuilderVariables(
  env: Variables,
  prefix: string,
  names: readonly BuilderVariable[] = Object.keys(BUILDER_VARIABLES) as BuilderVariable[],
  report: (variable: string, issues: readonly ConfigIssue[]) => void = () => undefined,
): BuilderValues {
  const values: Record<string, unknown> = {};
  for (const name of names) {
    const rule: EnvironmentVariable<unknown> = BUILDER_VARIABLES[name];
    const option = `${prefix}${name}`;
    const { value, issues } = readVariable(env, option, rule);
    report(option, issues);
    if (value !== undefined) values[name] = value;
  }
  return values as BuilderValues;
}

/** The value of one variable, and what is wrong with it. Never throws. */
export function readVariable<T>(
  env: Variables,
  option: string,
  { accepted, describe, parse }: Omit<EnvironmentVariable<T>, 'option'>,
  maxLength = MAX_TEXT_LENGTH,
): { readonly value: T | undefined; readonly issues: readonly ConfigIssue[] } {
  const issues: ConfigIssue[] = [];
  const refuse = (received: string): void => void issues.push({ option, accepted, received });
  const text = variableText(env, option, refuse);
  if (text === '') return { value: undefined, issues };
  const value = text.length > maxLength ? undefined : parse(text, () => undefined);
  if (value === undefined) refuse(describe(text));
  return { value, issues };
}

function variable<T>(
  option: string,
  accepted: string,
  parse: (text: string) => T | undefined,
  describe: (text: string) => string = maskSecrets,
): EnvironmentVariable<T> {
  return { option, accepted, parse, describe };
}

function flag(option: string): EnvironmentVariable<boolean> {
  return variable(option, 'true or false, 1 or 0, yes or no, on or off', parseFlag);
}

function count(option: string, { min, max }: Bounds): EnvironmentVariable<number> {
  return variable(option, `a whole number from ${min} to ${max}`, (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    return value >= min && value <= max ? value : undefined;
  });
}

function duration(option: string, plain: PlainUnit, { min, max }: Bounds): EnvironmentVariable<number> {
  const unit = plain === 1 ? 'milliseconds' : 'seconds';
  const accepted = `a whole number of ${unit}, or with a unit: 250ms, 10s, 1m; ${min} to ${max} milliseconds`;
  return variable(option, accepted, (text) => {
    const [, digits, suffix] = /^(\d{1,9})\s*(ms|s|m|h)?$/.exec(text.toLowerCase()) ?? [];
    if (digits === undefined) return undefined;
    const millis = Number(digits) * (suffix === undefined ? plain : (UNIT_MILLIS[suffix] as number));
    return millis >= min && millis <= max ? millis : undefined;
  });
}

function urlPath(option: string): EnvironmentVariable<string> {
  const accepted = 'a path that begins with "/", without spaces and "#"';
  return variable(option, accepted, (text) => (isUrlPath(text) ? text : undefined), describeKind);
}

function parseFlag(text: string): boolean | undefined {
  const lower = text.toLowerCase();
  if (TRUE.has(lower)) return true;
  return FALSE.has(lower) ? false : undefined;
}

function parseCompression(text: string): 'gzip' | 'none' | undefined {
  const lower = text.toLowerCase();
  if (lower === 'gzip' || lower === 'none') return lower;
  const on = parseFlag(text);
  return on === undefined ? undefined : on ? 'gzip' : 'none';
}

function parseProtocol(text: string): 'grpc' | 'http/protobuf' | 'http/json' | undefined {
  const lower = text.toLowerCase();
  if (lower === 'http') return 'http/protobuf';
  return lower === 'grpc' || lower === 'http/protobuf' || lower === 'http/json' ? lower : undefined;
}

function keyPart(maxLength: number): EnvironmentVariable<string> {
  const parse = (text: string): string | undefined => (isKeyPart(text, maxLength) ? text : undefined);
  return variable('withApiKey', `up to ${maxLength} visible ASCII characters`, parse, describeKind);
}

function parseAddress(text: string): string | undefined {
  return parseEndpoint(text.includes('://') ? text : `https://${text}`) === undefined ? undefined : text;
}

function parseName(text: string): string | undefined {
  return text.length <= 255 ? text : undefined;
}
