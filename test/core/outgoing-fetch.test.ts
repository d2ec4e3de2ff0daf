import { context as contextApi, propagation, SpanKind, trace } from '@opentelemetry/api';
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici';
import { Request as UndiciRequest, fetch as undiciFetch } from 'undici';
import { describe, expect, it } from 'vitest';
import { createTracedFetch } from '../../src/core/traced-fetch.ts';
import { traceFetch } from '../../src/index.ts';
import { inbound, startWorld } from '../routing/routing-kit.ts';
import { startPeer } from '../support/peer.ts';
import { startTenants } from '../support/tenant-receivers.ts';

const CLIENT = SpanKind.CLIENT + 1;
const ERROR = 2;

/** A tenant with baggage that may leave, and one that calls others. */
async function callers(propagateTo?: readonly string[] | ((url: URL) => boolean)) {
  return startTenants(['a', 'b'], {
    registry: { propagation: { baggage: ['plan', 'session.id'], ...(propagateTo && { propagateTo }) } },
  });
}

describe('tracer.fetch', () => {
  it('makes one CLIENT span by the HTTP conventions and sends it on', async () => {
    const { registry, received } = await callers();
    const peer = await startPeer();
    const { host } = new URL(peer.url);
    const url = `http://me:secret@${host}/orders/7?sig=abc&page=2#part`;
    const request = `http://${host}/orders/7?sig=abc&page=2`;
    await registry.get('a').withSpan('job', () => registry.get('a').fetch(request, { method: 'post', body: 'x' }));
    await registry
      .get('b')
      .fetch(url)
      .catch(() => undefined); // Node refuses user names in URLs.
    const { POST, job } = await received('a');
    const [arrived] = peer.arrived;
    expect(POST).toMatchObject({
      kind: CLIENT,
      parentSpanId: job?.spanId,
      status: { code: 0 },
      attributes: {
        'http.request.method': 'POST',
        'server.address': '127.0.0.1',
        'server.port': Number(host.split(':')[1]),
        'url.full': `http://${host}/orders/7?sig=REDACTED&page=2`,
        'url.scheme': 'http',
        'http.response.status_code': 200,
      },
    });
    expect(arrived?.headers['traceparent']).toBe(`00-${POST?.traceId}-${POST?.spanId}-03`);
    expect(arrived?.path).toBe('/orders/7?sig=abc&page=2');
    const failed = (await received('b'))['GET'];
    expect(failed?.attributes['url.full']).toBe(`http://REDACTED:REDACTED@${host}/orders/7?sig=REDACTED&page=2`);
    expect(JSON.stringify(failed?.attributes)).not.toContain('secret');
  });

  it('answers the very response, unread, and sends what it was given', async () => {
    const { registry, received } = await callers();
    const peer = await startPeer();
    const init = { method: 'PUT', headers: { 'x-own': '1' }, body: 'all of it' };
    let inner: Response | undefined;
    const fetch = traceFetch(registry.get('a'), async (input, given) => {
      inner = await globalThis.fetch(input, given);
      return inner;
    });
    const response = await fetch(new URL(peer.url), init);
    expect(response).toBe(inner);
    expect(response.bodyUsed).toBe(false);
    expect(Object.keys(await received('a'))).toEqual(['PUT']); // It ended before the body was read.
    expect(await response.text()).toBe('all of it');
    expect(init.headers).toEqual({ 'x-own': '1' });
    expect(peer.arrived[0]?.headers['x-own']).toBe('1');
  });

  it.each([
    ['a Request', (url: string) => [new Request(url, { method: 'POST', headers: { 'x-own': '1' }, body: 'b' })]],
    [
      'a Request as init',
      (url: string) => [url, new Request(url, { method: 'POST', headers: { 'x-own': '1' }, body: 'b' })],
    ],
    ['Headers', (url: string) => [url, { method: 'POST', headers: new Headers({ 'x-own': '1' }), body: 'b' }]],
    ['an instance of a class', (url: string) => [url, new Init()]],
  ])('takes %s', async (_what, args) => {
    const { registry } = await callers();
    const peer = await startPeer();
    const [input, init] = args(peer.url) as [string, RequestInit];
    expect(await (await registry.get('a').fetch(input, init)).text()).toBe('b');
    expect(peer.arrived[0]).toMatchObject({ method: 'POST', headers: { 'x-own': '1' } });
    expect(peer.arrived[0]?.count('traceparent')).toBe(1);
  });

  it('takes requests of another undici', async () => {
    const { registry, received } = await callers();
    const peer = await startPeer();
    const fetch = traceFetch(registry.get('a'), undiciFetch as never);
    const request = new UndiciRequest(peer.url, { method: 'POST', headers: { 'x-own': '1' }, body: 'b' });
    expect(await (await fetch(request as never)).text()).toBe('b');
    expect(peer.arrived[0]?.headers['x-own']).toBe('1');
    expect((await received('a'))['POST']?.attributes['http.response.status_code']).toBe(200);
  });

  it.each([
    [404, '404'],
    [503, '503'],
  ])('takes the status %i for an error', async (status, type) => {
    const { registry, received } = await callers();
    const peer = await startPeer();
    expect((await registry.get('a').fetch(`${peer.url}/status/${status}`)).status).toBe(status);
    expect((await received('a'))['GET']).toMatchObject({
      status: { code: ERROR, message: '' },
      attributes: { 'http.response.status_code': status, 'error.type': type },
    });
  });

  it('lets the very error through and says what happened to the connection', async () => {
    const { registry, received } = await callers();
    const refused = new TypeError('fetch failed', { cause: Object.assign(new Error('no'), { code: 'ECONNREFUSED' }) });
    const fetch = traceFetch(registry.get('a'), () => Promise.reject(refused));
    await expect(fetch('http://h.example/')).rejects.toBe(refused);
    const thrown = { not: 'an error' };
    const throwing = traceFetch(registry.get('b'), () => {
      throw thrown;
    });
    expect(() => throwing('http://h.example/')).toThrow();
    try {
      void throwing('http://h.example/');
    } catch (error) {
      expect(error).toBe(thrown);
    }
    const { GET } = await received('a');
    expect(GET).toMatchObject({
      attributes: { 'error.type': 'ECONNREFUSED' },
      status: { code: ERROR, message: 'fetch failed' },
    });
    expect(GET?.events[0]?.name).toBe('exception');
    expect((await received('b'))['GET']?.attributes['error.type']).toBe('_OTHER');
  });

  it('is aborted by its signal', async () => {
    const { registry, received } = await callers();
    const peer = await startPeer();
    const controller = new AbortController();
    const reason = new Error('enough');
    reason.name = 'Enough';
    const call = registry.get('a').fetch(`${peer.url}/hang`, { signal: controller.signal });
    controller.abort(reason);
    await expect(call).rejects.toBe(reason);
    expect((await received('a'))['GET']).toMatchObject({
      attributes: { 'error.type': 'Enough' },
      status: { code: ERROR },
    });
  });

  it('leaves alone what is no HTTP request, and what is no request at all', async () => {
    const { registry, receivers } = await callers();
    const { fetch } = registry.get('a');
    expect(await (await fetch('data:text/plain,hello')).text()).toBe('hello');
    await expect(fetch('no url')).rejects.toThrow(TypeError);
    await expect(fetch(undefined as never)).rejects.toThrow(TypeError);
    const hostile = {
      get url() {
        throw new Error('hostile');
      },
    };
    await expect(fetch(hostile as never)).rejects.toThrow();
    await registry.flush();
    expect(receivers.a.spans()).toEqual([]);
  });

  it('lets fetch itself refuse what cannot be sent', async () => {
    const { registry, received } = await callers();
    const peer = await startPeer();
    await expect(registry.get('a').fetch(peer.url, { headers: { 'x y': '1' } })).rejects.toThrow(TypeError);
    expect((await received('a'))['GET']?.attributes['error.type']).toBe('TypeError');
    expect(peer.arrived).toEqual([]);
  });

  it('keeps what other tenants, and tenants that do not exist, send apart', async () => {
    const { registry, receivers } = await startTenants(['a', 'b'], {
      registry: { propagation: { baggage: ['of'], propagateTo: ['*'] } },
    });
    const peer = await startPeer();
    await Promise.all(
      Array.from({ length: 60 }, (_, turn) => {
        const id = ['a', 'b', 'nobody'][turn % 3] as string;
        const tracer = registry.get(id);
        return tracer.withBaggage({ of: id }, () => tracer.fetch(`${peer.url}/${id}/${turn}`));
      }),
    );
    await registry.flush();
    for (const { path, headers } of peer.arrived) {
      const id = path.split('/')[1];
      expect(headers['baggage']).toBe(id === 'nobody' ? undefined : `of=${id}`);
      if (id === 'nobody') expect(headers['traceparent']).toBeUndefined();
    }
    for (const id of ['a', 'b'] as const) {
      const sent = peer.arrived
        .filter(({ path }) => path.startsWith(`/${id}/`))
        .map(({ headers }) => headers['traceparent']);
      expect(
        receivers[id]
          .spans()
          .map(({ traceId, spanId }) => `00-${traceId}-${spanId}-03`)
          .sort(),
      ).toEqual(sent.sort());
      expect(sent).toHaveLength(20);
    }
  });
});

