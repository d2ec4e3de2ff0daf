import { once } from 'node:events';
import http, { type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo, Socket } from 'node:net';
import { PassThrough, type Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { type HttpBindings, serve } from '@hono/node-server';
import express5 from 'express';
import createFastify from 'fastify';
import { Hono } from 'hono';
import { stream } from 'hono/streaming';
import Koa from 'koa';
import { onTestFinished } from 'vitest';
import { express, recordErrors } from '../../../src/express.ts';
import { fastify } from '../../../src/fastify.ts';
import { hono } from '../../../src/hono.ts';
import { http as nodeHttp, recordError } from '../../../src/http.ts';
import type { TracerRegistry } from '../../../src/index.ts';
import type { HttpOptions } from '../../../src/integration/http-options.ts';
import { koa } from '../../../src/koa.ts';
import { deferred } from '../../core/registry-kit.ts';
import { type NestPlatform, startNest } from './nest-app.ts';

declare global {
  /** The declarations of `@hono/node-server` take it from the DOM's. */
  type RequestInfo = string | URL | Request;
}

/** It has no declarations under this name. */
const express4 = createRequire(import.meta.url)('express4') as typeof express5;

/** What `/fail` throws. */
export class OrderError extends Error {
  override readonly name = 'OrderError';
}

/** What the same small application does in every framework. */
export class Shop {
  readonly registry: TracerRegistry;
  /** Lets `/stream` send its second half. */
  readonly gate = deferred<void>();
  /** What `/fail` threw, and what the framework's own error handling then got. */
  readonly thrown: unknown[] = [];
  readonly caught: unknown[] = [];
  /** Called when `/hang` has been reached. */
  readonly hanging = deferred<void>();

  constructor(registry: TracerRegistry) {
    this.registry = registry;
  }

  tenant(): string | null {
    return this.registry.current()?.tenantId ?? null;
  }

  /** `GET /orders/:id` */
  async order(id: string): Promise<object> {
    await turn();
    return this.registry.withSpan('load order', async (span) => {
      span.setAttribute('order.id', id);
      await turn();
      return this.registry.withSpan('query', () => ({ id, tenant: this.tenant() }));
    });
  }

  /** `POST /echo`, once the body was parsed */
  async echo(body: unknown): Promise<object> {
    await turn();
    return this.registry.withSpan('echo', () => ({ body, tenant: this.tenant() }));
  }

  /** `GET /fail` */
  async fail(): Promise<never> {
    await turn();
    const error = new OrderError('out of stock');
    this.thrown.push(error);
    throw error;
  }
}

type Headers = (name: string) => string | undefined;

/** Options of any adapter, with the headers of a request in place of the framework's request. */
export type SubjectOptions = Omit<HttpOptions<never>, 'tenant' | 'exclude' | 'attributes' | 'route'> & {
  readonly tenant?: (headers: Headers) => ReturnType<HttpOptions<never>['tenant']>;
  readonly exclude?: readonly (string | RegExp)[];
};

export interface Served {
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** Of a server that listens. */
  readonly port: number | undefined;
}

/** A framework with its adapter, and the shop in it. */
export interface Subject {
  readonly name: string;
  /** How the framework writes the route of an order. */
  readonly orderRoute: string;
  start(shop: Shop, options: SubjectOptions): Promise<Served>;
}

/** Tenants as a session store would know them. */
export const TOKENS: ReadonlyMap<string, string> = new Map(
  Array.from({ length: 12 }, (_, index) => [`token-${index}`, `tenant-${index}`]),
);

export const byToken = (headers: Headers): string | undefined => TOKENS.get(headers('authorization') ?? '');

/** Serves a listener on a free port until the test is over. */
export async function serveNode(server: Server): Promise<Served> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  const { port } = server.address() as AddressInfo;
  return { port, fetch: (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init) };
}

/** The options of an adapter whose requests have their headers where `headersOf` finds them. */
function adapt<Request>(
  { tenant = byToken, ...options }: SubjectOptions,
  headerOf: (request: Request, name: string) => unknown,
): HttpOptions<Request> {
  const read = (request: Request) => (name: string) => headerOf(request, name) as string | undefined;
  return { ...(options as object), tenant: (request) => tenant(read(request)) };
}

