import type { MeterProvider as ApiMeterProvider, Attributes } from '@opentelemetry/api';
import {
  AggregationTemporality,
  DataPointType,
  type Histogram,
  MeterProvider,
  MetricReader,
} from '@opentelemetry/sdk-metrics';
import { InMemorySpanExporter } from '@opentelemetry/sdk-trace';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { FakeClock } from '../support/fake-clock.ts';
import { metricRequests, receivedPoints } from '../support/received-metrics.ts';
import { receiver, registryOf, resolveWith, toReceiver, until } from './registry-kit.ts';

/** Collects when it is asked, as a Prometheus endpoint does. */
class PullReader extends MetricReader {
  constructor() {
    super({ aggregationTemporalitySelector: () => AggregationTemporality.CUMULATIVE });
  }

  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

interface Point {
  readonly attributes: Attributes;
  readonly value: number;
}

function meterOf() {
  const reader = new PullReader();
  const meterProvider = new MeterProvider({ readers: [reader] });
  onTestFinished(() => meterProvider.shutdown());
  const collect = async () => {
    const { errors, resourceMetrics } = await reader.collect();
    expect(errors).toEqual([]);
    const own = resourceMetrics.scopeMetrics.find(({ scope }) => scope.name === 'isotrace');
    return new Map(own?.metrics.map((metric) => [metric.descriptor.name, metric]));
  };
  /** The points of a metric, `key=value,… value`, sorted, without what is always the same. */
  const read = async (name: string, ...keys: string[]): Promise<string[]> => {
    const metric = (await collect()).get(name);
    const points = (metric?.dataPoints ?? []) as readonly Point[];
    return points
      .map(({ attributes, value }) => {
        const shown = keys.filter((key) => key in attributes).map((key) => `${key}=${String(attributes[key])}`);
        return [...shown, value].join(' ');
      })
      .sort();
  };
  return { meterProvider, collect, read };
}

const SERVER = ['otel.component.type', 'server.port', 'error.type'];

describe("isotrace's own metrics", () => {
  it('have the names, units and kinds of the semantic conventions', async () => {
    const { collect, meterProvider } = meterOf();
    const target = await receiver();
    const registry = registryOf({ meterProvider, selfMetrics: { tenants: 1 }, configure: toReceiver(target) });
    registry.get('acme').startSpan('work').end();
    await registry.flush();
    const metrics = [...(await collect()).values()].map(({ dataPointType, descriptor, ...rest }) => {
      const kind = dataPointType === DataPointType.HISTOGRAM ? 'histogram' : 'isMonotonic' in rest && rest.isMonotonic;
      return [descriptor.name, descriptor.unit, kind === true ? 'counter' : kind === false ? 'updowncounter' : kind];
    });
    expect(metrics.sort()).toEqual([
      ['isotrace.connection.count', '{connection}', 'updowncounter'],
      ['isotrace.queue.bytes', 'By', 'updowncounter'],
      ['isotrace.request.count', '{request}', 'updowncounter'],
      ['isotrace.span.spooled', '{span}', 'updowncounter'],
      ['isotrace.tenant.count', '{tenant}', 'updowncounter'],
      ['isotrace.tenant.span.created', '{span}', 'counter'],
      ['isotrace.tenant.span.exported', '{span}', 'counter'],
      ['isotrace.tenant.span.queued', '{span}', 'updowncounter'],
      ['isotrace.tenant.transitions', '{transition}', 'counter'],
      ['otel.sdk.exporter.operation.duration', 's', 'histogram'],
      ['otel.sdk.exporter.span.exported', '{span}', 'counter'],
      ['otel.sdk.exporter.span.inflight', '{span}', 'updowncounter'],
      ['otel.sdk.processor.span.processed', '{span}', 'counter'],
      ['otel.sdk.processor.span.queue.capacity', '{span}', 'updowncounter'],
      ['otel.sdk.processor.span.queue.size', '{span}', 'updowncounter'],
      ['otel.sdk.span.live', '{span}', 'updowncounter'],
      ['otel.sdk.span.started', '{span}', 'counter'],
    ]);
  });

  it('count spans that were started and are open, also of tenants that are gone', async () => {
    const { meterProvider, read } = meterOf();
    const target = await receiver();
    const registry = registryOf({
      meterProvider,
      maxTenants: 2,
      configure: (id) => ({ ...toReceiver(target)(id), ...(id === 'none' && { sampling: { ratio: 0 } }) }),
    });
    const started = () => read('otel.sdk.span.started', 'otel.span.sampling_result');
    const expected = (recorded: number, dropped: number) =>
      [`otel.span.sampling_result=DROP ${dropped}`, `otel.span.sampling_result=RECORD_AND_SAMPLE ${recorded}`].sort();
    expect(await started()).toEqual(expected(0, 0));
    const open = registry.get('a').startSpan('open');
    registry.get('a').startSpan('work').end();
    registry.get('none').startSpan('work').end();
    expect(await started()).toEqual(expected(2, 1));
    expect(await read('otel.sdk.span.live')).toEqual(['1']);
    open.end();
    for (const id of ['b', 'c', 'd']) registry.get(id).startSpan('work').end();
    await registry.flush();
    await until(() => registry.stats().draining === 0, 'evicted tenants are drained');
    expect(await started()).toEqual(expected(5, 1));
    // Taken back in, it goes on where it was.
    registry.get('a').startSpan('again').end();
    expect(await started()).toEqual(expected(6, 1));
    expect(await read('otel.sdk.span.live')).toEqual(['0']);
    await until(() => registry.stats().live === 2, 'the cache is full again');
    expect(await read('isotrace.tenant.count', 'isotrace.tenant.state')).toContain('isotrace.tenant.state=live 2');
    expect(await read('isotrace.tenant.transitions', 'isotrace.tenant.transition')).toEqual(
      expect.arrayContaining([
        'isotrace.tenant.transition=created 5',
        `isotrace.tenant.transition=evicted ${registry.stats().evicted}`,
        'isotrace.tenant.transition=revived 1',
      ]),
    );
  });

  it('tell what waits, what is under way, and what became of the rest', async () => {
    const { meterProvider, read } = meterOf();
    const target = await receiver({ fault: { mode: 'hang' } });
    const clock = new FakeClock();
    const registry = registryOf({
      meterProvider,
      clock,
      destination: { endpoint: target.url },
      limits: { maxQueueSize: 10 },
      batch: { maxSize: 4 },
    });
    for (let index = 0; index < 20; index += 1) registry.get('a').startSpan('work').end();
    // Two batches of four are under way.
    expect(await read('otel.sdk.processor.span.queue.size')).toEqual(['10']);
    expect(await read('otel.sdk.processor.span.queue.capacity')).toEqual(['10']);
    expect(await read('otel.sdk.exporter.span.inflight', ...SERVER)).toEqual([
      `otel.component.type=otlp_http_span_exporter server.port=${target.port} 8`,
    ]);
    expect(await read('otel.sdk.processor.span.processed', 'otel.component.type', 'error.type')).toEqual([
      'otel.component.type=batching_span_processor 0',
      'otel.component.type=batching_span_processor error.type=queue_full 2',
    ]);
    expect(Number((await read('isotrace.queue.bytes'))[0])).toBe(registry.stats().bytes);
    expect(await read('isotrace.request.count')).toEqual(['2']);
    await target.waitForRequests(2);
    expect(await read('isotrace.connection.count')).toEqual(['2']);
    // The second attempt of the spans under way is refused for good; then all is well.
    target.setFault((_request, index) => (index < 1 ? { mode: 'status', status: 400 } : { mode: 'ok' }));
    await clock.advanceAsync(10_000);
    await resolveWith(clock, registry.flush({ timeoutMillis: 60_000 }));
    expect(registry.stats().traces.exported + (registry.stats().traces.dropped.rejected ?? 0)).toBe(18);
    expect(await read('otel.sdk.exporter.span.exported', ...SERVER)).toEqual([
      `otel.component.type=otlp_http_span_exporter server.port=${target.port} 14`,
      `otel.component.type=otlp_http_span_exporter server.port=${target.port} error.type=rejected 4`,
    ]);
    expect(await read('otel.sdk.processor.span.processed', 'error.type')).toEqual(['18', 'error.type=queue_full 2']);
    expect(await read('otel.sdk.exporter.span.inflight')).toEqual(['0']);
    expect(await read('otel.sdk.processor.span.queue.size')).toEqual(['0']);
  });

  it('measure an export once, from its first attempt to its last', async () => {
    const { collect, meterProvider } = meterOf();
    const target = await receiver({ fault: { mode: 'status', status: 503 } });
    const clock = new FakeClock();
    const registry = registryOf({ meterProvider, clock, configure: toReceiver(target), batch: { maxSize: 1 } });
    registry.get('a').startSpan('work').end();
    await until(() => registry.get('a').health().destinations[0]?.failures === 1, 'the first attempt fails');
    const points = async () =>
      ((await collect()).get('otel.sdk.exporter.operation.duration')?.dataPoints ?? []) as readonly {
        readonly attributes: Attributes;
        readonly value: Histogram;
      }[];
    expect(await points()).toEqual([]);
    target.setFault({ mode: 'ok' });
    await clock.advanceAsync(250);
    await resolveWith(clock, registry.flush());
    const [point, ...others] = await points();
    expect(others).toEqual([]);
    expect(point?.attributes).toEqual({
      'otel.component.type': 'otlp_http_span_exporter',
      'otel.component.name': 'otlp_http_span_exporter/isotrace',
      'server.address': '127.0.0.1',
      'server.port': target.port,
    });
    expect(point?.value.count).toBe(1);
    expect(point?.value.sum).toBeGreaterThanOrEqual(0.25);
    expect(point?.value.sum).toBeLessThanOrEqual(clock.monotonic() / 1_000);
  });

  it('name exporters of the host by their class', async () => {
    const { meterProvider, read } = meterOf();
    const registry = registryOf({ meterProvider, exporter: new InMemorySpanExporter() });
    registry.get('a').startSpan('work').end();
    await registry.flush();
    expect(await read('otel.sdk.exporter.span.exported', ...SERVER)).toEqual([
      'otel.component.type=InMemorySpanExporter 1',
    ]);
  });

  it('are bounded, whatever endpoints tenants choose, and never tell a tenant unless asked', async () => {
    const { collect, meterProvider } = meterOf();
    const registry = registryOf({
      meterProvider,
      configure: (id) => ({ destination: { endpoint: `http://${id}.invalid` } }),
    });
    for (let index = 0; index < 300; index += 1) registry.get(`tenant-${index}`).startSpan('work').end();
    const metrics = [...(await collect()).values()];
    const most = Math.max(...metrics.map(({ dataPoints }) => dataPoints.length));
    expect(most).toBeLessThanOrEqual(101);
    const attributes = metrics.flatMap(({ dataPoints }) => dataPoints.map((point) => point.attributes));
    expect(attributes.filter((given) => 'tenant.id' in given)).toEqual([]);
    await registry.shutdown({ timeoutMillis: 0 });
  });

  it('are of so many tenants as are asked for, the most recently used first', async () => {
    const { meterProvider, read } = meterOf();
    const target = await receiver();
    const registry = registryOf({ meterProvider, selfMetrics: { tenants: 2 }, configure: toReceiver(target) });
    for (const id of ['a', 'b', 'c', 'b']) registry.get(id).startSpan('work').end();
    expect(await read('isotrace.tenant.span.queued', 'tenant.id')).toEqual(['tenant.id=b 2', 'tenant.id=c 1']);
    await registry.flush();
    expect(await read('isotrace.tenant.span.exported', 'tenant.id')).toEqual(['tenant.id=b 2', 'tenant.id=c 1']);
    expect(await read('isotrace.tenant.span.created', 'tenant.id')).toEqual(['tenant.id=b 2', 'tenant.id=c 1']);
  });

  it('are let go of at shutdown', async () => {
    const { collect, meterProvider } = meterOf();
    const registry = registryOf({ meterProvider });
    const asked = vi.spyOn(registry, 'stats');
    await collect();
    expect(asked).toHaveBeenCalledTimes(1);
    await registry.shutdown();
    await collect();
    expect(asked).toHaveBeenCalledTimes(1);
  });

  it.each([
    () => {
      throw new Error('no meter');
    },
    () => undefined,
    () => ({ createHistogram: () => undefined }),
    () => new Proxy({}, { get: () => () => undefined }),
  ])('never break anything when the meter does (%#)', async (getMeter) => {
    const target = await receiver();
    const meterProvider = { getMeter } as unknown as ApiMeterProvider;
    const registry = registryOf({ meterProvider, configure: toReceiver(target) });
    registry.get('a').startSpan('work').end();
    expect(await registry.shutdown()).toMatchObject({ ok: true, delivered: 1 });
  });

  it.each([
    [{ meterProvider: {} }, 'meterProvider'],
    [{ meterProvider: 'default' }, 'meterProvider'],
    [{ selfMetrics: { tenants: -1 } }, 'selfMetrics.tenants'],
    [{ selfMetrics: { tenants: 10_001 } }, 'selfMetrics.tenants'],
    [{ selfMetrics: true }, 'selfMetrics'],
    [{ selfMetrics: { perTenant: true } }, 'selfMetrics.perTenant'],
  ])('say what is wrong with their options (%j)', (options, option) => {
    const registry = registryOf(options as never);
    expect(registry.health().issues).toMatchObject([{ option }]);
  });
});

describe('without a meter provider', () => {
  it("measures itself in the platform tracer's metrics, where those are sent somewhere", async () => {
    const to = await receiver();
    const registry = registryOf({ platform: { destination: { endpoint: to.url } } });
    registry.get('acme').withSpan('work', () => undefined);
    await registry.flush();
    const started = receivedPoints(to, 'otel.sdk.span.started');
    expect(started.map(({ attributes, value }) => [attributes['otel.span.sampling_result'], value])).toEqual([
      ['RECORD_AND_SAMPLE', 1],
      ['DROP', 0],
    ]);
    expect(receivedPoints(to).every(({ scope }) => scope === 'isotrace')).toBe(true);
  });

  it('is collected once at shutdown, when the tenants have delivered, and sent once to each destination', async () => {
    const [to, other, target] = [await receiver(), await receiver(), await receiver()];
    const destination = [{ endpoint: to.url }, { endpoint: other.url, protocol: 'http/json' as const }];
    const registry = registryOf({ platform: { destination }, configure: toReceiver(target) });
    for (const tenantId of ['acme', 'beta']) registry.get(tenantId).startSpan('work').end();
    registry.platform.startSpan('own').end();
    expect(await registry.shutdown()).toMatchObject({ ok: true, pending: 0 });
    for (const at of [to, other]) {
      expect(at.spans()).toHaveLength(1);
      expect(metricRequests(at)).toHaveLength(1);
      const exported = receivedPoints(at, 'otel.sdk.exporter.span.exported');
      const port = Number(new URL(target.url).port);
      expect(exported.find(({ attributes }) => attributes['server.port'] === port)?.value).toBe(2);
    }
  });

  it('is sent at shutdown also if tenants hang until its end', async () => {
    const [to, hanging] = [await receiver(), await receiver({ fault: { mode: 'hang' } })];
    const clock = new FakeClock();
    const registry = registryOf({
      clock,
      platform: { destination: { endpoint: to.url } },
      configure: toReceiver(hanging),
    });
    registry.get('acme').startSpan('work').end();
    registry.platform.startSpan('own').end();
    const report = registry.shutdown({ timeoutMillis: 8_000 });
    await hanging.waitForRequests(1);
    await to.waitForSpans(1);
    expect(metricRequests(to)).toHaveLength(0);
    await clock.advanceAsync(4_100);
    await to.waitForRequests(2);
    expect(metricRequests(to)).toHaveLength(1);
    expect(await resolveWith(clock, report)).toMatchObject({ ok: false });
    expect(receivedPoints(to, 'otel.sdk.span.started').length).toBeGreaterThan(0);
  });

  it('measures nothing where nobody gets it', async () => {
    const to = await receiver();
    for (const platform of [
      false as const,
      {},
      undefined,
      { destination: { endpoint: to.url }, signals: { metrics: false } },
      { destination: { endpoint: to.url, signals: ['traces' as const] } },
    ]) {
      const registry = registryOf({ platform, destination: { endpoint: to.url } });
      registry.get('acme').withSpan('work', () => undefined);
      await registry.flush();
      expect(registry.stats().metrics.created).toBe(0);
    }
    expect(receivedPoints(to)).toEqual([]);
  });
});
