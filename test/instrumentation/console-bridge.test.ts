import { describe, expect, it } from 'vitest';
import { bridgeConsole, type ConsoleLike } from '../../src/index.ts';
import { receiver, registryOf, toReceiver } from '../core/registry-kit.ts';
import { logsOf } from '../support/otlp-log-decoder.ts';

/** A console that remembers what was written. */
function fakeConsole() {
  const written: unknown[][] = [];
  const write = (...args: unknown[]): void => {
    written.push(args);
  };
  const fake: ConsoleLike = { trace: write, debug: write, log: write, info: write, warn: write, error: write };
  return { fake, written };
}

describe('bridgeConsole', () => {
  it('makes log records of what is written, for the tenant of the context, and writes it as before', async () => {
    const target = await receiver();
    const registry = registryOf({ configure: toReceiver(target), unassigned: 'drop' });
    const { fake, written } = fakeConsole();
    const restore = bridgeConsole(registry, { console: fake });
    registry.run('a', () => {
      fake.log('paid %d', 5, { order: 7 });
      fake.error('failed', new TypeError('no price'));
      for (const method of ['trace', 'debug', 'info', 'warn'] as const) fake[method](method);
    });
    fake.log('of nobody');
    restore();
    registry.run('a', () => fake.log('later'));
    await registry.flush();
    const logs = logsOf(target);
    expect(logs.map(({ body }) => body)).toMatchObject([
      'paid 5 { order: 7 }',
      expect.stringContaining('failed TypeError: no price'),
      'trace',
      'debug',
      'info',
      'warn',
    ]);
    expect(logs.map(({ severityNumber }) => severityNumber)).toEqual([9, 17, 1, 5, 9, 13]);
    expect(logs[1]?.attributes).toMatchObject({ 'exception.type': 'TypeError', 'exception.message': 'no price' });
    expect(logs[0]?.scope.name).toBe('console');
    expect(written).toHaveLength(8);
  });

  it('gives the global console back as it was', () => {
    const { console: global } = globalThis;
    const before = { ...global };
    const restore = bridgeConsole(registryOf({}), { methods: ['debug'] });
    expect(global.debug).not.toBe(before.debug);
    expect(global.log).toBe(before.log);
    restore();
    restore();
    expect(global.debug).toBe(before.debug);
  });

  it('leaves a method alone that somebody else replaced meanwhile', async () => {
    const target = await receiver();
    const registry = registryOf({ configure: toReceiver(target) });
    const { fake, written } = fakeConsole();
    const restore = bridgeConsole(registry, { console: fake, methods: ['log'] });
    const bridged = fake.log;
    const outer = (...args: unknown[]) => bridged('outer', ...args);
    fake.log = outer;
    restore();
    expect(fake.log).toBe(outer);
    registry.run('a', () => fake.log('x'));
    await registry.flush();
    expect(written).toEqual([['outer', 'x']]);
    expect(logsOf(target)).toEqual([]);
  });

  it('does not record what recording itself writes', async () => {
    const { fake, written } = fakeConsole();
    const registry = registryOf({
      logger: { debug() {}, info() {}, error() {}, warn: () => fake.warn('from the logger') },
      redact: {
        custom: () => {
          fake.log('from the redactor');
          throw new Error('broken');
        },
      },
      destination: { endpoint: 'http://127.0.0.1:9' },
    });
    const restore = bridgeConsole(registry.get('a'), { console: fake });
    fake.error(new Error('once'));
    restore();
    expect(registry.get('a').stats().logs.created).toBe(1);
    expect(written.length).toBeGreaterThan(1);
  });
});
