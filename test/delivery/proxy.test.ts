import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { type OtlpProtocol, type RegistryOptions, type Tracer, TracerRegistry } from '../../src/index.ts';
import { ENVIRONMENT_VARIABLES } from '../../src/infra/environment-variables.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { startGrpcReceiver } from '../support/grpc-receiver.ts';
import { type ForwardProxy, type ProxyOptions, startProxy } from '../support/proxy.ts';
import { authorityCert, serverCert, serverKey } from '../support/test-certificates.ts';
import { eventually, receiverWith, registryWith } from './delivery-kit.ts';

/** No resolver knows it: only what goes through the proxy arrives. */
const HOST = 'otlp.test';
const CREDENTIALS = 'me:pass@word';
const AUTHORIZATION = `Basic ${Buffer.from(CREDENTIALS).toString('base64')}`;
const TLS = { key: serverKey, cert: serverCert };

beforeEach(() => {
  for (const name of Object.keys(ENVIRONMENT_VARIABLES)) vi.stubEnv(name, undefined);
});

afterEach(() => {
  vi.unstubAllEnvs();
});

async function proxyWith(options?: ProxyOptions): Promise<ForwardProxy> {
  const proxy = await startProxy(options);
  onTestFinished(() => proxy.close());
  return proxy;
}

interface Target {
  readonly port: number;
  spans(): readonly { readonly name: string }[];
  requests(): readonly { readonly headers: Readonly<Record<string, unknown>> }[];
}

async function targetOf(protocol: OtlpProtocol, secure: boolean): Promise<Target> {
  if (protocol === 'grpc') {
    const receiver = await startGrpcReceiver(secure ? { tls: TLS } : {});
    onTestFinished(() => receiver.close());
    const requests = () => receiver.calls.map(({ metadata }) => ({ headers: metadata }));
    return { port: receiver.port, spans: () => receiver.spans(), requests };
  }
  const receiver = await receiverWith(secure ? { tls: TLS } : {});
  return { port: receiver.port, spans: () => receiver.spans(), requests: () => receiver.requests };
}

const WAYS: [protocol: OtlpProtocol, scheme: 'http' | 'https', method: string][] = [
  ['http/protobuf', 'http', 'POST'],
  ['http/protobuf', 'https', 'CONNECT'],
  ['http/json', 'https', 'CONNECT'],
  ['grpc', 'http', 'CONNECT'],
  ['grpc', 'https', 'CONNECT'],
];

