import { Worker } from 'node:worker_threads';
import { TracerRegistry } from '../../src/index.ts';

/** What a host process of the tests does, given as JSON in its first argument. */
export interface HostOrders {
  readonly endpoint: string;
  readonly spans: number;
  readonly maxSize?: number;
  /** Installs the process hooks with this time. */
  readonly hooksMillis?: number;
  /** Shuts down in the end. */
  readonly shutsDown?: boolean;
  /** Has work for ever. */
  readonly stays?: boolean;
  /** So many worker threads do the same, each by itself. */
  readonly workers?: number;
}

const orders = JSON.parse(process.argv[2] ?? '{}') as HostOrders;
const { endpoint, spans, maxSize = 512, hooksMillis, shutsDown = false, stays = false, workers = 0 } = orders;

if (workers > 0) startWorkers();
else work();

function work(): void {
  const registry = new TracerRegistry({
    platform: false,
    destination: { endpoint },
    batch: { delayMillis: 60_000, maxSize },
    limits: { maxQueueSize: 50_000 },
  });
  if (hooksMillis !== undefined) registry.installProcessHooks({ timeoutMillis: hooksMillis });
  const tracer = registry.get('acme');
  for (let index = 0; index < spans; index += 1) tracer.startSpan(`${index}`).end();
  if (shutsDown) void registry.shutdown();
  if (stays) setInterval(() => {}, 1_000);
  process.stdout.write('ready\n');
}

function startWorkers(): void {
  // Node 20 hands no loader on to worker threads: each gets tsx by its own bootstrap.
  const source = `
    const { workerData } = require('node:worker_threads');
    process.argv[2] = workerData.orders;
    import('tsx/esm/api').then(({ register }) => {
      register();
      return import(workerData.host);
    });
  `;
  const workerData = { host: import.meta.url, orders: JSON.stringify({ ...orders, workers: 0, shutsDown: true }) };
  for (let number = 0; number < workers; number += 1) {
    new Worker(source, { eval: true, workerData }).on('error', (error) => {
      throw error;
    });
  }
}
