import * as api from '@opentelemetry/api';
import { context as contextApi, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { logs as logsApi, SeverityNumber } from '@opentelemetry/api-logs';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { LedgerSnapshot, TracerOptions } from '../../src/index.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { type DecodedLog, logsOf } from '../support/otlp-log-decoder.ts';
import { startTenants } from '../support/tenant-receivers.ts';
import { receiver, registryOf, resolveWith, toReceiver } from './registry-kit.ts';

/** Where libraries find the global provider: its own package, and from version 1.10 on also the API's. */
const LOGS_APIS: [string, typeof logsApi][] = [['@opentelemetry/api-logs', logsApi]];
if ('logs' in api) LOGS_APIS.push(['@opentelemetry/api', api.logs as typeof logsApi]);

/** Whether every record is accounted for. */
function balanced({ created, dropped, exported, queued, spooled }: LedgerSnapshot): boolean {
  return created === exported + queued + spooled + Object.values(dropped).reduce((sum, count) => sum + count, 0);
}

/** One tenant whose receiver's records are decoded. */
async function tenantWith(options: TracerOptions = {}, protocol: 'http' | 'grpc' = 'http') {
  const target = await receiver({ protocol });
  const destination = { endpoint: target.url, ...(protocol === 'grpc' && { protocol: 'grpc' as const }) };
  const registry = registryOf({ configure: () => ({ destination, ...options }) });
  const tracer = registry.get('a');
  const delivered = async (): Promise<DecodedLog[]> => {
    expect(await tracer.flush()).toMatchObject({ pending: 0 });
    return logsOf(target);
  };
  return { target, registry, tracer, delivered };
}

describe('tracer.log', () => {
  it.each(['http/protobuf', 'http/json', 'grpc'] as const)('sends records over %s', async (protocol) => {
    const target = await receiver({ protocol: protocol === 'grpc' ? 'grpc' : 'http' });
    const registry = registryOf({
      configure: () => ({ service: { name: 'shop' }, destination: { endpoint: target.url, protocol } }),
    });
    const tracer = registry.get('a');
    const before = BigInt(Date.now()) * 1_000_000n;
    tracer.log.trace('one');
    tracer.log.debug('two', { n: 2, pi: 3.5, yes: true, list: ['x', 'y'], nested: { deep: [1, { er: 'é' }] } });
    tracer.log.info('grüße \ud83d\ude00');
    tracer.log.warn({ event: 'paid', amount: 5 });
    tracer.log.error('', {});
    tracer.log.fatal('last');
    expect(await tracer.flush()).toMatchObject({ ok: true, delivered: 6 });

    const logs = logsOf(target);
    expect(logs.map(({ body }) => body)).toEqual(['one', 'two', 'grüße 😀', { event: 'paid', amount: 5 }, '', 'last']);
    expect(logs.map(({ severityNumber }) => severityNumber)).toEqual([1, 5, 9, 13, 17, 21]);
    expect(logs.map(({ severityText }) => severityText)).toEqual(['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL']);
    expect(logs[1]?.attributes).toEqual({
      n: 2,
      pi: 3.5,
      yes: true,
      list: ['x', 'y'],
      nested: { deep: [1, { er: 'é' }] },
    });
    for (const { observedTimeUnixNano, resource, scope, spanId, timeUnixNano, traceId } of logs) {
      expect(resource['service.name']).toBe('shop');
      expect(scope.name).toBe('isotrace');
      expect([traceId, spanId]).toEqual(['', '']);
      expect(timeUnixNano).toBe(observedTimeUnixNano);
      expect(timeUnixNano - before).toBeGreaterThan(-1_000_000_000n);
      expect(timeUnixNano - before).toBeLessThan(60_000_000_000n);
    }
    expect(target.requests).toHaveLength(1);
    expect(tracer.stats()).toMatchObject({ logs: { created: 6, exported: 6, queued: 0 }, traces: { created: 0 } });
    expect(registry.stats().logs).toMatchObject({ created: 6, exported: 6 });
  });

  it("carries the ids of the tenant's own active span and session, never another tenant's", async () => {
    const { receivers, registry } = await startTenants(['a', 'b']);
    const [a, b] = [registry.get('a'), registry.get('b')];
    const ids: Record<string, string> = {};
    await a.withSession({ id: 'visit' }, () =>
      a.withSpan('outer', async (span) => {
        ids['a'] = span.spanContext().spanId;
        a.log.info('in a');
        b.log.info('b in a');
        await b.withSpan('inner', async (inner) => {
          ids['b'] = inner.spanContext().spanId;
          await Promise.resolve();
          b.log.info('in b');
          a.log.info('a in b');
        });
      }),
    );
    a.log.info('outside');
    await registry.flush();

    const seen = (id: 'a' | 'b') =>
      logsOf(receivers[id]).map(({ attributes, body, spanId }) => [body, spanId, attributes['session.id']]);
    expect(seen('a')).toEqual([
      ['in a', ids['a'], 'visit'],
      ['a in b', ids['a'], 'visit'],
      ['outside', '', undefined],
    ]);
    expect(seen('b')).toEqual([
      ['b in a', '', undefined],
      ['in b', ids['b'], undefined],
    ]);
    expect(logsOf(receivers.a)[0]).toMatchObject({ flags: 3, traceId: receivers.a.spans()[0]?.traceId });
  });

  it('tells errors by the conventions, wherever they are given', async () => {
    const { delivered, tracer } = await tenantWith();
    const error = new TypeError('no price');
    tracer.log.error(error);
    tracer.log.error('failed', error);
    tracer.log.error('failed', { err: error, order: 7 });
    tracer.log.error('failed', { error, order: 7 });
    const logs = await delivered();
    for (const { attributes } of logs) {
      expect(attributes).toMatchObject({ 'exception.type': 'TypeError', 'exception.message': 'no price' });
      expect(attributes['exception.stacktrace']).toContain('logs.test.ts');
      expect(attributes).not.toHaveProperty('err');
      expect(attributes).not.toHaveProperty('error');
    }
    expect(logs.map(({ body }) => body)).toEqual(['TypeError: no price', 'failed', 'failed', 'failed']);
    expect(logs.map(({ attributes }) => attributes['order'])).toEqual([undefined, undefined, 7, 7]);
  });

  it('takes any value without throwing', async () => {
    const { delivered, tracer } = await tenantWith();
    const cyclic: Record<string, unknown> = { here: 1 };
    cyclic['self'] = cyclic;
    const throwing = {
      good: 1,
      get bad(): never {
        throw new Error('unreadable');
      },
    };
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    tracer.log.info(undefined);
    tracer.log.info(null, null as never);
    tracer.log.info(12n, 'text' as never);
    tracer.log.info(cyclic, cyclic);
    tracer.log.info('throws', throwing);
    tracer.log.info(proxy, proxy);
    tracer.log.info(Symbol('s'));
    const { info } = tracer.log;
    info('detached');
    const logs = await delivered();
    expect(logs).toHaveLength(8);
    expect(logs[3]?.attributes).toEqual({ here: 1, self: { here: 1, self: '[Circular]' } });
    expect(logs[4]?.attributes).toEqual({ good: 1 });
    expect(logs[7]?.body).toBe('detached');
  });

  it('keeps to the limits of attributes and messages', async () => {
    const limits = { attributeCountLimit: 2, attributeValueLengthLimit: 5 };
    const { delivered, tracer } = await tenantWith({ limits });
    tracer.log.info('x'.repeat(100_000), { a: 'long enough', b: 2, c: 3, d: 4 });
    const [log] = await delivered();
    expect(log?.attributes).toEqual({ a: 'long ', b: 2 });
    expect(log?.droppedAttributesCount).toBe(2);
    expect(log?.body).toHaveLength(65_536);
  });

  it('leaves out, uncounted, what is below the minimum severity', async () => {
    const { delivered, tracer } = await tenantWith({ logs: { minSeverity: 'warn' } });
    for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const) tracer.log[level](level);
    expect((await delivered()).map(({ body }) => body)).toEqual(['warn', 'error', 'fatal']);
    expect(tracer.stats().logs.created).toBe(3);
  });

  it('drops and counts what is above the rate', async () => {
    const { delivered, tracer } = await tenantWith({ limits: { logsPerSecond: 3 } });
    for (let index = 0; index < 10; index += 1) tracer.log.info(`${index}`);
    const { created, dropped } = tracer.stats().logs;
    expect(created).toBe(10);
    expect(dropped.rate_limited).toBeGreaterThan(5);
    expect(await delivered()).toHaveLength(10 - (dropped.rate_limited ?? 0));
  });

  it('hides secrets in messages and attributes, for the tenant and for one destination', async () => {
    const [open, strict] = [await receiver(), await receiver()];
    const registry = registryOf({
      configure: () => ({
        redact: true,
        destination: [{ endpoint: open.url }, { endpoint: strict.url, redact: { keys: ['order'] } }],
      }),
    });
    registry.get('a').log.info('key AKIAIOSFODNN7EXAMPLE', { password: 'p', order: 7, body: { token: 't', ok: 1 } });
    await registry.flush();
    expect(logsOf(open)).toMatchObject([
      {
        body: 'key [REDACTED]',
        attributes: { password: '[REDACTED]', order: 7, body: { token: '[REDACTED]', ok: 1 } },
      },
    ]);
    expect(logsOf(strict)).toMatchObject([{ attributes: { password: '[REDACTED]', order: '[REDACTED]' } }]);
    expect(registry.stats().logs).toMatchObject({ created: 2, exported: 2 });
  });

  it('hides the value when the redactor fails', async () => {
    const custom = () => {
      throw new Error('broken');
    };
    const { delivered, tracer } = await tenantWith({ redact: { custom } });
    tracer.log.info('message', { secret_of_ours: 'x' });
    expect((await delivered())[0]?.attributes).toEqual({ secret_of_ours: '[REDACTED]' });
  });

  it('counts records without a destination as dropped', async () => {
    const tracer = registryOf({}).get('a');
    tracer.log.info('x');
    expect(tracer.stats().logs).toMatchObject({ created: 1, dropped: { no_destination: 1 } });
  });
});

