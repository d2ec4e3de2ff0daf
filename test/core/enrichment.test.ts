import { SpanStatusCode } from '@opentelemetry/api';
import { describe, expect, it } from 'vitest';
import { createTracer } from '../../src/index.ts';
import { SILENT, startTenants } from '../support/tenant-receivers.ts';

describe('enrichSpan', () => {
  it('adds each field under its prefix to the active span', async () => {
    const { registry, received } = await startTenants(['a']);
    const a = registry.get('a');
    const done = a.withSpan('work', () =>
      a.enrichSpan({
        attributes: { plain: 1 },
        metadata: { text: 'a', nested: { b: [1] }, missing: undefined },
        metrics: { score: 0.5 },
        feedback: { good: true },
        inputs: { question: 'why' },
        outputs: ['a', 1],
        config: { list: [1, 2], mixed: [1, 'a'] },
        userProperties: { id: 'u', email: 'e', tier: 3 },
        eventType: 'tool',
      }),
    );

    expect(done).toBe(true);
    expect((await received('a'))['work']?.attributes).toEqual({
      plain: 1,
      'isotrace.metadata.text': 'a',
      'isotrace.metadata.nested': '{"b":[1]}',
      'isotrace.metrics.score': 0.5,
      'isotrace.feedback.good': true,
      'isotrace.inputs.question': 'why',
      'isotrace.outputs.value': '["a",1]',
      'isotrace.config.list': [1, 2],
      'isotrace.config.mixed': '[1,"a"]',
      'user.id': 'u',
      'user.email': 'e',
      'isotrace.user.tier': 3,
      'isotrace.event.type': 'tool',
    });
  });

  it('records an error as exception, status and type', async () => {
    const { registry, received } = await startTenants(['a']);
    const a = registry.get('a');
    a.withSpan('coded', () => a.enrichSpan({ error: Object.assign(new Error('no'), { code: 'E_NO' }) }));
    a.withSpan('named', () => a.enrichSpan({ error: new RangeError('far') }));
    a.withSpan('text', () => a.enrichSpan({ error: 'just no' }));
    const { coded, named, text } = await received('a');

    expect(coded?.attributes).toEqual({ 'error.type': 'E_NO' });
    expect(coded?.status).toMatchObject({ code: SpanStatusCode.ERROR, message: 'no' });
    expect(coded?.events).toMatchObject([{ name: 'exception', attributes: { 'exception.message': 'no' } }]);
    expect(named?.attributes).toEqual({ 'error.type': 'RangeError' });
    expect(text?.attributes).toEqual({ 'error.type': '_OTHER' });
    expect(text?.status.message).toBe('just no');
  });

  it('never touches a span of another tenant, whoever is active', async () => {
    const { registry, received } = await startTenants(['a', 'b']);
    const [a, b] = [registry.get('a'), registry.get('b')];
    const patch = { metadata: { key: 1 } };
    expect(a.enrichSpan(patch)).toBe(false);
    await a.withSpan('of a', async () => {
      expect(b.enrichSpan(patch)).toBe(false);
      await b.withSpan('of b', async () => {
        await Promise.resolve();
        expect(a.enrichSpan({ metadata: { from: 'a' } })).toBe(true);
        expect(b.enrichSpan({ metadata: { from: 'b' } })).toBe(true);
      });
    });

    expect((await received('a'))['of a']?.attributes).toEqual({ 'isotrace.metadata.from': 'a' });
    expect((await received('b'))['of b']?.attributes).toEqual({ 'isotrace.metadata.from': 'b' });
  });

  it('says when there is nothing that records', async () => {
    const tracer = createTracer({ sampling: { ratio: 0 }, logger: SILENT });
    expect(tracer.withSpan('unsampled', () => tracer.enrichSpan({ metadata: { a: 1 } }))).toBe(false);
    const ended = tracer.withSpan('ended', (span) => {
      span.end();
      return tracer.enrichSpan({ metadata: { a: 1 } });
    });
    expect(ended).toBe(false);
    await tracer.shutdown();
  });

  it('keeps what can be read of a patch, and bounds what there is of it', async () => {
    const { registry, received } = await startTenants(['a'], {
      tenant: () => ({ limits: { attributeCountLimit: 1_000 } }),
    });
    const a = registry.get('a');
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`k${index}`, index]));
    a.withSpan('work', () =>
      a.enrichSpan({
        get metadata(): never {
          throw new Error('no');
        },
        metrics: many,
        outputs: { long: { text: 'x'.repeat(100_000) } },
      }),
    );
    const { attributes } = (await received('a'))['work'] as { attributes: Record<string, unknown> };

    expect(Object.keys(attributes).filter((key) => key.startsWith('isotrace.metrics.'))).toHaveLength(128);
    const long = attributes['isotrace.outputs.long'] as string;
    expect(Buffer.byteLength(long)).toBeLessThanOrEqual(8_192);
    expect(JSON.parse(long)).toEqual({ text: expect.stringMatching(/^x+…$/) as string });
  });
});

