import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { writeAttributes } from '../../src/processing/attribute-encoder.ts';
import type { AttributeValue } from '../../src/processing/ended-span.ts';
import { KeyCache } from '../../src/processing/key-words.ts';
import { ProtoWriter } from '../../src/processing/proto-writer.ts';

const FIELD = 9;
/** More often than it takes a key to be remembered. */
const OFTEN = 20;

const text = fc.oneof(
  fc.string({ maxLength: 60 }),
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.constantFrom('', 'x'.repeat(47), 'x'.repeat(48), 'x'.repeat(49), `${'x'.repeat(47)}é`, '\u007f', '\u0080'),
);
const number = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.constantFrom(0, -0, 127, 128, 16_383, 16_384, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 63, -(2 ** 63)),
);
const value: fc.Arbitrary<AttributeValue> = fc.oneof(
  text,
  number,
  fc.boolean(),
  fc.constantFrom(null, undefined, Uint8Array.of(1, 2)),
  fc.array(text, { maxLength: 3 }),
);
const key = fc.oneof(
  fc.string({ minLength: 1, maxLength: 70 }),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }),
  fc.constantFrom('k', 'k'.repeat(59), 'k'.repeat(60), 'k'.repeat(61), 'schlüssel'),
);

function encode(writer: ProtoWriter, keys: string[], values: AttributeValue[]): number[] {
  writer.reset();
  writeAttributes(writer, FIELD, { keys, values });
  return [...writer.written];
}

describe('the attributes of a span', () => {
  it('are written alike the first time and when their keys are known', () => {
    const writer = new ProtoWriter();
    fc.assert(
      fc.property(fc.array(fc.tuple(key, value), { maxLength: 4 }), (entries) => {
        const keys = entries.map(([name]) => name);
        const values = entries.map(([, content]) => content);
        // A key longer than any that is remembered, in the same message: what comes after is where it was.
        const first = encode(writer, keys, values);
        for (let time = 0; time < OFTEN; time += 1) expect(encode(writer, keys, values)).toEqual(first);
      }),
      { numRuns: 500 },
    );
  });

  it('are written by their message definitions when their keys are known', () => {
    const writer = new ProtoWriter();
    let bytes: number[] = [];
    for (let time = 0; time < OFTEN; time += 1) bytes = encode(writer, ['a', 'b', 'c', 'd'], ['xy', true, 300, 0.5]);
    expect(bytes).toEqual([
      ...[0x4a, 9, 0x0a, 1, 0x61, 0x12, 4, 0x0a, 2, 0x78, 0x79],
      ...[0x4a, 7, 0x0a, 1, 0x62, 0x12, 2, 0x10, 1],
      ...[0x4a, 8, 0x0a, 1, 0x63, 0x12, 3, 0x18, 0xac, 0x02],
      ...[0x4a, 14, 0x0a, 1, 0x64, 0x12, 9, 0x21, 0, 0, 0, 0, 0, 0, 0xe0, 0x3f],
    ]);
  });

  it('grow the writer to where they need it, and no further than it may', () => {
    const writer = new ProtoWriter({ maxBytes: 8_192 });
    const keys = Array.from({ length: 100 }, () => 'key');
    const values = keys.map(() => 'x'.repeat(40));
    for (let time = 0; time < OFTEN; time += 1) expect(encode(writer, keys, values)).toHaveLength(100 * 51);
    expect(() => encode(writer, [...keys, ...keys], [...values, ...values])).toThrow(RangeError);
  });
});

describe('the keys that are remembered', () => {
  it('are those that come again, in ASCII and not too long', () => {
    const cache = new KeyCache();
    const found = (name: string): unknown => {
      for (let time = 0; time < OFTEN; time += 1) cache.find(name);
      return cache.find(name);
    };
    expect(found('http.route')).toMatchObject({
      length: 12,
      words: new Int32Array(Uint8Array.from([0x0a, 10, ...Buffer.from('http.route')]).buffer),
    });
    expect(found('schlüssel')).toBeUndefined();
    expect(found('k'.repeat(61))).toBeUndefined();
  });

  it('are found in whatever order they come', () => {
    const cache = new KeyCache();
    const keys = ['a', 'b', 'c', 'd'];
    for (let time = 0; time < OFTEN; time += 1) for (const name of keys) cache.find(name);
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...keys, 'unknown'), { maxLength: 20 }), (names) => {
        for (const name of names) {
          const found = cache.find(name);
          if (found !== undefined || name !== 'unknown') expect(found?.key).toBe(name);
        }
      }),
    );
  });

  it('are forgotten when there are too many', () => {
    const cache = new KeyCache();
    for (let time = 0; time < OFTEN; time += 1) cache.find('early');
    expect(cache.find('early')).toBeDefined();
    for (let index = 0; index < 5_000; index += 1) cache.find(`key-${index}`);
    expect(cache.size).toBeLessThanOrEqual(512);
  });
});