describe.each(WAYS)('%s over %s', (protocol, scheme, method) => {
  const destinationFor = (port: number, host = HOST) => ({
    endpoint: `${scheme}://${host}:${port}`,
    protocol,
    ...(scheme === 'https' && { tls: { ca: authorityCert } }),
    headers: { 'x-key': 'value' },
    insecure: true,
  });

  it("goes through the proxy of the platform tracer's destination, again and again", async () => {
    const proxy = await proxyWith({ credentials: CREDENTIALS });
    const target = await targetOf(protocol, scheme === 'https');
    const destination = { ...destinationFor(target.port), proxy: proxy.url };
    const registry = registryWith({ platform: { destination } });
    for (let round = 0; round < 3; round += 1) {
      registry.platform.startSpan(`work ${round}`).end();
      expect(await registry.flush()).toMatchObject({ ok: true, delivered: 1 });
    }
    expect(target.spans().map(({ name }) => name)).toEqual(['work 0', 'work 1', 'work 2']);
    const [first] = proxy.requests;
    expect(first).toMatchObject({ method, authorization: AUTHORIZATION });
    expect(first?.target).toContain(`${HOST}:${target.port}`);
    // One tunnel for all, or each request for itself.
    expect(proxy.requests).toHaveLength(method === 'CONNECT' ? 1 : 3);
    for (const { headers } of target.requests()) {
      expect(headers).toMatchObject({ 'x-key': 'value' });
      expect(JSON.stringify(headers)).not.toContain(AUTHORIZATION.slice(6));
    }
    expect(registry.stats().sockets).toBe(1);
    await registry.shutdown();
    expect(registry.stats().sockets).toBe(0);
    await eventually(
      () => proxy.open === 0,
      () => `${proxy.open} connections of the proxy are open`,
    );
  });

  it('goes through the proxy that the environment names; tenants go straight', async () => {
    const proxy = await proxyWith();
    const target = await targetOf(protocol, scheme === 'https');
    for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy', 'grpc_proxy']) {
      vi.stubEnv(name, proxy.url);
    }
    const registry = registryWith({
      platform: { destination: destinationFor(target.port) },
      destination: destinationFor(target.port, '127.0.0.1'),
      configure: (id) => (id === 'own' ? { destination: destinationFor(target.port, '127.0.0.1') } : {}),
    });
    for (const tracer of [registry.get('own'), registry.get('inherits'), registry.platform]) {
      tracer.startSpan('work').end();
      expect(await tracer.flush()).toMatchObject({ ok: true });
    }
    expect(target.spans()).toHaveLength(3);
    expect(proxy.requests).toHaveLength(1);
    // A tenant's endpoint that only the proxy could resolve cannot be reached.
    const stray = registryWith({
      platform: {},
      configure: () => ({ destination: destinationFor(target.port, 'proxied-only.invalid') }),
    });
    stray.get('acme').startSpan('work').end();
    expect(await stray.flush()).toMatchObject({ ok: false, pending: 1 });
    expect(proxy.requests).toHaveLength(1);
  });

  it('does not go through the proxy of the environment where NO_PROXY says so', async () => {
    const proxy = await proxyWith();
    vi.stubEnv('HTTP_PROXY', proxy.url);
    vi.stubEnv('HTTPS_PROXY', proxy.url);
    vi.stubEnv('NO_PROXY', '.invalid');
    const registry = registryWith({ platform: { destination: destinationFor(4318, 'otlp.invalid') } });
    registry.platform.startSpan('work').end();
    expect(await registry.flush()).toMatchObject({ ok: false });
    expect(proxy.requests).toHaveLength(0);
  });

  it('keeps the data while the proxy refuses us, and delivers it when it does not any more', async () => {
    const proxy = await proxyWith({ fault: 407 });
    const target = await targetOf(protocol, scheme === 'https');
    const clock = new FakeClock();
    const destination = { ...destinationFor(target.port), proxy: proxy.url, timeoutMillis: 600_000 };
    const registry = registryWith({ clock, platform: { destination } });
    registry.platform.startSpan('work').end();
    expect(await registry.flush()).toMatchObject({ ok: false, pending: 1, dropped: {} });
    const [health] = registry.platform.health().destinations;
    expect(health).toMatchObject({ queued: 1, failures: 1 });
    if (protocol !== 'grpc') expect(health).toMatchObject({ condition: 'misconfigured' });
    proxy.fault = undefined;
    await clock.advanceAsync(61_000);
    await eventually(
      () => registry.platform.stats().traces.exported === 1,
      () => 'the span is delivered',
    );
    expect(target.spans()).toHaveLength(1);
    expect(registry.platform.stats().traces.dropped).toEqual({});
    const closed = registry.shutdown();
    await clock.advanceAsync(200);
    expect(await closed).toMatchObject({ ok: true });
  });

  it('ends in time when the proxy hangs', async () => {
    const proxy = await proxyWith({ fault: 'hang' });
    const clock = new FakeClock();
    const destination = { ...destinationFor(4318), proxy: proxy.url, timeoutMillis: 1_000 };
    const registry = registryWith({ clock, platform: { destination } });
    registry.platform.startSpan('work').end();
    const flushed = registry.flush();
    await eventually(
      () => proxy.requests.length === 1,
      () => 'the proxy is asked',
    );
    const failures = () => registry.platform.health().destinations[0]?.failures;
    await clock.advanceAsync(999);
    expect(failures()).toBe(0);
    await clock.advanceAsync(1);
    expect(await flushed).toMatchObject({ ok: false, pending: 1 });
    expect(registry.platform.health().destinations[0]?.lastError).toContain('1000 ms');
    void registry.shutdown({ timeoutMillis: 0 });
    await clock.advanceAsync(200);
    await eventually(
      () => proxy.open === 0,
      () => `${proxy.open} connections of the proxy are open`,
    );
  });
});

