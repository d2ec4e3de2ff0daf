import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type DashboardOptions, SegmentRing, StoreError, startDashboard } from '../../../src/dashboard.ts';
import { createQueryBus } from '../../../src/queries.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { startTenants } from '../../support/tenant-receivers.ts';
import { append, spanId, T0, traceId, tracesJson } from '../otlp-requests.ts';
import { answerOf, describeQueries, type QueriedStore } from './query-conformance.ts';

const TOKEN = 'a-token-of-16-characters';
const LONG = Array.from({ length: 40 }, (_, index) => `${index}${'ä'.repeat(20)}`);
const HOSTILE = new Proxy({}, { get: () => expect.unreachable(), getPrototypeOf: () => expect.unreachable() });
const RANGE = { startMillis: T0 - 60_000, endMillis: T0 + 60_000 };

function openRing(): SegmentRing {
  const ring = new SegmentRing({ maxBytes: 8 * 1_048_576 });
  onTestFinished(() => ring.close());
  return ring;
}

async function openRemote(options: DashboardOptions = {}): Promise<QueriedStore & { readonly url: string }> {
  const store = openRing();
  const dashboard = await startDashboard({ port: 0, store, ...options });
  onTestFinished(() => dashboard.close());
  return { store, url: dashboard.url, target: { url: dashboard.url } };
}

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describeQueries('the ring', async () => {
  const store = openRing();
  return { store, target: { store } };
});

describeQueries('a dashboard elsewhere', () => openRemote());

describeQueries('a dashboard elsewhere, below a path and behind a token', async () => {
  const inner = await openRemote({ token: TOKEN });
  const url = await serve((request, response) => {
    const path = (request.url ?? '').replace(/^\/team\/board/, '');
    const headers = { authorization: request.headers.authorization ?? '' };
    void fetch(`${inner.url}${path}`, { headers }).then(async (answer) => {
      response.writeHead(answer.status).end(await answer.text());
    });
  });
  return { store: inner.store, target: { url: `${url}/team/board/`, token: TOKEN } };
});

