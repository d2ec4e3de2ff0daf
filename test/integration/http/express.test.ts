import http from 'node:http';
import { createRequire } from 'node:module';
import express5, { type Express, type Request } from 'express';
import { describe, expect, it } from 'vitest';
import { express, recordErrors } from '../../../src/express.ts';
import { deferred } from '../../core/registry-kit.ts';
import { type HttpWorld, startWorld } from './http-kit.ts';
import { type Served, serveNode } from './subjects.ts';

/** It has no declarations under this name. */
const express4 = createRequire(import.meta.url)('express4') as typeof express5;

const VERSIONS: [string, typeof express5][] = [
  ['Express 5', express5],
  ['Express 4', express4],
];

const tenant = (): string => 'tenant-0';

async function serve(
  create: typeof express5,
  build: (app: Express, world: HttpWorld) => void,
): Promise<Served & { readonly world: HttpWorld }> {
  const world = await startWorld();
  const app = create();
  app.use(express(world.registry, { tenant }));
  build(app, world);
  return { ...(await serveNode(http.createServer(app))), world };
}

describe.each(VERSIONS)('the routes of %s', (_name, create) => {
  const ok = (_req: Request, res: { json(body: object): unknown }): void => void res.json({});

  it.each([
    ['/plain', '/plain'],
    ['/PLAIN', '/plain'],
    ['/api/users/7', '/api/users/:user'],
    ['/API/Users/7', '/api/users/:user'],
    ['/api', '/api'],
    ['/orgs/acme/teams/9/members/3', '/orgs/:org/teams/:team/members/:member'],
    ['/orgs/caf%C3%A9/teams/teams/members/members', '/orgs/:org/teams/:team/members/:member'],
    ['/orgs/orgs/teams/1/members/2', '/orgs/:org/teams/:team/members/:member'],
    ['/sub/x1/deep/y2', '/sub/:one/deep/:two'],
    ['/from-a-to-b/end', '/from-:a-to-:b/end'],
    ['/from-b-to-b/end', '/from-:a-to-:b/end'],
    ['/orgs/7/teams/7/members/7', '/orgs/:org/teams/:team/members/:member'],
    ['/v12/status', String(/^\/v\d+\/status$/)],
    ['/either', '/either'],
  ])('of %s is %s', async (path, route) => {
    const { fetch, world } = await serve(create, (app) => {
      // The canonical spelling comes first, as it does in a running application.
      app.get('/plain', ok);
      const users = create.Router().get('/users/:user', ok).get('/', ok);
      app.use('/api', users);
      const members = create.Router().get('/members/:member', ok);
      const teams = create.Router({ mergeParams: true }).use('/teams/:team', members);
      app.use('/orgs/:org', teams);
      const inner = create().get('/deep/:two', ok);
      app.use('/sub/:one', inner);
      app.use('/from-:a-to-:b', create.Router().get('/end', ok));
      app.get(/^\/v\d+\/status$/, ok);
      app.get(['/either', '/or'], ok);
    });
    await (await fetch('/api/users/1')).text();
    await (await fetch(path)).text();
    const server = (await world.servers(2)).find(({ attributes }) => attributes['url.path'] === path);
    const received = server?.attributes['http.route'];
    if (path === '/either') expect(received).toMatch(/^\/either(\|\/or)?$/);
    else expect(received).toBe(route);
    expect(server?.name).toBe(`GET ${String(received)}`);
  });

  it('is the one that failed, also where an error handler further out answers', async () => {
    const { fetch, world } = await serve(create, (app) => {
      const orders = create.Router();
      orders.get('/:id', (_req, _res, next) => next(new TypeError('bad order')));
      app.use('/orders', orders);
      app.use(recordErrors());
      app.use(((_error, _req, res, _next) => void res.status(503).end()) as express5.ErrorRequestHandler);
    });
    await (await fetch('/orders/99')).text();
    const [server] = await world.servers();
    expect(server?.name).toBe('GET /orders/:id');
    expect(server?.attributes).toMatchObject({ 'error.type': 'TypeError', 'http.response.status_code': 503 });
  });

  it('never has the path of a mount that matches whatever comes', async () => {
    const { fetch, world } = await serve(create, (app) => {
      app.use(/^\/any-[^/]+/, create.Router().get('/end', ok));
    });
    for (let index = 0; index < 300; index += 1) await (await fetch(`/any-${index}/end`)).text();
    const routes = new Set((await world.servers(300)).map(({ attributes }) => attributes['http.route']));
    expect(routes.size).toBeLessThanOrEqual(257);
    expect(routes).toContain('/*/end');
  });
});

