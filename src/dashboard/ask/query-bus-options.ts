import type { TracerRegistry } from '../../core/registry.ts';
import type { TracerBase } from '../../core/tracer-base.ts';
import { type Clock, systemClock } from '../../utils/clock.ts';
import type { ConfigIssue } from '../../utils/errors.ts';
import { objectWith, providesMethods } from '../../utils/option-checks.ts';
import { elementsOf, IssueLog, OptionReader } from '../../utils/option-reader.ts';
import { readIntegers } from '../../utils/read-integers.ts';
import { describeKind } from '../../utils/secret.ts';
import { isTenantId } from '../../utils/tenant-id.ts';
import type { TelemetryStore } from '../store/telemetry-store.ts';
import type { TenantScope } from '../store/tenant-scope.ts';
import { type QuerySource, storeSource } from './query-source.ts';
import { remoteSource } from './remote-source.ts';

/** A store of this process (the ring, ClickHouse, one's own), or a dashboard elsewhere. */
export type QueryTarget =
  | {
      readonly store: TelemetryStore;
      /** Whose tenants' health and counts are told. Default: nobody's. */
      readonly registry?: TracerRegistry<TracerBase> | undefined;
    }
  | {
      /** Of a dashboard, such as `https://dashboard.example`. */
      readonly url: string;
      /** For `Authorization: Bearer`: 1 to 512 printable ASCII characters. Default: none. */
      readonly token?: string | undefined;
    };

/** Who may be asked about, and how long an answer may take. */
export interface QueryBusOptions {
  /** The only tenants that are asked about, up to 100; or `'all'` that the source lets one see. Required. */
  readonly tenants: 'all' | readonly string[];
  /** How long an answer may take, in milliseconds. 1 to 3,600,000. Default: 30,000. */
  readonly timeoutMillis?: number | undefined;
  /** Time, for tests. Default: the system's. */
  readonly clock?: Clock | undefined;
}

export interface QueryBusSettings {
  /** Absent when there is nothing that can be asked, or nobody that it may be asked about. */
  readonly source: QuerySource | undefined;
  readonly clock: Clock;
  readonly timeoutMillis: number;
  readonly issues: readonly ConfigIssue[];
}

const BOUNDS = { timeoutMillis: { min: 1, max: 3_600_000, default: 30_000, unit: 'milliseconds' } };
const MAX_TENANTS = 100;
const METHODS = ['listTraces', 'getTrace', 'getLogs', 'queryMetric', 'stats'];
/** They go to a dashboard with every question, as a parameter of a URL. */
const MAX_LIST = 4_096;
const TARGET_NAMES = ['store', 'registry', 'url', 'token'] as const;
const TARGET_KEYS: ReadonlySet<string> = new Set(TARGET_NAMES);
const CLOCK = objectWith<Clock>('now', 'monotonic', 'schedule');
const TOKEN = /^[\x21-\x7e]{1,512}$/;

/** Never throws. */
export function resolveQueryBus(target: QueryTarget, options: QueryBusOptions): QueryBusSettings {
  const { values, reader, log } = readIntegers(options, BOUNDS, ['tenants', 'clock']);
  const clock = reader?.read('clock', CLOCK) ?? systemClock;
  const issues: ConfigIssue[] = [...log.list()];
  const scope = readScope(reader?.get('tenants'), issues);
  const source = scope && readSource(target, scope, issues);
  return { source, clock, timeoutMillis: values.timeoutMillis, issues };
}

/** An empty list would be the one thing that a dashboard cannot be told: it stands for all there. */
function readScope(tenants: unknown, issues: ConfigIssue[]): TenantScope | undefined {
  if (tenants === 'all') return 'all';
  const list = elementsOf(tenants, MAX_TENANTS);
  if (list !== undefined && list.length > 0 && list.every(isTenantId)) return new Set(list);
  issues.push({
    option: 'tenants',
    accepted: `"all" or 1 to ${MAX_TENANTS} ids of tenants`,
    received: describeKind(tenants),
  });
  return undefined;
}

function readSource(target: unknown, scope: TenantScope, issues: ConfigIssue[]): QuerySource | undefined {
  const log = new IssueLog();
  const reader = OptionReader.open(target ?? {}, 'target', TARGET_KEYS, log);
  const [store, registry, url, token] = TARGET_NAMES.map((name) => reader?.get(name));
  issues.push(...log.list());
  if (providesMethods(store, METHODS)) {
    const isRegistry = providesMethods(registry, ['entries']);
    if (registry !== undefined && !isRegistry)
      issues.push({ option: 'registry', accepted: 'a TracerRegistry', received: describeKind(registry) });
    return storeSource(
      store as TelemetryStore,
      scope,
      isRegistry ? (registry as TracerRegistry<TracerBase>) : undefined,
    );
  }
  const parsed = typeof url === 'string' && URL.canParse(url) ? new URL(url) : undefined;
  const isGood = parsed !== undefined && /^https?:$/.test(parsed.protocol) && parsed.username + parsed.password === '';
  if (!isGood) {
    const option = store === undefined ? 'url' : 'store';
    const accepted = store === undefined ? 'an http or https URL without credentials' : 'a store';
    issues.push({ option, accepted, received: describeKind(store ?? url) });
    return undefined;
  }
  if (token !== undefined && !(typeof token === 'string' && TOKEN.test(token))) {
    issues.push({ option: 'token', accepted: '1 to 512 printable ASCII characters', received: describeKind(token) });
    return undefined;
  }
  const names = scope === 'all' ? [] : [...scope];
  const isListed = !names.some((tenant) => tenant.includes(',')) && listLength(names) <= MAX_LIST;
  if (!isListed) {
    issues.push({
      option: 'tenants',
      accepted: `ids without commas, together up to ${MAX_LIST} characters of a URL, for a dashboard elsewhere`,
      received: `${names.length} ids, together ${listLength(names)}`,
    });
    return undefined;
  }
  return remoteSource({ url: parsed, token }, scope);
}

function listLength(names: readonly string[]): number {
  return encodeURIComponent(names.join(',')).length;
}
