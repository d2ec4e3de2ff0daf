import { once } from 'node:events';
import type { IncomingMessage, RequestListener, Server } from 'node:http';
import { createRequire } from 'node:module';
import net, { type AddressInfo } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { TracerRegistry } from '../../src/index.ts';
import { until } from '../core/registry-kit.ts';
import { library, startWorld, work } from './routing-kit.ts';

const require = createRequire(import.meta.url);
const IDS = ['a', 'b'] as const;

/** One for all tests: a module that was loaded before is not shown to another one. */
const instrumentation = new HttpInstrumentation();

/** An instrumented HTTP server, and what its tenants' receivers get. */
async function startServer(listen: (registry: TracerRegistry) => RequestListener) {
  const world = await startWorld(IDS, { install: { instrumentations: [instrumentation] } });
  const { createServer } = require('node:http') as typeof import('node:http');
  const server: Server = createServer(listen(world.registry));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { ...world, server, port: (server.address() as AddressInfo).port };
}

/** A client that is no instrumented one: a plain socket. */
async function connect(port: number) {
  const socket = net.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  let received = '';
  socket.on('data', (chunk: Buffer) => {
    received += chunk.toString();
  });
  const answers = (): number => received.split('HTTP/1.1 ').length - 1;
  return {
    socket,
    send: (path: string, headers = '') => socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n${headers}\r\n`),
    answered: (count: number) => until(() => answers() >= count, `${count} answers`),
  };
}

const tenantOf = ({ url }: IncomingMessage): string => (url ?? '').slice(1, 2);

describe('requests of an instrumented HTTP server', () => {
  it('on one connection do not carry a tenant from one to the next', async () => {
    const { delivered, port, registry, spans } = await startServer((tenants) => (request, response) => {
      const before = tenants.current()?.tenantId ?? 'none';
      const answer = (): void => {
        work(`after ${before}`);
        response.end('ok');
      };
      if (request.url === '/none') answer();
      else tenants.run(tenantOf(request), () => void nextTurn().then(answer));
    });
    const client = await connect(port);
    const order = ['/a', '/b', '/none', '/b', '/a', '/none'];
    for (const [index, path] of order.entries()) {
      client.send(path);
      await client.answered(index + 1);
    }
    // And all at once, one behind the other.
    for (const path of order) client.send(path);
    await client.answered(2 * order.length);
    client.socket.destroy();
    await until(() => registry.stats().lateBinding.waiting === 0, 'the end of all requests');
    const each = (count: number) => [...Array(count).fill('GET'), ...Array(count).fill('after none')] as string[];
    expect(await delivered()).toEqual({ platform: each(4), a: each(4), b: each(4) });
    for (const at of ['a', 'b', 'platform'] as const) {
      expect(new Set(spans(at).map(({ traceId }) => traceId)).size).toBe(4);
    }
  });

  it('may find their tenant asynchronously, many at a time', async () => {
    const { delivered, port, registry } = await startServer((tenants) => async (request, response) => {
      work('early');
      for (let turns = Number(request.url?.slice(2)) % 7; turns > 0; turns -= 1) await nextTurn();
      tenants.run(tenantOf(request), () => {
        tenants.withSpan('inside', () => response.end('ok'));
      });
    });
    const clients = await Promise.all(Array.from({ length: 40 }, () => connect(port)));
    for (const [index, client] of clients.entries()) client.send(`/${IDS[index % 2]}${index}`);
    await Promise.all(clients.map((client) => client.answered(1)));
    for (const client of clients) client.socket.destroy();
    await until(() => registry.stats().lateBinding.bound === 80, 'the end of all requests');
    const each = ['GET', 'early', 'inside'].flatMap((name) => Array(20).fill(name) as string[]);
    expect(await delivered()).toEqual({ platform: [], a: each, b: each });
  });

  it('that are aborted end their spans, at their tenant or unassigned', async () => {
    const waiting: IncomingMessage[] = [];
    const { delivered, port, registry } = await startServer((tenants) => (request) => {
      waiting.push(request);
      if (request.url !== '/none') tenants.run(tenantOf(request), () => work('inside'));
    });
    for (const path of ['/a', '/none']) {
      const client = await connect(port);
      client.send(path);
      const count = waiting.length + 1;
      await until(() => waiting.length === count, path);
      client.socket.resetAndDestroy();
      await until(() => waiting[count - 1]?.destroyed === true, 'the abort');
    }
    await until(() => registry.stats().lateBinding.waiting === 0, 'the end of the spans');
    expect(await delivered()).toEqual({ platform: ['GET'], a: ['GET', 'inside'], b: [] });
  });

  it('that become another protocol leave no tenant and no waiting span behind', async () => {
    const { delivered, port, registry, server } = await startServer(() => (_request, response) => response.end());
    const heard: (string | undefined)[] = [];
    server.on('upgrade', (request, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n');
      registry.run(tenantOf(request), () => {
        socket.on('data', () => {
          heard.push(registry.current()?.tenantId);
          library().startSpan('message').end();
        });
      });
      socket.on('end', () => socket.end());
    });
    const client = await connect(port);
    client.send('/a', 'connection: upgrade\r\nupgrade: x\r\n');
    await client.answered(1);
    client.socket.write('hello');
    await until(() => heard.length > 0, 'a message');
    client.socket.end();
    await once(client.socket, 'close');
    expect(registry.stats().lateBinding.waiting).toBe(0);
    // A socket has no tenant by itself; `bind` gives its listeners one.
    expect(heard).toEqual([undefined]);
    expect(await delivered()).toEqual({ platform: ['message'], a: [], b: [] });
  });

  it('keep their tenant on an upgraded connection whose listeners are bound', async () => {
    const { delivered, port, registry, server } = await startServer(() => (_request, response) => response.end());
    let messages = 0;
    server.on('upgrade', (request, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n');
      registry.get(tenantOf(request)).bind(socket);
      socket.on('data', () => {
        messages += 1;
        work('message');
      });
      socket.on('end', () => socket.end());
    });
    for (const path of ['/a', '/b']) {
      const client = await connect(port);
      client.send(path, 'connection: upgrade\r\nupgrade: x\r\n');
      await client.answered(1);
      const before = messages;
      client.socket.write('hello');
      await until(() => messages > before, 'a message');
      client.socket.end();
      await once(client.socket, 'close');
    }
    expect(await delivered()).toEqual({ platform: [], a: ['message'], b: ['message'] });
  });
});
