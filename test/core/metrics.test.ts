import { describe, expect, test } from 'vitest';
import { createTracer, type RegistryOptions, type Tracer, type TracerOptions } from '../../src/index.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { hostileValues } from '../support/hostile-values.ts';
import { metricRequests, receivedPoints } from '../support/received-metrics.ts';
import { expectBalance, receiver, registryOf, resolveWith, SILENT, toReceiver } from './registry-kit.ts';

async function kit(options: Omit<RegistryOptions<Tracer>, 'metrics'> & { metrics?: TracerOptions['metrics'] } = {}) {
  const to = await receiver();
  const registry = registryOf({ configure: toReceiver(to), ...options });
  const flush = () => resolveWith(options.clock, registry.flush());
  return { to, registry, flush };
}

describe('metrics of a tenant', () => {
  test.each(['http/protobuf', 'http/json', 'grpc'] as const)(
    'go out by %s as OpenTelemetry reads them',
    async (protocol) => {
      const to = await receiver(protocol === 'grpc' ? { protocol: 'grpc' } : {});
      const registry = registryOf({
        service: { name: 'shop' },
        configure: (tenantId) => ({ destination: { endpoint: to.url, protocol, headers: { 'x-tenant': tenantId } } }),
      });
      const { metrics } = registry.get('acme');
      metrics.counter('orders', { unit: '{order}', description: 'Placed', integer: true }).add(2, { plan: 'free' });
      metrics.upDownCounter('jobs').add(-3);
      metrics.gauge('temperature', { unit: 'Cel' }).record(42);
      metrics.gauge('temperature').record(42);
      metrics.histogram('size', { unit: 'By', buckets: [10, 100] }).record(50);
      metrics.observableGauge('depth', (result) => result.observe(7, { queue: 'a' }));
      metrics.observableCounter('cpu', async (result) => result.observe(1.5), { unit: 's' });
      expect(await registry.flush()).toMatchObject({ ok: true, delivered: 6 });
      const points = receivedPoints(to);
      expect(points.map(({ name, value, unit }) => [name, value, unit])).toEqual(
        expect.arrayContaining([
          ['orders', 2, '{order}'],
          ['jobs', -3, ''],
          ['temperature', 42, 'Cel'],
          ['size', undefined, 'By'],
          ['depth', 7, ''],
          ['cpu', 1.5, 's'],
        ]),
      );
      const [orders, size] = ['orders', 'size'].map((name) => points.find((point) => point.name === name));
      expect(orders).toMatchObject({
        attributes: { plan: 'free' },
        isMonotonic: true,
        valueKind: 'int',
        temporality: 'cumulative',
      });
      expect(orders?.resource).toMatchObject({ 'service.name': 'shop', 'telemetry.sdk.name': 'isotrace' });
      expect(Object.values(orders?.resource ?? {})).not.toContain('acme');
      expect(size).toMatchObject({ bounds: [10, 100], buckets: [0, 1, 0], count: 1, sum: 50 });
      expect(metricRequests(to).every(({ headers }) => headers['x-tenant'] === 'acme')).toBe(true);
      expectBalance(registry.get('acme').stats().metrics);
    },
  );

  test('are sent every interval, not by a timer of each tenant', async () => {
    const clock = new FakeClock();
    const { registry, to } = await kit({ clock, metrics: { intervalMillis: 1_000 } });
    for (let index = 0; index < 1_000; index++) registry.get(`t${index}`).metrics.counter('c').add(1);
    expect(clock.pendingTimers).toBeLessThanOrEqual(3);
    await clock.advanceAsync(500);
    const early = new Set(metricRequests(to).map(({ headers }) => headers['x-tenant']));
    await clock.advanceAsync(550);
    for (let turn = 0; turn < 200 && receivedPoints(to).length < 1_000; turn++) await clock.advanceAsync(1);
    expect(early.size).toBeLessThan(1_000);
    expect(new Set(metricRequests(to).map(({ headers }) => headers['x-tenant'])).size).toBe(1_000);
    expect(clock.pendingTimers).toBeLessThanOrEqual(3);
  });

  test('of interleaved tenants never mix', async () => {
    const { flush, registry, to } = await kit();
    const tenants = ['canary-a', 'canary-b', 'canary-c'].map((id) => registry.get(id));
    const shared = { tenant: '' };
    for (let round = 0; round < 50; round++) {
      for (const tenant of tenants) {
        shared.tenant = tenant.tenantId;
        tenant.metrics.counter('c').add(1, shared);
        await tenant.withSpan('work', async () => {
          await Promise.resolve();
          tenants[round % 3]?.metrics.histogram('h').record(round, { tenant: tenants[round % 3]?.tenantId });
        });
      }
    }
    await flush();
    for (const request of metricRequests(to)) {
      const owner = request.headers['x-tenant'];
      const others = tenants.map(({ tenantId }) => tenantId).filter((id) => id !== owner);
      expect(others.some((id) => Buffer.from(request.body).includes(id))).toBe(false);
    }
    expect(
      receivedPoints(to, 'c')
        .map(({ attributes, value }) => [attributes['tenant'], value])
        .sort(),
    ).toEqual([
      ['canary-a', 50],
      ['canary-b', 50],
      ['canary-c', 50],
    ]);
  });

  test.each(['delta', 'cumulative'] as const)(
    'are counted once over eviction and coming back, %s',
    async (temporality) => {
      const { registry, to } = await kit({ metrics: { temporality } });
      const counter = registry.get('acme').metrics.counter('c');
      const level = registry.get('acme').metrics.upDownCounter('level');
      for (let round = 1; round <= 3; round++) {
        counter.add(round);
        level.add(1);
        registry.delete('acme');
        await to.waitForRequests(round);
        while (registry.stats().draining > 0) await to.waitForRequests(0).then(() => new Promise(setImmediate));
      }
      const points = receivedPoints(to, 'c');
      // Each time the series began anew, after the one before had ended.
      expect(points.map(({ value }) => value)).toEqual([1, 2, 3]);
      for (const [index, { start, time }] of points.entries()) {
        expect(start).toBeLessThanOrEqual(time);
        if (index > 0) expect(start).toBeGreaterThanOrEqual(points[index - 1]?.time ?? 0n);
      }
      // What is a level goes on.
      expect(receivedPoints(to, 'level').map(({ value }) => value)).toEqual([1, 2, 3]);
      const { metrics } = registry.stats();
      expect(metrics).toMatchObject({ created: 6, exported: 6, queued: 0, dropped: {} });
    },
  );

  test.each(['delta', 'cumulative'] as const)(
    'go to whom the configuration in force named, %s',
    async (temporality) => {
      const [first, second] = [await receiver(), await receiver()];
      let to = first;
      const registry = registryOf({
        metrics: { temporality },
        configure: () => ({ destination: { endpoint: to.url } }),
      });
      const tracer = registry.get('acme');
      const counter = tracer.metrics.counter('c');
      const level = tracer.metrics.upDownCounter('level');
      counter.add(5);
      level.add(5);
      to = second;
      expect(await registry.reconfigure('acme')).toBe('changed');
      counter.add(2);
      level.add(-1);
      await registry.flush();
      expect(receivedPoints(first, 'c').map(({ value }) => value)).toEqual([5]);
      expect(receivedPoints(second, 'c').map(({ value }) => value)).toEqual([2]);
      expect(receivedPoints(second, 'level').map(({ value }) => value)).toEqual([4]);
      expect(receivedPoints(second, 'c')[0]?.start).toBeGreaterThanOrEqual(receivedPoints(first, 'c')[0]?.time ?? 0n);
    },
  );

  test('that were measured before the configuration came meet what it says', async () => {
    const to = await receiver();
    let answer: (options: TracerOptions) => void = () => undefined;
    const registry = registryOf({
      configure: () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    });
    const { metrics } = registry.get('acme');
    metrics.histogram('h').record(3);
    metrics.counter('c').add(1);
    answer({
      service: { name: 'own' },
      destination: { endpoint: to.url },
      metrics: { temporality: 'delta', views: [{ instrument: 'h', buckets: [1, 2] }] },
    });
    await new Promise(setImmediate);
    metrics.histogram('h').record(2);
    metrics.counter('c').add(2);
    await registry.flush();
    expect(
      receivedPoints(to, 'h').map(({ bounds, count, resource }) => [bounds?.length, count, resource['service.name']]),
    ).toEqual([
      [15, 1, 'own'],
      [2, 1, 'own'],
    ]);
    expect(receivedPoints(to, 'c').reduce((sum, { value = 0 }) => sum + value, 0)).toBe(3);
    expectBalance(registry.stats().metrics);
  });

  test('of a tenant that turns out not to exist are dropped and counted', async () => {
    let answer: (options: undefined) => void = () => undefined;
    const registry = registryOf({
      configure: () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    });
    registry.get('nobody').metrics.counter('c').add(1);
    answer(undefined);
    await new Promise(setImmediate);
    expect(registry.stats().metrics).toMatchObject({ created: 1, dropped: { tenant_unknown: 1 } });
  });

  test('go to each destination in the temporality that it prefers', async () => {
    const [first, second] = [await receiver(), await receiver()];
    const registry = registryOf({
      metrics: { temporality: 'delta' },
      destination: [{ endpoint: first.url }, { endpoint: second.url, temporality: 'cumulative' }],
    });
    const { metrics } = registry.get('acme');
    for (const value of [1, 2]) {
      metrics.counter('c').add(value);
      metrics.upDownCounter('u').add(value);
      await registry.flush();
    }
    const seen = [first, second].map((to) =>
      receivedPoints(to, 'c').map(({ temporality, value }) => [temporality, value]),
    );
    expect(seen).toEqual([
      [
        ['delta', 1],
        ['delta', 2],
      ],
      [
        ['cumulative', 1],
        ['cumulative', 3],
      ],
    ]);
    expect(receivedPoints(first, 'u').map(({ temporality, value }) => [temporality, value])).toEqual([
      ['cumulative', 1],
      ['cumulative', 3],
    ]);
  });

  test('are put together as views say', async () => {
    const { flush, registry, to } = await kit({
      metrics: {
        views: [
          { instrument: 'secret.*', drop: true },
          { instrument: 'h?', buckets: 'exponential', attributes: ['route'] },
          { instrument: '*', cardinalityLimit: 2 },
        ],
      },
    });
    const { metrics } = registry.get('acme');
    metrics.counter('Secret.one').add(1);
    metrics.histogram('h1').record(4, { route: '/', user: 'u1' });
    metrics.histogram('h1').record(8, { route: '/', user: 'u2' });
    for (const user of ['a', 'b', 'c']) metrics.counter('c').add(1, { user });
    await flush();
    const points = receivedPoints(to);
    expect(points.map(({ name }) => name)).not.toContain('Secret.one');
    expect(points.find(({ name }) => name === 'h1')).toMatchObject({
      shape: 'exponentialHistogram',
      attributes: { route: '/' },
      count: 2,
      sum: 12,
    });
    expect(receivedPoints(to, 'c').map(({ attributes, value }) => [attributes, value])).toEqual([
      [{ user: 'a' }, 1],
      [{ 'otel.metric.overflow': true }, 2],
    ]);
    expect(registry.get('acme').health().errors).toMatchObject({ metrics: 1 });
  });

  test('hide what the tenant and the destination hide', async () => {
    const [first, second] = [await receiver(), await receiver()];
    const registry = registryOf({
      redact: { keys: ['user'] },
      destination: [{ endpoint: first.url }, { endpoint: second.url, redact: { keys: ['plan'] } }],
    });
    const { metrics } = registry.get('acme');
    for (const user of ['u1', 'u2']) metrics.counter('c').add(1, { user, plan: `plan of ${user}` });
    await registry.flush();
    expect(receivedPoints(first, 'c').map(({ attributes }) => attributes)).toEqual([
      { user: '[REDACTED]', plan: 'plan of u1' },
      { user: '[REDACTED]', plan: 'plan of u2' },
    ]);
    expect(receivedPoints(second, 'c').map(({ attributes, value }) => [attributes, value])).toEqual([
      [{ user: '[REDACTED]', plan: '[REDACTED]' }, 2],
    ]);
  });

  test('are not there when the signal is off', async () => {
    const { flush, registry, to } = await kit({ signals: { metrics: false } });
    const { metrics } = registry.get('acme');
    metrics.counter('c').add(1);
    metrics.observableGauge('g', () => {
      throw new Error('asked');
    });
    expect(await flush()).toMatchObject({ ok: true, delivered: 0 });
    expect(to.requests).toEqual([]);
    expect(registry.get('acme').health()).toMatchObject({ ok: true, errors: {} });
  });

  test('that cannot be delivered are told of in the report of a flush', async () => {
    const to = await receiver({ fault: { mode: 'status', status: 400 } });
    const registry = registryOf({ configure: toReceiver(to) });
    registry.get('acme').metrics.counter('c').add(1);
    expect(await registry.flush()).toMatchObject({ ok: false, dropped: { rejected: 1 } });
    expectBalance(registry.get('acme').stats().metrics);
  });

  test('come out at shutdown, and later measurements do nothing', async () => {
    const { registry, to } = await kit();
    const counter = registry.get('acme').metrics.counter('c');
    counter.add(1);
    expect(await registry.shutdown()).toMatchObject({ ok: true, delivered: 1 });
    counter.add(1);
    await registry.shutdown();
    expect(receivedPoints(to).map(({ value }) => value)).toEqual([1]);
  });
});

