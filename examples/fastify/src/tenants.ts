/** A customer with a backend of its own. In production a table of your database. */
export interface Tenant {
  readonly id: string;
  readonly endpoint: string;
  readonly apiKey: string;
}

const endpoint = process.env['ISOTRACE_ENDPOINT'] ?? 'http://localhost:4318';
const tenants = new Map<string, Tenant>([
  ['acme', { id: 'acme', endpoint, apiKey: 'backend-key-of-acme' }],
  ['globex', { id: 'globex', endpoint: process.env['GLOBEX_ENDPOINT'] ?? endpoint, apiKey: 'backend-key-of-globex' }],
]);

export async function findTenant(tenantId: string): Promise<Tenant | undefined> {
  return tenants.get(tenantId);
}

/** The tenant that a session belongs to: what authentication comes to. */
export function tenantOfToken(authorization: string | undefined): string | undefined {
  const tenantId = /^Bearer session-of-(\w+)$/.exec(authorization ?? '')?.[1];
  return tenantId !== undefined && tenants.has(tenantId) ? tenantId : undefined;
}