class Init {
  get method() {
    return 'POST';
  }
  headers = { 'x-own': '1' };
  body = 'b';
}

describe('propagateTo', () => {
  it('by default lets the trace go anywhere, and baggage and session nowhere', async () => {
    const { registry } = await callers();
    const peer = await startPeer();
    const a = registry.get('a');
    await a.withSession('s-1', () => a.withBaggage({ plan: 'pro' }, () => a.fetch(peer.url)));
    expect(peer.arrived[0]?.headers['traceparent']).toMatch(/^00-/);
    expect(peer.arrived[0]?.headers['baggage']).toBeUndefined();
  });

  it('sends trace and allowed baggage to the named hosts, and nothing to others', async () => {
    const [friend, stranger] = [await startPeer(), await startPeer()];
    const { registry, received } = await callers([friend.host]);
    const a = registry.get('a');
    await a.withBaggage({ plan: 'pro', secret: 'x' }, async () => {
      await a.fetch(friend.url);
      await a.fetch(stranger.url, { headers: { traceparent: 'my own' } });
    });
    expect(friend.arrived[0]?.headers).toMatchObject({ baggage: 'plan=pro' });
    expect(friend.arrived[0]?.headers['traceparent']).toMatch(/^00-/);
    expect(stranger.arrived[0]?.headers['traceparent']).toBe('my own');
    expect(stranger.arrived[0]?.headers['baggage']).toBeUndefined();
    await received('a');
  });

  it('asks a function, and takes one that throws for a no', async () => {
    const peer = await startPeer();
    const asked: string[] = [];
    const { registry } = await callers((url) => {
      asked.push(`${url.host}${url.pathname}`);
      if (url.pathname === '/throw') throw new Error('no idea');
      return url.pathname === '/yes';
    });
    for (const path of ['yes', 'no', 'throw']) await registry.get('a').fetch(`${peer.url}/${path}`);
    expect(asked).toEqual([`${peer.host}/yes`, `${peer.host}/no`, `${peer.host}/throw`]);
    expect(peer.arrived.map(({ headers }) => headers['traceparent'] !== undefined)).toEqual([true, false, false]);
    expect(registry.get('a').health().errors.propagation).toBe(1);
  });

  it.each([
    ["Node's fetch", undefined],
    ["undici's fetch", undiciFetch as never],
  ])('holds for redirects of %s, which are counted', async (_whose, fetch) => {
    const [friend, stranger] = [await startPeer(), await startPeer()];
    const { registry, received } = await callers([friend.host]);
    const a = registry.get('a');
    const call = traceFetch(a, fetch);
    const there = `${friend.url}/redirect?to=${encodeURIComponent(`${stranger.url}/end`)}`;
    const url = `${friend.url}/redirect?to=${encodeURIComponent(there)}`;
    const response = await a.withBaggage({ plan: 'pro' }, () => call(url, { headers: { 'x-own': '1' } }));
    expect(response.redirected).toBe(true);
    expect(friend.arrived.map(({ headers }) => headers['baggage'])).toEqual(['plan=pro', 'plan=pro']);
    expect(stranger.arrived[0]?.headers).toMatchObject({ 'x-own': '1' });
    for (const name of ['traceparent', 'baggage']) expect(stranger.arrived[0]?.headers[name]).toBeUndefined();
    expect((await received('a'))['GET']?.attributes['http.request.resend_count']).toBe(2);
  });
});

