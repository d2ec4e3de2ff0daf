import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { expect, it } from 'vitest';
import { startReceiver } from './otlp-receiver.ts';

it.each(['none', 'gzip'] as const)(
  'the receiver of the tests decodes what the stock exporter sends, compression %s',
  async (compression) => {
    const receiver = await startReceiver();
    const exporter = new OTLPTraceExporter({ url: `${receiver.url}/v1/traces`, compression: compression as never });
    const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
    provider
      .getTracer('test')
      .startSpan('one', { attributes: { answer: 42 } })
      .end();
    const [span] = await receiver.waitForSpans(1);
    expect(span).toMatchObject({ name: 'one', attributes: { answer: 42 } });
    expect(receiver.requests[0]?.headers['content-encoding']).toBe(compression === 'gzip' ? 'gzip' : undefined);
    await provider.shutdown();
    await receiver.close();
  },
);
