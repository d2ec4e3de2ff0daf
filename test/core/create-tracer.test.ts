import type { SpanExporter } from '@opentelemetry/sdk-trace';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type CreateTracerOptions, createTracer, IsotraceError, type Tracer } from '../../src/index.ts';
import { FakeClock } from '../support/fake-clock.ts';
import {
  expectBalance,
  names,
  published,
  receiver,
  registryOf,
  resolveWith,
  resources,
  SILENT,
} from './registry-kit.ts';

function tracerOf(options: CreateTracerOptions): Tracer {
  const tracer = createTracer({ logger: SILENT, ...options });
  onTestFinished(async () => {
    await resolveWith(options.clock, tracer.shutdown({ timeoutMillis: 0 }));
  });
  return tracer;
}

describe('createTracer', () => {
  it('makes a tracer that records at once and delivers by itself', async () => {
    const target = await receiver();
    const tracer = tracerOf({
      tenantId: 'workflow-7',
      service: { name: 'worker' },
      destination: { endpoint: target.url, headers: (id) => ({ 'x-tenant': id }) },
      batch: { delayMillis: 1 },
    });
    expect(tracer.state).toBe('active');
    expect(tracer.tenantId).toBe('workflow-7');
    tracer.withSpan('outer', () => tracer.withSpan('inner', () => {}));
    await target.waitForSpans(2);
    expect(names(target)).toEqual(['inner', 'outer']);
    expect(target.requests[0]?.headers['x-tenant']).toBe('workflow-7');
    expect(resources(target)[0]).toMatchObject({ 'service.name': 'worker' });
  });

  it('shuts down with `await using`: delivers, then leaves no socket and no timer', async () => {
    const target = await receiver();
    const clock = new FakeClock();
    const closed = published('isotrace:tenant:closed');
    {
      await using tracer = createTracer({ clock, destination: { endpoint: target.url } });
      tracer.startSpan('work').end();
    }
    expect(names(target)).toEqual(['work']);
    await target.waitForConnections(0);
    expect(clock.pendingTimers).toBe(0);
    expect(closed).toEqual([{ tenantId: 'default' }]);
  });

  it.each(['forceFlush', 'shutdown'] as const)(
    'shuts its exporter down, in its time although %s hangs',
    async (hangs) => {
      const clock = new FakeClock();
      const calls: string[] = [];
      const call = (name: string) => async () => {
        calls.push(name);
        if (name === hangs) await new Promise(() => {});
      };
      const exporter: SpanExporter = {
        export: (_spans, done) => done({ code: 0 }),
        forceFlush: call('forceFlush'),
        shutdown: call('shutdown'),
      };
      const tracer = createTracer({ clock, exporter, logger: SILENT });
      tracer.startSpan('work').end();
      const report = await resolveWith(clock, tracer.shutdown({ timeoutMillis: 3_000 }));
      expect(clock.monotonic()).toBe(3_000);
      expect(report).toMatchObject({ ok: true, delivered: 1 });
      expect(calls).toContain('shutdown');
      expect(clock.pendingTimers).toBe(0);
    },
  );

  it('does nothing, quietly, after shutdown, and counts what ends later', async () => {
    const target = await receiver();
    const tracer = tracerOf({ destination: { endpoint: target.url } });
    const open = tracer.startSpan('open');
    const reports = await Promise.all([tracer.shutdown(), tracer.shutdown()]);
    expect(reports[0]).toEqual(reports[1]);
    open.end();
    tracer.startSpan('late').end();
    expect(await tracer.flush()).toMatchObject({ ok: true, delivered: 0 });
    expect(tracer.stats().traces).toMatchObject({ created: 1, dropped: { shutdown_deadline: 1 } });
    expectBalance(tracer.stats().traces);
    expect(target.requests).toHaveLength(0);
  });

  it('knows nothing of the OTEL_* variables', async () => {
    const target = await receiver();
    vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', target.url);
    vi.stubEnv('OTEL_SERVICE_NAME', 'from the environment');
    vi.stubEnv('OTEL_SDK_DISABLED', 'true');
    const tracer = tracerOf({});
    tracer.startSpan('work').end();
    expect(await tracer.flush()).toMatchObject({ delivered: 0 });
    expect(target.requests).toHaveLength(0);
    expect(tracer.stats().traces).toMatchObject({ created: 1, dropped: { no_destination: 1 } });
  });

  it('throws all problems of its options under strict, and names them in health otherwise', () => {
    const bad = { tenantId: '', batch: { maxSize: 0 }, colour: 'blue' } as never;
    expect(() => createTracer(Object.assign({ strict: true }, bad))).toThrow(IsotraceError);
    const tracer = tracerOf(bad);
    expect(tracer.tenantId).toBe('default');
    expect(
      tracer
        .health()
        .issues.map(({ option }) => option)
        .sort(),
    ).toEqual(['batch.maxSize', 'colour', 'tenantId']);
  });

  it('keeps apart from other tracers and registries: nothing of one is the parent of the other', async () => {
    const target = await receiver();
    const destination = { endpoint: target.url };
    const one = tracerOf({ destination });
    const two = tracerOf({ destination });
    const registry = registryOf({ destination });
    one.withSpan('one', () =>
      two.withSpan('two', () => registry.get('default').withSpan('three', () => one.withSpan('four', () => {}))),
    );
    await Promise.all([one.flush(), two.flush(), registry.flush()]);
    const parents = Object.fromEntries(
      target.spans().map(({ name, parentSpanId, spanId }) => [name, { parentSpanId, spanId }]),
    );
    expect(parents['two']?.parentSpanId).toBe('');
    expect(parents['three']?.parentSpanId).toBe('');
    expect(parents['four']?.parentSpanId).toBe(parents['one']?.spanId);
  });

  it('says that all tracers of a process are one instance of its service', async () => {
    const target = await receiver();
    const destination = { endpoint: target.url };
    const registry = registryOf({ destination });
    const tracers = [tracerOf({ destination }), tracerOf({ destination }), registry.get('acme')];
    for (const tracer of tracers) tracer.startSpan('work').end();
    for (const tracer of tracers) await tracer.flush();
    const instances = resources(target).map((resource) => resource['service.instance.id']);
    expect(instances).toHaveLength(3);
    expect(new Set(instances).size).toBe(1);
  });
});
