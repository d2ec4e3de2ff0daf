import { once } from 'node:events';
import http, { type IncomingMessage, type RequestListener, ServerResponse } from 'node:http';
import http2 from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import express5 from 'express';
import Koa from 'koa';
import { describe, expect, it, onTestFinished } from 'vitest';
import { express } from '../../../src/express.ts';
import { http as traceHttp } from '../../../src/http.ts';
import { koa } from '../../../src/koa.ts';
import { deferred } from '../../core/registry-kit.ts';
import { startWorld } from './http-kit.ts';
import { serveNode } from './subjects.ts';

const tenant = (): string => 'tenant-0';

describe('a wrapped server of node:http', () => {
  it('stays the same server, and one span is enough when a framework inside has its adapter too', async () => {
    const { registry, servers, spans } = await startWorld();
    const app = express5();
    app.use(express(registry, { tenant }));
    app.get('/orders/:id', (_req, res) => registry.withSpan('inside', () => void res.end()));
    const server = http.createServer(app);
    expect(traceHttp(registry, { tenant })(server)).toBe(server);
    const { fetch } = await serveNode(server);
    await (await fetch('/orders/1')).text();
    const [span] = await servers();
    expect(span?.name).toBe('GET /orders/:id');
    expect((await spans()).map(({ name }) => name).sort()).toEqual(['GET /orders/:id', 'inside']);
  });

  it('takes the route from the adapter that is nearest to the handler', async () => {
    const { registry, servers } = await startWorld();
    const app = express5();
    app.use(express(registry, { tenant }));
    app.get('/orders/:id', (_req, res) => void res.end());
    const trace = traceHttp(registry, { tenant, route: () => '/outer' });
    const { fetch } = await serveNode(trace(http.createServer(app)));
    await (await fetch('/orders/1')).text();
    expect((await servers()).map(({ name }) => name)).toEqual(['GET /orders/:id']);
  });

  it('shows the first tenant no error of work that another adapter gave to a second one', async () => {
    const { registry, servers } = await startWorld();
    const app = new Koa();
    app.silent = true;
    app.use(koa(registry, { tenant: () => 'tenant-1' }));
    app.use(() => {
      throw new Error('secret of the second');
    });
    const server = http.createServer(app.callback() as RequestListener);
    const { fetch } = await serveNode(traceHttp(registry, { tenant })(server));
    expect((await fetch('/')).status).toBe(500);
    const [span] = await servers();
    expect(span?.events).toEqual([]);
    expect(span?.attributes['error.type']).toBe('500');
  });

  it('records nothing at the tenant around it for a request of a tenant that does not exist', async () => {
    const { registry, spans } = await startWorld();
    const listener = traceHttp(registry, { tenant: () => 'nobody-knows' })((_request, response) =>
      registry.withSpan('inside', () => void response.end()),
    );
    const server = http.createServer((request, response) => {
      registry.run('tenant-0', () => listener(request, response));
    });
    const { fetch } = await serveNode(server);
    expect((await fetch('/')).status).toBe(200);
    expect(await spans()).toEqual([]);
  });

  it('begins the span in the framework when only that knows the tenant', async () => {
    const { registry, servers } = await startWorld();
    const app = express5();
    app.use(express(registry, { tenant }));
    app.get('/orders/:id', (_req, res) => void res.end());
    const { fetch } = await serveNode(traceHttp(registry, { tenant: () => undefined })(http.createServer(app)));
    await (await fetch('/orders/1')).text();
    expect((await servers()).map(({ name }) => name)).toEqual(['GET /orders/:id']);
  });

  it('leaves upgrades to whoever handles them', async () => {
    const { registry, spans } = await startWorld();
    const server = http.createServer();
    server.on('upgrade', (_request, socket) => socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\nhello'));
    const { port } = await serveNode(traceHttp(registry, { tenant })(server));
    const socket = net.connect(port as number, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n');
    const [data] = (await once(socket, 'data')) as [Buffer];
    expect(String(data)).toContain('101');
    socket.destroy();
    expect(await spans()).toEqual([]);
  });

  it('ends the span of a request that a framework serves over an upgraded connection, without an error', async () => {
    const { registry, servers } = await startWorld();
    const listener = traceHttp(registry, { tenant })(() => undefined);
    const server = http.createServer();
    // As @fastify/websocket does: the request is routed with a response that is never sent.
    server.on('upgrade', (request, socket) => {
      const response = new ServerResponse(request);
      response.assignSocket(socket as net.Socket);
      listener(request, response as ServerResponse<IncomingMessage> & { req: IncomingMessage });
      socket.resume().on('end', () => socket.end());
      socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n');
    });
    const { port } = await serveNode(server);
    const socket = net.connect(port as number, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
    await once(socket, 'data');
    socket.destroy();
    const [span] = await servers();
    expect(span?.attributes['http.response.status_code']).toBe(101);
    expect(span?.status.code).toBe(0);
  });

  it('runs a listener for 100 Continue as the tenant, with one span for what it hands on', async () => {
    const { registry, servers } = await startWorld();
    const seen: unknown[] = [];
    const server = http.createServer((_request, response) => {
      seen.push(registry.current()?.tenantId);
      response.end('ok');
    });
    server.on('checkContinue', (request, response) => {
      seen.push(registry.current()?.tenantId);
      response.writeContinue();
      server.emit('request', request, response);
    });
    const { port } = await serveNode(traceHttp(registry, { tenant })(server));
    const request = http.request({ port, method: 'POST', headers: { expect: '100-continue' }, agent: false });
    const answered = once(request, 'response');
    request.once('continue', () => request.end('body'));
    request.flushHeaders();
    const [response] = (await answered) as [IncomingMessage];
    response.resume();
    await once(response, 'end');
    expect(await servers()).toHaveLength(1);
    expect(seen).toEqual(['tenant-0', 'tenant-0']);
  });
});

describe('a wrapped listener', () => {
  it('throws on the very error that was thrown, and rejects with the very one, with the tenant sync or async', async () => {
    const { registry } = await startWorld();
    const sync = traceHttp(registry, { tenant });
    const late = traceHttp(registry, { tenant: async () => 'tenant-0' });
    const boom = new Error('mine');
    const throwing = (() => {
      throw boom;
    }) as RequestListener;
    const rejecting = (async () => Promise.reject(boom)) as unknown as RequestListener;
    const request = new http.IncomingMessage(new net.Socket());
    const call = (listener: RequestListener): unknown => listener(request, new http.ServerResponse(request) as never);
    expect(() => call(sync(throwing))).toThrow(boom);
    await expect(call(sync(rejecting))).rejects.toBe(boom);
    await expect(call(late(throwing))).rejects.toBe(boom);
    await expect(call(late(rejecting))).rejects.toBe(boom);
  });

  it('is called exactly once, with its own this and arguments, for requests that cannot be read', async () => {
    const { registry } = await startWorld();
    const calls: unknown[] = [];
    const listener = traceHttp(registry, { tenant })(function (this: unknown, ...args: unknown[]) {
      calls.push([this, ...args]);
      return 'result';
    } as RequestListener) as (...args: unknown[]) => unknown;
    const self = {};
    const hostile = new Proxy(
      {},
      {
        get() {
          throw new Error('hands off');
        },
      },
    );
    for (const request of [undefined, null, 7, {}, Object.freeze({ headers: {} }), hostile]) {
      for (const response of [undefined, {}, hostile]) {
        calls.length = 0;
        expect(Reflect.apply(listener, self, [request, response])).toBe('result');
        expect(calls).toHaveLength(1);
        const [[that, first, second]] = calls as [[unknown, unknown, unknown]];
        expect(that === self && Object.is(first, request) && Object.is(second, response)).toBe(true);
      }
    }
  });

  it('serves HTTP/2 with its authority and version', async () => {
    const { registry, servers } = await startWorld();
    const server = http2.createServer();
    const listener = traceHttp(registry, { tenant })(
      (_request: http2.Http2ServerRequest, response: http2.Http2ServerResponse) =>
        registry.withSpan('inside', () => void response.end('over two')),
    );
    server.on('request', listener);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    onTestFinished(() => {
      client.close();
      server.close();
    });
    const stream = client.request({ ':path': '/two?x=1', ':authority': 'two.example' });
    stream.resume();
    await once(stream, 'end');
    const [span] = await servers();
    expect(span?.attributes).toMatchObject({
      'network.protocol.version': '2',
      'server.address': 'two.example',
      'server.port': 80,
      'url.path': '/two',
      'http.response.status_code': 200,
    });
    expect(span?.status.code).toBe(0);
  });

  it('has the same from Koa over HTTP/2', async () => {
    const { registry, servers } = await startWorld();
    const app = new Koa();
    app.use(koa(registry, { tenant }));
    app.use((ctx) => {
      ctx.body = { tenant: registry.current()?.tenantId };
    });
    const serve = app.callback();
    const server = http2.createServer((request, response) => void serve(request, response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    onTestFinished(() => {
      client.close();
      server.close();
    });
    const stream = client.request({ ':path': '/a' });
    const [body] = (await once(stream, 'data')) as [Buffer];
    expect(JSON.parse(String(body))).toEqual({ tenant: 'tenant-0' });
    const [span] = await servers();
    expect(span?.attributes).toMatchObject({ 'network.protocol.version': '2', 'http.response.status_code': 200 });
    expect(span?.attributes).not.toHaveProperty('error.type');
  });

  it('serves a server of HTTP/2, with one span for each stream, aborted or not', async () => {
    const { registry, servers } = await startWorld();
    const reached = deferred<void>();
    const server = http2.createServer((request, response) => {
      if (request.url === '/hang') {
        response.write('begun');
        reached.resolve();
      } else registry.withSpan('inside', () => response.writeHead(request.method === 'POST' ? 503 : 200).end());
    });
    const route = ({ url }: IncomingMessage): string => `/of${url}`;
    expect(traceHttp(registry, { tenant, route })(server)).toBe(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    onTestFinished(() => {
      client.close();
      server.close();
    });
    const ask = (path: string, method: string) =>
      client
        .request({ ':path': path, ':method': method, ':authority': 'two.example' })
        .resume()
        .on('error', () => {});
    const hanging = ask('/hang', 'GET');
    await reached.promise;
    await Promise.all(['GET', 'POST', 'HEAD', 'OPTIONS'].map((method) => once(ask('/a', method).end(), 'end')));
    hanging.close(http2.constants.NGHTTP2_CANCEL);
    const outcomes = (await servers(5)).map(({ name, attributes }) => [
      name,
      attributes['http.response.status_code'],
      attributes['error.type'],
    ]);
    expect(outcomes.sort()).toEqual([
      ['GET /of/a', 200, undefined],
      ['GET /of/hang', 200, 'ECONNRESET'],
      ['HEAD /of/a', 200, undefined],
      ['OPTIONS /of/a', 200, undefined],
      ['POST /of/a', 503, '503'],
    ]);
  });

  it('ends the span of a response that was closed before an asynchronous tenant was known', async () => {
    const { registry, servers } = await startWorld();
    const gate: { open?: (tenantId: string) => void } = {};
    const listener = traceHttp(registry, {
      tenant: () =>
        new Promise<string>((resolve) => {
          gate.open = resolve;
        }),
    })(() => undefined);
    const closed: Promise<void>[] = [];
    const server = http.createServer((request, response) => {
      closed.push(once(response, 'close').then(() => undefined));
      listener(request, response);
      client.destroy();
    });
    const { port } = await serveNode(server);
    const client = net.connect(port as number, '127.0.0.1');
    client.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    await once(client, 'close');
    await Promise.all(closed);
    gate.open?.('tenant-0');
    const [span] = await servers();
    expect(span?.attributes['error.type']).toBe('ECONNRESET');
  });
});
