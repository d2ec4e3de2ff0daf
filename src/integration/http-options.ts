import type { Attributes } from '@opentelemetry/api';
import type { IncomingTrust } from '../core/propagation.ts';
import type { IntegerOption } from '../utils/integer-options.ts';
import { callable, integerIn, oneOf } from '../utils/option-checks.ts';
import { type Check, elementsOf, type IssueLog, OptionReader } from '../utils/option-reader.ts';
import { describeKind } from '../utils/secret.ts';
import { METER_CHOICE, type MeterChoice } from './measurement-source.ts';

/** What the adapter of a web framework is told; `Request` is the framework's own. */
export interface HttpOptions<Request> {
  /**
   * Names the tenant of a request, from what the application has authenticated: a session, a verified token, a host
   * name that it looked up. Never take a header's word for it. Without an answer the request follows `unassigned`, as it
   * does when the function throws, rejects or takes longer than `tenantTimeoutMillis`.
   */
  readonly tenant: (request: Request) => string | null | undefined | Promise<string | null | undefined>;
  /**
   * How far the `traceparent`, `tracestate` and `baggage` of a request are trusted. Default: `'parent'`; `'link'` is
   * recommended for public endpoints. Whatever they say, they never select a tenant.
   */
  readonly incoming?: IncomingTrust | undefined;
  /** Who gets the requests without a tenant: the platform tracer or nobody. Default: `'drop'`. */
  readonly unassigned?: 'platform' | 'drop' | undefined;
  /**
   * Requests that are not traced: paths (with a `*` at the end, all that begin so), expressions that a path matches, up
   * to 1,000; or a function. `tenant` is not asked about them. Default: none.
   */
  readonly exclude?: readonly (string | RegExp)[] | ((request: Request) => boolean) | undefined;
  /** Attributes for the span of a request, over the adapter's own. Default: none. */
  readonly attributes?: ((request: Request) => Attributes | undefined) | undefined;
  /** The template of the route, where the framework cannot tell it; asked when the response is over. Default: the framework's. */
  readonly route?: ((request: Request) => string | undefined) | undefined;
  /** Milliseconds that an asynchronous `tenant` may take, 1 to 60,000. Default: 2,000. */
  readonly tenantTimeoutMillis?: number | undefined;
  /**
   * Whether a proxy in front sets `Forwarded` or `X-Forwarded-*`, so that they name the client and the host. Without one
   * anybody can send them. Default: `false`.
   */
  readonly trustProxy?: boolean | undefined;
  /** Methods that appear by name; all others are `_OTHER`. Default: those of RFC 9110 and `PATCH`. Up to 100. */
  readonly knownMethods?: readonly string[] | undefined;
  /**
   * Where `http.server.request.duration` and `http.server.active_requests` are measured: one meter for each tenant, one
   * provider, the process owner's own, whose points then carry `tenant.id`, or nowhere (`false`). Default: in the tenant's
   * own metrics, unless instrumentation has begun the request's span, which has measurements of its own.
   */
  readonly meterProvider?: MeterChoice | undefined;
}

/** {@link HttpOptions}, checked and complete. */
export interface HttpSettings<Request> {
  readonly tenant: HttpOptions<Request>['tenant'] | undefined;
  readonly incoming: IncomingTrust;
  readonly unassigned: 'platform' | 'drop';
  /** May throw what the user's function throws. */
  readonly exclude: ((request: Request, path: string) => boolean) | undefined;
  readonly attributes: ((request: Request) => Attributes | undefined) | undefined;
  readonly route: ((request: Request) => string | undefined) | undefined;
  readonly tenantTimeoutMillis: number;
  readonly trustProxy: boolean;
  readonly knownMethods: ReadonlySet<string>;
  /** `undefined`: the tenant's own metrics. */
  readonly meterProvider: MeterChoice | undefined;
}

const MAX_PATTERNS = 1_000;
const MAX_METHODS = 100;
const KNOWN_METHODS: ReadonlySet<string> = new Set([
  ...['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'],
]);
export const TENANT_TIMEOUT: IntegerOption = { min: 1, max: 60_000, default: 2_000, unit: 'milliseconds' };

const KNOWN_OPTIONS: ReadonlySet<string> = new Set(
  Object.keys({
    tenant: true,
    incoming: true,
    unassigned: true,
    exclude: true,
    attributes: true,
    route: true,
    tenantTimeoutMillis: true,
    trustProxy: true,
    knownMethods: true,
    meterProvider: true,
  } satisfies Record<keyof HttpOptions<unknown>, true>),
);

/** Never throws; every problem is an issue below `name`, and the default is in force instead. */
export function readHttpOptions<Request>(name: string, input: unknown, issues: IssueLog): HttpSettings<Request> {
  const reader = OptionReader.open(input, name, KNOWN_OPTIONS, issues);
  const tenant = reader?.read('tenant', callable<HttpOptions<Request>['tenant']>('a function'));
  if (tenant === undefined && reader?.get('tenant') === undefined) {
    issues.add(`${name}.tenant`, 'a function', 'undefined');
  }
  const pattern = callable<(request: Request) => never>('a function');
  return Object.freeze({
    tenant,
    incoming: reader?.read('incoming', oneOf('parent', 'link', 'ignore')) ?? 'parent',
    unassigned: reader?.read('unassigned', oneOf('platform', 'drop')) ?? 'drop',
    exclude: reader?.read('exclude', excludeCheck<Request>()),
    attributes: reader?.read('attributes', pattern),
    route: reader?.read('route', pattern),
    tenantTimeoutMillis: reader?.read('tenantTimeoutMillis', TIMEOUT) ?? TENANT_TIMEOUT.default,
    trustProxy: reader?.read('trustProxy', oneOf(true, false)) ?? false,
    knownMethods: reader?.read('knownMethods', METHODS) ?? KNOWN_METHODS,
    meterProvider: reader?.read('meterProvider', METER_CHOICE),
  });
}

export const TIMEOUT = integerIn(TENANT_TIMEOUT);

const METHODS: Check<ReadonlySet<string>> = {
  accepted: `an array of up to ${MAX_METHODS} strings`,
  parse: (value) => {
    const methods = elementsOf(value, MAX_METHODS);
    return methods?.every((method) => typeof method === 'string') ? new Set(methods) : undefined;
  },
  describe: describeKind,
};

export function excludeCheck<Request>(): Check<(request: Request, path: string) => boolean> {
  return {
    accepted: `a function or an array of up to ${MAX_PATTERNS} strings and expressions`,
    parse: (value) => {
      if (typeof value === 'function') return (request) => Boolean((value as (request: Request) => unknown)(request));
      const patterns = elementsOf(value, MAX_PATTERNS)?.map(parsePattern);
      if (patterns === undefined || patterns.includes(undefined)) return undefined;
      return (_request, path) => patterns.some((matches) => matches?.(path));
    },
    describe: describeKind,
  };
}

function parsePattern(pattern: unknown): ((path: string) => boolean) | undefined {
  if (pattern instanceof RegExp) {
    // With `g` or `y` an expression would remember where it was.
    const expression = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ''));
    return (path) => expression.test(path);
  }
  if (typeof pattern !== 'string' || pattern === '') return undefined;
  if (!pattern.endsWith('*')) return (path) => path === pattern;
  const prefix = pattern.slice(0, -1);
  return (path) => path.startsWith(prefix);
}
