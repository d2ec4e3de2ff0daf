import { AssertionError } from 'node:assert';
import { gzipSync } from 'node:zlib';
import { SpanKind } from '@opentelemetry/api';
import { createTestRegistry, createTestTracer, expectNoLeak, FakeClock } from 'isotrace/testing';
import { describe, expect, it } from 'vitest';

function failureOf(run: () => unknown): AssertionError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(AssertionError);
    return error as AssertionError;
  }
  throw new Error('it did not fail');
}

describe('createTestTracer', () => {
  it('keeps what is exported in memory: sampled, limited and redacted', async () => {
    await using test = createTestTracer({
      service: { name: 'shop' },
      redact: true,
      limits: { attributeCountLimit: 1 },
      destination: { endpoint: 'http://127.0.0.1:1' },
    });
    test.tracer.withSpan('work', { kind: SpanKind.CLIENT, attributes: { password: 'x', other: 1 } }, (span) => {
      span.addLink({ context: span.spanContext() });
      test.tracer.startSpan('inner').end();
    });
    expect(test.spans).toEqual([]);
    await test.flush();

    expect(test.spans.map(({ name }) => name)).toEqual(['inner', 'work']);
    expect(test.spans[1]).toMatchObject({ kind: 'client', attributes: { password: '[REDACTED]' } });
    expect(test.spans[1]?.resource).toMatchObject({ 'service.name': 'shop' });
    expect(test.spans[1]?.links).toHaveLength(1);
    expect(test.tracer.stats().traces.dropped).toEqual({});
    test.reset();
    expect(test.spans).toEqual([]);
  });

  it('takes a fake clock, which decides on all times', async () => {
    const clock = new FakeClock();
    await using test = createTestTracer({ clock });
    const span = test.tracer.startSpan('work');
    clock.advance(1_500);
    span.end();
    await test.flush();

    expect(test.expectSpan('work').span.durationMillis).toBe(1_500);
  });
});

describe('createTestRegistry', () => {
  it('keeps a record for each tenant, with what `configure` says', async () => {
    await using test = createTestRegistry({
      attributes: { all: 1 },
      configure: async (id) => (id === 'nobody' ? undefined : { attributes: { plan: id } }),
    });
    for (const id of ['a', 'b', 'nobody']) test.registry.get(id).withSpan(`work of ${id}`, () => undefined);
    await test.flush();

    expect(test.tenant('a').expectSpan('work of a').span.resource).toMatchObject({ all: 1, plan: 'a' });
    test.tenant('b').expectSpan('work of b').times(1);
    test.tenant('b').expectNoSpan('work of a');
    expect(test.tenant('nobody').spans).toEqual([]);
    test.reset();
    expect(test.tenant('a').spans).toEqual([]);
  });

  it('has a platform tracer only where that is asked for', async () => {
    await using without = createTestRegistry();
    await using test = createTestRegistry({ platform: {}, configure: () => ({}) });
    for (const { registry } of [without, test]) registry.platform.startSpan('own').end();
    await Promise.all([without.flush(), test.flush()]);

    expect(without.tenant('platform').spans).toEqual([]);
    test.tenant('platform').expectSpan('own');
  });
});

