import { describe, expect, it } from 'vitest';
import { describeError, IsotraceError } from '../../src/utils/errors.ts';

const refuse = (): never => {
  throw new Error('refused');
};
const { proxy: revoked, revoke } = Proxy.revocable({}, {});
revoke();

describe('the description of an error', () => {
  it.each<[string, unknown, string]>([
    ['an error', new TypeError('wrong'), 'TypeError: wrong'],
    ['a text', 'plain', 'plain'],
    ['undefined', undefined, 'undefined'],
    ['a symbol', Symbol('s'), 'Symbol(s)'],
    ['a monstrous bigint', 1n << 100_000_000n, '[BigInt]'],
    ['an array, however large', new Array(1_000_000_000), 'an array of 1000000000'],
    [
      'an error whose fields are no texts',
      Object.assign(new Error(''), { name: Symbol('n'), message: [[]] }),
      '(symbol): (object)',
    ],
    ['a revoked proxy', revoked, 'an error that cannot be described'],
    ['a value that refuses to be printed', { toString: refuse }, 'an error that cannot be described'],
    ['an object without a prototype', Object.create(null), 'an error that cannot be described'],
  ])('is short and safe for %s', (_, error, expected) => {
    expect(describeError(error)).toBe(expected);
  });

  it('is cut to its limit and keeps nothing of the rest', () => {
    expect(describeError(new Error('x'.repeat(1_000)), 10)).toBe('Error: xxx…');
    globalThis.gc?.();
    const before = process.memoryUsage().heapUsed;
    const kept = Array.from({ length: 3 }, (_, index) => describeError(`${index}${'x'.repeat(100_000_000)}`));
    globalThis.gc?.();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(2_000_000);
    expect(kept.map(({ length }) => length)).toEqual([513, 513, 513]);
  });
});

describe('IsotraceError', () => {
  it('has a code, issues and, when given, a cause', () => {
    const cause = new Error('below');
    const issues = [{ option: 'a', accepted: 'b', received: 'c' }];
    const error = new IsotraceError('config_invalid', 'bad options', { cause, issues });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: 'IsotraceError',
      code: 'config_invalid',
      message: 'bad options',
      cause,
      issues,
    });
    expect('cause' in new IsotraceError('hook_failed', 'x')).toBe(false);
    expect(new IsotraceError('hook_failed', 'x').issues).toEqual([]);
  });
});
