import { randomUUID } from 'node:crypto';
import path from 'node:path';
import type { CreateTracerOptions } from '../core/registry-options.ts';
import { processVariables } from '../infra/environment.ts';
import { describeEndpoint, ENDPOINT_ACCEPTED, isLoopback } from '../utils/endpoint.ts';
import type { ConfigIssue } from '../utils/errors.ts';
import { oneOf } from '../utils/option-checks.ts';
import { type Check, IssueLog, isOptionsObject, OptionReader, REFUSED } from '../utils/option-reader.ts';
import { describeKind } from '../utils/secret.ts';
import { readFields } from './honeyhive-params.ts';
import {
  type HoneyHiveValues,
  type HoneyHiveVariableName,
  KEY_ACCEPTED,
  parseKey,
  parseUrl,
  readHoneyHiveVariables,
} from './honeyhive-variables.ts';

/** The options of HoneyHive's tracer; each comes over its variable. */
export interface HoneyHiveTracerProperties {
  /** Without one nothing is recorded. Variable: `HH_API_KEY`. */
  readonly apiKey?: string | undefined;
  /** HoneyHive goes by the key; the name is on spans and sessions, and names the service. Variable: `HH_PROJECT`. */
  readonly project?: string | undefined;
  /** Of a session that exists: a UUID. Default: a new one. */
  readonly sessionId?: string | undefined;
  /** Default: the name of the program's main file. Variable: `HH_SESSION_NAME`. */
  readonly sessionName?: string | undefined;
  /** Default: `dev`. Variable: `HH_SOURCE`. */
  readonly source?: string | undefined;
  /** Of one that is not acceptable nothing is sent. Default: `https://api.honeyhive.ai`. Variable: `HH_API_URL`. */
  readonly serverUrl?: string | undefined;
  /** Whether the key may be sent over `http:` to a host that is not loopback, where others may read it. Default: `false`. */
  readonly insecure?: boolean | undefined;
  /** Of the session. */
  readonly inputs?: Readonly<Record<string, unknown>> | undefined;
  /** Of the session. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  /** Each span is sent when it ends. Default: `false`. Variable: `HH_DISABLE_BATCH`. */
  readonly disableBatch?: boolean | undefined;
  /** Nothing is recorded. Default: `false`. Variable: `HH_DISABLE_TRACING`. */
  readonly disableTracing?: boolean | undefined;
  /** Told to the receiver with each span. Default: `false`. Variable: `HH_DISABLE_HTTP_TRACING`. */
  readonly disableHttpTracing?: boolean | undefined;
  /** Spans are recorded and nothing goes over the network. Default: `false`. Variable: `HH_TEST_MODE`. */
  readonly testMode?: boolean | undefined;
  /** Default: whether `runId`, `datasetId` and `datapointId` are given. */
  readonly isEvaluation?: boolean | undefined;
  /** Of an evaluation: its run. */
  readonly runId?: string | undefined;
  /** Of an evaluation: its data set. */
  readonly datasetId?: string | undefined;
  /** Of an evaluation: the point of its data set. */
  readonly datapointId?: string | undefined;
  /** Whatever else a tracer takes, such as `redact` or `limits`; a `destination` comes beside HoneyHive's. */
  readonly options?: CreateTracerOptions | undefined;
}

/** {@link HoneyHiveTracerProperties} with variables and defaults. */
export interface HoneyHiveSettings {
  readonly apiKey: string | undefined;
  readonly project: string | undefined;
  readonly sessionId: string;
  /** Whether the session was made up here, and the receiver is to create it. */
  readonly isNewSession: boolean;
  readonly sessionName: string;
  readonly source: string;
  /** Without a slash at its end; `undefined` when nothing may be sent to the one that was given. */
  readonly serverUrl: string | undefined;
  readonly insecure: boolean;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly disableBatch: boolean;
  readonly disableTracing: boolean;
  readonly disableHttpTracing: boolean;
  readonly testMode: boolean;
  readonly isEvaluation: boolean;
  readonly runId: string | undefined;
  readonly datasetId: string | undefined;
  readonly datapointId: string | undefined;
  /** What could be read of them. */
  readonly options: CreateTracerOptions;
  readonly variables: HoneyHiveValues;
}

type VariableOf<T> = {
  [Name in HoneyHiveVariableName]: HoneyHiveValues[Name] extends T | undefined ? Name : never;
}[HoneyHiveVariableName];
type TextVariable = VariableOf<string>;
type FlagVariable = VariableOf<boolean>;

const KNOWN: ReadonlySet<string> = new Set(
  Object.keys({
    apiKey: true,
    project: true,
    sessionId: true,
    sessionName: true,
    source: true,
    serverUrl: true,
    insecure: true,
    inputs: true,
    metadata: true,
    disableBatch: true,
    disableTracing: true,
    disableHttpTracing: true,
    testMode: true,
    isEvaluation: true,
    runId: true,
    datasetId: true,
    datapointId: true,
    options: true,
  } satisfies Record<keyof HoneyHiveTracerProperties, true>),
);

const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/;
const SERVER_URL = 'https://api.honeyhive.ai';
const INSECURE_ACCEPTED = 'an https URL, a loopback address, or insecure: true';

