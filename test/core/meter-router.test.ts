import { context, metrics, ROOT_CONTEXT } from '@opentelemetry/api';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { RegistryOptions, Tracer } from '../../src/index.ts';
import { hostileValues } from '../support/hostile-values.ts';
import { metricRequests, receivedPoints } from '../support/received-metrics.ts';
import { receiver, registryOf } from './registry-kit.ts';

async function installed(options: RegistryOptions<Tracer> = {}) {
  const to = await receiver();
  const registry = registryOf({
    configure: (id) => ({ destination: { endpoint: to.url, headers: { 'x-tenant': id } } }),
    platform: { destination: { endpoint: to.url, headers: { 'x-tenant': 'platform' } } },
    ...options,
  });
  const installation = registry.install();
  onTestFinished(() => installation.uninstall());
  const seen = (name: string): unknown[] =>
    metricRequests(to)
      .flatMap((request) =>
        receivedPoints({ requests: [request] } as never, name).map(({ value, count }) => [
          request.headers['x-tenant'],
          value ?? count,
        ]),
      )
      .sort();
  return { to, registry, installation, seen };
}

describe('the global meter provider after install()', () => {
  test('hands each measurement to the tenant of its context', async () => {
    const { registry, seen, to } = await installed();
    const meter = metrics.getMeter('@opentelemetry/instrumentation-http', '0.223.0');
    const duration = meter.createHistogram('http.server.request.duration', { unit: 's' });
    const shared = { 'http.route': '' };
    for (const id of ['a', 'b', 'a']) {
      await registry.run(id, async () => {
        await Promise.resolve();
        shared['http.route'] = `/of/${id}`;
        duration.record(0.1, shared);
      });
    }
    duration.record(0.2);
    registry.run('a', () => meter.createCounter('given').add(1, {}, ROOT_CONTEXT));
    await registry.flush();
    expect(seen('http.server.request.duration')).toEqual([
      ['a', 2],
      ['b', 1],
      ['platform', 1],
    ]);
    expect(seen('given')).toEqual([['platform', 1]]);
    const point = receivedPoints(to, 'http.server.request.duration').find(({ count }) => count === 2);
    expect(point).toMatchObject({
      scope: '@opentelemetry/instrumentation-http',
      attributes: { 'http.route': '/of/a' },
    });
  });

  test('keeps what is measured before the tenant is known for the one that the request names', async () => {
    const { registry, seen } = await installed();
    const { trace } = await import('@opentelemetry/api');
    const active = metrics.getMeter('m').createUpDownCounter('active');
    for (const id of ['a', undefined]) {
      const span = trace.getTracer('t').startSpan('GET', { kind: 1 });
      context.with(trace.setSpan(context.active(), span), () => {
        const attributes = { scheme: 'http' };
        active.add(1, attributes);
        attributes.scheme = 'changed';
        if (id !== undefined) registry.run(id, () => active.add(5, { scheme: 'http' }));
        span.end();
      });
    }
    await registry.flush();
    expect(seen('active')).toEqual([
      ['a', 6],
      ['platform', 1],
    ]);
  });

  test('measures nothing outside every tenant where that is to be dropped', async () => {
    const { registry, seen } = await installed({ unassigned: 'drop' });
    const counter = metrics.getMeter('m').createCounter('c');
    const observed: unknown[] = [];
    metrics
      .getMeter('m')
      .createObservableGauge('g')
      .addCallback((result) => {
        observed.push(result);
      });
    counter.add(1);
    registry.run('a', () => counter.add(2));
    await registry.flush();
    expect(seen('c')).toEqual([['a', 2]]);
    expect(observed).toEqual([]);
  });

  test('asks observables for the platform, until it is taken out', async () => {
    const { installation, registry, seen } = await installed();
    const meter = metrics.getMeter('runtime');
    const gauge = meter.createObservableGauge('loop');
    const [one, other] = [meter.createObservableCounter('one'), meter.createObservableUpDownCounter('other')];
    gauge.addCallback((result) => result.observe(1));
    const batch = (result: { observe(metric: unknown, value: number): void }): void => {
      result.observe(one, 2);
      result.observe(other, 3);
    };
    meter.addBatchObservableCallback(batch as never, [one, other]);
    await registry.flush();
    expect([seen('loop'), seen('one'), seen('other')]).toEqual([
      [['platform', 1]],
      [['platform', 2]],
      [['platform', 3]],
    ]);
    const counter = meter.createCounter('c');
    installation.uninstall();
    counter.add(1);
    await registry.flush();
    expect([seen('loop').length, seen('one').length, seen('c')]).toEqual([1, 1, []]);
    expect(metrics.setGlobalMeterProvider({ getMeter: () => meter } as never)).toBe(true);
    metrics.disable();
  });

  test("leaves a provider of the host's own alone", async () => {
    const own = { getMeter: () => undefined };
    metrics.setGlobalMeterProvider(own as never);
    onTestFinished(() => metrics.disable());
    const { installation } = await installed();
    expect(metrics.getMeterProvider()).toBe(own);
    installation.uninstall();
    expect(metrics.getMeterProvider()).toBe(own);
  });

  test('throws nothing, whatever it is given', async () => {
    const { registry } = await installed();
    for (const { value } of hostileValues()) {
      const meter = metrics.getMeter(value as never, value as never);
      registry.run('a', () => meter.createCounter(value as never, value as never).add(value as never, value as never));
      meter.createHistogram('h').record(1, value as never, value as never);
      meter.createObservableGauge('g').addCallback(value as never);
      meter.addBatchObservableCallback(value as never, value as never);
      meter.removeBatchObservableCallback(value as never, value as never);
    }
  });
});
