import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { TcpProxy } from './tcp-proxy.ts';

/** A server that sends back what it gets, behind a proxy, and a client of that. */
async function connect(): Promise<{ proxy: TcpProxy; client: Socket; server: { got: number; ended: number } }> {
  const sockets = new Set<Socket>();
  const seen = { got: 0, ended: 0 };
  const echo = net.createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    socket.on('data', (bytes: Buffer) => {
      seen.got += bytes.length;
      socket.write(bytes);
    });
    socket.on('end', () => {
      seen.ended = performance.now();
    });
  });
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
  const proxy = await TcpProxy.start(`http://127.0.0.1:${(echo.address() as AddressInfo).port}`);
  const client = net.connect(proxy.port, '127.0.0.1');
  await once(client, 'connect');
  client.on('error', () => {});
  onTestFinished(async () => {
    client.destroy();
    await proxy.close();
    for (const socket of sockets) socket.destroy();
    echo.close();
  });
  return { proxy, client, server: seen };
}

/** Whether by an error or not. */
function closed(client: Socket): Promise<void> {
  return new Promise((resolve) => {
    client.once('close', () => resolve());
  });
}

/** Sends bytes and answers how long it took until as many came back, and in how many pieces. */
async function roundTrip(client: Socket, bytes: number): Promise<{ millis: number; pieces: number }> {
  const startedAt = performance.now();
  let [got, pieces] = [0, 0];
  await new Promise<void>((resolve) => {
    const count = (chunk: Buffer): void => {
      got += chunk.length;
      pieces += 1;
      if (got < bytes) return;
      client.off('data', count);
      resolve();
    };
    client.on('data', count);
    client.write(Buffer.alloc(bytes, 7));
  });
  return { millis: performance.now() - startedAt, pieces };
}

describe('the TCP proxy of the tests', () => {
  it('passes everything on, in both directions, also much of it, and both ends', async () => {
    const { client } = await connect();
    expect((await roundTrip(client, 3_000_000)).pieces).toBeGreaterThan(1);
    client.end();
    await once(client, 'end');
  });

  it('delays, in the direction it is told, until it is told otherwise', async () => {
    const { proxy, client } = await connect();
    const remove = proxy.add('up', { type: 'latency', millis: 120, jitterMillis: 10 });
    proxy.add('down', { type: 'latency', millis: 120 });
    expect((await roundTrip(client, 10)).millis).toBeGreaterThan(220);
    remove();
    proxy.heal();
    expect((await roundTrip(client, 10)).millis).toBeLessThan(200);
  });

  it('limits the bandwidth', async () => {
    const { proxy, client } = await connect();
    proxy.add('up', { type: 'bandwidth', bytesPerSecond: 100_000 });
    expect((await roundTrip(client, 30_000)).millis).toBeGreaterThan(200);
  });

  it('cuts the stream into small pieces', async () => {
    const { proxy, client } = await connect();
    proxy.add('down', { type: 'slicer', bytes: 10, pauseMillis: 3 });
    expect((await roundTrip(client, 300)).pieces).toBeGreaterThan(10);
  });

  it('passes the end on late', async () => {
    const { proxy, client, server } = await connect();
    await roundTrip(client, 10);
    proxy.add('up', { type: 'slow-close', millis: 150 });
    const startedAt = performance.now();
    client.end();
    await once(client, 'end');
    expect(server.ended - startedAt).toBeGreaterThan(140);
  });

  it('stops the data and then closes', async () => {
    const { proxy, client, server } = await connect();
    proxy.add('up', { type: 'timeout', millis: 100 });
    client.write('unheard');
    await closed(client);
    expect(server.got).toBe(0);
  });

  it('stops the data for as long as it is told', async () => {
    const { proxy, client, server } = await connect();
    const remove = proxy.add('up', { type: 'timeout', millis: 0 });
    const trip = roundTrip(client, 10);
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
    expect(server.got).toBe(0);
    remove();
    await trip;
  });

  it('resets', async () => {
    const { proxy, client } = await connect();
    proxy.add('down', { type: 'reset', millis: 20 });
    const failed = once(client, 'error').catch((error: unknown) => [error]);
    client.write('hello');
    expect(((await failed) as [NodeJS.ErrnoException])[0].code).toBe('ECONNRESET');
  });

  it('closes after so many bytes', async () => {
    const { proxy, client, server } = await connect();
    proxy.add('up', { type: 'limit-data', bytes: 100 });
    client.write(Buffer.alloc(1_000));
    await closed(client);
    expect(server.got).toBeLessThanOrEqual(100);
  });

  it('leaves no handles, whatever its toxics were about to do', async () => {
    const before = process.getActiveResourcesInfo().length;
    const { proxy, client } = await connect();
    proxy.add('up', { type: 'latency', millis: 60_000 });
    proxy.add('down', { type: 'reset', millis: 60_000 });
    proxy.add('up', { type: 'timeout', millis: 60_000 });
    client.write('hello');
    await new Promise(setImmediate);
    await proxy.close();
    await closed(client);
    expect(proxy.connections.open).toBe(0);
    // The server of the test is left, with its connection, until the test has finished.
    expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length).toBeLessThanOrEqual(before);
  });
});
