import { describe, expect, it } from 'vitest';
import { logsOf } from '../support/otlp-log-decoder.ts';
import { receivedPoints } from '../support/received-metrics.ts';
import { failing, type ReceiverFault } from '../support/receiver-faults.ts';
import { drain, type FaultWorld, faultWorld, trouble, useInvariants, work } from './fault-kit.ts';

type Signal = 'logs' | 'metrics';
/** As for spans: see answers.ts. */
type Fate = 'retried' | 'repeated' | 'delivered' | 'kept' | 'read again' | 'rejected' | 'partial';

interface Row {
  readonly fault: ReceiverFault;
  readonly http?: Fate;
  readonly grpc?: Fate;
}

const ITEMS = 12;
const PARTIAL = 5;

const ROWS: readonly Row[] = [
  { fault: { mode: 'hang' }, http: 'retried', grpc: 'retried' },
  { fault: { mode: 'reset-before-status' }, http: 'retried', grpc: 'retried' },
  { fault: { mode: 'stored-then-reset' }, http: 'repeated', grpc: 'repeated' },
  { fault: { mode: 'reset-after-status' }, http: 'delivered' },
  { fault: { mode: 'slow-body' }, http: 'delivered', grpc: 'retried' },
  { fault: { mode: 'throttle', status: 429, retryAfter: 1 }, http: 'retried', grpc: 'retried' },
  { fault: { mode: 'throttle', status: 503, retryAfter: 1 }, http: 'retried', grpc: 'retried' },
  { fault: { mode: 'status', status: 503 }, http: 'retried', grpc: 'retried' },
  { fault: { mode: 'status', status: 400 }, http: 'rejected', grpc: 'rejected' },
  { fault: { mode: 'status', status: 401 }, http: 'read again', grpc: 'read again' },
  { fault: { mode: 'status', status: 404 }, http: 'rejected' },
  { fault: { mode: 'redirect', status: 307, location: 'http://127.0.0.1:1/' }, http: 'kept', grpc: 'rejected' },
  { fault: { mode: 'garbage' }, http: 'kept' },
  { fault: { mode: 'partial-success', rejected: PARTIAL, message: 'too old' }, http: 'partial', grpc: 'partial' },
  { fault: { mode: 'rst-stream', code: 7 }, grpc: 'retried' },
  { fault: { mode: 'grpc-status', code: 14, message: 'no' }, grpc: 'retried' },
  { fault: { mode: 'grpc-status', code: 8, message: 'no', retryInfoSeconds: 1 }, grpc: 'retried' },
  { fault: { mode: 'grpc-status', code: 8, message: 'no' }, grpc: 'rejected' },
  { fault: { mode: 'grpc-status', code: 3, message: 'no' }, grpc: 'rejected' },
  { fault: { mode: 'grpc-status', code: 16, message: 'no' }, grpc: 'read again' },
];

/** Whoever shares the connection notices nothing. */
const LEAVES_CONNECTION = /^(hang|slow|status|grpc-status|throttle|redirect|partial)/;
/** Without deltas each flush would have points to tell. */
const DELTAS = { metrics: { temporality: 'delta' } } as const;

/** What arrived of a tenant, each record or point as often as it did. */
function arrived(world: FaultWorld, tenantId: string, signal: Signal): string[] {
  const requests = { requests: world.requests(tenantId) } as never;
  const owners =
    signal === 'logs'
      ? logsOf(requests).map(({ attributes, body }) => [attributes['owner'], body])
      : receivedPoints(requests).map(({ attributes }) => [attributes['owner'], attributes['index']]);
  expect(owners.filter(([owner]) => owner !== tenantId)).toEqual([]);
  return owners.map(([, index]) => String(index));
}

useInvariants();

