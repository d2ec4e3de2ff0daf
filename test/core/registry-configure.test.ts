import { trace as traceApi } from '@opentelemetry/api';
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { describe, expect, it } from 'vitest';
import type { TracerOptions } from '../../src/index.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';
import {
  collectedHeap,
  deferred,
  expectBalance,
  heapUsed,
  names,
  published,
  receiver,
  registryOf,
  resources,
  toReceiver,
} from './registry-kit.ts';

type Answer = TracerOptions | undefined;

describe('a tenant whose configuration is on the way', () => {
  it('records, and delivers under the resource, headers, processors and exporter that come', async () => {
    const target = await receiver();
    const answer = deferred<Answer>();
    const exporter = new InMemorySpanExporter();
    const processed = new InMemorySpanExporter();
    const registry = registryOf({ service: { name: 'api' }, configure: () => answer.promise });
    const tracer = registry.get('acme');
    expect(tracer.state).toBe('pending');
    tracer.withSpan('early', (span) => span.setAttribute('cart', 3));
    const open = tracer.startSpan('across');
    expect(tracer.stats().traces).toMatchObject({ created: 1, queued: 1 });
    answer.resolve({
      destination: { endpoint: target.url, headers: { 'x-tenant': 'acme' } },
      attributes: { 'tenant.plan': 'pro' },
      spanProcessors: [new SimpleSpanProcessor({ exporter: processed })],
      exporter,
    });
    await settle();
    expect(tracer.state).toBe('active');
    open.end();
    tracer.withSpan('late', () => {});
    const report = await registry.flush();
    expect(report).toMatchObject({ ok: true, delivered: 6, pending: 0 });
    expect(names(target)).toEqual(['across', 'early', 'late']);
    expect(target.requests.map(({ headers }) => headers['x-tenant'])).toEqual(['acme']);
    expect(resources(target)[0]).toMatchObject({ 'service.name': 'api', 'tenant.plan': 'pro' });
    expect(exporter.getFinishedSpans().map(({ name }) => name)).toEqual(['early', 'across', 'late']);
    expect(exporter.getFinishedSpans()[0]?.resource.attributes).toMatchObject({ 'tenant.plan': 'pro' });
    expect(processed.getFinishedSpans().map(({ name }) => name)).toEqual(['early', 'across', 'late']);
    expectBalance(tracer.stats().traces);
  });

  it('loses none of 10,000 spans that were recorded before, and counts those beyond the bound', async () => {
    const target = await receiver();
    const answer = deferred<Answer>();
    const registry = registryOf({ configure: () => answer.promise });
    const tracer = registry.get('acme');
    for (let index = 0; index < 10_500; index += 1) tracer.startSpan('work').end();
    expect(tracer.stats().traces).toEqual({
      created: 10_500,
      exported: 0,
      queued: 10_000,
      spooled: 0,
      dropped: { queue_full: 500 },
    });
    answer.resolve(toReceiver(target)('acme'));
    await registry.flush();
    expect(target.spans()).toHaveLength(10_000);
    expectBalance(registry.stats().traces);
    expect(registry.stats().bytes).toBe(0);
  });

  it('keeps the held spans of all tenants within maxTotalBytes', () => {
    const registry = registryOf({ maxTotalBytes: 1_000_000, configure: () => new Promise<undefined>(() => {}) });
    for (const tenantId of ['a', 'b', 'c']) {
      for (let index = 0; index < 2_000; index += 1) registry.get(tenantId).startSpan('x'.repeat(600)).end();
    }
    const { bytes, traces } = registry.stats();
    expect(bytes).toBeLessThanOrEqual(1_000_000);
    expect(bytes).toBeGreaterThan(800_000);
    expect(traces.created).toBe(6_000);
    expect(traces.queued).toBeLessThanOrEqual(1_000);
    expect(traces.dropped.queue_full).toBe(6_000 - traces.queued);
    for (const tenantId of ['a', 'b', 'c']) expect(registry.get(tenantId).stats().traces.queued).toBeGreaterThan(200);
  });

  it('applies the ratio that comes to whole traces, also to spans that were open at that moment', async () => {
    const target = await receiver();
    const answer = deferred<Answer>();
    const registry = registryOf({ configure: () => answer.promise });
    const tracer = registry.get('acme');
    const traces = Array.from({ length: 200 }, (_, index) => {
      const root = tracer.startSpan(`root ${index}`);
      const context = traceApi.setSpan(tracer.extract({}), root);
      tracer.startSpan('ended before', {}, context).end();
      return { root, context };
    });
    answer.resolve({ ...toReceiver(target)('acme'), sampling: { ratio: 0.5 } });
    await settle();
    for (const { root, context } of traces) {
      tracer.startSpan('started after', {}, context).end();
      root.end();
    }
    await registry.flush();
    const spansPerTrace = new Map<string, number>();
    for (const { traceId } of target.spans()) spansPerTrace.set(traceId, (spansPerTrace.get(traceId) ?? 0) + 1);
    expect(new Set(spansPerTrace.values())).toEqual(new Set([3]));
    expect(spansPerTrace.size).toBeGreaterThan(60);
    expect(spansPerTrace.size).toBeLessThan(140);
    expectBalance(tracer.stats().traces);
    expect(tracer.stats().traces.created).toBe(600);
  });

  it('sends nothing of a tenant with ratio 0 that was recorded before it was known', async () => {
    const target = await receiver();
    const answer = deferred<Answer>();
    const registry = registryOf({ configure: () => answer.promise });
    const tracer = registry.get('acme');
    tracer.startSpan('ended').end();
    const open = tracer.startSpan('open');
    answer.resolve({ ...toReceiver(target)('acme'), sampling: { ratio: 0 } });
    await settle();
    open.end();
    await registry.flush();
    expect(target.requests).toHaveLength(0);
    expect(tracer.stats().traces).toMatchObject({ created: 2, dropped: { sampled: 2 } });
  });

  it('follows a remote parent, whatever the ratio that comes', async () => {
    const target = await receiver();
    const answer = deferred<Answer>();
    const registry = registryOf({ configure: () => answer.promise });
    const tracer = registry.get('acme');
    const remote = (flags: string) => ({
      traceparent: `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-${flags}`,
    });
    tracer.continueFrom(remote('01'), () => tracer.withSpan('wanted', () => tracer.withSpan('child', () => {})));
    tracer.continueFrom(remote('00'), () => tracer.withSpan('unwanted', () => {}));
    answer.resolve({ ...toReceiver(target)('acme'), sampling: { ratio: 0 } });
    await registry.flush();
    expect(names(target)).toEqual(['child', 'wanted']);
    expect(tracer.stats().traces).toMatchObject({ created: 3, exported: 2, dropped: { sampled: 1 } });
  });

  it('is asked for once, however many want it', async () => {
    const target = await receiver();
    const answer = deferred<Answer>();
    let asked = 0;
    const registry = registryOf({
      configure: () => {
        asked += 1;
        return answer.promise;
      },
    });
    const wanted = Array.from({ length: 1_000 }, async () => {
      await Promise.resolve();
      registry.get('acme').startSpan('work').end();
    });
    await Promise.all(wanted);
    answer.resolve(toReceiver(target)('acme'));
    await registry.flush();
    expect(asked).toBe(1);
    expect(target.spans()).toHaveLength(1_000);
  });
});

