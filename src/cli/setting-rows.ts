import { DestinationUrls } from '../core/destination-urls.ts';
import type { TracerDefaults } from '../core/settings.ts';
import { ENVIRONMENT_VARIABLES } from '../infra/environment-variables.ts';
import { Secret } from '../utils/secret.ts';
import { TELEMETRY_SIGNALS } from '../utils/telemetry-signal.ts';
import type { Variables } from './cli-host.ts';

/** One setting, where its value comes from, and the value with secrets masked. */
export interface SettingRow {
  readonly option: string;
  readonly value: string;
  /** A variable's name, `file`, `profile …` or `default`. */
  readonly source: string;
}

interface Sources {
  /** What the file gave. */
  readonly given: unknown;
  /** Empty for tenants, whom no variable concerns. */
  readonly env: Variables;
  readonly profile: string;
}

/** Of the settings: what is derived, not set. */
const DERIVED: ReadonlySet<string> = new Set(['given', 'hostPlatform', 'tenantId', 'timeoutGiven', 'addresses']);
const PROFILED = /^(batch|limits)\.(delayMillis|maxSize|maxBytes|maxQueueSize|maxQueueBytes)$|timeoutMillis$/;

/** All settings of a tracer, in the order of the documentation. */
export function settingRows(settings: TracerDefaults, sources: Sources): SettingRow[] {
  const rows: SettingRow[] = [];
  walk('', settings, (path, value) => {
    const option = path.replace(/^destinations\.\d+/, 'destination').replace(/\.urls\./, '.paths.');
    rows.push({ option, value, source: sourceOf(option, sources) });
  });
  return rows;
}

function walk(path: string, value: unknown, visit: (path: string, value: string) => void): void {
  if (value instanceof DestinationUrls) {
    for (const signal of TELEMETRY_SIGNALS) visit(`${path}.${signal}`, show(value.of(signal)));
    return;
  }
  if (isGroup(value)) {
    const entries = Object.entries(value).filter(([key]) => !DERIVED.has(key));
    if (entries.length > 0) {
      for (const [key, part] of entries) walk(path === '' ? key : `${path}.${key}`, part, visit);
      return;
    }
  }
  visit(path, show(value));
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
  if (typeof content === 'string') return content.replace(/\?.*$/s, '?[REDACTED]');
  const names = typeof content === 'object' && content !== null ? Object.keys(content) : [];
  return names.length === 0 ? 'none' : names.map((name) => `${name}: [REDACTED]`).join(', ');
}

function sourceOf(option: string, { given, env, profile }: Sources): string {
  if (isGiven(given, option.split('.'))) return 'file';
  const variable = Object.entries(ENVIRONMENT_VARIABLES).findLast(([name, rule]) => {
    const text = env[name]?.trim() ?? '';
    return text !== '' && isSetBy(option, rule.option) && rule.parse(text, () => undefined) !== undefined;
  });
  if (variable !== undefined) return variable[0];
  return profile !== 'default' && PROFILED.test(option) ? `profile ${profile}` : 'default';
}

/** A variable for a group sets all of it, and an endpoint the URLs that are made of it. */
function isSetBy(option: string, set: string): boolean {
  if (option === set || option.startsWith(`${set}.`)) return true;
  return set === 'destination.endpoint' && option.startsWith('destination.paths.');
}

function isGiven(value: unknown, [key, ...rest]: readonly string[]): boolean {
  if (key === undefined) return value !== undefined;
  if (Array.isArray(value)) return value.some((element) => isGiven(element, [key, ...rest]));
  if (typeof value !== 'object' || value === null) return value !== undefined;
  return isGiven((value as Record<string, unknown>)[key], rest);
}
