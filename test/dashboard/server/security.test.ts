import { once } from 'node:events';
import net from 'node:net';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Dashboard, type DashboardOptions, startDashboard } from '../../../src/dashboard.ts';
import type { IsotraceError } from '../../../src/utils/errors.ts';
import { logsJson, metricsJson, nanos, spanId, traceId, tracesJson } from '../otlp-requests.ts';
import { getJson, openDashboard, postOtlp, send } from './dashboard-kit.ts';

const ADMIN = 'admin-token-0123456789';
const ACME = 'acme-token-0123456789';
const READER = 'reader-token-0123456789';
const TOKENS = [
  { token: ADMIN },
  { token: ACME, tenants: ['acme'] },
  { token: READER, tenants: ['acme', 'globex'], readOnly: true },
];
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

const PATHS = [
  ...[
    'traces',
    `traces/${traceId(2)}`,
    `traces/${traceId(2)}?format=otlp`,
    `traces/${traceId(2)}?format=compact`,
    'logs',
    'metrics',
    'red',
    'errors',
  ],
  ...['metrics/query?name=secret.metric', 'services', 'tenants', 'stats', 'facets', 'facets?field=service', 'live'],
  ...['logs?format=otlp', 'metrics/points', 'metrics/points?format=otlp'],
  ...['facets?field=tenant', 'facets?field=attr.secret.key', 'views', 'openapi.json'],
].map((path) => `/api/v1/${path}`);

async function addTenants(dashboard: Dashboard): Promise<void> {
  const now = Date.now();
  const at = now - Date.UTC(2025, 0, 1);
  const send = (signal: string, json: unknown) => postOtlp(dashboard, signal, json, bearer(ADMIN));
  const span = { spanId: spanId(1), at, error: true, attributes: { 'secret.key': 'secret value' } };
  await send(
    'traces',
    tracesJson({ service: 'mine', tenant: 'acme' }, [{ traceId: traceId(1), ...span, attributes: {} }]),
  );
  await send('traces', tracesJson({ service: 'secret-service', tenant: 'globex' }, [{ traceId: traceId(2), ...span }]));
  await send('logs', logsJson({ service: 'secret-service', tenant: 'globex' }, [{ body: 'secret body', at }]));
  const point = { timeUnixNano: nanos(at), asDouble: 1 };
  await send('metrics', metricsJson({ tenant: 'globex' }, [{ name: 'secret.metric', gauge: { dataPoints: [point] } }]));
}

