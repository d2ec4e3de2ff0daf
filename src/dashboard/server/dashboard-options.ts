import { type Clock, systemClock } from '../../utils/clock.ts';
import { type ConfigIssue, IsotraceError } from '../../utils/errors.ts';
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

const DEFAULT_PORT = 4318;
const MIB = 1_048_576;
const MAX_BODY_BYTES = 64 * MIB;
const MIN_TOKEN_LENGTH = 16;
const MAX_TOKEN_LENGTH = 512;

/** Throws an `IsotraceError` that names every option that cannot be used. */
export function resolveDashboardOptions(options: DashboardOptions): DashboardSettings {
  const issues: ConfigIssue[] = [];
  const integer = (option: keyof DashboardOptions, fallback: number, min: number, max: number): number => {
    const value = options[option] ?? fallback;
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
    issues.push({ option, accepted: `an integer from ${min} to ${max}`, received: String(value).slice(0, 50) });
    return fallback;
  };
  const host = options.host ?? '127.0.0.1';
  const tokens = resolveTokens(options.token, issues);
  if (!isLoopback(host) && tokens.length === 0) {
    issues.push({ option: 'token', accepted: 'a token, because others can reach the host', received: 'none' });
  }
  const { tenantHeader, tenantAttribute = 'tenant.id' } = options;
  if (tenantHeader !== undefined && !/^[\w!#$%&'*+.^`|~-]{1,128}$/.test(tenantHeader)) {
    issues.push({ option: 'tenantHeader', accepted: 'the name of a header', received: 'another text' });
  }
  const port = integer('port', DEFAULT_PORT, 0, 65_535);
  const grpcPort = options.grpcPort === undefined ? undefined : integer('grpcPort', 4317, 0, 65_535);
  const maxBytes = integer('maxBytes', 256 * MIB, MIB, 2 ** 40);
  const maxBodyBytes = integer('maxBodyBytes', MAX_BODY_BYTES, 1_024, 1_024 * MIB);
  const maxConnections = integer('maxConnections', 1_024, 1, 65_535);
  const flushMillis = integer('flushMillis', 100, 10, 60_000);
  const alertIntervalMillis = integer('alertIntervalMillis', 10_000, 100, 3_600_000);
  const { slos = [], alerts = [], alertHandlers = [] } = options;
  if (!alertHandlers.every((handler) => typeof handler === 'function')) {
    issues.push({ option: 'alertHandlers', accepted: 'functions', received: 'another list' });
  }
  if (issues.length > 0) {
    const text = issues.map(({ option, accepted, received }) => `${option}: ${accepted} (received: ${received})`);
    throw new IsotraceError('config_invalid', `the dashboard cannot start: ${text.join('; ')}`, { issues });
  }
  const clock = options.clock ?? systemClock;
  const { directory, allowedHosts = [] } = options;
  const store =
    options.store ??
    new SegmentRing({ maxBytes, tenantAttribute, clock, ...(directory !== undefined && { directory }) });
  const limits = { maxBodyBytes, maxConnections, flushMillis };
  const objectives = { slos, alerts, alertHandlers, alertIntervalMillis };
  return {
    port,
    grpcPort,
    host,
    store,
    tokens,
    tenantHeader: tenantHeader?.toLowerCase(),
    allowedHosts,
    ...limits,
    ...objectives,
    clock,
  };
}

function resolveTokens(token: DashboardOptions['token'], issues: ConfigIssue[]): readonly DashboardToken[] {
  if (token === undefined) return [];
  const tokens = typeof token === 'string' ? [{ token }] : [...token];
  for (const [index, entry] of tokens.entries()) {
    const option = `token[${index}]`;
    const { length } = entry.token;
    if (length < MIN_TOKEN_LENGTH || length > MAX_TOKEN_LENGTH) {
      const accepted = `${MIN_TOKEN_LENGTH} to ${MAX_TOKEN_LENGTH} characters`;
      issues.push({ option, accepted, received: `${length} characters` });
    }
    if (entry.tenants?.every(isTenantId) === false || entry.tenants?.length === 0) {
      issues.push({ option: `${option}.tenants`, accepted: 'ids of tenants', received: 'another list' });
    }
  }
  return tokens;
}
