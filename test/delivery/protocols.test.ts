import { describe, expect, it, onTestFinished } from 'vitest';
import { startGrpcReceiver } from '../support/grpc-receiver.ts';
import { decodeTraceRequest } from '../support/otlp-decoder.ts';
import { endSpans, receiverWith, registryWith } from './delivery-kit.ts';

async function grpcReceiver(...options: Parameters<typeof startGrpcReceiver>) {
  const receiver = await startGrpcReceiver(...options);
  onTestFinished(() => receiver.close());
  return receiver;
}

describe('a destination', () => {
  it('speaks OTLP/JSON where asked, with the tenant in the header that the backend wants', async () => {
    const receiver = await receiverWith();
    const registry = registryWith({
      service: { name: 'shop' },
      configure: () => ({
        destination: { endpoint: receiver.url, protocol: 'http/json', tenantHeader: 'X-Scope-OrgID' },
      }),
    });
    registry.get('acme').withSpan('checkout', { attributes: { 'cart.items': 3, 'cart.total': 1.5 } }, () => undefined);
    expect(await registry.flush()).toMatchObject({ ok: true, delivered: 1 });
    const [request] = receiver.requests;
    expect(request?.path).toBe('/v1/traces');
    expect(request?.headers).toMatchObject({ 'content-type': 'application/json', 'x-scope-orgid': 'acme' });
    const { resourceSpans } = JSON.parse(Buffer.from(request?.body ?? []).toString()) as {
      resourceSpans: { resource: { attributes: object[] }; scopeSpans: { scope: object; spans: object[] }[] }[];
    };
    expect(resourceSpans[0]?.resource.attributes).toContainEqual({
      key: 'service.name',
      value: { stringValue: 'shop' },
    });
    expect(resourceSpans[0]?.scopeSpans[0]?.spans).toMatchObject([
      {
        name: 'checkout',
        attributes: [
          { key: 'cart.items', value: { intValue: expect.anything() as unknown } },
          { key: 'cart.total', value: { doubleValue: 1.5 } },
        ],
      },
    ]);
  });

  it('speaks OTLP/gRPC where asked, compressed, with credentials as metadata', async () => {
    const receiver = await grpcReceiver();
    const registry = registryWith({
      configure: (tenantId) => ({
        destination: {
          endpoint: receiver.url,
          protocol: 'grpc',
          compression: 'gzip',
          headers: () => ({ 'x-api-key': `key of ${tenantId}` }),
        },
      }),
    });
    endSpans(registry.get('acme'), 700);
    endSpans(registry.get('globex'), 1);
    expect(await registry.flush()).toMatchObject({ ok: true, delivered: 701 });
    expect(receiver.spans()).toHaveLength(701);
    const calls = await receiver.waitForCalls(1);
    for (const { body, metadata } of calls) {
      const owner = decodeTraceRequest(body).resourceSpans.length;
      expect(owner).toBe(1);
      expect(['key of acme', 'key of globex']).toContain(metadata['x-api-key']);
    }
    expect(registry.stats().traces).toMatchObject({ created: 701, exported: 701, queued: 0, dropped: {} });
  });

  it('retries what gRPC says is retryable, and gives up what is not', async () => {
    const receiver = await grpcReceiver();
    receiver.setFault((index) => (index === 0 ? { mode: 'status', code: 14 } : { mode: 'ok' }));
    const registry = registryWith({ destination: { endpoint: receiver.url, protocol: 'grpc' } });
    endSpans(registry.get('acme'), 3);
    expect(await registry.shutdown({ timeoutMillis: 20_000 })).toMatchObject({ ok: true, delivered: 3 });

    const refusing = await grpcReceiver({ fault: { mode: 'status', code: 3, message: 'no such thing' } });
    const other = registryWith({ destination: { endpoint: refusing.url, protocol: 'grpc' } });
    endSpans(other.get('acme'), 3);
    expect(await other.flush()).toMatchObject({ ok: false, delivered: 0, dropped: { rejected: 3 } });
  });

  it('sends each destination its own format of the same span', async () => {
    const [protobuf, json, grpc] = [await receiverWith(), await receiverWith(), await grpcReceiver()];
    const registry = registryWith({
      destination: [
        { endpoint: protobuf.url },
        { endpoint: json.url, protocol: 'http/json' },
        { endpoint: grpc.url, protocol: 'grpc' },
      ],
    });
    const span = registry.get('acme').startSpan('once');
    span.end();
    expect(await registry.flush()).toMatchObject({ ok: true, delivered: 3 });
    expect(protobuf.spans().map(({ spanId }) => spanId)).toEqual([span.spanContext().spanId]);
    expect(grpc.spans().map(({ spanId }) => spanId)).toEqual([span.spanContext().spanId]);
    expect(Buffer.from(json.requests[0]?.body ?? []).toString()).toContain(`"spanId":"${span.spanContext().spanId}"`);
  });
});

