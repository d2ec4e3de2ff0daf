/** A customer of the shop. In production a table of your database. */
export interface Tenant {
  readonly id: string;
  readonly plan: 'free' | 'pro';
}

const byKey = new Map<string, Tenant>([
  ['key-of-acme', { id: 'acme', plan: 'pro' }],
  ['key-of-globex', { id: 'globex', plan: 'free' }],
]);
const byId = new Map([...byKey.values()].map((tenant) => [tenant.id, tenant]));

/** The tenant that an API key belongs to: what authentication comes to. */
export function findByKey(key: string | undefined): Tenant | undefined {
  return byKey.get(key ?? '');
}

export function findById(tenantId: string): Tenant | undefined {
  return byId.get(tenantId);
}
