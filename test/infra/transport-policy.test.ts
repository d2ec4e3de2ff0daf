import type { LookupAddress } from 'node:dns';
import net, { type LookupFunction, type Socket } from 'node:net';
import tls from 'node:tls';
import { EnvHttpProxyAgent, getGlobalDispatcher, setGlobalDispatcher } from 'undici';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createHttpTransport, type HttpTransportOptions } from '../../src/infra/http-transport.ts';
import type { Transport, TransportRequest } from '../../src/infra/transport.ts';
import { classifyHttp } from '../../src/processing/outcome.ts';
import { systemClock } from '../../src/utils/clock.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';
import { type OtlpReceiver, type ReceiverOptions, startReceiver } from '../support/otlp-receiver.ts';
import { authorityCert, serverCert, serverKey } from '../support/test-certificates.ts';

const TOKEN = 'secret-token-0123456789';
const PUBLIC = '93.184.215.14';
const PUBLIC_IPV6 = '2606:2800:21f:cb07:6820:80da:af6b:8b2c';
const LOOPBACK = '127.0.0.1';
const FORBIDDEN = { kind: 'failed', reason: 'forbidden', message: 'the endpoint has an address that is not public' };

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function transportWith(options: Partial<HttpTransportOptions> = {}): Transport {
  const transport = createHttpTransport({ clock: systemClock, ...options });
  cleanups.push(() => transport.close());
  return transport;
}

async function receiverWith(options: ReceiverOptions = {}): Promise<OtlpReceiver> {
  const receiver = await startReceiver(options);
  cleanups.push(() => receiver.close());
  return receiver;
}

function post(url: string, addresses: TransportRequest['addresses'], more: Partial<TransportRequest> = {}) {
  const headers = { authorization: `Bearer ${TOKEN}` };
  return { url: new URL(url), headers, body: Buffer.from('payload'), timeoutMillis: 20_000, addresses, ...more };
}

interface FakeResolver {
  readonly lookup: LookupFunction;
  readonly asked: string[];
}

/** A DNS whose next answer is the next of the list, and the last one from then on. */
function resolver(...answers: readonly (readonly string[])[]): FakeResolver {
  const asked: string[] = [];
  const lookup: LookupFunction = (hostname, options, callback) => {
    const answer = answers[Math.min(asked.length, answers.length - 1)] ?? [];
    asked.push(hostname);
    const addresses = answer.map((address) => ({ address, family: net.isIP(address) }));
    process.nextTick(() => {
      if (options.all) callback(null, addresses);
      else callback(null, addresses[0]?.address ?? '', addresses[0]?.family);
    });
  };
  return { lookup, asked };
}

type Connect = (options: { host?: string; lookup?: LookupFunction }) => Socket;

const connectTcp = net.connect as Connect;
const connectTls = tls.connect as Connect;

/**
 * A network in which each address of a request for public addresses leads to this machine. Answers the addresses
 * that were connected to: those that left the transport's own `lookup`, or the host itself if it is an address.
 */
function routeToLoopback(): string[] {
  const connected: string[] = [];
  const rerouted = (connect: Connect): Connect => {
    return (options) => {
      const { host = '', lookup } = options;
      if (net.isIP(host) !== 0) {
        connected.push(host);
        return connect({ ...options, host: LOOPBACK });
      }
      const routed: LookupFunction = (hostname, lookupOptions, callback) => {
        lookup?.(hostname, lookupOptions, (error, answer, family) => {
          if (error) {
            callback(error, []);
            return;
          }
          const addresses: LookupAddress[] =
            typeof answer === 'string' ? [{ address: answer, family: family ?? 0 }] : answer;
          connected.push(...addresses.map(({ address }) => address));
          if (lookupOptions.all) callback(null, [{ address: LOOPBACK, family: 4 }]);
          else callback(null, LOOPBACK, 4);
        });
      };
      return connect({ ...options, lookup: routed });
    };
  };
  vi.spyOn(net, 'connect').mockImplementation(rerouted(connectTcp) as typeof net.connect);
  vi.spyOn(tls, 'connect').mockImplementation(rerouted(connectTls) as typeof tls.connect);
  return connected;
}

