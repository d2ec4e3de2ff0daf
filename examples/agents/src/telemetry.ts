import { Tracer, TracerRegistry, WithAgents } from 'isotrace';

/** A tracer that knows conversations, agents and what they cost. */
class AgentTracer extends WithAgents(Tracer) {}

export const registry = new TracerRegistry({
  tracer: AgentTracer,
  service: { name: 'support' },
  destination: { endpoint: process.env['ISOTRACE_ENDPOINT'] ?? 'http://localhost:4318' },
  agents: { currency: 'USD', prices: { 'small-model': { input: 0.5, output: 2 } } }, // for a million tokens
  configure: (tenantId) => ({ attributes: { 'tenant.id': tenantId } }),
});

registry.installProcessHooks();
