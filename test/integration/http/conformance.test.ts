import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { SpanStatusCode } from '@opentelemetry/api';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { DecodedSpan } from '../../support/otlp-decoder.ts';
import { type HttpWorld, SERVER, startWorld } from './http-kit.ts';
import { recordingMeter } from './recording-meter.ts';
import {
  byToken,
  OrderError,
  type Served,
  Shop,
  SUBJECTS,
  type Subject,
  type SubjectOptions,
  TOKENS,
} from './subjects.ts';

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

interface World extends Served, Pick<HttpWorld, 'spans' | 'servers'> {
  readonly shop: Shop;
  readonly tenants: HttpWorld;
}

async function start(
  subject: Subject,
  options: SubjectOptions = {},
  ids?: readonly string[],
  tenant?: Parameters<typeof startWorld>[1],
): Promise<World> {
  const tenants = await startWorld(ids, tenant);
  const shop = new Shop(tenants.registry);
  const { spans, servers } = tenants;
  return { ...(await subject.start(shop, options)), shop, tenants, spans, servers };
}

const as = (index: number, init: RequestInit = {}): RequestInit => ({
  ...init,
  headers: { authorization: `token-${index}`, ...(init.headers as Record<string, string> | undefined) },
});

describe.each(SUBJECTS)('the adapter for $name', (subject) => {
  const isWeb = subject.name.includes('web');

  it('gives a request one SERVER span of its tenant, with the work inside it, named after the route', async () => {
    const world = await start(subject);
    const response = await world.fetch('/orders/42?expand=items&sig=abc', as(0));
    expect(await response.json()).toEqual({ id: '42', tenant: 'tenant-0' });
    const [server] = await world.servers();
    expect(server?.name).toBe(`GET ${subject.orderRoute}`);
    expect(server?.parentSpanId).toBe('');
    expect(server?.status).toEqual({ code: SpanStatusCode.UNSET, message: '' });
    expect(server?.attributes).toMatchObject({
      'http.request.method': 'GET',
      'http.route': subject.orderRoute,
      'http.response.status_code': 200,
      'url.scheme': 'http',
      'url.path': '/orders/42',
      'url.query': 'expand=items&sig=REDACTED',
      'server.address': '127.0.0.1',
      'server.port': world.port ?? 8080,
      ...(!isWeb && { 'client.address': '127.0.0.1', 'network.protocol.version': '1.1' }),
    });
    expect(server?.attributes).not.toHaveProperty('error.type');
    const spans = await world.spans();
    const load = spans.find(({ name }) => name === 'load order');
    const query = spans.find(({ name }) => name === 'query');
    expect([load?.parentSpanId, query?.parentSpanId]).toEqual([server?.spanId, load?.spanId]);
    expect(spans).toHaveLength(3);
    expect(await world.spans('tenant-1')).toHaveLength(0);
  });

  it('keeps the tenant through the parsing of a body', async () => {
    const world = await start(subject);
    const body = JSON.stringify({ items: 'x'.repeat(100_000) });
    const headers = { 'content-type': 'application/json' };
    const response = await world.fetch('/echo', as(1, { method: 'POST', body, headers }));
    expect(await response.json()).toEqual({ body: JSON.parse(body), tenant: 'tenant-1' });
    const [server] = await world.servers(1, 'tenant-1');
    const echo = (await world.spans('tenant-1')).find(({ name }) => name === 'echo');
    expect(server?.name).toBe('POST /echo');
    expect(echo?.parentSpanId).toBe(server?.spanId);
  });

  it('does the same for a tenant that is found asynchronously, and counts that time in', async () => {
    const world = await start(subject, {
      tenant: async (headers) => {
        await delay(20);
        return byToken(headers);
      },
    });
    const before = BigInt(Date.now()) * 1_000_000n;
    const headers = { 'content-type': 'application/json' };
    const response = await world.fetch('/echo', as(0, { method: 'POST', body: '{"a":1}', headers }));
    expect(await response.json()).toEqual({ body: { a: 1 }, tenant: 'tenant-0' });
    const [server] = await world.servers();
    const { startTimeUnixNano, endTimeUnixNano } = server as DecodedSpan;
    expect(endTimeUnixNano - startTimeUnixNano).toBeGreaterThan(15_000_000n);
    expect(startTimeUnixNano).toBeGreaterThanOrEqual(before - 50_000_000n);
  });

  it('records an error, hands on the very same one, and calls the request failed', async () => {
    const world = await start(subject);
    const response = await world.fetch('/fail', as(0));
    expect(response.status).toBe(500);
    await response.text();
    const [server] = await world.servers();
    expect(world.shop.caught).toHaveLength(1);
    expect(world.shop.caught[0]).toBe(world.shop.thrown[0]);
    expect(server?.name).toBe('GET /fail');
    expect(server?.attributes).toMatchObject({ 'http.response.status_code': 500, 'error.type': 'OrderError' });
    expect(server?.status).toEqual({ code: SpanStatusCode.ERROR, message: 'out of stock' });
    expect(server?.events.map(({ name, attributes }) => [name, attributes['exception.message']])).toEqual([
      ['exception', 'out of stock'],
    ]);
    expect(world.shop.thrown[0]).toBeInstanceOf(OrderError);
  });

  it('has no path in names, and no error, for what is not found', async () => {
    const world = await start(subject);
    const response = await world.fetch('/nowhere/4711', as(0));
    expect(response.status).toBe(404);
    await response.text();
    const [server] = await world.servers();
    expect(server?.name).toBe('GET');
    expect(server?.attributes).not.toHaveProperty('http.route');
    expect(server?.attributes['http.response.status_code']).toBe(404);
    expect(server?.status.code).toBe(SpanStatusCode.UNSET);
  });

  it('ends the span when a stream has been sent, not before', async () => {
    const world = await start(subject);
    const response = await world.fetch('/stream', as(0));
    const reader = response.body?.getReader();
    const first = await reader?.read();
    expect(Buffer.from(first?.value ?? []).toString()).toBe('first half, ');
    expect(await world.spans()).toHaveLength(0);
    world.shop.gate.resolve();
    let rest = '';
    for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) {
      rest += Buffer.from(part.value).toString();
    }
    expect(rest).toBe('second half');
    const [server] = await world.servers();
    expect(server?.attributes['http.response.status_code']).toBe(200);
    expect(server?.status.code).toBe(SpanStatusCode.UNSET);
  });

  it('ends the span of a client that goes away, once', async () => {
    const world = await start(subject);
    const controller = new AbortController();
    const response = world.fetch('/hang', as(0, { signal: controller.signal }));
    response.catch(() => {});
    await world.shop.hanging.promise;
    controller.abort();
    const servers = await world.servers();
    expect(servers).toHaveLength(1);
    expect(servers[0]?.status.code).toBe(SpanStatusCode.ERROR);
    expect(servers[0]?.attributes).toMatchObject({ 'error.type': isWeb ? 'AbortError' : 'ECONNRESET' });
    expect(servers[0]?.attributes).not.toHaveProperty('http.response.status_code');
  });

  it('calls a response that the client leaves in the middle broken, once', async () => {
    const world = await start(subject);
    const controller = new AbortController();
    const response = await world.fetch('/stream', as(0, { signal: controller.signal }));
    const reader = response.body?.getReader();
    await reader?.read();
    expect(await world.spans()).toHaveLength(0);
    controller.abort();
    reader?.read().catch(() => {});
    const servers = await world.servers();
    expect(servers[0]).toMatchObject({
      name: 'GET /stream',
      status: { code: SpanStatusCode.ERROR },
      attributes: { 'http.response.status_code': 200, 'error.type': isWeb ? 'AbortError' : 'ECONNRESET' },
    });
    world.shop.gate.resolve();
    await (await world.fetch('/orders/1', as(0))).text();
    expect(await world.servers(2)).toHaveLength(2);
  });

  it.each(['HEAD', 'OPTIONS'])('traces %s, once, with the status that was sent', async (method) => {
    const world = await start(subject);
    const response = await world.fetch('/orders/7', as(0, { method }));
    if (method === 'HEAD') expect(await response.text()).toBe('');
    else await response.text();
    const [server] = await world.servers();
    expect(server?.attributes).toMatchObject({
      'http.request.method': method,
      'http.response.status_code': response.status,
    });
    expect(server?.name).toMatch(new RegExp(`^${method}( /orders/[{:]id}?)?$`));
    expect(server?.status.code).toBe(SpanStatusCode.UNSET);
    expect((await world.spans()).filter(({ kind }) => kind === SERVER)).toHaveLength(1);
  });

  it.each([
    ['parent', true, 0],
    ['link', false, 1],
    ['ignore', false, 0],
  ] as const)('with incoming %s trusts the caller accordingly', async (incoming, isChild, links) => {
    const world = await start(subject, { incoming });
    await (await world.fetch('/orders/1', as(0, { headers: { traceparent: TRACEPARENT } }))).text();
    const [server] = await world.servers();
    expect(server?.traceId === '0af7651916cd43dd8448eb211c80319c').toBe(isChild);
    expect(server?.parentSpanId).toBe(isChild ? 'b7ad6b7169203331' : '');
    expect(server?.links).toHaveLength(links);
    const others = (await world.spans()).filter(({ kind }) => kind !== SERVER);
    for (const { traceId, links: none } of others) expect([traceId, none]).toEqual([server?.traceId, []]);
  });

  it('leaves alone what is excluded and what has no tenant', async () => {
    const world = await start(subject, { exclude: ['/health', /^\/internal/] });
    expect(await (await world.fetch('/health', as(0))).json()).toEqual({ tenant: null });
    expect(await (await world.fetch('/orders/1')).json()).toEqual({ id: '1', tenant: null });
    expect(await world.spans()).toHaveLength(0);
    expect(world.tenants.registry.health().recentErrors).toEqual([]);
  });

  it.each<[string, NonNullable<SubjectOptions['tenant']>]>([
    [
      'throws',
      () => {
        throw new Error('no session');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no session'))],
    ['hangs', () => new Promise(() => {})],
    ['answers something else', () => 42 as never],
  ])('serves the request all the same when the tenant callback %s, and counts it', async (_case, tenant) => {
    const world = await start(subject, { tenant, tenantTimeoutMillis: 20 });
    const response = await world.fetch('/orders/1', as(0));
    expect(await response.json()).toEqual({ id: '1', tenant: null });
    expect(world.tenants.registry.health().errors).toEqual({ host: 1 });
    expect(await world.spans()).toHaveLength(0);
  });

  it('masks the tenant around it for a tenant that does not exist', async () => {
    const world = await start(subject, { tenant: () => 'nobody-knows' });
    expect(await (await world.fetch('/orders/1', as(0))).json()).toMatchObject({ id: '1' });
    expect(await world.spans()).toHaveLength(0);
  });

  it('lets no header choose the tenant', async () => {
    const world = await start(subject, {}, ['tenant-0', 'tenant-1'], {
      tenant: () => ({ propagation: { baggage: ['tenant', 'tenant.id'] } }),
    });
    const spoofs: Record<string, string>[] = [
      { 'x-tenant': 'tenant-1' },
      { 'x-scope-orgid': 'tenant-1', 'x-tenant-id': 'tenant-1' },
      { baggage: 'tenant=tenant-1,tenant.id=tenant-1,isotrace.tenant=tenant-1' },
      { traceparent: TRACEPARENT, tracestate: 'isotrace=tenant-1,tenant=tenant-1' },
      { 'isotrace-tenant': 'tenant-1', forwarded: 'host=tenant-1.example.com', 'x-forwarded-host': 'tenant-1' },
    ];
    for (const headers of spoofs) {
      expect(await (await world.fetch('/orders/1', as(0, { headers }))).json()).toEqual({
        id: '1',
        tenant: 'tenant-0',
      });
      expect(await (await world.fetch('/orders/1', { headers })).json()).toEqual({ id: '1', tenant: null });
    }
    await world.servers(spoofs.length);
    expect(await world.spans('tenant-1')).toHaveLength(0);
    expect(world.tenants.receivers['tenant-1']?.requests).toHaveLength(0);
  });

  it('keeps 500 concurrent requests of 10 tenants apart, with one SERVER span each', async () => {
    const ids = [...TOKENS.values()].slice(0, 10);
    const world = await start(subject, { tenant: async (headers) => byToken(headers) }, ids);
    const indices = Array.from({ length: 500 }, (_, index) => index);
    const queue = indices.values();
    await Promise.all(
      Array.from({ length: 40 }, async () => {
        for (const index of queue) {
          const response = await world.fetch(`/orders/${index}`, as(index % 10));
          expect(await response.json()).toEqual({ id: String(index), tenant: `tenant-${index % 10}` });
        }
      }),
    );
    for (const [number, id] of ids.entries()) {
      const servers = await world.servers(50, id);
      const spans = await world.spans(id);
      expect(servers).toHaveLength(50);
      expect(spans).toHaveLength(150);
      const bySpanId = new Map(spans.map((span) => [span.spanId, span]));
      const orders: number[] = [];
      for (const span of spans) {
        if (span.kind === SERVER) continue;
        const parent = bySpanId.get(span.parentSpanId);
        expect([parent?.name, parent?.traceId]).toEqual([
          span.name === 'query' ? 'load order' : `GET ${subject.orderRoute}`,
          span.traceId,
        ]);
        if (span.name !== 'load order') continue;
        orders.push(Number(span.attributes['order.id']));
        expect(parent?.attributes['url.path']).toBe(`/orders/${String(span.attributes['order.id'])}`);
      }
      expect(orders.sort((a, b) => a - b)).toEqual(indices.filter((index) => index % 10 === number));
    }
  });

  it('measures requests per tenant, by routes only', async () => {
    const meters = new Map<string, ReturnType<typeof recordingMeter>>();
    const world = await start(subject, {
      meterProvider: (tenantId) => {
        const known = meters.get(tenantId) ?? recordingMeter();
        meters.set(tenantId, known);
        return known.meter;
      },
    });
    for (const path of ['/orders/1', '/orders/2', '/fail', '/nowhere/1', '/nowhere/2']) {
      await (await world.fetch(path, as(0))).text();
    }
    await (await world.fetch('/orders/3', as(1))).text();
    await world.servers(5);
    await world.servers(1, 'tenant-1');
    const points = meters.get('tenant-0')?.of('http.server.request.duration') ?? [];
    const labels = points.map(({ attributes }) => {
      const { 'network.protocol.version': _version, ...rest } = attributes;
      return JSON.stringify(rest);
    });
    const common = { 'http.request.method': 'GET', 'url.scheme': 'http' };
    const order = { ...common, 'http.response.status_code': 200, 'http.route': subject.orderRoute };
    const missing = { ...common, 'http.response.status_code': 404 };
    const failed = { ...common, 'http.response.status_code': 500, 'http.route': '/fail', 'error.type': 'OrderError' };
    expect(labels).toEqual([order, order, failed, missing, missing].map((attributes) => JSON.stringify(attributes)));
    for (const { value } of points) expect(value).toBeGreaterThanOrEqual(0);
    const active = meters.get('tenant-0')?.of('http.server.active_requests') ?? [];
    expect(active.reduce((sum, { value }) => sum + value, 0)).toBe(0);
    expect(active.filter(({ value }) => value === 1)).toHaveLength(5);
    for (const { attributes } of active) expect(attributes).toEqual(common);
    expect(meters.get('tenant-1')?.of('http.server.request.duration')).toHaveLength(1);
    expect(meters.get('tenant-0')?.instruments['http.server.request.duration']).toMatchObject({
      unit: 's',
      advice: { explicitBucketBoundaries: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10] },
    });
  });
});

