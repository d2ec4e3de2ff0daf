import { AsyncLocalStorage } from 'node:async_hooks';
import { type ChildProcess, spawn } from 'node:child_process';
import diagnosticsChannel from 'node:diagnostics_channel';
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { context } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { isTracingSuppressed } from '@opentelemetry/core';
import { afterEach, describe, expect, it } from 'vitest';
import { createHttpTransport, type HttpTransportOptions } from '../../src/infra/http-transport.ts';
import type { Transport, TransportRequest, TransportResult } from '../../src/infra/transport.ts';
import { systemClock } from '../../src/utils/clock.ts';
import { FakeClock } from '../support/fake-clock.ts';
import {
  type OtlpReceiver,
  type ReceiverFault,
  type ReceiverOptions,
  refusedUrl,
  startReceiver,
} from '../support/otlp-receiver.ts';
import { authorityCert, clientCert, clientKey, serverCert, serverKey } from '../support/test-certificates.ts';

const TOKEN = 'secret-token-0123456789';
const FOUR_MEBIBYTES = 4 * 1024 * 1024;

const cleanups: (() => Promise<unknown>)[] = [];

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

/** A TCP server that accepts and then stays silent: a TLS handshake with it never ends. */
async function silentServer(): Promise<number> {
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
  return (server.address() as AddressInfo).port;
}

function post(url: string, more: Partial<TransportRequest> = {}): TransportRequest {
  return {
    url: new URL('/v1/metrics', url),
    headers: { 'content-type': 'application/x-protobuf', authorization: `Bearer ${TOKEN}` },
    body: Buffer.from('payload'),
    timeoutMillis: 20_000,
    ...more,
  };
}

/** Sends, lets the receiver get the request, and then lets `millis` pass for the transport. */
async function sendAndWait(fault: ReceiverFault, millis: number, more: Partial<TransportRequest> = {}) {
  const receiver = await receiverWith({ fault });
  const clock = new FakeClock();
  const transport = transportWith({ clock });
  const sent = transport.send(post(receiver.url, more));
  await receiver.waitForRequests(1);
  clock.advance(millis);
  return { result: await sent, receiver, transport, clock };
}