describe('a query bus', () => {
  it.each<[string, object, readonly string[]]>([
    ['a query that is wrong', { type: 'searchTraces', query: 'dur>fast' }, ['query']],
    ["another signal's field", { type: 'getLogs', query: 'dur>1s' }, ['query']],
    ['a range that ends before it begins', { type: 'getLogs', startMillis: 5, endMillis: 5 }, ['endMillis']],
    ['too high a limit', { type: 'searchTraces', limit: 1_001 }, ['limit']],
    ['a limit that is no number', { type: 'getLogs', limit: '5' }, ['limit']],
    ['no name', { type: 'getMetric' }, ['name']],
    ['no aggregation', { type: 'aggregateMetrics', name: 'm' }, ['aggregation']],
    ['an aggregation that there is not', { type: 'aggregateMetrics', name: 'm', aggregation: 'mode' }, ['aggregation']],
    [
      'groups with a comma',
      { type: 'aggregateMetrics', name: 'm', aggregation: 'sum', groupBy: ['a,b'] },
      ['groupBy[0]'],
    ],
    ['a trace id that is none', { type: 'getTrace', traceId: '../stats' }, ['traceId']],
    ['other tenants', { type: 'getLogs', tenants: ['b'], tenant: 'b' }, ['tenants', 'tenant']],
    ['no type', { name: 'm' }, ['type']],
  ])('refuses a question with %s, and says which field is wrong', async (_case, question, options) => {
    const bus = createQueryBus({ store: openRing() }, { tenants: ['a'] });
    const result = await bus.ask(question as never);
    expect(result).toMatchObject({ ok: false, reason: 'invalid' });
    expect(result.ok ? [] : result.issues.map(({ option }) => option)).toEqual(options);
  });

  it.each<[string, unknown, unknown, readonly string[]]>([
    ['no tenants', { url: 'http://localhost' }, { tenants: [] }, ['tenants']],
    ['no options', { url: 'http://localhost' }, undefined, ['tenants']],
    ['a tenant that is none', { url: 'http://localhost' }, { tenants: ['a', ''] }, ['tenants']],
    ['a tenant that a dashboard cannot be told', { url: 'http://localhost' }, { tenants: ['a,b'] }, ['tenants']],
    ['more names than a dashboard can be told', { url: 'http://localhost' }, { tenants: LONG }, ['tenants']],
    ['options that cannot be read', { url: 'http://localhost' }, HOSTILE, ['options', 'tenants']],
    ['a source that cannot be read', HOSTILE, { tenants: 'all' }, ['target', 'url']],
    ['no source', {}, { tenants: 'all' }, ['url']],
    ['a store that is none', { store: {} }, { tenants: 'all' }, ['store']],
    ['an address that is none', { url: 'file:///etc' }, { tenants: 'all' }, ['url']],
    ['credentials in the address', { url: 'http://u:secret@localhost' }, { tenants: 'all' }, ['url']],
    ['a token with a line break', { url: 'http://localhost', token: 'a\nb' }, { tenants: 'all' }, ['token']],
  ])('that was made with %s refuses every question', async (_case, target, options, wrong) => {
    const bus = createQueryBus(target as never, options as never);
    expect(bus.issues.map(({ option }) => option)).toEqual(wrong);
    expect(JSON.stringify(bus.issues)).not.toContain('secret');
    expect(await bus.ask({ type: 'getStatus' })).toMatchObject({ ok: false, reason: 'refused' });
  });

  it('made with a clock or a registry that is none names it, and answers without', async () => {
    const target = { store: openRing(), registry: 5 as never };
    const bus = createQueryBus(target, { tenants: LONG, clock: {} as never });
    expect(bus.issues.map(({ option }) => option)).toEqual(['clock', 'registry']);
    expect(answerOf(await bus.ask({ type: 'getHealth' }))).toMatchObject({ ok: true, tenants: [] });
  });

  it('answers whatever it is given', async () => {
    const bus = createQueryBus({ store: openRing() }, { tenants: 'all', timeoutMillis: 0 });
    expect(bus.issues).toMatchObject([{ option: 'timeoutMillis' }]);
    const reasons: string[] = [];
    for (const given of [undefined, null, 5, 'getLogs', [], {}, { type: 'getEverything' }, { type: 'constructor' }]) {
      const result = await bus.ask(given as never);
      reasons.push(result.ok ? 'ok' : result.reason);
    }
    expect(reasons).toEqual([...Array(6).fill('invalid'), 'unknown_type', 'unknown_type']);
  });

  it('answers questions of its own, which may ask it others, and contains handlers that fail', async () => {
    const store = openRing();
    await append(store, 'traces', tracesJson({ tenant: 'a' }, [{ traceId: traceId(1), spanId: spanId(1) }]));
    await append(store, 'traces', tracesJson({ tenant: 'b' }, [{ traceId: traceId(2), spanId: spanId(2) }]));
    const bus = createQueryBus<{
      countTraces(fields: { readonly above: number }): Promise<number>;
      fails(fields: object): never;
      getLogs(fields: object): void;
    }>({ store }, { tenants: ['a'] });
    bus.register('countTraces', async ({ above }, { ask, tenants }) => {
      expect(tenants).toEqual(['a']);
      return answerOf(await ask({ type: 'searchTraces', ...RANGE })).traces.length + above;
    });
    const stop = bus.register('fails', () => {
      throw new Error('no');
    });
    bus.register('getLogs', () => undefined);
    expect(await bus.ask({ type: 'countTraces', above: 10 })).toEqual({ ok: true, value: 11 });
    expect(await bus.ask({ type: 'fails' })).toMatchObject({ ok: false, reason: 'failed', message: 'Error: no' });
    expect(await bus.ask({ type: 'getLogs' })).toMatchObject({ value: { logs: [] } });
    stop();
    expect(await bus.ask({ type: 'fails' })).toMatchObject({ reason: 'unknown_type' });
    // @ts-expect-error a field is missing
    await bus.ask({ type: 'countTraces' });
  });

  it('takes so many questions at a time', async () => {
    const clock = new FakeClock();
    const bus = createQueryBus<{ wait(fields: object): Promise<void> }>(
      { store: openRing() },
      { tenants: 'all', clock },
    );
    bus.register('wait', () => new Promise<void>(() => {}));
    const waiting = Array.from({ length: 1_000 }, () => bus.ask({ type: 'wait' }));
    expect(await bus.ask({ type: 'getLogs' })).toMatchObject({ ok: false, reason: 'overloaded' });
    clock.advance(30_000);
    for (const result of await Promise.all(waiting)) expect(result).toMatchObject({ reason: 'timeout' });
    expect(await bus.ask({ type: 'getLogs' })).toMatchObject({ ok: true });
  });

  it('tells how the tenants of a registry do, those in scope only, and those in trouble first', async () => {
    const { registry, receivers } = await startTenants(['acme', 'globex', 'other']);
    for (const tenant of ['acme', 'globex', 'other']) registry.get(tenant).withSpan('work', () => undefined);
    await registry.flush();
    await receivers.globex.close();
    const bus = createQueryBus({ store: openRing(), registry }, { tenants: ['acme', 'globex'] });
    const tenantsOf = async () =>
      answerOf(await bus.ask({ type: 'getHealth' })).tenants.map(({ tenant, ok }) => [tenant, ok]);
    expect(await tenantsOf()).toEqual([
      ['acme', true],
      ['globex', true],
    ]);
    registry.get('globex').withSpan('lost', () => undefined);
    await registry.flush({ timeoutMillis: 200 });
    expect(await tenantsOf()).toEqual([
      ['globex', false],
      ['acme', true],
    ]);
    expect(answerOf(await bus.ask({ type: 'getHealth', limit: 1 }))).toMatchObject({ ok: false, problem: '', more: 1 });
    const { tracers } = answerOf(await bus.ask({ type: 'getStatus' }));
    const counts = tracers.map(({ tenant, signals }) => [tenant, signals.traces?.created, signals.traces?.exported]);
    expect(counts).toEqual([
      ['globex', 2, 1],
      ['acme', 1, 1],
    ]);
  });

  it('of a dashboard shows what its registries do', async () => {
    const { registry } = await startTenants(['acme']);
    const store = openRing();
    const dashboard = await startDashboard({ port: 0, store });
    onTestFinished(() => dashboard.close());
    dashboard.attach(registry);
    registry.get('acme').withSpan('work', () => undefined);
    await registry.flush();
    const bus = createQueryBus({ url: dashboard.url }, { tenants: ['acme'] });
    expect(answerOf(await bus.ask({ type: 'getHealth' }))).toMatchObject({ ok: true, tenants: [{ tenant: 'acme' }] });
    expect(answerOf(await bus.ask({ type: 'getStatus' }))).toMatchObject({
      source: 'dashboard',
      tracers: [{ tenant: 'acme', signals: { traces: { exported: 1 } } }],
    });
  });
});

