import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AttributeValue, copyAttributeValue } from '../../src/utils/attribute-value.ts';
import { cutString } from '../../src/utils/cut-string.ts';

const copy = (value: unknown, maxLength = 8_192): AttributeValue => copyAttributeValue(value, maxLength);

describe('the copy of an attribute value', () => {
  it.each<[string, unknown, unknown]>([
    ['a string', 'text', 'text'],
    ['a number', -1.5, -1.5],
    ['a boolean', false, false],
    ['null', null, null],
    ['an exact bigint as a number', 42n, 42],
    ['a large bigint as a string', 2n ** 63n, '9223372036854775808'],
    ['a monstrous bigint by its kind', 1n << 100_000_000n, '[BigInt]'],
    ['a date', new Date(0), '1970-01-01T00:00:00.000Z'],
    ['a bad date', new Date(Number.NaN), 'Invalid Date'],
    ['a boxed string', Object('boxed'), 'boxed'],
    ['an array, holes and undefined as null', [1, undefined, undefined, 'x'], [1, null, null, 'x']],
    ['numbers in a typed array', Float32Array.of(1, 2.5), [1, 2.5]],
    ['a function inside an array as null', [() => 1], [null]],
    ['nothing of a map', new Map([[1, 2]]), {}],
  ])('keeps %s', (_, value, expected) => {
    const copied = copy(value);
    expect(JSON.parse(JSON.stringify(copied))).toEqual(JSON.parse(JSON.stringify(expected)));
    expect(typeof copied).toBe(typeof expected);
  });

  it.each([undefined, () => 1, Symbol('s')])('answers undefined for %s', (value) => {
    expect(copy(value)).toBeUndefined();
  });

  it('leaves out of an object what cannot be an attribute, and keeps a key named __proto__ a key', () => {
    const copied = copy(JSON.parse('{"__proto__":{"polluted":true},"a":1}')) as Record<string, unknown>;
    expect(Object.keys(copied)).toEqual(['__proto__', 'a']);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(copy({ f: () => 1, s: Symbol('s'), u: undefined, n: null })).toEqual({ n: null });
  });

  it('is not touched by a later change of the original', () => {
    const original = { list: [1], bytes: Buffer.from([1, 2, 3]) };
    const copied = copy(original);
    original.list.push(2);
    original.bytes[0] = 99;
    expect(copied).toEqual({ list: [1], bytes: Uint8Array.of(1, 2, 3) });
  });

  it('cuts strings, and bytes, to the limit wherever they are', () => {
    expect(copy({ deep: ['x'.repeat(100)] }, 10)).toEqual({ deep: ['x'.repeat(10)] });
    expect(copy(Buffer.alloc(100, 1), 10)).toEqual(new Uint8Array(10).fill(1));
    expect(copy(10n ** 100n, 10)).toBe('1000000000');
  });

  it('names a circle and what lies too deep', () => {
    const circle: Record<string, unknown> = {};
    circle['self'] = [circle];
    expect(copy(circle)).toEqual({ self: ['[Circular]'] });
    let deep: unknown = 'bottom';
    for (let level = 0; level < 100; level += 1) deep = [deep];
    let depth = 0;
    let walk = copy(deep);
    while (Array.isArray(walk)) {
      depth += 1;
      walk = walk[0];
    }
    expect(walk).toBe('[Depth]');
    expect(depth).toBe(63);
  });

  it('keeps the same object twice when it is not inside itself', () => {
    const shared = { a: 1 };
    expect(copy([shared, shared])).toEqual([{ a: 1 }, { a: 1 }]);
  });

  it('bounds what shared parts, getters and long arrays could blow up', () => {
    let tangled: unknown = 'leaf';
    for (let level = 0; level < 60; level += 1) tangled = [tangled, tangled];
    expect(size(copy(tangled))).toBeLessThanOrEqual(4_097);
    const endless = {
      get again() {
        return endless;
      },
    };
    expect(size(copy(endless))).toBeLessThanOrEqual(100);
    expect((copy(new Array(4_294_967_295)) as unknown[]).length).toBe(1_024);
    expect((copy(new Float64Array(1_000_000)) as unknown[]).length).toBe(1_024);
    expect(copy({ ['k'.repeat(2_000)]: 1, k: 2 })).toEqual({ k: 2 });
  });

  it('lets out what the value itself throws', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(() => copy(proxy)).toThrow(TypeError);
    expect(() =>
      copy({
        get a() {
          throw new Error('mine');
        },
      }),
    ).toThrow('mine');
  });

  it('is plain, bounded data for any value', () => {
    fc.assert(
      fc.property(
        fc.anything({ withBigInt: true, withDate: true, withTypedArray: true, withSparseArray: true }),
        (value) => {
          const copied = copy(value, 16);
          expect(isPlain(copied, 16)).toBe(true);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe('a cut string', () => {
  it('is the beginning, also of what is no well-formed text', () => {
    expect(cutString('abc', 3)).toBe('abc');
    expect(cutString('abcd', 3)).toBe('abc');
    expect(cutString('\u{1f600}'.repeat(10), 3)).toBe('\u{1f600}\ud83d');
    expect(cutString('\ud800'.repeat(10), 2)).toBe('\ud800\ud800');
  });

  it('of 100 MB keeps none of the rest alive', () => {
    const before = heapAfterCollection();
    const kept = Array.from({ length: 3 }, (_, index) => cutString(`${index}${'x'.repeat(100_000_000)}`, 8_192));
    expect(heapAfterCollection() - before).toBeLessThan(2_000_000);
    expect(kept.map(({ length }) => length)).toEqual([8_192, 8_192, 8_192]);
  });
});

function heapAfterCollection(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

function size(value: AttributeValue): number {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return 1;
  return 1 + Object.values(value).reduce((sum: number, nested) => sum + size(nested as AttributeValue), 0);
}

function isPlain(value: AttributeValue, maxLength: number): boolean {
  if (value === null || value === undefined) return true;
  if (typeof value === 'string')
    return value.length <= maxLength || ['[Circular]', '[Depth]'].includes(value) || value.endsWith('Z');
  if (value instanceof Uint8Array)
    return Object.getPrototypeOf(value) === Uint8Array.prototype && value.length <= maxLength;
  if (typeof value !== 'object') return typeof value === 'number' || typeof value === 'boolean';
  const prototype: unknown = Object.getPrototypeOf(value);
  return (
    (prototype === null || prototype === Array.prototype) &&
    Object.values(value).every((nested) => isPlain(nested as AttributeValue, maxLength))
  );
}
