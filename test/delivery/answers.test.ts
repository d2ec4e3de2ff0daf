import { describe, expect, it } from 'vitest';
import { allSpans, decodeTraceRequest } from '../support/otlp-decoder.ts';
import { type ReceiverFault, refusedUrl } from '../support/otlp-receiver.ts';
import { endSpans, eventually, expectAllDelivered, missing, receiverWith, registryWith } from './delivery-kit.ts';

function spansIn(body: Uint8Array): number {
  return allSpans(decodeTraceRequest(body)).length;
}

describe('a receiver that answers', () => {
  it.each<[string, ReceiverFault]>([
    ['503', { mode: 'status', status: 503 }],
    ['502', { mode: 'status', status: 502 }],
    ['504 with a Retry-After of zero', { mode: 'status', status: 504, headers: { 'retry-after': '0' } }],
    ['with a reset', { mode: 'reset-before-status' }],
  ])('%s once gets the same bytes again after a pause, and nothing is lost', async (_case, fault) => {
    const receiver = await receiverWith();
    receiver.setFault((_request, index) => (index === 0 ? fault : { mode: 'ok' }));
    const registry = registryWith({ destination: { endpoint: receiver.url }, batch: { maxSize: 20 } });
    const tracer = registry.get('a');
    endSpans(tracer, 20);
    await receiver.waitForSpans(20);
    const [first, second] = receiver.requests;
    expect(second?.body).toEqual(first?.body);
    expect((second?.receivedAt ?? 0) - (first?.receivedAt ?? 0)).toBeGreaterThanOrEqual(490);
    await tracer.flush();
    expectAllDelivered(tracer, receiver, 20);
  });

  it('503 to a tenant that retries nothing loses that batch, counted, and another tenant still retries', async () => {
    const receivers = [await receiverWith(), await receiverWith()] as const;
    for (const receiver of receivers) {
      receiver.setFault((_request, index) => (index === 0 ? { mode: 'status', status: 503 } : { mode: 'ok' }));
    }
    const registry = registryWith({
      configure: (tenantId) => ({
        destination: { endpoint: receivers[tenantId === 'a' ? 0 : 1].url },
        retry: { giveUpMillis: tenantId === 'a' ? 0 : 60_000 },
      }),
    });
    const [a, b] = [registry.get('a'), registry.get('b')];
    endSpans(a, 5);
    endSpans(b, 5);
    await Promise.all([a.flush(), b.flush()]);
    expect(a.stats().traces).toMatchObject({ created: 5, exported: 0, queued: 0, dropped: { retry_exhausted: 5 } });
    await receivers[1].waitForSpans(5);
    await b.flush();
    expectAllDelivered(b, receivers[1], 5);
    endSpans(a, 1, 5);
    await receivers[0].waitForSpans(1);
  });

  it('503 to a tenant with a shorter first delay gets the bytes again sooner than the default would', async () => {
    const receiver = await receiverWith();
    receiver.setFault((_request, index) => (index < 4 ? { mode: 'status', status: 503 } : { mode: 'ok' }));
    const registry = registryWith({
      destination: { endpoint: receiver.url },
      retry: { initialMillis: 1, maxMillis: 1 },
    });
    const tracer = registry.get('a');
    endSpans(tracer, 5);
    await receiver.waitForSpans(5);
    await tracer.flush();
    expectAllDelivered(tracer, receiver, 5);
    expect(receiver.requests).toHaveLength(5);
  });

  it('with a success and then breaks is not sent the same again', async () => {
    const receiver = await receiverWith({ fault: { mode: 'reset-after-status' } });
    const registry = registryWith({ destination: { endpoint: receiver.url } });
    const tracer = registry.get('a');
    endSpans(tracer, 20);
    await tracer.flush();
    expectAllDelivered(tracer, receiver, 20);
    expect(receiver.requests).toHaveLength(1);
  });

  it('429 with a Retry-After gets nothing before, although the host flushes', async () => {
    const receiver = await receiverWith();
    receiver.setFault((_request, index) =>
      index === 0 ? { mode: 'status', status: 429, headers: { 'retry-after': '1' } } : { mode: 'ok' },
    );
    const registry = registryWith({ destination: { endpoint: receiver.url } });
    const tracer = registry.get('a');
    endSpans(tracer, 5);
    await expect(tracer.flush()).resolves.toMatchObject({ pending: 5 });
    for (let flush = 0; flush < 20; flush += 1) await tracer.flush();
    endSpans(tracer, 5, 5);
    await receiver.waitForSpans(5);
    await tracer.flush();
    const [first, second] = receiver.requests;
    expect((second?.receivedAt ?? 0) - (first?.receivedAt ?? 0)).toBeGreaterThanOrEqual(990);
    await receiver.waitForSpans(10);
    expectAllDelivered(tracer, receiver, 10);
  });

  it('400 to a poisoned batch loses that batch, counted, and the next one goes through', async () => {
    const receiver = await receiverWith();
    receiver.setFault((_request, index) => (index === 0 ? { mode: 'status', status: 400 } : { mode: 'ok' }));
    const registry = registryWith({ destination: { endpoint: receiver.url }, batch: { maxSize: 10 } });
    const tracer = registry.get('a');
    endSpans(tracer, 10);
    await eventually(
      () => tracer.stats().traces.dropped.rejected === 10,
      () => 'the drop',
    );
    endSpans(tracer, 10);
    await tracer.flush();
    expect(tracer.stats().traces).toMatchObject({ created: 20, exported: 10, queued: 0, dropped: { rejected: 10 } });
    expect(receiver.requests).toHaveLength(2);
    expect(tracer.health().recentErrors.map(({ message }) => message)).toEqual(['HTTP 400']);
  });

  it('413 to more than four spans gets them in halves', async () => {
    const receiver = await receiverWith();
    receiver.setFault(({ body }) => (spansIn(body) > 4 ? { mode: 'status', status: 413 } : { mode: 'ok' }));
    const registry = registryWith({ destination: { endpoint: receiver.url } });
    const tracer = registry.get('a');
    endSpans(tracer, 30);
    await tracer.flush();
    expectAllDelivered(tracer, receiver, 30);
  });

  it('with a partial success is believed, and not sent the rest again', async () => {
    const receiver = await receiverWith({ fault: { mode: 'partial-success', rejected: 3, message: 'too old' } });
    const registry = registryWith({ destination: { endpoint: receiver.url } });
    const tracer = registry.get('a');
    endSpans(tracer, 10);
    await tracer.flush();
    expect(tracer.stats().traces).toMatchObject({ created: 10, exported: 7, queued: 0, dropped: { rejected: 3 } });
    expect(receiver.requests).toHaveLength(1);
  });

  it('with a redirect is not followed, and keeps the spans', async () => {
    const elsewhere = await receiverWith();
    const receiver = await receiverWith({
      fault: { mode: 'status', status: 307, headers: { location: `${elsewhere.url}/v1/traces` } },
    });
    const registry = registryWith({ destination: { endpoint: receiver.url } });
    const tracer = registry.get('a');
    endSpans(tracer, 10);
    for (let flush = 0; flush < 3; flush += 1) await tracer.flush();
    expect([receiver.requests.length, elsewhere.requests.length]).toEqual([1, 0]);
    expect(tracer.stats().traces).toMatchObject({ queued: 10, dropped: {} });
    expect(tracer.health().destinations).toMatchObject([{ condition: 'misconfigured' }]);
  });

  it('something that is no HTTP keeps the spans', async () => {
    const receiver = await receiverWith({ fault: { mode: 'garbage' } });
    const registry = registryWith({ destination: { endpoint: receiver.url } });
    const tracer = registry.get('a');
    endSpans(tracer, 10);
    for (let flush = 0; flush < 3; flush += 1) await tracer.flush();
    expect(receiver.requests).toHaveLength(1);
    expect(tracer.health().destinations).toMatchObject([{ condition: 'misconfigured', queued: 10 }]);
  });
});

