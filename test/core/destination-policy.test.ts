import { afterEach, describe, expect, it } from 'vitest';
import { TracerRegistry } from '../../src/index.ts';

const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const LOCAL = { endpoint: 'http://127.0.0.1:9' };

let registry: TracerRegistry;

afterEach(() => registry.shutdown({ timeoutMillis: 0 }));

/** Paths of the options that are not acceptable, and how many destinations are in use. */
function healthOf(tenantId: string) {
  const tracer = registry.get(tenantId);
  tracer.startSpan('work').end();
  const { destinations, issues } = tracer.health();
  return { destinations: destinations.length, options: issues.map(({ option }) => option) };
}

describe("the destinations of a registry's tenants", () => {
  it('that configure names are held to endpointPolicy, those of the registry are not', () => {
    registry = new TracerRegistry({
      destination: LOCAL,
      endpointPolicy: 'public',
      platform: false,
      logger: SILENT,
      configure: (tenantId) => (tenantId === 'own' ? { destination: LOCAL } : {}),
    });
    expect(healthOf('own')).toEqual({ destinations: 0, options: ['destination.endpoint'] });
    expect(healthOf('shared')).toEqual({ destinations: 1, options: [] });
  });

  it.each([[undefined], [() => ({})]])(
    'are not used for a tenant whose id cannot be sent (configure: %o)',
    (configure) => {
      const destination = { ...LOCAL, tenantHeader: 'X-Scope-OrgID' };
      registry = new TracerRegistry({ destination, platform: false, logger: SILENT, configure });
      expect(healthOf('müller')).toEqual({ destinations: 0, options: ['destination.tenantHeader'] });
      expect(healthOf('mueller')).toEqual({ destinations: 1, options: [] });
    },
  );
});
