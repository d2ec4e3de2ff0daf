import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { describe, expect, it } from 'vitest';
import type { TracerOptions } from '../../src/index.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';
import { deferred, expectBalance, names, published, receiver, registryOf, resources, until } from './registry-kit.ts';

describe('reconfigure', () => {
  it('sends what was recorded before to the old place with the old credentials, and the rest to the new', async () => {
    const old = await receiver();
    const current = await receiver();
    let options: TracerOptions = {
      destination: { endpoint: old.url, headers: { authorization: 'Bearer old' } },
      attributes: { plan: 'free' },
    };
    const registry = registryOf({ configure: async () => options });
    const tracer = registry.get('acme');
    tracer.startSpan('first').end();
    await settle();
    tracer.startSpan('second').end();
    const open = tracer.startSpan('across');
    options = {
      destination: { endpoint: current.url, headers: { authorization: 'Bearer new' } },
      attributes: { plan: 'pro' },
    };
    expect(await registry.reconfigure('acme')).toBe('changed');
    open.end();
    tracer.startSpan('third').end();
    await registry.flush();
    await old.waitForSpans(2);
    expect(registry.get('acme')).toBe(tracer);
    expect(names(old)).toEqual(['first', 'second']);
    expect(names(current)).toEqual(['across', 'third']);
    expect(new Set(old.requests.map(({ headers }) => headers.authorization))).toEqual(new Set(['Bearer old']));
    expect(new Set(current.requests.map(({ headers }) => headers.authorization))).toEqual(new Set(['Bearer new']));
    expect(resources(old).map(({ plan }) => plan)).toEqual(['free']);
    expect(resources(current).map(({ plan }) => plan)).toEqual(['pro']);
    expectBalance(registry.stats().traces);
  });

  it('keeps retrying the old destination with the old credentials while the new one delivers', async () => {
    const old = await receiver({ fault: { mode: 'status', status: 503 } });
    const current = await receiver();
    const clock = new FakeClock();
    let target = old;
    const registry = registryOf({
      clock,
      configure: () => ({
        destination: { endpoint: target.url, headers: { 'x-key': target === old ? 'old' : 'new' } },
      }),
    });
    const tracer = registry.get('acme');
    tracer.startSpan('before').end();
    target = current;
    expect(await registry.reconfigure('acme')).toBe('changed');
    await old.waitForRequests(1);
    tracer.startSpan('after').end();
    await registry.flush();
    expect(names(current)).toEqual(['after']);
    expect(tracer.stats().traces).toMatchObject({ created: 2, exported: 1, queued: 1 });
    old.setFault({ mode: 'ok' });
    while (old.spans().length === 0) await clock.advanceAsync(100);
    await until(() => tracer.stats().traces.exported === 2, 'both are delivered');
    expect(names(old)).toEqual(['before']);
    expect(new Set(old.requests.map(({ headers }) => headers['x-key']))).toEqual(new Set(['old']));
    expect(new Set(current.requests.map(({ headers }) => headers['x-key']))).toEqual(new Set(['new']));
  });

  it('gives the old destination up after the grace, counted', async () => {
    const old = await receiver({ fault: { mode: 'hang' } });
    const clock = new FakeClock();
    let endpoint = old.url;
    const registry = registryOf({ clock, drainTimeoutMillis: 5_000, configure: () => ({ destination: { endpoint } }) });
    const tracer = registry.get('acme');
    tracer.startSpan('lost').end();
    endpoint = (await receiver()).url;
    await registry.reconfigure('acme');
    await old.waitForRequests(1);
    await clock.advanceAsync(5_020);
    expect(tracer.stats().traces).toEqual({ created: 1, exported: 0, queued: 0, spooled: 0, dropped: { evicted: 1 } });
    expect(tracer.state).toBe('active');
  });

  it('touches nothing when the configuration is what it was', async () => {
    const target = await receiver();
    const clock = new FakeClock();
    const exporter = new InMemorySpanExporter();
    const registry = registryOf({
      clock,
      configure: () => ({ destination: { endpoint: target.url, headers: { 'x-key': '1' } }, exporter }),
    });
    const tracer = registry.get('acme');
    tracer.startSpan('waits').end();
    expect(await registry.reconfigure('acme')).toBe('unchanged');
    await clock.advanceAsync(2_000);
    expect(target.requests).toHaveLength(0);
    expect(exporter.getFinishedSpans()).toHaveLength(0);
    await registry.flush();
    expect(exporter.getFinishedSpans()).toHaveLength(1);
  });

  it('switches a tenant off that is gone, but delivers what it had', async () => {
    const target = await receiver();
    const registry = registryOf({ configure: () => (gone ? undefined : { destination: { endpoint: target.url } }) });
    let gone = false;
    const tracer = registry.get('acme');
    tracer.startSpan('queued').end();
    const open = tracer.startSpan('open');
    gone = true;
    expect(await registry.reconfigure('acme')).toBe('unknown');
    expect(tracer.state).toBe('disabled');
    expect(registry.has('acme')).toBe(false);
    // Still part of the account and of what a flush waits for.
    expectBalance(registry.stats().traces);
    expect(registry.stats()).toMatchObject({ draining: 1, traces: { queued: 1 } });
    open.end();
    tracer.startSpan('ignored').end();
    await registry.flush();
    expect(names(target)).toEqual(['queued']);
    await until(() => registry.stats().draining === 0, 'nothing drains');
    expect(tracer.stats().traces).toMatchObject({ created: 2, exported: 1, queued: 0, dropped: { tenant_unknown: 1 } });
  });

  it('keeps the old configuration when the new one cannot be had, says so, and asks again', async () => {
    const target = await receiver();
    const clock = new FakeClock();
    const degraded = published('isotrace:tenant:degraded');
    let failing = false;
    const registry = registryOf({
      clock,
      configure: () => {
        if (failing) throw new Error('no database');
        return { destination: { endpoint: target.url } };
      },
    });
    const tracer = registry.get('acme');
    failing = true;
    expect(await registry.reconfigure('acme')).toBe('failed');
    expect(tracer.state).toBe('active');
    expect(tracer.health().reason).toBe('Error: no database');
    expect(degraded).toEqual([{ tenantId: 'acme', reason: 'Error: no database' }]);
    tracer.startSpan('work').end();
    await registry.flush();
    expect(names(target)).toEqual(['work']);
    failing = false;
    await clock.advanceAsync(30_000);
    expect(tracer.health().reason).toBeUndefined();
  });

  it('asks anew when a question is under way, which may be older than the change', async () => {
    const answers = [deferred<TracerOptions>(), deferred<TracerOptions>()];
    let asked = 0;
    const registry = registryOf({ configure: () => answers[asked++]?.promise as Promise<TracerOptions> });
    const tracer = registry.get('acme');
    const outcome = registry.reconfigure('acme');
    answers[0]?.resolve({ attributes: { version: 1 } });
    await settle();
    answers[1]?.resolve({ attributes: { version: 2 } });
    expect(await outcome).toBe('changed');
    expect(asked).toBe(2);
    expect((tracer.startSpan('work') as unknown as ReadableSpan).resource.attributes['version']).toBe(2);
  });

  it('is told to a tenant that drains, too', async () => {
    const old = await receiver();
    const current = await receiver();
    let target = old;
    const registry = registryOf({ configure: () => ({ destination: { endpoint: target.url } }) });
    const tracer = registry.get('acme');
    const open = tracer.startSpan('open');
    registry.delete('acme');
    target = current;
    expect(await registry.reconfigure('acme')).toBe('changed');
    expect(tracer.state).toBe('draining');
    open.end();
    await current.waitForSpans(1);
    expect(names(old)).toEqual([]);
  });

  it('says unknown for tenants that are not in use, bad ids, and after shutdown', async () => {
    const registry = registryOf({});
    expect(await registry.reconfigure('never used')).toBe('unknown');
    expect(await registry.reconfigure(undefined as never)).toBe('unknown');
    expect(await registry.reconfigure(Symbol('id') as never)).toBe('unknown');
    registry.get('acme');
    await registry.shutdown();
    expect(await registry.reconfigure('acme')).toBe('unknown');
  });
});

