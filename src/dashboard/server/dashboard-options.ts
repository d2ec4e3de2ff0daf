import { type Clock, systemClock } from '../../utils/clock.ts';
import { IsotraceError } from '../../utils/errors.ts';
import type { IntegerOption } from '../../utils/integer-options.ts';
import { callable, integerIn, objectWith, oneOf, text } from '../../utils/option-checks.ts';
import { type Check, elementsOf, IssueLog, isOptionsObject, OptionReader } from '../../utils/option-reader.ts';
import { describeKind } from '../../utils/secret.ts';
import { isTenantId } from '../../utils/tenant-id.ts';
import type { AlertHandler, AlertRule } from '../objectives/alert-rule.ts';
import type { SloOptions } from '../objectives/slo.ts';
import { SegmentRing } from '../store/ring/segment-ring.ts';
import type { TelemetryStore } from '../store/telemetry-store.ts';
import { isLoopback } from './request-guard.ts';

/** Who may read and write what. */
export interface DashboardToken {
  /** 16 to 512 characters. */
  readonly token: string;
  /** The only tenants that it may read and write. Default: all. */
  readonly tenants?: readonly string[];
  /** It may not send telemetry. Default false. */
  readonly readOnly?: boolean;
}

/** How a dashboard is started. */
export interface DashboardOptions {
  /** The port to listen on, 0 for any free one. Default 4318, where OTLP is sent by default. */
  readonly port?: number;
  /**
   * Where OTLP over gRPC is received too; 0 for any free port, 4317 by OpenTelemetry's default. Needs the optional peer
   * `@grpc/grpc-js`. Default: not at all.
   */
  readonly grpcPort?: number;
  /** Address to listen on. Default `127.0.0.1`; one that others can reach needs a token. */
  readonly host?: string;
  /** Where telemetry is kept. Default: a segment ring in memory. It is closed with the dashboard. */
  readonly store?: TelemetryStore;
  /** Of the default store: bytes of memory, 1 MiB to 1 TiB. Default 256 MiB. */
  readonly maxBytes?: number;
  /** Of the default store: the directory to keep telemetry in across restarts. Default: none. */
  readonly directory?: string;
  /**
   * What has to be shown to read and to write; a text stands for a token without limits. Default: none, and everybody who
   * reaches the port sees everything.
   */
  readonly token?: string | readonly DashboardToken[];
  /** The header of an OTLP request that names its tenant; it goes before the attribute. Default: none. */
  readonly tenantHeader?: string;
  /** The resource attribute that names a tenant. Default `tenant.id`. */
  readonly tenantAttribute?: string;
  /** Names besides `localhost`, the loopback addresses and `host` that requests may come for. Default: none. */
  readonly allowedHosts?: readonly string[];
  /** The largest OTLP request, before and after decompression, in bytes: 1 KiB to 1 GiB. Default 64 MiB. */
  readonly maxBodyBytes?: number;
  /** Most connections at a time, 1 to 65,535. Default 1,024. */
  readonly maxConnections?: number;
  /** How often live pages are told what is new, in milliseconds: 10 to 60,000. Default 100. */
  readonly flushMillis?: number;
  /** Service level objectives. Default: none. */
  readonly slos?: readonly SloOptions[];
  /** When to alert. Default: never. */
  readonly alerts?: readonly AlertRule[];
  /** Told when an alert fires and when it is over. Default: none. */
  readonly alertHandlers?: readonly AlertHandler[];
  /** How often alert rules are looked at, in milliseconds: 100 to an hour. Default 10,000. */
  readonly alertIntervalMillis?: number;
  /** Time, for tests. Default: the system's. */
  readonly clock?: Clock;
}

export interface DashboardSettings {
  readonly port: number;
  readonly grpcPort: number | undefined;
  readonly host: string;
  readonly store: TelemetryStore;
  readonly tokens: readonly DashboardToken[];
  readonly tenantHeader: string | undefined;
  readonly allowedHosts: readonly string[];
  readonly maxBodyBytes: number;
  readonly maxConnections: number;
  readonly flushMillis: number;
  readonly slos: readonly SloOptions[];
  readonly alerts: readonly AlertRule[];
  readonly alertHandlers: readonly AlertHandler[];
  readonly alertIntervalMillis: number;
  readonly clock: Clock;
}

const MIB = 1_048_576;
const BOUNDS = {
  port: { min: 0, max: 65_535, default: 4318, unit: 'a port, 0 for any free one' },
  grpcPort: { min: 0, max: 65_535, default: 4317, unit: 'a port, 0 for any free one' },
  maxBytes: { min: MIB, max: 2 ** 40, default: 256 * MIB, unit: 'bytes' },
  maxBodyBytes: { min: 1_024, max: 1_024 * MIB, default: 64 * MIB, unit: 'bytes' },
  maxConnections: { min: 1, max: 65_535, default: 1_024, unit: 'connections' },
  flushMillis: { min: 10, max: 60_000, default: 100, unit: 'milliseconds' },
  alertIntervalMillis: { min: 100, max: 3_600_000, default: 10_000, unit: 'milliseconds' },
} as const satisfies Record<string, IntegerOption>;
const OTHERS = ['host', 'store', 'directory', 'token', 'tenantHeader', 'tenantAttribute', 'allowedHosts'];
const OBJECTIVES = ['slos', 'alerts', 'alertHandlers'];
const KNOWN: ReadonlySet<string> = new Set([...Object.keys(BOUNDS), ...OTHERS, ...OBJECTIVES, 'clock']);
const KNOWN_OF_TOKEN: ReadonlySet<string> = new Set(['token', 'tenants', 'readOnly']);
const MAX_ELEMENTS = 1_000;

