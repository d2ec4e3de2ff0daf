import { describe, expect, it } from 'vitest';
import { failing, type ReceiverFault, randomly } from '../support/receiver-faults.ts';
import { drain, type FaultWorld, faultWorld, type Protocol, trouble, useInvariants, work } from './fault-kit.ts';

const SPANS = 20;

/** What becomes of a batch that meets the fault once. */
type Fate =
  /** Delivered, once. */
  | 'delivered'
  /** Sent again, and delivered. */
  | 'retried'
  /** Delivered twice, for the receiver had it and could not say so. */
  | 'repeated'
  /** Kept, and left alone for the time being. */
  | 'kept'
  /** Dropped, and counted as rejected. */
  | 'rejected';

interface Row {
  readonly fault: ReceiverFault;
  readonly http?: Fate;
  readonly grpc?: Fate;
}

function statuses(fate: Fate, ...list: readonly number[]): Row[] {
  return list.map((status) => ({ fault: { mode: 'status', status }, http: fate }));
}

function codes(fate: Fate, ...list: readonly number[]): Row[] {
  return list.map((code) => ({ fault: { mode: 'grpc-status', code, message: 'no' }, grpc: fate }));
}

const ROWS: readonly Row[] = [
  { fault: { mode: 'ok' }, http: 'delivered', grpc: 'delivered' },
  { fault: { mode: 'delay', millis: 30 }, http: 'delivered', grpc: 'delivered' },
  { fault: { mode: 'slow-read', intervalMillis: 5 }, http: 'delivered', grpc: 'delivered' },
  { fault: { mode: 'hang' }, http: 'retried', grpc: 'retried' },
  { fault: { mode: 'hang-before-body' }, http: 'retried', grpc: 'retried' },
  ...statuses('retried', 429, 502, 503, 504),
  ...statuses('rejected', 400, 404, 405, 408, 415, 500, 501, 505, 511),
  ...statuses('kept', 401, 403, 301, 302, 303, 304, 307, 308),
  ...codes('retried', 1, 4, 10, 11, 14, 15),
  ...codes('rejected', 2, 3, 5, 6, 8, 9, 12, 13),
  ...codes('kept', 7, 16),
  // As a proxy on the way answers, by gRPC's table from HTTP: UNAVAILABLE, INTERNAL, UNKNOWN, UNAUTHENTICATED.
  ...(
    [
      [503, 'retried'],
      [429, 'retried'],
      [400, 'rejected'],
      [500, 'rejected'],
      [401, 'kept'],
      [403, 'kept'],
    ] as const
  ).map(([status, grpc]): Row => ({ fault: { mode: 'status', status }, grpc })),
  { fault: { mode: 'redirect', status: 307, location: 'http://127.0.0.1:1/' }, http: 'kept', grpc: 'rejected' },
  { fault: { mode: 'reset-before-body' }, http: 'retried', grpc: 'retried' },
  { fault: { mode: 'reset-before-status' }, http: 'retried', grpc: 'retried' },
  { fault: { mode: 'close-before-status' }, http: 'retried', grpc: 'retried' },
  { fault: { mode: 'rst-stream', code: 7 }, http: 'retried', grpc: 'retried' },
  { fault: { mode: 'stored-then-reset' }, http: 'repeated', grpc: 'repeated' },
  { fault: { mode: 'reset-after-status' }, http: 'delivered', grpc: 'retried' },
  { fault: { mode: 'reset-mid-body' }, http: 'delivered', grpc: 'retried' },
  { fault: { mode: 'cut-body' }, http: 'delivered', grpc: 'retried' },
  { fault: { mode: 'slow-body' }, http: 'delivered', grpc: 'retried' },
  { fault: { mode: 'big-body', bytes: 9_000_000 }, http: 'delivered', grpc: 'rejected' },
  { fault: { mode: 'gzip-bomb', bytes: 20_000_000 }, http: 'delivered', grpc: 'rejected' },
  { fault: { mode: 'malformed-body' }, http: 'delivered', grpc: 'rejected' },
  { fault: { mode: 'web-page' }, http: 'delivered', grpc: 'rejected' },
  { fault: { mode: 'garbage' }, http: 'kept' },
  { fault: { mode: 'early-answer', status: 503 }, http: 'retried', grpc: 'retried' },
  { fault: { mode: 'ok-then-close' }, http: 'delivered', grpc: 'delivered' },
  { fault: { mode: 'goaway' }, http: 'delivered', grpc: 'delivered' },
  { fault: { mode: 'informational' }, http: 'delivered' },
  // undici takes it for a broken answer; see docs/reliability.md.
  { fault: { mode: 'unasked-continue' }, http: 'repeated' },
  { fault: { mode: 'two-answers' }, http: 'delivered' },
];

/** Whoever shares the connection notices nothing. */
const LEAVES_CONNECTION = /^(ok$|delay|hang|slow|status|grpc-status|redirect|big|gzip|malformed|web-page)/;