describe('traceFetch', () => {
  it('finds the tenant of the running code, and passes calls outside of tenants on', async () => {
    const { registry, receivers } = await callers();
    const peer = await startPeer();
    const fetch = traceFetch(registry);
    await fetch(`${peer.url}/outside`);
    await registry.run('b', () => fetch(`${peer.url}/b`));
    await registry.flush();
    expect(peer.arrived.map(({ headers }) => headers['traceparent'] !== undefined)).toEqual([false, true]);
    expect(receivers.b.spans().map(({ name }) => name)).toEqual(['GET']);
    expect(receivers.a.spans()).toEqual([]);
  });

  it('waits for the tenant where that is not known yet, and keeps baggage in until then', async () => {
    const peer = await startPeer();
    const { registry, delivered, spans } = await startWorld(['a']);
    const request = inbound('GET /', { baggage: 'plan=pro' });
    await request.run(() => traceFetch(registry)(peer.url));
    request.run(() => registry.run('a', () => undefined));
    request.span.end();
    expect((await delivered()).a).toEqual(['GET', 'GET /']);
    const call = spans('a').find(({ name }) => name === 'GET');
    expect(peer.arrived[0]?.headers['traceparent']).toContain(call?.spanId);
    expect(peer.arrived[0]?.headers['baggage']).toBeUndefined();
  });

  it('makes nothing of what is no registry', async () => {
    const peer = await startPeer();
    const fetch = traceFetch({} as never);
    expect((await fetch(peer.url)).status).toBe(200);
    expect((await createTracedFetch(() => undefined)(peer.url)).status).toBe(200);
  });
});