describe('an endpoint that is an address', () => {
  it.each([
    '127.0.0.1',
    '2130706433',
    '0x7f.1',
    '0177.0.0.1',
    '①②⑦.⓪.⓪.①',
    '127.0.0.1.',
    '[::ffff:7f00:1]',
    'localhost',
  ])('is reached as %s under `any` and gets no connection under `public`', async (host) => {
    const receiver = await receiverWith();
    const transport = transportWith();
    const url = `http://${host}:${receiver.port}/v1/metrics`;
    expect(await transport.send(post(url, 'public'))).toEqual(FORBIDDEN);
    expect(receiver.connections.total).toBe(0);
    expect(transport.openSockets()).toBe(0);
    expect(await transport.send(post(url, 'any'))).toMatchObject({ status: 200 });
  });

  it.each([
    'http://10.0.0.1',
    'http://169.254.169.254/latest/meta-data/',
    'http://metadata.google.internal/computeMetadata/v1/',
    'https://[fd00:ec2::254]',
    'https://[64:ff9b::7f00:1]',
    'https://[::1]:4318',
    'https://foo.localhost',
  ])('is refused before there is a socket: %s', async (url) => {
    const tcp = vi.spyOn(net, 'connect');
    const secure = vi.spyOn(tls, 'connect');
    const { lookup, asked } = resolver([PUBLIC]);
    const result = await transportWith({ lookup }).send(post(url, 'public'));
    expect(result).toEqual(FORBIDDEN);
    expect(classifyHttp(result, 0)).toEqual({ status: 'failure', reason: 'config', message: FORBIDDEN.message });
    expect([asked.length, tcp.mock.calls.length, secure.mock.calls.length]).toEqual([0, 0, 0]);
  });

  it.each([PUBLIC, `[${PUBLIC_IPV6}]`])('is connected to when it is public: %s', async (host) => {
    const receiver = await receiverWith();
    const connected = routeToLoopback();
    const result = await transportWith().send(post(`http://${host}:${receiver.port}`, 'public'));
    expect(result).toMatchObject({ status: 200 });
    expect(connected).toEqual([host.replace(/[[\]]/g, '')]);
  });
});