describe('a synchronous configure', () => {
  it('is in force when get returns', () => {
    const registry = registryOf({ configure: () => ({ service: { name: 'shop' } }) });
    expect(registry.get('acme').state).toBe('active');
    expect(registry.stats()).toMatchObject({ live: 1, waiting: 0, created: 1 });
  });

  it('may use the registry itself', () => {
    const registry = registryOf({
      configure: (tenantId) => {
        registry.get(tenantId).startSpan('while asked').end();
        registry.get('parent');
        return tenantId === 'acme' ? { service: { name: 'shop' } } : {};
      },
    });
    expect(registry.get('acme').state).toBe('active');
    expect([...registry.keys()].sort()).toEqual(['acme', 'parent']);
  });

  it('runs outside of the tenant whose code asked, and so do headers functions', async () => {
    const a = await receiver();
    const seen: unknown[] = [];
    const registry = registryOf({
      configure: async (tenantId) => {
        seen.push(registry.current()?.tenantId);
        registry.withSpan(`look up ${tenantId}`, () => {});
        return {
          destination: {
            endpoint: a.url,
            headers: () => {
              seen.push(registry.current()?.tenantId);
              registry.withSpan(`secrets of ${tenantId}`, () => {});
              return {};
            },
          },
          batch: { maxSize: 1 },
        };
      },
    });
    for (let round = 0; round < 2; round += 1) {
      registry.run('a', () => registry.withSpan('outer', () => registry.get('b').withSpan('inner', () => {})));
      await registry.flush();
    }
    expect(seen).toEqual(Array.from({ length: 6 }, () => undefined));
    expect(names(a)).toEqual(['inner', 'inner', 'outer', 'outer']);
  });
});