describe('expectSpan', () => {
  const record = async () => {
    const test = createTestTracer();
    const { tracer } = test;
    tracer.withSession('s-1', () =>
      tracer.withSpan('checkout', { kind: SpanKind.SERVER, attributes: { 'order.id': 7 } }, () => {
        tracer.withSpan('pay', { attributes: { amount: 1, list: ['a'] } }, () => undefined);
        tracer.withSpan('pay', { attributes: { amount: 2 } }, (span) => {
          span.recordException(new Error('card declined'));
          span.setStatus({ code: 2, message: 'declined' });
        });
      }),
    );
    await test.flush();
    return test;
  };

  it('passes for what is there', async () => {
    await using test = await record();
    const checkout = test.expectSpan('checkout').asRoot().withKind('server').withAttributes({ 'order.id': 7 });
    test
      .expectSpan('pay')
      .times(2)
      .childOf('checkout')
      .childOf(checkout)
      .inSession('s-1')
      .withAttributes({ amount: 2 })
      .withoutAttributes('list')
      .withException(/declined/)
      .withStatus('error', 'declined')
      .times(1);
    test.expectSpan('pay').withAttributes({ amount: (value: number) => value < 2, list: ['a'] });
    test.expectNoSpan('refund');
    expect(test.expectSpan('pay').spans).toHaveLength(2);
  });

  it('says what was there instead', async () => {
    await using test = await record();
    const { expectSpan } = test;

    expect(failureOf(() => expectSpan('refund')).message).toBe(
      'no span "refund" was exported; there are: "pay", "checkout" (await flush() delivers what ended)',
    );
    const wrong = failureOf(() => expectSpan('checkout').withAttributes({ 'order.id': 8, missing: 1 }));
    expect(wrong.message).toBe(
      'no span "checkout" with these attributes\n  order.id: expected 8, got 7\n  missing: expected 1, got nothing',
    );
    expect([wrong.actual, wrong.expected]).toEqual([
      { 'order.id': 7, missing: undefined },
      { 'order.id': 8, missing: 1 },
    ]);
    expect(failureOf(() => expectSpan('checkout').childOf('pay')).message).toContain('it is a root span');
    expect(failureOf(() => expectSpan('pay').childOf('refund')).message).toContain('its parent is "checkout"');
    expect(failureOf(() => expectSpan('pay').asRoot()).message).toContain('its parent is');
    expect(failureOf(() => expectSpan('pay').times(1)).message).toBe('expected 1 spans "pay", got 2');
    expect(failureOf(() => expectSpan('pay').withKind('server')).message).toContain('expected server, got internal');
    expect(failureOf(() => expectSpan('checkout').withStatus('error')).message).toContain("code: 'unset'");
    expect(failureOf(() => expectSpan('checkout').withException()).message).toContain('with this event');
    expect(failureOf(() => expectSpan('pay').withoutAttributes('amount')).message).toContain('amount: 1');
    expect(failureOf(() => test.expectNoSpan('pay')).message).toBe('expected no span "pay", got 2');
    // What fits one span does not fit another: all must hold for the same.
    failureOf(() => expectSpan('pay').withAttributes({ amount: 1 }).withStatus('error'));
  });
});

describe('expectNoLeak', () => {
  const work = async () => {
    const test = createTestRegistry({ configure: (id) => ({ attributes: { owner: `canary-${id}` } }) });
    const [a, b] = [test.registry.get('a'), test.registry.get('b')];
    await a.withSpan('work', async () => {
      await b.withSpan('work', async () => b.enrichSpan({ metadata: { secret: 'canary-b-2' } }));
      a.addEvent('note', { secret: 'canary-a-2' });
    });
    await test.flush();
    return test;
  };
  const tenantsOf = (test: Awaited<ReturnType<typeof work>>) => ({
    a: { canaries: ['canary-a', 'canary-a-2'], exports: test.tenant('a').spans as unknown },
    b: { canaries: ['canary-b', 'canary-b-2'], exports: test.tenant('b').spans as unknown },
  });

  it('passes for tenants that are apart', async () => {
    await using test = await work();
    expectNoLeak({ tenants: tenantsOf(test) });
  });

  it.each<[string, (canary: string) => unknown]>([
    ['an attribute', (canary) => ({ attributes: { key: `x${canary}y` } })],
    ['a key', (canary) => ({ [canary]: 1 })],
    ['a map in a list', (canary) => [[new Map([[canary, 1]])]]],
    ['headers', (canary) => new Headers({ baggage: `a=${canary}` })],
    ['bytes', (canary) => Buffer.from(`--${canary}--`)],
    ['compressed bytes', (canary) => ({ body: gzipSync(`--${canary}--`) })],
  ])('finds a canary in %s', async (_, leak) => {
    await using test = await work();
    const tenants = tenantsOf(test);
    tenants.b.exports = [tenants.b.exports, leak('canary-a-2')];

    expect(failureOf(() => expectNoLeak({ tenants })).message).toBe(
      'tenants are not apart:\n  "canary-a" of a reached b\n  "canary-a-2" of a reached b',
    );
  });

  it('finds ids of spans, as text and as bytes, unless they may be there', async () => {
    await using test = await work();
    const tenants = tenantsOf(test);
    const { traceId, spanId } = test.tenant('a').expectSpan('work').span;
    for (const leak of [{ parentSpanId: spanId }, Buffer.from(`0012${traceId}`, 'hex')]) {
      const leaking = { ...tenants, b: { ...tenants.b, exports: [tenants.b.exports, leak] } };
      expect(failureOf(() => expectNoLeak({ tenants: leaking })).message).toMatch(
        /^tenants are not apart:\n {2}the id/,
      );
      expectNoLeak({ tenants: leaking, ids: false });
    }
  });

  it('fails when it would prove nothing', async () => {
    await using test = await work();
    const tenants = tenantsOf(test);
    for (const canaries of [[], [''], ['never recorded']]) {
      failureOf(() => expectNoLeak({ tenants: { ...tenants, a: { ...tenants.a, canaries } } }));
    }
  });
});