describe('an endpoint with a name', () => {
  it.each([
    ['loopback', ['127.0.0.1']],
    ['a private address', ['10.1.2.3']],
    ['the metadata service', ['169.254.169.254']],
    ['IPv6 loopback', ['::1']],
    ['mapped loopback', ['::ffff:127.0.0.1']],
    ['loopback behind NAT64', ['64:ff9b::7f00:1']],
    ['a link-local address', ['fe80::1%1']],
    ['something that is no address', ['localhost']],
    ['one public address among others', [PUBLIC, '192.168.0.1']],
    ['one public address after others', ['fd00::1', PUBLIC]],
    ['no address at all', []],
  ])('that leads to %s gets no connection', async (_, addresses) => {
    const receiver = await receiverWith();
    const connected = routeToLoopback();
    const { lookup, asked } = resolver(addresses);
    const transport = transportWith({ lookup });
    const result = await transport.send(post(`http://otlp.test:${receiver.port}`, 'public'));
    expect(result).toEqual(FORBIDDEN);
    expect(asked).toEqual(['otlp.test']);
    expect(connected).toEqual([]);
    expect(receiver.connections.total).toBe(0);
    await expect.poll(() => transport.openSockets()).toBe(0);
  });

  it.each([true, false])('is connected to at exactly the checked addresses (all of them at once: %s)', async (all) => {
    const before = net.getDefaultAutoSelectFamily();
    cleanups.push(() => net.setDefaultAutoSelectFamily(before));
    net.setDefaultAutoSelectFamily(all);
    const receiver = await receiverWith();
    const connected = routeToLoopback();
    const { lookup, asked } = resolver([PUBLIC, PUBLIC_IPV6]);
    const result = await transportWith({ lookup }).send(post(`http://otlp.test:${receiver.port}`, 'public'));
    expect(result).toMatchObject({ status: 200 });
    expect(asked).toEqual(['otlp.test']);
    expect(connected).toEqual(all ? [PUBLIC, PUBLIC_IPV6] : [PUBLIC]);
  });

  it('cannot exchange an address after it was checked', async () => {
    const receiver = await receiverWith();
    const connected = routeToLoopback();
    const lookup: LookupFunction = (_hostname, _options, callback) => {
      let reads = 0;
      const shifting = {
        family: 4,
        get address() {
          reads += 1;
          return reads === 1 ? PUBLIC : LOOPBACK;
        },
      };
      callback(null, [shifting]);
    };
    await transportWith({ lookup }).send(post(`http://otlp.test:${receiver.port}`, 'public'));
    expect(connected).toEqual([PUBLIC]);
  });

  it('is judged anew at each connection: a name that is rebound to loopback gets nothing more', async () => {
    const receiver = await receiverWith({ fault: { mode: 'ok-then-close' } });
    const connected = routeToLoopback();
    const { lookup, asked } = resolver([PUBLIC], [LOOPBACK]);
    const transport = transportWith({ lookup });
    const url = `http://rebind.test:${receiver.port}`;
    expect(await transport.send(post(url, 'public'))).toMatchObject({ status: 200 });
    await receiver.waitForConnections(0);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      expect(await transport.send(post(url, 'public'))).toEqual(FORBIDDEN);
    }
    expect(connected).toEqual([PUBLIC]);
    expect(asked).toHaveLength(4);
    expect(receiver.requests).toHaveLength(1);
  });

  it('is resolved once for a connection, whatever the DNS would say a moment later', async () => {
    const receiver = await receiverWith();
    const connected = routeToLoopback();
    const { lookup, asked } = resolver([PUBLIC], [LOOPBACK]);
    const transport = transportWith({ lookup });
    for (let request = 0; request < 3; request += 1) {
      expect(await transport.send(post(`http://rebind.test:${receiver.port}`, 'public'))).toMatchObject({
        status: 200,
      });
    }
    expect([asked.length, connected, receiver.connections.total]).toEqual([1, [PUBLIC], 1]);
  });

  it('is held to the same rule over TLS', async () => {
    const receiver = await receiverWith({ tls: { key: serverKey, cert: serverCert } });
    const connected = routeToLoopback();
    const { lookup } = resolver([PUBLIC], [LOOPBACK]);
    const transport = transportWith({ lookup, connectionsPerOrigin: 1 });
    const request = post(`https://otlp.test:${receiver.port}`, 'public', { tls: { ca: authorityCert } });
    expect(await transport.send(request)).toMatchObject({ status: 200 });
    receiver.resetConnections();
    await receiver.waitForConnections(0);
    await expect.poll(() => transport.openSockets()).toBe(0);
    expect(await transport.send(request)).toEqual(FORBIDDEN);
    expect(connected).toEqual([PUBLIC]);
    expect(receiver.connections.total).toBe(1);
  });

  it('still ends at the deadline when the DNS does not answer', async () => {
    const clock = new FakeClock();
    const transport = transportWith({ clock, lookup: () => {} });
    const sent = transport.send(post('http://otlp.test', 'public', { timeoutMillis: 5_000 }));
    await settle();
    clock.advance(5_000);
    expect(await sent).toMatchObject({ reason: 'timeout' });
    await transport.close();
    expect(transport.openSockets()).toBe(0);
  });

  it('that the DNS does not know is `dns` and not `forbidden`', async () => {
    const notFound = Object.assign(new Error('getaddrinfo ENOTFOUND otlp.test'), { code: 'ENOTFOUND' });
    const lookup: LookupFunction = (_hostname, _options, callback) => callback(notFound, []);
    expect(await transportWith({ lookup }).send(post('http://otlp.test', 'public'))).toMatchObject({ reason: 'dns' });
  });

  it('is told nothing of what its name leads to, nor anybody of the headers', async () => {
    const { lookup } = resolver(['10.11.12.13']);
    const result = await transportWith({ lookup }).send(post('http://intranet.test', 'public'));
    expect(JSON.stringify(result)).not.toMatch(/10\.11|intranet|secret-token/);
  });
});

