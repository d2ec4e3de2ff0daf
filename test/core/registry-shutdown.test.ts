import { execFile } from 'node:child_process';
import type { ReadableSpan, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace';
import { describe, expect, it } from 'vitest';
import type { FlushReport, RegistryOptions, Tracer } from '../../src/index.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';
import { type ReceiverFault, refusedUrl } from '../support/otlp-receiver.ts';
import {
  deferred,
  expectBalance,
  names,
  published,
  receiver,
  registryOf,
  resolveWith,
  toReceiver,
  until,
} from './registry-kit.ts';

const ENTRY = new URL('../../src/index.ts', import.meta.url).href;
const NEVER = new Promise<never>(() => {});

/** Those that the test itself begins with do not count. */
function listeners(): () => Record<string, number> {
  const count = (event: string): number => process.listenerCount(event);
  const before = ['beforeExit', 'SIGTERM', 'SIGUSR2'].map((event) => [event, count(event)] as const);
  return () => Object.fromEntries(before.map(([event, known]) => [event, count(event) - known]));
}

describe('the hooks of a registry in the process', () => {
  it('are gone when its shutdown is over, and those of another registry stay', async () => {
    const target = await receiver({ fault: { mode: 'delay', millis: 50 } });
    const here = listeners();
    const [registry, other] = [registryOf({ configure: toReceiver(target) }), registryOf({})];
    const remove = registry.installProcessHooks({ signals: ['SIGTERM', 'SIGUSR2'] });
    registry.installProcessHooks();
    other.installProcessHooks();
    expect(here()).toEqual({ beforeExit: 3, SIGTERM: 3, SIGUSR2: 1 });
    registry.get('acme').startSpan('work').end();
    const report = registry.shutdown();
    await target.waitForRequests(1);
    expect(here(), 'while it delivers').toEqual({ beforeExit: 3, SIGTERM: 3, SIGUSR2: 1 });
    expect(await report).toMatchObject({ ok: true, delivered: 1 });
    expect(here()).toEqual({ beforeExit: 1, SIGTERM: 1, SIGUSR2: 0 });
    registry.installProcessHooks();
    remove();
    expect(here()).toEqual({ beforeExit: 1, SIGTERM: 1, SIGUSR2: 0 });
    await other.shutdown();
    expect(here()).toEqual({ beforeExit: 0, SIGTERM: 0, SIGUSR2: 0 });
  });

  it('can be taken out one by one', async () => {
    const here = listeners();
    const registry = registryOf({});
    const [one, two] = [registry.installProcessHooks(), registry.installProcessHooks({ signals: ['SIGUSR2'] })];
    one();
    one();
    expect(here()).toEqual({ beforeExit: 1, SIGTERM: 0, SIGUSR2: 1 });
    two();
    expect(here()).toEqual({ beforeExit: 0, SIGTERM: 0, SIGUSR2: 0 });
  });
});

describe('flush', () => {
  it('resolves at once when there is nothing to do, also before the first use', async () => {
    const registry = registryOf({});
    const empty = { ok: true, delivered: 0, pending: 0, spooled: 0, dropped: {}, tenants: [] };
    expect(await registry.flush()).toEqual(empty);
    expect(await registry.get('acme').flush()).toEqual(empty);
    expect(await registry.get('').flush()).toEqual(empty);
    await registry.shutdown();
    expect(await registry.flush()).toEqual(empty);
  });

  it('waits for what is in flight already', async () => {
    const target = await receiver({ fault: { mode: 'delay', millis: 300 } });
    const registry = registryOf({ batch: { maxSize: 1 }, configure: toReceiver(target) });
    registry.get('acme').startSpan('in flight').end();
    await target.waitForRequests(1);
    const report = await registry.flush();
    expect(report).toMatchObject({ ok: true, delivered: 1 });
    expect(registry.stats().traces.exported).toBe(1);
  });

  it('may be called many times at once', async () => {
    const target = await receiver();
    const registry = registryOf({ configure: toReceiver(target) });
    registry.get('acme').startSpan('work').end();
    const reports = await Promise.all([registry.flush(), registry.flush(), registry.get('acme').flush()]);
    expect(reports.every(({ ok }) => ok)).toBe(true);
    expect(names(target)).toEqual(['work']);
  });

  it('tells for each tenant what was delivered, what waits and why', async () => {
    const good = await receiver();
    const bad = await receiver({ fault: { mode: 'status', status: 503 } });
    const picky = await receiver({ fault: { mode: 'partial-success', rejected: 1, message: 'too old' } });
    const targets: Record<string, string> = { good: good.url, bad: bad.url, picky: picky.url };
    const registry = registryOf({ configure: (id) => ({ destination: { endpoint: targets[id] as string } }) });
    for (const id of Object.keys(targets))
      for (let index = 0; index < 3; index += 1) registry.get(id).startSpan('work').end();
    registry.get('good');
    const report = await registry.flush();
    expect(report).toMatchObject({ ok: false, delivered: 5, pending: 3, dropped: { rejected: 1 } });
    const byId = Object.fromEntries(report.tenants.map((tenant) => [tenant.tenantId, tenant]));
    expect(byId['good']).toEqual({ tenantId: 'good', delivered: 3, pending: 0, spooled: 0, dropped: {} });
    expect(byId['bad']).toMatchObject({ delivered: 0, pending: 3, spooled: 0, dropped: {}, error: 'HTTP 503' });
    expect(byId['picky']).toMatchObject({ delivered: 2, pending: 0, dropped: { rejected: 1 } });
  });

  it('does not count what sampling turned away as a failure', async () => {
    const target = await receiver();
    const answer = deferred<object>();
    const registry = registryOf({ configure: () => answer.promise });
    registry.get('acme').startSpan('work').end();
    answer.resolve({ ...toReceiver(target)('acme'), sampling: { ratio: 0 } });
    expect(await registry.flush()).toMatchObject({ ok: true, dropped: { sampled: 1 } });
  });

  it('reaches the processors and the exporter of the host', async () => {
    const calls: string[] = [];
    const registry = registryOf({
      spanProcessors: [{ ...idleProcessor(), forceFlush: async () => void calls.push('processor') }],
      exporter: { ...goodExporter(), forceFlush: async () => void calls.push('exporter') },
    });
    registry.get('acme').startSpan('work').end();
    await registry.flush();
    expect(calls.sort()).toEqual(['exporter', 'processor']);
  });

  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['a negative time', { timeoutMillis: -1 }],
    ['NaN', { timeoutMillis: Number.NaN }],
    [
      'a getter that throws',
      Object.defineProperty({}, 'timeoutMillis', {
        get: () => {
          throw new Error('no');
        },
      }),
    ],
  ])('takes the default time for %s', async (_what, options) => {
    const target = await receiver({ fault: { mode: 'hang' } });
    const clock = new FakeClock();
    const registry = registryOf({ clock, configure: toReceiver(target) });
    registry.get('acme').startSpan('work').end();
    const flushed = timed(clock, registry.flush(options as never));
    await target.waitForRequests(1);
    expect(await flushed).toBe(10_000);
  });
});

