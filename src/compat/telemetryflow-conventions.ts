import { BUILDER_CONVENTIONS, type BuilderConventions } from '../core/builder-conventions.ts';
import { BUILDER_VARIABLES } from '../core/builder-variables.ts';
import type { TracerOptions } from '../core/options.ts';
import type { ConfigIssue } from '../utils/errors.ts';
import { maskSecrets } from '../utils/secret.ts';

/** Variables of the environment, by name. */
export type TelemetryFlowVariables = Readonly<Record<string, string | undefined>>;

/** Carries the secret a second time, beside `authorization`. */
export const KEY_SECRET_HEADER = 'x-telemetryflow-key-secret';
export const API_VERSION_HEADER = 'x-telemetryflow-api-version';

const PREFIX = 'TELEMETRYFLOW_';

/** TelemetryFlow's variables, keys and headers (telemetryflow-go-sdk 1.2, `getAuthHeaders`). */
export const TELEMETRYFLOW_CONVENTIONS: BuilderConventions = Object.freeze({
  variablePrefix: PREFIX,
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
  timeoutMillis: 30_000,
  batchDelayMillis: 10_000,
  batchMaxSize: 512,
  datacenter: 'default',
  options: {
    service: { version: '1.0.0', namespace: 'telemetryflow' },
    environment: 'production',
  } satisfies TracerOptions,
});

/** The switches that only TelemetryFlow has. */
export interface TelemetryFlowSwitches {
  readonly USE_V2_API?: boolean | undefined;
  readonly V2_ONLY?: boolean | undefined;
}

const SWITCHES = ['USE_V2_API', 'V2_ONLY'] as const;

/** Reads them; `issues` has an entry for each that was looked at, `undefined` where it is fine. Never throws. */
export function readSwitches(env: TelemetryFlowVariables): {
  readonly switches: TelemetryFlowSwitches;
  readonly issues: readonly (readonly [variable: string, issue: ConfigIssue | undefined])[];
} {
  const { accepted, parse } = BUILDER_VARIABLES.ENRICH_RESOURCES;
  const switches: Record<string, boolean> = {};
  const issues = SWITCHES.map((name) => {
    const option = `${PREFIX}${name}`;
    const text = env[option]?.trim() ?? '';
    const value = parse(text, () => undefined);
    if (value !== undefined) switches[name] = value;
    const refused = text !== '' && value === undefined;
    return [option, refused ? { option, accepted, received: maskSecrets(text) } : undefined] as const;
  });
  return { switches, issues };
}

/** `ENV` and then `ENVIRONMENT` stand in for `TELEMETRYFLOW_ENVIRONMENT`, as in both SDKs. */
export function withEnvironmentVariable(env: TelemetryFlowVariables): TelemetryFlowVariables {
  const name = `${PREFIX}ENVIRONMENT`;
  const own = [env[name], env['ENV'], env['ENVIRONMENT']].find((text) => text !== undefined && text.trim() !== '');
  return { ...env, [name]: own };
}
