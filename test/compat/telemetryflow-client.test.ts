import { describe, expect, it, onTestFinished } from 'vitest';
import { TracerRegistry } from '../../src/index.ts';
import { newBuilder, TelemetryFlowClient } from '../../src/telemetryflow.ts';
import { receiverWith } from '../delivery/delivery-kit.ts';
import type { DecodedSpan } from '../support/otlp-decoder.ts';
import { logsOf } from '../support/otlp-log-decoder.ts';
import type { OtlpReceiver } from '../support/otlp-receiver.ts';
import { receivedPoints } from '../support/received-metrics.ts';

async function clientWith(): Promise<{ client: TelemetryFlowClient; receiver: OtlpReceiver }> {
  const receiver = await receiverWith();
  const client = newBuilder()
    .withApiKey('tfk_1', 'tfs_1')
    .withEndpoint(receiver.url)
    .withHttp()
    .withService('shop')
    .mustBuild();
  onTestFinished(async () => {
    await client.shutdown(0);
  });
  return { client, receiver };
}

function spanNamed(receiver: OtlpReceiver, name: string): DecodedSpan {
  const found = receiver.spans().filter((span) => span.name === name);
  expect(found).toHaveLength(1);
  return found[0] as DecodedSpan;
}

describe('the TelemetryFlow client', () => {
  it('measures: counters add, gauges are what was said last, histograms spread', async () => {
    const { client, receiver } = await clientWith();
    client.incrementCounter('orders');
    client.incrementCounter('orders', 4, { kind: 'web' });
    client.recordGauge('depth', 42);
    client.recordGauge('depth', 42);
    client.recordHistogram('wait', 0.25, 's', { route: '/' });
    client.recordMetric('load', 0.5, '1');
    client.recordMetric('load', 0.75, '1');
    expect((await client.flush()).ok).toBe(true);
    const points = receivedPoints(receiver);
    expect(
      points.map(({ name, shape, value, unit, attributes }) => ({ name, shape, value, unit, attributes })),
    ).toEqual(
      expect.arrayContaining([
        { name: 'orders', shape: 'sum', value: 1, unit: '', attributes: {} },
        { name: 'orders', shape: 'sum', value: 4, unit: '', attributes: { kind: 'web' } },
        { name: 'depth', shape: 'gauge', value: 42, unit: '', attributes: {} },
        { name: 'wait', shape: 'histogram', value: undefined, unit: 's', attributes: { route: '/' } },
        { name: 'load', shape: 'gauge', value: 0.75, unit: '1', attributes: {} },
      ]),
    );
    expect(points).toHaveLength(5);
    expect(receiver.requests.map(({ path }) => path)).toEqual(['/v2/metrics']);
    expect(client.getStatus()).toMatchObject({ metricsSent: 5, logsSent: 0, spansSent: 0 });
  });

  it('logs records of its own, with the severity that was said, inside spans and outside', async () => {
    const { client, receiver } = await clientWith();
    client.log('plain', undefined, { a: 1 });
    client.logTrace('t');
    client.logDebug('d');
    client.logInfo('i');
    client.logWarn('w');
    client.logError('e');
    client.logFatal('f');
    client.logBatch([{ message: 'one', severity: 'warn' }, { message: 'two' }]);
    client.log('odd', 'toString' as never);
    const id = client.span('work', (spanId) => {
      client.logInfo('inside');
      return spanId;
    });
    await client.flush();
    const logs = logsOf(receiver);
    expect(logs.map(({ body, severityText }) => `${severityText} ${String(body)}`)).toEqual([
      'INFO plain',
      'TRACE t',
      'DEBUG d',
      'INFO i',
      'WARN w',
      'ERROR e',
      'FATAL f',
      'WARN one',
      'INFO two',
      'INFO odd',
      'INFO inside',
    ]);
    expect(logs[0]?.attributes).toEqual({ a: 1 });
    expect(logs[0]?.spanId).toBe('');
    expect(logs.at(-1)?.spanId).toBe(id);
    expect(client.getStatus().logsSent).toBe(logs.length);
  });

  it('knows spans by their id, with parents, kinds, events and errors', async () => {
    const { client, receiver } = await clientWith();
    const parent = client.startSpan('order', 'server', { 'order.id': '7' });
    const child = client.startSpan('charge', 'client', undefined, parent);
    client.addSpanEvent(child, 'retried', { attempt: 2 });
    client.endSpan(child, new TypeError('declined'));
    client.endSpan(parent);
    client.endSpan(parent, new Error('twice'));
    client.addSpanEvent('unknown', 'nothing');
    client.endSpan('unknown');
    await client.flush();
    expect(receiver.spans()).toHaveLength(2);
    const [order, charge] = [spanNamed(receiver, 'order'), spanNamed(receiver, 'charge')];
    expect([order.spanId, charge.spanId]).toEqual([parent, child]);
    expect(order).toMatchObject({ kind: 2, attributes: { 'order.id': '7' }, parentSpanId: '', status: { code: 0 } });
    expect(charge).toMatchObject({
      kind: 3,
      parentSpanId: parent,
      traceId: order.traceId,
      status: { code: 2, message: 'declined' },
      attributes: { 'error.type': 'TypeError' },
    });
    expect(charge.events.map(({ name }) => name)).toEqual(['retried', 'exception']);
  });

  it('runs functions in active spans that nest, and lets errors through', async () => {
    const { client, receiver } = await clientWith();
    const failure = new Error('no stock');
    const result = await client.span('outer', 'server', { a: 1 }, async (outer) => {
      await Promise.resolve();
      client.addSpanEvent(outer, 'began');
      const inner = client.startSpan('inner');
      client.endSpan(inner);
      return 7;
    });
    expect(result).toBe(7);
    await expect(client.span('failing', 'internal', async () => Promise.reject(failure))).rejects.toBe(failure);
    await client.flush();
    const outer = spanNamed(receiver, 'outer');
    expect(outer).toMatchObject({ kind: 2, attributes: { a: 1 }, events: [{ name: 'began' }] });
    expect(spanNamed(receiver, 'inner').parentSpanId).toBe(outer.spanId);
    expect(spanNamed(receiver, 'failing').status).toEqual({ code: 2, message: 'no stock' });
  });

  it('ends the oldest span that was never ended to make room for another', async () => {
    const receiver = await receiverWith();
    const registry = new TracerRegistry({ platform: false, destination: { endpoint: receiver.url } });
    onTestFinished(async () => {
      await registry.shutdown({ timeoutMillis: 0 });
    });
    const client = new TelemetryFlowClient(registry.get('acme'), { maxOpenSpans: 2 });
    const ids = ['first', 'second', 'third'].map((name) => client.startSpan(name));
    for (let index = 0; index < 10; index += 1) client.span(`short ${index}`, () => undefined);
    await client.flush();
    expect(spanNamed(receiver, 'first').attributes).toEqual({ 'isotrace.span.abandoned': true });
    client.endSpan(ids[0] as string);
    client.endSpan(ids[2] as string);
    await client.shutdown();
    expect(receiver.spans().filter(({ attributes }) => 'isotrace.span.abandoned' in attributes)).toHaveLength(2);
    expect(spanNamed(receiver, 'third').attributes).toEqual({});
    expect(client.tracer.stats()).toMatchObject({ open: 0, traces: { created: 13, exported: 13 } });
  });

  it('needs no initialize, ends at a shutdown, and begins anew after another', async () => {
    const { client, receiver } = await clientWith();
    expect(client.isInitialized()).toBe(false);
    expect(String(client)).toBe('TelemetryFlowClient(service=shop, not initialized)');
    expect(client.getStatus()).toMatchObject({ initialized: false, uptimeSeconds: undefined });
    client.startSpan('forgotten');
    expect(client.isInitialized()).toBe(true);
    client.initialize();
    expect((await client.shutdown()).ok).toBe(true);
    expect(spanNamed(receiver, 'forgotten').attributes).toEqual({ 'isotrace.span.abandoned': true });
    client.endSpan(client.startSpan('too late'));
    client.logInfo('too late');
    expect(client.isInitialized()).toBe(false);
    client.initialize();
    client.endSpan(client.startSpan('again'));
    expect((await client.flush()).ok).toBe(true);
    expect(receiver.spans().map(({ name }) => name)).toEqual(['forgotten', 'again']);
    expect(logsOf(receiver)).toEqual([]);
    expect(client.getStatus()).toEqual({
      initialized: true,
      version: expect.any(String) as string,
      serviceName: 'shop',
      endpoint: receiver.url,
      protocol: 'http/protobuf',
      signalsEnabled: ['metrics', 'logs', 'traces'],
      uptimeSeconds: expect.any(Number) as number,
      metricsSent: 0,
      logsSent: 0,
      spansSent: 1,
    });
  });

  it('throws at nobody, whatever it is given, and loses nothing else', async () => {
    const { client, receiver } = await clientWith();
    const refuse = (): never => {
      throw new Error('it cannot be read');
    };
    const hostile = new Proxy({}, { get: refuse, has: refuse, ownKeys: refuse, getPrototypeOf: refuse });
    const methods = Object.getOwnPropertyNames(TelemetryFlowClient.prototype).filter(
      (name) => /^(record|increment|log|start|end|add|span)/.test(name) && name !== 'span',
    );
    expect(methods).toHaveLength(15);
    for (const value of [undefined, null, 5, Symbol('x'), () => 1, [], hostile]) {
      for (const method of methods)
        Reflect.apply(Reflect.get(client, method) as () => unknown, client, [value, value, value, value]);
      client.span('odd', value as never, value as never, () => undefined);
      expect(client.span(value as never, undefined as never)).toBeUndefined();
    }
    client.logBatch([{ message: 'first' }, hostile as never, null as never, { message: 'last' }]);
    await client.shutdown();
    const bodies = logsOf(receiver).map(({ body }) => body);
    expect(bodies.filter((body) => body === 'first' || body === 'last')).toEqual(['first', 'last']);
    expect(new TelemetryFlowClient(client.tracer, null as never).getStatus()).toMatchObject({ initialized: false });
  });

  it('keeps two clients of one process apart, also inside one another', async () => {
    const [acme, globex] = [await clientWith(), await clientWith()];
    acme.client.span('acme outer', () => {
      globex.client.span('globex inner', () => {
        acme.client.logInfo('of acme');
        globex.client.logInfo('of globex');
        acme.client.incrementCounter('count', 1);
        globex.client.incrementCounter('count', 2);
        acme.client.span('acme innermost', () => undefined);
      });
    });
    await Promise.all([acme.client.flush(), globex.client.flush()]);
    expect(acme.receiver.spans().map(({ name }) => name)).toEqual(['acme innermost', 'acme outer']);
    expect(globex.receiver.spans().map(({ name, parentSpanId }) => [name, parentSpanId])).toEqual([
      ['globex inner', ''],
    ]);
    expect(spanNamed(acme.receiver, 'acme innermost').parentSpanId).toBe(spanNamed(acme.receiver, 'acme outer').spanId);
    expect(logsOf(acme.receiver).map(({ body }) => body)).toEqual(['of acme']);
    expect(logsOf(globex.receiver).map(({ body }) => body)).toEqual(['of globex']);
    expect(receivedPoints(acme.receiver, 'count').map(({ value }) => value)).toEqual([1]);
    expect(receivedPoints(globex.receiver, 'count').map(({ value }) => value)).toEqual([2]);
  });
});
