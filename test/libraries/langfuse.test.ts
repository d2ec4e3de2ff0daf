import { LangfuseSpanProcessor } from '@langfuse/otel';
import { describe, expect, it } from 'vitest';
import { modelCall } from '../../src/index.ts';
import { startReceiver } from '../support/otlp-receiver.ts';
import { startTenants } from '../support/tenant-receivers.ts';

describe("Langfuse's span processor", () => {
  it('in the pipeline of one tenant gets the spans of that tenant only, beside its own destination', async () => {
    const langfuse = await startReceiver();
    const { registry, received } = await startTenants(['acme', 'globex'], {
      tenant: (tenantId) => {
        if (tenantId !== 'acme') return {};
        const keys = { publicKey: 'pk-acme', secretKey: 'sk-acme', baseUrl: langfuse.url };
        const processor = new LangfuseSpanProcessor({ ...keys, environment: 'test', mediaUploadEnabled: false });
        return { spanProcessors: [processor] };
      },
    });
    const ask = async (tenant: string, question: string): Promise<void> => {
      const options = { model: 'gpt-x', provider: 'openai' };
      const call = registry.get(tenant).trace(modelCall(options), async () => {
        await new Promise(setImmediate);
        return question;
      });
      await registry.get(tenant).withSpan(`request ${question}`, call);
    };
    const questions = Array.from({ length: 6 }, (_, number) => ask(number % 2 === 0 ? 'acme' : 'globex', `q${number}`));
    await Promise.all(questions);
    const own = await received('acme');
    expect(Object.keys(own).sort()).toEqual(['chat gpt-x', 'request q0', 'request q2', 'request q4']);
    expect(Object.keys(await received('globex')).sort()).toEqual([
      'chat gpt-x',
      'request q1',
      'request q3',
      'request q5',
    ]);
    await registry.shutdown();
    const exported = langfuse.spans();
    // By its own rules Langfuse keeps what is about models.
    expect(exported.map(({ name }) => name)).toEqual(Array(3).fill('chat gpt-x'));
    const parents = new Set(exported.map(({ parentSpanId }) => parentSpanId));
    const requests = ['q0', 'q2', 'q4'].map((question) => own[`request ${question}`]?.spanId);
    expect(parents).toEqual(new Set(requests));
    expect(exported[0]?.attributes['langfuse.environment']).toBe('test');
    const [request] = langfuse.requests;
    expect(request?.path).toBe('/api/public/otel/v1/traces');
    const credentials = Buffer.from('pk-acme:sk-acme').toString('base64');
    expect(request?.headers['authorization']).toBe(`Basic ${credentials}`);
    await langfuse.close();
  });
});
