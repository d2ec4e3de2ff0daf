import { describe, expect, it } from 'vitest';
import type { Tracer, TracerOptions } from '../../src/index.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';
import {
  deferred,
  expectBalance,
  heapUsed,
  names,
  published,
  receiver,
  registryOf,
  resolveWith,
  toReceiver,
  until,
} from './registry-kit.ts';

describe('the registry', () => {
  it('evicts the tenant that was not used for longest when there are more than maxTenants', () => {
    const evicted = published('isotrace:tenant:evicted');
    const registry = registryOf({ maxTenants: 3 });
    for (const id of ['a', 'b', 'c', 'a', 'd', 'e']) registry.get(id);
    expect([...registry.keys()]).toEqual(['e', 'd', 'a']);
    expect(evicted).toEqual([
      { tenantId: 'b', reason: 'capacity' },
      { tenantId: 'c', reason: 'capacity' },
    ]);
    expect(registry.stats()).toMatchObject({ live: 3, maxTenants: 3, created: 5, evicted: 2, draining: 0 });
  });

  it('keeps count through thousands of evictions', () => {
    const registry = registryOf({ maxTenants: 7 });
    for (let round = 0; round < 5_000; round += 1) {
      registry.get(`tenant ${(round * round) % 23}`);
      expect(registry.size).toBeLessThanOrEqual(7);
    }
    expect([...registry.keys()]).toHaveLength(7);
    expect(new Set(registry.keys()).size).toBe(7);
    for (const [id, tracer] of registry.entries()) expect(tracer.tenantId).toBe(id);
  });

  it('evicts tenants that nobody used for the idle timeout, at most a quarter late, and keeps those in use', async () => {
    const clock = new FakeClock();
    const evicted = published('isotrace:tenant:evicted');
    const registry = registryOf({ clock, idleTimeoutMillis: 60_000 });
    const kept = registry.get('through get');
    const held = registry.get('through its tracer');
    const open = registry.get('with an open span').startSpan('long');
    registry.get('idle');
    for (let step = 0; step < 5; step += 1) {
      await clock.advanceAsync(11_990);
      registry.get('through get');
      held.startSpan('work').end();
    }
    expect(evicted).toEqual([]);
    await clock.advanceAsync(15_100);
    expect(evicted).toEqual([{ tenantId: 'idle', reason: 'idle' }]);
    expect(registry.peek('through get')).toBe(kept);
    open.end();
    await clock.advanceAsync(80_000);
    expect(registry.size).toBe(0);
    await clock.advanceAsync(80_000);
    expect(clock.pendingTimers).toBe(0);
  });

  it('evicts on delete', () => {
    const evicted = published('isotrace:tenant:evicted');
    const registry = registryOf({});
    registry.get('acme');
    expect(registry.delete('acme')).toBe(true);
    expect(registry.delete('acme')).toBe(false);
    expect(registry.delete(Symbol('id') as never)).toBe(false);
    expect(registry.has('acme')).toBe(false);
    expect(evicted).toEqual([{ tenantId: 'acme', reason: 'deleted' }]);
  });
});

