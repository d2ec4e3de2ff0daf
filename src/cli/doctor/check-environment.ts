import { BUILDER_CONVENTIONS } from '../../core/builder-conventions.ts';
import { BUILDER_VARIABLES, readBuilderVariables } from '../../core/builder-variables.ts';
import { readEnvironment } from '../../infra/environment.ts';
import type { ConfigIssue } from '../../utils/errors.ts';
import { maskSecrets } from '../../utils/secret.ts';
import type { Variables } from '../cli-host.ts';
import { type Finding, ok, problem, warning } from './finding.ts';

const PREFIX = BUILDER_CONVENTIONS.variablePrefix;
const READ: ReadonlySet<string> = new Set([
  ...Object.keys(BUILDER_VARIABLES).map((name) => `${PREFIX}${name}`),
  'ISOTRACE_DASHBOARD_TOKEN',
]);
const HEADER_VARIABLES = ['', 'TRACES_', 'METRICS_', 'LOGS_'].map((signal) => `OTEL_EXPORTER_OTLP_${signal}HEADERS`);
const SELF_STARTERS = [
  'dd-trace',
  '@sentry/node',
  'newrelic',
  '@opentelemetry/auto-instrumentations-node',
  'elastic-apm-node',
];
const OLDEST_NODE = [20, 19] as const;

export function checkNode(version: string): Finding {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_NODE;
  const fits = major > oldestMajor || (major === oldestMajor && minor >= oldestMinor);
  if (fits) return ok('Node.js', version);
  return problem('Node.js', `${version} is too old`, `isotrace needs ${OLDEST_NODE.join('.')} or newer`);
}

/** @param others what is wrong with the variables of other systems' names */
export function checkEnvironment(env: Variables, others: readonly ConfigIssue[]): Finding[] {
  const issues: ConfigIssue[] = [...readEnvironment(env).issues, ...others];
  readBuilderVariables(env, PREFIX, undefined, (_name, found) => issues.push(...found));
  const findings = issues.map(({ option, accepted, received }) =>
    problem(option, `${received} is not acceptable, and counts as not set`, `accepted: ${accepted}`),
  );
  return [
    ...findings,
    ...checkUnread(env),
    ...checkHeaders(env),
    ...checkSelfStarters(env),
    ...(findings.length === 0 ? [ok('variables', 'none that is not acceptable')] : []),
  ];
}

/** Most often a name with a letter too few. */
function checkUnread(env: Variables): Finding[] {
  const isUnread = (name: string): boolean => name.startsWith(PREFIX) && !READ.has(name) && (env[name] ?? '') !== '';
  return Object.keys(env)
    .filter(isUnread)
    .map((name) =>
      warning(
        name,
        'is set, and isotrace reads no variable of that name',
        'those that it reads are in its documentation of the builder',
      ),
    );
}

/** Stock exporters send these headers wherever they are pointed to, so also to a tenant's endpoint. */
function checkHeaders(env: Variables): Finding[] {
  return HEADER_VARIABLES.filter((name) => (env[name] ?? '') !== '').map((name) =>
    warning(
      name,
      'is set: every stock OTLP exporter of the process sends its headers, also those made for a tenant',
      'isotrace uses it for the platform tracer only; give credentials to other exporters in code',
    ),
  );
}

function checkSelfStarters(env: Variables): Finding[] {
  const options = env['NODE_OPTIONS'] ?? '';
  return SELF_STARTERS.filter((name) => options.includes(name)).map((name) =>
    warning(
      'NODE_OPTIONS',
      `${name} starts with every process: ${maskSecrets(options)}`,
      'it registers itself before your code runs; isotrace then joins in and does not own the globals',
    ),
  );
}
