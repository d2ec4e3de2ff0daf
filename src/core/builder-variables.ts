import type { EnvironmentVariable } from '../infra/environment-variables.ts';
import { describeEndpoint, ENDPOINT_ACCEPTED } from '../utils/endpoint.ts';
import type { ConfigIssue } from '../utils/errors.ts';
import { describeKind, maskSecrets } from '../utils/secret.ts';

/** What a number without a unit means, in milliseconds; both may be written with one: `250ms`, `10s`, `1m`. */
type PlainUnit = 1 | 1_000;

const MAX_TEXT_LENGTH = 4_096;
const MAX_MILLIS = 24 * 3_600_000;
const UNIT_MILLIS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const TRUE: ReadonlySet<string> = new Set(['true', '1', 'yes', 'on']);
const FALSE: ReadonlySet<string> = new Set(['false', '0', 'no', 'off']);

/**
 * The variables that {@link TracerBuilder.fromEnv} reads, by what follows the prefix (`ISOTRACE_` unless another is
 * given). One table for the builder, `isotrace doctor`, `isotrace config` and the documentation.
 */
export const BUILDER_VARIABLES = {
  API_KEY_ID: variable('withApiKey', 'a key id', parseText, describeKind),
  API_KEY_SECRET: variable('withApiKey', 'a secret', parseText, describeKind),
  /** With a scheme, or as `host:port`. */
  ENDPOINT: variable('withEndpoint', ENDPOINT_ACCEPTED, parseText, describeEndpoint),
  PROTOCOL: variable('withProtocol', 'grpc, http, http/protobuf or http/json', parseProtocol),
  INSECURE: flag('withInsecure'),
  COMPRESSION: variable('withCompression', 'gzip, none, true or false', parseCompression),
  TIMEOUT: duration('withTimeout', 1_000),
  TENANT: variable('withTenant', 'a tenant id', parseText),
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
  MAX_RETRIES: count('withRetry', 1_000),
  RETRY_BACKOFF: duration('withRetry', 1),
  BATCH_TIMEOUT: duration('withBatchSettings', 1),
  BATCH_MAX_SIZE: count('withBatchSettings', 65_536),
  /** `0`: no limit. */
  RATE_LIMIT: count('withRateLimit', 1_000_000),
};

export type BuilderVariable = keyof typeof BUILDER_VARIABLES;
export type BuilderValues = {
  [Name in BuilderVariable]?: Exclude<ReturnType<(typeof BUILDER_VARIABLES)[Name]['parse']>, undefined> | undefined;
};

/** The issue of a variable that has to be set and is not. */
export function unsetIssue(variable: string, name: BuilderVariable): ConfigIssue {
  return { option: variable, accepted: BUILDER_VARIABLES[name].accepted, received: 'undefined' };
}

/**
 * The values of the variables with this prefix. An empty one counts as unset, and so does one that is not acceptable.
 * Each variable's issues are reported under its full name, also when there is none any more. Never throws.
 */
export function readBuilderVariables(
  env: Readonly<Record<string, string | undefined>>,
  prefix: string,
  names: readonly BuilderVariable[] = Object.keys(BUILDER_VARIABLES) as BuilderVariable[],
  report: (variable: string, issues: readonly ConfigIssue[]) => void = () => undefined,
): BuilderValues {
  const values: Record<string, unknown> = {};
  for (const name of names) {
    const option = `${prefix}${name}`;
    const { accepted, parse, describe }: EnvironmentVariable<unknown> = BUILDER_VARIABLES[name];
    const text = env[option]?.trim() ?? '';
    const value = text.length > MAX_TEXT_LENGTH ? undefined : parse(text, () => undefined);
    const refused = text !== '' && value === undefined;
    report(option, refused ? [{ option, accepted, received: describe(text) }] : []);
    if (text !== '') values[name] = value;
  }
  return values as BuilderValues;
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

function count(option: string, max: number): EnvironmentVariable<number> {
  return variable(option, `a whole number up to ${max}`, (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY;
    return value <= max ? value : undefined;
  });
}

function duration(option: string, plain: PlainUnit): EnvironmentVariable<number> {
  const unit = plain === 1 ? 'milliseconds' : 'seconds';
  return variable(option, `a whole number of ${unit}, or with a unit: 250ms, 10s, 1m`, (text) => {
    const [, digits, suffix] = /^(\d{1,9})\s*(ms|s|m|h)?$/.exec(text.toLowerCase()) ?? [];
    if (digits === undefined) return undefined;
    const millis = Number(digits) * (suffix === undefined ? plain : (UNIT_MILLIS[suffix] as number));
    return millis <= MAX_MILLIS ? millis : undefined;
  });
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

function parseText(text: string): string {
  return text;
}

function parseName(text: string): string | undefined {
  return text.length <= 255 ? text : undefined;
}
