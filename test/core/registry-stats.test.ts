import type { SpanExporter } from '@opentelemetry/sdk-trace';
import { describe, expect, it } from 'vitest';
import { TracerRegistry } from '../../src/index.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';
import type { ReceiverFault } from '../support/otlp-receiver.ts';
import {
  expectBalance,
  heapUsed,
  published,
  receiver,
  registryOf,
  resolveWith,
  SILENT,
  until,
} from './registry-kit.ts';

describe('the account of a registry', () => {
  it('balances at any moment, and in the end with what the receivers counted', async () => {
    const clock = new FakeClock();
    const faults: Record<string, ReceiverFault> = {
      good: { mode: 'ok' },
      picky: { mode: 'partial-success', rejected: 2 },
      strict: { mode: 'status', status: 400 },
      flaky: { mode: 'status', status: 503 },
      hanging: { mode: 'hang' },
    };
    const ids = [...Object.keys(faults), 'unknown', 'nowhere', 'both', 'late'];
    const targets = Object.fromEntries(
      await Promise.all(ids.map(async (id) => [id, await receiver({ fault: faults[id] ?? { mode: 'ok' } })] as const)),
    );
    let requests = 0;
    targets['flaky']?.setFault(() => (++requests % 2 === 1 ? { mode: 'status', status: 503 } : { mode: 'ok' }));
    let exportedByHost = 0;
    const exporter: SpanExporter = {
      export: (spans, done) => {
        exportedByHost += spans.length;
        done({ code: 0 });
      },
      shutdown: async () => {},
    };
    const registry = registryOf({
      clock,
      maxTenants: 4,
      drainTimeoutMillis: 3_000,
      limits: { maxQueueSize: 300 },
      batch: { maxSize: 50 },
      configure: async (id) => {
        if (id === 'unknown') return undefined;
        if (id === 'late') await settle(20);
        const destination = { endpoint: targets[id]?.url ?? '' };
        if (id === 'nowhere') return { sampling: { ratio: 0.5 } };
        return { destination, ...(id === 'both' && { exporter }) };
      },
    });
    for (let round = 0; round < 60; round += 1) {
      for (const id of ids) {
        const tracer = registry.get(id);
        for (let index = 0; index < clock.random() * 40; index += 1) tracer.startSpan('work').end();
        expectBalance(tracer.stats().traces);
      }
      expectBalance(registry.stats().traces);
      await clock.advanceAsync(clock.random() * 400);
      expectBalance(registry.stats().traces);
    }
    const report = await resolveWith(clock, registry.shutdown({ timeoutMillis: 2_000 }));
    expect(report.pending).toBe(0);
    const { traces, bytes } = registry.stats();
    expectBalance(traces);
    expect(bytes).toBe(0);
    expect(traces.queued).toBe(0);
    let received = 0;
    for (const id of ids) received += targets[id]?.spans().length ?? 0;
    const refused = 2 * (targets['picky']?.requests.length ?? 0);
    expect(traces.exported).toBe(received - refused + exportedByHost);
    expect(traces.dropped).toMatchObject({
      rejected: expect.any(Number),
      tenant_unknown: expect.any(Number),
      no_destination: expect.any(Number),
      sampled: expect.any(Number),
    });
    expect(traces.dropped.rejected).toBeGreaterThan(refused);
    for (const id of ids)
      expect(new Set(targets[id]?.spans().map(({ spanId }) => spanId)).size).toBe(targets[id]?.spans().length);
  });

  it('lists only the tenants that are not well in health', async () => {
    const good = await receiver();
    const bad = await receiver({ fault: { mode: 'status', status: 401 } });
    const registry = registryOf({
      configure: (id) => ({ destination: { endpoint: id === 'good' ? good.url : bad.url } }),
    });
    for (const id of ['good', 'bad']) registry.get(id).startSpan('work').end();
    await registry.flush();
    const { ok, tenants, errors } = registry.health();
    expect(ok).toBe(false);
    expect(errors.delivery).toBeGreaterThan(0);
    expect(tenants.map(({ tenantId }) => tenantId)).toEqual(['bad']);
    expect(tenants[0]?.destinations).toMatchObject([{ condition: 'unauthorized', queued: 1, lastError: 'HTTP 401' }]);
  });
});