describe('an evicted tenant', () => {
  it('delivers its queue at once, without waiting for the batch', async () => {
    const target = await receiver();
    const clock = new FakeClock();
    const registry = registryOf({ clock, maxTenants: 1, configure: toReceiver(target) });
    const tracer = registry.get('a');
    for (let index = 0; index < 2_000; index += 1) tracer.startSpan('work').end();
    registry.get('b');
    expect(tracer.state).toBe('draining');
    await target.waitForSpans(2_000);
    await until(() => tracer.state === 'dormant', 'dormant');
    expect(registry.stats()).toMatchObject({ draining: 0, bytes: 0 });
    expect(tracer.stats()).toMatchObject({ bytes: 0, traces: { created: 2_000, exported: 2_000, queued: 0 } });
    expectBalance(registry.stats().traces);
  });

  it('waits for its open spans and delivers them', async () => {
    const target = await receiver();
    const clock = new FakeClock();
    const registry = registryOf({ clock, maxTenants: 1, configure: toReceiver(target) });
    const tracer = registry.get('a');
    const outer = tracer.startSpan('outer');
    registry.get('b');
    expect(tracer.state).toBe('draining');
    expect(registry.stats().draining).toBe(1);
    await clock.advanceAsync(30_000);
    outer.end();
    await target.waitForSpans(1);
    await until(() => tracer.state === 'dormant', 'dormant');
    expect(names(target)).toEqual(['outer']);
    expect(registry.stats()).toMatchObject({ draining: 0, evicted: 1, revived: 0 });
  });

  it('lets a request that is in flight finish, and sends it once', async () => {
    const target = await receiver();
    const clock = new FakeClock();
    const release = deferred<void>();
    const registry = registryOf({
      clock,
      maxTenants: 1,
      configure: (id) => ({
        destination: { endpoint: target.url, headers: () => release.promise.then(() => ({ 'x-tenant': id })) },
        batch: { maxSize: 1 },
      }),
    });
    const tracer = registry.get('a');
    tracer.startSpan('in flight').end();
    tracer.startSpan('queued').end();
    registry.get('b');
    expect(tracer.stats().traces.queued).toBe(2);
    release.resolve();
    await target.waitForSpans(2);
    await until(() => tracer.state === 'dormant', 'dormant');
    expect(names(target)).toEqual(['in flight', 'queued']);
    expect(tracer.stats().traces).toMatchObject({ created: 2, exported: 2 });
  });

  it('waits for its configuration when spans need it', async () => {
    const target = await receiver();
    const clock = new FakeClock();
    const answer = deferred<TracerOptions>();
    const registry = registryOf({ clock, configure: () => answer.promise });
    const tracer = registry.get('a');
    tracer.startSpan('early').end();
    registry.delete('a');
    expect(tracer.state).toBe('draining');
    answer.resolve(toReceiver(target)('a'));
    await target.waitForSpans(1);
    await until(() => tracer.state === 'dormant', 'dormant');
    expect(registry.has('a')).toBe(false);
    expectBalance(registry.stats().traces);
  });

  it('does not come back by itself when its configuration comes and nothing needs it', async () => {
    const clock = new FakeClock();
    const answer = deferred<TracerOptions>();
    const registry = registryOf({ clock, configure: () => answer.promise });
    const tracer = registry.get('a');
    registry.delete('a');
    expect(tracer.state).toBe('dormant');
    answer.resolve({});
    await settle();
    expect(tracer.state).toBe('dormant');
    expect(registry.has('a')).toBe(false);
    expect(registry.stats()).toMatchObject({ live: 0, waiting: 0, draining: 0 });
  });

  it('is not asked for any more when its configuration could not be had', async () => {
    const clock = new FakeClock();
    let asked = 0;
    const registry = registryOf({
      clock,
      configure: () => {
        asked += 1;
        throw new Error('no database');
      },
    });
    registry.get('a');
    registry.delete('a');
    await clock.advanceAsync(30 * 60_000);
    expect(asked).toBe(1);
    expect(clock.pendingTimers).toBe(0);
  });

  it('gives up what it could not deliver when the grace is over, counted', async () => {
    const target = await receiver({ fault: { mode: 'hang' } });
    const clock = new FakeClock();
    const dropped = published('isotrace:dropped');
    const registry = registryOf({ clock, maxTenants: 1, drainTimeoutMillis: 5_000, configure: toReceiver(target) });
    const tracer = registry.get('a');
    for (let index = 0; index < 600; index += 1) tracer.startSpan('work').end();
    registry.get('b');
    await target.waitForRequests(2);
    await clock.advanceAsync(4_980);
    expect(tracer.state).toBe('draining');
    await clock.advanceAsync(30);
    expect(tracer.state).toBe('dormant');
    // What was under way and what waited are given up one after the other.
    expect(dropped).toEqual([512, 88].map((count) => ({ tenantId: 'a', reason: 'evicted', count })));
    expect(tracer.stats().traces).toEqual({
      created: 600,
      exported: 0,
      queued: 0,
      spooled: 0,
      dropped: { evicted: 600 },
    });
    expect(registry.stats()).toMatchObject({ draining: 0, bytes: 0 });
    await until(() => registry.stats().requests === 0, 'no request under way');
    await target.waitForConnections(0);
  });

  it('has the spans that end after the grace delivered, by coming back', async () => {
    const target = await receiver();
    const clock = new FakeClock();
    const revived = published('isotrace:tenant:revived');
    const registry = registryOf({ clock, maxTenants: 1, drainTimeoutMillis: 5_000, configure: toReceiver(target) });
    const tracer = registry.get('a');
    const open = tracer.startSpan('very long');
    registry.get('b');
    await clock.advanceAsync(6_000);
    expect(tracer.state).toBe('dormant');
    open.end();
    expect(tracer.state).toBe('active');
    expect(revived).toEqual([{ tenantId: 'a' }]);
    await registry.flush();
    expect(names(target)).toEqual(['very long']);
    expectBalance(registry.stats().traces);
  });

  it('frees its queue, its lanes and its timers', async () => {
    const target = await receiver();
    const clock = new FakeClock();
    const registry = registryOf({ clock, configure: toReceiver(target) });
    const idle = clock.pendingTimers;
    const tracer = registry.get('a');
    tracer.startSpan('work').end();
    registry.delete('a');
    await until(() => tracer.state === 'dormant', 'dormant');
    expect(tracer.health().destinations).toEqual([]);
    await clock.advanceAsync(30 * 60_000);
    expect(clock.pendingTimers).toBe(idle);
    expect(registry.stats()).toMatchObject({ sockets: 0, bytes: 0, draining: 0 });
  });
});

