// What the shop and the stock service have in common: a server that its parent process starts, asks and stops.
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type RegistryOptions, type RegistryStats, type Tracer, TracerRegistry } from '../../../src/index.ts';

export interface ServiceResult {
  readonly strategy: string | undefined;
  readonly stats: RegistryStats;
  /** Tracers that are not well. */
  readonly unwell: number;
}

/** Every tenant has an endpoint of its own at the collector; so has what belongs to none. */
export function registryOptions(name: string): RegistryOptions<Tracer> {
  const collector = process.env['COLLECTOR'] as string;
  return {
    service: { name },
    configure: (id) => ({ destination: { endpoint: `${collector}/${id}` } }),
    platform: { destination: { endpoint: `${collector}/platform` } },
  };
}

/** The registry of the SDK that the host started before, or one of its own. */
export function registryOf(name: string): TracerRegistry {
  const { registry } = globalThis as { registry?: TracerRegistry };
  return registry ?? new TracerRegistry(registryOptions(name));
}

/** Serves until the parent process says stop, then delivers everything and tells how it went. */
export async function serve(
  registry: TracerRegistry,
  listener: RequestListener,
  close = async () => {},
): Promise<void> {
  registry.install();
  // On a busy machine a caller may take longer than Node's 5 seconds to see that its connection was closed.
  const server = createServer({ keepAliveTimeout: 300_000 }, listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.send?.({ port: (server.address() as AddressInfo).port });
  await once(process, 'message');
  server.closeAllConnections();
  server.close();
  await close();
  const { installation } = registry.health();
  await registry.flush();
  const unwell = registry.health().tenants.length;
  await registry.shutdown();
  process.send?.({ strategy: installation?.strategy, stats: registry.stats(), unwell } satisfies ServiceResult);
  process.disconnect();
}