describe('a healthy receiver', () => {
  it('gets path, query, headers and body, and nothing that asks for compression', async () => {
    const receiver = await receiverWith();
    const headers = {
      'x-tenant': 'a',
      'Content-Type': 'application/x-protobuf',
      'Accept-Encoding': 'br',
      Host: 'evil',
    };
    const url = new URL(`http://user:pass@127.0.0.1:${receiver.port}/base/v1/metrics?x=1`);
    const result = await transportWith().send(post(receiver.url, { url, headers }));

    expect(result).toEqual({
      kind: 'response',
      status: 200,
      headers: { 'content-type': 'application/x-protobuf' },
      body: Buffer.alloc(0),
      truncated: false,
    });
    const [request] = receiver.requests;
    expect(request).toMatchObject({ method: 'POST', path: '/base/v1/metrics?x=1' });
    expect(Buffer.from(request!.raw).toString()).toBe('payload');
    expect(request!.headers).toEqual({
      host: `127.0.0.1:${receiver.port}`,
      connection: 'keep-alive',
      'x-tenant': 'a',
      'content-type': 'application/x-protobuf',
      'content-length': '7',
    });
  });

  it('gets the headers as they were at the call', async () => {
    const receiver = await receiverWith();
    const headers: Record<string, string> = { 'x-tenant': 'a' };
    const sent = transportWith().send(post(receiver.url, { headers }));
    headers['x-tenant'] = 'b';
    await sent;
    expect(receiver.requests[0]?.headers['x-tenant']).toBe('a');
  });

  it('sees at most 8 connections for 1,000 requests of which 8 are in flight', async () => {
    const receiver = await receiverWith();
    const transport = transportWith();
    let left = 1_000;
    const lane = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        expect(await transport.send(post(receiver.url))).toMatchObject({ kind: 'response', status: 200 });
      }
    };
    await Promise.all(Array.from({ length: 8 }, lane));
    expect(receiver.requests).toHaveLength(1_000);
    expect(receiver.connections.total).toBeLessThanOrEqual(8);
    expect(transport.openSockets()).toBeLessThanOrEqual(8);
  });

  it('never sees more connections than allowed, the other requests wait in order', async () => {
    const receiver = await receiverWith();
    const transport = transportWith({ connectionsPerOrigin: 2 });
    const sent = Array.from({ length: 20 }, (_, index) =>
      transport.send(post(receiver.url, { headers: { 'x-index': String(index) } })),
    );
    expect(await Promise.all(sent)).toHaveLength(20);
    expect(receiver.connections.total).toBe(2);
    const order = receiver.requests.map(({ headers }) => Number(headers['x-index']));
    expect(order.toSorted((a, b) => a - b)).toEqual(order);
  });

  it('is reached again over a new connection after it closed an idle one', async () => {
    const receiver = await receiverWith({ fault: { mode: 'ok-then-close' } });
    const transport = transportWith();
    for (let round = 1; round <= 5; round += 1) {
      expect(await transport.send(post(receiver.url))).toMatchObject({ status: 200, truncated: false });
      await receiver.waitForConnections(0);
    }
    expect(receiver.connections.total).toBe(5);
  });

  it('gets requests with different isolation keys over different connections', async () => {
    const receiver = await receiverWith();
    const transport = transportWith();
    for (const isolationKey of ['a', 'b', undefined, 'a', 'b', undefined]) {
      await transport.send(post(receiver.url, { isolationKey, headers: { 'x-tenant': isolationKey ?? 'shared' } }));
    }
    const pairs = new Set(receiver.requests.map(({ socketId, headers }) => `${socketId} ${headers['x-tenant']}`));
    expect(pairs.size).toBe(3);
    expect(receiver.connections.total).toBe(3);
  });
});

