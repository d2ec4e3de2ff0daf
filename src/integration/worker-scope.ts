import type { ContextOperations } from '../core/context.ts';
import { TracerRegistry } from '../core/registry.ts';
import type { Tracer } from '../core/tracer.ts';
import type { TracerBase } from '../core/tracer-base.ts';

/** A tenant's scope as plain data: for `workerData`, a message, or an environment variable as JSON. Holds no secret. */
export interface SerializedScope {
  readonly version: 1;
  readonly tenantId: string;
  /** `traceparent`, `tracestate` and the baggage that may leave the process. */
  readonly headers: Readonly<Record<string, string>>;
  /** The session, if there is one. */
  readonly sessionId?: string | undefined;
}

/** A tracer that knows its context. */
export type ScopedTracer = TracerBase & ContextOperations;

/** What of a tenant's running context another thread or process needs to continue it. Never throws. */
export function captureScope(tracer: ScopedTracer): SerializedScope {
  const headers = tracer.inject<Record<string, string>>({});
  const sessionId = tracer.sessionId();
  return { version: 1, tenantId: tracer.tenantId, headers, ...(sessionId !== undefined && { sessionId }) };
}

/**
 * Runs `fn` in a captured scope: as the tracer's tenant, or, with a registry, as the tenant that the scope is of. The scope
 * is trusted: it must come from one's own program. Of what is none, nothing is continued.
 */
export function continueScope<T>(source: TracerRegistry<Tracer> | ScopedTracer, scope: unknown, fn: () => T): T {
  const { version, tenantId, headers, sessionId } = (scope ?? {}) as Partial<SerializedScope>;
  const isScope = version === 1;
  const named = isScope && typeof tenantId === 'string' ? tenantId : '';
  const tracer: ScopedTracer = source instanceof TracerRegistry ? source.get(named) : source;
  const inSession = isScope && typeof sessionId === 'string' ? () => tracer.withSession(sessionId, fn) : fn;
  return tracer.continueFrom(isScope ? headers : undefined, inSession);
}