describe('the time that a flush or a shutdown is given', () => {
  const faults: [string, ReceiverFault][] = [
    ['hangs', { mode: 'hang' }],
    ['answers a byte at a time', { mode: 'slow-body', status: 503 }],
    ['asks to come back in an hour', { mode: 'status', status: 429, headers: { 'retry-after': '3600' } }],
    ['refuses the credentials', { mode: 'status', status: 401 }],
    ['is overloaded', { mode: 'status', status: 503 }],
    ['resets every connection', { mode: 'reset-before-status' }],
  ];

  it.each(faults)('is exact when the receiver %s', async (_what, fault) => {
    const target = await receiver({ fault });
    const clock = new FakeClock();
    const registry = registryOf({ clock, configure: toReceiver(target) });
    for (const id of ['a', 'b', 'c']) registry.get(id).startSpan('work').end();
    const open = registry.get('a').startSpan('open');
    const closing = registry.shutdown({ timeoutMillis: 3_000 });
    const took = timed(clock, closing);
    await target.waitForRequests(1);
    expect(await took).toBe(3_000);
    const report = await closing;
    expect(report).toMatchObject({ ok: false, delivered: 0, pending: 0, dropped: { shutdown_deadline: 3 } });
    expect(report.tenants).toHaveLength(3);
    for (const { error } of report.tenants) expect(error).toBeTruthy();
    open.end();
    expect(registry.stats()).toMatchObject({ sockets: 0, bytes: 0, live: 0 });
    await target.waitForConnections(0);
    expect(clock.pendingTimers).toBe(0);
    expectBalance(registry.stats().traces);
  });

  it('is exact when nobody listens', async () => {
    const endpoint = await refusedUrl();
    const clock = new FakeClock();
    const registry = registryOf({ clock, configure: () => ({ destination: { endpoint } }) });
    registry.get('a').startSpan('work').end();
    const closing = registry.shutdown({ timeoutMillis: 3_000 });
    expect(await timed(clock, closing)).toBe(3_000);
    expect((await closing).tenants[0]?.error).toMatch(/refused/i);
    expect(clock.pendingTimers).toBe(0);
  });

  const hung: [string, RegistryOptions<Tracer>][] = [
    ['an exporter that never answers', { exporter: { ...goodExporter(), export: () => {} } }],
    ['an exporter whose shutdown hangs', { exporter: { ...goodExporter(), shutdown: () => NEVER } }],
    ['an exporter whose forceFlush hangs', { exporter: { ...goodExporter(), forceFlush: () => NEVER } }],
    ['a processor whose forceFlush hangs', { spanProcessors: [{ ...idleProcessor(), forceFlush: () => NEVER }] }],
    ['a processor whose shutdown hangs', { spanProcessors: [{ ...idleProcessor(), shutdown: () => NEVER }] }],
    ['a configure that hangs', { configure: () => NEVER }],
    [
      'a headers function that hangs',
      { destination: { endpoint: 'http://127.0.0.1:1', headers: () => NEVER, timeoutMillis: 600_000 } },
    ],
  ];

  it.each(hung)('is exact with %s, for the registry and for one tenant', async (what, options) => {
    for (const of of ['registry', 'tenant'] as const) {
      const clock = new FakeClock();
      const { spanProcessors, exporter } = options;
      const registry = registryOf({
        configure: () => ({ ...(spanProcessors && { spanProcessors }), ...(exporter && { exporter }) }),
        ...without(options),
        clock,
      });
      const tracer = registry.get('acme');
      tracer.startSpan('work').end();
      const took = await timed(clock, (of === 'registry' ? registry : tracer).shutdown({ timeoutMillis: 3_000 }));
      // What a tenant brought is shut down with the registry: another one may use it, too.
      expect(took).toBe(of === 'tenant' && what.includes('shutdown') ? 0 : 3_000);
      expect(tracer.state).toBe('closed');
      expectBalance(tracer.stats().traces);
      expect(tracer.stats().traces.queued).toBe(0);
    }
  });

  it.each(hung.filter(([what]) => /forceFlush|shutdown/.test(what)))(
    'with %s does not keep the spans from their receiver',
    async (_what, options) => {
      const target = await receiver();
      const clock = new FakeClock();
      const registry = registryOf({ ...options, destination: { endpoint: target.url }, clock });
      registry.get('acme').startSpan('work').end();
      const closing = registry.shutdown({ timeoutMillis: 3_000 });
      await target.waitForSpans(1);
      await until(() => registry.stats().traces.exported >= 1, 'delivered');
      await resolveWith(clock, closing);
      expect(names(target)).toEqual(['work']);
    },
  );

  it('is one for all of 200 tenants whose receivers hang, by the real clock too', async () => {
    const target = await receiver({ fault: { mode: 'hang' } });
    const registry = registryOf({ configure: toReceiver(target) });
    for (let index = 0; index < 200; index += 1) registry.get(`tenant ${index}`).startSpan('work').end();
    const start = performance.now();
    const report = await registry.shutdown({ timeoutMillis: 500 });
    const took = performance.now() - start;
    expect(took).toBeGreaterThanOrEqual(495);
    // Exact by the fake clock, above; here anything like the 10 s of one request would be a wait without a bound.
    expect(took).toBeLessThan(5_000);
    expect(report).toMatchObject({ dropped: { shutdown_deadline: 200 }, pending: 0 });
    expect(registry.stats().sockets).toBe(0);
  });

  it('ends all requests: what one tenant gives up is no reason to start those of the others', async () => {
    const target = await receiver({ fault: { mode: 'hang' } });
    const clock = new FakeClock();
    const registry = registryOf({ clock, configure: toReceiver(target) });
    for (let index = 0; index < 100; index += 1) registry.get(`tenant ${index}`).startSpan('work').end();
    const closing = registry.shutdown({ timeoutMillis: 500 });
    await target.waitForRequests(8);
    const report = await resolveWith(clock, closing);
    await target.waitForConnections(0);
    expect(target.connections.total).toBe(8);
    expect(report).toMatchObject({ dropped: { shutdown_deadline: 100 }, pending: 0 });
  });

  it('is the shorter one when a tenant is shut down by itself and then with its registry', async () => {
    const target = await receiver({ fault: { mode: 'hang' } });
    const clock = new FakeClock();
    const registry = registryOf({ clock, configure: toReceiver(target) });
    const tracer = registry.get('acme');
    tracer.startSpan('work').end();
    const patient = tracer.shutdown({ timeoutMillis: 60_000 });
    const took = timed(clock, registry.shutdown({ timeoutMillis: 2_000 }));
    expect(await took).toBe(2_000);
    expect(await patient).toMatchObject({ dropped: { shutdown_deadline: 1 } });
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('shutdown', () => {
  it('delivers everything, closes everything and leaves nothing', async () => {
    const target = await receiver();
    const closed = published('isotrace:tenant:closed');
    const registry = registryOf({ configure: toReceiver(target), maxTenants: 2 });
    for (const id of ['a', 'b', 'c'])
      for (let index = 0; index < 100; index += 1) registry.get(id).startSpan('work').end();
    const report = await registry.shutdown();
    expect(report.pending).toBe(0);
    expect(target.spans()).toHaveLength(300);
    expect(closed.map(({ tenantId }) => tenantId)).toEqual(expect.arrayContaining(['b', 'c']));
    expect(registry.stats()).toMatchObject({ live: 0, waiting: 0, draining: 0, bytes: 0, sockets: 0, requests: 0 });
    await target.waitForConnections(0);
    expectBalance(registry.stats().traces);
  });

  it('retries within its time', async () => {
    const target = await receiver();
    target.setFault((_request, index) => (index < 2 ? { mode: 'status', status: 503 } : { mode: 'ok' }));
    const clock = new FakeClock();
    const registry = registryOf({ clock, configure: toReceiver(target) });
    registry.get('a').startSpan('work').end();
    const report = await resolveWith(clock, registry.shutdown({ timeoutMillis: 60_000 }));
    expect(report).toMatchObject({ ok: true, delivered: 1 });
    expect(names(target)).toEqual(['work']);
  });

  it('waits for the configuration that spans need', async () => {
    const target = await receiver();
    const answer = deferred<object>();
    const registry = registryOf({ configure: () => answer.promise });
    registry.get('acme').startSpan('early').end();
    const closing = registry.shutdown();
    await settle();
    answer.resolve(toReceiver(target)('acme'));
    expect(await closing).toMatchObject({ ok: true, delivered: 1 });
    expect(names(target)).toEqual(['early']);
  });

  it('ends at once when it turns out that there is no such tenant', async () => {
    const answer = deferred<undefined>();
    const clock = new FakeClock();
    const registry = registryOf({ clock, configure: () => answer.promise });
    registry.get('acme').startSpan('early').end();
    const closing = registry.shutdown();
    answer.resolve(undefined);
    expect(await closing).toMatchObject({ dropped: { tenant_unknown: 1 } });
  });

  it('gives the same report however often it is called', async () => {
    const target = await receiver();
    const registry = registryOf({ configure: toReceiver(target) });
    const tracer = registry.get('acme');
    tracer.startSpan('work').end();
    const [first, second, own] = await Promise.all([
      registry.shutdown(),
      registry.shutdown({ timeoutMillis: 1 }),
      tracer.shutdown(),
    ]);
    expect(second).toBe(first);
    expect(own).toEqual(first);
    expect(await registry.shutdown()).toBe(first);
    expect(first).toMatchObject({ ok: true, delivered: 1 });
    expect(target.spans()).toHaveLength(1);
  });

  it('may be called during an export, from inside of the exporter', async () => {
    const reports: Promise<FlushReport>[] = [];
    const clock = new FakeClock();
    const registry = registryOf({
      clock,
      exporter: {
        ...goodExporter(),
        export: (spans, done) => {
          reports.push(registry.get('acme').shutdown(), registry.shutdown());
          goodExporter().export(spans, done);
        },
      },
    });
    const tracer = registry.get('acme');
    tracer.startSpan('work').end();
    await tracer.flush();
    await resolveWith(clock, Promise.all(reports));
    expect(tracer.stats().traces).toMatchObject({ created: 1, exported: 1 });
    expect(tracer.state).toBe('closed');
  });

  it('makes all later calls quiet no-ops', async () => {
    const registry = registryOf({ platform: {} });
    const tracer = registry.get('acme');
    const platform = registry.platform;
    await registry.shutdown();
    expect(tracer.state).toBe('closed');
    expect(tracer.startSpan('late').isRecording()).toBe(false);
    expect(tracer.withSpan('late', () => 7)).toBe(7);
    expect(registry.get('acme').state).toBe('disabled');
    expect(registry.get('other').state).toBe('disabled');
    expect(registry.platform).toBe(platform);
    expect(platform.state).toBe('closed');
    expect(registry.run('acme', () => registry.withSpan('late', (span) => span.isRecording()))).toBe(false);
    expect([...registry.keys()]).toEqual([]);
    expect(registry.stats().traces.created).toBe(0);
  });

  it('counts the spans that end later, of live and of evicted tenants', async () => {
    const target = await receiver();
    const dropped = published('isotrace:dropped');
    const clock = new FakeClock();
    const registry = registryOf({ clock, drainTimeoutMillis: 1_000, configure: toReceiver(target) });
    const live = registry.get('live').startSpan('open');
    const dormant = registry.get('dormant');
    const forgotten = dormant.startSpan('open');
    registry.delete('dormant');
    await clock.advanceAsync(1_020);
    expect(dormant.state).toBe('dormant');
    const draining = registry.get('draining').startSpan('open');
    registry.delete('draining');
    await registry.shutdown();
    for (const span of [live, forgotten, draining]) span.end();
    expect(registry.stats().traces).toEqual({
      created: 3,
      exported: 0,
      queued: 0,
      spooled: 0,
      dropped: { shutdown_deadline: 3 },
    });
    expect(dropped.map(({ tenantId }) => tenantId)).toEqual(['live', 'dormant', 'draining']);
    expect(clock.pendingTimers).toBe(0);
  });

  it('shuts the exporter down even when it fails or hangs', async () => {
    let shutdowns = 0;
    const exporter: SpanExporter = {
      export: (_spans, done) => done({ code: 1, error: new Error('no') }),
      shutdown: () => {
        shutdowns += 1;
        return Promise.reject(new Error('no'));
      },
    };
    const clock = new FakeClock();
    const registry = registryOf({ clock, exporter, spanProcessors: [{ ...idleProcessor(), shutdown: () => NEVER }] });
    registry.get('acme').startSpan('work').end();
    const report = await resolveWith(clock, registry.shutdown({ timeoutMillis: 1_000 }));
    expect(report).toMatchObject({ dropped: { shutdown_deadline: 1 } });
    expect(shutdowns).toBe(1);
    expect(registry.health().errors.exporter).toBeGreaterThanOrEqual(1);
  });

  it('happens on `await using`', async () => {
    const target = await receiver();
    {
      await using registry = registryOf({ configure: toReceiver(target) });
      registry.get('acme').startSpan('work').end();
    }
    expect(names(target)).toEqual(['work']);
    await target.waitForConnections(0);
  });
});

describe('one tenant that is shut down by itself', () => {
  it('delivers on `await using`, leaves the registry, and starts anew when it is asked for again', async () => {
    const target = await receiver();
    const closed = published('isotrace:tenant:closed');
    const registry = registryOf({ configure: toReceiver(target) });
    let first: Tracer;
    {
      await using job = registry.get('job-42');
      first = job;
      job.startSpan('first run').end();
    }
    expect(names(target)).toEqual(['first run']);
    expect(closed).toEqual([{ tenantId: 'job-42' }]);
    expect(registry.has('job-42')).toBe(false);
    expect(registry.stats()).toMatchObject({ live: 0, draining: 0 });
    const second = registry.get('job-42');
    expect(second).not.toBe(first);
    second.startSpan('second run').end();
    first.startSpan('of the first').end();
    await registry.flush();
    expect(names(target)).toEqual(['first run', 'second run']);
    expect(first.state).toBe('closed');
    expectBalance(registry.stats().traces);
  });

  it('is part of the account until it is done', async () => {
    const target = await receiver({ fault: { mode: 'hang' } });
    const clock = new FakeClock();
    const registry = registryOf({ clock, configure: toReceiver(target) });
    const tracer = registry.get('acme');
    tracer.startSpan('work').end();
    const closing = tracer.shutdown({ timeoutMillis: 1_000 });
    expect(registry.has('acme')).toBe(false);
    expectBalance(registry.stats().traces);
    expect(registry.stats()).toMatchObject({ draining: 1, traces: { queued: 1 } });
    await resolveWith(clock, closing);
    expectBalance(registry.stats().traces);
    expect(registry.stats()).toMatchObject({ draining: 0, traces: { queued: 0 } });
  });

  it('while it is evicted stays closed', async () => {
    const registry = registryOf({});
    const tracer = registry.get('acme');
    const open = tracer.startSpan('open');
    registry.delete('acme');
    await tracer.shutdown();
    open.end();
    expect(tracer.state).toBe('closed');
    expect(registry.get('acme')).not.toBe(tracer);
    expect(registry.stats()).toMatchObject({ draining: 0, live: 1 });
  });

  it('does not close the tracer that stands in for tenants that do not exist', async () => {
    const closed = published('isotrace:tenant:closed');
    const registry = registryOf({ configure: () => undefined });
    {
      await using nobody = registry.get('ghost');
      nobody.startSpan('ignored').end();
    }
    expect(registry.get('other ghost').state).toBe('disabled');
    expect(closed).toEqual([]);
  });
});

describe('a process', () => {
  it('delivers with `await registry.shutdown()` as its last line, although nothing of isotrace keeps it alive', async () => {
    const target = await receiver();
    const { code, stdout } = await runScript(`
      const registry = new TracerRegistry({ destination: { endpoint: '${target.url}' }, platform: false });
      for (let index = 0; index < 1000; index += 1) registry.get('t' + (index % 7)).startSpan('work').end();
      const report = await registry.shutdown();
      process.stdout.write(JSON.stringify({ report, left: process.getActiveResourcesInfo() }));`);
    expect(code).toBe(0);
    const { report, left } = JSON.parse(stdout);
    expect(report).toMatchObject({ ok: true, delivered: 1_000, pending: 0 });
    expect(left.filter((resource: string) => /Timeout|TCP/.test(resource))).toEqual([]);
    expect(target.spans()).toHaveLength(1_000);
  });

  it('delivers with `await registry.flush()` as its last line, also what waits for its configuration', async () => {
    const target = await receiver({ fault: { mode: 'delay', millis: 200 } });
    const { code, stdout } = await runScript(`
      const registry = new TracerRegistry({
        platform: false,
        configure: (id) => new Promise((resolve) => {
          setTimeout(() => resolve({ destination: { endpoint: '${target.url}' } }), 200).unref();
        }),
      });
      registry.get('acme').startSpan('work').end();
      process.stdout.write(JSON.stringify(await registry.flush()));`);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, delivered: 1 });
    expect(names(target)).toEqual(['work']);
  });

  it('ends by itself while a receiver hangs, a retry waits and tenants are configured', async () => {
    const hanging = await receiver({ fault: { mode: 'hang' } });
    const busy = await receiver({ fault: { mode: 'status', status: 503 } });
    const { code, stdout } = await runScript(`
      const urls = { hangs: '${hanging.url}', busy: '${busy.url}' };
      const registry = new TracerRegistry({
        platform: false,
        batch: { maxSize: 1 },
        configure: (id) => id in urls ? { destination: { endpoint: urls[id] } } : new Promise(() => {}),
      });
      for (const id of ['hangs', 'busy', 'pending']) registry.get(id).startSpan('work').end();
      registry.delete('hangs');
      await new Promise((resolve) => setTimeout(resolve, 500));
      process.stdout.write(JSON.stringify(registry.stats().traces) + '\\n' + performance.now());
      const start = performance.now();
      process.on('exit', () => process.stdout.write('\\n' + (performance.now() - start)));`);
    expect(code).toBe(0);
    const [traces, , lived] = stdout.split('\n');
    expect(JSON.parse(traces ?? '')).toMatchObject({ created: 3, queued: 3 });
    // A timer or a socket that holds on would do so for the 10 s of a request, or the 5 minutes of retries.
    expect(Number(lived)).toBeLessThan(5_000);
    expect(hanging.requests.length + busy.requests.length).toBeGreaterThanOrEqual(2);
  });

  it('writes warnings as JSON to standard error, and nothing to standard output', async () => {
    const { code, stdout, stderr } = await runScript(`
      const registry = new TracerRegistry({ maxTenants: -5, platform: false, configure: () => { throw new Error('no database'); } });
      registry.get('acme');
      registry.get('globex');
      await new Promise((resolve) => setTimeout(resolve, 300));`);
    expect(code).toBe(0);
    expect(stdout).toBe('');
    const lines = stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatchObject({ name: 'isotrace', level: 40, issues: [{ option: 'maxTenants' }] });
    expect(lines[1]).toMatchObject({ level: 40, component: 'configure', error: 'Error: no database' });
  });
});

function idleProcessor(): SpanProcessor {
  return { onStart: () => {}, onEnd: () => {}, forceFlush: async () => {}, shutdown: async () => {} };
}

function goodExporter(): SpanExporter {
  return { export: (_spans: ReadableSpan[], done) => done({ code: 0 }), shutdown: async () => {} };
}

function without({
  spanProcessors: _processors,
  exporter: _exporter,
  ...rest
}: RegistryOptions<Tracer>): RegistryOptions<Tracer> {
  return rest;
}

/** How long a promise takes by a fake clock, to a millisecond. */
async function timed(clock: FakeClock, promise: Promise<unknown>): Promise<number> {
  const start = clock.monotonic();
  let took: number | undefined;
  void promise.then(() => {
    took ??= clock.monotonic() - start;
  });
  for (let turn = 0; turn < 50; turn += 1) await settle();
  while (took === undefined) await clock.advanceAsync(20);
  return took;
}

function runScript(script: string): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const source = `import { TracerRegistry } from '${ENTRY}';\n${script}`;
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '--eval', source],
      { timeout: 20_000, env: { ...process.env, NODE_OPTIONS: '', NODE_NO_WARNINGS: '1' } },
      (_error, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr }),
    );
  });
}
