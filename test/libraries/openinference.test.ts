import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { OpenAIInstrumentation } from '@arizeai/openinference-instrumentation-openai';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { only, startWorld } from '../integration/messaging/messaging-kit.ts';

/** Answers as the API of OpenAI does, and streams when asked to. */
async function answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  const { messages, stream } = JSON.parse(body) as { messages: { content: string }[]; stream?: boolean };
  const content = `answer to ${messages[0]?.content}`;
  const base = { id: 'chatcmpl-1', created: 1, model: 'gpt-x' };
  if (stream === true) {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const delta of [{ role: 'assistant', content: '' }, { content }]) {
      const chunk = { ...base, object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason: null }] };
      response.write(`data: ${JSON.stringify(chunk)}\n\n`);
    }
    response.end('data: [DONE]\n\n');
  } else {
    const message = { role: 'assistant', content };
    const usage = { prompt_tokens: 9, completion_tokens: 4, total_tokens: 13 };
    const choices = [{ index: 0, message, finish_reason: 'stop' }];
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ ...base, object: 'chat.completion', choices, usage }));
  }
}

describe('the OpenAI instrumentation of OpenInference', () => {
  const server = http.createServer((request, response) => void answer(request, response));
  let client: OpenAI;

  beforeAll(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    client = new OpenAI({ apiKey: 'sk-test', baseURL: `http://127.0.0.1:${port}/v1`, maxRetries: 0 });
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  it('sends the calls of each tenant to that tenant, with prompts, answers and tokens', async () => {
    const world = await startWorld({ platform: false });
    const { registry } = world;
    const instrumentation = new OpenAIInstrumentation();
    instrumentation.manuallyInstrument(OpenAI);
    const { uninstall } = registry.install({ instrumentations: [instrumentation], strategy: 'isolated' });
    const chat = async (tenant: 'acme' | 'globex', question: string): Promise<unknown> => {
      const messages = [{ role: 'user' as const, content: `${question} of ${tenant}` }];
      return registry.get(tenant).withSpan(`request ${question}`, async () => {
        if (question !== 'stream') {
          const { choices } = await client.chat.completions.create({ model: 'gpt-x', messages });
          return choices[0]?.message.content;
        }
        let text = '';
        for await (const part of await client.chat.completions.create({ model: 'gpt-x', messages, stream: true })) {
          text += part.choices[0]?.delta.content ?? '';
        }
        return text;
      });
    };
    const tenants = ['acme', 'globex'] as const;
    const asked = tenants.flatMap((tenant) => ['one', 'stream'].map((question) => chat(tenant, question)));
    const answers = await Promise.all(asked);
    expect(answers).toEqual(
      tenants.flatMap((tenant) => [`answer to one of ${tenant}`, `answer to stream of ${tenant}`]),
    );
    for (const [index, tenant] of tenants.entries()) {
      const spans = await world.until(tenant, (found) => found.length === 4);
      const calls = spans.filter(({ name }) => name === 'OpenAI Chat Completions');
      for (const question of ['one', 'stream']) {
        const call = calls.find(({ parentSpanId }) => parentSpanId === only(spans, `request ${question}`).spanId);
        expect(call?.attributes).toMatchObject({
          'openinference.span.kind': 'LLM',
          'llm.model_name': 'gpt-x',
          'llm.input_messages.0.message.content': `${question} of ${tenant}`,
        });
      }
      const first = calls.find(({ attributes }) => attributes['llm.token_count.total'] === 13);
      expect(first?.attributes['output.value']).toContain(`answer to one of ${tenant}`);
      expect(JSON.stringify(spans.map(({ attributes }) => attributes))).not.toContain(tenants[1 - index]);
    }
    uninstall();
  });
});