describe('the dashboard', () => {
  it.each<[string, Record<string, string>, number]>([
    ['its own name', {}, 200],
    ['localhost', { host: 'localhost:1234' }, 200],
    ['another host, as after DNS rebinding', { host: 'evil.test' }, 403],
    ['a host that begins like a good one', { host: 'localhost.evil.test' }, 403],
    ['a host that is none', { host: '[::1' }, 403],
    ['another origin', { origin: 'http://evil.test' }, 403],
    ['no origin', { origin: 'null' }, 403],
    ['another port of the same host', { origin: 'http://127.0.0.1:1' }, 403],
    ['another site', { 'sec-fetch-site': 'cross-site' }, 403],
    ['a neighbour', { 'sec-fetch-site': 'same-site' }, 403],
    ['its own page', { 'sec-fetch-site': 'same-origin' }, 200],
  ])('answers a request of %s %j with %d', async (_case, headers, expected) => {
    const dashboard = await openDashboard();
    for (const path of ['/api/v1/traces', '/api/v1/stats']) {
      expect((await send(dashboard, 'GET', path, headers)).status).toBe(expected);
    }
    const post = await postOtlp(dashboard, 'traces', { resourceSpans: [] }, headers);
    expect(post.status).toBe(expected);
    const live = expected === 200 ? undefined : await send(dashboard, 'GET', '/api/v1/live', headers);
    expect(live?.status ?? expected).toBe(expected);
  });

  it('lets no other site read or show it, whatever it answers', async () => {
    const dashboard = await openDashboard();
    const replies = await Promise.all([
      ...['/api/v1/traces', '/api/v1/traces?x=1', '/', '/api/v1/nothing'].map((path) => send(dashboard, 'GET', path)),
      send(dashboard, 'GET', '/api/v1/traces', { host: 'evil.test' }),
      send(dashboard, 'OPTIONS', '/api/v1/traces', { origin: dashboard.url }),
      postOtlp(dashboard, 'traces', {}),
      postOtlp(dashboard, 'traces', {}, { 'content-type': 'text/plain' }),
    ]);
    for (const { headers } of replies) {
      expect(headers['content-security-policy']).toContain("default-src 'none'");
      expect(headers['x-content-type-options']).toBe('nosniff');
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    }
  });

  it('needs a token where others can reach it', async () => {
    for (const host of ['0.0.0.0', '::', '192.0.2.1', 'example.test']) {
      await expect(startDashboard({ port: 0, host })).rejects.toMatchObject({
        code: 'config_invalid',
        issues: [expect.objectContaining({ option: 'token' })],
      });
    }
    await expect(startDashboard({ port: 0, token: 'short' })).rejects.toMatchObject({ code: 'config_invalid' });
    await expect(startDashboard({ port: 0, token: [{ token: ADMIN, tenants: [] }] })).rejects.toMatchObject({
      issues: [expect.objectContaining({ option: 'token[0].tenants' })],
    });
    const dashboard = await openDashboard({ host: '0.0.0.0', token: ADMIN });
    expect((await send(dashboard, 'GET', '/api/v1/stats')).status).toBe(401);
    expect((await send(dashboard, 'GET', '/api/v1/stats', bearer(ADMIN))).status).toBe(200);
  });

  it('names all at once that is wrong with its options, whatever they are, and shows no token', async () => {
    const secret = 'a-secret';
    const wrong: unknown = {
      ...{
        port: 'any',
        maxBytes: 5,
        flushMillis: 1.5,
        host: 7,
        store: {},
        clock: {},
        directory: '',
        allowedHosts: 'all',
      },
      ...{ tenantHeader: 'no header', alertHandlers: [1], slos: {}, tokens: secret },
      token: [{ token: secret, tenants: 'acme', readOnly: 'yes' }, secret, { tokn: secret }],
    };
    const error = (await startDashboard(wrong as DashboardOptions).catch((reason: unknown) => reason)) as IsotraceError;
    expect(error).toMatchObject({ name: 'IsotraceError', code: 'config_invalid' });
    expect(error.issues.map(({ option }) => option).sort()).toEqual(
      [
        ...[
          'alertHandlers[0]',
          'allowedHosts',
          'clock',
          'directory',
          'flushMillis',
          'host',
          'maxBytes',
          'port',
          'slos',
        ],
        ...['store', 'tenantHeader', 'token[0].readOnly', 'token[0].tenants', 'token[0].token', 'token[1]'],
        ...['token[2].tokn', 'token[2].token', 'tokens'],
      ].sort(),
    );
    expect(`${error.message} ${JSON.stringify(error.issues)}`).not.toContain(secret);
    for (const options of [null, 'all', []] as unknown as DashboardOptions[]) {
      await expect(startDashboard(options)).rejects.toMatchObject({ issues: [{ option: 'options' }] });
    }
    for (const token of [[], {}, 5, ''] as unknown as string[]) {
      await expect(startDashboard({ port: 0, token })).rejects.toMatchObject({ issues: [{ option: 'token' }] });
    }
  });

  it('answers nobody without a token that it knows', async () => {
    const dashboard = await openDashboard({ token: TOKENS });
    for (const headers of [
      {},
      bearer('x'),
      bearer(`${ADMIN}x`),
      { authorization: `Basic ${ADMIN}` },
      { cookie: 'isotrace_token=%' },
    ]) {
      for (const path of PATHS) expect((await send(dashboard, 'GET', path, headers)).status).toBe(401);
      expect((await postOtlp(dashboard, 'traces', {}, headers)).status).toBe(401);
    }
    expect((await send(dashboard, 'GET', '/api/v1/stats', { cookie: `a=b; isotrace_token=${ADMIN}` })).status).toBe(
      200,
    );
  });

  it('gives a page its token as a cookie that no script can read', async () => {
    const dashboard = await openDashboard({ token: TOKENS });
    expect((await send(dashboard, 'POST', '/api/v1/session', bearer('wrong'))).status).toBe(401);
    const { status, headers } = await send(dashboard, 'POST', '/api/v1/session', bearer(ACME));
    expect(status).toBe(204);
    const [cookie = ''] = headers['set-cookie'] ?? [];
    expect(cookie).toBe(`isotrace_token=${ACME}; HttpOnly; SameSite=Strict; Path=/`);
    expect((await send(dashboard, 'GET', '/api/v1/stats', { cookie: cookie.split(';')[0] as string })).status).toBe(
      200,
    );
  });

  it('shows a token of one tenant nothing of another, at any address', async () => {
    const dashboard = await openDashboard({ token: TOKENS });
    await addTenants(dashboard);
    const seen = async (token: string, path: string): Promise<string> => {
      if (!path.endsWith('live')) return (await send(dashboard, 'GET', path, bearer(token))).bytes.toString();
      return readEvents(dashboard, `${path}?cursor=00-0`, token);
    };
    for (const path of PATHS) {
      expect(await seen(ACME, path), path).not.toMatch(/secret(?!\.metric"?$)|globex/);
    }
    const all = await Promise.all(PATHS.map((path) => seen(READER, path)));
    expect(all.join()).toMatch(/secret-service.*secret/s);
    expect(all.join()).toMatch(/globex/);
    for (const path of PATHS.filter((candidate) => !/views|openapi|live/.test(candidate))) {
      const narrowed = `${path}${path.includes('?') ? '&' : '?'}tenant=globex`;
      expect((await send(dashboard, 'GET', narrowed, bearer(ACME))).status, narrowed).toBe(403);
    }
    expect((await send(dashboard, 'GET', '/api/v1/live?tenant=acme,globex', bearer(ACME))).status).toBe(403);
  });

  it('lets a token write for its own tenants only', async () => {
    const dashboard = await openDashboard({ token: TOKENS, tenantHeader: 'x-tenant' });
    const post = async (token: string, tenant: string | undefined, header?: string): Promise<unknown> => {
      const json = tracesJson(tenant === undefined ? {} : { tenant }, [{ traceId: traceId(1), spanId: spanId(1) }]);
      const headers = { ...bearer(token), ...(header !== undefined && { 'x-tenant': header }) };
      const { status, bytes } = await postOtlp(dashboard, 'traces', json, headers);
      return status === 200 ? JSON.parse(bytes.toString()) : status;
    };
    const refused = { partialSuccess: { rejectedSpans: '1', errorMessage: 'the tenant is not allowed' } };
    expect(await post(ACME, 'globex')).toEqual(refused);
    expect(await post(ACME, 'acme', 'globex')).toEqual(refused);
    expect(await post(READER, 'acme')).toBe(403);
    expect(await post(ACME, 'acme')).toEqual({});
    expect(await post(ACME, undefined)).toEqual({});
    const { value } = await getJson(dashboard, '/api/v1/tenants', bearer(ADMIN));
    expect(value).toMatchObject({ tenants: [{ tenant: 'acme', stored: { traces: 2 } }] });
  });

  it('survives requests that are none', async () => {
    const dashboard = await openDashboard();
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc
            .string({ unit: 'binary', maxLength: 100 })
            .map((path) => Buffer.from(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)),
          fc
            .constantFrom(
              '//',
              '/%',
              '/..%2f..%2fetc/passwd',
              '/api/v1/traces/%00',
              '*',
              'http://evil.test/',
              '/api/v1/../../x',
            )
            .map((path) => Buffer.from(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)),
        ),
        async (bytes) => {
          const socket = net.connect(dashboard.port, '127.0.0.1');
          socket.on('error', () => {});
          socket.resume();
          const closed = once(socket, 'close');
          socket.end(bytes);
          await closed;
        },
      ),
      { numRuns: 150 },
    );
    expect((await send(dashboard, 'GET', '/api/v1/stats')).status).toBe(200);
  });

  it('answers while 500 connections send their requests slowly', async () => {
    const dashboard = await openDashboard();
    const sockets = await Promise.all(
      Array.from({ length: 500 }, async () => {
        const socket = net.connect(dashboard.port, '127.0.0.1');
        socket.on('error', () => {});
        socket.resume();
        await once(socket, 'connect');
        socket.write('GET /api/v1/stats HTTP/1.1\r\nHost: loc');
        return socket;
      }),
    );
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
    });
    expect((await send(dashboard, 'GET', '/api/v1/stats')).status).toBe(200);
    // Those that never finish are ended by the server.
    await once(sockets[0] as net.Socket, 'close');
  });

  it('takes no more connections than it is told', async () => {
    const dashboard = await openDashboard({ maxConnections: 2 });
    const sockets = [net.connect(dashboard.port, '127.0.0.1'), net.connect(dashboard.port, '127.0.0.1')];
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    const third = net.connect(dashboard.port, '127.0.0.1');
    third.on('error', () => {});
    third.resume();
    await once(third, 'close');
    for (const socket of sockets) socket.destroy();
  });
});

/** What a live page gets until the first event has come. */
async function readEvents(dashboard: Dashboard, path: string, token: string): Promise<string> {
  const controller = new AbortController();
  const response = await fetch(`${dashboard.url}${path}`, { headers: bearer(token), signal: controller.signal });
  let text = '';
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += Buffer.from(chunk).toString();
    if (text.includes('event: update')) break;
  }
  controller.abort();
  return text;
}
