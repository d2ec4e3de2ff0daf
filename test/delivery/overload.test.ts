import { describe, expect, it } from 'vitest';
import { endSpans, eventually, expectAllDelivered, missing, receiverWith, registryWith } from './delivery-kit.ts';

describe('a burst', () => {
  it('of 10,000 spans in one tick loses none', async () => {
    const receiver = await receiverWith();
    const registry = registryWith({ destination: { endpoint: receiver.url } });
    const tracer = registry.get('a');
    endSpans(tracer, 10_000);
    await registry.flush({ timeoutMillis: 25_000 });
    expectAllDelivered(tracer, receiver, 10_000);
  });

  it('above the bound is exactly counted', async () => {
    const receiver = await receiverWith();
    const registry = registryWith({
      destination: { endpoint: receiver.url },
      limits: { maxQueueSize: 1_000 },
      batch: { maxSize: 100 },
    });
    const tracer = registry.get('a');
    endSpans(tracer, 25_000);
    // Two batches were under way when the queue was full.
    expect(tracer.stats().traces).toMatchObject({
      created: 25_000,
      exported: 0,
      queued: 1_200,
      dropped: { queue_full: 23_800 },
    });
    await registry.flush();
    expect(tracer.stats().traces).toMatchObject({ created: 25_000, exported: 1_200, dropped: { queue_full: 23_800 } });
    // The oldest are kept.
    const names = receiver.spans().map(({ name }) => Number(name));
    expect(names.sort((a, b) => a - b)).toEqual(Array.from({ length: 1_200 }, (_, index) => index));
  });
});

describe('the byte budget of the process', () => {
  it('is paid for by whoever holds most, and costs the others nothing', async () => {
    const hanging = await receiverWith({ fault: { mode: 'hang' } });
    const good = await receiverWith();
    const registry = registryWith({
      maxTotalBytes: 300_000,
      batch: { delayMillis: 60_000, maxSize: 65_536, maxBytes: 1_000_000 },
      configure: (tenantId) => ({ destination: { endpoint: tenantId === 'large' ? hanging.url : good.url } }),
    });
    const large = registry.get('large');
    endSpans(large, 10_000);
    expect(registry.stats().bytes).toBeLessThanOrEqual(300_000);
    const held = large.stats().traces.queued;
    expect(held).toBeLessThan(10_000);

    const small = Array.from({ length: 20 }, (_, number) => registry.get(`small ${number}`));
    for (const tracer of small) endSpans(tracer, 50);
    expect(registry.stats().bytes).toBeLessThanOrEqual(300_000);
    for (const tracer of small) expect(tracer.stats().traces).toMatchObject({ created: 50, queued: 50, dropped: {} });
    const { dropped, queued } = large.stats().traces;
    expect(queued).toBeLessThan(held);
    expect(dropped).toEqual({ queue_full: 10_000 - queued });

    await Promise.all(small.map((tracer) => tracer.flush()));
    await good.waitForSpans(1_000);
    for (const tracer of small) expect(tracer.stats().traces).toMatchObject({ exported: 50, queued: 0, dropped: {} });
    expect(missing(registry.stats().traces)).toBe(0);
    await registry.shutdown({ timeoutMillis: 0 });
    await eventually(
      () => registry.stats().bytes === 0,
      () => `${registry.stats().bytes} bytes are still counted`,
    );
  });
});
