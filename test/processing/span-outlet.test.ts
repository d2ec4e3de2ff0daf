import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import { describe, expect, it } from 'vitest';
import { Ledger } from '../../src/processing/ledger.ts';
import { createPipeline } from '../../src/processing/pipeline.ts';
import type { RecordDestination } from '../../src/processing/record-lanes.ts';
import { SpanOutlet } from '../../src/processing/span-outlet.ts';
import { WireParts } from '../../src/processing/wire-parts.ts';
import { Guard } from '../../src/utils/guard.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';
import { allSpans, decodeTraceRequest } from '../support/otlp-decoder.ts';
import { endedSpan, unserializableSpan } from './ended-spans.ts';
import { FakeGrpcTransport, FakeTransport, PLAIN_WIRE, response } from './fake-transport.ts';

interface OutletOptions {
  readonly urls?: readonly string[];
  readonly exporter?: SpanExporter;
  readonly maxQueueSize?: number;
  readonly maxTotalBytes?: number;
}

function outletWith({ urls = [], exporter, maxQueueSize = 100, maxTotalBytes = 1_000_000 }: OutletOptions = {}) {
  const clock = new FakeClock();
  const transport = new FakeTransport();
  const pipeline = createPipeline({ clock, transport, grpc: new FakeGrpcTransport(), maxTotalBytes });
  const guard = new Guard({ clock, level: 'balanced' });
  const ledger = new Ledger();
  let progressed = 0;
  let resources = 0;
  const destination = (url: string): RecordDestination => ({
    ...PLAIN_WIRE,
    url: new URL(url),
    timeoutMillis: 10_000,
    headers: () => ({}),
    redaction: undefined,
  });
  const outlet = new SpanOutlet(
    pipeline,
    {
      tenantId: 'a',
      isPlatform: false,
      guard,
      ledger,
      progressed: () => {
        progressed += 1;
      },
    },
    {
      destinations: urls.map(destination),
      exporter: exporter && { exporter, hook: guard.hook('exporter', 'export') },
      redact: undefined,
      limits: { maxQueueSize, maxQueueBytes: 1_000_000, spansPerSecond: Number.POSITIVE_INFINITY },
      batch: { delayMillis: 1_000, maxSize: 10, maxBytes: 100_000 },
      retry: { initialMillis: 1_000, maxMillis: 30_000, giveUpMillis: 300_000 },
      parts: new WireParts(() => {
        resources += 1;
        return { 'service.name': 'shop' };
      }, guard),
    },
  );
  const snapshot = () => ledger.snapshot(outlet.queued);
  return { clock, guard, outlet, pipeline, snapshot, transport, counts: () => ({ progressed, resources }) };
}

function memoryExporter(): SpanExporter & { readonly spans: ReadableSpan[] } {
  const spans: ReadableSpan[] = [];
  return {
    spans,
    export: (batch, answer) => {
      spans.push(...batch);
      answer({ code: 0 });
    },
    shutdown: async () => {},
  };
}

