import type { TracerRegistry } from '../../core/registry.ts';
import type { TracerBase } from '../../core/tracer-base.ts';
import { describeHealth, isWell, type TenantHealth } from '../server/tenant-health.ts';
import type { StoreStats } from '../store/store-figures.ts';
import type {
  LogPage,
  MetricAnswer,
  MetricQuestion,
  TelemetryStore,
  TracePage,
  TraceSearch,
  TraceSpans,
} from '../store/telemetry-store.ts';
import { isInScope, type TenantScope } from '../store/tenant-scope.ts';
import type { Written } from './check-question.ts';
import { type Plain, toPlain } from './plain.ts';
import type { QueryFailure } from './question.ts';

export interface KnownTenants {
  readonly tenants: readonly Plain<TenantHealth>[];
  readonly more: number;
}

/** Where answers come from, within a scope that was bound when it was made. Each may reject, best with an `AskError`. */
export interface QuerySource {
  readonly kind: 'store' | 'dashboard';
  readonly scope: TenantScope;
  listTraces(search: Written & Pick<TraceSearch, 'order'>, signal: AbortSignal): Promise<Plain<TracePage>>;
  getTrace(traceId: string, limit: number, signal: AbortSignal): Promise<Plain<TraceSpans>>;
  getLogs(search: Written, signal: AbortSignal): Promise<Plain<LogPage>>;
  queryMetric(question: Written & Omit<MetricQuestion, 'scope'>, signal: AbortSignal): Promise<Plain<MetricAnswer>>;
  stats(signal: AbortSignal): Promise<Plain<StoreStats>>;
  /** How the tenants do whose tracers it knows; those that are not well first. */
  health(limit: number, signal: AbortSignal): Promise<KnownTenants>;
}

/** Of a dashboard that is none, or of another version. */
export const STRANGE_ANSWER = 'the dashboard answered something else than its API says';

/** Why there is no answer. */
export class AskError extends Error {
  override readonly name = 'AskError';
  readonly reason: QueryFailure;

  constructor(reason: QueryFailure, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** A store of this process, and the tenants of a registry of this process. */
export function storeSource(
  store: TelemetryStore,
  scope: TenantScope,
  registry: TracerRegistry<TracerBase> | undefined,
): QuerySource {
  return {
    kind: 'store',
    scope,
    listTraces: async (search) => toPlain(await store.listTraces({ ...search, scope })),
    getTrace: async (traceId, limit) => toPlain(await store.getTrace(scope, traceId, limit)),
    getLogs: async (search) => toPlain(await store.getLogs({ ...search, scope })),
    queryMetric: async (question) => toPlain(await store.queryMetric({ ...question, scope })),
    stats: async () => toPlain(await store.stats(scope)),
    health: async (limit) => {
      const tenants = registry === undefined ? [] : tracersOf(registry, scope);
      return { tenants: toPlain(tenants.slice(0, limit)), more: Math.max(tenants.length - limit, 0) };
    },
  };
}

function tracersOf(registry: TracerRegistry<TracerBase>, scope: TenantScope): TenantHealth[] {
  const tenants = [...registry.entries()]
    .filter(([tenantId]) => isInScope(scope, tenantId))
    .map(([tenantId, tracer]) => {
      const observed = { tenantId, isPlatform: false, stats: tracer.stats(), health: tracer.health(), lost: 0 };
      return describeHealth(tenantId, 1, observed);
    });
  return tenants.sort(
    (one, other) => Number(isWell(one)) - Number(isWell(other)) || (one.tenant < other.tenant ? -1 : 1),
  );
}
