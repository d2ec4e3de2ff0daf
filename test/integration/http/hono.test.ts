import { getEventListeners } from 'node:events';
import { Hono } from 'hono';
import { describe, expect, it } from 'vitest';
import { hono } from '../../../src/hono.ts';
import { startWorld } from './http-kit.ts';

const tenant = (): string => 'tenant-0';

describe('the middleware for Hono', () => {
  it('names requests after the pattern of the handler that was reached', async () => {
    const { registry, servers } = await startWorld();
    const books = new Hono().get('/:id{[0-9]+}', (c) => c.text('book')).get('/', (c) => c.text('books'));
    const app = new Hono().basePath('/api');
    app.use(hono(registry, { tenant }));
    app.use('*', async (_c, next) => next());
    app.route('/books', books);
    app.get('/files/*', (c) => c.text('file'));
    for (const path of ['/api/books/12', '/api/books', '/api/files/a/b', '/api/none/77', '/api/books/x']) {
      await (await app.request(path)).text();
    }
    expect((await servers(5)).map(({ name }) => name)).toEqual([
      'GET /api/books/:id{[0-9]+}',
      'GET /api/books',
      'GET /api/files/*',
      'GET',
      'GET',
    ]);
  });

  it('answers the very response of the handler, whose body can be read in every way', async () => {
    const { registry, servers } = await startWorld();
    const made: Response[] = [];
    const app = new Hono();
    app.use(hono(registry, { tenant }));
    app.get('/:kind', (c) => {
      const response = c.req.param('kind') === 'none' ? new Response(null, { status: 204 }) : new Response('a body');
      made.push(response);
      return response;
    });
    const text = await app.request('/text');
    expect(text).toBe(made[0]);
    expect(await text.text()).toBe('a body');
    expect(Buffer.from(await (await app.request('/bytes')).arrayBuffer()).toString()).toBe('a body');
    const reader = (await app.request('/reader')).body?.getReader();
    await reader?.read();
    await reader?.read();
    await (await app.request('/cancelled')).body?.cancel();
    await app.request('/none');
    const ended = await servers(5);
    expect(ended.map(({ attributes }) => attributes['url.path']).sort()).toEqual([
      '/bytes',
      '/cancelled',
      '/none',
      '/reader',
      '/text',
    ]);
    for (const { status } of ended) expect(status.code).toBe(0);
  });

  it('ends the span with the request when nobody reads the body', async () => {
    const { registry, servers, spans } = await startWorld();
    const app = new Hono();
    app.use(hono(registry, { tenant }));
    app.get('/', (c) => c.text('unread'));
    const controller = new AbortController();
    await app.fetch(new Request('http://a.example/', { signal: controller.signal }));
    expect(await spans()).toHaveLength(0);
    controller.abort();
    const [server] = await servers();
    expect(server?.attributes).toMatchObject({ 'error.type': 'AbortError', 'server.address': 'a.example' });
  });

  it('throws on what is thrown and is no Error, the very same', async () => {
    const { registry, servers } = await startWorld();
    const thrown = { code: 'NO_ERROR' };
    const app = new Hono();
    app.use(hono(registry, { tenant }));
    app.get('/', () => {
      throw thrown;
    });
    await expect(app.request('/')).rejects.toBe(thrown);
    const [server] = await servers();
    expect(server?.status.code).toBe(2);
    expect(server?.events).toHaveLength(1);
  });

  it('leaves no listener on the signal of a request that is over', async () => {
    const { registry, servers } = await startWorld();
    const app = new Hono();
    app.use(hono(registry, { tenant }));
    app.get('/:kind', (c) => {
      if (c.req.param('kind') === 'fails') throw new Error('of theirs');
      return c.req.param('kind') === 'none' ? c.body(null, 204) : c.text('a body');
    });
    app.onError((_error, c) => c.text('failed', 500));
    const kinds = ['text', 'none', 'fails', 'missing/altogether'];
    const left: number[] = [];
    for (const kind of kinds) {
      const request = new Request(`http://a.example/${kind}`, { signal: new AbortController().signal });
      await (await app.fetch(request)).text();
      await servers(left.length + 1);
      left.push(getEventListeners(request.signal, 'abort').length);
    }
    expect(left).toEqual([0, 0, 0, 0]);
  });
});