describe('an unknown tenant', () => {
  it('gets the tracer that does nothing, and is not asked for again for a while', async () => {
    const clock = new FakeClock();
    let asked = 0;
    let known = false;
    const registry = registryOf({
      clock,
      configure: () => {
        asked += 1;
        return known ? {} : undefined;
      },
    });
    const nobody = registry.get('');
    for (let index = 0; index < 5; index += 1) expect(registry.get('ghost')).toBe(nobody);
    expect(asked).toBe(1);
    expect(registry.stats()).toMatchObject({ live: 0, waiting: 0, unknown: 1 });
    expect(registry.has('ghost')).toBe(false);
    clock.advance(30_001);
    known = true;
    expect(registry.get('ghost').state).toBe('active');
    expect(asked).toBe(2);
  });

  it('loses what was recorded meanwhile, counted, and comes to life with the same tracer once it is known', async () => {
    const clock = new FakeClock();
    const target = await receiver();
    const answers: Answer[] = [undefined, toReceiver(target)('ghost')];
    const dropped = published('isotrace:dropped');
    const registry = registryOf({ clock, configure: async () => answers.shift() });
    const tracer = registry.get('ghost');
    tracer.startSpan('early').end();
    const open = tracer.startSpan('open');
    await settle();
    expect(tracer.state).toBe('disabled');
    expect(registry.get('ghost')).toBe(registry.get(''));
    open.end();
    tracer.startSpan('ignored').end();
    expect(tracer.stats().traces).toEqual({
      created: 2,
      exported: 0,
      queued: 0,
      spooled: 0,
      dropped: { tenant_unknown: 2 },
    });
    expect(dropped).toEqual([
      { tenantId: 'ghost', reason: 'tenant_unknown', count: 1 },
      { tenantId: 'ghost', reason: 'tenant_unknown', count: 1 },
    ]);
    clock.advance(30_001);
    expect(registry.get('ghost')).toBe(tracer);
    tracer.startSpan('known').end();
    await registry.flush();
    expect(names(target)).toEqual(['known']);
    expectBalance(registry.stats().traces);
  });

  it('can be made known at once with reconfigure', async () => {
    let known = false;
    const registry = registryOf({ configure: () => (known ? {} : undefined) });
    registry.get('new customer');
    known = true;
    expect(registry.get('new customer').state).toBe('disabled');
    expect(await registry.reconfigure('new customer')).toBe('unknown');
    expect(registry.get('new customer').state).toBe('active');
  });

  it.each(['sync', 'async'])('costs no memory and no timers, a million of them (%s)', async (kind) => {
    const clock = new FakeClock();
    const registry = registryOf({ clock, configure: kind === 'sync' ? () => undefined : async () => undefined });
    const idle = clock.pendingTimers;
    for (let index = 0; index < 20_000; index += 1) {
      registry.get(`warm ${index}`);
      if (index % 500 === 0) await settle(1);
    }
    const before = await heapUsed();
    let peak = 0;
    const ids = kind === 'sync' ? 1_000_000 : 200_000;
    for (let index = 0; index < ids; index += 1) {
      registry.get(`ghost ${index}`);
      if (kind === 'async' && index % 500 === 0) await settle(1);
      // Also amid one long turn of the event loop.
      if (index % 100_000 === 99_999) peak = Math.max(peak, kind === 'sync' ? collectedHeap() : await heapUsed());
    }
    expect(peak).toBeLessThan(before + 10 * 1_048_576);
    expect(await heapUsed()).toBeLessThan(before + 10 * 1_048_576);
    expect(registry.stats()).toMatchObject({ live: 0, waiting: 0, draining: 0, unknown: ids + 20_000, refused: 0 });
    expect(clock.pendingTimers).toBeLessThanOrEqual(idle + 1);
  });

  it('does not crowd out live tenants, however many are made up while configure takes its time', async () => {
    const clock = new FakeClock();
    const live = Array.from({ length: 10 }, (_, index) => `live ${index}`);
    const registry = registryOf({
      clock,
      maxTenants: 10,
      configure: (id) => (id.startsWith('live') ? {} : new Promise<undefined>(() => {})),
    });
    const tracers = live.map((id) => registry.get(id));
    for (let index = 0; index < 10_000; index += 1) registry.get(`made up ${index}`);
    expect(live.map((id) => registry.peek(id))).toEqual(tracers);
    expect(tracers.every(({ state }) => state === 'active')).toBe(true);
    expect(registry.stats()).toMatchObject({ live: 10, waiting: 10, refused: 9_990, evicted: 0 });
  });
});