describe('withSpan', () => {
  it('takes what enrichSpan takes, of a tracer and of a registry', async () => {
    const { registry, received } = await startTenants(['a']);
    const a = registry.get('a');
    a.withSpan('one', { attributes: { plain: 1 }, inputs: { q: 1 }, metadata: { m: 2 } }, () => undefined);
    a.run(() => registry.withSpan('two', { config: { c: 3 }, eventType: 'chain' }, () => undefined));
    const { one, two } = await received('a');

    expect(one?.attributes).toEqual({ plain: 1, 'isotrace.inputs.q': 1, 'isotrace.metadata.m': 2 });
    expect(two?.attributes).toEqual({ 'isotrace.config.c': 3, 'isotrace.event.type': 'chain' });
  });
});

describe('createEvent', () => {
  it('is a span of no duration or the given one, below the active span', async () => {
    const { registry, received } = await startTenants(['a']);
    const a = registry.get('a');
    const end = Date.UTC(2025, 5, 1);
    const ids = a.withSession('s', () =>
      a.withSpan('work', () => [
        a.createEvent({ name: 'now', eventType: 'model', outputs: { text: 'hi' } }),
        a.createEvent({ name: 'took long', time: new Date(end), durationMillis: 1_500.25, sessionId: 'other' }),
        a.createEvent({ name: 'failed', error: new Error('no') }),
      ]),
    );
    const { failed, now, work, 'took long': tookLong } = await received('a');

    expect(ids).toEqual([now?.spanId, tookLong?.spanId, failed?.spanId]);
    for (const span of [now, tookLong, failed]) expect(span?.parentSpanId).toBe(work?.spanId);
    expect(now?.attributes).toEqual({
      'session.id': 's',
      'isotrace.event.type': 'model',
      'isotrace.outputs.text': 'hi',
    });
    expect(now?.endTimeUnixNano).toBe(now?.startTimeUnixNano);
    expect(tookLong?.attributes).toEqual({ 'session.id': 'other' });
    expect(tookLong?.endTimeUnixNano).toBe(BigInt(end) * 1_000_000n);
    expect(tookLong?.startTimeUnixNano).toBe(BigInt(end) * 1_000_000n - 1_500_250_000n);
    expect(failed?.status.code).toBe(SpanStatusCode.ERROR);
  });

  it('answers no id where nothing is recorded', async () => {
    const tracer = createTracer({ sampling: { ratio: 0 }, logger: SILENT });
    expect(tracer.createEvent({ name: 'unsampled' })).toBeUndefined();
    expect(tracer.createEvent(undefined as never)).toBeUndefined();
    await tracer.shutdown();
    expect(tracer.createEvent({ name: 'closed' })).toBeUndefined();
  });
});

describe('critical attributes', () => {
  it('find room in a full span, and the limit holds', async () => {
    const { registry, received } = await startTenants(['a'], {
      tenant: () => ({ limits: { attributeCountLimit: 3 } }),
    });
    const a = registry.get('a');
    a.withSession('s', () =>
      a.withSpan('full', { attributes: { one: 1, two: 2, three: 3, four: 4 } }, (span) => {
        span.setAttribute('five', 5).setAttribute('gen_ai.usage.output_tokens', 7).setAttribute('one', 'changed');
        a.enrichSpan({ error: new TypeError('no') });
        span.setAttribute('gen_ai.usage.input_tokens', 9);
      }),
    );
    const { full } = await received('a');

    expect(full?.attributes).toEqual({ 'session.id': 's', 'gen_ai.usage.output_tokens': 7, 'error.type': 'TypeError' });
    expect(full?.droppedAttributesCount).toBe(6);
  });
});