describe.each(VERSIONS)('the middleware for %s', (_name, create) => {
  it('leaves requests, parameters and base URLs as they are', async () => {
    const { fetch } = await serve(create, (app) => {
      const inner = create.Router({ mergeParams: true }).get('/b/:y', (req, res) => {
        const { baseUrl, originalUrl, url, params, route } = req;
        res.json({ baseUrl, originalUrl, url, params, path: route.path, keys: Object.keys(req).includes('baseUrl') });
      });
      app.use('/a/:x', inner);
    });
    expect(await (await fetch('/a/1/b/2?q=3')).json()).toEqual({
      baseUrl: '/a/1',
      originalUrl: '/a/1/b/2?q=3',
      url: '/b/2?q=3',
      params: { x: '1', y: '2' },
      path: '/b/:y',
      keys: true,
    });
  });

  it('keeps the tenant in listeners of the request and the response, and in what runs after the response', async () => {
    const seen: Record<string, string | undefined> = {};
    const closed = deferred<void>();
    const { fetch, world } = await serve(create, (app, { registry }) => {
      const note = (event: string) => (): void => {
        seen[event] = registry.current()?.tenantId;
      };
      app.post('/', (req, res) => {
        req.on('data', note('data'));
        req.once('end', () => {
          note('end')();
          res.end('done');
        });
        res.on('finish', note('finish'));
        res.on('close', () => {
          note('close')();
          closed.resolve();
        });
      });
    });
    await (await fetch('/', { method: 'POST', body: 'x'.repeat(200_000) })).text();
    await world.servers();
    await closed.promise;
    expect(seen).toEqual({ data: 'tenant-0', end: 'tenant-0', finish: 'tenant-0', close: 'tenant-0' });
  });

  it('makes one span when it is used twice', async () => {
    const { fetch, world } = await serve(create, (app, { registry }) => {
      app.use(express(registry, { tenant }));
      app.get('/', (_req, res) => registry.withSpan('inside', () => void res.end()));
    });
    await (await fetch('/')).text();
    const [server] = await world.servers();
    const spans = await world.spans();
    expect(spans.map(({ name }) => name).sort()).toEqual(['GET /', 'inside']);
    expect(spans.find(({ name }) => name === 'inside')?.parentSpanId).toBe(server?.spanId);
  });

  it('leaves the span with the first tenant when a second one is named, and tells it nothing of the second', async () => {
    const { fetch, world } = await serve(create, (app, { registry }) => {
      app.use(express(registry, { tenant: () => 'tenant-1' }));
      app.get('/', () =>
        registry.withSpan('of the second', () => {
          throw new Error('secret of the second');
        }),
      );
      app.use(recordErrors());
      app.use(((_error, _req, res, _next) => void res.status(500).end()) as express5.ErrorRequestHandler);
    });
    await (await fetch('/')).text();
    const [server] = await world.servers();
    expect(server?.events).toEqual([]);
    expect(server?.attributes['error.type']).toBe('500');
    expect((await world.spans()).map(({ name }) => name)).toEqual(['GET /']);
    expect((await world.spans('tenant-1')).map(({ name, parentSpanId }) => [name, parentSpanId])).toEqual([
      ['of the second', ''],
    ]);
  });

  it('does not call an error that became a 4xx a failure of the server', async () => {
    const { fetch, world } = await serve(create, (app) => {
      app.get('/', (_req, _res, next) => next(new RangeError('page 0')));
      app.use(recordErrors());
      // Once for each error, however often it is seen.
      app.use(recordErrors());
      app.use(((_error, _req, res, _next) => void res.status(422).end()) as express5.ErrorRequestHandler);
    });
    await (await fetch('/')).text();
    const [server] = await world.servers();
    expect(server?.status).toEqual({ code: 0, message: '' });
    expect(server?.attributes).not.toHaveProperty('error.type');
    expect(server?.events).toHaveLength(1);
  });
});
