import { TracerRegistry } from 'isotrace';
import { fastify } from 'isotrace/fastify';
import { findTenant } from './tenants.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by authentication. */
    tenantId?: string;
  }
}

export const registry = new TracerRegistry({
  service: { name: 'weather' },
  // Asked once for each tenant. Spans that end before it has answered wait, and lose nothing.
  configure: async (tenantId) => {
    const tenant = await findTenant(tenantId);
    if (tenant === undefined) return undefined;
    return {
      attributes: { 'tenant.id': tenantId },
      destination: { endpoint: tenant.endpoint, headers: { authorization: `Bearer ${tenant.apiKey}` } },
    };
  },
});

/** Each request runs as the tenant that authentication has found, in a SERVER span. */
export const telemetry = fastify(registry, { tenant: (request) => request.tenantId });