describe('the callbacks of observables', () => {
  test('cost only themselves when they throw, reject or never answer', async () => {
    const clock = new FakeClock();
    const { registry, to } = await kit({ clock });
    const tracer = registry.get('acme');
    const { metrics } = tracer;
    metrics.counter('c').add(1);
    metrics.observableGauge('throws', (result) => {
      result.observe(1);
      throw new Error('no');
    });
    metrics.observableGauge('rejects', () => Promise.reject(new Error('no')));
    metrics.observableGauge('hangs', async (result) => {
      await new Promise<void>(() => {});
      result.observe(1);
    });
    metrics.observableGauge('late', async (result) => {
      await Promise.resolve();
      result.observe(3);
    });
    metrics.observableGauge('nonsense', (result) => result.observe('x' as never));
    expect(await resolveWith(clock, registry.flush({ timeoutMillis: 20_000 }))).toMatchObject({ ok: true });
    expect(new Set(receivedPoints(to).map(({ name }) => name))).toEqual(new Set(['c', 'throws', 'late']));
    expect(tracer.health().errors.metrics).toBe(4);
    expect(
      tracer
        .health()
        .recentErrors.map(({ operation }) => operation)
        .sort(),
    ).toEqual(['hangs', 'nonsense', 'rejects', 'throws']);
    // It is not asked again while it has not answered.
    await resolveWith(clock, registry.flush());
    expect(tracer.health().recentErrors.map(({ message }) => message)).toContain(
      'the callback has not answered the last time',
    );
  });

  test('run as their tenant, and may be taken back', async () => {
    const { flush, registry, to } = await kit();
    const tracer = registry.get('acme');
    const owners: unknown[] = [];
    const observe = (result: { observe(value: number): void }): void => {
      owners.push(registry.current()?.tenantId);
      result.observe(1);
    };
    const gauge = tracer.metrics.observableGauge('g', observe);
    gauge.addCallback(observe);
    await registry.run('other', flush);
    gauge.removeCallback(observe);
    await flush();
    expect(owners).toEqual(['acme']);
    expect(receivedPoints(to, 'g')).toHaveLength(1);
  });

  test("may serve several instruments at once, of OpenTelemetry's own interface", async () => {
    const { flush, registry, to } = await kit();
    const meter = registry.get('acme').meterProvider.getMeter('lib', '1.2.3');
    const [one, other] = [meter.createObservableCounter('one'), meter.createObservableUpDownCounter('other')];
    const foreign = registry.get('b').meterProvider.getMeter('lib').createObservableGauge('foreign');
    meter.addBatchObservableCallback(
      (result) => {
        result.observe(one, 1);
        result.observe(other, -2);
        result.observe(foreign, 666);
      },
      [one, other],
    );
    await flush();
    expect(receivedPoints(to).map(({ name, scope, value }) => [scope, name, value])).toEqual([
      ['lib', 'one', 1],
      ['lib', 'other', -2],
    ]);
  });
});

