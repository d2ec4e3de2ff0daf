import { satisfies } from 'semver';
import type { PackageManager } from '../init/package-manager.ts';
import { type Finding, ok, problem, warning } from './finding.ts';
import { type InstalledPackage, isPlugAndPlay, resolvePackage } from './installed-packages.ts';

const API = '@opentelemetry/api';
const SDK_LINE = ['sdk-trace', 'sdk-trace-base', 'sdk-trace-node', 'sdk-metrics', 'resources', 'core'];
const SDK_PACKAGES: ReadonlySet<string> = new Set(SDK_LINE.map((name) => `@opentelemetry/${name}`));
/** SDKs that want the globals for themselves. */
const OWNERS = [
  '@opentelemetry/sdk-node',
  '@sentry/node',
  'dd-trace',
  'newrelic',
  'elastic-apm-node',
  'applicationinsights',
];

/** Which packages the checks of this file want to know of. */
export function isOfInterest(name: string): boolean {
  return name === 'isotrace' || name.startsWith('@opentelemetry/') || OWNERS.includes(name);
}

/** Of the project in `folder`; what to do about it is told in the words of its package manager. */
export function checkPackages(
  packages: readonly InstalledPackage[],
  folder: string,
  manager: PackageManager,
): Finding[] {
  if (packages.length === 0 && isPlugAndPlay(folder)) return [PLUG_AND_PLAY];
  return [
    checkApi(packages, manager),
    checkLines(packages, manager),
    ...checkPeers(packages, folder, manager),
    ...checkCopies(packages, manager),
    ...checkInstrumentations(packages),
    ...checkOwners(packages),
  ];
}

/** Two copies of the API have two globals: what one of them sets, users of the other do not see. */
function checkApi(packages: readonly InstalledPackage[], { name: manager, add }: PackageManager): Finding {
  const copies = packages.filter(({ name }) => name === API);
  const [only] = copies;
  if (only === undefined) return problem(API, 'it is not installed', `${add} ${API}`);
  if (copies.length === 1) return ok(API, `one copy, ${only.version}`);
  const places = copies.map(({ path, version }) => `${version} in ${path}`).join(', ');
  const versions = new Set(copies.map(({ version }) => version));
  const advice = `spans of one copy may be invisible to the other; "${manager} dedupe", or an override for ${API}`;
  const message = `${copies.length} copies: ${places}`;
  return versions.size === 1 ? warning(API, message, advice) : problem(API, message, advice);
}

/** Objects of the 2.x and the 3.x SDKs do not fit each other. */
function checkLines(packages: readonly InstalledPackage[], { add }: PackageManager): Finding {
  const check = 'OpenTelemetry SDK';
  const lines = new Map<string, string[]>();
  for (const { name, version, path } of packages) {
    if (!SDK_PACKAGES.has(name)) continue;
    const line = `${version.split('.')[0]}.x`;
    lines.set(line, [...(lines.get(line) ?? []), path]);
  }
  if (lines.size === 0) return problem(check, 'no package of it is installed', `${add} @opentelemetry/sdk-trace`);
  const [line = ''] = lines.keys();
  if (lines.size === 1) return ok(check, `one line, ${line}`);
  const places = [...lines].map(([name, paths]) => `${name} in ${paths.slice(0, 3).join(', ')}`).join('; ');
  return warning(
    check,
    `several lines: ${places}`,
    'bring all @opentelemetry/sdk-*, core and resources to one major version',
  );
}

/** Of each peer the copy that isotrace gets, and of isotrace the one that the project gets. */
function checkPeers(packages: readonly InstalledPackage[], folder: string, { add }: PackageManager): Finding[] {
  const isotrace = resolvePackage(folder, 'isotrace') ?? packages.find(({ name }) => name === 'isotrace');
  if (isotrace === undefined) return [problem('isotrace', 'it is not installed here', `${add} isotrace`)];
  const findings = Object.entries(isotrace.peers).flatMap(([name, range]): Finding[] => {
    const copy = resolvePackage(isotrace.location, name) ?? resolvePackage(folder, name);
    const isOptional = isotrace.optionalPeers.has(name);
    const advice = `${add} "${name}@${range}"`;
    if (copy === undefined) {
      return isOptional ? [] : [problem(name, `it is not installed; isotrace needs ${range}`, advice)];
    }
    if (satisfies(copy.version, range, { includePrerelease: true })) return [];
    // Whether something of isotrace uses what it can do without, is not to be seen from here.
    return isOptional && !name.startsWith('@opentelemetry/')
      ? [warning(name, `${copy.version} is installed; what isotrace has for it is for ${range}`, advice)]
      : [problem(name, `${copy.version} is installed; isotrace needs ${range}`, advice)];
  });
  return findings.length > 0 ? findings : [ok('peers', 'all that isotrace needs are there')];
}

function checkCopies(packages: readonly InstalledPackage[], { name: manager }: PackageManager): Finding[] {
  const copies = packages.filter(({ name }) => name === 'isotrace');
  if (copies.length < 2) return [];
  const places = copies.map(({ path, version }) => `${version} in ${path}`).join(', ');
  const message = `${copies.length} copies: ${places}`;
  return [warning('isotrace', message, `a registry of one has none of the tenants of the other; "${manager} dedupe"`)];
}

const PLUG_AND_PLAY = warning(
  'packages',
  "Yarn's Plug'n'Play has them, which this does not look into",
  '"yarn why --recursive @opentelemetry/api" shows copies; "yarn dedupe" joins them',
);

/** Whether there is anything that makes spans of its own through OpenTelemetry's globals. */
export function hasInstrumentations(packages: readonly InstalledPackage[]): boolean {
  return packages.some(({ name }) => name.includes('/instrumentation-') || name.includes('/auto-instrumentations-'));
}

/** The same instrumentation twice patches the same module twice: each call makes two spans. */
function checkInstrumentations(packages: readonly InstalledPackage[]): Finding[] {
  const names = new Set(packages.map(({ name }) => name).filter((name) => name.includes('/instrumentation-')));
  const findings: Finding[] = [];
  for (const name of names) {
    const copies = packages.filter((candidate) => candidate.name === name);
    if (copies.length === 1) continue;
    const places = copies.map(({ path, version }) => `${version} in ${path}`).join(', ');
    findings.push(
      warning(name, `${copies.length} copies: ${places}`, 'if both are registered, each call makes two spans'),
    );
  }
  return findings;
}

function checkOwners(packages: readonly InstalledPackage[]): Finding[] {
  const owners = [...new Set(packages.map(({ name }) => name).filter((name) => OWNERS.includes(name)))];
  if (owners.length === 0) return [];
  const message = `installed: ${owners.join(', ')}; each may register itself with OpenTelemetry's API`;
  const advice =
    'let one of them do so; with another owner isotrace joins in: see "Auto-instrumentation" in its documentation';
  return [owners.length === 1 ? ok('other SDKs', message) : warning('other SDKs', message, advice)];
}
