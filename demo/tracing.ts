import diagnosticsChannel from 'node:diagnostics_channel';
import { type DiagnosticEvents, type Tracer, TracerRegistry } from 'isotrace';
import { pino } from 'pino';
import { type Directory, serviceNameOf } from './tenants.ts';

/** The registry of the shop: every customer's spans go to the customer's own receiver, with its own key. */
export function createRegistry(directory: Directory): TracerRegistry {
  return new TracerRegistry({
    batch: { delayMillis: 200 },
    // What goes wrong at initech's receiver is told by the table.
    logger: pino({ level: 'silent' }),
    strict: true,
    configure: async (tenantId) => {
      const customer = await directory.find(tenantId);
      if (customer === undefined) return undefined;
      const { id, endpoint, apiKey } = customer;
      return { service: { name: serviceNameOf(id) }, destination: { endpoint, headers: { 'x-api-key': apiKey } } };
    },
  });
}

/** What happened to one tenant, as isotrace announced it on `diagnostics_channel`. */
export interface TenantHistory {
  /** Kept from the tenant's first use on; it stays good through evictions. */
  readonly tracer: Tracer;
  evictions: number;
  openAtEviction: number;
  revivals: number;
}

type TenantEvent = 'isotrace:tenant:created' | 'isotrace:tenant:evicted' | 'isotrace:tenant:revived';

/** Follows the tenants of a registry; answers what it knows so far, growing. */
export function followTenants(registry: TracerRegistry): ReadonlyMap<string, TenantHistory> {
  const histories = new Map<string, TenantHistory>();
  on('isotrace:tenant:created', ({ tenantId }) => {
    const tracer = registry.peek(tenantId);
    if (tracer !== undefined) histories.set(tenantId, { tracer, evictions: 0, openAtEviction: 0, revivals: 0 });
  });
  on('isotrace:tenant:evicted', ({ tenantId }) => {
    const history = histories.get(tenantId);
    if (history === undefined) return;
    history.evictions += 1;
    history.openAtEviction += history.tracer.stats().open;
  });
  on('isotrace:tenant:revived', ({ tenantId }) => {
    const history = histories.get(tenantId);
    if (history !== undefined) history.revivals += 1;
  });
  return histories;
}

function on<Name extends TenantEvent>(name: Name, listener: (event: DiagnosticEvents[Name]) => void): void {
  diagnosticsChannel.subscribe(name, (message) => listener(message as DiagnosticEvents[Name]));
}
