import { describe, expect, it } from 'vitest';
import type { ReceivedRequest } from '../support/otlp-receiver.ts';
import { endSpans, eventually, expectAllDelivered, receiverWith, registryWith } from './delivery-kit.ts';

function tokenOf(request: ReceivedRequest): string | undefined {
  return request.headers.authorization;
}

describe('credentials', () => {
  it('are read for every attempt: of 100 rotations in flight none loses a span or is missed twice', async () => {
    const receiver = await receiverWith();
    let token = 0;
    const registry = registryWith({
      batch: { delayMillis: 60_000, maxSize: 5 },
      destination: { endpoint: receiver.url, headers: async () => ({ authorization: `Bearer ${token}` }) },
    });
    const tracer = registry.get('a');
    let rotates = false;
    // Each first request of a round arrives just after its token was replaced.
    receiver.setFault((request) => {
      if (rotates) token += 1;
      rotates = false;
      return tokenOf(request) === `Bearer ${token}` ? { mode: 'ok' } : { mode: 'status', status: 401 };
    });
    for (let rotation = 1; rotation <= 100; rotation += 1) {
      rotates = true;
      endSpans(tracer, 5);
      await receiver.waitForSpans(rotation * 5, 25_000);
      await eventually(
        () => tracer.stats().traces.queued === 0,
        () => 'the answer',
      );
    }
    const seen = receiver.requests.map(tokenOf);
    expect(seen).toEqual(Array.from({ length: 100 }, (_, index) => [`Bearer ${index}`, `Bearer ${index + 1}`]).flat());
    expectAllDelivered(tracer, receiver, 500);
  });

  it('that are refused twice are probed only, and lose nothing', async () => {
    const receiver = await receiverWith({ fault: { mode: 'status', status: 401, body: 'no' } });
    let reads = 0;
    const registry = registryWith({
      batch: { maxSize: 10 },
      destination: {
        endpoint: receiver.url,
        headers: () => {
          reads += 1;
          return { authorization: 'Bearer stale' };
        },
      },
    });
    const tracer = registry.get('a');
    endSpans(tracer, 10);
    await receiver.waitForRequests(2);
    for (let flush = 0; flush < 5; flush += 1) await tracer.flush();
    expect([receiver.requests.length, reads]).toEqual([2, 2]);
    expect(tracer.stats().traces).toMatchObject({ created: 10, queued: 10, dropped: {} });
    expect(tracer.health().destinations).toMatchObject([{ condition: 'unauthorized', queued: 10 }]);
    expect(tracer.health().ok).toBe(false);
  });

  it('that cannot be had are asked for again, and the spans wait', async () => {
    const receiver = await receiverWith();
    let sealed = true;
    const registry = registryWith({
      destination: {
        endpoint: receiver.url,
        headers: () => {
          if (sealed) throw new Error('the vault is sealed');
          return { authorization: 'Bearer one' };
        },
      },
    });
    const tracer = registry.get('a');
    endSpans(tracer, 3);
    await expect(tracer.flush()).resolves.toMatchObject({ pending: 3, delivered: 0 });
    expect(receiver.requests).toEqual([]);
    sealed = false;
    await expect(tracer.flush()).resolves.toMatchObject({ pending: 0, delivered: 3 });
    expectAllDelivered(tracer, receiver, 3);
  });

  it('that never come do not hold up other tenants of the origin, nor the end', async () => {
    const receiver = await receiverWith();
    const registry = registryWith({
      batch: { maxSize: 1 },
      configure: (tenantId) => ({
        destination: {
          endpoint: receiver.url,
          headers: () => (tenantId.startsWith('stuck') ? new Promise(() => {}) : { authorization: 'Bearer one' }),
        },
      }),
    });
    for (let number = 0; number < 8; number += 1) endSpans(registry.get(`stuck ${number}`), 3);
    endSpans(registry.get('good'), 20);
    await receiver.waitForSpans(20, 25_000);
    await registry.shutdown({ timeoutMillis: 0 });
    await eventually(
      () => registry.stats().bytes === 0 && registry.stats().requests === 0,
      () => `${registry.stats().bytes} bytes, ${registry.stats().requests} requests`,
    );
  });
});
