import http2 from 'node:http2';
import { Readable, Transform } from 'node:stream';
import { context, createContextKey } from '@opentelemetry/api';
import createFastify, { type FastifyInstance } from 'fastify';
import { describe, expect, it, onTestFinished } from 'vitest';
import { fastify } from '../../../src/fastify.ts';
import { deferred } from '../../core/registry-kit.ts';
import { startWorld } from './http-kit.ts';

async function create(): Promise<{ app: FastifyInstance; world: Awaited<ReturnType<typeof startWorld>> }> {
  const world = await startWorld();
  const app = createFastify();
  onTestFinished(() => app.close());
  await app.register(fastify(world.registry, { tenant: ({ headers }) => headers['x-session'] as string | undefined }));
  return { app, world };
}

const headers = { 'x-session': 'tenant-0' };

describe('the plugin for Fastify', () => {
  it('runs every hook, handler and serializer after it as the tenant, also behind another body stream', async () => {
    const { app, world } = await create();
    const seen: Record<string, string | undefined> = {};
    const note = (hook: string): void => {
      seen[hook] = world.registry.current()?.tenantId;
    };
    app.addHook('onRequest', async () => note('onRequest'));
    app.addHook('preParsing', async (_request, _reply, payload) => {
      note('preParsing');
      const upper = new Transform({
        transform: (chunk: Buffer, _encoding, done) => done(null, chunk.toString().toUpperCase()),
      });
      return payload.pipe(upper);
    });
    app.addHook('preValidation', (_request, _reply, done) => {
      note('preValidation');
      done();
    });
    app.addHook('preHandler', async () => note('preHandler'));
    app.addHook('preSerialization', async (_request, _reply, payload) => {
      note('preSerialization');
      return payload;
    });
    app.addHook('onSend', async () => note('onSend'));
    app.addHook('onResponse', async () => note('onResponse'));
    app.post('/', async (request) => {
      note('handler');
      return request.body;
    });
    const response = await app.inject({ method: 'POST', url: '/', headers, payload: { a: 'b' } });
    expect(response.json()).toEqual({ A: 'B' });
    await world.servers();
    const hooks = ['onRequest', 'preParsing', 'preValidation', 'preHandler', 'handler', 'preSerialization', 'onSend'];
    expect(seen).toEqual(Object.fromEntries([...hooks, 'onResponse'].map((hook) => [hook, 'tenant-0'])));
  });

  it('comes back to the tenant after a hook that goes on from another part of the process', async () => {
    const { app, world } = await create();
    const waiting: (() => void)[] = [];
    const elsewhere = setInterval(() => {
      for (const goOn of waiting.splice(0)) goOn();
    }, 1);
    onTestFinished(() => clearInterval(elsewhere));
    app.addHook('preParsing', (_request, _reply, payload, done) => {
      waiting.push(() => done(null, payload));
    });
    app.post('/', async (request) => ({ body: request.body, tenant: world.registry.current()?.tenantId }));
    const response = await app.inject({ method: 'POST', url: '/', headers, payload: { a: 1 } });
    expect(response.json()).toEqual({ body: { a: 1 }, tenant: 'tenant-0' });
  });

  it('keeps what other hooks have put into the context', async () => {
    const { app, world } = await create();
    const key = createContextKey('of a hook');
    app.addHook('onRequest', (_request, _reply, done) => {
      context.with(context.active().setValue(key, 'kept'), done);
    });
    app.get('/', async () => ({ value: context.active().getValue(key), tenant: world.registry.current()?.tenantId }));
    expect((await app.inject({ url: '/', headers })).json()).toEqual({ value: 'kept', tenant: 'tenant-0' });
  });

  it('applies to the instance it is registered on, and to plugins inside', async () => {
    const { app, world } = await create();
    await app.register(
      async (scope) => {
        scope.get('/users/:id', async () => ({ tenant: world.registry.current()?.tenantId }));
      },
      { prefix: '/v1' },
    );
    expect((await app.inject({ url: '/v1/users/3', headers })).json()).toEqual({ tenant: 'tenant-0' });
    const [server] = await world.servers();
    expect(server?.name).toBe('GET /v1/users/:id');
  });

  it('runs error handlers as the tenant, for a body that cannot be parsed too', async () => {
    const { app, world } = await create();
    const seen: unknown[] = [];
    app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
      seen.push(world.registry.current()?.tenantId);
      return reply.status(error.statusCode ?? 500).send(error);
    });
    app.post('/', async () => ({}));
    const payload = '{"broken';
    const broken = { ...headers, 'content-type': 'application/json' };
    expect((await app.inject({ method: 'POST', url: '/', headers: broken, payload })).statusCode).toBe(400);
    expect(seen).toEqual(['tenant-0']);
    const [server] = await world.servers();
    expect(server?.attributes['http.response.status_code']).toBe(400);
    expect(server?.status.code).toBe(0);
  });

  it('ends the span of a stream that fails half way, as broken', async () => {
    const { app, world } = await create();
    app.get('/', (_request, reply) => {
      const body = Readable.from(
        (async function* () {
          yield 'first';
          await new Promise(setImmediate);
          throw new Error('disk gone');
        })(),
      );
      return reply.send(body);
    });
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    await expect(fetch(url, { headers }).then((response) => response.text())).rejects.toThrow();
    const [server] = await world.servers();
    expect(server?.status.code).toBe(2);
    expect(server?.attributes).toMatchObject({ 'http.response.status_code': 200, 'error.type': 'ECONNRESET' });
  });

  it('serves HTTP/2, with the route and one span for each stream, aborted or not', async () => {
    const world = await startWorld();
    const app = createFastify({ http2: true });
    onTestFinished(() => app.close());
    await app.register(fastify(world.registry, { tenant: ({ headers: sent }) => sent['x-session'] as string }));
    app.get('/orders/:id', async () => ({ tenant: world.registry.current()?.tenantId }));
    app.post('/orders/:id', async (request) => ({ body: request.body, tenant: world.registry.current()?.tenantId }));
    const reached = deferred<void>();
    app.get('/hang', () => {
      reached.resolve();
      return new Promise(() => {});
    });
    const client = http2.connect(await app.listen({ port: 0, host: '127.0.0.1' }));
    onTestFinished(() => client.close());
    const ask = (path: string, method = 'GET') =>
      client
        .request({ ...headers, ':path': path, ':method': method, 'content-type': 'application/json' })
        .on('error', () => {});
    const read = async (path: string, method?: string, body?: string): Promise<string> => {
      const stream = ask(path, method).end(body);
      let text = '';
      for await (const chunk of stream) text += String(chunk);
      return text;
    };
    expect(JSON.parse(await read('/orders/1'))).toEqual({ tenant: 'tenant-0' });
    expect(JSON.parse(await read('/orders/2', 'POST', '{"a":1}'))).toEqual({ body: { a: 1 }, tenant: 'tenant-0' });
    expect(await read('/none')).toContain('404');
    const hanging = ask('/hang');
    await reached.promise;
    hanging.close(http2.constants.NGHTTP2_CANCEL);
    const servers = await world.servers(4);
    expect(
      servers
        .map(({ name, attributes }) => [name, attributes['http.response.status_code'], attributes['error.type']])
        .sort(),
    ).toEqual([
      ['GET /hang', undefined, 'ECONNRESET'],
      ['GET /orders/:id', 200, undefined],
      ['GET', 404, undefined],
      ['POST /orders/:id', 200, undefined],
    ]);
    for (const { attributes } of servers) expect(attributes['network.protocol.version']).toBe('2');
  });
});
