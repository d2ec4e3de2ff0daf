import { describe, expect, it } from 'vitest';
import { TracerRegistry } from '../../src/index.ts';
import { eventually } from '../delivery/delivery-kit.ts';
import { type OtlpReceiver, type ReceiverOptions, startReceiver } from '../support/otlp-receiver.ts';
import type { ConnectionFault } from '../support/receiver-listener.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import {
  expiredAuthorityCert,
  expiredCert,
  otherKey,
  selfSignedCert,
  serverCert,
  serverKey,
} from '../support/test-certificates.ts';
import { afterwards, drain, faultWorld, PROTOCOLS, type Protocol, trouble, useInvariants, work } from './fault-kit.ts';

useInvariants();

async function receiverWith(options: ReceiverOptions): Promise<OtlpReceiver> {
  const receiver = await startReceiver(options);
  afterwards(() => receiver.close());
  return receiver;
}

function serverOf(protocol: Protocol): 'grpc' | 'http' {
  return protocol === 'grpc' ? 'grpc' : 'http';
}

/** A tenant with a receiver of its own, beside the neighbour with the usual one. */
async function withReceiver(protocol: Protocol, url: () => string, more: object = {}) {
  return faultWorld({
    protocol,
    destinationOf: (tenantId) => (tenantId === 'sick' ? { endpoint: url(), timeoutMillis: 1_000, ...more } : {}),
  });
}