describe('beside the instrumentation of undici', () => {
  it('there is one span and one traceparent for a call, whoever makes it', async () => {
    const instrumentation = new UndiciInstrumentation();
    const peer = await startPeer();
    const { registry, delivered, spans } = await startWorld(['a'], {
      install: { instrumentations: [instrumentation] },
    });
    await registry.run('a', async () => {
      await registry.get('a').fetch(`${peer.url}/ours`);
      await fetch(`${peer.url}/theirs`);
    });
    expect((await delivered()).a).toEqual(['GET', 'GET']);
    expect(peer.arrived.map(({ count }) => count('traceparent'))).toEqual([1, 1]);
    const ids = spans('a').map(({ spanId }) => spanId);
    expect(peer.arrived.map(({ headers }) => headers['traceparent']?.slice(36, 52)).sort()).toEqual(ids.sort());
  });

  it('its calls follow propagateTo, also when sampling turns them away', async () => {
    const [friend, stranger] = [await startPeer(), await startPeer()];
    for (const ratio of [1, 0]) {
      const { registry } = await startWorld(['a', 'b'], {
        tenant: (id) => ({
          sampling: { ratio },
          propagation: { baggage: ['plan'], ...(id === 'a' && { propagateTo: [friend.host] }) },
        }),
        install: { strategy: 'own', instrumentations: [new UndiciInstrumentation()] },
      });
      registry.run('a', () => undefined);
      for (const id of ['a', 'b'] as const) {
        await registry.get(id).withBaggage({ plan: 'pro' }, async () => {
          await fetch(friend.url);
          await fetch(stranger.url);
        });
      }
      await registry.shutdown();
      trace.disable();
      propagation.disable();
    }
    const seen = ({ headers, count }: (typeof friend.arrived)[0]) => [count('traceparent'), headers['baggage']];
    expect(friend.arrived.map(seen)).toEqual([
      [1, 'plan=pro'],
      [1, undefined],
      [1, 'plan=pro'],
      [1, undefined],
    ]);
    expect(stranger.arrived.map(seen)).toEqual([
      [0, undefined],
      [1, undefined],
      [0, undefined],
      [1, undefined],
    ]);
    expect(friend.arrived.map(({ headers }) => headers['traceparent']?.at(-1))).toEqual(['3', '3', '2', '2']);
    expect(contextApi.active()).toBeDefined();
  });
});
