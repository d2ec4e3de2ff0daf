import type { Objectives } from '../objectives/objectives.ts';
import type { Signal } from '../otlp/signal.ts';
import { parseQuery } from '../query/parse-query.ts';
import type { Query } from '../query/query.ts';
import type { TelemetryStore, TimeRange } from '../store/telemetry-store.ts';
import { narrowScope, type TenantScope } from '../store/tenant-scope.ts';
import type { Access } from './access.ts';
import type { Problem } from './answer.ts';
import { list, type Parameters, readParameters, text, time, type ValuesOf } from './api-parameters.ts';
import type { AttachedRegistries } from './attached-registries.ts';
import type { Schema } from './response-schema.ts';
import type { ViewList } from './view-list.ts';

/** What the answers are made from. */
export interface ApiContext {
  readonly store: TelemetryStore;
  readonly views: ViewList;
  readonly registries: AttachedRegistries;
  readonly objectives: Objectives;
  readonly access: Access;
  readonly now: number;
}

export type ApiResult = { readonly value: unknown } | { readonly problem: Problem };

/** One `GET` below `/api/v1`: described by the same table that checks it. */
export interface ApiRoute {
  /** With `{name}` for a part that is a parameter. */
  readonly path: string;
  readonly summary: string;
  readonly parameters: Parameters;
  /** What the answer holds, in words. */
  readonly answer: string;
  readonly schema: Schema<unknown>;
  /** What the events of a stream hold, by their names; the answer is one when there are some. */
  readonly events?: Readonly<Record<string, Schema<unknown>>>;
  ask(context: ApiContext, given: URLSearchParams): Promise<ApiResult>;
}

/** The answer cannot be given; for use inside `ask`. */
export class ApiProblem extends Error {
  override readonly name = 'ApiProblem';
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.message);
    this.problem = problem;
  }
}

const HOUR_MILLIS = 3_600_000;

export const TENANT_PARAMETER = {
  tenant: list('Only these tenants, separated by commas. It narrows what the token may see, and never widens it.'),
};

export const RANGE_PARAMETERS = {
  start: time('From then on. Default: an hour before `end`.'),
  end: time('Up to then. Default: no end.'),
};

export const QUERY_PARAMETER = { query: text('What to look for, in the search language.') };

/** Ties the parameters of a route to the values that its function gets, and its schema to what that answers. */
export function defineRoute<P extends Parameters, A>(
  route: Pick<ApiRoute, 'path' | 'summary' | 'answer' | 'events'> & {
    readonly parameters: P;
    readonly schema: Schema<A>;
    readonly ask: (context: ApiContext, values: ValuesOf<P>) => Promise<NoInfer<A>>;
  },
): ApiRoute {
  const { ask, ...rest } = route;
  return {
    ...rest,
    async ask(context, given) {
      const read = readParameters(route.parameters, given, context.now);
      if ('problem' in read) return read;
      try {
        return { value: await ask(context, read.values) };
      } catch (error) {
        if (error instanceof ApiProblem) return { problem: error.problem };
        throw error;
      }
    },
  };
}

/** What the token allows, less what was not asked for. To ask for more than it allows is refused. */
export function scopeOf({ access }: ApiContext, tenants: readonly string[]): TenantScope {
  if (tenants.length === 0) return access.scope;
  const wanted = new Set(tenants);
  const scope = narrowScope(access.scope, wanted);
  if (scope !== 'all' && scope.size < wanted.size) {
    throw new ApiProblem({ status: 403, message: 'the token may not see this tenant', parameter: 'tenant' });
  }
  return scope;
}

export function rangeOf(
  { now }: ApiContext,
  { start, end }: { readonly start: number | undefined; readonly end: number | undefined },
): TimeRange {
  const endMillis = end ?? Number.MAX_SAFE_INTEGER;
  const startMillis = start ?? Math.min(end ?? now, now) - HOUR_MILLIS;
  if (startMillis < endMillis) return { startMillis, endMillis };
  throw new ApiProblem({ status: 400, message: 'the end is not after the start', parameter: 'end' });
}

export function queryOf(written: string, signal: Signal, parameter = 'query'): Query {
  const result = parseQuery(written, signal);
  if (result.ok) return result.query;
  const { message, position } = result;
  throw new ApiProblem({ status: 400, message, parameter, position });
}
