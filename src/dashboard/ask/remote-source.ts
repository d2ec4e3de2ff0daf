import { untraced } from '../../infra/untraced.ts';
import type { TimeRange } from '../store/telemetry-store.ts';
import type { TenantScope } from '../store/tenant-scope.ts';
import type { Written } from './check-question.ts';
import { toPlain } from './plain.ts';
import { AskError, type KnownTenants, type QuerySource, STRANGE_ANSWER } from './query-source.ts';
import type { QueryFailure } from './question.ts';

/** A dashboard elsewhere. */
export interface RemoteDashboard {
  /** Such as `https://dashboard.example`; what follows the path of it is the dashboard's own. */
  readonly url: URL;
  readonly token: string | undefined;
}

type Parameters = Readonly<Record<string, string | number | undefined>>;

/** Longer answers are not read to their end. */
const MAX_BYTES = 64 * 1_048_576;
const NOT_FOUND = 404;

/**
 * Asks a dashboard's API. The tenants are told with every question; what the token allows may be less. Redirects are not
 * followed: the token is for nobody else.
 */
export function remoteSource({ url, token }: RemoteDashboard, scope: TenantScope): QuerySource {
  const headers = { accept: 'application/json', ...(token !== undefined && { authorization: `Bearer ${token}` }) };
  const tenant = scope === 'all' ? undefined : [...scope].join(',');
  const base = `${url.origin}${url.pathname.replace(/\/+$/, '')}/api/v1/`;

  /** The answer, which has these arrays; `undefined` when there is nothing at the path. */
  async function ask<T>(
    path: string,
    parameters: Parameters,
    arrays: readonly string[],
    signal: AbortSignal,
  ): Promise<T | undefined> {
    const given = Object.entries({ ...parameters, tenant }).filter(([, value]) => value !== undefined && value !== '');
    const query = new URLSearchParams(given.map(([key, value]): [string, string] => [key, String(value)]));
    const response = await connect(`${base}${path}?${query}`, { headers, signal, redirect: 'manual' });
    if (response.status === NOT_FOUND) {
      await response.body?.cancel();
      return undefined;
    }
    const value = parse(await readText(response));
    if (!response.ok) throw new AskError(reasonOf(response.status), messageOf(response.status, value));
    if (typeof value !== 'object' || value === null || !arrays.every((key) => Array.isArray(Reflect.get(value, key))))
      throw new AskError('failed', STRANGE_ANSWER);
    return toPlain(value) as T;
  }

  async function askOne<T>(path: string, parameters: Parameters, arrays: readonly string[], signal: AbortSignal) {
    const value = await ask<T>(path, parameters, arrays, signal);
    if (value === undefined) throw new AskError('failed', `there is no ${path} at the dashboard`);
    return value;
  }

  return {
    kind: 'dashboard',
    scope,
    listTraces: ({ order, ...search }, signal) =>
      askOne('traces', { ...toParameters(search), order }, ['traces'], signal),
    getTrace: async (traceId, limit, signal) =>
      (await ask(`traces/${traceId}`, { limit }, ['spans'], signal)) ?? { spans: [], more: false },
    getLogs: (search, signal) => askOne('logs', toParameters(search), ['logs'], signal),
    queryMetric: ({ name, stepMillis, aggregation = 'auto', groupBy, ...search }, signal) => {
      const parameters = { name, step: `${stepMillis}ms`, aggregation, by: groupBy.join(',') };
      return askOne('metrics/query', { ...toParameters(search), ...parameters }, ['series'], signal);
    },
    stats: (signal) => askOne('stats', {}, ['notices'], signal),
    health: async (limit, signal) => (await ask<KnownTenants>('health', { limit }, ['tenants'], signal)) ?? NOBODY,
  };
}

/** Of a dashboard that is older. */
const NOBODY: KnownTenants = { tenants: [], more: 0 };

async function connect(url: string, init: RequestInit): Promise<Response> {
  try {
    return await untraced(() => fetch(url, init));
  } catch {
    // What the platform says may hold the address.
    throw new AskError('unreachable', 'the dashboard cannot be reached');
  }
}

async function readText({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) {
      size += chunk.byteLength;
      if (size > MAX_BYTES) break;
      chunks.push(chunk);
    }
  } catch {
    throw new AskError('unreachable', 'the connection to the dashboard ended within an answer');
  }
  if (size > MAX_BYTES) throw new AskError('failed', `the answer is longer than ${MAX_BYTES} bytes`);
  return Buffer.concat(chunks).toString('utf8');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function toParameters({ written, range, limit }: Written): Parameters {
  return { query: written, limit, ...rangeParameters(range) };
}

function rangeParameters({ startMillis, endMillis }: TimeRange): Parameters {
  return { start: Math.max(startMillis, 0), end: endMillis === Number.MAX_SAFE_INTEGER ? undefined : endMillis };
}

function reasonOf(status: number): QueryFailure {
  if (status === 400) return 'invalid';
  if (status === 401 || status === 403) return 'refused';
  return status === 429 ? 'overloaded' : 'failed';
}

/** What the dashboard says, shortened. */
function messageOf(status: number, value: unknown): string {
  const error: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'error') : undefined;
  const message: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'message') : undefined;
  return typeof message === 'string' ? message.slice(0, 500) : `the dashboard answered with status ${status}`;
}