describe('the deadline', () => {
  it('ends an attempt that gets no answer, and its connection', async () => {
    const { result, receiver, transport } = await sendAndWait({ mode: 'hang' }, 10_000, { timeoutMillis: 10_000 });
    expect(result).toEqual({ kind: 'failed', reason: 'timeout', message: 'no answer within 10000 ms' });
    await receiver.waitForConnections(0);
    await expect.poll(() => transport.openSockets()).toBe(0);
  });

  it('has not passed a millisecond earlier', async () => {
    const receiver = await receiverWith({ fault: { mode: 'hang' } });
    const clock = new FakeClock();
    const sent = transportWith({ clock }).send(post(receiver.url, { timeoutMillis: 10_000 }));
    await receiver.waitForRequests(1);
    clock.advance(9_999);
    expect(await Promise.race([sent, nextTurn('pending')])).toBe('pending');
    clock.advance(1);
    expect(await sent).toMatchObject({ reason: 'timeout' });
  });

  it.each([{ status: 200 }, { status: 503 }])(
    'ends a body that trickles after $status, which keeps its status',
    async ({ status }) => {
      const receiver = await receiverWith({ fault: { mode: 'slow-body', status, intervalMillis: 5 } });
      const transport = transportWith();
      const result = await transport.send(post(receiver.url, { timeoutMillis: 200 }));
      expect(result).toMatchObject({ kind: 'response', status, truncated: true });
      await receiver.waitForConnections(0);
      await expect.poll(() => transport.openSockets()).toBe(0);
    },
  );

  it('ends a handshake that hangs', async () => {
    const port = await silentServer();
    const clock = new FakeClock();
    const transport = transportWith({ clock });
    const sent = transport.send(post(`https://127.0.0.1:${port}`, { timeoutMillis: 10_000 }));
    expect(transport.openSockets()).toBe(1);
    clock.advance(10_000);
    expect(await sent).toMatchObject({ kind: 'failed', reason: 'timeout' });
    await transport.close();
    expect(transport.openSockets()).toBe(0);
  });

  it('includes the wait for a free connection, and the request is then never sent', async () => {
    const receiver = await receiverWith({ fault: { mode: 'hang' } });
    const clock = new FakeClock();
    const transport = transportWith({ clock, connectionsPerOrigin: 1 });
    const first = transport.send(post(receiver.url, { timeoutMillis: 10_000 }));
    const second = transport.send(post(receiver.url, { timeoutMillis: 5_000 }));
    const third = transport.send(post(receiver.url, { timeoutMillis: 15_000, headers: { 'x-tenant': 'third' } }));
    await receiver.waitForRequests(1);
    receiver.setFault({ mode: 'ok' });
    clock.advance(5_000);
    expect(await second).toMatchObject({ reason: 'timeout' });
    clock.advance(5_000);
    expect(await first).toMatchObject({ reason: 'timeout' });
    expect(await third).toMatchObject({ status: 200 });
    expect(receiver.requests.map(({ headers }) => headers['x-tenant'])).toEqual([undefined, 'third']);
  });

  it('leaves no timer behind once there is a result', async () => {
    const receiver = await receiverWith();
    const clock = new FakeClock();
    const transport = transportWith({ clock });
    await transport.send(post(receiver.url));
    await transport.close();
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('a receiver that misbehaves', () => {
  it.each<{ fault: ReceiverFault; expected: Partial<Record<string, unknown>> }>([
    {
      fault: { mode: 'status', status: 429, headers: { 'retry-after': '7', 'x-other': '1' }, body: 'busy' },
      expected: { status: 429, headers: { 'retry-after': '7' }, body: Buffer.from('busy'), truncated: false },
    },
    { fault: { mode: 'reset-before-status' }, expected: { kind: 'failed', reason: 'reset' } },
    { fault: { mode: 'reset-after-status' }, expected: { kind: 'response', status: 200, truncated: true } },
    {
      fault: { mode: 'reset-after-status', status: 503, headers: { 'retry-after': '3' } },
      expected: { kind: 'response', status: 503, truncated: true, headers: { 'retry-after': '3' } },
    },
    { fault: { mode: 'garbage' }, expected: { kind: 'failed', reason: 'protocol' } },
    { fault: { mode: 'status', status: 101, headers: { upgrade: 'x' } }, expected: { kind: 'failed' } },
    { fault: { mode: 'delay', millis: 30 }, expected: { kind: 'response', status: 200 } },
  ])('with $fault gives $expected', async ({ fault, expected }) => {
    const receiver = await receiverWith({ fault });
    const transport = transportWith();
    expect(await transport.send(post(receiver.url))).toMatchObject(expected);
    expect(receiver.requests).toHaveLength(1);

    receiver.setFault({ mode: 'ok' });
    expect(await transport.send(post(receiver.url))).toMatchObject({ status: 200, truncated: false });
  });

  it('cannot redirect a request', async () => {
    const target = await receiverWith();
    const headers = { location: `${target.url}/v1/metrics` };
    const receiver = await receiverWith({ fault: { mode: 'status', status: 307, headers } });
    expect(await transportWith().send(post(receiver.url))).toMatchObject({ kind: 'response', status: 307 });
    expect(target.connections.total).toBe(0);
  });

  it('is read up to exactly 4 MiB', async () => {
    const receiver = await receiverWith({ fault: { mode: 'big-body', bytes: FOUR_MEBIBYTES } });
    const transport = transportWith();
    const fits = await transport.send(post(receiver.url));
    expect(bodyLength(fits)).toBe(FOUR_MEBIBYTES);
    expect(fits).toMatchObject({ truncated: false });

    receiver.setFault({ mode: 'big-body', bytes: 64 * 1024 * 1024, status: 400 });
    const tooLong = await transport.send(post(receiver.url));
    expect(bodyLength(tooLong)).toBe(FOUR_MEBIBYTES);
    expect(tooLong).toMatchObject({ status: 400, truncated: true });
    await receiver.waitForConnections(0);
  });

  it('may repeat a header, which then says nothing', async () => {
    const port = await rawServer('HTTP/1.1 503 Busy\r\nretry-after: 5\r\nretry-after: 9\r\ncontent-length: 0\r\n\r\n');
    const result = await transportWith().send(post(`http://127.0.0.1:${port}`));
    expect(result).toMatchObject({ status: 503, headers: {} });
  });

  it('may answer twice: the second answer reaches no other request', async () => {
    const answer = (status: number): string => `HTTP/1.1 ${status} X\r\ncontent-length: 0\r\n\r\n`;
    const port = await rawServer(answer(200) + answer(418));
    const transport = transportWith();
    const url = `http://127.0.0.1:${port}`;
    for (let round = 0; round < 5; round += 1) {
      expect(await transport.send(post(url))).toMatchObject({ kind: 'response', status: 200 });
    }
  });

  it('may send informational answers first', async () => {
    const port = await rawServer('HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
    const result = await transportWith().send(post(`http://127.0.0.1:${port}`));
    expect(result).toMatchObject({ status: 200, body: Buffer.from('ok'), truncated: false });
  });
});

describe('an unreachable receiver', () => {
  it('that refuses is `refused`', async () => {
    const result = await transportWith().send(post(await refusedUrl()));
    expect(result).toMatchObject({ kind: 'failed', reason: 'refused' });
    expect((result as { message: string }).message).toMatch(/ECONNREFUSED/);
  });

  it('without a name in the DNS is `dns`', async () => {
    expect(await transportWith().send(post('http://receiver.invalid:4318'))).toMatchObject({ reason: 'dns' });
  });

  it('with another scheme is `protocol`', async () => {
    const request = post('http://127.0.0.1', { url: new URL('ftp://127.0.0.1/v1/traces') });
    expect(await transportWith().send(request)).toMatchObject({ kind: 'failed', reason: 'protocol' });
  });

  it('never gets a header that would break the request, and the message does not repeat it', async () => {
    const receiver = await receiverWith();
    const headers = { authorization: `${TOKEN}\r\nx-injected: 1` };
    const result = await transportWith().send(post(receiver.url, { headers }));
    expect(result).toMatchObject({ kind: 'failed', reason: 'protocol' });
    expect(JSON.stringify(result)).not.toContain(TOKEN);
    expect(receiver.requests).toHaveLength(0);
  });

  it('leaves nothing open', async () => {
    const transport = transportWith();
    const url = await refusedUrl();
    await Promise.all(Array.from({ length: 100 }, () => transport.send(post(url))));
    await transport.close();
    expect(transport.openSockets()).toBe(0);
  });
});

describe('TLS', () => {
  const tls = { key: serverKey, cert: serverCert };

  it('delivers to a receiver whose authority is trusted, over one connection', async () => {
    const receiver = await receiverWith({ tls });
    const transport = transportWith();
    for (let round = 0; round < 5; round += 1) {
      // A copy each time: connections are shared by content.
      const result = await transport.send(post(receiver.url, { tls: { ca: Buffer.from(authorityCert) } }));
      expect(result).toMatchObject({ kind: 'response', status: 200 });
    }
    expect(receiver.connections.total).toBe(1);
  });

  it('verifies the server name that was asked for', async () => {
    const receiver = await receiverWith({ tls });
    const transport = transportWith();
    const good = { ca: authorityCert, serverName: 'otlp.test' };
    const bad = { ca: authorityCert, serverName: 'other.test' };
    expect(await transport.send(post(receiver.url, { tls: good }))).toMatchObject({ status: 200 });
    expect(await transport.send(post(receiver.url, { tls: bad }))).toMatchObject({ reason: 'tls' });
  });

  it('refuses an unknown authority, also where the environment says otherwise', async () => {
    const receiver = await receiverWith({ tls });
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
    try {
      expect(await transportWith().send(post(receiver.url))).toMatchObject({ kind: 'failed', reason: 'tls' });
    } finally {
      delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    }
    expect(receiver.requests).toHaveLength(0);
  });

  it('shows a client certificate, and never on behalf of a request without one', async () => {
    const receiver = await receiverWith({ tls: { ...tls, ca: authorityCert, requestCert: true } });
    const transport = transportWith();
    const withCert = { ca: authorityCert, cert: clientCert, key: clientKey };
    expect(await transport.send(post(receiver.url, { tls: withCert }))).toMatchObject({ status: 200 });
    const without = await transport.send(post(receiver.url, { tls: { ca: authorityCert } }));
    // Node's server hangs up where others would send an alert.
    expect(without).toMatchObject({ kind: 'failed', reason: expect.stringMatching(/^(tls|reset)$/) });
    expect(receiver.requests).toHaveLength(1);
  });

  it('fails as `tls` where the other end speaks plain HTTP, or the certificates are no PEM', async () => {
    const plain = await receiverWith();
    const transport = transportWith();
    const wrong = await transport.send(post(`https://127.0.0.1:${plain.port}`));
    expect(wrong).toMatchObject({ kind: 'failed', reason: 'tls' });
    const secure = await receiverWith({ tls });
    const garbage = await transport.send(post(secure.url, { tls: { cert: 'no PEM', key: 'no PEM' } }));
    expect(garbage).toMatchObject({ kind: 'failed', reason: 'tls' });
  });
});

describe('a caller that gives up', () => {
  it('aborts a request in flight and its connection', async () => {
    const receiver = await receiverWith({ fault: { mode: 'hang' } });
    const transport = transportWith();
    const controller = new AbortController();
    const sent = transport.send(post(receiver.url, { signal: controller.signal }));
    await receiver.waitForRequests(1);
    controller.abort();
    expect(await sent).toMatchObject({ kind: 'failed', reason: 'aborted' });
    await receiver.waitForConnections(0);
  });

  it('before the call sends nothing', async () => {
    const receiver = await receiverWith();
    const result = await transportWith().send(post(receiver.url, { signal: AbortSignal.abort() }));
    expect(result).toMatchObject({ kind: 'failed', reason: 'aborted' });
    expect(receiver.connections.total).toBe(0);
  });
});

describe('closing', () => {
  it('aborts what is in flight and what waits, and leaves no socket and no timer', async () => {
    const receiver = await receiverWith({ fault: { mode: 'hang' } });
    const clock = new FakeClock();
    const transport = transportWith({ clock, connectionsPerOrigin: 3 });
    const sent = Array.from({ length: 10 }, () => transport.send(post(receiver.url)));
    await receiver.waitForRequests(3);
    const closed = transport.close();
    expect(transport.close()).toBe(closed);
    await closed;
    expect(transport.openSockets()).toBe(0);
    expect(clock.pendingTimers).toBe(0);
    for (const result of await Promise.all(sent)) expect(result).toMatchObject({ kind: 'failed', reason: 'aborted' });
    await receiver.waitForConnections(0);
    expect(receiver.connections.total).toBe(3);
    expect(await transport.send(post(receiver.url))).toMatchObject({ kind: 'failed', reason: 'aborted' });
  });

  it('closes idle connections', async () => {
    const receiver = await receiverWith({ keepAliveTimeoutMillis: 600_000 });
    const transport = transportWith();
    await transport.send(post(receiver.url));
    expect(transport.openSockets()).toBe(1);
    await transport.close();
    expect(transport.openSockets()).toBe(0);
    await receiver.waitForConnections(0);
  });

  it('happens by itself to an origin that is no longer used, not to one in use', async () => {
    const [used, unused] = [await receiverWith(), await receiverWith()];
    const clock = new FakeClock();
    const transport = transportWith({ clock, idleOriginMillis: 60_000 });
    await transport.send(post(unused.url));
    await transport.send(post(used.url));
    clock.advance(50_000);
    await transport.send(post(used.url));
    clock.advance(10_000);
    await unused.waitForConnections(0);
    expect(used.connections).toEqual({ open: 1, total: 1 });
    clock.advance(120_000);
    await used.waitForConnections(0);
    expect(clock.pendingTimers).toBe(0);
  });

  it('happens to the origin unused for longest when there are too many, after what it has in flight', async () => {
    const receivers = await Promise.all([receiverWith(), receiverWith(), receiverWith()]);
    const [first, second, third] = receivers as [OtlpReceiver, OtlpReceiver, OtlpReceiver];
    const transport = transportWith({ maxOrigins: 2 });
    first.setFault({ mode: 'delay', millis: 50 });
    const slow = transport.send(post(first.url));
    await first.waitForRequests(1);
    await transport.send(post(second.url));
    await transport.send(post(third.url));
    expect(await slow).toMatchObject({ status: 200 });
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
    const channels = ['undici:client:connected', 'undici:request:create', 'undici:request:headers'];
    for (const channel of channels) diagnosticsChannel.subscribe(channel, observe);
    try {
      const receiver = await receiverWith();
      const transport = transportWith();
      await tenant.run({ id: 'a' }, async () => {
        await transport.send(post(receiver.url));
        expect(tenant.getStore()).toEqual({ id: 'a' });
        expect(isTracingSuppressed(context.active())).toBe(false);
      });
      expect(seen).toEqual(channels.map(() => [undefined, true]));
    } finally {
      for (const channel of channels) diagnosticsChannel.unsubscribe(channel, observe);
      context.disable();
    }
  });

  it.each(['http', 'https'])('ends by itself while an %s receiver hangs', async (scheme) => {
    const receiver = await receiverWith({
      ...(scheme === 'https' ? { tls: { key: serverKey, cert: serverCert } } : {}),
    });
    const child = runChild(`
      const transport = createHttpTransport({ clock: systemClock });
      const send = () => transport.send({
        url: new URL('${receiver.url}/v1/metrics'), headers: {}, body: Buffer.from('x'),
        timeoutMillis: 600_000, tls: { ca: process.env.CA },
      });
      process.once('message', () => process.disconnect());
      await send();
      // Only an idle connection is referenced again for the next request.
      for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
      void send();
      void send();
    `);
    receiver.setFault((_, index) => ({ mode: index === 0 ? 'ok' : 'hang' }));
    // The second hangs on the connection of the first, the third on a new one.
    await receiver.waitForRequests(3, 20_000);
    expect(receiver.connections.total).toBe(2);
    child.send('the host is done');
    expect(await once(child, 'exit')).toEqual([0, null]);
    await receiver.waitForConnections(0);
  });

  it('ends by itself while a handshake hangs', async () => {
    const child = runChild(`
      const transport = createHttpTransport({ clock: systemClock });
      void transport.send({
        url: new URL('https://127.0.0.1:${await silentServer()}'), headers: {}, body: Buffer.from('x'),
        timeoutMillis: 600_000,
      });
    `);
    child.disconnect();
    expect(await once(child, 'exit')).toEqual([0, null]);
  });
});

function runChild(script: string): ChildProcess {
  const source = (path: string): string => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);
  const program = `
    import { createHttpTransport } from ${source('infra/http-transport.ts')};
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

/** Answers each request with the same bytes. */
async function rawServer(answer: string): Promise<number> {
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (data) => {
      if (data.includes('payload')) socket.write(answer);
    });
    cleanups.push(async () => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(async () => {
    server.close();
    await once(server, 'close');
  });
  return (server.address() as AddressInfo).port;
}

function bodyLength(result: TransportResult): number | undefined {
  return result.kind === 'response' ? result.body.length : undefined;
}
