import { generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai';
import { convertArrayToReadableStream, MockLanguageModelV3 } from 'ai/test';
import { describe, expect, it } from 'vitest';
import { only, startWorld } from '../integration/messaging/messaging-kit.ts';

const usage = {
  inputTokens: { total: 11, noCache: 11, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 5, text: 5, reasoning: 0 },
};

/** Answers with a call of the tool first, then with the text. */
function modelFor(text: string): MockLanguageModelV3 {
  let turns = 0;
  return new MockLanguageModelV3({
    modelId: 'mock-1',
    doGenerate: async () => {
      await new Promise(setImmediate);
      turns += 1;
      if (turns > 1) {
        const finishReason = { unified: 'stop' as const, raw: 'stop' };
        return { content: [{ type: 'text', text }], finishReason, usage, warnings: [] };
      }
      const call = { type: 'tool-call' as const, toolCallId: 'c-1', toolName: 'stock', input: '{"item":"tea"}' };
      return { content: [call], finishReason: { unified: 'tool-calls', raw: undefined }, usage, warnings: [] };
    },
    doStream: async () => ({
      stream: convertArrayToReadableStream([
        { type: 'stream-start', warnings: [] },
        { type: 'text-start', id: '1' },
        { type: 'text-delta', id: '1', delta: text },
        { type: 'text-end', id: '1' },
        { type: 'finish', finishReason: { unified: 'stop', raw: 'stop' }, usage },
      ]),
    }),
  });
}

describe("the AI SDK's experimental_telemetry", () => {
  it('takes a tenant for its tracer: calls, steps and tools of interleaved tenants stay apart', async () => {
    const world = await startWorld();
    const { registry } = world;
    const answer = async (tenant: 'acme' | 'globex'): Promise<string> => {
      const tracer = registry.get(tenant);
      const stock = tool({
        inputSchema: jsonSchema<{ item: string }>({ type: 'object', properties: { item: { type: 'string' } } }),
        execute: async ({ item }) => registry.withSpan(`query ${item}`, () => `${tenant} has 3`),
      });
      const result = await generateText({
        model: modelFor(`answer for ${tenant}`),
        prompt: `question of ${tenant}`,
        tools: { stock },
        stopWhen: stepCountIs(3),
        experimental_telemetry: { isEnabled: true, functionId: 'advise', tracer },
      });
      return result.text;
    };
    const texts = await Promise.all([answer('acme'), answer('globex'), answer('acme')]);
    expect(texts).toEqual(['answer for acme', 'answer for globex', 'answer for acme']);
    for (const [tenant, other, calls] of [['acme', 'globex', 2] as const, ['globex', 'acme', 1] as const]) {
      const spans = await world.spans(tenant);
      const byId = new Map(spans.map((span) => [span.spanId, span]));
      const pathOf = (id: string): string[] => {
        const span = byId.get(id);
        return span === undefined ? [] : [...pathOf(span.parentSpanId), span.name];
      };
      const paths = spans.map(({ spanId }) => pathOf(spanId).join(' > '));
      const one = [
        'ai.generateText',
        'ai.generateText > ai.generateText.doGenerate',
        'ai.generateText > ai.generateText.doGenerate',
        'ai.generateText > ai.toolCall',
        'ai.generateText > ai.toolCall > query tea',
      ];
      expect(paths.sort()).toEqual(
        Array.from({ length: calls }, () => one)
          .flat()
          .sort(),
      );
      const text = JSON.stringify(spans.map(({ attributes }) => attributes));
      expect(text).toContain(`answer for ${tenant}`);
      expect(text).not.toContain(other);
      const step = spans.find(({ name }) => name === 'ai.generateText.doGenerate');
      expect(step?.attributes).toMatchObject({ 'gen_ai.usage.input_tokens': 11, 'gen_ai.usage.output_tokens': 5 });
    }
  });

  it('follows the tenant of the running code without a tracer, once the registry is installed, also for streams', async () => {
    const world = await startWorld();
    const { registry } = world;
    const { uninstall } = registry.install();
    const telemetry = { isEnabled: true };
    const stream = (tenant: string): Promise<string> =>
      registry.run(tenant, async () => {
        const { textStream } = streamText({ model: modelFor(tenant), prompt: 'hi', experimental_telemetry: telemetry });
        let text = '';
        for await (const part of textStream) text += part;
        return text;
      });
    expect(await Promise.all([stream('acme'), stream('globex')])).toEqual(['acme', 'globex']);
    for (const tenant of ['acme', 'globex'] as const) {
      const spans = await world.until(tenant, (found) => found.length === 2);
      const call = only(spans, 'ai.streamText');
      expect(only(spans, 'ai.streamText.doStream').parentSpanId).toBe(call.spanId);
      expect(call.attributes['ai.response.text']).toBe(tenant);
    }
    uninstall();
  });
});
