import { describe, expect, it, onTestFinished } from 'vitest';
import type { OtlpProtocol, TracerRegistry } from '../../src/index.ts';
import { startGrpcReceiver } from '../support/grpc-receiver.ts';
import { receiverWith, registryWith } from './delivery-kit.ts';

const TENANTS = ['a', 'b', 'c', 'platform'];

interface Seen {
  readonly url: string;
  /** The tenants that came over each connection. */
  connections(): string[][];
}

async function receiverFor(protocol: OtlpProtocol): Promise<Seen> {
  const bySocket = (requests: readonly { socketId: number; tenant: unknown }[]): string[][] => {
    const connections = new Map<number, Set<string>>();
    for (const { socketId, tenant } of requests) {
      const tenants = connections.get(socketId) ?? new Set();
      connections.set(socketId, tenants.add(String(tenant)));
    }
    return [...connections.values()].map((tenants) => [...tenants].sort());
  };
  if (protocol === 'grpc') {
    const receiver = await startGrpcReceiver();
    onTestFinished(() => receiver.close());
    const calls = () => receiver.calls.map(({ metadata, socketId }) => ({ socketId, tenant: metadata['x-tenant'] }));
    return { url: receiver.url, connections: () => bySocket(calls()) };
  }
  const receiver = await receiverWith();
  const requests = () => receiver.requests.map(({ headers, socketId }) => ({ socketId, tenant: headers['x-tenant'] }));
  return { url: receiver.url, connections: () => bySocket(requests()) };
}

/** Every tenant sends a few times, one after the other, so that each finds the others' connections free. */
async function sendInTurns(registry: TracerRegistry): Promise<void> {
  for (let round = 0; round < 3; round += 1) {
    for (const tracer of [...TENANTS.map((id) => registry.get(id)), registry.platform]) {
      tracer.startSpan('work').end();
      expect(await tracer.flush()).toMatchObject({ ok: true, delivered: 1 });
    }
  }
}

describe.each(['http/protobuf', 'grpc'] as const)('connections over %s', (protocol) => {
  const destination = (url: string, tenant: string, isolateConnections?: boolean) => ({
    endpoint: url,
    protocol,
    headers: { 'x-tenant': tenant },
    ...(isolateConnections !== undefined && { isolateConnections }),
  });

  it('are shared by tenants', async () => {
    const receiver = await receiverFor(protocol);
    const registry = registryWith({
      platform: { destination: destination(receiver.url, 'owner') },
      configure: (id) => ({ destination: destination(receiver.url, id) }),
    });
    await sendInTurns(registry);
    expect(receiver.connections()).toEqual([[...TENANTS, 'owner'].sort()]);
  });

  it("are a tenant's own where it asks for that, also beside the platform tracer and a tenant of that name", async () => {
    const receiver = await receiverFor(protocol);
    const isolated = new Set(['a', 'platform', 'owner']);
    const registry = registryWith({
      platform: { destination: destination(receiver.url, 'owner', true) },
      configure: (id) => ({ destination: destination(receiver.url, id, isolated.has(id)) }),
    });
    await sendInTurns(registry);
    expect(receiver.connections().sort()).toEqual([['a'], ['b', 'c'], ['owner'], ['platform']]);
    expect(registry.stats().sockets).toBe(4);
  });

  it("stay a tenant's own when it is configured anew and when it was evicted", async () => {
    const receiver = await receiverFor(protocol);
    let batch = 1;
    const registry = registryWith({
      configure: (id) => ({ destination: destination(receiver.url, id, true), batch: { maxSize: batch } }),
    });
    const send = async (id: string) => {
      registry.get(id).startSpan('work').end();
      await registry.flush();
    };
    for (const id of ['a', 'b']) await send(id);
    batch = 2;
    expect(await registry.reconfigure('a')).toBe('changed');
    registry.delete('b');
    for (const id of ['a', 'b']) await send(id);
    expect(receiver.connections().sort()).toEqual([['a'], ['b']]);
  });
});