const nodeHeader = ({ headers }: Pick<IncomingMessage, 'headers'>, name: string): unknown => headers[name];

function expressSubject(name: string, create: typeof express5): Subject {
  return {
    name,
    orderRoute: '/orders/:id',
    async start(shop, options) {
      const app = create();
      app.use(express(shop.registry, adapt(options, nodeHeader)));
      app.use(create.json());
      app.get('/health', (_req, res) => void res.json({ tenant: shop.tenant() }));
      const orders = create.Router();
      orders.get('/:id', (req, res, next) => {
        shop.order(req.params.id).then((order) => res.json(order), next);
      });
      app.use('/orders', orders);
      app.post('/echo', (req, res, next) => {
        shop.echo(req.body).then((echo) => res.json(echo), next);
      });
      app.get('/fail', (_req, _res, next) => void shop.fail().catch(next));
      app.get('/stream', (_req, res) => streamTo(res, shop));
      app.get('/hang', () => shop.hanging.resolve());
      app.use(recordErrors());
      app.use(((error, _req, res, _next) => {
        shop.caught.push(error);
        res.status(500).json({ error: 'failed' });
      }) as express5.ErrorRequestHandler);
      return serveNode(http.createServer(app));
    },
  };
}

function streamTo(res: Writable, shop: Shop): void {
  res.write('first half, ');
  void shop.gate.promise.then(() => res.end('second half'));
}

const fastifySubject: Subject = {
  name: 'Fastify 5',
  orderRoute: '/orders/:id',
  async start(shop, options) {
    const app = createFastify();
    await app.register(fastify(shop.registry, adapt(options, nodeHeader)));
    app.setErrorHandler((error, _request, reply) => {
      shop.caught.push(error);
      return reply.status(500).send({ error: 'failed' });
    });
    app.get('/health', async () => ({ tenant: shop.tenant() }));
    app.get<{ Params: { id: string } }>('/orders/:id', async (request) => shop.order(request.params.id));
    app.post('/echo', async (request) => shop.echo(request.body));
    app.get('/fail', async () => shop.fail());
    app.get('/stream', (_request, reply) => {
      reply.hijack();
      streamTo(reply.raw, shop);
    });
    app.get('/hang', () => {
      shop.hanging.resolve();
      return new Promise(() => {});
    });
    await app.ready();
    onTestFinished(() => app.close());
    await app.listen({ port: 0, host: '127.0.0.1', listenTextResolver: () => '' });
    const { port } = app.server.address() as AddressInfo;
    onTestFinished(() => app.server.closeAllConnections());
    return { port, fetch: (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init) };
  },
};

const koaSubject: Subject = {
  name: 'Koa 3',
  orderRoute: '/orders/:id',
  async start(shop, options) {
    const app = new Koa();
    app.silent = true;
    app.on('error', (error) => shop.caught.push(error));
    app.use(koa(shop.registry, adapt<Koa.Context>(options, nodeHeader)));
    app.use(async (ctx) => {
      const order = /^\/orders\/([^/]+)$/.exec(ctx.path);
      // As @koa/router does.
      const matched = (route: string): void => void Object.assign(ctx, { _matchedRoute: route });
      if (order !== null) {
        matched('/orders/:id');
        ctx.body = await shop.order(order[1] as string);
      } else if (ctx.path === '/health') ctx.body = { tenant: shop.tenant() };
      else if (ctx.path === '/echo') {
        matched('/echo');
        ctx.body = await shop.echo(await readJson(ctx.req));
      } else if (ctx.path === '/fail') {
        matched('/fail');
        await shop.fail();
      } else if (ctx.path === '/stream') {
        matched('/stream');
        const body = new PassThrough();
        ctx.body = body;
        streamTo(body, shop);
      } else if (ctx.path === '/hang') {
        shop.hanging.resolve();
        await new Promise(() => {});
      }
    });
    return serveNode(http.createServer(app.callback() as RequestListener));
  },
};

/** Reads a body by listening to it, which is how the context gets lost. */
function readJson(request: IncomingMessage): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let text = '';
    request.on('data', (chunk) => {
      text += chunk;
    });
    request.on('end', () => resolve(JSON.parse(text)));
    request.on('error', reject);
  });
}

