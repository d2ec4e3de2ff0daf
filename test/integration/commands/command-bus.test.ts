import { describe, expect, it } from 'vitest';
import { createCommandBus } from '../../../src/commands.ts';
import { createTracer, TracerRegistry } from '../../../src/index.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { logsOf } from '../../support/otlp-log-decoder.ts';
import { startReceiver } from '../../support/otlp-receiver.ts';
import { receivedPoints } from '../../support/received-metrics.ts';
import { startTenants } from '../../support/tenant-receivers.ts';

const AT = Date.UTC(2026, 0, 2, 3, 4, 5);
const NANOS = 1_000_000n;

async function startWorld() {
  const world = await startTenants(['acme', 'globex']);
  return { ...world, bus: createCommandBus({ registry: world.registry, tenantId: 'acme' }) };
}

describe('a command bus', () => {
  it('starts, fills and ends spans by id, with parents, times and failures, as they are exported', async () => {
    const { bus, received } = await startWorld();
    const outer = await bus.dispatch({
      ...{ type: 'startSpan', name: 'outer', kind: 'server', timeMillis: AT },
      attributes: { size: 3, tags: ['a', 'b'], none: undefined },
    });
    if (!outer.ok) throw new Error(outer.message);
    await bus.dispatch({ type: 'startSpan', name: 'inner', id: 'mine', parentId: outer.value.id, timeMillis: AT + 1 });
    await bus.dispatch({ type: 'addSpanEvent', id: 'mine', name: 'step', attributes: { n: 1 }, timeMillis: AT + 2 });
    const error = { message: 'no stock', type: 'StockError', stack: 'StockError: no stock\n    at x' };
    expect(await bus.dispatch({ type: 'endSpan', id: 'mine', error, timeMillis: AT + 5 })).toEqual({ ok: true });
    await bus.dispatch({ type: 'endSpan', id: outer.value.id, timeMillis: AT + 9 });
    const spans = await received('acme');
    expect(outer.value).toEqual({
      id: outer.value.spanId,
      traceId: spans['outer']?.traceId,
      spanId: spans['outer']?.spanId,
      traceparent: `00-${outer.value.traceId}-${outer.value.spanId}-03`,
    });
    expect(spans['outer']).toMatchObject({
      ...{ kind: 2, attributes: { size: 3, tags: ['a', 'b'] }, status: { code: 0 } },
      startTimeUnixNano: BigInt(AT) * NANOS,
      endTimeUnixNano: BigInt(AT + 9) * NANOS,
    });
    expect(spans['inner']).toMatchObject({
      traceId: outer.value.traceId,
      parentSpanId: outer.value.spanId,
      status: { code: 2, message: 'no stock' },
      endTimeUnixNano: BigInt(AT + 5) * NANOS,
    });
    expect(spans['inner']?.events.map(({ name, timeUnixNano }) => [name, timeUnixNano])).toEqual([
      ['step', BigInt(AT + 2) * NANOS],
      ['exception', BigInt(AT + 5) * NANOS],
    ]);
    expect(spans['inner']?.events[1]?.attributes).toMatchObject({
      'exception.type': 'StockError',
      'exception.message': 'no stock',
      'exception.stacktrace': error.stack,
    });
    expect(bus.stats()).toEqual({ dispatched: 5, succeeded: 5, failed: {}, openSpans: 0, abandoned: {} });
  });

  it("continues a trace that a traceparent names, and the tenant's running span without one", async () => {
    const { bus, received, registry } = await startWorld();
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    await bus.dispatch({ type: 'startSpan', name: 'remote', id: 'r', traceparent });
    await registry
      .get('globex')
      .withSpan('of another', () => bus.dispatch({ type: 'startSpan', name: 'alone', id: 'a' }));
    await registry.get('acme').withSpan('request', () => bus.dispatch({ type: 'startSpan', name: 'child', id: 'c' }));
    for (const id of ['r', 'a', 'c']) await bus.dispatch({ type: 'endSpan', id });
    const spans = await received('acme');
    expect(spans['remote']).toMatchObject({ traceId: 'a'.repeat(32), parentSpanId: 'b'.repeat(16) });
    expect(spans['child']?.parentSpanId).toBe(spans['request']?.spanId);
    expect(spans['alone']?.parentSpanId).toBe('');
    expect(Object.keys(await received('globex'))).toEqual(['of another']);
  });

  it('emits log records, one or many, in the span that they name', async () => {
    const { bus, receivers, registry } = await startWorld();
    const span = await bus.dispatch({ type: 'startSpan', name: 'work', id: 'w' });
    await bus.dispatch({ type: 'emitLog', message: 'alone', severity: 'error', attributes: { code: 7 } });
    const logs = ['one', 'two'].map((message) => ({ message, inSpan: 'w', timeMillis: AT }));
    expect(await bus.dispatch({ type: 'emitLogs', logs })).toEqual({ ok: true });
    await bus.dispatch({ type: 'endSpan', id: 'w' });
    await registry.flush();
    const [alone, one, two] = logsOf(receivers.acme);
    expect(alone).toMatchObject({ body: 'alone', severityNumber: 17, severityText: 'ERROR', attributes: { code: 7 } });
    expect(alone?.spanId).toBe('');
    const spanId = span.ok ? span.value.spanId : '';
    const told = { severityNumber: 9, severityText: 'INFO', spanId, timeUnixNano: BigInt(AT) * NANOS };
    expect([one, two]).toMatchObject([
      { body: 'one', ...told },
      { body: 'two', ...told },
    ]);
    expect(logsOf(receivers.globex)).toEqual([]);
  });

  it('records measurements on the instrument of their name, for its tenant only', async () => {
    const { bus, receivers, registry } = await startWorld();
    const other = createCommandBus({ registry, tenantId: 'globex' });
    const attributes = { route: '/x' };
    for (const command of [
      { type: 'recordCounter', name: 'calls', attributes },
      { type: 'recordCounter', name: 'calls', value: 4, attributes },
      { type: 'recordGauge', name: 'heat', value: 21.5, unit: 'Cel' },
      { type: 'recordHistogram', name: 'took', value: 0.3, unit: 's' },
      { type: 'recordMetric', name: 'calls', value: 2, attributes },
      { type: 'recordMetric', name: 'level', value: -3 },
    ] as const)
      expect(await bus.dispatch(command)).toEqual({ ok: true });
    await other.dispatch({ type: 'recordCounter', name: 'calls', value: 100 });
    await registry.flush();
    const shown = (tenant: 'acme' | 'globex') =>
      receivedPoints(receivers[tenant]).map(({ name, shape, unit, value, sum, attributes: set }) => {
        return { name, shape, unit, value: value ?? sum, set };
      });
    expect(shown('acme')).toEqual([
      { name: 'calls', shape: 'sum', unit: '', value: 7, set: attributes },
      { name: 'heat', shape: 'gauge', unit: 'Cel', value: 21.5, set: {} },
      { name: 'took', shape: 'histogram', unit: 's', value: 0.3, set: {} },
      { name: 'level', shape: 'gauge', unit: '', value: -3, set: {} },
    ]);
    expect(shown('globex')).toMatchObject([{ name: 'calls', value: 100 }]);
  });

  it.each<[string, object, readonly string[]]>([
    ['no name', { type: 'startSpan' }, ['name']],
    ['another tenant', { type: 'startSpan', name: 'x', tenantId: 'globex' }, ['tenantId']],
    ['a kind that there is not', { type: 'startSpan', name: 'x', kind: 'SERVER', id: '' }, ['id', 'kind']],
    [
      'two parents',
      { type: 'startSpan', name: 'x', parentId: 'p', traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` },
      ['traceparent'],
    ],
    ['a traceparent that is none', { type: 'startSpan', name: 'x', traceparent: '00-zz' }, ['traceparent']],
    ['a function among attributes', { type: 'startSpan', name: 'x', attributes: { f: () => 1 } }, ['attributes']],
    ['a list for attributes', { type: 'addSpanEvent', id: 'x', name: 'y', attributes: [1] }, ['attributes']],
    ['an error that is a number', { type: 'endSpan', id: 'x', error: 7 }, ['error']],
    ['a time before 1970', { type: 'endSpan', id: 'x', timeMillis: -1 }, ['timeMillis']],
    ['a severity that there is not', { type: 'emitLog', message: 'x', severity: 'loud' }, ['severity']],
    ['no log records', { type: 'emitLogs', logs: [] }, ['logs']],
    [
      'a record without a message',
      { type: 'emitLogs', logs: [{ message: 'x' }, { text: 'y' }, null] },
      ['logs[1].text', 'logs[1].message', 'logs[2]'],
    ],
    ['too many log records', { type: 'emitLogs', logs: Array(1_001).fill({ message: 'x' }) }, ['logs']],
    ['a counter that falls', { type: 'recordCounter', name: 'c', value: -1 }, ['value']],
    ['a value that is no number', { type: 'recordGauge', name: 'g', value: Number.NaN }, ['value']],
    ['no value', { type: 'recordHistogram', name: 'h' }, ['value']],
    [
      'a name that no instrument may have',
      { type: 'recordMetric', name: '7up', value: 1, unit: 'ü' },
      ['name', 'unit'],
    ],
    ['a time-out that is none', { type: 'flush', timeoutMillis: -5 }, ['timeoutMillis']],
  ])('refuses a command with %s, and says which field is wrong', async (_case, command, options) => {
    const { bus, received } = await startWorld();
    const result = await bus.dispatch(command as never);
    expect(result).toMatchObject({ ok: false, reason: 'invalid' });
    expect(result.ok ? [] : result.issues.map(({ option }) => option)).toEqual(options);
    expect(bus.stats().failed).toEqual({ invalid: 1 });
    expect(await received('acme')).toEqual({});
  });

  it('answers whatever it is given, and emits all records of a batch or none', async () => {
    const { bus, receivers, registry } = await startWorld();
    const hostile = new Proxy(
      {},
      {
        get: () => {
          throw new Error('trap');
        },
      },
    );
    const getter = {
      type: 'startSpan',
      get name(): string {
        throw new Error('trap');
      },
    };
    const reasons: string[] = [];
    for (const given of [undefined, null, 7, 'flush', [], {}, { type: 7 }, hostile, getter, { type: 'toString' }]) {
      const result = await bus.dispatch(given as never);
      reasons.push(result.ok ? 'ok' : result.reason);
    }
    expect(reasons).toEqual([...Array(9).fill('invalid'), 'unknown_type']);
    const logs = [{ message: 'kept back' }, { message: 'x', inSpan: 'nowhere' }];
    expect(await bus.dispatch({ type: 'emitLogs', logs })).toMatchObject({ ok: false, reason: 'unknown_span' });
    await registry.flush();
    expect(logsOf(receivers.acme)).toEqual([]);
    expect(bus.stats()).toMatchObject({ dispatched: 11, succeeded: 0 });
  });

  it('tells an id that is not open, or is open already', async () => {
    const { bus, received } = await startWorld();
    const start = { type: 'startSpan', name: 'once', id: 'one' } as const;
    await bus.dispatch(start);
    expect(await bus.dispatch(start)).toMatchObject({ reason: 'span_exists' });
    await bus.dispatch({ type: 'endSpan', id: 'one' });
    for (const command of [
      { type: 'endSpan', id: 'one' },
      { type: 'addSpanEvent', id: 'one', name: 'late' },
      { type: 'startSpan', name: 'child', parentId: 'one' },
      { type: 'emitLog', message: 'late', inSpan: 'one' },
    ] as const)
      expect(await bus.dispatch(command)).toMatchObject({ ok: false, reason: 'unknown_span' });
    expect(Object.keys(await received('acme'))).toEqual(['once']);
  });

  it('ends spans that are too many or too old as abandoned, with the reason', async () => {
    const clock = new FakeClock();
    const receiver = await startReceiver();
    // Nothing is under way while the clock is turned on.
    const options = { destination: { endpoint: receiver.url }, batch: { delayMillis: 3_600_000 } };
    const registry = new TracerRegistry({ configure: () => options, platform: false, clock });
    const bus = createCommandBus({ registry, tenantId: 'acme' }, { maxOpenSpans: 2, maxSpanAgeMillis: 60_000 });
    const start = (name: string) => bus.dispatch({ type: 'startSpan', name, id: name });
    await start('first');
    clock.advance(30_000);
    await start('second');
    await start('third');
    expect(bus.stats()).toMatchObject({ openSpans: 2, abandoned: { span_limit: 1 } });
    clock.advance(59_000);
    expect(bus.stats().openSpans).toBe(2);
    clock.advance(1_000);
    expect(bus.stats()).toMatchObject({ openSpans: 0, abandoned: { span_limit: 1, span_age: 2 } });
    await start('fourth');
    bus.close();
    expect(await start('fifth')).toMatchObject({ reason: 'closed' });
    expect(bus.stats().abandoned).toEqual({ span_limit: 1, span_age: 2, bus_closed: 1 });
    await registry.shutdown();
    const reasons = receiver.spans().map(({ name, attributes }) => [name, attributes['isotrace.abandoned']]);
    expect(reasons).toEqual([
      ['first', 'span_limit'],
      ['second', 'span_age'],
      ['third', 'span_age'],
      ['fourth', 'bus_closed'],
    ]);
    await receiver.close();
  });

  it('flushes, shuts its tenant down and no other, and brings it back', async () => {
    const { bus, receivers, registry } = await startWorld();
    expect(await bus.dispatch({ type: 'initialize' })).toMatchObject({ ok: true, value: { tenantId: 'acme' } });
    const work = async (id: string) => {
      await bus.dispatch({ type: 'startSpan', name: id, id });
      return await bus.dispatch({ type: 'endSpan', id });
    };
    await work('one');
    expect(await bus.dispatch({ type: 'flush' })).toMatchObject({ value: { ok: true, delivered: 1, pending: 0 } });
    expect(receivers.acme.spans()).toHaveLength(1);
    await bus.dispatch({ type: 'startSpan', name: 'left open', id: 'open' });
    const before = registry.get('acme');
    expect(await bus.dispatch({ type: 'shutdown', timeoutMillis: 5_000 })).toMatchObject({ value: { delivered: 1 } });
    expect([before.state, registry.get('globex').state]).toEqual(['closed', 'active']);
    expect(await work('between')).toMatchObject({ ok: false, reason: 'closed' });
    expect(await bus.dispatch({ type: 'initialize' })).toMatchObject({ ok: true });
    expect(await work('again')).toEqual({ ok: true });
    await registry.flush();
    expect(receivers.acme.spans().map(({ name }) => name)).toEqual(['one', 'left open', 'again']);
  });

  it('of a tracer by itself does not come back, and with shutdown: "bus" stops the bus only', async () => {
    const receiver = await startReceiver();
    const tracer = createTracer({ tenantId: 'solo', destination: { endpoint: receiver.url } });
    const part = createCommandBus(tracer, { shutdown: 'bus' });
    await part.dispatch({ type: 'startSpan', name: 'of the part', id: '1' });
    await part.dispatch({ type: 'shutdown' });
    expect(await part.dispatch({ type: 'flush' })).toMatchObject({ reason: 'closed' });
    expect([tracer.state, receiver.spans().length]).toEqual(['active', 1]);
    const whole = createCommandBus(tracer);
    expect(whole.tenantId).toBe('solo');
    await whole.dispatch({ type: 'shutdown' });
    expect(tracer.state).toBe('closed');
    expect(await whole.dispatch({ type: 'initialize' })).toMatchObject({ ok: false, reason: 'closed' });
    await receiver.close();
  });

  it('says that a tenant takes none of a signal', async () => {
    const { registry } = await startTenants(['acme'], { tenant: () => ({ signals: { logs: false } }) });
    const bus = createCommandBus({ registry, tenantId: 'acme' });
    await bus.dispatch({ type: 'startSpan', name: 'work', id: '1' });
    await registry.flush();
    expect(await bus.dispatch({ type: 'emitLog', message: 'x' })).toMatchObject({ reason: 'not_recording' });
    const nobody = createCommandBus({ registry, tenantId: 'unknown' });
    await nobody.dispatch({ type: 'initialize' });
    await registry.flush();
    for (const command of [{ type: 'startSpan', name: 'x' }, { type: 'initialize' }] as const)
      expect(await nobody.dispatch(command)).toMatchObject({ ok: false, reason: 'not_recording' });
  });

  it('executes commands of its own, and contains and counts handlers that fail or hang', async () => {
    const { registry } = await startTenants(['acme']);
    const bus = createCommandBus<{
      charge(fields: { readonly amount: number }): Promise<string>;
      fails(fields: object): never;
      hangs(fields: object): Promise<void>;
      flush(fields: object): void;
    }>({ registry, tenantId: 'acme' }, { handlerTimeoutMillis: 10 });
    bus.register('charge', async ({ amount }, { tenantId }) => `${tenantId} paid ${amount}`);
    bus.register('fails', () => {
      throw new Error('no');
    });
    bus.register('hangs', () => new Promise<void>(() => {}));
    const result = await bus.dispatch({ type: 'charge', amount: 5 });
    expect(result.ok && result.value.toUpperCase()).toBe('ACME PAID 5');
    expect(await bus.dispatch({ type: 'fails' })).toMatchObject({ ok: false, reason: 'failed', message: 'Error: no' });
    expect(await bus.dispatch({ type: 'hangs' })).toMatchObject({ ok: false, reason: 'timeout' });
    bus.register('flush', () => undefined);
    const stop = bus.register('charge', async () => 'another');
    stop();
    expect(await bus.dispatch({ type: 'charge', amount: 6 })).toMatchObject({ value: 'acme paid 6' });
    expect(registry.get('acme').health().errors).toEqual({ host: 4 });
    // @ts-expect-error the amount is a number
    await bus.dispatch({ type: 'charge', amount: 'x' });
    // @ts-expect-error there is no such command
    await bus.dispatch({ type: 'unheard' });
  });

  it('names options that are not acceptable, and goes on with their defaults', async () => {
    const { registry } = await startTenants(['acme']);
    const options = { maxOpenSpans: 0, shutdown: 'all', extra: 1 } as never;
    const bus = createCommandBus({ registry, tenantId: 'acme' }, options);
    expect(bus.issues.map(({ option }) => option)).toEqual(['extra', 'maxOpenSpans', 'shutdown']);
    expect(await bus.dispatch({ type: 'startSpan', name: 'x' })).toMatchObject({ ok: true });
  });

  it('of no tenant takes nothing, and says so', async () => {
    const { registry } = await startTenants(['acme']);
    const hostile = new Proxy({}, { get: raise, getPrototypeOf: raise });
    for (const tenant of [undefined, null, 5, {}, { registry: {}, tenantId: 'acme' }, hostile]) {
      const bus = createCommandBus(tenant as never);
      expect(bus.issues.map(({ option }) => option)).toEqual(['tenant']);
      expect([bus.tenantId, bus.stats().openSpans]).toEqual(['', 0]);
      expect(await bus.dispatch({ type: 'startSpan', name: 'x' })).toMatchObject({ ok: false, reason: 'closed' });
      bus.register('own' as never, (() => 1) as never)();
      bus.close();
    }
    expect(createCommandBus({ registry, tenantId: 'acme' }, hostile as never).issues).toMatchObject([
      { option: 'options' },
    ]);
  });

  it('stays with the tenant that it was made for, whatever becomes of what it was made from', async () => {
    const { registry, receivers } = await startTenants(['acme', 'globex']);
    const given = { registry, tenantId: 'acme' };
    const bus = createCommandBus(given);
    given.tenantId = 'globex';
    const started = await bus.dispatch({ type: 'startSpan', name: 'mine', id: '1' });
    expect([started.ok, bus.tenantId]).toEqual([true, 'acme']);
    await bus.dispatch({ type: 'endSpan', id: '1' });
    await registry.flush();
    expect([receivers.acme.spans().length, receivers.globex.spans().length]).toEqual([1, 0]);
    await registry.shutdown();
    expect(await bus.dispatch({ type: 'startSpan', name: 'late' })).toMatchObject({
      ok: false,
      message: 'there is no such tenant, or its registry was shut down',
    });
  });
});

function raise(): never {
  throw new Error('it cannot be read');
}