describe('using an evicted tenant again', () => {
  it('through a tracer that was kept asks for its configuration anew and records into it', async () => {
    const old = await receiver();
    const current = await receiver();
    const clock = new FakeClock();
    let target = old;
    const registry = registryOf({ clock, configure: (id) => toReceiver(target)(id) });
    const tracer = registry.get('a');
    tracer.startSpan('before').end();
    registry.delete('a');
    await until(() => tracer.state === 'dormant', 'dormant');
    target = current;
    const span = tracer.startSpan('after');
    expect(span.isRecording()).toBe(true);
    span.end();
    expect(tracer.state).toBe('active');
    expect(registry.peek('a')).toBe(tracer);
    await registry.flush();
    expect(names(old)).toEqual(['before']);
    expect(names(current)).toEqual(['after']);
    expect(registry.stats()).toMatchObject({ created: 1, revived: 1, evicted: 1 });
  });

  it('with an asynchronous configure loses nothing in between', async () => {
    const target = await receiver();
    const clock = new FakeClock();
    const registry = registryOf({ clock, configure: (id) => settle().then(() => toReceiver(target)(id)) });
    const tracer = registry.get('a');
    for (let round = 0; round < 20; round += 1) {
      tracer.startSpan(`span ${round}`).end();
      await settle(round % 4);
      registry.delete('a');
      await settle(round % 3);
    }
    await resolveWith(clock, registry.flush());
    await target.waitForSpans(20);
    expect(new Set(names(target)).size).toBe(20);
    expectBalance(registry.stats().traces);
  });

  it.each(['its tracer', 'get'])('while it drains, through %s, goes on as it was', async (how) => {
    const target = await receiver();
    const clock = new FakeClock();
    const revived = published('isotrace:tenant:revived');
    let asked = 0;
    const registry = registryOf({
      clock,
      configure: (id) => {
        asked += 1;
        return toReceiver(target)(id);
      },
    });
    const tracer = registry.get('a');
    const open = tracer.startSpan('open');
    registry.delete('a');
    expect(tracer.state).toBe('draining');
    if (how === 'get') expect(registry.get('a')).toBe(tracer);
    else tracer.startSpan('wakes it').end();
    expect(tracer.state).toBe('active');
    expect(registry.peek('a')).toBe(tracer);
    expect(registry.stats()).toMatchObject({ draining: 0, live: 1, revived: 1 });
    expect(revived).toEqual([{ tenantId: 'a' }]);
    expect(asked).toBe(1);
    open.end();
    await clock.advanceAsync(70_000);
    expect(tracer.state).toBe('active');
    await target.waitForSpans(how === 'get' ? 1 : 2);
    expect(tracer.stats().traces.dropped).toEqual({});
  });

  it('goes back to full batches', async () => {
    const target = await receiver();
    const clock = new FakeClock();
    const registry = registryOf({ clock, configure: toReceiver(target) });
    const tracer = registry.get('a');
    const open = tracer.startSpan('open');
    registry.delete('a');
    registry.get('a');
    open.end();
    for (let index = 0; index < 10; index += 1) {
      tracer.startSpan('work').end();
      await settle();
    }
    await registry.flush();
    expect(target.requests).toHaveLength(1);
    expect(target.spans()).toHaveLength(11);
  });

  it('also after it was unknown in between', async () => {
    const target = await receiver();
    const clock = new FakeClock();
    let known = true;
    const registry = registryOf({ clock, configure: (id) => (known ? toReceiver(target)(id) : undefined) });
    const tracer = registry.get('a');
    const open = tracer.startSpan('open');
    registry.delete('a');
    known = false;
    expect(await registry.reconfigure('a')).toBe('unknown');
    open.end();
    known = true;
    await clock.advanceAsync(30_001);
    expect(registry.get('a')).toBe(tracer);
    for (let index = 0; index < 10; index += 1) {
      tracer.startSpan('work').end();
      await settle();
    }
    await registry.flush();
    expect(target.requests).toHaveLength(1);
    expect(tracer.stats().traces).toMatchObject({ created: 11, exported: 10, dropped: { tenant_unknown: 1 } });
  });

  it('never makes a second tracer while somebody holds the first, also across garbage collections', async () => {
    const target = await receiver();
    const ids = Array.from({ length: 12 }, (_, index) => `tenant ${index}`);
    const created = published('isotrace:tenant:created');
    const registry = registryOf({
      maxTenants: 4,
      configure: (id) => (id.endsWith('1') ? Promise.resolve(toReceiver(target)(id)) : toReceiver(target)(id)),
    });
    const held = new Map<string, Tracer>();
    const clock = new FakeClock();
    let started = 0;
    for (let round = 0; round < 3_000; round += 1) {
      const id = ids[Math.floor(clock.random() * ids.length)] as string;
      const tracer = clock.random() < 0.5 ? registry.get(id) : (held.get(id) ?? registry.get(id));
      expect(held.get(id) ?? tracer).toBe(tracer);
      held.set(id, tracer);
      tracer.startSpan('work').end();
      started += 1;
      if (clock.random() < 0.1) registry.delete(id);
      if (clock.random() < 0.05) await settle(1);
      if (round % 500 === 0) await heapUsed();
    }
    expect(created).toHaveLength(ids.length);
    await registry.flush();
    await target.waitForSpans(started);
    expectBalance(registry.stats().traces);
    expect(registry.stats().traces).toMatchObject({ created: started, exported: started });
  });

  it('leaves nothing of tenants whose tracers nobody holds', async () => {
    const registry = registryOf({ maxTenants: 10 });
    for (let index = 0; index < 2_000; index += 1) registry.get(`warm ${index}`);
    const before = await heapUsed();
    for (let round = 0; round < 10; round += 1) {
      for (let index = 0; index < 2_000; index += 1) registry.get(`tenant ${round} ${index}`);
      await heapUsed();
    }
    expect(await heapUsed()).toBeLessThan(before + 512 * 1_024);
  });

  it('over and over costs no memory', async () => {
    const registry = registryOf({ maxTenants: 1 });
    const [a, b] = [registry.get('a'), registry.get('b')];
    const thrash = async (): Promise<number> => {
      for (let round = 0; round < 20_000; round += 1) {
        a.startSpan('work').end();
        b.startSpan('work').end();
        if (round % 1_000 === 0) await settle(1);
      }
      return heapUsed();
    };
    const before = await thrash();
    expect(await thrash()).toBeLessThan(before + 512 * 1_024);
    expect(registry.stats().traces.created).toBe(80_000);
    expect(registry.stats()).toMatchObject({ live: 1, draining: 0 });
  });
});

