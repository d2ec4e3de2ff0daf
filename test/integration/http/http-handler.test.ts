import http from 'node:http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { http as traceHttp } from '../../../src/http.ts';
import { IsotraceError, TracerBase, TracerRegistry } from '../../../src/index.ts';
import type { HttpOptions } from '../../../src/integration/http-options.ts';
import { koa } from '../../../src/koa.ts';
import { deferred, receiver, registryOf, SILENT, until } from '../../core/registry-kit.ts';
import { type HttpWorld, startWorld } from './http-kit.ts';
import { recordingMeter } from './recording-meter.ts';
import { serveNode } from './subjects.ts';

type Options = HttpOptions<http.IncomingMessage>;

/** A server that answers the tenant of its code. */
async function serve(world: Pick<HttpWorld, 'registry'>, options: Partial<Options>) {
  const trace = traceHttp(world.registry, { tenant: () => 'tenant-0', ...options });
  const server = http.createServer((_request, response) => {
    response.end(JSON.stringify({ tenant: world.registry.current()?.tenantId ?? null }));
  });
  return serveNode(trace(server));
}

describe('the options of an adapter', () => {
  it.each<[string, unknown, string]>([
    ['tenant', undefined, 'http.tenant'],
    ['tenant', 'acme', 'http.tenant'],
    ['incoming', 'child', 'http.incoming'],
    ['unassigned', 'keep', 'http.unassigned'],
    ['exclude', '/health', 'http.exclude'],
    ['exclude', ['/health', 7], 'http.exclude'],
    ['exclude', [''], 'http.exclude'],
    ['attributes', {}, 'http.attributes'],
    ['route', '/x', 'http.route'],
    ['tenantTimeoutMillis', 0, 'http.tenantTimeoutMillis'],
    ['tenantTimeoutMillis', 60_001, 'http.tenantTimeoutMillis'],
    ['trustProxy', 1, 'http.trustProxy'],
    ['knownMethods', ['GET', 3], 'http.knownMethods'],
    ['meterProvider', {}, 'http.meterProvider'],
    ['tenants', () => 'x', 'http.tenants'],
  ])('makes an issue of %s: %o, and serves', async (key, value, option) => {
    const world = await startWorld();
    const options = { tenant: () => 'tenant-0', [key]: value } as unknown as Options;
    const server = http.createServer((_request, response) => response.end('served'));
    const { fetch } = await serveNode(traceHttp(world.registry, options)(server));
    expect(await (await fetch('/')).text()).toBe('served');
    const { issues, ok } = world.registry.health();
    expect([ok, issues.map((issue) => issue.option)]).toEqual([false, [option]]);
  });

  it('are refused with an error by a strict registry', () => {
    const registry = new TracerRegistry({ strict: true, platform: false, logger: SILENT });
    onTestFinished(async () => void (await registry.shutdown()));
    const build = (): unknown => koa(registry, { tenant: 7, incoming: 'x' } as never);
    expect(build).toThrow(IsotraceError);
    try {
      build();
    } catch (error) {
      expect((error as IsotraceError).issues.map(({ option }) => option)).toEqual(['koa.tenant', 'koa.incoming']);
    }
    expect(() => koa(registry, { tenant: () => 'a' })).not.toThrow();
  });

  it.each([[undefined], [null], [{}], ['registry']])(
    'let the host be when %o is given as the registry',
    async (given) => {
      const listener = traceHttp(given as never, { tenant: () => 'tenant-0' })((_request, response) =>
        response.end('served'),
      );
      const { fetch } = await serveNode(http.createServer(listener));
      expect(await (await fetch('/')).text()).toBe('served');
    },
  );
});