describe.each(['logs', 'metrics'] as const)('of %s', (signal) => {
  describe.each(['http/protobuf', 'grpc'] as const)('over %s, a receiver that once does this', (protocol) => {
    const rows = ROWS.flatMap(({ fault, ...fates }) => {
      const fate = protocol === 'grpc' ? fates.grpc : fates.http;
      const { mode, ...details } = fault;
      return fate === undefined ? [] : [[[mode, ...Object.values(details)].join(' '), fate, fault] as const];
    });

    it.each(rows)('%s has the batch of that signal %s', async (_, fate, fault) => {
      const isSilent = /^(hang|slow-body)/.test(fault.mode);
      const world = await faultWorld({
        ...DELTAS,
        protocol,
        apart: !LEAVES_CONNECTION.test(fault.mode),
        destinationOf: (tenantId) => (isSilent && tenantId === 'sick' ? { timeoutMillis: 1_000 } : {}),
      });
      trouble(world, 'sick', failing(1, fault));
      work(world, 'sick', ITEMS, signal);
      const tracer = world.registry.get('sick');
      if (fate === 'kept') {
        for (let flush = 0; flush < 3; flush += 1) await tracer.flush();
        expect(tracer.stats()[signal]).toMatchObject({ created: ITEMS, queued: ITEMS, dropped: {} });
        expect(tracer.health().destinations[0]?.condition).toBe('misconfigured');
        expect(world.requests('sick')).toHaveLength(1);
        return;
      }
      await tracer.flush();
      await drain(world, 'sick');
      const lost = fate === 'rejected' ? ITEMS : fate === 'partial' ? PARTIAL : 0;
      const dropped = lost === 0 ? {} : { rejected: lost };
      expect(tracer.stats()[signal]).toEqual({
        created: ITEMS,
        exported: ITEMS - lost,
        queued: 0,
        spooled: 0,
        dropped,
      });
      const indices = arrived(world, 'sick', signal);
      const times = { rejected: 0, repeated: 2 }[fate as string] ?? 1;
      expect(indices).toHaveLength(ITEMS * times);
      expect(new Set(indices).size).toBe(times === 0 ? 0 : ITEMS);
      const attempts = world.requests('sick');
      expect(attempts).toHaveLength(['retried', 'repeated', 'read again'].includes(fate) ? 2 : 1);
      const [first, second] = attempts;
      if (second !== undefined && first?.raw.length) expect(second.body).toEqual(first.body);
    });
  });

  it('a receiver that is not there gets everything when it is, once', async () => {
    const world = await faultWorld({ ...DELTAS, apart: true });
    const tracer = world.registry.get('sick');
    // Connections that are refused, in the eyes of one tenant.
    trouble(world, 'sick', { mode: 'reset-before-body' });
    work(world, 'sick', ITEMS, signal);
    for (let flush = 0; flush < 3; flush += 1) await tracer.flush();
    expect(tracer.stats()[signal]).toMatchObject({ created: ITEMS, exported: 0, queued: ITEMS, dropped: {} });
    trouble(world, 'sick', { mode: 'ok' });
    await drain(world, 'sick');
    expect(arrived(world, 'sick', signal).toSorted()).toHaveLength(ITEMS);
  });

  it('what is refused on the path of one signal holds up none of the others, nor other tenants', async () => {
    const world = await faultWorld(DELTAS);
    const refusals = { unauthorized: 401, misconfigured: 307, rejected: 400 } as const;
    const others = (['traces', 'logs', 'metrics'] as const).filter((other) => other !== signal);
    for (const [id, status] of Object.entries(refusals)) {
      world.receiver.setFaultOf(id, {
        next: ({ path }) => (path === `/v1/${signal}` ? { mode: 'status', status } : { mode: 'ok' }),
      });
      for (const each of ['traces', 'logs', 'metrics'] as const) work(world, id, ITEMS, each);
    }
    for (const id of Object.keys(refusals)) {
      const tracer = world.registry.get(id);
      for (let flush = 0; flush < 3; flush += 1) await tracer.flush();
      const stats = tracer.stats();
      for (const other of others) {
        expect(stats[other], `${id}: ${other}`).toMatchObject({ created: ITEMS, exported: ITEMS, dropped: {} });
      }
      const isRejected = id === 'rejected';
      expect(stats[signal], id).toMatchObject({
        created: ITEMS,
        queued: isRejected ? 0 : ITEMS,
        dropped: isRejected ? { rejected: ITEMS } : {},
      });
      // Credentials are read again once; then the next attempt is a minute away.
      const asked = world.requests(id).filter(({ path }) => path === `/v1/${signal}`);
      expect(asked).toHaveLength(id === 'unauthorized' ? 2 : 1);
    }
  });
});

describe('an answer of 413', () => {
  it('gets log records in halves, and a request of metrics, which are never many, counted as refused', async () => {
    const world = await faultWorld(DELTAS);
    const tracer = world.registry.get('sick');
    trouble(world, 'sick', failing(3, { mode: 'status', status: 413 }));
    work(world, 'sick', ITEMS, 'logs');
    await tracer.flush();
    await drain(world, 'sick');
    expect(tracer.stats().logs).toMatchObject({ created: ITEMS, exported: ITEMS, dropped: {} });
    expect(arrived(world, 'sick', 'logs').toSorted()).toHaveLength(ITEMS);
    expect(world.requests('sick').length).toBeGreaterThan(4);

    trouble(world, 'sick', failing(1, { mode: 'status', status: 413 }));
    work(world, 'sick', ITEMS, 'metrics');
    await tracer.flush();
    expect(tracer.stats().metrics).toMatchObject({ created: ITEMS, exported: 0, dropped: { rejected: ITEMS } });
    work(world, 'sick', 1, 'metrics');
    await tracer.flush();
    expect(tracer.stats().metrics).toMatchObject({ created: ITEMS + 1, exported: 1 });
  });
});

describe('a poisoned batch', () => {
  it.each(['logs', 'metrics'] as const)('of %s is lost alone', async (signal) => {
    const world = await faultWorld(DELTAS);
    const tracer = world.registry.get('sick');
    trouble(world, 'sick', failing(1, { mode: 'status', status: 400 }));
    work(world, 'sick', ITEMS, signal);
    await tracer.flush();
    work(world, 'sick', ITEMS, signal);
    await tracer.flush();
    expect(tracer.stats()[signal]).toMatchObject({ created: 2 * ITEMS, exported: ITEMS, dropped: { rejected: ITEMS } });
  });
});

describe('cumulative points during an outage', () => {
  it('wait with one request at a time, and the latest says all in the end', async () => {
    const world = await faultWorld();
    const tracer = world.registry.get('sick');
    trouble(world, 'sick', { mode: 'status', status: 503 });
    for (let round = 1; round <= 10; round += 1) {
      tracer.metrics.counter('work').add(1, { owner: 'sick', index: '0' });
      const before = world.requests('sick').length;
      await tracer.flush();
      // However many collections wait.
      expect(world.requests('sick').length - before).toBeLessThanOrEqual(2);
    }
    expect(tracer.stats().metrics).toMatchObject({ created: 10, exported: 0, queued: 10, dropped: {} });
    trouble(world, 'sick', { mode: 'ok' });
    await drain(world, 'sick');
    const values = receivedPoints({ requests: world.requests('sick') } as never).map(({ value }) => Number(value));
    expect(values.at(-1)).toBe(10);
    expect(values).toEqual(values.toSorted((a, b) => a - b));
  });
});
