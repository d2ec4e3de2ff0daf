import { describe, expect, it } from 'vitest';
import { createErrorHandling } from '../../src/index.ts';
import { FakeClock } from '../support/fake-clock.ts';

function recorder() {
  const lines: { fields: object; message: string }[] = [];
  const write = (fields: object, message: string) => void lines.push({ fields, message });
  return { lines, logger: { debug: write, info: write, warn: write, error: write } };
}

describe('createErrorHandling', () => {
  it('passes results, this and arguments through', () => {
    const handling = createErrorHandling();
    const add = handling.contain(function add(this: { base: number }, more: number) {
      return this.base + more;
    });
    expect(add.call({ base: 2 }, 3)).toBe(5);
    expect(handling.health()).toEqual({ errors: 0, recentErrors: [], switchedOff: [] });
  });

  it('answers the fallback for a function that throws, and for a promise that rejects', async () => {
    const { logger } = recorder();
    const handling = createErrorHandling({ logger });
    const thrower = handling.contain(
      (): number => {
        throw new Error('no');
      },
      { fallback: 7, operation: 'thrower' },
    );
    const rejecter = handling.contain(async (): Promise<string> => Promise.reject(new Error('never')), {
      fallback: 'instead',
    });
    expect(thrower()).toBe(7);
    await expect(rejecter()).resolves.toBe('instead');
    const { errors, recentErrors } = handling.health();
    expect(errors).toBe(2);
    expect(recentErrors.map(({ message }) => message)).toEqual(['Error: no', 'Error: never']);
  });

  it('logs one line a minute for each function and says how many it kept back', () => {
    const clock = new FakeClock();
    const { lines, logger } = recorder();
    const handling = createErrorHandling({ logger, clock });
    const fail = handling.contain(
      () => {
        throw new Error('again');
      },
      { operation: 'fail' },
    );
    fail();
    fail();
    fail();
    expect(lines).toHaveLength(1);
    clock.advance(60_001);
    fail();
    expect(lines).toHaveLength(2);
    expect(lines[1]?.fields).toMatchObject({ operation: 'fail', suppressed: 2 });
  });

  it.each([
    ['strict', 1],
    ['balanced', 10],
    ['resilient', 10],
  ] as const)('at level %s calls a failing function %i times before it is switched off', (resilience, calls) => {
    const clock = new FakeClock();
    const { logger } = recorder();
    const handling = createErrorHandling({ resilience, clock, logger });
    let called = 0;
    const fail = handling.contain(
      () => {
        called += 1;
        throw new Error('broken');
      },
      { operation: 'fail' },
    );
    for (let index = 0; index < 30; index += 1) fail();
    expect(called).toBe(calls);
    expect(handling.health().switchedOff).toEqual(['host.fail']);
    clock.advance(30_001);
    fail();
    expect(called).toBe(resilience === 'resilient' ? calls + 1 : calls);
  });

  it('forgets failures that are more than a minute old', () => {
    const clock = new FakeClock();
    const { logger } = recorder();
    const handling = createErrorHandling({ clock, logger });
    let called = 0;
    const fail = handling.contain(() => {
      called += 1;
      throw new Error('now and then');
    });
    for (let index = 0; index < 50; index += 1) {
      fail();
      clock.advance(10_000);
    }
    expect(called).toBe(50);
  });
});
