import { describe, expect, it } from 'vitest';
import { TracerBase } from '../../src/core/tracer-base.ts';
import { type DestinationOptions, type Tracer, type TracerOptions, TracerRegistry } from '../../src/index.ts';
import type { MetricOutlet } from '../../src/processing/metric-outlet.ts';
import { receiver, registryOf, until } from '../core/registry-kit.ts';
import { logsOf } from '../support/otlp-log-decoder.ts';
import type { OtlpReceiver } from '../support/otlp-receiver.ts';

const BODY = new TextEncoder().encode('one encoded request');

/** The engine-side entrance for metrics of a tracer. */
function othersOf(tracer: Tracer) {
  return TracerBase.runtimeOf(tracer).path.others;
}

/** Pushes `count` data points to every target. */
function pushPoints(outlet: MetricOutlet | undefined, count: number): void {
  for (const target of outlet?.targets ?? []) target.push(BODY, count);
}

function tenantOf(options: TracerOptions): { registry: TracerRegistry; tracer: Tracer } {
  const registry = registryOf({ configure: () => options });
  return { registry, tracer: registry.get('a') };
}

/** One item of each signal. */
function work(tracer: Tracer): void {
  tracer.startSpan('work').end();
  tracer.log.info('work');
  pushPoints(othersOf(tracer).metricOutlet(), 3);
}

function pathsOf({ requests }: OtlpReceiver): string[] {
  return requests.map(({ path }) => path).toSorted();
}

describe('a destination', () => {
  it('gets each signal on its own path, or on the one that was given', async () => {
    const target = await receiver();
    const { tracer } = tenantOf({ destination: { endpoint: `${target.url}/otlp` } });
    work(tracer);
    await tracer.flush();
    expect(pathsOf(target)).toEqual(['/otlp/v1/logs', '/otlp/v1/metrics', '/otlp/v1/traces']);

    const other = await receiver();
    const paths = { traces: '/t', metrics: '/m?key=1', logs: '/l' };
    const { tracer: second } = tenantOf({ destination: { endpoint: other.url, paths } });
    work(second);
    await second.flush();
    expect(pathsOf(other)).toEqual(['/l', '/m?key=1', '/t']);
  });

  it('gets each signal from its own gRPC service', async () => {
    const target = await receiver({ protocol: 'grpc' });
    const { tracer } = tenantOf({ destination: { endpoint: target.url, protocol: 'grpc' } });
    work(tracer);
    expect(await tracer.flush()).toMatchObject({ ok: true, delivered: 5 });
    expect(pathsOf(target)).toEqual(
      ['logs.v1.Logs', 'metrics.v1.Metrics', 'trace.v1.Trace'].map(
        (name) => `/opentelemetry.proto.collector.${name}Service/Export`,
      ),
    );
    const metrics = target.requests.find(({ path }) => path.includes('Metrics'));
    expect(metrics?.body).toEqual(Buffer.from(BODY));
  });

  it('gets only the signals that it takes', async () => {
    const [traces, rest] = [await receiver(), await receiver()];
    const destination: DestinationOptions[] = [
      { endpoint: traces.url, signals: ['traces'] },
      { endpoint: rest.url, signals: ['logs', 'metrics'] },
    ];
    const { tracer } = tenantOf({ destination });
    work(tracer);
    expect(await tracer.flush()).toMatchObject({ ok: true });
    expect(pathsOf(traces)).toEqual(['/v1/traces']);
    expect(pathsOf(rest)).toEqual(['/v1/logs', '/v1/metrics']);
    expect(tracer.stats()).toMatchObject({
      traces: { created: 1, exported: 1 },
      logs: { created: 1, exported: 1 },
      metrics: { created: 3, exported: 3 },
    });
  });

  it('that takes none of the signals it was given is not acceptable', async () => {
    const target = await receiver();
    for (const signals of [[], ['events'], 'traces', [1]]) {
      const { registry, tracer } = tenantOf({ destination: { endpoint: target.url, signals: signals as never } });
      work(tracer);
      await registry.flush();
      expect(tracer.health().issues.map(({ option }) => option)[0]).toMatch(/^destination\.signals/);
      expect(tracer.stats().traces.dropped).toEqual({ no_destination: 1 });
    }
    expect(target.requests).toEqual([]);
  });

  it('that is away is tried with one request at a time, whatever the number of signals', async () => {
    const target = await receiver({ fault: { mode: 'status', status: 503 } });
    const { tracer } = tenantOf({ destination: { endpoint: target.url } });
    work(tracer);
    await tracer.flush({ timeoutMillis: 1_000 });
    target.requests.length = 0;
    target.setFault({ mode: 'hang' });
    work(tracer);
    void tracer.flush({ timeoutMillis: 2_000 });
    await target.waitForRequests(1);
    await until(() => tracer.health().destinations.some(({ failures }) => failures > 0), 'it fails');
    expect(target.requests).toHaveLength(1);
    const stats = tracer.stats();
    expect([stats.traces.queued, stats.logs.queued, stats.metrics.queued]).toEqual([2, 2, 6]);
    expect(tracer.health().destinations).toHaveLength(3);
  });
});