describe('an instrument', () => {
  test('is the same for the same name, whatever its case', () => {
    const tracer = createTracer({ logger: SILENT });
    const { metrics } = tracer;
    expect(metrics.counter('Requests')).toBe(metrics.counter('requests'));
    expect(metrics.counter('requests')).not.toBe(metrics.gauge('requests'));
  });

  test('of a name that breaks the rules does nothing and is told of', () => {
    const tracer = createTracer({ logger: SILENT });
    const { metrics } = tracer;
    const bad = ['', '1st', 'a b', 'ü', 'a'.repeat(256), 42, null, ...hostileValues().map(({ value }) => value)];
    for (const name of bad) {
      for (const kind of ['counter', 'upDownCounter', 'gauge', 'histogram', 'timer'] as const) {
        const made = metrics[kind](name as string) as { add?(value: number): void; record?(value: number): void };
        made.add?.(1);
        made.record?.(1);
      }
      metrics.observableGauge(name as string, () => undefined);
      tracer.recordMetric(name as string, 1);
    }
    expect(tracer.stats().metrics.created).toBe(0);
    expect(tracer.health().errors.metrics).toBe(bad.length * 7);
    expect(tracer.health().recentErrors[0]?.message).toMatch(/is no instrument name|a \w+ is no/);
  });

  test('throws nothing, whatever it is given', async () => {
    const tracer = createTracer({ logger: SILENT });
    const { metrics } = tracer;
    for (const { value } of hostileValues()) {
      metrics.histogram('h', value as never).record(value as number, value as never, value as never);
      metrics.histogram('b', { buckets: value as never, unit: value as never }).record(1);
      metrics.observableGauge('g', value as never, value as never);
      metrics
        .timer('t', value as never)
        .start(value as never)
        .stop(value as never);
      tracer.recordMetric('r', value as never, value as never, value as never);
      const meter = tracer.meterProvider.getMeter(value as never, value as never);
      meter.createCounter('c', value as never).add(1, value as never);
      meter.addBatchObservableCallback(value as never, value as never);
      meter.removeBatchObservableCallback(value as never, value as never);
    }
    await tracer.flush({ timeoutMillis: 1_000 });
  });

  test('records by name on what has the name, else as a gauge', async () => {
    const { flush, registry, to } = await kit();
    const tracer = registry.get('acme');
    tracer.metrics.counter('c').add(1);
    for (const value of [42, 42]) {
      tracer.recordMetric('g', value, { a: 1 }, { unit: 'ms' });
      tracer.recordMetric('c', value);
    }
    await flush();
    expect(receivedPoints(to, 'g')).toMatchObject([{ shape: 'gauge', unit: 'ms', value: 42, attributes: { a: 1 } }]);
    expect(receivedPoints(to, 'c')).toMatchObject([{ shape: 'sum', value: 85 }]);
  });

  test('has buckets that fit its unit', async () => {
    const { flush, registry, to } = await kit();
    const { metrics } = registry.get('acme');
    metrics.histogram('plain').record(1);
    metrics.histogram('seconds', { unit: 's' }).record(1);
    await flush();
    expect(receivedPoints(to).map(({ bounds }) => bounds?.at(-1))).toEqual([10_000, 10]);
  });
});