describe('the delivery of log records', () => {
  it('waits for a configuration, whose rules are then applied', async () => {
    const target = await receiver();
    let answer: (options: TracerOptions) => void = () => {};
    const registry = registryOf({
      configure: () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    });
    const tracer = registry.get('a');
    tracer.withSpan('work', () => tracer.log.info('early', { password: 'p' }));
    tracer.log.debug('too detailed');
    expect(tracer.stats().logs).toMatchObject({ created: 2, queued: 2 });
    answer({ destination: { endpoint: target.url }, redact: true, logs: { minSeverity: 'info' } });
    expect(await tracer.flush()).toMatchObject({ ok: true });
    expect(logsOf(target)).toMatchObject([{ body: 'early', attributes: { password: '[REDACTED]' } }]);
    expect(logsOf(target)[0]?.spanId).toBe(target.spans()[0]?.spanId);
    expect(tracer.stats().logs).toMatchObject({ created: 1, exported: 1, queued: 0 });
  });

  it('forgets what waited when the configuration switches logs off', async () => {
    const target = await receiver();
    const registry = registryOf({
      configure: async () => ({ destination: { endpoint: target.url }, signals: { logs: false } }),
    });
    const tracer = registry.get('a');
    tracer.log.info('early');
    await registry.flush();
    tracer.log.info('late');
    await registry.flush();
    expect(target.requests).toEqual([]);
    expect(tracer.stats().logs).toEqual({ created: 0, exported: 0, queued: 0, spooled: 0, dropped: {} });
  });

  it('loses nothing when a tenant is evicted and comes back, or is configured anew', async () => {
    const [first, second] = [await receiver(), await receiver()];
    let target = first;
    const registry = registryOf({ maxTenants: 2, configure: (id) => toReceiver(target)(id) });
    for (let round = 0; round < 5; round += 1) {
      for (const id of ['a', 'b', 'c', 'd']) registry.get(id).log.info(`${id}${round}`);
    }
    await registry.flush();
    const tracer = registry.get('a');
    tracer.log.info('before');
    target = second;
    expect(await registry.reconfigure('a')).toBe('changed');
    tracer.log.info('after');
    await registry.flush();
    await first.waitForRequests(1);
    expect(await registry.shutdown()).toMatchObject({ ok: true });
    const bodies = logsOf(first).map(({ body }) => body);
    expect(bodies.filter((body) => body !== 'before')).toHaveLength(20);
    expect(new Set(bodies).size).toBe(21);
    expect(logsOf(second).map(({ body }) => body)).toEqual(['after']);
    for (const request of first.requests) {
      const owner = request.headers['x-tenant'];
      for (const { body } of logsOf({ requests: [request] } as never)) {
        if (body !== 'before') expect(`${body}`[0]).toBe(owner);
      }
    }
    expect(balanced(registry.stats().logs)).toBe(true);
  });

  it('retries, counts what a destination refuses, and keeps the accounts apart', async () => {
    const clock = new FakeClock();
    const target = await receiver();
    const registry = registryOf({ clock, configure: toReceiver(target) });
    const tracer = registry.get('a');
    tracer.log.info('x');
    target.setFault({ mode: 'status', status: 503 });
    await resolveWith(clock, tracer.flush({ timeoutMillis: 100 }));
    expect(tracer.stats().logs).toMatchObject({ created: 1, queued: 1, exported: 0 });
    target.setFault({ mode: 'partial-success', rejected: 1, message: 'no' });
    await resolveWith(clock, tracer.flush());
    expect(tracer.stats().logs).toMatchObject({ queued: 0, exported: 0, dropped: { rejected: 1 } });
    expect(tracer.stats().traces).toMatchObject({ created: 0, dropped: {} });
  });

  it('bounds what waits, and drops the newest', async () => {
    const target = await receiver({ fault: { mode: 'hang' } });
    const registry = registryOf({
      limits: { maxQueueSize: 10 },
      batch: { maxSize: 5 },
      configure: toReceiver(target),
    });
    const tracer = registry.get('a');
    for (let index = 0; index < 100; index += 1) tracer.log.info(`${index}`);
    tracer.startSpan('still room for spans').end();
    const { logs, traces } = tracer.stats();
    expect(balanced(logs)).toBe(true);
    expect(logs.queued).toBeLessThanOrEqual(20);
    expect(logs.dropped.queue_full).toBe(100 - logs.queued);
    expect(traces).toMatchObject({ created: 1, queued: 1, dropped: {} });
  });
});