describe('signals', () => {
  it.each(['traces', 'metrics', 'logs'] as const)('without %s costs and counts nothing for it', async (signal) => {
    const target = await receiver();
    const { registry, tracer } = tenantOf({ destination: { endpoint: target.url }, signals: { [signal]: false } });
    work(tracer);
    tracer.withSpan('active', (span) => span.setAttribute('a', 1));
    await registry.flush();
    expect(target.requests.map(({ path }) => path)).not.toContain(`/v1/${signal}`);
    expect(new Set(pathsOf(target)).size).toBe(2);
    expect(tracer.stats()[signal]).toEqual({ created: 0, exported: 0, queued: 0, spooled: 0, dropped: {} });
    expect(tracer.stats().started).toBe(signal === 'traces' ? 0 : 2);
  });

  it('that are switched off while spans are open drop those silently, and come back', async () => {
    const target = await receiver();
    let traces = true;
    const registry = registryOf({
      configure: () => ({ destination: { endpoint: target.url }, signals: { traces } }),
    });
    const tracer = registry.get('a');
    const open = tracer.startSpan('open');
    tracer.startSpan('done').end();
    traces = false;
    await registry.reconfigure('a');
    open.end();
    traces = true;
    await registry.reconfigure('a');
    tracer.startSpan('again').end();
    await registry.flush();
    expect(
      target
        .spans()
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(['again', 'done']);
    expect(tracer.stats()).toMatchObject({ open: 0, traces: { created: 2, exported: 2, queued: 0 } });
  });
});

describe('the outlet for metrics', () => {
  it('asks for what was measured before a flush, an eviction, a changed configuration and the end', async () => {
    const [first, second] = [await receiver(), await receiver()];
    let target = first;
    const registry = registryOf({ configure: () => ({ destination: { endpoint: target.url } }) });
    const tracer = registry.get('a');
    let measured = 0;
    othersOf(tracer).metricSource = {
      collect: async (outlet) => {
        await Promise.resolve();
        pushPoints(outlet, measured);
        measured = 0;
      },
    };
    const sent = ({ requests }: OtlpReceiver) => requests.filter(({ path }) => path === '/v1/metrics').length;
    tracer.startSpan('warm').end();
    measured = 1;
    await tracer.flush();
    expect(sent(first)).toBe(1);
    measured = 2;
    target = second;
    await registry.reconfigure('a');
    await until(() => tracer.stats().metrics.exported === 3, 'the old destination has them');
    expect(sent(first)).toBe(2);
    expect(sent(second)).toBe(0);
    measured = 4;
    registry.delete('a');
    await until(() => tracer.state === 'dormant', 'it is evicted');
    expect(sent(second)).toBe(1);
    tracer.startSpan('back').end();
    await until(() => tracer.state === 'active', 'it is back');
    measured = 8;
    await registry.shutdown();
    expect(sent(second)).toBe(2);
    expect(tracer.stats().metrics).toMatchObject({ created: 15, exported: 15, queued: 0 });
    expect(registry.stats().metrics).toMatchObject({ created: 15, exported: 15 });
  });

  it('tells the format of each destination, and hides what is to be hidden there', async () => {
    const target = await receiver();
    const { tracer } = tenantOf({
      redact: true,
      destination: [
        { endpoint: target.url, protocol: 'http/json' },
        { endpoint: target.url, redact: { keys: ['order'] } },
      ],
    });
    tracer.startSpan('warm').end();
    const targets = othersOf(tracer).metricOutlet()?.targets ?? [];
    expect(targets.map(({ format, index }) => [index, format])).toEqual([
      [0, 'json'],
      [1, 'protobuf'],
    ]);
    const attributes = { keys: ['password', 'order'], values: ['p', 7] };
    expect(targets[0]?.shown(attributes)?.values).toEqual(['[REDACTED]', 7]);
    expect(targets[1]?.shown(attributes)?.values).toEqual(['[REDACTED]', '[REDACTED]']);
    expect(targets[0]?.shown({ keys: null, values: [] } as never)).toBeUndefined();
  });

  it('is bounded in points and bytes, drops the newest, and counts what is refused', async () => {
    const target = await receiver({ fault: { mode: 'hang' } });
    const { tracer } = tenantOf({ destination: { endpoint: target.url }, limits: { maxQueueSize: 100 } });
    tracer.startSpan('warm').end();
    const outlet = othersOf(tracer).metricOutlet();
    for (let index = 0; index < 10; index += 1) pushPoints(outlet, 30);
    const { created, dropped, queued } = tracer.stats().metrics;
    expect(created).toBe(300);
    // Two requests are under way, three more fit the queue.
    expect(queued).toBe(150);
    expect(dropped).toEqual({ queue_full: 150 });
    target.setFault({ mode: 'partial-success', rejected: 5, message: 'not those' });
    target.resetConnections();
    await until(() => tracer.stats().metrics.queued === 0, 'all are settled');
    expect(tracer.stats().metrics.exported + (tracer.stats().metrics.dropped.rejected ?? 0)).toBe(150);
    expect(tracer.stats().metrics.dropped.rejected).toBeGreaterThan(0);
  });

  it('has nothing without a configuration', () => {
    const registry = registryOf({ configure: () => new Promise(() => {}) });
    expect(othersOf(registry.get('a')).metricOutlet()).toBeUndefined();
  });
});

describe('the variables of the platform tracer', () => {
  it('name a destination for each signal', async () => {
    const [general, ownLogs] = [await receiver(), await receiver()];
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: general.url,
      OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=general',
      OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: `${ownLogs.url}/collect`,
      OTEL_EXPORTER_OTLP_LOGS_HEADERS: 'x-tenant=logs',
      OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: 'http/json',
    };
    const before = { ...process.env };
    Object.assign(process.env, env);
    try {
      const registry = new TracerRegistry();
      work(registry.platform);
      await registry.shutdown();
      expect(registry.health().issues).toEqual([]);
    } finally {
      process.env = before;
    }
    // isotrace's own metrics go there too, as often as something was sent since they were read.
    expect([...new Set(pathsOf(general))]).toEqual(['/v1/metrics', '/v1/traces']);
    expect(pathsOf(ownLogs)).toEqual(['/collect']);
    expect(general.requests.every(({ headers }) => headers['x-tenant'] === 'general')).toBe(true);
    const [request] = ownLogs.requests;
    expect(request?.headers).toMatchObject({ 'x-tenant': 'logs', 'content-type': 'application/json' });
    expect(logsOf({ requests: [{ ...request, path: '/v1/logs' }] } as never)).toMatchObject([{ body: 'work' }]);
  });
});
