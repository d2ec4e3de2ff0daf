import { type Span, SpanKind } from '@opentelemetry/api';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type RegistryOptions, Tracer, TracerRegistry, WithAgents } from '../../src/index.ts';
import { FakeClock } from '../support/fake-clock.ts';
import type { DecodedSpan } from '../support/otlp-decoder.ts';
import { startReceiver } from '../support/otlp-receiver.ts';
import { SILENT } from '../support/tenant-receivers.ts';

class AgentTracer extends WithAgents(Tracer) {}

const PRICES = {
  'gpt-x': { input: 2, output: 10, cacheRead: 1 },
  'gpt-x-mini': { input: 0.2, output: 1 },
};

async function start(options: RegistryOptions<AgentTracer> = {}) {
  const receiver = await startReceiver();
  const registry = new TracerRegistry<AgentTracer>({
    tracer: AgentTracer,
    platform: false,
    logger: SILENT,
    destination: { endpoint: receiver.url },
    agents: { prices: PRICES, currency: 'EUR' },
    ...options,
  });
  onTestFinished(async () => {
    await registry.shutdown();
    await receiver.close();
  });
  const received = async (): Promise<readonly DecodedSpan[]> => {
    await registry.flush();
    return receiver.spans();
  };
  const named = async (): Promise<Record<string, DecodedSpan>> =>
    Object.fromEntries((await received()).map((span) => [span.name, span]));
  return { registry, received, named };
}