describe('10,000 tenants through an LRU of 500', () => {
  it('lose no span, open ones included, and leave no memory, sockets or timers', async () => {
    const target = await receiver();
    // No time passes: on a busy machine requests take over a second, and what is overdue has connections beside the eight.
    const clock = new FakeClock();
    const registry = registryOf({ clock, maxTenants: 500, configure: toReceiver(target) });
    const use = async (tenants: number): Promise<void> => {
      const open: { end(): void }[] = [];
      for (let index = 0; index < tenants; index += 1) {
        const tracer = registry.get(`tenant ${index}`);
        tracer.startSpan('ended').end();
        open.push(tracer.startSpan('open'));
        // At any time 1,500 tenants that were evicted with an open span.
        if (open.length > 2_000) open.shift()?.end();
        if (index % 100 === 0) await settle(1);
      }
      for (const span of open) span.end();
    };
    await use(1_000);
    const before = await heapUsed();
    await use(10_000);
    const created = 22_000;
    expect(registry.size).toBeLessThanOrEqual(500);
    await registry.flush({ timeoutMillis: 20_000 });
    await until(() => registry.stats().draining === 0, 'nothing drains');
    expect(target.spans()).toHaveLength(created);
    expect(new Set(target.spans().map(({ spanId }) => spanId)).size).toBe(created);
    const { traces, sockets } = registry.stats();
    expect(traces).toEqual({ created, exported: created, queued: 0, spooled: 0, dropped: {} });
    expect(sockets).toBeLessThanOrEqual(8);
    expect(target.connections.total).toBeLessThanOrEqual(8);
    for (const id of [...registry.keys()]) registry.delete(id);
    forget(target);
    // The receiver lives in this process: what it keeps of the requests is gone too.
    expect(await heapUsed()).toBeLessThan(before + 4 * 1_048_576);
    await registry.shutdown();
    await target.waitForConnections(0);
    expect(registry.stats().sockets).toBe(0);
    expect(clock.pendingTimers).toBe(0);
  }, 240_000);
});

function forget(target: { readonly requests: unknown[]; spans(): readonly unknown[] }): void {
  target.requests.length = 0;
  (target.spans() as unknown[]).length = 0;
}
