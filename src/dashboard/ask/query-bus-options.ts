import type { TracerRegistry } from '../../core/registry.ts';
import type { TracerBase } from '../../core/tracer-base.ts';
import { type Clock, systemClock } from '../../utils/clock.ts';
import type { ConfigIssue } from '../../utils/errors.ts';
import { hasMethods } from '../../utils/option-checks.ts';
import { elementsOf } from '../../utils/option-reader.ts';
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
const TOKEN = /^[\x21-\x7e]{1,512}$/;

/** Never throws. */
export function resolveQueryBus(target: QueryTarget, options: QueryBusOptions): QueryBusSettings {
  const { values, issues: found } = readIntegers(options, BOUNDS, ['tenants', 'clock']);
  const issues = [...found];
  const clock = options?.clock ?? systemClock;
  const scope = readScope(options?.tenants, issues);
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
  const { store, registry, url, token } = (target ?? {}) as Partial<Record<string, unknown>>;
  if (hasMethods(store, METHODS))
    return storeSource(store as TelemetryStore, scope, registry as TracerRegistry<TracerBase> | undefined);
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
  if (scope !== 'all' && [...scope].some((tenant) => tenant.includes(','))) {
    issues.push({
      option: 'tenants',
      accepted: 'ids without commas, for a dashboard elsewhere',
      received: 'one with a comma',
    });
    return undefined;
  }
  return remoteSource({ url: parsed, token }, scope);
}