describe('what agents spend', () => {
  it('is on each call, on the local root of its trace, and in the account of the tenant', async () => {
    const { registry, named } = await start();
    const a = registry.get('a');
    await a.withSpan('run', async () => {
      await a.withAgent('planner', async () => {
        await a.withModelCall({ model: 'gpt-x', provider: 'openai' }, async () => {
          await Promise.resolve();
          expect(a.recordUsage({ inputTokens: 1_000, outputTokens: 100, cacheReadTokens: 400 })).toBe(true);
        });
        a.withModelCall('gpt-x-mini-2026-01-31', () => a.recordUsage({ inputTokens: 500, outputTokens: 50 }));
      });
      a.withTool('search', () => undefined);
    });
    a.withModelCall('own-model', () => a.recordUsage({ inputTokens: 10, model: 'own-model-2' }));
    const spans = await named();

    // (600 · 2 + 400 · 1 + 100 · 10) and (500 · 0.2 + 50 · 1) millionths.
    expect(spans['chat gpt-x']?.attributes['isotrace.usage.cost']).toBeCloseTo(0.0026, 12);
    expect(spans['chat gpt-x-mini-2026-01-31']?.attributes['isotrace.usage.cost']).toBeCloseTo(0.00015, 12);
    expect(spans['run']?.attributes).toEqual({
      'isotrace.usage.calls': 2,
      'isotrace.usage.input_tokens': 1_500,
      'isotrace.usage.output_tokens': 150,
      'isotrace.usage.total_cost': expect.closeTo(0.00275, 12),
    });
    expect(spans['invoke_agent planner']?.attributes).not.toHaveProperty('isotrace.usage.calls');
    expect(spans['execute_tool search']?.attributes).not.toHaveProperty('isotrace.usage.cost');
    expect(spans['chat own-model']?.attributes).toMatchObject({
      'isotrace.usage.calls': 1,
      'isotrace.usage.input_tokens': 10,
    });
    expect(spans['chat own-model']?.attributes).not.toHaveProperty('isotrace.usage.total_cost');
    const total = { calls: 3, inputTokens: 1_510, outputTokens: 150, cost: expect.closeTo(0.00275, 12), unpriced: 1 };
    expect(a.usage()).toMatchObject({ ...total, currency: 'EUR' });
    expect(a.stats().usage).toEqual(a.usage());
    expect(a.usage()?.models).toEqual({
      'gpt-x': { calls: 1, inputTokens: 1_000, outputTokens: 100, cost: expect.closeTo(0.0026, 12), unpriced: 0 },
      'gpt-x-mini-2026-01-31': {
        calls: 1,
        inputTokens: 500,
        outputTokens: 50,
        cost: expect.closeTo(0.00015, 12),
        unpriced: 0,
      },
      'own-model-2': { calls: 1, inputTokens: 10, outputTokens: 0, cost: 0, unpriced: 1 },
    });
  });

  it('is read from the attributes of any span, and a cost that was told comes before the table', async () => {
    const { registry, named } = await start();
    const a = registry.get('a');
    const attributes = { 'gen_ai.request.model': 'gpt-x', 'gen_ai.usage.output_tokens': 1_000 };
    a.withSpan('root', { kind: SpanKind.SERVER }, () => {
      a.startSpan('of a library', { attributes }).end();
      a.startSpan('told', { attributes: { ...attributes, 'isotrace.usage.cost': 5 } }).end();
    });
    const spans = await named();

    expect(spans['of a library']?.attributes['isotrace.usage.cost']).toBeCloseTo(0.01, 12);
    expect(spans['root']?.attributes['isotrace.usage.total_cost']).toBeCloseTo(5.01, 12);
  });

  it('stays with its tenant, also where one works inside the other', async () => {
    const { registry, received } = await start();
    const [a, b] = [registry.get('a'), registry.get('b')];
    await a.withSpan('root of a', async () => {
      await b.withSpan('root of b', async () => {
        await Promise.resolve();
        a.withModelCall('gpt-x', () => a.recordUsage({ inputTokens: 1 }));
        b.withModelCall('gpt-x', () => b.recordUsage({ inputTokens: 2 }));
        expect(b.recordUsage({})).toBe(false);
      });
    });
    const spans = Object.fromEntries((await received()).map((span) => [span.name, span.attributes]));

    expect([a, b].map((tracer) => tracer.usage()?.inputTokens)).toEqual([1, 2]);
    expect(spans['root of a']).toMatchObject({ 'isotrace.usage.input_tokens': 1, 'isotrace.usage.calls': 1 });
    expect(spans['root of b']).toMatchObject({ 'isotrace.usage.input_tokens': 2, 'isotrace.usage.calls': 1 });
  });

  it('counts for the tenant where sampling turned the span away, and before the configuration came', async () => {
    const { registry } = await start({ configure: async (id) => (id === 'a' ? { sampling: { ratio: 0 } } : {}) });
    const [a, b] = [registry.get('a'), registry.get('b')];
    b.withModelCall('gpt-x', () => b.recordUsage({ inputTokens: 7 }));
    await registry.flush();
    expect(a.withModelCall('gpt-x', () => a.recordUsage({ inputTokens: 5, model: 'gpt-x' }))).toBe(true);

    expect(a.usage()).toMatchObject({ calls: 1, inputTokens: 5 });
    expect(b.usage()).toMatchObject({ calls: 1, inputTokens: 7, cost: expect.closeTo(0.000014, 12) as number });
  });

  it('is not looked at without the option', async () => {
    const { registry, named } = await start({ agents: undefined });
    const a = registry.get('a');
    a.withModelCall('gpt-x', () => expect(a.recordUsage({ inputTokens: 1 })).toBe(true));
    expect(a.recordUsage({ inputTokens: 1 })).toBe(false);

    expect(a.usage()).toBeUndefined();
    expect(a.stats()).not.toHaveProperty('usage');
    expect((await named())['chat gpt-x']?.attributes).not.toHaveProperty('isotrace.usage.calls');
  });

  it('survives a changed configuration, and has the prices of the new one', async () => {
    let input = 1;
    const { registry } = await start({
      agents: undefined,
      configure: () => ({ agents: { prices: { m: { input, output: 0 } } } }),
    });
    const a = registry.get('a');
    const call = () => a.withModelCall('m', () => a.recordUsage({ inputTokens: 1_000_000 }));
    call();
    input = 5;
    expect(await registry.reconfigure('a')).toBe('changed');
    call();

    expect(a.usage()).toMatchObject({ calls: 2, cost: 6 });
  });

  it('is kept by model for 100 models, the others together', async () => {
    const { registry } = await start();
    const a = registry.get('a');
    for (let index = 0; index < 105; index += 1) {
      a.withModelCall(`m${index}`, () => a.recordUsage({ inputTokens: 1 }));
    }

    const models = a.usage()?.models ?? {};
    expect(Object.keys(models)).toHaveLength(101);
    expect(models['_other']).toMatchObject({ calls: 5, inputTokens: 5 });
  });
});