describe.each(SUBJECTS.filter(({ name }) => !name.includes('web')))('on the wire, the adapter for $name', (subject) => {
  /** Sends bytes as they are and answers what comes back until the connection closes. */
  async function exchange(port: number | undefined, text: string): Promise<string> {
    const socket = net.connect(port as number, '127.0.0.1');
    socket.on('error', () => {});
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
    });
    socket.write(text, 'latin1');
    await once(socket, 'close');
    return answer;
  }
  const auth = 'authorization: token-0\r\n';

  it('tells pipelined requests on one connection apart', async () => {
    const world = await start(subject);
    const get = (index: number, last = false): string =>
      `GET /orders/p${index} HTTP/1.1\r\nhost: a.example:81\r\nauthorization: token-${index % 2}\r\n${last ? 'connection: close\r\n' : ''}\r\n`;
    const answer = await exchange(world.port, get(0) + get(1) + get(2) + get(3, true));
    expect(answer.match(/HTTP\/1\.1 200/g)).toHaveLength(4);
    for (const [id, orders] of [
      ['tenant-0', ['/orders/p0', '/orders/p2']],
      ['tenant-1', ['/orders/p1', '/orders/p3']],
    ] as const) {
      const servers = await world.servers(2, id);
      expect(servers.map(({ attributes }) => attributes['url.path']).sort()).toEqual(orders);
      for (const { attributes } of servers) {
        expect([attributes['server.address'], attributes['server.port']]).toEqual(['a.example', 81]);
      }
    }
  });

  it('answers requests with hostile headers, and records what is sound of them', async () => {
    const world = await start(subject);
    const lines = [
      'host: a b@[::1',
      `user-agent: ${'u'.repeat(3_000)}`,
      'traceparent: 00-zz-zz-01',
      `baggage: ${'%ZZ,=;'.repeat(300)}`,
      'x-forwarded-for: 6.6.6.6',
      'x-forwarded-proto: https',
      'forwarded: for=6.6.6.6;host=evil.example;proto=https',
      'connection: close',
    ];
    const answer = await exchange(world.port, `GET /orders/1 HTTP/1.1\r\n${auth}${lines.join('\r\n')}\r\n\r\n`);
    // Hono itself refuses such a host.
    if (subject.name.includes('Hono')) return expect(answer).toMatch(/^HTTP\/1\.1 400/);
    expect(answer).toMatch(/^HTTP\/1\.1 200/);
    const [server] = await world.servers();
    expect(server?.attributes).not.toHaveProperty('server.address');
    expect(server?.attributes).toMatchObject({ 'client.address': '127.0.0.1', 'url.scheme': 'http' });
    expect(String(server?.attributes['user_agent.original']).length).toBe(1_024);
    expect(server?.parentSpanId).toBe('');
  });

  it('gives an unknown method no name', async () => {
    const world = await start(subject);
    await exchange(world.port, `PROPFIND /orders/1 HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n${auth}\r\n`);
    const [server] = await world.servers();
    expect(server?.name).toMatch(/^HTTP( \/orders\/[{:]id}?)?$/);
    expect(server?.attributes).toMatchObject({
      'http.request.method': '_OTHER',
      'http.request.method_original': 'PROPFIND',
    });
  });

  it('leaves no listener on a connection behind, however many requests come over it', async () => {
    const world = await start(subject);
    const warnings: string[] = [];
    const warned = ({ name }: Error): void => void warnings.push(name);
    process.on('warning', warned);
    onTestFinished(() => void process.off('warning', warned));
    const get = (index: number): string =>
      `GET /orders/${index} HTTP/1.1\r\nhost: a.example\r\n${auth}${index === 39 ? 'connection: close\r\n' : ''}\r\n`;
    const answer = await exchange(world.port, Array.from({ length: 40 }, (_, index) => get(index)).join(''));
    expect(answer.match(/HTTP\/1\.1 200/g)).toHaveLength(40);
    expect(await world.servers(40)).toHaveLength(40);
    expect(warnings).toEqual([]);
  });

  it('takes a request for an upgrade that nobody handles for one like any other', async () => {
    const world = await start(subject);
    const upgrade = 'connection: upgrade, close\r\nupgrade: websocket\r\n';
    const answer = await exchange(world.port, `GET /orders/1 HTTP/1.1\r\nhost: a.example\r\n${auth}${upgrade}\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 200/);
    const socket = net.connect(world.port as number, '127.0.0.1').on('error', () => {});
    socket.write(`GET /hang HTTP/1.1\r\nhost: a.example\r\n${auth}${upgrade}\r\n`);
    await world.shop.hanging.promise;
    socket.destroy();
    const servers = await world.servers(2);
    const attributes = servers.map((server) => [
      server.attributes['http.response.status_code'],
      server.attributes['error.type'],
    ]);
    expect(attributes).toEqual([
      [200, undefined],
      [undefined, 'ECONNRESET'],
    ]);
  });

  it('serves a client that waits for 100 Continue', async () => {
    const world = await start(subject);
    const head = `POST /echo HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n${auth}content-type: application/json\r\ncontent-length: 7\r\nexpect: 100-continue\r\n\r\n`;
    const answer = await exchange(world.port, `${head}{"a":1}`);
    expect(answer).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200/);
    expect(await world.servers()).toHaveLength(1);
  });
});