describe('connections', () => {
  it('made for `any` are never used for `public`, nor the other way round', async () => {
    const receiver = await receiverWith();
    const { lookup } = resolver([LOOPBACK]);
    const transport = transportWith({ lookup });
    const url = `http://otlp.test:${receiver.port}`;
    expect(await transport.send(post(url, undefined))).toMatchObject({ status: 200 });
    expect(await transport.send(post(url, 'public'))).toEqual(FORBIDDEN);
    expect(await transport.send(post(url, 'any'))).toMatchObject({ status: 200 });
    expect([receiver.requests.length, receiver.connections.total]).toEqual([2, 1]);

    routeToLoopback();
    const isPublic = transportWith(resolver([PUBLIC]));
    expect(await isPublic.send(post(url, 'public'))).toMatchObject({ status: 200 });
    expect(await isPublic.send(post(url, 'any'))).toMatchObject({ status: 200 });
    expect(receiver.connections.total).toBe(3);
  });

  it('stay usable for others while one origin is refused again and again', async () => {
    const receiver = await receiverWith();
    const transport = transportWith({ connectionsPerOrigin: 1 });
    const refused = `http://localhost:${receiver.port}`;
    const results = await Promise.all(Array.from({ length: 100 }, () => transport.send(post(refused, 'public'))));
    expect(results).toEqual(results.map(() => FORBIDDEN));
    expect(await transport.send(post(refused, 'any'))).toMatchObject({ status: 200 });
    expect(receiver.connections.total).toBe(1);
  });

  it.each(['any', 'public'] as const)('go to no proxy of the environment (%s)', async (addresses) => {
    const proxy = await receiverWith();
    const receiver = await receiverWith();
    for (const name of ['http_proxy', 'https_proxy', 'all_proxy']) {
      vi.stubEnv(name, proxy.url);
      vi.stubEnv(name.toUpperCase(), proxy.url);
    }
    vi.stubEnv('NODE_USE_ENV_PROXY', '1');
    const before = getGlobalDispatcher();
    const proxied = new EnvHttpProxyAgent();
    setGlobalDispatcher(proxied);
    cleanups.push(async () => {
      setGlobalDispatcher(before);
      await proxied.close();
    });
    routeToLoopback();
    const transport = transportWith(resolver([PUBLIC]));
    expect(await transport.send(post(`http://otlp.test:${receiver.port}`, addresses))).toMatchObject({ status: 200 });
    expect(receiver.requests).toHaveLength(1);
    expect(proxy.connections.total).toBe(0);
  });

  it('follow no redirect from a public endpoint to one that is not', async () => {
    const internal = await receiverWith();
    const headers = { location: `${internal.url}/latest/meta-data/` };
    const receiver = await receiverWith({ fault: { mode: 'status', status: 307, headers } });
    routeToLoopback();
    const transport = transportWith(resolver([PUBLIC]));
    const result = await transport.send(post(`http://otlp.test:${receiver.port}`, 'public'));
    expect(result).toMatchObject({ status: 307 });
    expect(classifyHttp(result, 0)).toMatchObject({ status: 'failure', reason: 'config' });
    expect(internal.connections.total).toBe(0);
  });
});