describe('a provider of the Logs API', () => {
  it("of a tracer takes records for the tenant, with the library's scope", async () => {
    const { delivered, tracer } = await tenantWith();
    const logger = tracer.loggerProvider.getLogger('orders', '1.2.3');
    const other = tracer.loggerProvider.getLogger('payments');
    expect(tracer.loggerProvider).toBe(tracer.loggerProvider);
    tracer.withSpan('work', () => {
      logger.emit({
        severityNumber: SeverityNumber.WARN2,
        severityText: 'attention',
        body: 'b',
        eventName: 'order.paid',
        attributes: { a: 1 },
        timestamp: [1_700_000_000, 5],
      });
      logger.emit({ body: 'rootless', context: ROOT_CONTEXT });
    });
    other.emit({ exception: new RangeError('r') });
    const [first, second, third] = await delivered();
    expect(first).toMatchObject({
      scope: { name: 'orders', version: '1.2.3' },
      severityNumber: 14,
      severityText: 'attention',
      body: 'b',
      eventName: 'order.paid',
      attributes: { a: 1 },
      timeUnixNano: 1_700_000_000_000_000_005n,
    });
    expect(first?.spanId).not.toBe('');
    expect(second).toMatchObject({ body: 'rootless', spanId: '', severityNumber: 0, severityText: '' });
    expect(third).toMatchObject({ scope: { name: 'payments' }, attributes: { 'exception.type': 'RangeError' } });
  });

  it('says whether a record would be taken', async () => {
    const { tracer } = await tenantWith({ logs: { minSeverity: 'error' } });
    const logger = tracer.loggerProvider.getLogger('x');
    expect(logger.enabled({ severityNumber: SeverityNumber.INFO })).toBe(false);
    expect(logger.enabled({ severityNumber: SeverityNumber.ERROR })).toBe(true);
    expect(logger.enabled()).toBe(true);
    for (const bad of [undefined, null, 5, { context: 5 }]) expect(() => logger.emit(bad as never)).not.toThrow();
  });

  it.each(LOGS_APIS)(
    'becomes the global one of %s with install(), and goes by the context',
    async (_name, globalLogs) => {
      const target = await receiver();
      const platform = await receiver();
      const registry = registryOf({
        platform: { destination: { endpoint: platform.url }, signals: { metrics: false } },
        configure: toReceiver(target),
      });
      const { uninstall } = registry.install({ strategy: 'own' });
      onTestFinished(uninstall);
      const logger = globalLogs.getLogger('lib');
      registry.run('a', () => logger.emit({ body: 'for a' }));
      registry.run('b', () => logger.emit({ body: 'for b' }));
      logger.emit({ body: 'for nobody' });
      await registry.flush();
      const owners = target.requests.map(({ headers }) => headers['x-tenant']);
      expect(new Set(owners)).toEqual(new Set(['a', 'b']));
      expect(
        logsOf(target)
          .map(({ body }) => body)
          .toSorted(),
      ).toEqual(['for a', 'for b']);
      expect(logsOf(platform).map(({ body, scope }) => [body, scope.name])).toEqual([['for nobody', 'lib']]);
      uninstall();
      globalLogs.getLogger('lib').emit({ body: 'gone' });
      await registry.flush();
      expect(logsOf(platform)).toHaveLength(1);
    },
  );

  it('keeps what is logged before the tenant is known for that tenant', async () => {
    const target = await receiver();
    const registry = registryOf({ configure: toReceiver(target), unassigned: 'drop' });
    const { uninstall } = registry.install({ strategy: 'own' });
    onTestFinished(uninstall);
    const logger = logsApi.getLogger('lib');
    const request = (tenantId: string | undefined, text: string) => {
      const span = trace.getTracer('http').startSpan('GET');
      contextApi.with(trace.setSpan(contextApi.active(), span), () => {
        logger.emit({ body: `${text} early` });
        if (tenantId !== undefined) registry.run(tenantId, () => logger.emit({ body: `${text} late` }));
      });
      span.end();
    };
    request('a', '1');
    request('b', '2');
    request(undefined, '3');
    logger.emit({ body: '4' });
    await registry.flush();
    const byTenant = (id: string) =>
      target.requests
        .filter(({ headers, path }) => path === '/v1/logs' && headers['x-tenant'] === id)
        .flatMap((received) => logsOf({ requests: [received] } as never))
        .map(({ body }) => body);
    expect(byTenant('a').toSorted()).toEqual(['1 early', '1 late']);
    expect(byTenant('b').toSorted()).toEqual(['2 early', '2 late']);
    expect(registry.stats().logs).toMatchObject({ created: 6, exported: 4, dropped: { unassigned: 2 } });
  });
});
