import { type Context, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { ownerOfSpan, SCOPE_KEY, type ScopeContext, scopeOf } from './scope.ts';

/** Foreign contexts between scopes that are looked through. */
const MAX_LAYERS = 32;

/**
 * The host's own context below every tenant's scope: for work that has nothing to do with whoever happens to run it, such
 * as the next message of a loop that was started inside somebody's request. A scope whose tenant is not known yet stays:
 * it is that of the work itself.
 */
export function outsideTenants(context: Context): Context {
  let outside = context;
  for (let layer = 0; layer < MAX_LAYERS; layer += 1) {
    const scope = outside.getValue(SCOPE_KEY) as ScopeContext | undefined;
    if (scope === undefined) return ownerOfSpan(trace.getSpan(outside)) ? trace.deleteSpan(outside) : outside;
    if (isWaiting(scope)) return outside;
    outside = scope === outside ? scope.base : ROOT_CONTEXT;
  }
  return ROOT_CONTEXT;
}

/** Whether spans in this context wait for their tenant to be named. */
export function isTenantAwaited(context: Context): boolean {
  const scope = scopeOf(context);
  return scope !== undefined && isWaiting(scope);
}

function isWaiting({ owner }: ScopeContext): boolean {
  return owner.bind !== undefined && owner.tenant === undefined;
}
