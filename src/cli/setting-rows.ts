import { BUILDER_CONVENTIONS } from '../core/builder-conventions.ts';
import { BUILDER_VARIABLES, type BuilderVariable, readBuilderVariables } from '../core/builder-variables.ts';
import { DestinationUrls } from '../core/destination-urls.ts';
import type { DestinationSettings, RegistrySettings, TracerDefaults } from '../core/settings.ts';
import { ENVIRONMENT_VARIABLES, type EnvironmentVariable } from '../infra/environment-variables.ts';
import type { ConfigIssue } from '../utils/errors.ts';
import { Secret } from '../utils/secret.ts';
import { isSecretKey } from '../utils/secret-keys.ts';
import { maskSecretShapes, REDACTED } from '../utils/secret-shapes.ts';
import { TELEMETRY_SIGNALS, type TelemetrySignal } from '../utils/telemetry-signal.ts';
import type { Variables } from './cli-host.ts';

/** One setting, where its value comes from, and the value with secrets masked. */
export interface SettingRow {
  readonly option: string;
  readonly value: string;
  /** A variable's name, `file`, `profile …` or `default`. */
  readonly source: string;
}

interface Sources {
  /** What the file gave: first what counts before the others. */
  readonly given: readonly unknown[];
  /** Empty for tenants, whom no variable concerns. */
  readonly env: Variables;
  readonly profile: string;
  /** What was not acceptable, and so does not count. */
  readonly issues: readonly ConfigIssue[];
}

type Path = readonly string[];

/** Of the settings: what is derived, not set. */
const DERIVED: ReadonlySet<string> = new Set(['given', 'hostPlatform', 'tenantId', 'timeoutGiven', 'addresses']);
const PROFILED = /^(batch|limits)\.(delayMillis|maxSize|maxBytes|maxQueueSize|maxQueueBytes)$|timeoutMillis$/;
/** What a registry has for itself. */
const REGISTRY_SETTINGS = [
  'endpointPolicy',
  'unassigned',
  'lateBinding',
  'maxTenants',
  'idleTimeoutMillis',
  'drainTimeoutMillis',
  'maxTotalBytes',
  'platformCopy',
  'selfMetrics',
  'strict',
] as const satisfies readonly (keyof RegistrySettings)[];

/** All settings of a tracer, in the order of the documentation. */
export function settingRows(settings: TracerDefaults, sources: Sources): SettingRow[] {
  const { destinations } = settings;
  return rowsOf(settings).map(([path, value]) => {
    const [group, index = '', ...rest] = path;
    if (group !== 'destinations' || rest.length === 0) return rowOf(path, value, sources);
    const inside = rest.map((key) => (key === 'urls' ? 'paths' : key));
    const { urls } = destinations[Number(index)] as DestinationSettings;
    const signals = TELEMETRY_SIGNALS.filter((signal) => urls.of(signal) !== undefined);
    const row = rowOf(['destination', ...inside], value, sources, signals);
    return destinations.length === 1 ? row : { ...row, option: [`destination[${index}]`, ...inside].join('.') };
  });
}

/** What a registry has beside its tenants and its platform tracer. */
export function registryRows(settings: RegistrySettings, sources: Sources): SettingRow[] {
  const own = Object.fromEntries(REGISTRY_SETTINGS.map((name) => [name, settings[name]]));
  return rowsOf(own).map(([path, value]) => rowOf(path, value, sources));
}

/** What the variables of a builder say, by its methods. */
export function builderRows(env: Variables): { readonly rows: SettingRow[]; readonly issues: ConfigIssue[] } {
  const { variablePrefix } = BUILDER_CONVENTIONS;
  const issues: ConfigIssue[] = [];
  const values = readBuilderVariables(env, variablePrefix, undefined, (_name, found) => issues.push(...found));
  const rows = Object.entries(values).flatMap(([name, value]): SettingRow[] => {
    const { option, describe }: EnvironmentVariable<unknown> = BUILDER_VARIABLES[name as BuilderVariable];
    const source = `${variablePrefix}${name}`;
    if (value === undefined) return [];
    const isPlain = typeof value === 'number' || typeof value === 'boolean';
    return [{ option, value: isPlain ? String(value) : describe(env[source] ?? ''), source }];
  });
  return { rows, issues };
}

function rowOf(path: Path, value: unknown, sources: Sources, signals?: readonly TelemetrySignal[]): SettingRow {
  const isHidden = path[0] === 'attributes' && path.length > 1 && isSecretKey(path.slice(1).join('.'));
  return {
    option: path.join('.'),
    value: isHidden ? REDACTED : maskSecretShapes(show(value)),
    source: sourceOf(path, value, sources, signals),
  };
}

function rowsOf(settings: object): [Path, unknown][] {
  const rows: [Path, unknown][] = [];
  walk([], settings, (path, value) => void rows.push([path, value]));
  return rows;
}