describe('the handler', () => {
  it('gives what has no tenant to the platform tracer where that is wanted', async () => {
    const platform = await receiver();
    const world = await startWorld(['tenant-0'], {
      registry: { platform: { destination: { endpoint: platform.url }, signals: { metrics: false } } },
    });
    const { fetch } = await serve(world, { tenant: () => undefined, unassigned: 'platform' });
    expect(await (await fetch('/')).json()).toEqual({ tenant: world.registry.platform.tenantId });
    await platform.waitForSpans(0);
    for (let turn = 0; platform.spans().length === 0 && turn < 20_000; turn += 1) await world.registry.flush();
    expect(platform.spans().map(({ name }) => name)).toEqual(['GET']);
    expect(await world.spans()).toEqual([]);
  });

  it.each<[string, Partial<Options>, Record<string, unknown>]>([
    [
      'believes a proxy where it is told to',
      { trustProxy: true },
      { 'client.address': '2001:db8::7', 'url.scheme': 'https', 'server.address': 'shop.example', 'server.port': 443 },
    ],
    [
      'does not believe a proxy by itself',
      {},
      { 'client.address': '127.0.0.1', 'url.scheme': 'http', 'server.address': '127.0.0.1' },
    ],
    [
      'records attributes of the application, over its own',
      { attributes: ({ headers }) => ({ 'app.agent': headers['x-agent'], 'url.path': '/hidden' }) },
      { 'app.agent': 'a1', 'url.path': '/hidden' },
    ],
    ['knows other methods when told', { knownMethods: ['REPORT'] }, { 'http.request.method': '_OTHER' }],
  ])('%s', async (_title, options, attributes) => {
    const world = await startWorld();
    const { fetch } = await serve(world, options);
    const headers = {
      forwarded: 'for="[2001:db8::7]:4711";host=shop.example;proto=https, for=6.6.6.6',
      'x-agent': 'a1',
    };
    await (await fetch('/secret/path', { headers })).text();
    const [server] = await world.servers();
    expect(server?.attributes).toMatchObject(attributes);
  });

  it.each<[string, Partial<Options>]>([
    [
      'attributes',
      {
        attributes: () => {
          throw new Error('no');
        },
      },
    ],
    [
      'route',
      {
        route: () => {
          throw new Error('no');
        },
      },
    ],
    [
      'exclude',
      {
        exclude: () => {
          throw new Error('no');
        },
      },
    ],
    [
      'meterProvider',
      {
        meterProvider: () => {
          throw new Error('no');
        },
      },
    ],
    [
      'meterProvider',
      {
        meterProvider: () =>
          ({
            createHistogram: () => ({
              record: () => {
                throw new Error('no');
              },
            }),
            createUpDownCounter: () => ({
              add: () => {
                throw new Error('no');
              },
            }),
          }) as never,
      },
    ],
  ])('contains a failing %s callback, and traces on', async (_name, options) => {
    const world = await startWorld();
    const { fetch } = await serve(world, options);
    expect(await (await fetch('/')).json()).toEqual({ tenant: 'tenant-0' });
    expect(await world.servers()).toHaveLength(1);
    expect(world.registry.health().errors['host']).toBeGreaterThan(0);
  });

  it('measures all tenants at one provider with their ids, but none that does not exist', async () => {
    const world = await startWorld();
    const meter = recordingMeter();
    const options = { meterProvider: { getMeter: () => meter.meter } };
    const { fetch } = await serve(world, { ...options, tenant: ({ headers }) => headers['x-session'] as string });
    for (const session of ['tenant-0', 'tenant-1', 'made-up', 'made-up-too']) {
      await (await fetch('/', { headers: { 'x-session': session } })).text();
    }
    await world.servers(1, 'tenant-1');
    const points = meter.of('http.server.request.duration');
    expect(points.map(({ attributes }) => attributes['tenant.id'])).toEqual(['tenant-0', 'tenant-1']);
    expect(Object.keys(meter.instruments)).toHaveLength(2);
  });

  it('measures no tenant whose configuration has not come', async () => {
    const asked = deferred<undefined>();
    const registry = registryOf({ configure: () => asked.promise });
    const meter = recordingMeter();
    const { fetch } = await serve(
      { registry },
      { meterProvider: { getMeter: () => meter.meter }, tenant: () => 'made-up' },
    );
    expect(await (await fetch('/')).json()).toEqual({ tenant: 'made-up' });
    await until(() => registry.peek('made-up')?.stats().open === 0, 'the span has ended');
    asked.resolve(undefined);
    expect(meter.of('http.server.active_requests')).toEqual([]);
    expect(meter.of('http.server.request.duration')).toEqual([]);
  });

  it('measures what sampling turns away', async () => {
    const world = await startWorld(['tenant-0'], { tenant: () => ({ sampling: { ratio: 0 } }) });
    const meter = recordingMeter();
    const { fetch } = await serve(world, { meterProvider: () => meter.meter });
    for (let index = 0; index < 3; index += 1) await (await fetch('/')).text();
    for (let turn = 0; meter.of('http.server.request.duration').length < 3 && turn < 20_000; turn += 1) {
      await new Promise(setImmediate);
    }
    expect(meter.of('http.server.request.duration')).toHaveLength(3);
    expect(await world.spans()).toEqual([]);
  });

  it('serves on after the registry was shut down, also with an asynchronous tenant that hangs', async () => {
    const world = await startWorld();
    const { fetch } = await serve(world, { tenant: () => new Promise(() => {}), tenantTimeoutMillis: 50 });
    const plain = await serve(world, {});
    await world.registry.shutdown();
    expect((await fetch('/')).status).toBe(200);
    expect((await plain.fetch('/')).status).toBe(200);
  });

  it('takes any thenable for a tenant that comes later', async () => {
    const world = await startWorld();
    const thenable = { then: (done: (value: string) => void) => setImmediate(done, 'tenant-1') };
    const { fetch } = await serve(world, { tenant: () => thenable as unknown as Promise<string> });
    expect(await (await fetch('/')).json()).toEqual({ tenant: 'tenant-1' });
  });

  it('works with tracers that have only what every tracer has', async () => {
    const target = await receiver();
    class Bare extends TracerBase {}
    const registry = new TracerRegistry<TracerBase>({
      tracer: Bare,
      platform: false,
      logger: SILENT,
      configure: () => ({ destination: { endpoint: target.url } }),
    });
    onTestFinished(async () => void (await registry.shutdown()));
    const listener = traceHttp(registry, { tenant: () => 'bare' })((_request, response) => response.end());
    const { fetch } = await serveNode(http.createServer(listener));
    await (await fetch('/')).text();
    for (let turn = 0; target.spans().length === 0 && turn < 20_000; turn += 1) await registry.flush();
    expect(target.spans().map(({ name }) => name)).toEqual(['GET']);
  });

  it('keeps no more than what the open requests need', async () => {
    const world = await startWorld();
    const { fetch } = await serve(world, {});
    for (let index = 0; index < 50; index += 1) await (await fetch(`/${index}`)).text();
    await world.servers(50);
    const { created, exported, queued } = world.registry.stats().traces;
    expect([created, exported, queued]).toEqual([50, 50, 0]);
  });
});
