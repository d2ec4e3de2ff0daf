/** The tenants that a request may see: all, or these only. It comes from the token, never from a query alone. */
export type TenantScope = 'all' | ReadonlySet<string>;

export function isInScope(scope: TenantScope, tenant: string): boolean {
  return scope === 'all' || scope.has(tenant);
}

/** What both scopes allow. */
export function narrowScope(scope: TenantScope, wanted: TenantScope): TenantScope {
  if (wanted === 'all') return scope;
  return scope === 'all' ? wanted : new Set([...wanted].filter((tenant) => scope.has(tenant)));
}
