import { AsyncLocalStorage } from 'node:async_hooks';
import { type ChildProcess, spawn } from 'node:child_process';
import type { LookupAddress } from 'node:dns';
import { once } from 'node:events';
import http2 from 'node:http2';
import net, { type AddressInfo, type LookupFunction } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { context } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { isTracingSuppressed } from '@opentelemetry/core';
import { afterEach, describe, expect, it } from 'vitest';
import { findGrpcIssue, loadGrpc } from '../../src/infra/grpc-library.ts';
import type { GrpcRequest, GrpcTransport } from '../../src/infra/grpc-request.ts';
import { createGrpcTransport, type GrpcTransportOptions } from '../../src/infra/grpc-transport.ts';
import { systemClock } from '../../src/utils/clock.ts';
import { FakeClock } from '../support/fake-clock.ts';
import {
  type GrpcFault,
  type GrpcReceiver,
  type GrpcReceiverOptions,
  startGrpcReceiver,
  TRACE_EXPORT,
} from '../support/grpc-receiver.ts';
import { refusedUrl, startReceiver } from '../support/otlp-receiver.ts';
import { authorityCert, clientCert, clientKey, serverCert, serverKey } from '../support/test-certificates.ts';

const TOKEN = 'secret-token-0123456789';
const FOUR_MEBIBYTES = 4 * 1024 * 1024;
const serverTls = { key: serverKey, cert: serverCert };
const trust = { ca: authorityCert };

const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function transportWith(options: Partial<GrpcTransportOptions> = {}): GrpcTransport {
  const transport = createGrpcTransport({ clock: systemClock, ...options });
  cleanups.push(() => transport.close());
  return transport;
}

async function receiverWith(options: GrpcReceiverOptions = {}): Promise<GrpcReceiver> {
  const receiver = await startGrpcReceiver(options);
  cleanups.push(() => receiver.close());
  return receiver;
}

/** A TCP server that accepts and then stays silent: neither a handshake nor the settings of HTTP/2 ever come. */
async function silentServer(): Promise<{ readonly port: number; readonly sockets: ReadonlySet<net.Socket> }> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return { port: (server.address() as AddressInfo).port, sockets };
}

