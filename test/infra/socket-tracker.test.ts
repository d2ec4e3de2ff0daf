import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SocketTracker } from '../../src/infra/socket-tracker.ts';

describe('a socket tracker', () => {
  let server: net.Server;
  let port: number;
  const clients: Socket[] = [];

  beforeEach(async () => {
    server = net.createServer((socket) => socket.on('error', () => {}).resume()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  });

  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy();
    server.close();
    await once(server, 'close');
  });

  function connect(): Socket {
    const socket = net.connect(port, '127.0.0.1');
    clients.push(socket);
    return socket;
  }

  it('is told of each socket before it connects, also of one that is opened later, and of no other', async () => {
    const tracker = new SocketTracker();
    const seen: [string, Socket][] = [];
    const track = (name: string) => (socket: Socket) => seen.push([name, socket]);
    const first = tracker.run(track('a'), connect);
    expect(seen).toEqual([['a', first]]);
    const other = connect();
    const later = tracker.run(track('b'), async () => {
      await once(first, 'connect');
      return connect();
    });
    await Promise.all([once(other, 'connect'), later]);
    expect(seen).toEqual([
      ['a', first],
      ['b', await later],
    ]);
    tracker.stop();
    tracker.stop();
  });

  it('keeps its sockets from keeping the process alive, whatever references them, and leaves others alone', async () => {
    const tracker = new SocketTracker();
    const mine = tracker.run(() => {}, connect);
    const theirs = connect();
    await new Promise(process.nextTick);
    expect([mine.connecting, hasRef(mine), hasRef(theirs)]).toEqual([true, false, true]);
    await Promise.all([once(mine, 'connect'), once(theirs, 'connect')]);
    expect([hasRef(mine), hasRef(theirs)]).toEqual([false, true]);
    mine.ref();
    expect(hasRef(mine)).toBe(false);
    tracker.stop();
  });

  it('keeps the error of a socket that nobody listens to from the process', async () => {
    const tracker = new SocketTracker();
    const mine = tracker.run(() => {}, connect);
    mine.destroy(new Error('nobody cares'));
    await new Promise((resolve) => {
      mine.once('close', resolve);
    });
    tracker.stop();
  });

  it('hears nothing after it was stopped', async () => {
    const tracker = new SocketTracker();
    const seen: Socket[] = [];
    tracker.run(
      () => {},
      () => tracker.stop(),
    );
    const socket = tracker.run(
      (opened) => seen.push(opened),
      () => {
        tracker.stop();
        return connect();
      },
    );
    await once(socket, 'connect');
    expect(seen).toEqual([]);
    expect(hasRef(socket)).toBe(true);
  });

  it('does not disturb the requests of the host', async () => {
    const tracker = new SocketTracker();
    tracker.run(() => {}, connect);
    const answering = http.createServer((_request, response) => response.end('ok')).listen(0, '127.0.0.1');
    await once(answering, 'listening');
    const request = http.get({ port: (answering.address() as AddressInfo).port, agent: false });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    expect(response.statusCode).toBe(200);
    response.resume();
    await once(response, 'end');
    answering.close();
    await once(answering, 'close');
    tracker.stop();
  });
});

function hasRef(socket: Socket): boolean {
  return (socket as unknown as { readonly _handle: { hasRef(): boolean } })._handle.hasRef();
}