describe('a query bus for a dashboard elsewhere', () => {
  it('says that the token is missing, wrong, or for other tenants, and never shows it', async () => {
    const { url } = await openRemote({ token: [{ token: TOKEN, tenants: ['a'] }] });
    const ask = async (tenants: 'all' | string[], token?: string) => {
      const bus = createQueryBus({ url, token }, { tenants });
      const result = await bus.ask({ type: 'getLogs' });
      return result.ok ? 'ok' : `${result.reason}: ${result.message}`;
    };
    expect(await ask(['a'])).toBe('refused: a token is needed');
    expect(await ask(['a'], 'wrong')).toBe('refused: a token is needed');
    expect(await ask(['b'], TOKEN)).toBe('refused: the token may not see this tenant');
    expect([await ask(['a'], TOKEN), await ask('all', TOKEN)]).toEqual(['ok', 'ok']);
  });

  it('is well without what does not answer, and says so', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    const bus = createQueryBus({ url: `http://127.0.0.1:${port}` }, { tenants: 'all' });
    expect(await bus.ask({ type: 'getLogs' })).toMatchObject({ ok: false, reason: 'unreachable' });
    const health = answerOf(await bus.ask({ type: 'getHealth' }));
    expect(health).toEqual({
      ok: false,
      problem: 'the dashboard cannot be reached',
      notices: [],
      tenants: [],
      more: 0,
    });
  });

  it('gives up in time, and ends its request', async () => {
    let asked = (): void => undefined;
    const arrived = new Promise<void>((resolve) => {
      asked = resolve;
    });
    let ended = false;
    const url = await serve((_request, response) => {
      response.on('close', () => {
        ended = true;
      });
      asked();
    });
    const clock = new FakeClock();
    const bus = createQueryBus({ url }, { tenants: 'all', timeoutMillis: 1_000, clock });
    const answer = bus.ask({ type: 'getLogs' });
    await arrived;
    clock.advance(1_000);
    expect(await answer).toMatchObject({ ok: false, reason: 'timeout' });
    await vi.waitUntil(() => ended);
  });

  it.each<[string, RequestListener, string]>([
    ['a page', (_, response) => response.end('<html>'), 'failed'],
    ['other JSON', (_, response) => response.end('{"rows":[]}'), 'failed'],
    ['nothing', (_, response) => response.end(), 'failed'],
    ['a redirect', (_, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(), 'failed'],
    ['a failure', (_, response) => response.writeHead(503).end('{"error":{"message":"later"}}'), 'failed'],
    ['half an answer', (_, response) => response.writeHead(200, { 'content-length': 9 }).end('{'), 'unreachable'],
  ])('survives %s', async (_case, listener, reason) => {
    const url = await serve(listener);
    const bus = createQueryBus({ url, token: TOKEN }, { tenants: 'all' });
    const result = await bus.ask({ type: 'searchTraces' });
    expect(result).toMatchObject({ ok: false, reason });
    expect(JSON.stringify(result)).not.toContain(TOKEN);
  });

  it.each<[string, object]>([
    ['a series without points', { series: [{ labels: {} }] }],
    ['no series', { series: [null] }],
  ])('says of %s that this is none of its answers', async (_case, answer) => {
    const bus = createQueryBus(
      { url: await serve((_, response) => response.end(JSON.stringify(answer))) },
      { tenants: 'all' },
    );
    expect(await bus.ask({ type: 'getMetric', name: 'm' })).toMatchObject({
      ...{ ok: false, reason: 'failed', message: 'the dashboard answered something else than its API says' },
    });
  });
});

describe('a store that fails', () => {
  it('makes the answer fail, with words that are meant for the one who asks', async () => {
    const store = openRing();
    const bus = createQueryBus({ store }, { tenants: 'all' });
    const getLogs = vi.spyOn(store, 'getLogs');
    getLogs.mockRejectedValueOnce(new StoreError('it is busy', true));
    expect(await bus.ask({ type: 'getLogs' })).toMatchObject({ reason: 'failed', message: 'it is busy' });
    getLogs.mockRejectedValueOnce(new Error('password=hunter2'));
    expect(await bus.ask({ type: 'getLogs' })).toMatchObject({ reason: 'failed', message: 'the store failed' });
  });
});