describe('redaction', () => {
  it('hides secrets from every destination, and more from those with a redaction of their own', async () => {
    const [own, vendor] = [await receiverWith(), await receiverWith()];
    const registry = registryWith({
      redact: {},
      destination: [{ endpoint: own.url }, { endpoint: vendor.url, redact: { keys: ['email'] } }],
    });
    const tracer = registry.get('acme');
    tracer.withSpan(
      'login',
      { attributes: { password: 'hunter2', 'user.email': 'a@example.com', note: 'Bearer abcdefghijklmnop' } },
      () => undefined,
    );
    expect(await registry.flush()).toMatchObject({ ok: true, delivered: 2 });
    expect(own.spans()[0]?.attributes).toMatchObject({ password: '[REDACTED]', 'user.email': 'a@example.com' });
    expect(vendor.spans()[0]?.attributes).toMatchObject({ password: '[REDACTED]', 'user.email': '[REDACTED]' });
    for (const { body } of [...own.requests, ...vendor.requests]) {
      expect(Buffer.from(body).includes('hunter2')).toBe(false);
      expect(Buffer.from(body).includes('abcdefghijklmnop')).toBe(false);
    }
  });

  it('hides a value whose custom function fails, and says so', async () => {
    const receiver = await receiverWith();
    const registry = registryWith({
      destination: { endpoint: receiver.url },
      redact: {
        custom: () => {
          throw new Error('broken');
        },
      },
    });
    const tracer = registry.get('acme');
    tracer.withSpan('call', { attributes: { plain: 'visible otherwise' } }, () => undefined);
    await registry.flush();
    expect(receiver.spans()[0]?.attributes).toEqual({ plain: '[REDACTED]' });
    expect(tracer.health().errors).toMatchObject({ redactor: 1 });
  });

  it('shows a user exporter the redacted span only', async () => {
    const seen: object[] = [];
    const registry = registryWith({
      redact: {},
      exporter: {
        export: (spans, answer) => {
          seen.push(...spans.map(({ attributes }) => attributes));
          answer({ code: 0 });
        },
        shutdown: async () => undefined,
      },
    });
    registry.get('acme').withSpan('login', { attributes: { password: 'hunter2' } }, () => undefined);
    await registry.flush();
    expect(seen).toEqual([{ password: '[REDACTED]' }]);
  });
});

describe('limits.spansPerSecond', () => {
  it('drops and counts what is above it, for that tenant only', async () => {
    const receiver = await receiverWith();
    const registry = registryWith({
      destination: { endpoint: receiver.url },
      configure: (tenantId) => (tenantId === 'noisy' ? { limits: { spansPerSecond: 10 } } : {}),
    });
    endSpans(registry.get('noisy'), 1_000);
    endSpans(registry.get('quiet'), 100);
    await registry.flush();
    const { created, dropped, exported } = registry.get('noisy').stats().traces;
    expect(created).toBe(1_000);
    expect(exported).toBeGreaterThanOrEqual(10);
    expect(exported).toBeLessThan(200);
    expect(dropped).toEqual({ rate_limited: 1_000 - exported });
    expect(registry.get('quiet').stats().traces).toMatchObject({ created: 100, exported: 100, dropped: {} });
  });
});

describe('endpointPolicy', () => {
  it('refuses endpoints of tenants inside the network, and sends them nothing', async () => {
    const receiver = await receiverWith();
    const registry = registryWith({
      endpointPolicy: 'public',
      configure: () => ({ destination: { endpoint: receiver.url } }),
    });
    const tracer = registry.get('acme');
    endSpans(tracer, 2);
    await registry.flush();
    expect(tracer.health().issues.map(({ option }) => option)).toEqual(['destination.endpoint']);
    expect(tracer.stats().traces.dropped).toEqual({ no_destination: 2 });
    expect(receiver.connections.total).toBe(0);
  });

  it('lets a function decide, and leaves the registry its own endpoints', async () => {
    const receiver = await receiverWith();
    const asked: string[] = [];
    const registry = registryWith({
      destination: { endpoint: receiver.url },
      endpointPolicy: (url) => {
        asked.push(url.pathname);
        return url.pathname.startsWith('/good');
      },
      configure: (tenantId) =>
        tenantId === 'default' ? {} : { destination: { endpoint: `${receiver.url}/${tenantId}` } },
    });
    for (const tenant of ['default', 'good', 'bad']) endSpans(registry.get(tenant), 1);
    await registry.flush();
    expect(receiver.requests.map(({ path }) => path).sort()).toEqual(['/good/v1/traces', '/v1/traces']);
    // Asked for each signal's address, until the first that it refuses.
    expect(asked.sort()).toEqual(['/bad/v1/traces', '/good/v1/logs', '/good/v1/metrics', '/good/v1/traces']);
  });
});
