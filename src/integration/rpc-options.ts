import type { IncomingTrust } from '../core/propagation.ts';
import { callable, oneOf } from '../utils/option-checks.ts';
import { type IssueLog, OptionReader } from '../utils/option-reader.ts';
import { excludeCheck, TENANT_TIMEOUT, TIMEOUT } from './http-options.ts';
import { METER_CHOICE, type MeterChoice } from './measurement-source.ts';

/** How calls get their tenant. `Call` is what `@grpc/grpc-js` gives to interceptors, `Metadata` its metadata. */
export interface RpcOptions<Metadata, Call> {
  /**
   * The tenant of a call, by what authenticated the caller: never a header's own word. `undefined` or `null`: none. May
   * be async; the call waits for it.
   */
  readonly tenant: (
    metadata: Metadata,
    call: Call,
  ) => string | null | undefined | PromiseLike<string | null | undefined>;
  /**
   * What an inbound trace context is good for. At public endpoints prefer `'link'`. Whatever it says, it never selects a
   * tenant. Default: `'parent'`.
   */
  readonly incoming?: IncomingTrust | undefined;
  /** Who gets the calls without a tenant: the platform tracer or nobody. Default: `'drop'`. */
  readonly unassigned?: 'platform' | 'drop' | undefined;
  /**
   * Calls that are not traced: methods (`grpc.health.v1.Health/Check`; with a `*` at the end, all that begin so) and
   * expressions that one matches, up to 1,000; or a function. `tenant` is not asked about them. Default: none.
   */
  readonly exclude?: readonly (string | RegExp)[] | ((method: string) => boolean) | undefined;
  /** Milliseconds that an asynchronous `tenant` may take, 1 to 60,000. Default: 2,000. */
  readonly tenantTimeoutMillis?: number | undefined;
  /**
   * Where `rpc.server.call.duration` is measured: one meter for each tenant, one provider, the process owner's own, whose
   * points then carry `tenant.id`, or nowhere (`false`). Default: in the tenant's own metrics.
   */
  readonly meterProvider?: MeterChoice | undefined;
}

/** Options of a client's interceptor. */
export interface RpcClientOptions {
  /** As for servers, where `rpc.client.call.duration` is measured. Default: in the tenant's own metrics. */
  readonly meterProvider?: MeterChoice | undefined;
}

/** {@link RpcOptions}, checked and complete. */
export interface RpcSettings<Metadata, Call> {
  readonly tenant: RpcOptions<Metadata, Call>['tenant'] | undefined;
  readonly incoming: IncomingTrust;
  readonly unassigned: 'platform' | 'drop';
  /** May throw what the user's function throws. */
  readonly exclude: ((request: string, method: string) => boolean) | undefined;
  readonly tenantTimeoutMillis: number;
  /** `undefined`: the tenant's own metrics. */
  readonly meterProvider: MeterChoice | undefined;
}

const KNOWN: ReadonlySet<string> = new Set(
  Object.keys({
    tenant: true,
    incoming: true,
    unassigned: true,
    exclude: true,
    tenantTimeoutMillis: true,
    meterProvider: true,
  } satisfies Record<keyof RpcOptions<unknown, unknown>, true>),
);

/** Never throws; every problem is an issue below `name`, and the default is in force instead. */
export function readRpcOptions<Metadata, Call>(
  name: string,
  input: unknown,
  issues: IssueLog,
): RpcSettings<Metadata, Call> {
  const reader = OptionReader.open(input, name, KNOWN, issues);
  const tenant = reader?.read('tenant', callable<RpcOptions<Metadata, Call>['tenant']>('a function'));
  if (tenant === undefined && reader?.get('tenant') === undefined) {
    issues.add(`${name}.tenant`, 'a function', 'undefined');
  }
  return Object.freeze({
    tenant,
    incoming: reader?.read('incoming', oneOf('parent', 'link', 'ignore')) ?? 'parent',
    unassigned: reader?.read('unassigned', oneOf('platform', 'drop')) ?? 'drop',
    exclude: reader?.read('exclude', excludeCheck<string>()),
    tenantTimeoutMillis: reader?.read('tenantTimeoutMillis', TIMEOUT) ?? TENANT_TIMEOUT.default,
    meterProvider: reader?.read('meterProvider', METER_CHOICE),
  });
}

const KNOWN_OF_CLIENTS: ReadonlySet<string> = new Set(
  Object.keys({ meterProvider: true } satisfies Record<keyof RpcClientOptions, true>),
);

/** As {@link readRpcOptions}, for clients. */
export function readRpcClientOptions(name: string, input: unknown, issues: IssueLog): RpcClientOptions {
  const reader = OptionReader.open(input, name, KNOWN_OF_CLIENTS, issues);
  return { meterProvider: reader?.read('meterProvider', METER_CHOICE) };
}