/** A receiver that speaks HTTP/2 but no gRPC. */
async function http2Server(onStream: (stream: http2.ServerHttp2Stream) => void): Promise<string> {
  const server = http2.createServer();
  const sessions = new Set<http2.ServerHttp2Session>();
  server.on('session', (session) => sessions.add(session));
  server.on('stream', (stream) => {
    stream.on('error', () => {});
    onStream(stream);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(async () => {
    for (const session of sessions) session.destroy();
    server.close();
    await once(server, 'close');
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Answers every name with the same addresses. */
function lookupOf(...addresses: string[]): LookupFunction {
  const answer: LookupAddress[] = addresses.map((address) => ({ address, family: net.isIP(address) }));
  return (_hostname, _options, callback) => process.nextTick(callback, null, answer);
}

function call(url: string, more: Partial<GrpcRequest> = {}): GrpcRequest {
  return {
    url: new URL(url),
    path: TRACE_EXPORT,
    headers: { authorization: `Bearer ${TOKEN}` },
    body: Buffer.alloc(0),
    compression: 'none',
    timeoutMillis: 20_000,
    ...more,
  };
}

const accepted = { kind: 'status', code: 0 };

describe('a healthy receiver', () => {
  it('gets the message, the metadata and the time that is left, and nothing of the connection', async () => {
    const receiver = await receiverWith();
    const headers = {
      'X-Tenant': 'a',
      'x-key-bin': Buffer.from([1, 2, 255]).toString('base64'),
      host: 'evil',
      connection: 'close',
      te: 'gzip',
      'content-length': '999',
      'transfer-encoding': 'chunked',
      'content-type': 'text/plain',
      'user-agent': 'evil',
      'grpc-timeout': '1n',
      'grpc-status': '3',
    };
    // An unknown field, which a receiver skips; as a part of a larger buffer.
    const body = Buffer.from([0xff, 0x78, 0x05, 0xff]).subarray(1, 3);
    const url = `http://user:pass@127.0.0.1:${receiver.port}/base?x=1`;
    const result = await transportWith().send(call(url, { headers, body, timeoutMillis: 20_000 }));

    expect(result).toEqual({ kind: 'status', code: 0, message: '', details: undefined, body: Buffer.alloc(0) });
    const [received] = receiver.calls;
    expect(Buffer.from(received!.body)).toEqual(body);
    expect(received!.host).toBe(`127.0.0.1:${receiver.port}`);
    expect(received!.timeoutMillis).toBeGreaterThan(10_000);
    expect(received!.timeoutMillis).toBeLessThanOrEqual(20_000);
    expect(received!.metadata).toEqual({
      'x-tenant': 'a',
      'x-key-bin': Buffer.from([1, 2, 255]),
      'user-agent': expect.stringMatching(/^grpc-node-js/) as string,
    });
  });

  it('gets the headers as they were at the call', async () => {
    const receiver = await receiverWith();
    const headers: Record<string, string> = { 'x-tenant': 'a' };
    const sent = transportWith().send(call(receiver.url, { headers }));
    headers['x-tenant'] = 'b';
    await sent;
    expect(receiver.calls[0]?.metadata['x-tenant']).toBe('a');
  });

  it('gets a compressed message if that was asked for', async () => {
    const receiver = await receiverWith();
    const transport = transportWith();
    const body = Buffer.concat([Buffer.from([0x7a, 0x80, 0x80, 0x20]), Buffer.alloc(2 ** 19)]);
    expect(await transport.send(call(receiver.url, { body, compression: 'gzip' }))).toMatchObject(accepted);
    expect(receiver.bytesRead).toBeLessThan(10_000);
    expect(await transport.send(call(receiver.url, { body, compression: 'none' }))).toMatchObject(accepted);
    expect(receiver.bytesRead).toBeGreaterThan(body.length);
    for (const received of receiver.calls) expect(Buffer.compare(received.body, body)).toBe(0);
  });

  it('gets 200 calls at a time over one connection', async () => {
    const receiver = await receiverWith();
    const transport = transportWith();
    const sent = Array.from({ length: 200 }, () => transport.send(call(receiver.url)));
    expect(transport.openSockets()).toBeLessThanOrEqual(1);
    for (const result of await Promise.all(sent)) expect(result).toMatchObject(accepted);
    expect(receiver.connections).toEqual({ open: 1, total: 1 });
    expect(transport.openSockets()).toBe(1);
  });

  it('gets calls with different isolation keys over different connections', async () => {
    const receiver = await receiverWith();
    const transport = transportWith();
    for (const isolationKey of ['a', 'b', undefined, 'a', 'b', undefined]) {
      await transport.send(call(receiver.url, { isolationKey, headers: { 'x-tenant': isolationKey ?? 'shared' } }));
    }
    const pairs = new Set(
      receiver.calls.map(({ socketId, metadata }) => `${socketId} ${String(metadata['x-tenant'])}`),
    );
    expect(pairs.size).toBe(3);
    expect(receiver.connections.total).toBe(3);
  });

  it('does not get the calls of two transports over one connection', async () => {
    const receiver = await receiverWith();
    await transportWith().send(call(receiver.url));
    await transportWith().send(call(receiver.url));
    expect(receiver.connections.total).toBe(2);
  });

  it('is reached again over a new connection after it closed an idle one, or told us to go away', async () => {
    const receiver = await receiverWith();
    const transport = transportWith();
    for (const end of [() => receiver.resetConnections(), () => receiver.goAway()]) {
      expect(await transport.send(call(receiver.url))).toMatchObject(accepted);
      end();
      await receiver.waitForConnections(0);
      await expect.poll(() => transport.openSockets()).toBe(0);
    }
    receiver.setFault({ mode: 'goaway' });
    for (let round = 0; round < 3; round += 1) {
      expect(await transport.send(call(receiver.url))).toMatchObject(accepted);
      await receiver.waitForConnections(0);
    }
    expect(receiver.connections.total).toBe(5);
  });

  it('that is reached by a name keeps the name, whatever family of addresses works', async () => {
    const receiver = await receiverWith();
    // Nobody listens on the first two.
    const transport = transportWith({ lookup: lookupOf('::1', '127.1.2.3', '127.0.0.1') });
    expect(await transport.send(call(`http://otlp.test:${receiver.port}`))).toMatchObject(accepted);
    expect(receiver.calls[0]?.host).toBe(`otlp.test:${receiver.port}`);
  });
});

describe('the deadline', () => {
  it('ends an attempt that gets no answer, to the millisecond, and leaves its connection', async () => {
    const receiver = await receiverWith({ fault: { mode: 'hang' } });
    const clock = new FakeClock();
    const transport = transportWith({ clock });
    const sent = transport.send(call(receiver.url, { timeoutMillis: 10_000 }));
    await receiver.waitForCalls(1);
    clock.advance(9_999);
    expect(await Promise.race([sent, nextTurn('pending')])).toBe('pending');
    clock.advance(1);
    expect(await sent).toEqual({ kind: 'failed', reason: 'timeout', message: 'no answer within 10000 ms' });
    await receiver.waitForConnections(0);
    await expect.poll(() => transport.openSockets()).toBe(0);

    receiver.setFault({ mode: 'ok' });
    expect(await transport.send(call(receiver.url))).toMatchObject(accepted);
    expect(receiver.connections.total).toBe(2);
  });

  it('of one call ends no other on the connection', async () => {
    const receiver = await receiverWith({ fault: { mode: 'hang' } });
    const clock = new FakeClock();
    const transport = transportWith({ clock });
    const first = transport.send(call(receiver.url, { timeoutMillis: 10_000 }));
    await receiver.waitForCalls(1);
    receiver.setFault({ mode: 'delay', millis: 100 });
    const second = transport.send(call(receiver.url));
    await receiver.waitForCalls(2);
    clock.advance(10_000);
    expect(await first).toMatchObject({ reason: 'timeout' });
    expect(await second).toMatchObject(accepted);
    expect(receiver.connections.total).toBe(1);
    await receiver.waitForConnections(0);
  });

  it('of one call is told to the receiver, on a connection that goes on', async () => {
    const receiver = await receiverWith({ fault: { mode: 'hang' } });
    const clock = new FakeClock();
    const transport = transportWith({ clock });
    const sent = [10_000, 20_000].map((timeoutMillis) => transport.send(call(receiver.url, { timeoutMillis })));
    await receiver.waitForCalls(2);
    clock.advance(10_000);
    expect(await sent[0]).toMatchObject({ reason: 'timeout' });
    await expect.poll(() => receiver.cancelled).toBe(1);
    expect(receiver.connections).toEqual({ open: 1, total: 1 });
  });

  it.each(['http', 'https'])('ends a connection attempt over %s that hangs', async (scheme) => {
    const { port } = await silentServer();
    const clock = new FakeClock();
    const transport = transportWith({ clock });
    const sent = transport.send(call(`${scheme}://127.0.0.1:${port}`, { timeoutMillis: 10_000 }));
    await expect.poll(() => transport.openSockets()).toBe(1);
    clock.advance(10_000);
    expect(await sent).toMatchObject({ kind: 'failed', reason: 'timeout' });
    await expect.poll(() => transport.openSockets()).toBe(0);
  });

  it('ends a name lookup that hangs, after which nothing is connected to', async () => {
    const receiver = await receiverWith();
    const clock = new FakeClock();
    let answer: (() => void) | undefined;
    const lookup: LookupFunction = (_hostname, _options, callback) => {
      answer = () => callback(null, [{ address: '127.0.0.1', family: 4 }]);
    };
    const transport = transportWith({ clock, lookup });
    const sent = transport.send(call(`http://otlp.test:${receiver.port}`, { timeoutMillis: 10_000 }));
    await expect.poll(() => answer).toBeDefined();
    clock.advance(10_000);
    expect(await sent).toMatchObject({ kind: 'failed', reason: 'timeout' });
    answer?.();
    await transport.close();
    expect(receiver.connections.total).toBe(0);
  });

  it('leaves no timer behind once there is a result', async () => {
    const receiver = await receiverWith();
    const clock = new FakeClock();
    const transport = transportWith({ clock });
    await transport.send(call(receiver.url));
    await transport.close();
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('a receiver that misbehaves', () => {
  it.each<{ fault: GrpcFault; expected: object }>([
    {
      fault: { mode: 'status', code: 14, message: 'b\u00fcsy' },
      expected: { kind: 'status', code: 14, message: 'b\u00fcsy', details: undefined, body: new Uint8Array(0) },
    },
    {
      fault: { mode: 'status', code: 8, message: 'slow down', retryInfoSeconds: 3 },
      expected: { kind: 'status', code: 8, message: 'slow down', details: expect.any(Buffer) as Buffer },
    },
    { fault: { mode: 'status', code: 16, message: 'who?' }, expected: { kind: 'status', code: 16, message: 'who?' } },
    { fault: { mode: 'reset' }, expected: { kind: 'failed', reason: 'reset' } },
    { fault: { mode: 'reset-after-header' }, expected: { kind: 'failed', reason: 'reset' } },
  ])('with $fault gives $expected', async ({ fault, expected }) => {
    const receiver = await receiverWith({ fault });
    const transport = transportWith();
    expect(await transport.send(call(receiver.url))).toMatchObject(expected);
    expect(receiver.calls).toHaveLength(1);

    receiver.setFault({ mode: 'ok' });
    expect(await transport.send(call(receiver.url))).toMatchObject(accepted);
  });

  it('may say what it likes, but not be taken for the network by that', async () => {
    const receiver = await receiverWith({ fault: { mode: 'status', code: 14, message: 'certificate expired' } });
    expect(await transportWith().send(call(receiver.url))).toMatchObject({ kind: 'status', code: 14 });
  });

  it('is read up to exactly 4 MiB', async () => {
    // The field takes 5 bytes in front of its content.
    const receiver = await receiverWith({ fault: { mode: 'big-response', bytes: FOUR_MEBIBYTES - 5 } });
    const transport = transportWith();
    const fits = await transport.send(call(receiver.url));
    expect(fits).toMatchObject(accepted);
    expect((fits as { body: Uint8Array }).body).toHaveLength(FOUR_MEBIBYTES);

    receiver.setFault({ mode: 'big-response', bytes: FOUR_MEBIBYTES - 4 });
    expect(await transport.send(call(receiver.url))).toMatchObject({ kind: 'status', code: 8 });
  });

  it('may answer OK without a message', async () => {
    const headers = { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '0' };
    const url = await http2Server((stream) => stream.respond(headers, { endStream: true }));
    expect(await transportWith().send(call(url))).toEqual({
      kind: 'status',
      code: 0,
      message: '',
      details: undefined,
      body: new Uint8Array(0),
    });
  });

  it.each([
    [404, 12],
    [401, 16],
    [403, 7],
    [502, 14],
    [503, 14],
    [500, 2],
  ])('that answers with HTTP %d has the status %d', async (status, code) => {
    const url = await http2Server((stream) => {
      stream.respond({ ':status': status, 'content-type': 'text/html' });
      stream.end('<h1>sorry</h1>');
    });
    expect(await transportWith().send(call(url))).toMatchObject({ kind: 'status', code });
  });

  it.each([
    http2.constants.NGHTTP2_INTERNAL_ERROR,
    http2.constants.NGHTTP2_REFUSED_STREAM,
    http2.constants.NGHTTP2_ENHANCE_YOUR_CALM,
    http2.constants.NGHTTP2_NO_ERROR,
  ])('that ends the stream with the error %d and no status has reset it', async (error) => {
    const url = await http2Server((stream) => stream.close(error));
    expect(await transportWith().send(call(url))).toMatchObject({ kind: 'failed', reason: 'reset' });
  });

  it('over HTTP/1.1 is `protocol`', async () => {
    const receiver = await startReceiver();
    cleanups.push(() => receiver.close());
    const transport = transportWith();
    const expected = { kind: 'failed', reason: 'protocol', message: 'Protocol error' };
    expect(await transport.send(call(receiver.url))).toEqual(expected);
    await expect.poll(() => transport.openSockets()).toBe(0);
  });
});

describe('an unreachable receiver', () => {
  it('that refuses is `refused`, always with the same message, and is tried at once when it is back', async () => {
    const url = new URL(await refusedUrl());
    const transport = transportWith();
    const results = await Promise.all(Array.from({ length: 20 }, () => transport.send(call(url.href))));
    const message = `connect ECONNREFUSED ${url.host}`;
    for (const result of results) expect(result).toEqual({ kind: 'failed', reason: 'refused', message });
    await expect.poll(() => transport.openSockets()).toBe(0);

    const receiver = await receiverWith();
    const relay = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.pipe(net.connect(receiver.port, '127.0.0.1').on('error', () => {})).pipe(socket);
    });
    relay.listen(Number(url.port), '127.0.0.1');
    await once(relay, 'listening');
    cleanups.push(async () => relay.close());
    // The library itself would wait for a second, then ever longer.
    expect(await transport.send(call(url.href, { timeoutMillis: 10_000 }))).toMatchObject(accepted);
  });

  it('without a name in the DNS is `dns`', async () => {
    const result = await transportWith().send(call('http://receiver.invalid:4317'));
    expect(result).toMatchObject({ kind: 'failed', reason: 'dns' });
  });

  it('with another scheme is `protocol`', async () => {
    const result = await transportWith().send(call('ftp://127.0.0.1'));
    expect(result).toMatchObject({ kind: 'failed', reason: 'protocol' });
  });

  it.each(['http://127.0.0.1', 'http://[::ffff:127.0.0.1]', 'http://localhost', 'http://inside.test'])(
    'at %s is `forbidden` where only public addresses are allowed, and not connected to',
    async (host) => {
      const receiver = await receiverWith();
      const transport = transportWith({ lookup: lookupOf('127.0.0.1') });
      const url = `${host}:${receiver.port}`;
      expect(await transport.send(call(url))).toMatchObject(accepted);
      const result = await transport.send(call(url, { addresses: 'public' }));
      expect(result).toMatchObject({ kind: 'failed', reason: 'forbidden' });
      expect(receiver.connections.total).toBe(1);
    },
  );

  it.each(['line\r\nx-injected: 1', 'é', '\u0000'])('never gets a header such as %j', async (value) => {
    const receiver = await receiverWith();
    const headers = { authorization: `${TOKEN}${value}` };
    const result = await transportWith().send(call(receiver.url, { headers }));
    expect(result).toMatchObject({ kind: 'failed', reason: 'protocol' });
    expect(JSON.stringify(result)).not.toContain(TOKEN);
    expect(receiver.connections.total).toBe(0);
  });
});

describe('TLS', () => {
  const named = (receiver: GrpcReceiver): string => `https://otlp.test:${receiver.port}`;
  const lookup = lookupOf('127.0.0.1');

  it('delivers to a receiver whose authority is trusted, over one connection', async () => {
    const receiver = await receiverWith({ tls: serverTls });
    const transport = transportWith({ lookup });
    for (let round = 0; round < 5; round += 1) {
      // A copy each time: connections are shared by content.
      const result = await transport.send(call(named(receiver), { tls: { ca: Buffer.from(authorityCert) } }));
      expect(result).toMatchObject(accepted);
    }
    expect(receiver.connections.total).toBe(1);
  });

  it('verifies the name in the URL, or the server name that was asked for', async () => {
    const receiver = await receiverWith({ tls: serverTls });
    const transport = transportWith({ lookup });
    const other = `https://other.test:${receiver.port}`;
    expect(await transport.send(call(other, { tls: trust }))).toMatchObject({ kind: 'failed', reason: 'tls' });
    const tls = { ...trust, serverName: 'otlp.test' };
    expect(await transport.send(call(other, { tls }))).toMatchObject(accepted);
    expect(receiver.calls[0]?.host).toBe(`other.test:${receiver.port}`);
    const wrong = { ...trust, serverName: 'other.test' };
    expect(await transport.send(call(named(receiver), { tls: wrong }))).toMatchObject({ reason: 'tls' });
  });

  it('verifies an address as well', async () => {
    const receiver = await receiverWith({ tls: serverTls });
    expect(await transportWith().send(call(receiver.url, { tls: trust }))).toMatchObject(accepted);
  });

  it('refuses an unknown authority, also where the environment says otherwise', async () => {
    const receiver = await receiverWith({ tls: serverTls });
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
    try {
      const result = await transportWith({ lookup }).send(call(named(receiver)));
      expect(result).toMatchObject({ kind: 'failed', reason: 'tls' });
    } finally {
      delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    }
    expect(receiver.calls).toHaveLength(0);
  });

  it('shows a client certificate, and never on behalf of a call without one', async () => {
    const receiver = await receiverWith({ tls: { ...serverTls, ca: authorityCert, requestCert: true } });
    const transport = transportWith({ lookup });
    const withCert = { ...trust, cert: clientCert, key: clientKey };
    expect(await transport.send(call(named(receiver), { tls: withCert }))).toMatchObject(accepted);
    const without = await transport.send(call(named(receiver), { tls: trust }));
    expect(without).toMatchObject({ kind: 'failed', reason: expect.stringMatching(/^(tls|reset)$/) as string });
    expect(receiver.calls).toHaveLength(1);
  });

  it('fails as `tls` where the other end speaks no TLS, or the certificates are no PEM', async () => {
    const plain = await receiverWith();
    const transport = transportWith({ lookup });
    expect(await transport.send(call(named(plain)))).toMatchObject({ kind: 'failed', reason: 'tls' });
    const secure = await receiverWith({ tls: serverTls });
    const garbage = await transport.send(call(named(secure), { tls: { cert: 'no PEM', key: 'no PEM' } }));
    expect(garbage).toMatchObject({ kind: 'failed', reason: 'tls' });
  });
});

describe('a caller that gives up', () => {
  it('aborts a call in flight and leaves its connection', async () => {
    const receiver = await receiverWith({ fault: { mode: 'hang' } });
    const transport = transportWith();
    const controller = new AbortController();
    const sent = transport.send(call(receiver.url, { signal: controller.signal }));
    await receiver.waitForCalls(1);
    controller.abort();
    expect(await sent).toMatchObject({ kind: 'failed', reason: 'aborted' });
    await receiver.waitForConnections(0);
  });

  it('before the call sends nothing', async () => {
    const receiver = await receiverWith();
    const result = await transportWith().send(call(receiver.url, { signal: AbortSignal.abort() }));
    expect(result).toMatchObject({ kind: 'failed', reason: 'aborted' });
    expect(receiver.connections.total).toBe(0);
  });
});

describe('closing', () => {
  it('aborts what is in flight and what connects, and leaves no socket and no timer', async () => {
    const receiver = await receiverWith({ fault: { mode: 'hang' } });
    const clock = new FakeClock();
    const transport = transportWith({ clock });
    const sent = Array.from({ length: 5 }, () => transport.send(call(receiver.url)));
    await receiver.waitForCalls(5);
    const { port } = await silentServer();
    sent.push(transport.send(call(`https://127.0.0.1:${port}`)));
    await expect.poll(() => transport.openSockets()).toBe(2);
    const closed = transport.close();
    expect(transport.close()).toBe(closed);
    await closed;
    expect(transport.openSockets()).toBe(0);
    expect(clock.pendingTimers).toBe(0);
    for (const result of await Promise.all(sent)) expect(result).toMatchObject({ kind: 'failed', reason: 'aborted' });
    await receiver.waitForConnections(0);
    expect(await transport.send(call(receiver.url))).toMatchObject({ kind: 'failed', reason: 'aborted' });
    expect(receiver.connections.total).toBe(1);
  });

  it('happens by itself to a connection that is no longer used, not to one in use', async () => {
    const [used, unused] = [await receiverWith(), await receiverWith()];
    const clock = new FakeClock();
    const transport = transportWith({ clock, idleOriginMillis: 60_000 });
    await transport.send(call(unused.url));
    await transport.send(call(used.url));
    clock.advance(50_000);
    await transport.send(call(used.url));
    clock.advance(10_000);
    await unused.waitForConnections(0);
    expect(used.connections).toEqual({ open: 1, total: 1 });
    clock.advance(120_000);
    await used.waitForConnections(0);
    expect(clock.pendingTimers).toBe(0);
  });

  it('happens to the connection unused for longest when there are too many, after its calls in flight', async () => {
    const receivers = await Promise.all([receiverWith(), receiverWith(), receiverWith()]);
    const [first, second, third] = receivers as [GrpcReceiver, GrpcReceiver, GrpcReceiver];
    const transport = transportWith({ maxOrigins: 2 });
    first.setFault({ mode: 'delay', millis: 50 });
    const slow = transport.send(call(first.url));
    await first.waitForCalls(1);
    await transport.send(call(second.url));
    await transport.send(call(third.url));
    expect(await slow).toMatchObject(accepted);
    await first.waitForConnections(0);
    expect([second.connections.open, third.connections.open]).toEqual([1, 1]);
  });
});

describe('the process of the host', () => {
  it('is not traced, and its async context is not kept by a connection', async () => {
    const manager = new AsyncLocalStorageContextManager().enable();
    context.setGlobalContextManager(manager);
    const tenant = new AsyncLocalStorage<object>();
    const seen: unknown[] = [];
    const observe = (): void => {
      seen.push([tenant.getStore(), isTracingSuppressed(context.active())]);
    };
    const connect = net.connect;
    try {
      const receiver = await receiverWith();
      const lookup = lookupOf('127.0.0.1');
      const transport = transportWith({
        lookup: (...args) => {
          observe();
          lookup(...args);
        },
      });
      // The library calls it through the module object.
      net.connect = ((...args: Parameters<typeof connect>) => {
        observe();
        return connect(...args);
      }) as typeof connect;
      await tenant.run({ id: 'a' }, async () => {
        await transport.send(call(receiver.url));
        expect(tenant.getStore()).toEqual({ id: 'a' });
        expect(isTracingSuppressed(context.active())).toBe(false);
      });
      expect(seen).toEqual([
        [undefined, true],
        [undefined, true],
      ]);
    } finally {
      net.connect = connect;
      context.disable();
    }
  });

  it.each(['http', 'https'])('ends by itself while an %s receiver hangs', async (scheme) => {
    const receiver = await receiverWith(scheme === 'https' ? { tls: serverTls } : {});
    const child = runChild(`
      const transport = createGrpcTransport({ clock: systemClock });
      const send = (isolationKey) => transport.send({
        url: new URL('${scheme}://localhost:${receiver.port}'), path: '${TRACE_EXPORT}', headers: {}, body: Buffer.alloc(0),
        compression: 'none', timeoutMillis: 600_000, tls: { ca: process.env.CA }, isolationKey,
      });
      process.once('message', () => process.disconnect());
      await send('a');
      void send('a');
      void send('b');
    `);
    receiver.setFault((index) => ({ mode: index === 0 ? 'ok' : 'hang' }));
    // The second hangs on the connection of the first, the third on a new one.
    await receiver.waitForCalls(3);
    expect(receiver.connections.total).toBe(2);
    child.send('the host is done');
    expect(await once(child, 'exit')).toEqual([0, null]);
    await receiver.waitForConnections(0);
  });

  it.each(['http', 'https'])('ends by itself while connecting over %s hangs', async (scheme) => {
    const { port, sockets } = await silentServer();
    const child = runChild(`
      const transport = createGrpcTransport({ clock: systemClock });
      void transport.send({
        url: new URL('${scheme}://localhost:${port}'), path: '/a/b', headers: {}, body: Buffer.alloc(0),
        compression: 'none', timeoutMillis: 600_000,
      });
    `);
    child.disconnect();
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(sockets.size).toBe(1);
  });
});

describe('without the package @grpc/grpc-js', () => {
  const absent = (): never => {
    throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' });
  };

  it('a call fails as `protocol` and says what to install, and succeeds once it is installed', async () => {
    const receiver = await receiverWith();
    let installed = false;
    const transport = transportWith({
      load: () => loadGrpc(installed ? undefined : () => Promise.resolve().then(absent)),
    });
    expect(await transport.send(call(receiver.url))).toEqual({
      kind: 'failed',
      reason: 'protocol',
      message: "the protocol 'grpc' needs the package @grpc/grpc-js: install it",
    });
    installed = true;
    expect(await transport.send(call(receiver.url))).toMatchObject(accepted);
  });

  it('loading it is an error with a code', async () => {
    const loading = loadGrpc(() => Promise.resolve().then(absent));
    await expect(loading).rejects.toMatchObject({ name: 'IsotraceError', code: 'config_invalid' });
  });

  it('the configuration has an issue, otherwise none', () => {
    expect(findGrpcIssue('destination.protocol')).toBeUndefined();
    expect(findGrpcIssue('destination.protocol', absent)).toEqual({
      option: 'destination.protocol',
      accepted: "'http/protobuf' or 'http/json', or 'grpc' with the package @grpc/grpc-js installed",
      received: "'grpc' without the package @grpc/grpc-js",
    });
  });
});

function runChild(script: string): ChildProcess {
  const source = (path: string): string => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);
  const program = `
    import { createGrpcTransport } from ${source('infra/grpc-transport.ts')};
    import { systemClock } from ${source('utils/clock.ts')};
    ${script}
  `;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', program], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, CA: authorityCert },
  });
  cleanups.push(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  });
  return child;
}