describe('a timer', () => {
  test('measures in seconds, once, until the result is over', async () => {
    const clock = new FakeClock();
    const { flush, registry, to } = await kit({ clock });
    const timer = registry.get('acme').metrics.timer('work', { buckets: [1, 2] });
    const running = timer.start({ step: 'a' });
    clock.advance(1_500);
    expect([running.stop(), running.stop()]).toEqual([1.5, 1.5]);
    let done: (value: string) => void = () => undefined;
    const result = timer.time(
      () =>
        new Promise<string>((resolve) => {
          done = resolve;
        }),
      { step: 'b' },
    );
    clock.advance(250);
    done('value');
    expect(await result).toBe('value');
    const failure = new RangeError('no');
    expect(() =>
      timer.time(
        () => {
          throw failure;
        },
        { step: 'c' },
      ),
    ).toThrow(failure);
    timer.record(0.5, { step: 'd' });
    await flush();
    expect(receivedPoints(to).map(({ attributes, sum, unit }) => [attributes, sum, unit])).toEqual([
      [{ step: 'a' }, 1.5, 's'],
      [{ step: 'b' }, 0.25, 's'],
      [{ step: 'c', 'error.type': 'RangeError' }, 0, 's'],
      [{ step: 'd' }, 0.5, 's'],
    ]);
  });
});

