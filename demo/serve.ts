import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { TracerRegistry } from 'isotrace';
import { type Dashboard, startDashboard } from 'isotrace/dashboard';
import { pino } from 'pino';
import { createShop, type Order } from './shop.ts';
import { createCanaries, Directory, serviceNameOf, TENANT_IDS, TENANTS, type TenantId } from './tenants.ts';

const ORDER_MILLIS = 120;
const TICKET_EVERY_ORDERS = 9;
const EVICT_EVERY_ORDERS = 60;
const SHUTDOWN_MILLIS = 2_000;
/** Nobody listens there. */
const DEAD_ENDPOINT = 'http://127.0.0.1:1';
const MODELS = ['claude-sonnet-4-5', 'gpt-5-mini'];

/** Shows the shop's tenants on the dashboard while orders come in, until the process is told to end. */
export async function serveShop(port: number): Promise<void> {
  const dashboard = await openDashboard(port);
  const receiver = await listen(
    createServer((request, response) => request.resume().once('end', () => response.end())),
  );
  const registry = createServedRegistry(urlOf(receiver));
  dashboard.attach(registry);
  const shop = createShop({ registry, courierCanary: createCanaries().courier, tracing: true });
  const server = await listen(createServer(shop));
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  process.stdout.write('One Express server, traced by isotrace, serves these tenants, and orders keep coming in:\n\n');
  for (const [id, special] of Object.entries(TENANTS)) process.stdout.write(`  ${id.padEnd(9)} ${special}\n`);
  process.stdout.write(`\nThe dashboard: ${dashboard.url}\n\nCtrl-C ends it.\n`);
  await orderUntil(stop.signal, urlOf(server), registry);
  server.close();
  await registry.shutdown({ timeoutMillis: SHUTDOWN_MILLIS });
  receiver.close();
  await dashboard.close();
}

/** On the port that was asked for, or on any other where that is taken. */
async function openDashboard(port: number): Promise<Dashboard> {
  try {
    return await startDashboard({ port });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    return await startDashboard({ port: 0 });
  }
}

/** Every tenant has a receiver, which takes everything and keeps nothing; that of initech is down. */
function createServedRegistry(receiver: string): TracerRegistry {
  const known = TENANT_IDS.filter((id) => id !== 'nobody').map((id) => ({ id, endpoint: receiver, apiKey: '' }));
  const directory = new Directory(known);
  return new TracerRegistry({
    profile: 'low-latency',
    logger: pino({ level: 'silent' }),
    strict: true,
    configure: async (tenantId) => {
      const customer = await directory.find(tenantId);
      if (customer === undefined) return undefined;
      const endpoint = customer.id === 'initech' ? DEAD_ENDPOINT : customer.endpoint;
      return { service: { name: serviceNameOf(customer.id) }, destination: { endpoint } };
    },
  });
}

async function listen(server: Server): Promise<Server> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function urlOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function orderUntil(stop: AbortSignal, url: string, registry: TracerRegistry): Promise<void> {
  for (let id = 1; !stop.aborted; id += 1) {
    const customer = TENANT_IDS[id % TENANT_IDS.length] as TenantId;
    const order: Order = { id, items: id % 7, card: id % 11 === 0 ? 'declined' : 'good' };
    if (id % EVICT_EVERY_ORDERS === 0) await fetch(`${url}/tenants/umbrella`, { method: 'DELETE' });
    const headers = { 'content-type': 'application/json', 'x-customer': customer };
    await fetch(`${url}/orders`, { method: 'POST', headers, body: JSON.stringify(order) });
    if (id % TICKET_EVERY_ORDERS === 0) void answerTicket(registry, customer, id);
    await sleep(ORDER_MILLIS, undefined, { signal: stop }).catch(() => undefined);
  }
}

/** What an assistant of the shop does: two calls of models, whose tokens and costs the dashboard adds up. */
async function answerTicket(registry: TracerRegistry, customer: TenantId, id: number): Promise<void> {
  const tracer = registry.get(customer);
  await tracer.withSpan('answer ticket', async () => {
    for (const [at, model] of MODELS.entries()) {
      await tracer.withSpan(`chat ${model}`, async (span) => {
        await sleep(40 + (id % 5) * 30);
        const [input, output] = [600 + (id % 13) * 40, 90 + (id % 7) * 25];
        span.setAttributes({
          'gen_ai.operation.name': 'chat',
          'gen_ai.request.model': model,
          'gen_ai.usage.input_tokens': input,
          'gen_ai.usage.output_tokens': output,
          'isotrace.usage.cost': Number(
            ((input * (at === 0 ? 3 : 0.25) + output * (at === 0 ? 15 : 2)) / 1e6).toFixed(6),
          ),
        });
      });
    }
  });
}
