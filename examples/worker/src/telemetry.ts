import { TracerRegistry } from 'isotrace';

export const registry = new TracerRegistry({
  service: { name: 'documents' },
  destination: { endpoint: process.env['ISOTRACE_ENDPOINT'] ?? 'http://localhost:4318' },
  configure: (tenantId) => ({ attributes: { 'tenant.id': tenantId } }),
});
