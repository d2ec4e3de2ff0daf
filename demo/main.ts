import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import type { Express } from 'express';
import type { ClientMethods } from './client.ts';
import { measureOverhead } from './overhead.ts';
import { Progress } from './progress.ts';
import { type Plant, Receivers } from './receivers.ts';
import { Remote } from './remote.ts';
import { serveShop } from './serve.ts';
import { createShop, spansOf } from './shop.ts';
import { formatCount, formatTable } from './table.ts';
import { createCanaries, Directory, TENANT_IDS, TENANTS, type TenantId } from './tenants.ts';
import { createRegistry, followTenants, type TenantHistory } from './tracing.ts';
import { findProblems, isBalanced, type TenantResult } from './verdict.ts';

const { values: options } = parseArgs({
  options: {
    requests: { type: 'string', default: '3600' },
    /** Rounds that compare the shop with and without tracing; 0 leaves the comparison out. */
    rounds: { type: 'string', default: '7' },
    /** Shows the shop on the dashboard, with orders coming in, until Ctrl-C: nothing is checked or measured. */
    serve: { type: 'boolean', default: false },
    port: { type: 'string', default: '4318' },
    /** See {@link Plant}. */
    plant: { type: 'string', default: 'none' },
  },
});

if (options.serve) {
  await serveShop(Number(options.port));
  process.exit();
}

const CONCURRENCY = 100;
const SHUTDOWN_MILLIS = 2_000;
/** The 100 ms that isotrace allows itself, and the rest for a busy machine. */
const SHUTDOWN_MARGIN_MILLIS = 500;
/** More are only counted. */
const MOST_PROBLEMS = 20;

const progress = new Progress(process.stdout);
const canaries = createCanaries();
const receivers = new Receivers();
const client = new Remote<ClientMethods>('client.ts');
const servers: Server[] = [];

try {
  progress.say('One Express server, traced by isotrace, serves seven tenants:\n');
  for (const [id, special] of Object.entries(TENANTS)) progress.say(`  ${id.padEnd(9)} ${special}`);
  progress.say(
    '\nEach has an OTLP receiver in a process of its own, which looks for spans of others in what it gets.\n',
  );
  const directory = new Directory(await receivers.start(canaries, options.plant as Plant));
  const problems = await serveTraffic(directory);
  if (Number(options.rounds) > 0) await compareWithPlainShop(directory);
  for (const problem of problems.slice(0, MOST_PROBLEMS)) progress.say(`PROBLEM  ${problem}`);
  if (problems.length > MOST_PROBLEMS) progress.say(`… and ${problems.length - MOST_PROBLEMS} more problems`);
  progress.say(problems.length === 0 ? '\nAll is well: nothing lost, nothing foreign.' : '\nThe demo failed.');
  process.exitCode = problems.length === 0 ? 0 : 1;
} finally {
  client.close();
  receivers.close();
  for (const server of servers) server.close();
}

/** Has the client order for all tenants at once, shuts tracing down, and compares what isotrace and the receivers say. */
async function serveTraffic(directory: Directory): Promise<string[]> {
  const registry = createRegistry(directory);
  const histories = followTenants(registry);
  const url = await listen(createShop({ registry, courierCanary: canaries.courier, tracing: true }));
  const orders = Number(options.requests);
  const problems = new Set<string>();

  const load = client.ask('run', {
    url,
    orders,
    concurrency: CONCURRENCY,
    customers: TENANT_IDS.map((id) => ({ id, canary: canaries[id] })),
    declines: true,
    evict: { tenantId: 'umbrella', everyOrders: 60 },
  });
  const { orders: sent, failures } = await progress.during(load, async () => {
    for (const [id, { tracer }] of histories) {
      const { traces } = tracer.stats();
      if (!isBalanced(traces)) problems.add(`${id}: the ledger did not balance on the way: ${JSON.stringify(traces)}`);
    }
    const { created, exported, queued } = registry.stats().traces;
    const answered = formatCount(await client.ask('answered'));
    const received = formatCount(await receivers.received());
    return (
      `${answered} of ${formatCount(orders)} requests answered; ${formatCount(created)} spans created, ` +
      `${formatCount(exported)} exported, ${received} received, ${formatCount(queued)} waiting`
    );
  });
  for (const failure of new Set(failures)) problems.add(`a request failed: ${failure}`);

  await progress.during(registry.flush(), () => 'Flushing …');
  const startedAt = performance.now();
  const report = await progress.during(
    registry.shutdown({ timeoutMillis: SHUTDOWN_MILLIS }),
    () => `Shutting down; initech's receiver is down, so this takes the whole ${SHUTDOWN_MILLIS} ms that it may …`,
  );
  const shutdownMillis = performance.now() - startedAt;
  if (shutdownMillis > SHUTDOWN_MILLIS + SHUTDOWN_MARGIN_MILLIS) {
    problems.add(`the shutdown took ${Math.round(shutdownMillis)} ms`);
  }

  const results = await collectResults(sent, histories);
  const total = registry.stats().traces;
  const umbrella = histories.get('umbrella');
  const initech = report.tenants.find(({ tenantId }) => tenantId === 'initech');
  progress.say(`\n${formatTable(results, total)}\n`);
  progress.say(
    `umbrella was evicted ${umbrella?.evictions} times, with ${umbrella?.openAtEviction} spans open in all, and revived ` +
      `${umbrella?.revivals} times.\n` +
      `The shutdown took ${Math.round(shutdownMillis)} ms of ${SHUTDOWN_MILLIS}; initech: ${initech?.error}.`,
  );
  return [...problems, ...findProblems(results, total)];
}

async function collectResults(
  sent: Readonly<Record<string, number>>,
  histories: ReadonlyMap<string, TenantHistory>,
): Promise<TenantResult[]> {
  const orders = Object.fromEntries(TENANT_IDS.map((id) => [id, sent[id] ?? 0])) as Record<TenantId, number>;
  const made = spansOf(orders);
  return Promise.all(
    TENANT_IDS.map(async (id): Promise<TenantResult> => {
      const history = histories.get(id);
      if (history === undefined) throw new Error(`${id} never had a tracer`);
      const received = await receivers.report(id);
      return { id, orders: orders[id], made: made[id], stats: history.tracer.stats(), history, received };
    }),
  );
}

async function compareWithPlainShop(directory: Directory): Promise<void> {
  const registry = createRegistry(directory);
  const rounds = Number(options.rounds);
  const ordersPerRound = Math.ceil(Number(options.requests) / 3);
  const shop = { registry, courierCanary: canaries.courier };
  const { plainMicros, addedMicros } = await measureOverhead({
    registry,
    client,
    customer: { id: 'acme', canary: canaries.acme },
    tracedUrl: await listen(createShop({ ...shop, tracing: true })),
    plainUrl: await listen(createShop({ ...shop, tracing: false })),
    rounds,
    ordersPerRound,
    roundDone: (round) => progress.show(`Comparing with and without tracing: round ${round} of ${rounds} …`),
  });
  await registry.shutdown();
  progress.say(
    `Overhead: ${Math.round(addedMicros)} µs of processor time for a request with three spans, exported; without tracing ` +
      `the request costs ${Math.round(plainMicros)} µs.\n` +
      `(Median of ${rounds} rounds; each sent ${formatCount(ordersPerRound)} requests to the shop with tracing and as many to ` +
      'the same shop without, in changing order.)',
  );
}

async function listen(app: Express): Promise<string> {
  const server = app.listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