function honoApp(shop: Shop, options: SubjectOptions): Hono<{ Bindings: HttpBindings }> {
  const app = new Hono<{ Bindings: HttpBindings }>();
  app.use(
    hono(
      shop.registry,
      adapt(options, (context, name) => context.req.header(name)),
    ),
  );
  app.get('/health', (c) => c.json({ tenant: shop.tenant() }));
  app.get('/orders/:id', async (c) => c.json(await shop.order(c.req.param('id'))));
  app.post('/echo', async (c) => c.json(await shop.echo(await c.req.json())));
  app.get('/fail', async () => shop.fail());
  app.get('/stream', (c) =>
    stream(c, async (body) => {
      await body.write('first half, ');
      await shop.gate.promise;
      await body.write('second half');
    }),
  );
  app.get('/hang', () => {
    shop.hanging.resolve();
    return new Promise<Response>(() => {});
  });
  app.onError((error, c) => {
    shop.caught.push(error);
    return c.json({ error: 'failed' }, 500);
  });
  return app;
}

const honoNodeSubject: Subject = {
  name: 'Hono 4 on Node',
  orderRoute: '/orders/:id',
  async start(shop, options) {
    const server = serve({ fetch: honoApp(shop, options).fetch, port: 0, hostname: '127.0.0.1' }) as Server;
    await once(server, 'listening');
    onTestFinished(async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    });
    const { port } = server.address() as AddressInfo;
    return { port, fetch: (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init) };
  },
};

const honoWebSubject: Subject = {
  name: 'Hono 4 on web requests',
  orderRoute: '/orders/:id',
  async start(shop, options) {
    const app = honoApp(shop, options);
    const answer = async (path: string, init?: RequestInit): Promise<Response> =>
      app.fetch(new Request(`http://127.0.0.1:8080${path}`, init));
    return { port: undefined, fetch: answer };
  },
};

/** A server without a framework, wrapped as a listener or as a server. */
function nodeSubject(name: string, wrap: 'listener' | 'server'): Subject {
  return {
    name,
    orderRoute: '/orders/{id}',
    async start(shop, options) {
      const route = ({ url = '' }: IncomingMessage): string | undefined => {
        const path = url.replace(/\?.*/, '');
        if (/^\/orders\/[^/]+$/.test(path)) return '/orders/{id}';
        return ['/echo', '/fail', '/stream', '/hang'].includes(path) ? path : undefined;
      };
      const trace = nodeHttp(shop.registry, { ...adapt(options, nodeHeader), route });
      const json = (res: ServerResponse, value: unknown, status = 200): void =>
        void res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
      const work = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
        const path = (req.url ?? '').replace(/\?.*/, '');
        const order = /^\/orders\/([^/]+)$/.exec(path);
        if (order !== null) return json(res, await shop.order(order[1] as string));
        if (path === '/health') return json(res, { tenant: shop.tenant() });
        if (path === '/echo') return json(res, await shop.echo(await readJson(req)));
        if (path === '/fail') await shop.fail();
        if (path === '/stream') return streamTo(res, shop);
        if (path === '/hang') return shop.hanging.resolve();
        return json(res, { error: 'not found' }, 404);
      };
      const answering = (inner: RequestListener): RequestListener =>
        ((req, res) =>
          Promise.resolve(inner(req, res)).catch((error: unknown) => {
            shop.caught.push(error);
            recordError(req, error);
            json(res, { error: 'failed' }, 500);
          })) as RequestListener;
      if (wrap === 'listener') return serveNode(http.createServer(answering(trace(work as RequestListener))));
      return serveNode(trace(http.createServer(answering(work as RequestListener))));
    },
  };
}

const nestSubject = (platform: NestPlatform): Subject => ({
  name: `NestJS 11 on ${platform}`,
  orderRoute: '/orders/:id',
  start: (shop, options) => startNest(shop, adapt<IncomingMessage>(options, nodeHeader), platform),
});

export const SUBJECTS: readonly Subject[] = [
  expressSubject('Express 5', express5),
  expressSubject('Express 4', express4),
  fastifySubject,
  koaSubject,
  honoNodeSubject,
  honoWebSubject,
  nodeSubject('a listener of node:http', 'listener'),
  nodeSubject('a server of node:http', 'server'),
  nestSubject('Express'),
  nestSubject('Fastify'),
];
