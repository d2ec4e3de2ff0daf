import pino from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import { pinoMixin, pinoStream } from '../../src/pino.ts';
import { receiver, registryOf, toReceiver } from '../core/registry-kit.ts';
import { logsOf } from '../support/otlp-log-decoder.ts';
import { startTenants } from '../support/tenant-receivers.ts';

describe('pinoStream', () => {
  it('sends each line to the tenant of its context, with the ids of its span', async () => {
    const { receivers, registry } = await startTenants(['a', 'b']);
    const logger = pino({ level: 'trace' }, pinoStream(registry));
    const ids: string[] = [];
    const job = (id: 'a' | 'b') =>
      registry.run(id, () =>
        registry.withSpan('job', async (span) => {
          ids.push(span.spanContext().spanId);
          for (let turn = 0; turn < 3; turn += 1) {
            logger.info(`${id}${turn}`);
            await new Promise(setImmediate);
          }
        }),
      );
    await Promise.all([job('a'), job('b')]);
    logger.info('of nobody');
    await registry.flush();
    for (const [index, id] of (['a', 'b'] as const).entries()) {
      const logs = logsOf(receivers[id]);
      expect(logs.map(({ body }) => body)).toEqual([`${id}0`, `${id}1`, `${id}2`]);
      expect(new Set(logs.map(({ spanId }) => spanId))).toEqual(new Set([ids[index]]));
    }
  });

  it('keeps level, time, bindings, the name of the logger and errors, and what the logger redacts', async () => {
    const target = await receiver();
    const registry = registryOf({ configure: toReceiver(target) });
    const tracer = registry.get('a');
    const logger = pino({ level: 'trace', name: 'shop', redact: ['card'] }, pinoStream(tracer));
    logger.child({ order: 7 }).warn({ user: { id: 'u' }, card: '4111' }, 'paid %d', 5);
    logger.error(new RangeError('too many'));
    logger.error({ err: Object.assign(new Error('inner'), { code: 'E_X' }) }, 'outer');
    for (const level of ['trace', 'debug', 'info', 'fatal'] as const) logger[level](level);
    await tracer.flush();
    const [paid, thrown, wrapped, ...levels] = logsOf(target);
    expect(paid).toMatchObject({
      scope: { name: 'shop' },
      severityNumber: 13,
      severityText: 'WARN',
      body: 'paid 5',
      attributes: { order: 7, user: { id: 'u' }, card: '[Redacted]' },
    });
    expect(Object.keys(paid?.attributes ?? {}).toSorted()).toEqual(['card', 'order', 'user']);
    const millis = Number((paid?.timeUnixNano ?? 0n) / 1_000_000n);
    expect(Math.abs(millis - Date.now())).toBeLessThan(60_000);
    expect(thrown).toMatchObject({
      severityNumber: 17,
      body: 'too many',
      attributes: { 'exception.type': 'RangeError', 'exception.message': 'too many' },
    });
    expect(thrown?.attributes['exception.stacktrace']).toContain('pino.test.ts');
    expect(wrapped).toMatchObject({ body: 'outer', attributes: { 'exception.message': 'inner', 'error.code': 'E_X' } });
    expect(levels.map(({ severityNumber }) => severityNumber)).toEqual([1, 5, 9, 21]);
  });

  it('reads other keys, labels, ISO times and lines that are no JSON', async () => {
    const target = await receiver();
    const tracer = registryOf({ configure: toReceiver(target) }).get('a');
    const stream = pinoStream(tracer, { messageKey: 'message', errorKey: 'error' });
    const options = {
      messageKey: 'message',
      errorKey: 'error',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label: string) => ({ level: label }) },
    };
    pino(options, stream).warn({ error: new Error('e') }, 'm');
    stream.write('plain text\n{"level":35,"message":"between"}\n\n[1]\n');
    expect(() => stream.write(undefined as never)).not.toThrow();
    await tracer.flush();
    expect(logsOf(target)).toMatchObject([
      { body: 'm', severityNumber: 13, severityText: 'WARN', attributes: { 'exception.message': 'e' } },
      { body: 'plain text', severityNumber: 0 },
      { body: 'between', severityNumber: 9 },
      { body: '[1]', severityNumber: 0 },
      { body: 'undefined' },
    ]);
  });

  it('follows the policy for code outside every tenant', async () => {
    const platform = await receiver();
    const destination = { endpoint: platform.url };
    const registry = registryOf({ platform: { destination } });
    pino({}, pinoStream(registry)).info('for the owner');
    await registry.flush();
    expect(logsOf(platform).map(({ body }) => body)).toEqual(['for the owner']);
    const dropping = registryOf({ platform: { destination }, unassigned: 'drop' });
    pino({}, pinoStream(dropping)).info('for nobody');
    await dropping.flush();
    expect(logsOf(platform)).toHaveLength(1);
    expect(dropping.stats().logs.dropped).toEqual({ unassigned: 1 });
  });
});

describe('pinoMixin', () => {
  it("adds the ids of the tenant's own span to lines that go elsewhere", async () => {
    const registry = registryOf({});
    const lines: Record<string, unknown>[] = [];
    const logger = pino(
      { mixin: pinoMixin(registry, { tenant: true }), base: null },
      { write: (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>) },
    );
    onTestFinished(() => registry.shutdown().then(() => undefined));
    let ids = { traceId: '', spanId: '' };
    registry.run('a', () => {
      logger.info('no span');
      registry.withSpan('work', (span) => {
        ids = span.spanContext();
        logger.info('in span');
        registry.run('b', () => logger.info('in b'));
      });
    });
    logger.info('outside');
    expect(lines.map(({ level: _level, time: _time, ...rest }) => rest)).toEqual([
      { tenant: 'a', msg: 'no span' },
      { trace_id: ids.traceId, span_id: ids.spanId, trace_flags: '03', tenant: 'a', msg: 'in span' },
      { tenant: 'b', msg: 'in b' },
      { msg: 'outside' },
    ]);
  });
});
