import { BUILDER_CONVENTIONS, type BuilderConventions } from '../core/builder-conventions.ts';
import { BUILDER_VARIABLES, readVariable, variableText } from '../core/builder-variables.ts';
import type { ConfigIssue } from '../utils/errors.ts';

/** Variables of the environment, by name. */
export type TelemetryFlowVariables = Readonly<Record<string, string | undefined>>;

/** Carries the secret a second time, beside `authorization`. */
export const KEY_SECRET_HEADER = 'x-telemetryflow-key-secret';
export const API_VERSION_HEADER = 'x-telemetryflow-api-version';

const PREFIX = 'TELEMETRYFLOW_';

/** TelemetryFlow's variables, keys and headers (telemetryflow-go-sdk 1.2, `getAuthHeaders`). */
export const TELEMETRYFLOW_CONVENTIONS: BuilderConventions = Object.freeze({
  variablePrefix: PREFIX,
  // What both SDKs take instead, or go without.
  variableDefaults: Object.freeze({
    ENDPOINT: 'api.telemetryflow.id:4317',
    SERVICE_NAMESPACE: 'telemetryflow',
    ENVIRONMENT: 'production',
    DATACENTER: 'default',
    COLLECTOR_ID: '',
    COLLECTOR_NAME: '',
  }),
  credentials: Object.freeze({
    keyIdPrefix: 'tfk_',
    keySecretPrefix: 'tfs_',
    headers: (keyId: string, keySecret: string) => ({
      authorization: `Bearer ${keyId}:${keySecret}`,
      'x-telemetryflow-key-id': keyId,
      [KEY_SECRET_HEADER]: keySecret,
    }),
  }),
  attributes: BUILDER_CONVENTIONS.attributes,
  headers: Object.freeze({
    id: 'x-telemetryflow-collector-id',
    name: 'x-telemetryflow-collector-name',
    hostname: 'x-telemetryflow-collector-hostname',
    datacenter: 'x-telemetryflow-datacenter',
    environment: 'x-telemetryflow-environment',
  }),
});

/** What TelemetryFlow's SDKs take where nothing is said. Retries are isotrace's own, which go on for longer. */
export const TELEMETRYFLOW_DEFAULTS = Object.freeze({
  datacenter: 'default',
  environment: 'production',
  service: { version: '1.0.0', namespace: 'telemetryflow' },
  destination: { protocol: 'grpc', compression: 'gzip', timeoutMillis: 30_000 },
  batch: { delayMillis: 10_000, maxSize: 512 },
  metrics: { exemplars: true },
} as const);

/** The switches that only TelemetryFlow has. */
export interface TelemetryFlowSwitches {
  readonly USE_V2_API?: boolean | undefined;
  readonly V2_ONLY?: boolean | undefined;
}

const SWITCHES = { USE_V2_API: BUILDER_VARIABLES.ENRICH_RESOURCES, V2_ONLY: BUILDER_VARIABLES.ENRICH_RESOURCES };

/** Reads them; `issues` has an entry for each that was looked at. Never throws. */
export function readSwitches(env: TelemetryFlowVariables): {
  readonly switches: TelemetryFlowSwitches;
  readonly issues: readonly (readonly [variable: string, issues: readonly ConfigIssue[]])[];
} {
  const useV2 = readVariable(env, `${PREFIX}USE_V2_API`, SWITCHES.USE_V2_API);
  const v2Only = readVariable(env, `${PREFIX}V2_ONLY`, SWITCHES.V2_ONLY);
  return {
    switches: { USE_V2_API: useV2.value, V2_ONLY: v2Only.value },
    issues: [
      [`${PREFIX}USE_V2_API`, useV2.issues],
      [`${PREFIX}V2_ONLY`, v2Only.issues],
    ],
  };
}

/** `ENV` and then `ENVIRONMENT` stand in for `TELEMETRYFLOW_ENVIRONMENT`, as in both SDKs. Never throws. */
export function withEnvironmentVariable(env: TelemetryFlowVariables): TelemetryFlowVariables {
  const name = `${PREFIX}ENVIRONMENT`;
  const given = [name, 'ENV', 'ENVIRONMENT'].map((variable) => variableText(env, variable, () => undefined));
  const own = given.find((text) => text !== '');
  // Without a copy, which would read all of the environment.
  return own === undefined ? env : (Object.create(env, { [name]: { value: own } }) as TelemetryFlowVariables);
}
