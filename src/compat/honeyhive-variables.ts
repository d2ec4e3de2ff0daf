import { readVariable } from '../core/builder-variables.ts';
import type { HeaderRecord } from '../core/destination-options.ts';
import type { EnvironmentVariable } from '../infra/environment-variables.ts';
import { describeEndpoint, ENDPOINT_ACCEPTED, parseEndpoint } from '../utils/endpoint.ts';
import { describeInteger, INTEGER_OPTIONS, type IntegerOptionPath, isIntegerWithin } from '../utils/integer-options.ts';
import type { IssueLog } from '../utils/option-reader.ts';
import { describeKind, maskSecrets } from '../utils/secret.ts';

/** One variable of HoneyHive's SDKs. */
type HoneyHiveVariable<T> = Omit<EnvironmentVariable<T>, 'option'>;

export const KEY_ACCEPTED = 'a key of visible ASCII characters';

const MAX_TEXT_LENGTH = 8_192;
const KEY = /^[\x21-\x7e]{1,4096}$/;
const TRUE = /^(?:true|1|yes|on|enabled)$/i;
const FALSE = /^(?:false|0|no|off|disabled)$/i;

/**
 * What `HoneyHiveTracer` reads of the environment: the variables of HoneyHive's two SDKs by which tracing differs. One
 * table for parsing and for the documentation.
 */
export const HONEYHIVE_VARIABLES = {
  HH_API_KEY: variable(KEY_ACCEPTED, parseKey, describeKind),
  HH_PROJECT: text(),
  HH_SOURCE: text(),
  HH_SESSION_NAME: text(),
  HH_API_URL: variable(ENDPOINT_ACCEPTED, parseUrl, describeEndpoint),
  HH_TEST_MODE: flag(),
  HH_DISABLE_TRACING: flag(),
  HH_DISABLE_BATCH: flag(),
  HH_DISABLE_HTTP_TRACING: flag(),
  HH_MAX_ATTRIBUTES: count('limits.attributeCountLimit'),
  HH_MAX_EVENTS: count('limits.eventCountLimit'),
  HH_MAX_LINKS: count('limits.linkCountLimit'),
  HH_BATCH_SIZE: count('batch.maxSize'),
  HH_MAX_EXPORT_BATCH_SIZE: count('batch.maxSize'),
  HH_FLUSH_INTERVAL: seconds('batch.delayMillis'),
  HH_EXPORT_TIMEOUT: seconds('destination.timeoutMillis'),
  HH_OTLP_ENABLED: flag(),
  HH_OTLP_ENDPOINT: variable(ENDPOINT_ACCEPTED, parseUrl, describeEndpoint),
  HH_OTLP_HEADERS: variable('an object of texts, in JSON', parseHeaders, describeKind),
  HH_OTLP_PROTOCOL: protocol(),
  /** Set for the exporters of the host as well, one of which may speak gRPC; HoneyHive does not. */
  OTEL_EXPORTER_OTLP_PROTOCOL: protocol({ grpc: 'http/protobuf' }),
  HH_SERVICE_NAME: text(),
  HH_SERVICE_VERSION: text(),
  HH_EXPERIMENT_ID: text(),
  HH_EXPERIMENT_NAME: text(),
  HH_EXPERIMENT_VARIANT: text(),
  HH_EXPERIMENT_GROUP: text(),
  HH_EXPERIMENT_METADATA: variable('an object, in JSON', parseRecord),
};

export type HoneyHiveVariableName = keyof typeof HONEYHIVE_VARIABLES;
export type HoneyHiveValues = {
  readonly [Name in HoneyHiveVariableName]?: Exclude<
    ReturnType<(typeof HONEYHIVE_VARIABLES)[Name]['parse']>,
    undefined
  >;
};

/** An empty variable counts as unset; one that is not acceptable is an issue and counts as unset too. Never throws. */
export function readHoneyHiveVariables(
  env: Readonly<Record<string, string | undefined>>,
  issues: IssueLog,
): HoneyHiveValues {
  const values: Record<string, unknown> = {};
  for (const [name, rule] of Object.entries<HoneyHiveVariable<unknown>>(HONEYHIVE_VARIABLES)) {
    const { value, issues: found } = readVariable(env, name, rule, MAX_TEXT_LENGTH);
    issues.addAll(found);
    if (value !== undefined) values[name] = value;
  }
  return values;
}

/** What can be sent as a key. One with a line break in it would be refused with a message that shows it. */
export function parseKey(value: string): string | undefined {
  return KEY.test(value) ? value : undefined;
}

/** Without a slash at its end. */
export function parseUrl(value: string): string | undefined {
  return parseEndpoint(value) && value.replace(/\/+$/, '');
}

function variable<T>(
  accepted: string,
  parse: (text: string) => T | undefined,
  describe: (text: string) => string = maskSecrets,
): HoneyHiveVariable<T> {
  return { accepted, parse, describe };
}

function text(): HoneyHiveVariable<string> {
  return variable(`a text of up to ${MAX_TEXT_LENGTH} characters`, (value) => value);
}

function flag(): HoneyHiveVariable<boolean> {
  return variable('true or false, 1 or 0, yes or no, on or off, enabled or disabled', (value) =>
    TRUE.test(value) ? true : FALSE.test(value) ? false : undefined,
  );
}

function count(option: IntegerOptionPath): HoneyHiveVariable<number> {
  const range = INTEGER_OPTIONS[option];
  return variable(describeInteger(range), (value) => {
    const number = /^\d{1,9}$/.test(value) ? Number(value) : undefined;
    return isIntegerWithin(range, number) ? number : undefined;
  });
}

/** In milliseconds. */
function seconds(option: IntegerOptionPath): HoneyHiveVariable<number> {
  const range = INTEGER_OPTIONS[option];
  return variable(`seconds: ${range.min / 1_000} to ${range.max / 1_000}`, (value) => {
    const millis = /^\d{1,6}(?:\.\d{1,9})?$/.test(value) ? Math.round(Number(value) * 1_000) : undefined;
    return isIntegerWithin(range, millis) ? millis : undefined;
  });
}

type Protocol = 'http/json' | 'http/protobuf';

function protocol(others: Readonly<Record<string, Protocol>> = {}): HoneyHiveVariable<Protocol> {
  const protocols = new Map<string, Protocol>([
    ['http/json', 'http/json'],
    ['http/protobuf', 'http/protobuf'],
    ...Object.entries(others),
  ]);
  return variable([...protocols.keys()].join(', '), (value) => protocols.get(value));
}

function parseRecord(value: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const parsed: unknown = JSON.parse(value);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
      ? (parsed as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function parseHeaders(value: string): HeaderRecord | undefined {
  const record = parseRecord(value);
  if (record === undefined || !Object.values(record).every((item) => typeof item === 'string')) return undefined;
  return record as HeaderRecord;
}