describe('SpanOutlet', () => {
  it('counts a span without any way out', () => {
    const { outlet, snapshot } = outletWith();
    outlet.push(endedSpan('a'));
    expect(snapshot()).toMatchObject({ created: 1, queued: 0, dropped: { no_destination: 1 } });
    expect(outlet.lanes).toEqual([]);
  });

  it('sends every span to every destination, with the resource and the scope, and counts each copy', async () => {
    const { clock, counts, outlet, snapshot, transport } = outletWith({
      urls: ['https://a.test/x', 'https://b.test/y'],
    });
    for (const name of ['one', 'two']) outlet.push(endedSpan(name));
    expect([outlet.queued, outlet.bytes]).toEqual([4, expect.any(Number)]);
    await clock.advanceAsync(1_000);
    expect(transport.requests.map(({ url }) => url.href).sort()).toEqual(['https://a.test/x', 'https://b.test/y']);
    for (const { body } of transport.requests) {
      const [group] = decodeTraceRequest(body).resourceSpans;
      expect(group?.resource.attributes).toEqual({ 'service.name': 'shop' });
      expect(group?.scopeSpans.map(({ scope }) => scope.name)).toEqual(['test']);
      expect(group?.scopeSpans[0]?.spans.map(({ name }) => name)).toEqual(['one', 'two']);
    }
    expect(snapshot()).toMatchObject({ created: 4, exported: 4, queued: 0 });
    expect([outlet.bytes, counts().resources, counts().progressed]).toEqual([0, 1, 2]);
  });

  it('drops a span that cannot be encoded alone, once for each destination, but not for the exporter', async () => {
    const exporter = memoryExporter();
    const { clock, guard, outlet, snapshot, transport } = outletWith({
      urls: ['https://a.test/', 'https://b.test/'],
      exporter,
    });
    outlet.push(endedSpan('before'));
    outlet.push(unserializableSpan());
    outlet.push(endedSpan('after'));
    await clock.advanceAsync(1_000);
    expect(snapshot()).toMatchObject({ created: 9, exported: 7, dropped: { unserializable: 2 } });
    expect(guard.counts()).toEqual({ encoder: 1 });
    for (const { body } of transport.requests) {
      expect(allSpans(decodeTraceRequest(body)).map(({ name }) => name)).toEqual(['before', 'after']);
    }
    expect(exporter.spans.map(({ name }) => name)).toEqual(['before', 'broken', 'after']);
  });

  it('counts exactly what is above the bound of the queue', async () => {
    const { clock, outlet, snapshot, transport } = outletWith({ urls: ['https://a.test/'], maxQueueSize: 15 });
    transport.answer = () => new Promise(() => {});
    for (let count = 0; count < 100; count += 1) outlet.push(endedSpan('a'));
    // Two batches of ten are under way, fifteen spans wait.
    expect(snapshot()).toMatchObject({ created: 100, exported: 0, queued: 35, dropped: { queue_full: 65 } });
    await clock.advanceAsync(0);
    void outlet.close('evicted');
    expect(snapshot()).toMatchObject({ queued: 0, dropped: { queue_full: 65, evicted: 35 } });
  });

  it('gives everything back when it is closed, as soon as its requests have ended', async () => {
    const { clock, outlet, pipeline, snapshot, transport } = outletWith({
      urls: ['https://a.test/', 'https://b.test/'],
      exporter: memoryExporter(),
    });
    transport.answer = ({ signal }) =>
      new Promise((resolve) => {
        signal?.addEventListener('abort', () => resolve({ kind: 'failed', reason: 'aborted', message: 'given up' }));
      });
    for (let count = 0; count < 35; count += 1) outlet.push(endedSpan('a'));
    await settle(1);
    expect(pipeline.dispatcher.underWay).toBe(4);
    await outlet.close('shutdown_deadline');
    expect([pipeline.budget.used, pipeline.chunks.usedBytes, pipeline.dispatcher.underWay]).toEqual([0, 0, 0]);
    expect([pipeline.dispatcher.origins, pipeline.agenda.size]).toEqual([0, 0]);
    await clock.advanceAsync(60_000);
    const { created, exported, queued, dropped } = snapshot();
    expect(created).toBe(exported + queued + (dropped.shutdown_deadline ?? 0));
  });

  it('tells its tenant when the budget of the process took what waited', async () => {
    const { clock, counts, outlet, pipeline, snapshot } = outletWith({
      urls: ['https://a.test/'],
      maxTotalBytes: 100_000,
    });
    for (let count = 0; count < 9; count += 1) outlet.push(endedSpan('a', { text: 'x'.repeat(8_000) }));
    const other = { bytes: 0, shed: () => 0 };
    expect(pipeline.budget.reserve(other, 60_000)).toBe(true);
    const { created, exported, queued, dropped } = snapshot();
    expect([created, exported, queued + (dropped.queue_full ?? 0)]).toEqual([9, 0, 9]);
    expect(dropped.queue_full).toBeGreaterThan(0);
    expect(counts().progressed).toBe(0);
    await clock.advanceAsync(10);
    expect(counts().progressed).toBe(1);
  });

  it('goes on with one destination while the other fails', async () => {
    const { clock, outlet, snapshot, transport } = outletWith({ urls: ['https://good.test/', 'https://bad.test/'] });
    transport.answer = ({ url }) => response(url.hostname === 'bad.test' ? 503 : 200);
    for (let batch = 0; batch < 5; batch += 1) {
      for (let count = 0; count < 10; count += 1) outlet.push(endedSpan('a'));
      await clock.advanceAsync(1_000);
    }
    expect(snapshot()).toMatchObject({ created: 100, exported: 50, queued: 50, dropped: {} });
    expect(outlet.lanes.map(({ condition }) => condition)).toEqual(['idle', 'retrying']);
  });
});