describe('the diagnostics channels', () => {
  it('tell the life of a tenant in order', async () => {
    const events: string[] = [];
    const record = <T extends { tenantId: string }>(name: string, list: T[]): T[] =>
      Object.assign(list, { push: (message: T) => events.push(`${name} ${message.tenantId}`) });
    record('created', published('isotrace:tenant:created'));
    record('evicted', published('isotrace:tenant:evicted'));
    record('revived', published('isotrace:tenant:revived'));
    record('degraded', published('isotrace:tenant:degraded'));
    record('closed', published('isotrace:tenant:closed'));
    let failing = false;
    const registry = registryOf({
      maxTenants: 1,
      configure: () => {
        if (failing) throw new Error('no database');
        return {};
      },
    });
    const a = registry.get('a');
    registry.get('b');
    a.startSpan('work').end();
    failing = true;
    await registry.reconfigure('a');
    registry.get('');
    await registry.shutdown();
    expect(events).toEqual(['created a', 'evicted a', 'created b', 'revived a', 'evicted b', 'degraded a', 'closed a']);
  });

  it('tell why an export failed and whether it is tried again, and what was dropped', async () => {
    const failed = published('isotrace:export:failed');
    const dropped = published('isotrace:dropped');
    const target = await receiver({ fault: { mode: 'status', status: 503 } });
    const registry = registryOf({ destination: { endpoint: target.url } });
    registry.get('acme').startSpan('work').end();
    await registry.flush();
    expect(failed).toEqual([{ tenantId: 'acme', reason: 'HTTP 503', willRetry: true }]);
    expect(dropped).toEqual([]);
    target.setFault({
      mode: 'status',
      status: 400,
      headers: { 'content-type': 'text/plain' },
      body: 'no such project',
    });
    await registry.flush();
    expect(failed[1]).toEqual({ tenantId: 'acme', reason: 'HTTP 400: no such project', willRetry: false });
    expect(dropped).toEqual([{ tenantId: 'acme', reason: 'rejected', count: 1 }]);
  });

  it('do not tell of the shared tracer, unknown tenants or the platform as if they were created', async () => {
    const created = published('isotrace:tenant:created');
    const registry = registryOf({ platform: {}, configure: () => undefined });
    registry.get('ghost');
    registry.get('');
    registry.platform.startSpan('work').end();
    await settle();
    expect(created).toEqual([]);
  });
});

describe('the memory of 1,000 tenants', () => {
  it('is at most 5 KB of heap each while they are idle, and 9.5 KB once they have sent spans', async () => {
    const target = await receiver();
    const make = () =>
      new TracerRegistry({
        logger: SILENT,
        platform: false,
        configure: (id) => ({
          service: { name: id },
          destination: { endpoint: target.url, headers: { authorization: `Bearer ${id}` } },
        }),
      });
    const warm = make();
    for (let index = 0; index < 1_000; index += 1) warm.get(`tenant ${index}`).startSpan('work').end();
    await warm.shutdown();
    target.requests.length = 0;
    (target.spans() as unknown[]).length = 0;
    const empty = await heapUsed();
    const registry = make();
    for (let index = 0; index < 1_000; index += 1) registry.get(`tenant ${index}`);
    const idle = ((await heapUsed()) - empty) / 1_000;
    for (let index = 0; index < 1_000; index += 1) registry.get(`tenant ${index}`).startSpan('work').end();
    await registry.flush();
    await until(() => registry.stats().traces.exported === 1_000, 'all are delivered');
    target.requests.length = 0;
    (target.spans() as unknown[]).length = 0;
    const used = ((await heapUsed()) - empty) / 1_000;
    process.stdout.write(`heap per tenant: idle ${idle.toFixed(0)} bytes, used ${used.toFixed(0)} bytes\n`);
    expect(idle).toBeLessThan(5 * 1_024);
    expect(used).toBeLessThan(9.5 * 1_024);
    expect(registry.stats()).toMatchObject({ live: 1_000, bytes: 0 });
    expect(registry.stats().sockets).toBeLessThanOrEqual(8);
    await registry.shutdown();
  });
});