const FLAG = oneOf(true, false);
const TEXT: Check<string> = {
  accepted: 'a string',
  parse: (value) => (typeof value === 'string' ? value.trim() : undefined),
  describe: describeKind,
};
const RECORD: Check<Readonly<Record<string, unknown>>> = {
  accepted: 'an object',
  parse: (value) => (isOptionsObject(value) ? (value as Record<string, unknown>) : undefined),
  describe: describeKind,
};

/**
 * Never throws: what is not acceptable is an issue, and counts as not given. Only a key and an address that are not
 * acceptable do not give way to variables: nothing may go under another key, or elsewhere, than was meant.
 */
export function resolveHoneyHive(
  given: HoneyHiveTracerProperties | undefined,
  env: Readonly<Record<string, string | undefined>> = processVariables(),
): { readonly settings: HoneyHiveSettings; readonly issues: readonly ConfigIssue[] } {
  const issues = new IssueLog();
  const reader = OptionReader.open(given ?? {}, '', KNOWN, issues);
  const variables = readHoneyHiveVariables(env, issues);
  const read = <T>(key: keyof HoneyHiveTracerProperties, check: Check<T>): T | typeof REFUSED | undefined => {
    if (reader === undefined) return REFUSED;
    const value = reader.getOrRefused(key);
    if (value === REFUSED) return REFUSED;
    return value === undefined || value === null ? undefined : reader.readOrRefused(key, check);
  };
  const accept = <T>(value: T | typeof REFUSED | undefined): T | undefined => (value === REFUSED ? undefined : value);
  const text = (key: keyof HoneyHiveTracerProperties, name?: TextVariable): string | undefined =>
    accept(read(key, TEXT)) || (name && variables[name]);
  const vital = (key: 'apiKey' | 'serverUrl', name: TextVariable): string | typeof REFUSED | undefined =>
    read(key, TEXT) || variables[name];
  const flag = (key: keyof HoneyHiveTracerProperties, name?: FlagVariable): boolean =>
    accept(read(key, FLAG)) ?? (name && variables[name]) ?? false;

  const testMode = flag('testMode', 'HH_TEST_MODE');
  const insecure = flag('insecure');
  const [runId, datasetId, datapointId] = [text('runId'), text('datasetId'), text('datapointId')];
  const sessionId = readSessionId(text('sessionId'), issues);
  const settings: HoneyHiveSettings = {
    apiKey: readApiKey(vital('apiKey', 'HH_API_KEY'), testMode, issues),
    project: text('project', 'HH_PROJECT'),
    sessionId: sessionId ?? randomUUID(),
    isNewSession: sessionId === undefined,
    sessionName: text('sessionName', 'HH_SESSION_NAME') ?? mainFile(),
    source: text('source', 'HH_SOURCE') ?? 'dev',
    serverUrl: readServerUrl(vital('serverUrl', 'HH_API_URL') ?? SERVER_URL, insecure, issues),
    insecure,
    inputs: accept(read('inputs', RECORD)) ?? {},
    metadata: accept(read('metadata', RECORD)) ?? {},
    disableBatch: flag('disableBatch', 'HH_DISABLE_BATCH'),
    disableTracing: flag('disableTracing', 'HH_DISABLE_TRACING'),
    disableHttpTracing: flag('disableHttpTracing', 'HH_DISABLE_HTTP_TRACING'),
    testMode,
    isEvaluation:
      accept(read('isEvaluation', FLAG)) ??
      (runId !== undefined && datasetId !== undefined && datapointId !== undefined),
    runId,
    datasetId,
    datapointId,
    options: readFields<CreateTracerOptions>(accept(read('options', RECORD)), (error) => {
      issues.add('options', 'readable properties', describeKind(error));
    }),
    variables,
  };
  return { settings, issues: issues.list() };
}

function readApiKey(
  value: string | typeof REFUSED | undefined,
  testMode: boolean,
  issues: IssueLog,
): string | undefined {
  if (value === REFUSED) return undefined;
  const key = value && parseKey(value);
  if (value && key === undefined) issues.add('apiKey', KEY_ACCEPTED, describeKind(value));
  if (!value && !testMode) issues.add('apiKey', 'a key, or the variable HH_API_KEY', 'undefined');
  return key || undefined;
}

function readSessionId(value: string | undefined, issues: IssueLog): string | undefined {
  const id = value?.toLowerCase();
  if (id === undefined || UUID.test(id)) return id;
  issues.add('sessionId', 'a UUID', describeKind(value));
  return undefined;
}

/** Another server than the one that was meant must not get anything. */
function readServerUrl(value: string | typeof REFUSED, insecure: boolean, issues: IssueLog): string | undefined {
  if (value === REFUSED) return undefined;
  const url = parseUrl(value);
  if (url === undefined) {
    issues.add('serverUrl', ENDPOINT_ACCEPTED, describeEndpoint(value));
    return undefined;
  }
  const { protocol } = new URL(url);
  if (protocol === 'https:' || insecure || isLoopback(new URL(url))) return url;
  issues.add('serverUrl', INSECURE_ACCEPTED, describeEndpoint(value));
  return undefined;
}

function mainFile(): string {
  const file = process.argv[1];
  return file === undefined ? 'unknown session' : path.basename(file);
}