const HOST = text(253);
const HEADER: Check<string> = {
  accepted: 'the name of a header, of up to 128 characters',
  parse: (value) => (typeof value === 'string' && /^[\w!#$%&'*+.^`|~-]{1,128}$/.test(value) ? value : undefined),
};
/** Never shown, not even where it is refused. */
const TOKEN: Check<string> = {
  accepted: 'a string of 16 to 512 characters',
  parse: (value) => (typeof value === 'string' && value.length >= 16 && value.length <= 512 ? value : undefined),
  describe: (value) => (typeof value === 'string' ? `${value.length} characters` : describeKind(value)),
};
const TENANT: Check<string> = {
  accepted: 'the id of a tenant',
  parse: (value) => (isTenantId(value) ? value : undefined),
};
const STORE = objectWith<TelemetryStore>('append', 'listTraces', 'getTrace', 'getLogs', 'tail', 'stats', 'close');
const CLOCK = objectWith<Clock>('now', 'monotonic', 'schedule');

/** Throws an `IsotraceError` that names every option that cannot be used. */
export function resolveDashboardOptions(options: DashboardOptions): DashboardSettings {
  const issues = new IssueLog();
  const reader = OptionReader.open(options, '', KNOWN, issues);
  const integer = (option: keyof typeof BOUNDS): number =>
    reader?.read(option, integerIn(BOUNDS[option])) ?? BOUNDS[option].default;
  const host = reader?.read('host', HOST) ?? '127.0.0.1';
  const tokens = reader === undefined ? [] : readTokens(reader);
  if (tokens.length === 0 && !isLoopback(host)) {
    issues.add('token', 'a token, because others can reach the host', 'none');
  }
  const clock = reader?.read('clock', CLOCK) ?? systemClock;
  const directory = reader?.read('directory', text(4_096));
  const tenantAttribute = reader?.read('tenantAttribute', text(255)) ?? 'tenant.id';
  const given = reader?.read('store', STORE);
  const maxBytes = integer('maxBytes');
  const settings = {
    port: integer('port'),
    grpcPort: reader?.get('grpcPort') === undefined ? undefined : integer('grpcPort'),
    ...{ host, tokens, clock },
    tenantHeader: reader?.read('tenantHeader', HEADER)?.toLowerCase(),
    allowedHosts: reader?.readList('allowedHosts', HOST, MAX_ELEMENTS) ?? [],
    maxBodyBytes: integer('maxBodyBytes'),
    maxConnections: integer('maxConnections'),
    flushMillis: integer('flushMillis'),
    // What they hold is checked one by one when they are registered.
    slos: reader?.readList('slos', kept<SloOptions>('an objective'), MAX_ELEMENTS) ?? [],
    alerts: reader?.readList('alerts', kept<AlertRule>('an alert rule'), MAX_ELEMENTS) ?? [],
    alertHandlers: reader?.readList('alertHandlers', callable<AlertHandler>('a function'), MAX_ELEMENTS) ?? [],
    alertIntervalMillis: integer('alertIntervalMillis'),
  };
  if (issues.count > 0) {
    const all = issues.list();
    const texts = all.map(({ option, accepted, received }) => `${option}: ${accepted} (received: ${received})`);
    throw new IsotraceError('config_invalid', `the dashboard cannot start: ${texts.join('; ')}`, { issues: all });
  }
  const ring = { maxBytes, tenantAttribute, clock, ...(directory !== undefined && { directory }) };
  return { ...settings, store: given ?? new SegmentRing(ring) };
}

function kept<T extends object>(accepted: string): Check<T> {
  return {
    accepted,
    parse: (value) => (isOptionsObject(value) ? (value as T) : undefined),
    describe: describeKind,
  };
}

/** A list without a token would let everybody in whom it was meant to keep out, so it is an issue. */
function readTokens(reader: OptionReader): readonly DashboardToken[] {
  const given = reader.get('token');
  if (given === undefined) return [];
  if (typeof given === 'string') {
    const token = reader.read('token', TOKEN);
    return token === undefined ? [] : [{ token }];
  }
  const list = elementsOf(given, MAX_ELEMENTS);
  if (list === undefined || list.length === 0) {
    reader.issues.add('token', 'a token, or a list of at least one', describeKind(given));
    return [];
  }
  return list.map((entry, index) => readToken(entry, `token[${index}]`, reader.issues));
}

function readToken(entry: unknown, path: string, issues: IssueLog): DashboardToken {
  const reader = OptionReader.open(entry ?? null, path, KNOWN_OF_TOKEN, issues);
  const token = reader?.read('token', TOKEN);
  if (reader !== undefined && reader.get('token') === undefined) issues.add(`${path}.token`, TOKEN.accepted, 'none');
  const tenants = reader?.readList('tenants', TENANT, MAX_ELEMENTS);
  if (tenants?.length === 0) issues.add(`${path}.tenants`, 'ids of tenants', 'none');
  const readOnly = reader?.read('readOnly', oneOf(true, false));
  return { token: token ?? '', ...(tenants && { tenants }), ...(readOnly !== undefined && { readOnly }) };
}
