import { SpanKind } from '@opentelemetry/api';
import { describe, expect, it } from 'vitest';
import { agentCall, chainStep, modelCall, toolCall, workflowRun } from '../../src/index.ts';
import { startTenants } from '../support/tenant-receivers.ts';

/** OTLP counts kinds from 1. */
const kind = (of: SpanKind): number => of + 1;

describe('presets', () => {
  it('name spans, and say what they are, by the conventions for generative AI', async () => {
    const { registry, received } = await startTenants(['a']);
    const a = registry.get('a');
    const attributes = { mine: 1 };
    a.traceModel({ model: 'gpt-x', provider: 'openai', attributes }, () => 1)();
    a.traceModel({ model: 'embed-x', operation: 'embeddings' }, () => 1)();
    a.traceTool({ tool: 'search', type: 'datastore', description: 'finds' }, (q: string) => q)('x');
    a.traceChain('retrieve and answer', () => 1)();
    a.traceAgent({ agent: 'planner', id: 'p-1' }, () => 1)();
    a.traceAgent({ agent: 'away', remote: true, provider: 'aws.bedrock', model: 'm' }, () => 1)();
    const spans = await received('a');
    const shown = Object.fromEntries(Object.entries(spans).map(([name, span]) => [name, [span.kind, span.attributes]]));

    expect(shown).toEqual({
      'chat gpt-x': [
        kind(SpanKind.CLIENT),
        {
          'gen_ai.operation.name': 'chat',
          'gen_ai.request.model': 'gpt-x',
          'gen_ai.provider.name': 'openai',
          'isotrace.event.type': 'model',
          mine: 1,
        },
      ],
      'embeddings embed-x': [
        kind(SpanKind.CLIENT),
        { 'gen_ai.operation.name': 'embeddings', 'gen_ai.request.model': 'embed-x', 'isotrace.event.type': 'model' },
      ],
      'execute_tool search': [
        kind(SpanKind.INTERNAL),
        {
          'gen_ai.operation.name': 'execute_tool',
          'gen_ai.tool.name': 'search',
          'gen_ai.tool.type': 'datastore',
          'gen_ai.tool.description': 'finds',
          'isotrace.event.type': 'tool',
        },
      ],
      'retrieve and answer': [kind(SpanKind.INTERNAL), { 'isotrace.event.type': 'chain' }],
      'invoke_agent planner': [
        kind(SpanKind.INTERNAL),
        {
          'gen_ai.operation.name': 'invoke_agent',
          'gen_ai.agent.name': 'planner',
          'gen_ai.agent.id': 'p-1',
          'isotrace.event.type': 'chain',
        },
      ],
      'invoke_agent away': [
        kind(SpanKind.CLIENT),
        {
          'gen_ai.operation.name': 'invoke_agent',
          'gen_ai.agent.name': 'away',
          'gen_ai.provider.name': 'aws.bedrock',
          'gen_ai.request.model': 'm',
          'isotrace.event.type': 'chain',
        },
      ],
    });
  });

  it('read usage from a result, or from what a stream yielded', async () => {
    const { registry, received } = await startTenants(['a']);
    const a = registry.get('a');
    const usage = (result: { in: number; out: number; model: string }) => ({
      inputTokens: result.in,
      outputTokens: result.out,
      model: result.model,
    });
    await a.traceModel({ model: 'once', usage }, async () => ({ in: 5, out: 7, model: 'once-1' }))();
    const last = (chunks: readonly { out?: number }[]) => ({ outputTokens: chunks.at(-1)?.out });
    const streamed = a.traceModel({ model: 'streamed', usage: last }, function* () {
      yield {};
      yield { out: 9 };
    });
    for (const _ of streamed());
    const spans = await received('a');

    expect(spans['chat once']?.attributes).toMatchObject({
      'gen_ai.usage.input_tokens': 5,
      'gen_ai.usage.output_tokens': 7,
      'gen_ai.response.model': 'once-1',
    });
    expect(spans['chat streamed']?.attributes).toMatchObject({ 'gen_ai.usage.output_tokens': 9 });
  });

  it('are options of `trace` too, for registries and decorators', async () => {
    const { registry, received } = await startTenants(['a']);
    const a = registry.get('a');
    const search = registry.trace(
      toolCall({ tool: 'search', attributes: (query: string) => ({ query }), capture: true }),
      (query: string) => query.length,
    );
    class Desk {
      @a.traceAgent('desk')
      answer(question: string): string {
        return `${question}!`;
      }
    }
    expect(a.run(() => search('abc'))).toBe(3);
    expect(new Desk().answer('hi')).toBe('hi!');
    const spans = await received('a');

    expect(spans['execute_tool search']?.attributes).toMatchObject({
      query: 'abc',
      'isotrace.arguments': '["abc"]',
      'isotrace.result': '3',
    });
    expect(spans['invoke_agent desk']).toBeDefined();
  });

  it('make something of anything', () => {
    for (const make of [modelCall, toolCall, chainStep, agentCall, workflowRun]) {
      for (const given of [undefined, null, 5, {}, new Proxy({}, { get: () => Symbol('x') })]) {
        expect(() => make(given as never)).not.toThrow();
      }
    }
  });
});

describe('traceClass', () => {
  const makeClass = () => {
    class Orders {
      static open(): Orders {
        return new Orders();
      }
      readonly field = () => 'field';
      #total = 1;
      get total(): number {
        return this.#total;
      }
      add(amount: number): number {
        this.#total += amount;
        return this.#total;
      }
      async load(): Promise<string> {
        return 'loaded';
      }
      toJSON(): string {
        return 'json';
      }
    }
    return Orders;
  };

  it('wraps own and static methods, and leaves accessors, fields and protocols alone', async () => {
    const { registry, received } = await startTenants(['a']);
    const a = registry.get('a');
    const Orders = makeClass();
    expect(a.traceClass(Orders)).toBe(Orders);
    const orders = Orders.open();
    expect([orders.add(2), await orders.load(), orders.total, orders.field()]).toEqual([3, 'loaded', 3, 'field']);
    expect(JSON.stringify(orders)).toBe('"json"');

    expect(Object.keys(await received('a')).sort()).toEqual(['Orders.add', 'Orders.load', 'Orders.open']);
  });

  it('takes only what is included and not excluded, with the options of `trace`', async () => {
    const { registry, received } = await startTenants(['a']);
    const a = registry.get('a');
    const [First, Second] = [makeClass(), makeClass()];
    a.traceClass(First, { include: ['add', 'toJSON'], className: 'First', capture: true });
    a.traceClass(Second, { include: /^(?:add|load)$/g, exclude: ['load'], className: 'Second' });
    for (const orders of [First.open(), Second.open()]) {
      orders.add(1);
      await orders.load();
      orders.toJSON();
    }
    const spans = await received('a');

    expect(Object.keys(spans).sort()).toEqual(['First.add', 'First.toJSON', 'Second.add']);
    expect(spans['First.add']?.attributes).toEqual({ 'isotrace.arguments': '[1]', 'isotrace.result': '2' });
  });

  it('is a decorator, with and without options', async () => {
    const { registry, received } = await startTenants(['a']);
    const { traceClass } = registry.get('a');
    @traceClass
    class Plain {
      go(): number {
        return 1;
      }
    }
    @traceClass({ exclude: ['skip'] })
    class Chosen {
      go(): number {
        return this.skip() + 1;
      }
      skip(): number {
        return 1;
      }
    }
    expect([new Plain().go(), new Chosen().go()]).toEqual([1, 2]);

    expect(Object.keys(await received('a')).sort()).toEqual(['Chosen.go', 'Plain.go']);
  });
});