describe('a configure that fails', () => {
  const failures: [string, () => unknown, string][] = [
    ['throws', () => boom(), 'Error: no database'],
    ['rejects', () => Promise.reject(new Error('no database')), 'Error: no database'],
    ['rejects with undefined', () => Promise.reject(undefined), 'undefined'],
    ['returns a string', () => 'rubbish', 'configure returned no options object'],
    ['resolves to a number', async () => 7, 'configure returned no options object'],
    ['returns a thenable that throws', () => ({ then: boom }), 'Error: no database'],
    [
      'returns an object whose then throws',
      () => Object.defineProperty({}, 'then', { get: boom }),
      'Error: no database',
    ],
  ];

  it.each(failures)(
    'which %s: degrades the tenant, keeps its spans and delivers them after the next try',
    async (_how, failure, reason) => {
      const target = await receiver();
      const clock = new FakeClock();
      const degraded = published('isotrace:tenant:degraded');
      let healthy = false;
      const registry = registryOf({
        clock,
        configure: (id) => (healthy ? toReceiver(target)(id) : (failure() as Answer)),
      });
      const tracer = registry.get('acme');
      tracer.startSpan('kept').end();
      await settle();
      expect(tracer.state).toBe('degraded');
      expect(tracer.health()).toMatchObject({ ok: false, reason, errors: { configure: 1 } });
      expect(degraded).toEqual([{ tenantId: 'acme', reason }]);
      expect(registry.get('acme')).toBe(tracer);
      tracer.startSpan('kept too').end();
      healthy = true;
      await clock.advanceAsync(30_000);
      expect(tracer.state).toBe('active');
      expect(tracer.health()).toMatchObject({ ok: true });
      expect(tracer.health().reason).toBeUndefined();
      await registry.flush();
      expect(names(target)).toEqual(['kept', 'kept too']);
    },
  );

  it('is asked again after 5 to 30 seconds, not in step for all tenants', async () => {
    const clock = new FakeClock();
    const asked = new Map<string, number[]>();
    const registry = registryOf({
      clock,
      configure: (id) => {
        const times = asked.get(id) ?? [];
        asked.set(id, [...times, clock.monotonic()]);
        return boom();
      },
    });
    for (let index = 0; index < 50; index += 1) registry.get(`tenant ${index}`);
    await clock.advanceAsync(120_000);
    const pauses = [...asked.values()].flatMap((times) =>
      times.slice(1).map((time, index) => time - (times[index] ?? 0)),
    );
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(4_980);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(30_000);
    expect(Math.max(...pauses) - Math.min(...pauses)).toBeGreaterThan(15_000);
    expect(new Set([...asked.values()].map((times) => times[1])).size).toBeGreaterThan(25);
  });

  it('by hanging is given 2 seconds, then asked again; an answer that comes late still counts', async () => {
    const target = await receiver();
    const clock = new FakeClock();
    const first = deferred<Answer>();
    let asked = 0;
    const registry = registryOf({
      clock,
      configure: () => {
        asked += 1;
        return asked === 1 ? first.promise : new Promise<undefined>(() => {});
      },
    });
    const tracer = registry.get('acme');
    tracer.startSpan('kept').end();
    await clock.advanceAsync(1_980);
    expect(tracer.state).toBe('pending');
    await clock.advanceAsync(30);
    expect(tracer.state).toBe('degraded');
    expect(tracer.health().reason).toContain('did not answer within 2000 ms');
    first.resolve(toReceiver(target)('acme'));
    await settle();
    expect(tracer.state).toBe('active');
    await registry.flush();
    expect(names(target)).toEqual(['kept']);
    await clock.advanceAsync(60_000);
    expect(asked).toBe(1);
  });

  it('by hanging again and again leaves one timer', async () => {
    const clock = new FakeClock();
    let asked = 0;
    const registry = registryOf({
      clock,
      configure: () => {
        asked += 1;
        return new Promise<undefined>(() => {});
      },
    });
    for (let index = 0; index < 20; index += 1) registry.get(`tenant ${index}`);
    await clock.advanceAsync(300_000);
    expect(asked).toBeGreaterThan((20 * 300) / 32 - 20);
    expect(clock.pendingTimers).toBe(1);
  });

  it('hands out an answer that resolves in the same call', async () => {
    const clock = new FakeClock();
    const thenable = { then: (resolve: (value: object) => void) => resolve({ service: { name: 'shop' } }) };
    const registry = registryOf({ clock, configure: () => thenable as never });
    const tracer = registry.get('acme');
    await settle();
    expect(tracer.state).toBe('active');
  });

  it('keeps what the tenant was, and nothing of what another one said', async () => {
    const shared = { attributes: { plan: 'free' }, destination: { endpoint: 'http://127.0.0.1:1' } };
    const registry = registryOf({ configure: () => shared });
    registry.get('a');
    shared.attributes.plan = 'changed';
    Object.assign(shared.destination, { endpoint: 'http://127.0.0.1:2' });
    expect(registry.get('a').health().destinations).toEqual([]);
    registry.get('a').startSpan('work').end();
    expect(registry.get('a').health().destinations[0]?.destination).toBe('http://127.0.0.1:1/v1/traces');
  });

  it('partly: the option falls back to its default and the tenant says so', () => {
    const registry = registryOf({ configure: () => ({ batch: { maxSize: -1 }, sampling: { ratio: 2 } }) });
    const { ok, issues, state } = registry.get('acme').health();
    expect(state).toBe('active');
    expect(ok).toBe(false);
    expect(issues.map(({ option }) => option)).toEqual(['sampling.ratio', 'batch.maxSize']);
    expect(registry.health().tenants.map(({ tenantId }) => tenantId)).toEqual(['acme']);
  });

  it('does not hold up the flush of the others', async () => {
    const target = await receiver();
    const clock = new FakeClock();
    const registry = registryOf({ clock, configure: (id) => (id === 'good' ? toReceiver(target)(id) : boom()) });
    registry.get('bad').startSpan('kept').end();
    registry.get('good').startSpan('sent').end();
    const report = await registry.flush();
    expect(report).toMatchObject({ ok: false, delivered: 1, pending: 1 });
    expect(report.tenants.find(({ tenantId }) => tenantId === 'bad')).toMatchObject({
      pending: 1,
      error: 'Error: no database',
    });
    expect(names(target)).toEqual(['sent']);
  });
});

function boom(): never {
  throw new Error('no database');
}
