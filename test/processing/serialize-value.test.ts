import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { serializeValue } from '../../src/processing/serialize-value.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { hostileValues } from '../support/hostile-values.ts';

const shown = (value: unknown, maxBytes = 65_536): unknown => JSON.parse(serializeValue(value, { maxBytes }));

const throwing = (): never => {
  throw new Error('must not come out');
};

describe('a value that JSON can show', () => {
  it('is shown as JSON shows it', () => {
    const json = fc.jsonValue({ maxDepth: 6 });
    fc.assert(
      fc.property(json, (value) => {
        const text = serializeValue(value, { maxBytes: 1_000_000 }, new FakeClock());
        expect(text).toBe(JSON.stringify(value));
      }),
    );
  });

  it('is asked for its own form', () => {
    expect(shown({ price: { toJSON: () => ({ euros: 3 }), hidden: 1 } })).toEqual({ price: { euros: 3 } });
    const self = { toJSON: (): object => self, kept: 1 };
    expect(shown(self)).toBe('[Circular]');
  });
});

describe('a value that JSON cannot show', () => {
  const cyclic: Record<string, unknown> = { a: 1 };
  cyclic['self'] = cyclic;

  it.each<[string, unknown, unknown]>([
    ['undefined', undefined, null],
    ['undefined members', { a: undefined, b: [undefined] }, { b: [null] }],
    ['numbers that are none', [Number.NaN, Number.NEGATIVE_INFINITY], ['NaN', '-Infinity']],
    ['a bigint', 12345678901234567890n, '12345678901234567890'],
    ['a symbol and a function', [Symbol('s'), function add() {}], ['[Symbol(s)]', '[Function add]']],
    ['a cycle', cyclic, { a: 1, self: '[Circular]' }],
    ['a date', [new Date(0), new Date(Number.NaN)], ['1970-01-01T00:00:00.000Z', 'Invalid Date']],
    [
      'a map',
      new Map<unknown, unknown>([
        ['password', 1],
        [2, new Map()],
        [{}, 3],
      ]),
      { password: 1, 2: {}, '[Object]': 3 },
    ],
    ['a set', new Set([1, 'a']), [1, 'a']],
    ['bytes', [Buffer.from('abc'), new Float64Array(2)], ['[Buffer 3 bytes]', '[Float64Array 16 bytes]']],
    ['a URL and a pattern', [new URL('http://host/a'), /a/g], ['http://host/a', '/a/g']],
    ['a promise', Promise.resolve(1), '[Promise]'],
    ['boxed values', [Object('a'), Object(1)], ['a', '1']],
    [
      'an error without what libraries hang on it',
      Object.assign(new TypeError('bad', { cause: new Error('why') }), { code: 'E_BAD', request: { token: 't' } }),
      { name: 'TypeError', message: 'bad', code: 'E_BAD', cause: { name: 'Error', message: 'why' } },
    ],
    [
      'a getter that throws',
      {
        a: 1,
        get b() {
          return throwing();
        },
      },
      { a: 1, b: '[Throws]' },
    ],
    ['a toJSON that throws', [{ toJSON: throwing }], ['[Throws]']],
    ['a proxy that throws', [new Proxy({}, { ownKeys: throwing })], ['[Throws]']],
  ])('is told by a text: %s', (_, value, expected) => {
    expect(shown(value)).toEqual(expected);
  });

  it('shows what is shared by two members twice: that is no cycle', () => {
    const shared = { a: 1 };
    expect(shown([shared, shared])).toEqual([shared, shared]);
  });
});

describe('the bounds', () => {
  it('hold for bytes, and the text stays JSON, for any value', () => {
    const value = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withSet: true,
      withSparseArray: true,
      withTypedArray: true,
      withUnicodeString: true,
    } as never);
    fc.assert(
      fc.property(value, fc.integer({ min: 64, max: 300 }), (given, maxBytes) => {
        const text = serializeValue(given, { maxBytes });
        expect(Buffer.byteLength(text)).toBeLessThanOrEqual(maxBytes);
        JSON.parse(text);
      }),
      { numRuns: 2_000 },
    );
  });

  it('hold for long texts of any characters, which are cut between characters', () => {
    const characters = fc.string({ unit: 'binary', minLength: 0, maxLength: 400 });
    fc.assert(
      fc.property(characters, fc.integer({ min: 64, max: 400 }), (text, maxBytes) => {
        const json = serializeValue([{ text }], { maxBytes });
        expect(Buffer.byteLength(json)).toBeLessThanOrEqual(maxBytes);
        const [{ text: kept }] = JSON.parse(json) as [{ text: string }];
        if (kept !== text) expect(kept.endsWith('…')).toBe(true);
        if (kept !== text) expect(text.startsWith(kept.slice(0, -1))).toBe(true);
      }),
    );
  });

  it('hold for keys', () => {
    const text = serializeValue({ ['k'.repeat(1_000)]: 1, b: 2 }, { maxBytes: 64 });
    expect(JSON.parse(text)).toEqual({ '…': '…' });
  });

  it('hold for depth and count', () => {
    const deep = { a: { b: { c: [1] } } };
    expect(JSON.parse(serializeValue(deep, { maxBytes: 4_096, maxDepth: 2 }))).toEqual({ a: { b: '[Object]' } });
    const list = JSON.parse(serializeValue(new Array(1_000).fill(1), { maxBytes: 65_536, maxCount: 10 })) as unknown[];
    expect(list).toEqual([...new Array(9).fill(1), '…']);
  });

  it('hold for time: what is left is not looked at', () => {
    const clock = new FakeClock();
    let looks = 0;
    const slow = Array.from({ length: 1_000 }, () =>
      Object.defineProperty({}, 'a', {
        enumerable: true,
        get: () => {
          looks += 1;
          clock.advance(10);
          return 1;
        },
      }),
    );
    const list = JSON.parse(serializeValue(slow, { maxBytes: 65_536, maxMillis: 20 }, clock)) as unknown[];
    expect(list.at(-1)).toBe('…');
    expect(looks).toBeLessThan(50);
  });

  it.each(hostileValues())('hold for $name, and nothing is thrown', ({ value }) => {
    for (const given of [value, [value], { value }]) {
      const text = serializeValue(given, { maxBytes: 512 });
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(512);
      JSON.parse(text);
    }
  });
});