describe.each(PROTOCOLS)('over %s', (protocol) => {
  it('a receiver that goes away and comes back on its port gets everything, and is not asked hotly', async () => {
    const receiver = await receiverWith({ protocol: serverOf(protocol) });
    const world = await withReceiver(protocol, () => receiver.url);
    work(world, 'sick', 10);
    await drain(world, 'sick');
    await receiver.refuse();
    const tracer = world.registry.get('sick');
    work(world, 'sick', 100);
    await eventually(
      () => (tracer.health().destinations[0]?.failures ?? 0) >= 2,
      () => 'two failures',
    );
    expect(tracer.health().destinations[0]?.failures).toBeLessThanOrEqual(4);
    await receiver.listen();
    await receiver.waitForSpans(110, 30_000);
    await drain(world, 'sick');
    expect(tracer.stats().traces).toMatchObject({ created: 110, exported: 110, dropped: {} });
    expect(receiver.spans()).toHaveLength(110);
  });

  it.each<ConnectionFault>(['reset', 'silent', 'garbage'])(
    'connections that are %s cost attempts, not spans',
    async (fault) => {
      const receiver = await receiverWith({ protocol: serverOf(protocol) });
      receiver.setConnectionFault(fault);
      const world = await withReceiver(protocol, () => receiver.url);
      const tracer = world.registry.get('sick');
      work(world, 'sick', 10);
      await tracer.flush();
      expect(tracer.stats().traces).toMatchObject({ created: 10, queued: 10, dropped: {} });
      expect(tracer.health().destinations[0]?.condition).toMatch(/retrying|misconfigured/);
      expect(receiver.connections.total).toBeLessThanOrEqual(3);
      receiver.setConnectionFault('none');
      // What is no HTTP is asked again a minute later only.
      if (tracer.health().destinations[0]?.condition === 'misconfigured') return;
      await drain(world, 'sick');
      expect(receiver.spans()).toHaveLength(10);
    },
  );

  it.each([
    ['is self-signed', { tls: { cert: selfSignedCert, key: otherKey } }, {}],
    ['has expired', { tls: { cert: expiredCert, key: otherKey } }, { tls: { ca: expiredAuthorityCert } }],
    ['is of an unknown authority', { tls: { cert: serverCert, key: serverKey } }, {}],
  ])(
    'a certificate that %s keeps the spans, without a second attempt, and nothing goes out in plain',
    async (_, options, more) => {
      const receiver = await receiverWith({ protocol: serverOf(protocol), ...options });
      const world = await withReceiver(protocol, () => receiver.url, more);
      const tracer = world.registry.get('sick');
      work(world, 'sick', 10);
      for (let flush = 0; flush < 3; flush += 1) await tracer.flush();
      expect(tracer.stats().traces).toMatchObject({ created: 10, queued: 10, dropped: {} });
      expect(tracer.health().destinations[0]?.condition).toBe('misconfigured');
      expect(receiver.requests).toEqual([]);
      expect(receiver.connections.total).toBeLessThanOrEqual(2);
    },
  );

  it.each([
    ['https: where the receiver speaks plain', 'https:', {}],
    ['http: where the receiver speaks TLS', 'http:', { tls: { cert: serverCert, key: serverKey } }],
  ])('%s keeps the spans', async (_, scheme, options) => {
    const receiver = await receiverWith({ protocol: serverOf(protocol), ...options });
    const url = receiver.url.replace(/^https?:/, scheme);
    const world = await withReceiver(protocol, () => url);
    const tracer = world.registry.get('sick');
    work(world, 'sick', 10);
    await tracer.flush();
    await tracer.flush();
    expect(tracer.stats().traces).toMatchObject({ created: 10, queued: 10, dropped: {} });
    expect(tracer.health().ok).toBe(false);
    expect(receiver.requests).toEqual([]);
  });

  it('a slow, bumpy line delivers everything once', async () => {
    const receiver = await receiverWith({ protocol: serverOf(protocol) });
    const proxy = await TcpProxy.start(receiver.url);
    afterwards(() => proxy.close());
    proxy.add('up', { type: 'latency', millis: 60, jitterMillis: 40 });
    proxy.add('up', { type: 'slicer', bytes: 700, pauseMillis: 1 });
    proxy.add('down', { type: 'latency', millis: 60, jitterMillis: 40 });
    proxy.add('down', { type: 'slow-close', millis: 100 });
    const world = await withReceiver(protocol, () => proxy.url, { timeoutMillis: 20_000 });
    work(world, 'sick', 200);
    await drain(world, 'sick');
    expect(world.registry.get('sick').stats().traces).toMatchObject({ exported: 200, dropped: {} });
    expect(receiver.spans()).toHaveLength(200);
  });

  it('an upload that is too slow ends at the deadline, and is made again when the line is good', async () => {
    const receiver = await receiverWith({ protocol: serverOf(protocol) });
    const proxy = await TcpProxy.start(receiver.url);
    afterwards(() => proxy.close());
    const heal = proxy.add('up', { type: 'bandwidth', bytesPerSecond: 2_000 });
    const world = await withReceiver(protocol, () => proxy.url);
    const tracer = world.registry.get('sick');
    work(world, 'sick', 200);
    expect(await tracer.flush()).toMatchObject({ pending: 200 });
    expect(tracer.health().destinations[0]?.lastError).toMatch(/no answer within/);
    heal();
    await drain(world, 'sick');
    expect(new Set(receiver.spans().map(({ spanId }) => spanId)).size).toBe(200);
  });

  it.each([
    ['stops without a word', { type: 'timeout', millis: 0 }],
    ['is reset in the middle of the upload', { type: 'limit-data', bytes: 1_000 }],
    ['is reset', { type: 'reset', millis: 5 }],
  ] as const)('a line that %s is tried again over a new connection', async (_, toxic) => {
    const receiver = await receiverWith({ protocol: serverOf(protocol) });
    const proxy = await TcpProxy.start(receiver.url);
    afterwards(() => proxy.close());
    const world = await withReceiver(protocol, () => proxy.url);
    work(world, 'sick', 5);
    await drain(world, 'sick');
    const before = proxy.connections.total;
    proxy.add('up', toxic);
    work(world, 'sick', 50);
    const tracer = world.registry.get('sick');
    await eventually(
      () => (tracer.health().destinations[0]?.failures ?? 0) > 0,
      () => 'a failure',
    );
    proxy.heal();
    await drain(world, 'sick');
    expect(proxy.connections.total).toBeGreaterThan(before);
    expect(tracer.stats().traces).toMatchObject({ created: 55, exported: 55, dropped: {} });
    expect(new Set(receiver.spans().map(({ spanId }) => spanId)).size).toBe(55);
  });

  it('an answer that never ends does not hold up shutdown, and keeps no handle', async () => {
    const world = await faultWorld({ protocol, destinationOf: () => ({ timeoutMillis: 60_000 }) });
    trouble(world, 'sick', { mode: 'slow-body' });
    trouble(world, 'hung', { mode: 'hang' });
    work(world, 'sick', 10);
    work(world, 'hung', 10);
    await eventually(
      () => world.requests('sick').length === 1 && world.requests('hung').length === 1,
      () => 'the requests',
    );
    const startedAt = performance.now();
    const reports = ['sick', 'hung'].map((id) => world.registry.get(id).shutdown({ timeoutMillis: 300 }));
    const [sick, hung] = await Promise.all(reports);
    // 400 by the promise; the rest is for a busy machine.
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    expect(hung).toMatchObject({ delivered: 0, dropped: { shutdown_deadline: 10 } });
    // With the status 200 the receiver has said that it has the spans; gRPC has no status until the end.
    const expected =
      protocol === 'grpc' ? { delivered: 0, dropped: { shutdown_deadline: 10 } } : { delivered: 10, dropped: {} };
    expect(sick).toMatchObject(expected);
  });
});

it('a gRPC receiver that sends every call away, and never closes, does not gather our sockets', async () => {
  const receiver = await receiverWith({ protocol: 'grpc', fault: { mode: 'goaway', stays: true } });
  const registry = new TracerRegistry({ platform: false, destination: { endpoint: receiver.url, protocol: 'grpc' } });
  for (let round = 1; round <= 6; round += 1) {
    registry.get('a').startSpan('work').end();
    expect(await registry.flush()).toMatchObject({ delivered: 1 });
  }
  expect(receiver.connections.total).toBe(6);
  expect(registry.stats().sockets).toBeLessThanOrEqual(2);
  await registry.shutdown();
});