describe('a proxy', () => {
  it('may be reached over TLS', async () => {
    // Trusted by nobody, so the connection fails, and says why.
    const proxy = await proxyWith({ tls: TLS });
    const target = await targetOf('http/protobuf', true);
    const destination = { endpoint: `https://${HOST}:${target.port}`, tls: { ca: authorityCert }, proxy: proxy.url };
    const registry = registryWith({ platform: { destination } });
    registry.platform.startSpan('work').end();
    expect(await registry.flush()).toMatchObject({ ok: false });
    expect(registry.platform.health().destinations[0]).toMatchObject({ condition: 'misconfigured' });
    expect(registry.platform.health().destinations[0]?.lastError).toMatch(/certificate/);
    expect(proxy.requests).toHaveLength(0);
  });

  it('does not lend its trust to the receiver behind it', async () => {
    const proxy = await proxyWith();
    const target = await targetOf('http/protobuf', true);
    const registry = registryWith({
      platform: { destination: { endpoint: `https://${HOST}:${target.port}`, proxy: proxy.url } },
    });
    registry.platform.startSpan('work').end();
    expect(await registry.flush()).toMatchObject({ ok: false });
    expect(registry.platform.health().destinations[0]?.lastError).toMatch(/certificate/);
    expect(target.requests()).toHaveLength(0);
  });

  it.each<[string, RegistryOptions<Tracer>, string[]]>([
    ['a registry', { destination: { endpoint: 'http://host', proxy: 'http://p' } }, ['destination.proxy']],
    [
      'a list',
      { destination: [{ endpoint: 'http://host' }, { endpoint: 'http://host', proxy: 'http://p' }] },
      ['destination[1].proxy'],
    ],
    ['the platform tracer', { platform: { destination: { endpoint: 'http://host', proxy: 'http://p' } } }, []],
    [
      'the platform tracer, unusable',
      { platform: { destination: { endpoint: 'http://host', proxy: 'ftp://me:hunter2@p' } } },
      ['platform.destination.proxy'],
    ],
    [
      'the platform tracer over gRPC, with TLS',
      { platform: { destination: { endpoint: 'http://host', protocol: 'grpc', proxy: 'https://me:hunter2@p' } } },
      ['platform.destination.proxy'],
    ],
  ])('is accepted of the platform tracer only: %s', (_who, options, expected) => {
    const registry = registryWith({ platform: {}, ...options });
    const { issues } = registry.health();
    expect(issues.map(({ option }) => option)).toEqual(expected);
    expect(JSON.stringify(issues)).not.toContain('hunter2');
  });

  it('of a tenant is an issue, and the tenant goes straight', async () => {
    const proxy = await proxyWith();
    const receiver = await receiverWith();
    const registry = registryWith({ configure: () => ({ destination: { endpoint: receiver.url, proxy: proxy.url } }) });
    registry.get('acme').startSpan('work').end();
    expect(await registry.flush()).toMatchObject({ ok: true, delivered: 1 });
    expect(registry.get('acme').health().issues).toMatchObject([{ option: 'destination.proxy' }]);
    expect(proxy.requests).toHaveLength(0);
  });

  it('is gone through by its own destination only, also when another one has the same endpoint', async () => {
    const proxy = await proxyWith();
    const receiver = await receiverWith();
    const endpoint = receiver.url;
    const registry = registryWith({ platform: { destination: [{ endpoint }, { endpoint, proxy: proxy.url }] } });
    for (let round = 1; round <= 3; round += 1) {
      registry.platform.startSpan('work').end();
      expect(await registry.flush()).toMatchObject({ ok: true, delivered: 2 });
      expect([proxy.requests.length, receiver.requests.length]).toEqual([round, 2 * round]);
    }
  });

  it('that cannot be used is not gone around', async () => {
    const receiver = await receiverWith();
    const registry = registryWith({ platform: { destination: { endpoint: receiver.url, proxy: 'ftp://p' } } });
    registry.platform.startSpan('work').end();
    await registry.flush();
    expect(registry.platform.stats().traces.dropped).toEqual({ no_destination: 1 });
    expect(receiver.requests).toHaveLength(0);
  });

  it('never shows its credentials', async () => {
    const proxy = await proxyWith({ credentials: CREDENTIALS, fault: 403 });
    vi.stubEnv('HTTPS_PROXY', proxy.url);
    const logged: unknown[] = [];
    const log = (...parts: unknown[]) => logged.push(...parts);
    const registry = new TracerRegistry({
      logger: { debug: log, info: log, warn: log, error: log },
      platform: { destination: [{ endpoint: `https://${HOST}` }, { endpoint: `http://${HOST}`, proxy: proxy.url }] },
    });
    registry.platform.startSpan('work').end();
    await registry.flush();
    expect(new Set(proxy.requests.map(({ method }) => method))).toEqual(new Set(['CONNECT', 'POST']));
    expect(new Set(proxy.requests.map(({ authorization }) => authorization))).toEqual(new Set([AUTHORIZATION]));
    const shown = inspect([registry, registry.platform, registry.health(), logged], {
      depth: Number.POSITIVE_INFINITY,
      showHidden: true,
    });
    for (const secret of ['pass@word', 'pass%40word', AUTHORIZATION.slice(6)]) expect(shown).not.toContain(secret);
    await registry.shutdown({ timeoutMillis: 0 });
  });
});
