import type { ReadableSpan, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace';
import { describe, expect, it } from 'vitest';
import { endSpans, eventually, missing, receiverWith, registryWith } from './delivery-kit.ts';

describe('destinations', () => {
  it('get every span each, compressed where they ask for it', async () => {
    const [plain, zipped] = [await receiverWith(), await receiverWith()];
    const registry = registryWith({
      destination: [
        { endpoint: plain.url },
        { endpoint: zipped.url, compression: 'gzip', headers: { 'x-key': 'two' } },
      ],
    });
    const tracer = registry.get('a');
    endSpans(tracer, 100);
    await tracer.flush();
    expect(tracer.stats().traces).toMatchObject({ created: 200, exported: 200, queued: 0 });
    const [left, right] = [plain, zipped].map((receiver) => receiver.spans().map(({ spanId }) => spanId));
    expect(left).toHaveLength(100);
    expect(right).toEqual(left);
    const [request] = zipped.requests;
    expect(request?.headers).toMatchObject({ 'content-encoding': 'gzip', 'x-key': 'two' });
    expect(request?.raw.length).toBeLessThan(request?.body.length ?? 0);
    expect(plain.requests[0]?.headers['content-encoding']).toBeUndefined();
    expect(plain.requests[0]?.headers['x-key']).toBeUndefined();
  });

  it('do not wait for each other', async () => {
    const [hanging, good] = [await receiverWith({ fault: { mode: 'hang' } }), await receiverWith()];
    const registry = registryWith({
      batch: { maxSize: 10 },
      destination: [{ endpoint: hanging.url }, { endpoint: good.url }],
    });
    const tracer = registry.get('a');
    endSpans(tracer, 100);
    await good.waitForSpans(100);
    await eventually(
      () => tracer.stats().traces.exported === 100,
      () => 'the answers',
    );
    expect(tracer.stats().traces).toMatchObject({ created: 200, queued: 100, dropped: {} });
  });

  it('that do not exist are counted', async () => {
    const registry = registryWith({});
    const tracer = registry.get('a');
    endSpans(tracer, 7);
    await expect(tracer.flush()).resolves.toMatchObject({ pending: 0 });
    expect(tracer.stats().traces).toMatchObject({ created: 7, queued: 0, dropped: { no_destination: 7 } });
  });
});

describe('a span that cannot be encoded', () => {
  it('is dropped alone', async () => {
    const receiver = await receiverWith();
    const registry = registryWith({ destination: { endpoint: receiver.url }, spanProcessors: [breakSpansNamed('50')] });
    const tracer = registry.get('a');
    endSpans(tracer, 100);
    await tracer.flush();
    expect(tracer.stats().traces).toMatchObject({ created: 100, exported: 99, dropped: { unserializable: 1 } });
    expect(receiver.spans().map(({ name }) => name)).toEqual(
      Array.from({ length: 100 }, (_, index) => `${index}`).filter((name) => name !== '50'),
    );
    expect(tracer.health().errors).toEqual({ encoder: 1 });
  });
});

describe('an exporter of the user’s', () => {
  it('gets every span beside the destination', async () => {
    const receiver = await receiverWith();
    const exporter = new MemoryExporter();
    const registry = registryWith({ destination: { endpoint: receiver.url }, exporter, batch: { maxSize: 10 } });
    const tracer = registry.get('a');
    endSpans(tracer, 25);
    await tracer.flush();
    expect(exporter.spans.map(({ name }) => name)).toEqual(Array.from({ length: 25 }, (_, index) => `${index}`));
    expect(Math.max(...exporter.sizes)).toBeLessThanOrEqual(10);
    expect(receiver.spans()).toHaveLength(25);
    expect(tracer.stats().traces).toMatchObject({ created: 50, exported: 50, queued: 0, dropped: {} });
  });

  it('that fails is tried again with the same spans', async () => {
    const exporter = new MemoryExporter();
    exporter.failures = 2;
    const registry = registryWith({ exporter });
    const tracer = registry.get('a');
    endSpans(tracer, 5);
    await expect(tracer.flush()).resolves.toMatchObject({ pending: 5 });
    await expect(tracer.flush()).resolves.toMatchObject({ pending: 5 });
    await expect(tracer.flush()).resolves.toMatchObject({ pending: 0, delivered: 5 });
    expect(tracer.stats().traces).toMatchObject({ created: 5, exported: 5, dropped: {} });
  });

  it('that hangs for one tenant does not hold up those with exporters of their own', async () => {
    const silent = new MemoryExporter();
    silent.export = () => {};
    const exporters = new Map([
      ['silent', silent],
      ...['a', 'b', 'c'].map((id) => [id, new MemoryExporter()] as const),
    ]);
    const registry = registryWith({
      batch: { maxSize: 5 },
      configure: (tenantId) => ({ exporter: exporters.get(tenantId) as SpanExporter }),
    });
    for (const id of exporters.keys()) endSpans(registry.get(id), 50);
    await eventually(
      () => ['a', 'b', 'c'].every((id) => exporters.get(id)?.spans.length === 50),
      () => 'the other exporters',
    );
    const { traces } = registry.get('silent').stats();
    expect([traces.created, traces.queued, missing(traces)]).toEqual([50, 50, 0]);
    await expect(registry.get('silent').shutdown({ timeoutMillis: 0 })).resolves.toMatchObject({
      dropped: { shutdown_deadline: 50 },
    });
  });

  it('that all tenants share is not asked for more than eight exports at a time', async () => {
    const exporter = new MemoryExporter();
    let atOnce = 0;
    let most = 0;
    exporter.export = (spans, answer) => {
      atOnce += 1;
      most = Math.max(most, atOnce);
      setImmediate(() => {
        atOnce -= 1;
        exporter.spans.push(...spans);
        answer({ code: 0 });
      });
    };
    const registry = registryWith({ exporter });
    for (let number = 0; number < 100; number += 1) endSpans(registry.get(`tenant ${number}`), 3);
    await expect(registry.flush()).resolves.toMatchObject({ delivered: 300, pending: 0 });
    expect(most).toBe(8);
    expect(exporter.spans).toHaveLength(300);
  });

  it('makes no spans of its own', async () => {
    const receiver = await receiverWith();
    const exporter = new MemoryExporter();
    const registry = registryWith({ destination: { endpoint: receiver.url }, exporter, batch: { maxSize: 1 } });
    exporter.export = (spans, answer) => {
      registry.withSpan('instrumented', () => {});
      registry.get('a').startActiveSpan('instrumented', (span) => span.end());
      exporter.spans.push(...spans);
      answer({ code: 0 });
    };
    registry.get('a').withSpan('work', () => {});
    await registry.flush();
    expect(exporter.spans.map(({ name }) => name)).toEqual(['work']);
    expect(receiver.spans().map(({ name }) => name)).toEqual(['work']);
  });

  it('counts for the bound like everything else', async () => {
    const exporter = new MemoryExporter();
    exporter.export = () => {};
    const registry = registryWith({ exporter, limits: { maxQueueSize: 20 }, batch: { maxSize: 10 } });
    const tracer = registry.get('a');
    endSpans(tracer, 100);
    expect(tracer.stats().traces).toMatchObject({ created: 100, queued: 40, dropped: { queue_full: 60 } });
  });
});

class MemoryExporter implements SpanExporter {
  readonly spans: ReadableSpan[] = [];
  readonly sizes: number[] = [];
  failures = 0;

  export: SpanExporter['export'] = (spans, answer) => {
    if (this.failures > 0) {
      this.failures -= 1;
      answer({ code: 1, error: new Error('not now') });
      return;
    }
    this.spans.push(...spans);
    this.sizes.push(spans.length);
    answer({ code: 0 });
  };

  async shutdown(): Promise<void> {}
}

/** A processor that leaves a span behind that no request can hold. */
function breakSpansNamed(name: string): SpanProcessor {
  return {
    onStart: () => {},
    onEnd: (span) => {
      if (span.name === name) Object.assign(span, { endTime: [Number.NaN, 0] });
    },
    forceFlush: async () => {},
    shutdown: async () => {},
  };
}