describe('a receiver that does not answer', () => {
  it('costs one deadline, and gets the spans when it is back', async () => {
    const receiver = await receiverWith();
    receiver.setFault((_request, index) => ({ mode: index === 0 ? 'hang' : 'ok' }));
    const registry = registryWith({ destination: { endpoint: receiver.url, timeoutMillis: 300 } });
    const tracer = registry.get('a');
    endSpans(tracer, 10);
    await expect(tracer.flush()).resolves.toMatchObject({
      pending: 10,
      tenants: [{ tenantId: 'a', error: expect.stringMatching(/^no answer within [23]\d\d ms$/) }],
    });
    await expect(tracer.flush()).resolves.toMatchObject({ pending: 0, delivered: 10 });
    expectAllDelivered(tracer, receiver, 10);
  });

  it('but accepts and trickles has the spans, and each once', async () => {
    const receiver = await receiverWith({ fault: { mode: 'slow-body' } });
    const registry = registryWith({ destination: { endpoint: receiver.url, timeoutMillis: 300 } });
    const tracer = registry.get('a');
    endSpans(tracer, 10);
    await tracer.flush();
    expectAllDelivered(tracer, receiver, 10);
    expect(receiver.requests).toHaveLength(1);
  });

  it('because it refuses connections keeps the spans, in the account too', async () => {
    const registry = registryWith({ destination: { endpoint: await refusedUrl() } });
    const tracer = registry.get('a');
    endSpans(tracer, 10);
    await expect(tracer.flush()).resolves.toMatchObject({ pending: 10 });
    expect(tracer.stats().traces).toMatchObject({ created: 10, queued: 10, dropped: {} });
    await expect(tracer.shutdown({ timeoutMillis: 0 })).resolves.toMatchObject({ dropped: { shutdown_deadline: 10 } });
    expect(missing(tracer.stats().traces)).toBe(0);
    expect(registry.stats().bytes).toBe(0);
  });
});
