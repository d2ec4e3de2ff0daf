import { type ConnectionOptions, DelayedError, FlowProducer, type Job, Queue, Worker } from 'bullmq';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type BullTracing, bullmq } from '../../../src/bullmq.ts';
import { findRedis, type Redis, startRedis } from '../../support/redis.ts';
import { CONSUMER, ERROR, type MessagingWorld, named, only, PRODUCER, startWorld } from './messaging-kit.ts';

interface Order {
  readonly tenant?: string;
  readonly number: number;
}
type Processor = (job: Job<Order>, token?: string) => Promise<unknown>;

const program = findRedis();

describe.skipIf(program === undefined)('BullMQ with a real Redis (skipped where redis-server is not installed)', () => {
  let redis: Redis;
  let serial = 0;

  beforeAll(async () => {
    if (program !== undefined) redis = await startRedis(program);
  });
  afterAll(() => redis?.stop());

  const connection = (): ConnectionOptions => ({ path: redis.path, maxRetriesPerRequest: null });

  interface Shop {
    readonly world: MessagingWorld;
    readonly queue: Queue<Order>;
    readonly tracing: BullTracing<Job<Order>>;
    /** Starts a worker, in a context of its own choice. */
    work(processor: Processor): Worker<Order>;
  }

  async function openShop(options: Partial<Parameters<typeof bullmq<Job<Order>>>[1]> = {}): Promise<Shop> {
    const world = await startWorld({}, { baggage: ['plan', 'session.id'] });
    serial += 1;
    const name = `orders-${serial}`;
    const tracing = bullmq<Job<Order>>(world.registry, { tenant: (job) => job.data.tenant, ...options });
    const queue = tracing.queue(new Queue<Order>(name, { connection: connection() }));
    onTestFinished(() => queue.close());
    const work = (processor: Processor): Worker<Order> => {
      const worker = new Worker<Order>(name, tracing.processor(processor), {
        connection: connection(),
        concurrency: 4,
      });
      onTestFinished(() => worker.close());
      return worker;
    };
    return { world, queue, tracing, work };
  }

  it('continues the trace of each tenant from where its job was added, also with two tenants interleaved', async () => {
    const { world, queue, work } = await openShop();
    const { registry } = world;
    const tenants = ['acme', 'globex'] as const;
    await Promise.all(
      Array.from({ length: 20 }, (_, number) => {
        const tenant = tenants[number % 2] ?? 'acme';
        const request = async (): Promise<unknown> => queue.add('ship', { tenant, number });
        return registry.get(tenant).withSpan(`request ${number}`, request);
      }),
    );
    work(async (job) => {
      await new Promise(setImmediate);
      registry.withSpan(`charge ${job.data.number}`, () => undefined);
      return job.data.tenant;
    });
    for (const [index, tenant] of tenants.entries()) {
      const spans = await world.until(tenant, (found) => named(found, `process ${queue.name}`).length === 10);
      const byId = new Map(spans.map((span) => [span.spanId, span]));
      for (const charge of spans.filter(({ name }) => name.startsWith('charge '))) {
        const process = byId.get(charge.parentSpanId);
        const add = byId.get(process?.parentSpanId ?? '');
        const request = byId.get(add?.parentSpanId ?? '');
        expect([process?.kind, add?.kind]).toEqual([CONSUMER, PRODUCER]);
        expect(request?.name).toBe(charge.name.replace('charge', 'request'));
        expect(request?.traceId).toBe(charge.traceId);
      }
      expect(spans).toHaveLength(40);
      expect(spans.filter(({ name }) => name.startsWith('charge '))).toHaveLength(10);
      const numbers = spans.flatMap(({ name }) => /^(?:request|charge) (\d+)$/.exec(name)?.[1] ?? []);
      expect(new Set(numbers.map((number) => Number(number) % 2))).toEqual(new Set([index]));
    }
  });

  it('names queue, job and attempt by the conventions for messaging', async () => {
    const { world, queue, work } = await openShop({ attributes: (job) => ({ 'order.number': job.data.number }) });
    const job = await world.registry.run('acme', () => queue.add('ship', { tenant: 'acme', number: 7 }));
    work(async () => undefined);
    const spans = await world.until('acme', (found) => found.length === 2);
    const shared = {
      'messaging.system': 'bullmq',
      'messaging.destination.name': queue.name,
      'messaging.message.id': job.id,
      'bullmq.job.name': 'ship',
    };
    expect(only(spans, `add ${queue.name}`).attributes).toEqual({
      ...shared,
      'messaging.operation.type': 'send',
      'messaging.operation.name': 'add',
    });
    expect(only(spans, `process ${queue.name}`).attributes).toEqual({
      ...shared,
      'messaging.operation.type': 'process',
      'messaging.operation.name': 'process',
      'bullmq.job.attempts.made': 0,
      'order.number': 7,
    });
  });

  it('records the error of an attempt, leaves it to BullMQ to try again, and ends a span for each attempt', async () => {
    const { world, queue, work } = await openShop();
    await world.registry.run('acme', () => queue.add('ship', { tenant: 'acme', number: 1 }, { attempts: 2 }));
    const failure = new RangeError('out of stock');
    const failures: unknown[] = [];
    const worker = work(async (job) => {
      if (job.attemptsMade === 0) throw failure;
    });
    worker.on('failed', (_job, error) => failures.push(error));
    const spans = await world.until('acme', (found) => named(found, `process ${queue.name}`).length === 2);
    const [first, second] = named(spans, `process ${queue.name}`);
    expect(failures).toEqual([failure]);
    expect(failures[0]).toBe(failure);
    expect(first?.status).toEqual({ code: ERROR, message: 'out of stock' });
    expect(first?.attributes['error.type']).toBe('RangeError');
    expect(first?.events.map(({ name }) => name)).toEqual(['exception']);
    expect(second?.status.code).toBe(0);
    expect(second?.attributes['bullmq.job.attempts.made']).toBe(1);
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1);
  });

  it('takes a processor that puts its job off for no error', async () => {
    const { world, queue, work } = await openShop();
    await world.registry.run('acme', () => queue.add('ship', { tenant: 'acme', number: 1 }));
    let turns = 0;
    work(async (job, token) => {
      turns += 1;
      if (turns > 1) return;
      await job.moveToDelayed(Date.now() + 1, token);
      throw new DelayedError();
    });
    const spans = await world.until('acme', (found) => named(found, `process ${queue.name}`).length === 2);
    expect(named(spans, `process ${queue.name}`).map(({ status, events }) => [status.code, events.length])).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });

  it('continues no trace of another tenant, nor its session or baggage, unless that is allowed', async () => {
    for (const foreign of ['ignore', 'link', 'parent'] as const) {
      const { world, queue, work } = await openShop({ foreign });
      const { registry } = world;
      const acme = registry.get('acme');
      const sessions: unknown[] = [];
      work(async () => {
        sessions.push([registry.current()?.sessionId(), registry.current()?.getBaggage('plan')]);
      });
      const own = { tenant: 'acme', number: 1 };
      const others = { tenant: 'globex', number: 2 };
      await acme.withBaggage({ plan: 'pro' }, () =>
        acme.withSession('visit', async () => {
          await queue.add('ship', own);
          await queue.add('ship', others);
        }),
      );
      const atAcme = await world.until('acme', (found) => found.length === 3);
      const [process] = await world.until('globex', (found) => found.length === 1);
      const added = named(atAcme, `add ${queue.name}`)[1];
      expect(only(atAcme, `process ${queue.name}`).attributes['session.id']).toBe('visit');
      expect(process?.attributes['session.id']).toBeUndefined();
      expect(sessions).toContainEqual(['visit', 'pro']);
      expect(sessions).toContainEqual([undefined, undefined]);
      expect(process?.traceId === added?.traceId).toBe(foreign === 'parent');
      expect(process?.links.map(({ spanId }) => spanId)).toEqual(foreign === 'link' ? [added?.spanId] : []);
    }
  });

  it('waits for an asynchronous tenant', async () => {
    const { world, queue, work } = await openShop({
      tenant: async (job) => {
        await new Promise(setImmediate);
        return job.data.tenant;
      },
    });
    await world.registry.run('globex', () => queue.add('ship', { tenant: 'globex', number: 1 }));
    const ran: unknown[] = [];
    work(async () => ran.push(world.registry.current()?.tenantId));
    await world.until('globex', (found) => found.length === 2);
    expect(ran).toEqual(['globex']);
  });

  it('runs the job of no tenant for nobody, also in a worker that was started inside of a request', async () => {
    const { world, queue, work } = await openShop();
    const { registry } = world;
    const ran: unknown[] = [];
    registry.get('acme').withSpan('request', () =>
      work(async (job) => {
        ran.push([job.data.number, registry.current()?.tenantId]);
        registry.withSpan('of nobody', () => undefined);
      }),
    );
    await queue.add('ship', { number: 1 });
    await queue.add('ship', { tenant: 'globex', number: 2 });
    const [process] = named(await world.until('globex', (found) => found.length === 2), `process ${queue.name}`);
    expect(ran.sort()).toEqual([
      [1, undefined],
      [2, 'globex'],
    ]);
    expect([process?.parentSpanId, process?.links]).toEqual(['', []]);
    expect((await world.spans('acme')).map(({ name }) => name)).toEqual(['request']);
  });

  it('carries the trace into the jobs of bulks and flows, each with its own context', async () => {
    const { world, queue, tracing, work } = await openShop();
    const { registry } = world;
    const flows = tracing.flowProducer(new FlowProducer({ connection: connection() }));
    onTestFinished(() => flows.close());
    const order = (number: number): Order => ({ tenant: 'acme', number });
    await registry.run('acme', async () => {
      await queue.addBulk([
        { name: 'ship', data: order(1) },
        { name: 'ship', data: order(2), opts: { telemetry: { omitContext: true } } },
      ]);
      const child = { name: 'pack', queueName: queue.name, data: order(4) };
      await flows.add({ name: 'ship', queueName: queue.name, data: order(3), children: [child] });
    });
    work(async () => undefined);
    const spans = await world.until('acme', (found) => named(found, `process ${queue.name}`).length === 4);
    const parents = named(spans, `process ${queue.name}`).map(({ parentSpanId }) => parentSpanId);
    const bulk = only(spans, `addBulk ${queue.name}`);
    const flow = only(spans, `addFlow ${queue.name}`);
    expect(parents.sort()).toEqual(['', bulk.spanId, flow.spanId, flow.spanId].sort());
    expect([bulk.attributes, flow.attributes].map((given) => given['messaging.batch.message_count'])).toEqual([2, 2]);
  });

  it('leaves what it refuses, and its error, to BullMQ', async () => {
    const { world, queue } = await openShop();
    const adding = world.registry.run('acme', () => queue.add('ship', { number: 1 }, { jobId: '0' }));
    await expect(adding).rejects.toThrow("JobId cannot be '0'");
    const [add] = await world.spans('acme');
    expect([add?.status.code, add?.attributes['error.type']]).toEqual([ERROR, 'Error']);
  });
});
