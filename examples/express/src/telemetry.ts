import type { Request } from 'express';
import { TracerRegistry } from 'isotrace';
import { express } from 'isotrace/express';
import { findById, findByKey } from './tenants.ts';

export const registry = new TracerRegistry({
  service: { name: 'shop' },
  destination: { endpoint: process.env['ISOTRACE_ENDPOINT'] ?? 'http://localhost:4318' },
  redact: { keys: ['card'] },
  configure: (tenantId) => {
    const tenant = findById(tenantId);
    if (tenant === undefined) return undefined; // no such tenant: nothing is recorded
    return {
      attributes: { 'tenant.id': tenant.id, 'tenant.plan': tenant.plan },
      // What a free tenant may cost: a share of its traces, and those with an error.
      ...(tenant.plan === 'free' && { sampling: { ratio: 0.1, keepErrors: true } }),
    };
  },
});

/** Each request runs as the tenant of its key, in a SERVER span. */
export const telemetry = express(registry, {
  tenant: (request: Request) => findByKey(request.get('x-api-key'))?.id,
  exclude: ['/health'],
});
