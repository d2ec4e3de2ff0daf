import { SpanStatusCode } from '@opentelemetry/api';
import { describe, expect, it } from 'vitest';
import { logsOf } from '../support/otlp-log-decoder.ts';
import type { OtlpReceiver } from '../support/otlp-receiver.ts';
import { copyingWorld, missing, receiverWith } from './delivery-kit.ts';

/** What a receiver got, with whose it is. */
const saidAt = (receiver: OtlpReceiver): string[] =>
  logsOf(receiver)
    .map(({ body, resource }) => `${String(resource['tenant.id'])}: ${String(body)}`)
    .sort();

describe('copies of log records for the platform', () => {
  it('are of all tenants in one request, each with its resource, id and span; tenants see nothing of it', async () => {
    const { own, platform, registry } = await copyingWorld({});
    registry.platform.log.info('own');
    const traceId = registry.get('a').withSpan('work', (span) => {
      registry.get('a').log.warn('of a', { of: 'a' });
      return span.spanContext().traceId;
    });
    for (const id of ['b', 'b']) registry.get(id).log.info(`of ${id}`, { of: id });
    await registry.flush();
    expect(saidAt(platform)).toEqual(['a: of a', 'b: of b', 'b: of b', 'undefined: own']);
    const requests = platform.requests.filter(({ path }) => path === '/v1/logs');
    // The copies share one request; what is the platform's own has another.
    expect(requests).toHaveLength(2);
    for (const { headers } of requests) expect(headers['x-key']).toBe('of the platform');
    for (const { attributes, resource, severityText, traceId: seen } of logsOf(platform)) {
      if (resource['tenant.id'] === undefined) continue;
      expect(resource['service.name']).toBe(`service of ${String(resource['tenant.id'])}`);
      expect(attributes).toEqual({ of: resource['tenant.id'] });
      expect([severityText, seen]).toEqual(resource['tenant.id'] === 'a' ? ['WARN', traceId] : ['INFO', '']);
    }
    for (const id of ['a', 'b'] as const) {
      expect(logsOf(own[id]).every(({ body }) => body === `of ${id}`)).toBe(true);
      for (const { body } of own[id].requests) expect(Buffer.from(body).includes('tenant.id')).toBe(false);
    }
    expect(registry.get('b').stats().logs).toMatchObject({ created: 2, exported: 2 });
    expect(registry.platform.stats().logs).toMatchObject({ created: 4, exported: 4 });
    // The span, and its copy.
    expect(registry.platform.stats().traces).toMatchObject({ created: 1, exported: 1 });
  });

  it.each(['http/json', 'grpc'] as const)('go over %s as well', async (protocol) => {
    const platform = await receiverWith({ protocol: protocol === 'grpc' ? 'grpc' : 'http' });
    const { registry } = await copyingWorld({ platform: { destination: { endpoint: platform.url, protocol } } });
    for (const id of ['a', 'b', 'a']) registry.get(id).log.info(`of ${id}`);
    await registry.flush();
    expect(platform.requests).toHaveLength(1);
    expect(saidAt(platform)).toEqual(['a: of a', 'a: of a', 'b: of b']);
  });

  it("are only from `ERROR` up, or those of the same traces as the spans' copies, where that is asked for", async () => {
    const errors = await copyingWorld({ platformCopy: 'errors' });
    const { log } = errors.registry.get('a');
    for (const level of ['info', 'warn', 'error', 'fatal'] as const) log[level](level);
    errors.registry.get('a').withSpan('failed', (span) => {
      span.setStatus({ code: SpanStatusCode.ERROR });
      log.info('in a failed span');
    });
    await errors.registry.flush();
    expect(saidAt(errors.platform)).toEqual(['a: error', 'a: fatal']);
    expect(logsOf(errors.own.a)).toHaveLength(5);

    const share = await copyingWorld({ platformCopy: 0.5 });
    for (let index = 0; index < 200; index += 1) {
      share.registry.get('a').withSpan(`${index}`, () => share.registry.get('a').log.info(`${index}`));
      share.registry.get('b').log.info('outside of traces');
    }
    await share.registry.flush();
    const spans = share.platform.spans().map(({ name }) => name);
    const records = saidAt(share.platform);
    expect(records.filter((text) => text.startsWith('a: ')).map((text) => text.slice(3))).toEqual(spans.sort());
    const outside = records.filter((text) => text.startsWith('b: ')).length;
    expect(outside).toBeGreaterThan(50);
    expect(outside).toBeLessThan(150);
  });

  it("show what the tenant's, then the platform's, then the destination's redaction leave", async () => {
    const [first, second] = [await receiverWith(), await receiverWith()];
    const { own, registry } = await copyingWorld({
      tenant: () => ({ redact: { keys: ['a'], values: false } }),
      platform: {
        redact: { keys: ['b'], values: false },
        destination: [{ endpoint: first.url }, { endpoint: second.url, redact: { keys: ['c'], values: false } }],
      },
    });
    registry.get('a').log.info('said', { a: '1', b: '2', c: '3', d: '4' });
    await registry.flush();
    const hidden = '[REDACTED]';
    expect(logsOf(own.a)[0]?.attributes).toEqual({ a: hidden, b: '2', c: '3', d: '4' });
    expect(logsOf(first)[0]?.attributes).toEqual({ a: hidden, b: hidden, c: '3', d: '4' });
    expect(logsOf(second)[0]?.attributes).toEqual({ a: hidden, b: hidden, c: hidden, d: '4' });
  });

  it('are made of what a tenant without destination has to tell, too, but not of what it may not send', async () => {
    const { platform, registry } = await copyingWorld({
      tenant: (id) =>
        id === 'a' ? { destination: [] } : { limits: { logsPerSecond: 1 }, logs: { minSeverity: 'info' } },
    });
    registry.get('a').log.info('nowhere to go');
    for (const text of ['first', 'second']) registry.get('b').log.info(text);
    registry.get('b').log.debug('below');
    await registry.flush();
    expect(saidAt(platform)).toEqual(['a: nowhere to go', 'b: first']);
    expect(registry.get('a').stats().logs).toMatchObject({ created: 1, dropped: { no_destination: 1 } });
    expect(registry.get('b').stats().logs).toMatchObject({ created: 2, exported: 1, dropped: { rate_limited: 1 } });
  });

  it('of one tenant that floods leave room for the others, and cost the tenants nothing', async () => {
    const { own, platform, registry } = await copyingWorld({
      platform: {
        destination: { endpoint: 'http://127.0.0.1:1' },
        limits: { maxQueueSize: 100 },
        batch: { maxSize: 100 },
      },
    });
    for (let index = 0; index < 1_000; index += 1) registry.get('a').log.info(`${index}`);
    registry.get('b').log.info('one');
    const { created, dropped, queued } = registry.platform.stats().logs;
    expect({ created, dropped, queued }).toEqual({ created: 1_001, queued: 51, dropped: { queue_full: 950 } });
    await registry.flush();
    expect(logsOf(own.a)).toHaveLength(1_000);
    expect(registry.get('a').stats().logs).toMatchObject({ created: 1_000, exported: 1_000, dropped: {} });
    expect(platform.requests).toHaveLength(0);
    await registry.shutdown({ timeoutMillis: 200 });
    expect(registry.platform.stats().logs).toMatchObject({ dropped: { queue_full: 950, shutdown_deadline: 51 } });
    expect(missing(registry.stats().logs)).toBe(0);
    registry.get('a').log.info('too late');
    expect(missing(registry.stats().logs)).toBe(0);
  });

  it('are not made for a platform tracer without logs, nor unless they are asked for', async () => {
    const without = await copyingWorld({});
    const silent = await copyingWorld({
      platform: { destination: { endpoint: without.platform.url }, signals: { logs: false } },
    });
    const unasked = await copyingWorld({ platformCopy: false });
    for (const { registry } of [silent, unasked]) {
      registry.get('a').log.error('said');
      await registry.flush();
      await registry.shutdown();
      expect(registry.platform.stats().logs).toMatchObject({ created: 0 });
    }
    expect([without, unasked].flatMap(({ platform }) => logsOf(platform))).toEqual([]);
  });
});