describe('exemplars', () => {
  test('name the span of the same tenant that a measurement was made in', async () => {
    const { flush, registry, to } = await kit({ metrics: { exemplars: true } });
    const [a, b] = [registry.get('a'), registry.get('b')];
    const seen = a.withSpan('a', (span) => {
      a.metrics.histogram('h', { buckets: [1, 10] }).record(5);
      a.metrics.counter('c').add(2);
      a.metrics.gauge('g').record(1);
      b.metrics.counter('c').add(1);
      // Inside the work of another tenant no span of this one is the one that is measured in.
      b.withSpan('b', () => a.metrics.counter('inside').add(1));
      return span.spanContext();
    });
    a.metrics.counter('outside').add(1);
    await flush();
    const ids = { traceId: seen.traceId, spanId: seen.spanId };
    const exemplars = Object.fromEntries(
      metricRequests(to).flatMap(({ headers }) =>
        receivedPoints(to).map((point) => [`${String(headers['x-tenant'])}`, point] as const),
      ),
    );
    expect(Object.keys(exemplars).sort()).toEqual(['a', 'b']);
    expect(receivedPoints(to, 'h')[0]?.exemplars).toMatchObject([{ ...ids, value: 5 }]);
    expect(
      receivedPoints(to, 'c')
        .map((point) => point.exemplars.length)
        .sort(),
    ).toEqual([0, 1]);
    expect(
      ['g', 'inside', 'outside'].flatMap((name) => receivedPoints(to, name)).map((point) => point.exemplars),
    ).toEqual([[], [], []]);
  });

  test('are of sampled spans only, and not there unless asked for', async () => {
    const to = await receiver();
    const registry = registryOf({
      configure: (tenantId) => ({
        destination: { endpoint: to.url },
        metrics: { exemplars: tenantId !== 'off' },
        sampling: { ratio: tenantId === 'unsampled' ? 0 : 1 },
      }),
    });
    for (const id of ['off', 'unsampled']) {
      const tracer = registry.get(id);
      tracer.withSpan('work', () => tracer.metrics.histogram('h').record(1));
    }
    await registry.flush();
    expect(receivedPoints(to).map(({ exemplars }) => exemplars)).toEqual([[], []]);
  });
});