describe('conversations and workflows', () => {
  it('stand on every span inside, with the session, and are gone afterwards', async () => {
    const { registry, named } = await start();
    const a = registry.get('a');
    const result = a.withSession('s', () =>
      a.withConversation('c-1', () =>
        a.withWorkflow({ workflow: 'triage', id: 'w-1' }, (span: Span) => {
          span.setAttribute('seen', true);
          a.withConversation('c-2', () => a.startSpan('inner talk').end());
          return a.withSession('s-2', () => a.withTool('search', () => a.sessionId()));
        }),
      ),
    );
    a.startSpan('after').end();
    const spans = await named();
    const triage = { 'gen_ai.workflow.name': 'triage', 'isotrace.workflow.id': 'w-1' };

    expect(result).toBe('s-2');
    expect(spans['invoke_workflow triage']?.attributes).toEqual({
      ...triage,
      'session.id': 's',
      'gen_ai.conversation.id': 'c-1',
      'gen_ai.operation.name': 'invoke_workflow',
      'isotrace.event.type': 'chain',
      seen: true,
    });
    expect(spans['inner talk']?.attributes).toEqual({
      ...triage,
      'session.id': 's',
      'gen_ai.conversation.id': 'c-2',
    });
    expect(spans['execute_tool search']?.attributes).toMatchObject({
      ...triage,
      'session.id': 's-2',
      'gen_ai.conversation.id': 'c-1',
    });
    expect(spans['after']?.attributes).toEqual({});
  });

  it('belong to one tenant', async () => {
    const { registry, named } = await start();
    const [a, b] = [registry.get('a'), registry.get('b')];
    a.withConversation('of a', () =>
      b.withConversation('of b', () => {
        a.startSpan('span of a').end();
        b.startSpan('span of b').end();
      }),
    );
    const spans = await named();

    expect(spans['span of a']?.attributes).toEqual({ 'gen_ai.conversation.id': 'of a' });
    expect(spans['span of b']?.attributes).toEqual({ 'gen_ai.conversation.id': 'of b' });
  });

  it('let the very error of the function through, recorded once', async () => {
    const { registry, named } = await start();
    const a = registry.get('a');
    const error = new Error('agent failed');
    await expect(a.withAgent('planner', () => Promise.reject(error))).rejects.toBe(error);

    const span = (await named())['invoke_agent planner'];
    expect(span?.status).toMatchObject({ code: 2, message: 'agent failed' });
    expect(span?.events).toHaveLength(1);
  });
});

describe('pending spans', () => {
  it('tell of spans that are open for long, once, and are children with ids of their own', async () => {
    const clock = new FakeClock();
    const { registry, received } = await start({ clock, agents: { pendingAfterMillis: 1_000 } });
    const a = registry.get('a');
    const long = a.startSpan('long', { attributes: { 'gen_ai.usage.input_tokens': 5 } });
    a.startSpan('short').end();
    clock.advance(500);
    const later = a.startSpan('later');
    await clock.advanceAsync(600);
    expect((await received()).map(({ name }) => name)).toEqual(['short', 'long']);
    await clock.advanceAsync(600);
    await clock.advanceAsync(5_000);
    long.end();
    later.end();
    const spans = await received();
    const ofLong = spans.filter(({ name }) => name === 'long');

    expect(spans.map(({ name }) => name)).toEqual(['short', 'long', 'later', 'long', 'later']);
    const [pending, ended] = ofLong as [DecodedSpan, DecodedSpan];
    expect(pending.attributes).toEqual({ 'gen_ai.usage.input_tokens': 5, 'isotrace.pending': true });
    expect(pending).toMatchObject({ traceId: ended.traceId, parentSpanId: ended.spanId });
    expect(pending.spanId).not.toBe(ended.spanId);
    expect(pending.startTimeUnixNano).toBe(ended.startTimeUnixNano);
    expect(pending.endTimeUnixNano).toBe(pending.startTimeUnixNano);
    expect(a.usage()).toMatchObject({ calls: 1, inputTokens: 5 });
  });

  it('are not made after the tenant was evicted, which stays so', async () => {
    const clock = new FakeClock();
    const { registry, received } = await start({ clock, agents: { pendingAfterMillis: 1_000 } });
    const a = registry.get('a');
    const open = a.startSpan('open');
    registry.delete('a');
    await clock.advanceAsync(2_000);
    open.end();
    await clock.advanceAsync(1_000);

    expect((await received()).map(({ name }) => name)).toEqual(['open']);
    expect(registry.stats()).toMatchObject({ revived: 0 });
  });
});
