import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { Worker as Thread } from 'node:worker_threads';
import type { Channel, ChannelModel } from 'amqplib';
import type { Queue, Worker } from 'bullmq';
import { TracerRegistry } from 'isotrace';
import { receiveCommands } from 'isotrace/commands';
import type { Consumer, Producer } from 'kafkajs';
import OpenAI from 'openai';
import { onTestFinished, vi } from 'vitest';
import { findKafka, startKafka } from './support/kafka.ts';
import { findRabbitMq, startRabbitMq } from './support/rabbitmq.ts';
import { findRedis, startRedis } from './support/redis.ts';

/**
 * Uses what a block of the documentation exports, with real brokers and threads; the test says where spans go. Answers
 * why it cannot, where a broker does not start in time.
 */
type Program<Exported> = (exported: Exported, endpoint: string) => Promise<string | undefined>;

const PATIENCE = { timeout: 60_000 };

function registryTo(endpoint: string): TracerRegistry {
  return new TracerRegistry({ platform: false, destination: { endpoint } });
}

/** A job of a tenant is done once: then everything is delivered. */
async function done(registry: TracerRegistry): Promise<void> {
  await vi.waitUntil(() => {
    const { open, traces } = registry.get('acme').stats();
    return open === 0 && traces.created >= 4;
  }, PATIENCE);
  await registry.shutdown();
}

export const redis = findRedis();
export const useBullmq: Program<{
  openShop(registry: TracerRegistry, connection: object): { orders: Queue; worker: Worker };
}> = async ({ openShop }, endpoint) => {
  const server = await startRedis(redis as string);
  onTestFinished(() => server.stop());
  const registry = registryTo(endpoint);
  const { orders, worker } = openShop(registry, { path: server.path, maxRetriesPerRequest: null });
  await registry.get('acme').withSpan('request', () => orders.add('ship', { tenant: 'acme' }));
  await done(registry);
  await worker.close();
  await orders.close();
  return undefined;
};

export const rabbitMq = findRabbitMq();
export const useAmqplib: Program<{
  openShop(registry: TracerRegistry, url: string): Promise<{ connection: ChannelModel; channel: Channel }>;
}> = async ({ openShop }, endpoint) => {
  const server = await startRabbitMq(rabbitMq as NonNullable<typeof rabbitMq>);
  if (server === undefined) return 'RabbitMQ did not start in time';
  onTestFinished(() => server.stop());
  const registry = registryTo(endpoint);
  const { connection, channel } = await openShop(registry, server.url);
  const send = (): boolean => channel.sendToQueue('orders', Buffer.from('7'), { headers: { 'x-org': 'acme' } });
  registry.get('acme').withSpan('request', send);
  await done(registry);
  await connection.close();
  return undefined;
};

export const kafka = findKafka();
export const useKafka: Program<{
  openShop(registry: TracerRegistry, brokers: string[]): Promise<{ consumer: Consumer; producer: Producer }>;
}> = async ({ openShop }, endpoint) => {
  const server = await startKafka(kafka as string);
  onTestFinished(() => server.stop());
  const registry = registryTo(endpoint);
  const { consumer, producer } = await openShop(registry, [server.broker]);
  const messages = [{ value: '7', headers: { 'x-org': 'acme' } }];
  await registry.get('acme').withSpan('request', () => producer.send({ topic: 'orders', messages }));
  await done(registry);
  await producer.disconnect();
  await consumer.disconnect();
  return undefined;
};

export const useOpenAi: Program<{
  ask(tenant: string, client: OpenAI, content: string): Promise<unknown>;
  registry: TracerRegistry;
}> = async ({ ask, registry }) => {
  const server = http.createServer((_request, response) => {
    const message = { role: 'assistant', content: 'Three are left.' };
    const choices = [{ index: 0, message, finish_reason: 'stop' }];
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ id: 'c-1', object: 'chat.completion', created: 1, model: 'gpt-x', choices }));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const client = new OpenAI({ apiKey: 'sk-test', baseURL: `http://127.0.0.1:${port}/v1`, maxRetries: 0 });
  await ask('acme', client, 'How many?');
  await registry.shutdown();
  server.closeAllConnections();
  server.close();
  return undefined;
};

/** In a worker thread, to which Node 20 hands no loader on, a program that imports a block and calls what it exports. */
const programOf = (file: string, call: string): string =>
  `import('tsx/esm/api').then(({ register }) => (register(), import(${JSON.stringify(file)}))).then((block) => block.${call});`;

/** The parent starts the file that its page shows next. */
export const useWorkerThread: Program<{
  startResizing(registry: TracerRegistry, tenantId: string): { worker: Thread };
}> = async ({ startResizing }, endpoint) => {
  writeFileSync(new URL('.snippets/resize.js', import.meta.url), programOf('./workers-2.ts', 'resize()'));
  const registry = registryTo(endpoint);
  const { worker } = registry.get('acme').withSpan('request', () => startResizing(registry, 'acme'));
  await once(worker, 'exit');
  await registry.shutdown();
  return undefined;
};

export const useCommandClient: Program<object> = async (_exported, endpoint) => {
  const registry = registryTo(endpoint);
  const file = new URL('.snippets/commands-3.ts', import.meta.url).href;
  const parent = registry
    .get('acme')
    .withSpan('request', () => registry.get('acme').inject<Record<string, string>>({}));
  const call = `work(${JSON.stringify(parent['traceparent'])}).then(() => process.exit())`;
  const worker = new Thread(programOf(file, call), { eval: true });
  receiveCommands(registry, 'acme', worker);
  await once(worker, 'exit');
  await registry.shutdown();
  return undefined;
};