/** Tests of what becomes of a batch under each fault, over one protocol. */
export function describeAnswers(protocol: Protocol): void {
  const rows = ROWS.flatMap(({ fault, ...fates }) => {
    const fate = protocol === 'grpc' ? fates.grpc : fates.http;
    const { mode, ...details } = fault;
    return fate === undefined ? [] : [[[mode, ...Object.values(details)].join(' '), fate, fault] as const];
  });

  useInvariants();

  describe(`over ${protocol} a receiver that once does this`, () => {
    it.each(rows)('%s has the batch %s', async (_, fate, fault) => {
      const isSilent = /^(hang|slow-body)/.test(fault.mode);
      const world = await faultWorld({
        protocol,
        apart: !LEAVES_CONNECTION.test(fault.mode),
        // Who does answer has time for it on a busy machine: a second attempt would meet no fault.
        destinationOf: (tenantId) => (tenantId === 'sick' ? { timeoutMillis: isSilent ? 1_000 : 30_000 } : {}),
      });
      trouble(world, 'sick', failing(1, fault));
      work(world, 'sick', SPANS);
      if (fate === 'kept') await expectKept(world);
      else await expectSettled(world, fate);
    });
  });

  describe(`over ${protocol}`, () => {
    it('a partial success is believed to the span, with and without a message', async () => {
      const world = await faultWorld({ protocol });
      trouble(world, 'with', { mode: 'partial-success', rejected: 3, message: 'too old' });
      trouble(world, 'without', { mode: 'partial-success', rejected: 4 });
      trouble(world, 'warning', { mode: 'partial-success', rejected: 0, message: 'deprecated' });
      for (const [tenantId, rejected] of [
        ['with', 3],
        ['without', 4],
        ['warning', 0],
      ] as const) {
        work(world, tenantId, SPANS);
        await drain(world, tenantId);
        const { exported, dropped } = world.registry.get(tenantId).stats().traces;
        expect([exported, dropped]).toEqual([SPANS - rejected, rejected === 0 ? {} : { rejected }]);
        expect(world.requests(tenantId)).toHaveLength(1);
      }
    });

    it('answers that fail at random in every way that a retry survives cost nothing but time', async () => {
      const world = await faultWorld({ protocol, apart: true, batch: { delayMillis: 10, maxSize: 5 } });
      const ids = ['red', 'green', 'blue'];
      for (const [seed, tenantId] of ids.entries()) trouble(world, tenantId, randomFaults(protocol, seed));
      for (const tenantId of ids) work(world, tenantId, 50);
      await Promise.all(ids.map((tenantId) => drain(world, tenantId)));
      for (const tenantId of ids) {
        const { traces } = world.registry.get(tenantId).stats();
        expect(traces, tenantId).toMatchObject({ created: 50, exported: 50, dropped: {} });
        expect(new Set(world.arrived(tenantId).map(({ spanId }) => spanId)).size, tenantId).toBe(50);
      }
    });
  });
}

async function expectSettled(world: FaultWorld, fate: Fate): Promise<void> {
  await drain(world, 'sick');
  const { traces } = world.registry.get('sick').stats();
  const expected =
    fate === 'rejected' ? { exported: 0, dropped: { rejected: SPANS } } : { exported: SPANS, dropped: {} };
  expect(traces).toMatchObject({ created: SPANS, queued: 0, ...expected });
  const ids = world.arrived('sick').map(({ spanId }) => spanId);
  const times = { delivered: 1, retried: 1, repeated: 2, rejected: 0, kept: 0 }[fate];
  expect(ids.length).toBe(SPANS * times);
  expect(new Set(ids).size).toBe(times === 0 ? 0 : SPANS);
  const attempts = world.requests('sick');
  expect(attempts).toHaveLength(fate === 'retried' || fate === 'repeated' ? 2 : 1);
  const [first, second] = attempts;
  if (second !== undefined && first?.raw.length) expect(second.body).toEqual(first.body);
}

/** The receiver is well again by now, but nobody asks it before the next probe, a minute later. */
async function expectKept(world: FaultWorld): Promise<void> {
  const tracer = world.registry.get('sick');
  for (let flush = 0; flush < 3; flush += 1) await tracer.flush();
  const { condition } = tracer.health().destinations[0] ?? {};
  if (tracer.stats().traces.queued > 0) {
    expect(condition).toBe('misconfigured');
    expect(tracer.stats().traces).toMatchObject({ created: SPANS, queued: SPANS, dropped: {} });
    expect(world.requests('sick')).toHaveLength(1);
    return;
  }
  // Refused credentials are read again once, at once.
  expect(tracer.stats().traces).toMatchObject({ created: SPANS, exported: SPANS, dropped: {} });
  expect(world.requests('sick')).toHaveLength(2);
}

function randomFaults(protocol: Protocol, seed: number) {
  const isGrpc = protocol === 'grpc';
  const faults = ROWS.filter((row) => ['retried', 'repeated'].includes((isGrpc ? row.grpc : row.http) ?? ''));
  const quick = faults.map(({ fault }) => fault).filter(({ mode }) => !/^(hang|slow)/.test(mode));
  return randomly(0.4, quick, seed + 1);
}
