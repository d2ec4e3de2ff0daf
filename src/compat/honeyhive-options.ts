import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { BUILDER_VARIABLES } from '../core/builder-variables.ts';
import type { TracerOptions } from '../core/options.ts';
import type { CreateTracerOptions } from '../core/registry-options.ts';
import { processVariables } from '../infra/environment.ts';
import type { ConfigIssue } from '../utils/errors.ts';
import { describeKind, maskSecrets } from '../utils/secret.ts';
import { VERSION } from '../utils/version.ts';

/** The options of HoneyHive's tracer; each comes over its variable. */
export interface HoneyHiveTracerProperties {
  /** Without one nothing is recorded. Variable: `HH_API_KEY`. */
  readonly apiKey?: string | undefined;
  /** Variable: `HH_PROJECT`. */
  readonly project?: string | undefined;
  /** Of a session that exists: a UUID. Default: a new one. */
  readonly sessionId?: string | undefined;
  /** Default: the name of the program's main file. Variable: `HH_SESSION_NAME`. */
  readonly sessionName?: string | undefined;
  /** Default: `dev`. Variable: `HH_SOURCE`. */
  readonly source?: string | undefined;
  /** Default: `https://api.honeyhive.ai`. Variable: `HH_API_URL`. */
  readonly serverUrl?: string | undefined;
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
  readonly serverUrl: string;
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
  readonly batch: TracerOptions['batch'];
  readonly limits: TracerOptions['limits'];
  readonly protocol: 'http/protobuf' | 'http/json';
}

type Variables = Readonly<Record<string, string | undefined>>;

const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/;
const SERVER_URL = 'https://api.honeyhive.ai';

/** Never throws: what is not acceptable is an issue, and counts as not given. */
export function resolveHoneyHive(
  given: HoneyHiveTracerProperties,
  env: Variables = processVariables(),
): { readonly settings: HoneyHiveSettings; readonly issues: readonly ConfigIssue[] } {
  const issues: ConfigIssue[] = [];
  const text = (option: keyof HoneyHiveTracerProperties, variable?: string): string | undefined => {
    const value: unknown = given[option] ?? (variable === undefined ? undefined : env[variable]);
    if (typeof value === 'string') return value.trim() === '' ? undefined : value.trim();
    if (value !== undefined) issues.push({ option, accepted: 'a string', received: describeKind(value) });
    return undefined;
  };
  const parsed = <T>(variable: string, parse: (text: string) => T | undefined, accepted: string): T | undefined => {
    const raw = env[variable]?.trim() ?? '';
    const value = raw === '' ? undefined : parse(raw);
    if (raw !== '' && value === undefined) issues.push({ option: variable, accepted, received: maskSecrets(raw) });
    return value;
  };
  const flag = (value: boolean | undefined, variable: string): boolean => {
    const { accepted, parse } = BUILDER_VARIABLES.INSECURE;
    return typeof value === 'boolean'
      ? value
      : (parsed(variable, (raw) => parse(raw, () => undefined), accepted) ?? false);
  };
  const count = (variable: string): number | undefined =>
    parsed(variable, (raw) => (/^\d{1,7}$/.test(raw) ? Number(raw) : undefined), 'a whole number');
  const seconds = (variable: string): number | undefined =>
    parsed(variable, (raw) => (/^\d{1,4}(\.\d{1,3})?$/.test(raw) ? Number(raw) : undefined), 'seconds');

  const sessionId = text('sessionId')?.toLowerCase();
  const isKnown = sessionId !== undefined && UUID.test(sessionId);
  if (sessionId !== undefined && !isKnown) {
    issues.push({ option: 'sessionId', accepted: 'a UUID', received: describeKind(sessionId) });
  }
  const apiKey = text('apiKey', 'HH_API_KEY');
  const testMode = flag(given.testMode, 'HH_TEST_MODE');
  if (apiKey === undefined && !testMode) {
    issues.push({ option: 'apiKey', accepted: 'a key, or the variable HH_API_KEY', received: 'undefined' });
  }
  const [runId, datasetId, datapointId] = [text('runId'), text('datasetId'), text('datapointId')];
  const interval = seconds('HH_FLUSH_INTERVAL');
  const settings: HoneyHiveSettings = {
    apiKey,
    project: text('project', 'HH_PROJECT'),
    sessionId: isKnown ? sessionId : randomUUID(),
    isNewSession: !isKnown,
    sessionName: text('sessionName', 'HH_SESSION_NAME') ?? mainFile(),
    source: text('source', 'HH_SOURCE') ?? 'dev',
    serverUrl: (text('serverUrl', 'HH_API_URL') ?? SERVER_URL).replace(/\/+$/, ''),
    inputs: given.inputs ?? {},
    metadata: given.metadata ?? {},
    disableBatch: flag(given.disableBatch, 'HH_DISABLE_BATCH'),
    disableTracing: flag(given.disableTracing, 'HH_DISABLE_TRACING'),
    disableHttpTracing: flag(given.disableHttpTracing, 'HH_DISABLE_HTTP_TRACING'),
    testMode,
    isEvaluation: given.isEvaluation ?? (runId !== undefined && datasetId !== undefined && datapointId !== undefined),
    runId,
    datasetId,
    datapointId,
    batch: { maxSize: count('HH_BATCH_SIZE'), delayMillis: interval === undefined ? undefined : interval * 1_000 },
    limits: {
      attributeCountLimit: count('HH_MAX_ATTRIBUTES') ?? 1_024,
      eventCountLimit: count('HH_MAX_EVENTS') ?? 1_024,
      linkCountLimit: count('HH_MAX_LINKS') ?? 128,
    },
    protocol: parsed('HH_OTLP_PROTOCOL', parseProtocol, 'http/json or http/protobuf') ?? 'http/protobuf',
  };
  return { settings, issues };
}

/** What every request to HoneyHive carries. */
export function honeyHiveHeaders({ apiKey = '', source }: HoneyHiveSettings): Record<string, string> {
  return {
    authorization: `Bearer ${apiKey}`,
    'x-source': source,
    'hh-sdk-version': VERSION,
    'hh-sdk-language': 'typescript',
    'hh-sdk-package': 'isotrace',
  };
}

function parseProtocol(text: string): 'http/protobuf' | 'http/json' | undefined {
  return text === 'http/json' || text === 'http/protobuf' ? text : undefined;
}

function mainFile(): string {
  const file = process.argv[1];
  return file === undefined ? 'unknown session' : path.basename(file);
}