describe('the processors and the exporter of a tenant', () => {
  class Watched extends InMemorySpanExporter {
    readonly names: string[] = [];
    flushes = 0;
    shutdowns = 0;
    override export(...[spans, done]: Parameters<InMemorySpanExporter['export']>): void {
      this.names.push(...spans.map(({ name }) => name));
      super.export(spans, done);
    }
    override forceFlush(): Promise<void> {
      this.flushes += 1;
      return super.forceFlush();
    }
    override shutdown(): Promise<void> {
      this.shutdowns += 1;
      return super.shutdown();
    }
  }

  it('are flushed when a changed configuration takes their place, and shut down with the registry', async () => {
    const [first, second] = [new Watched(), new Watched()];
    const processors = [new Watched(), new Watched()];
    let index = 0;
    const registry = registryOf({
      configure: () => ({
        exporter: index === 0 ? first : second,
        spanProcessors: [new SimpleSpanProcessor({ exporter: processors[index] as Watched })],
      }),
    });
    const tracer = registry.get('acme');
    tracer.startSpan('one').end();
    index = 1;
    await registry.reconfigure('acme');
    await until(() => first.flushes > 0, 'the first is flushed');
    tracer.startSpan('two').end();
    await registry.flush();
    expect(first.names).toEqual(['one']);
    expect(second.names).toEqual(['two']);
    await registry.shutdown();
    expect([first, second, ...processors].map(({ shutdowns }) => shutdowns)).toEqual([1, 1, 1, 1]);
  });

  it('may be shared by tenants and outlive evictions and reconfigurations', async () => {
    const exporter = new Watched();
    let plan = 'free';
    const registry = registryOf({ maxTenants: 1, configure: () => ({ exporter, attributes: { plan } }) });
    registry.get('a').startSpan('one').end();
    registry.get('b').startSpan('two').end();
    registry.delete('b');
    registry.get('a').startSpan('three').end();
    plan = 'pro';
    expect(await registry.reconfigure('a')).toBe('changed');
    registry.get('a').startSpan('four').end();
    await registry.get('a').shutdown();
    registry.get('a').startSpan('five').end();
    await registry.flush();
    await until(() => exporter.names.length === 5, 'all are exported');
    expect(exporter.shutdowns).toBe(0);
    await registry.shutdown();
    expect(exporter.shutdowns).toBe(1);
    expect(registry.stats().traces).toMatchObject({ created: 5, exported: 5, dropped: {} });
  });

  it('are shut down early when very many tenants had their own, and it is told when one comes back after all', async () => {
    const exporters = Array.from({ length: 400 }, () => new Watched());
    const registry = registryOf({
      maxTenants: 10,
      configure: (id) => ({ exporter: exporters[Number(id)] as Watched }),
    });
    for (let index = 0; index < 400; index += 1) registry.get(String(index)).startSpan('work').end();
    await registry.flush();
    await until(() => registry.stats().draining === 0, 'nothing drains');
    const shutDown = exporters.filter(({ shutdowns }) => shutdowns === 1);
    expect(shutDown).toHaveLength(400 - 10 - 256);
    expect(exporters.every(({ names: exported }) => exported.length === 1)).toBe(true);
    expect(registry.health().errors.exporter).toBeUndefined();
    registry.get(String(exporters.indexOf(shutDown[0] as Watched)));
    expect(registry.health().recentErrors.at(-1)?.message).toBe('was shut down and is in use again');
    await registry.shutdown();
    expect(exporters.every(({ shutdowns }) => shutdowns >= 1)).toBe(true);
  });

  it('work for nobody: what they trace while a request evicts their tenant is not of that request', async () => {
    const seen: unknown[] = [];
    const registry = registryOf({ maxTenants: 1, configure: (id) => (id === 'first' ? { exporter } : {}) });
    const exporter = new Watched();
    exporter.forceFlush = async () => void seen.push(registry.current()?.tenantId);
    registry.get('first').startSpan('work').end();
    registry.run('second', () => registry.withSpan('request', () => {}));
    await until(() => registry.stats().draining === 0, 'nothing drains');
    expect(seen.length).toBeGreaterThan(0);
    expect(new Set(seen)).toEqual(new Set([undefined]));
  });

  it('that the registry was given are shut down once, with it, though no tenant used them', async () => {
    const [exporter, processed] = [new Watched(), new Watched()];
    const registry = registryOf({
      exporter,
      spanProcessors: [new SimpleSpanProcessor({ exporter: processed })],
      platform: {},
    });
    for (const id of ['a', 'b']) registry.get(id).startSpan('work').end();
    registry.delete('a');
    await registry.get('b').shutdown();
    registry.platform.startSpan('work').end();
    await registry.flush();
    expect([exporter.shutdowns, processed.shutdowns]).toEqual([0, 0]);
    await registry.shutdown();
    expect([exporter.shutdowns, processed.shutdowns]).toEqual([1, 1]);
    const unused = new Watched();
    await registryOf({ exporter: unused }).shutdown();
    expect(unused.shutdowns).toBe(1);
  });
});
