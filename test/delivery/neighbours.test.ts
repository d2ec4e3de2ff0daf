import { describe, expect, it } from 'vitest';
import type { Tracer, TracerRegistry } from '../../src/index.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { CountingReceiver, type Treatment } from './counting-receiver.ts';
import { endSpans, eventually, missing, registryWith } from './delivery-kit.ts';

const ROUNDS = 8;
const SPANS = 5;
const FAULTS: readonly Treatment[] = ['hang', 'reset', 'throttle', 'unavailable', 'trickle'];

function tenantsOf(
  receiver: CountingReceiver,
  options: { readonly maxSize?: number; readonly timeoutMillis?: number; readonly clock?: FakeClock },
): TracerRegistry {
  const { clock, maxSize = 512, timeoutMillis = 10_000 } = options;
  return registryWith({
    ...(clock !== undefined && { clock }),
    batch: { delayMillis: 50, maxSize },
    configure: (tenantId) => ({
      destination: { endpoint: receiver.url, headers: { 'x-tenant': tenantId }, timeoutMillis },
    }),
  });
}

/** Every tenant ends as many spans in each round, which is over when all of the healthy ones have delivered theirs. */
async function runRounds(
  { receiver, registry }: { readonly receiver: CountingReceiver; readonly registry: TracerRegistry },
  tenants: { readonly healthy: readonly string[]; readonly others: readonly string[] },
): Promise<void> {
  for (let round = 1; round <= ROUNDS; round += 1) {
    for (const tenantId of [...tenants.others, ...tenants.healthy]) endSpans(registry.get(tenantId), SPANS);
    const late = (): string[] => tenants.healthy.filter((id) => receiver.visitor(id).accepted.size < round * SPANS);
    await eventually(
      () => late().length === 0,
      () => `round ${round} of ${late().join(', ')}`,
    );
  }
}

describe('a hundred tenants of one origin', () => {
  it('do not get in each other’s way when five of each kind fail, and lose nothing', { timeout: 120_000 }, async () => {
    const receiver = await CountingReceiver.start();
    const registry = tenantsOf(receiver, { maxSize: SPANS, timeoutMillis: 2_000 });
    const others = FAULTS.flatMap((fault) => [0, 1, 2, 3, 4].map((number) => `${fault} ${number}`));
    const healthy = Array.from({ length: 75 }, (_, number) => `ok ${number}`);
    const everybody = [...others, ...healthy];
    receiver.treat = (tenantId) => tenantId.split(' ')[0] as Treatment;

    await runRounds({ receiver, registry }, { healthy, others });
    for (const tenantId of everybody) {
      const { traces } = registry.get(tenantId).stats();
      expect([traces.created, traces.dropped, missing(traces)], tenantId).toEqual([ROUNDS * SPANS, {}, 0]);
      expect(receiver.visitor(tenantId).maxAtOnce, tenantId).toBeLessThanOrEqual(2);
    }
    expect(receiver.maxConnections).toBeLessThanOrEqual(40);

    receiver.treat = () => 'ok';
    const waiting = (): string[] => everybody.filter((id) => receiver.visitor(id).accepted.size < ROUNDS * SPANS);
    await eventually(
      () => waiting().length === 0,
      () => `delivery to ${waiting().join(', ')}`,
    );
    await registry.flush();
    for (const tenantId of everybody) {
      expect(new Set(receiver.visitor(tenantId).accepted.values()), tenantId).toEqual(new Set([1]));
      const expected = { exported: ROUNDS * SPANS, queued: 0, dropped: {} };
      expect(registry.get(tenantId).stats().traces, tenantId).toMatchObject(expected);
    }
  });

  it('are served while the requests of twenty of them never end', { timeout: 60_000 }, async () => {
    const receiver = await CountingReceiver.start();
    const registry = tenantsOf(receiver, { maxSize: SPANS, timeoutMillis: 600_000 });
    const others = Array.from({ length: 20 }, (_, number) => `hang ${number}`);
    const healthy = Array.from({ length: 80 }, (_, number) => `ok ${number}`);
    receiver.treat = (tenantId) => tenantId.split(' ')[0] as Treatment;

    await runRounds({ receiver, registry }, { healthy, others });
    for (const tenantId of others) {
      expect(receiver.visitor(tenantId).atOnce, tenantId).toBeGreaterThanOrEqual(1);
      expect(receiver.visitor(tenantId).atOnce, tenantId).toBeLessThanOrEqual(2);
    }
    expect(receiver.maxConnections).toBeLessThanOrEqual(40);
  });
});

describe.each<Treatment>(['hang', 'reset', 'unavailable'])('a tenant whose receiver gives it %s', (fault) => {
  it('has one request at a time after the first failure, however much it produces', { timeout: 60_000 }, async () => {
    const receiver = await CountingReceiver.start();
    receiver.treat = (tenantId) => (tenantId === 'failing' ? fault : 'ok');
    const registry = tenantsOf(receiver, { maxSize: 10, timeoutMillis: 500 });
    const [failing, healthy] = [registry.get('failing'), registry.get('healthy')];
    const visitor = receiver.visitor('failing');
    endSpans(failing, 400);
    await eventually(
      () => condition(failing) === 'retrying' && visitor.atOnce === 0,
      () => `${condition(failing)}, ${visitor.atOnce} requests`,
    );
    expect(visitor.maxAtOnce).toBeLessThanOrEqual(2);
    visitor.maxAtOnce = 0;
    const before = visitor.requests;
    for (let attempt = 1; attempt <= 2; attempt += 1) {
      endSpans(failing, 40);
      endSpans(healthy, 10);
      await eventually(
        () => visitor.requests >= before + attempt && receiver.visitor('healthy').accepted.size === attempt * 10,
        () => `${visitor.requests - before} attempts`,
      );
    }
    expect(visitor.maxAtOnce).toBe(1);
    expect(failing.stats().traces).toMatchObject({ created: 480, exported: 0, queued: 480, dropped: {} });
  });
});

describe('a thousand tenants of one healthy origin', () => {
  it('share eight connections and lose nothing', { timeout: 60_000 }, async () => {
    const receiver = await CountingReceiver.start();
    // No time passes: on a busy machine first answers take over a second, and what is overdue has slots beside the eight.
    const registry = tenantsOf(receiver, { clock: new FakeClock() });
    const ids = Array.from({ length: 1_000 }, (_, number) => `tenant ${number}`);
    for (const id of ids) endSpans(registry.get(id), 3);
    const report = await registry.flush({ timeoutMillis: 50_000 });
    expect(report).toMatchObject({ ok: true, delivered: 3_000, pending: 0 });
    expect(ids.map((id) => receiver.visitor(id).accepted.size)).toEqual(ids.map(() => 3));
    expect(receiver.maxConnections).toBeLessThanOrEqual(8);
    expect(registry.stats().sockets).toBeLessThanOrEqual(8);
    expect(registry.stats().requests).toBe(0);
    expect(registry.stats().bytes).toBe(0);
  });
});

function condition(tracer: Tracer): string | undefined {
  return tracer.health().destinations[0]?.condition;
}