function walk(path: Path, value: unknown, visit: (path: Path, value: unknown) => void): void {
  if (value instanceof DestinationUrls) {
    for (const signal of TELEMETRY_SIGNALS) visit([...path, signal], value.of(signal));
    return;
  }
  if (isGroup(value)) {
    const entries = Object.entries(value).filter(([key]) => path[0] === 'attributes' || !DERIVED.has(key));
    if (entries.length > 0) {
      for (const [key, part] of entries) walk([...path, key], part, visit);
      return;
    }
  }
  visit(path, value);
}

/** Arrays and plain objects; secrets, functions and objects of the user's are shown as one value. */
function isGroup(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || value instanceof Secret) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype || (Array.isArray(value) && value.some(isGroup));
}

function show(value: unknown): string {
  if (value instanceof Secret) return showSecret(value.reveal());
  if (value === undefined) return 'none';
  if (value === Number.POSITIVE_INFINITY) return 'no limit';
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(show).join(', ');
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.keys(value).length === 0 ? 'none' : 'an object';
}

/** A URL may have a key in its query; of headers the names are told. */
function showSecret(content: unknown): string {
  if (content instanceof URL)
    return `${content.protocol}//${content.username === '' ? '' : `${REDACTED}@`}${content.host}`;
  if (typeof content === 'string') return content.replace(/\?.*$/s, '?[REDACTED]');
  const names = typeof content === 'object' && content !== null ? Object.keys(content) : [];
  return names.length === 0 ? 'none' : names.map((name) => `${name}: [REDACTED]`).join(', ');
}

function sourceOf(path: Path, value: unknown, sources: Sources, signals?: readonly TelemetrySignal[]): string {
  const { given, env, profile, issues } = sources;
  const option = path.join('.');
  // A destination is taken as a whole; the proxy belongs to the machine.
  const whole = path[0] === 'destination' ? given.find((part) => isGiven(part, ['destination'])) : undefined;
  const inForce = whole === undefined ? given : [whole];
  if (!issues.some((issue) => isAbout(issue, path)) && inForce.some((part) => isGiven(part, path))) return 'file';
  if (whole === undefined || option === 'destination.proxy') {
    const variable = variableOf(path, value, env, signals);
    if (variable !== undefined) return variable;
  }
  return profile !== 'default' && PROFILED.test(option) ? `profile ${profile}` : 'default';
}

/** Whether it refuses this option, or all of the group that it is in. */
function isAbout({ option }: ConfigIssue, path: Path): boolean {
  const refused = option.replace(/^platform\./, '').replaceAll(/\[\d+\]/g, '');
  return path.some((_key, index) => path.slice(0, index + 1).join('.') === refused);
}

function variableOf(
  path: Path,
  value: unknown,
  env: Variables,
  signals: readonly TelemetrySignal[] = [],
): string | undefined {
  const found = Object.entries(ENVIRONMENT_VARIABLES).findLast(
    ([name, rule]: [string, EnvironmentVariable<unknown>]) => {
      const text = env[name]?.trim() ?? '';
      const parsed = text === '' ? undefined : rule.parse(text, () => undefined);
      return parsed !== undefined && isFor(name, signals) && isSetBy(path, value, rule.option, parsed);
    },
  );
  return found?.[0];
}

/** Of the variables for one signal, those of the destination that this signal has for itself. */
function isFor(name: string, signals: readonly TelemetrySignal[]): boolean {
  const [, signal] = /^OTEL_EXPORTER_OTLP_(TRACES|METRICS|LOGS)_(?!TEMPORALITY)/.exec(name) ?? [];
  if (signal !== undefined) return signals.length === 1 && signals[0] === signal.toLowerCase();
  return name !== 'OTEL_BSP_EXPORT_TIMEOUT' || signals.includes('traces');
}

function isSetBy(path: Path, value: unknown, set: string, parsed: unknown): boolean {
  const option = path.join('.');
  if (option === 'destination.proxy') return option === set && value !== undefined && parsed instanceof Secret;
  if (option === set) return typeof parsed !== 'number' || parsed === value;
  // An endpoint sets the URLs that are made of it.
  if (set === 'destination.endpoint') return option.startsWith('destination.paths.') && value !== undefined;
  // Of a group a variable sets what it names.
  const [group, ...rest] = path;
  return group === set && typeof parsed === 'object' && parsed !== null && Object.hasOwn(parsed, rest.join('.'));
}

function isGiven(value: unknown, path: Path): boolean {
  const [key, ...rest] = path;
  if (key === undefined) return value !== undefined;
  if (Array.isArray(value)) return value.some((element) => isGiven(element, path));
  // `attributes.db.password` is one key in a group; `capture: true` sets all of it.
  if (typeof value !== 'object' || value === null) return value !== undefined;
  if (Object.hasOwn(value, path.join('.'))) return true;
  return Object.hasOwn(value, key) && isGiven((value as Record<string, unknown>)[key], rest);
}
