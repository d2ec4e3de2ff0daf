import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { flattenValue } from '../../src/compat/flatten-value.ts';
import { parameterNames } from '../../src/compat/parameter-names.ts';

describe('flattenValue', () => {
  it('makes one attribute of each leaf', () => {
    const value = { a: { b: [1, 'x', null] }, when: new Date(0), big: 2n, f: function named() {}, e: new Error('no') };
    expect(flattenValue('p', value)).toEqual({
      'p.a.b.0': 1,
      'p.a.b.1': 'x',
      'p.a.b.2': 'null',
      'p.when': '1970-01-01T00:00:00.000Z',
      'p.big': '2',
      'p.f': 'named',
      'p.e': 'Error: no',
    });
    expect(flattenValue('p', undefined)).toEqual({ p: 'null' });
    expect(flattenValue('p', Symbol('s'))).toEqual({ p: 'Symbol(s)' });
    expect(flattenValue('p', [])).toEqual({});
  });

  it('shows maps, sets and objects without properties of their own', () => {
    const value = {
      map: new Map<unknown, unknown>([
        ['k', { x: 1 }],
        [{}, 'by its place'],
      ]),
      set: new Set(['a']),
      url: new URL('http://localhost/a'),
      pattern: /a/g,
      promise: Promise.resolve(),
      empty: {},
    };
    expect(flattenValue('p', value)).toEqual({
      'p.map.k.x': 1,
      'p.map.1': 'by its place',
      'p.set.0': 'a',
      'p.url': 'http://localhost/a',
      'p.pattern': '/a/g',
      'p.promise': '[Promise]',
    });
    expect(Object.keys(flattenValue('p', { a: 1, b: 2, c: 3 }, 2))).toEqual(['p.a', 'p.b']);
  });

  it('ends, whatever it is given', () => {
    const cyclic: Record<string, unknown> = { a: 1 };
    cyclic['self'] = cyclic;
    expect(flattenValue('p', cyclic)).toEqual({ 'p.a': 1, 'p.self': '[Circular]' });
    let tangled: unknown = 'leaf';
    for (let level = 0; level < 64; level += 1) tangled = [tangled, tangled];
    const leaves = Object.values(flattenValue('p', tangled));
    expect([leaves.length, leaves.filter((leaf) => leaf === '[Array]').length]).toEqual([256, 240]);
    const wide = Array.from({ length: 10_000 }, (_, index) => index);
    expect(Object.keys(flattenValue('p', wide))).toHaveLength(256);
    let deep: unknown = 1;
    for (let level = 0; level < 5_000; level += 1) deep = { deep };
    expect(Object.keys(flattenValue('p', deep))).toHaveLength(1);
    const hostile = {
      get bad(): never {
        throw new Error('no');
      },
      good: 1,
    };
    expect(flattenValue('p', hostile)).toEqual({ 'p.good': 1 });
    expect(
      flattenValue(
        'p',
        new Proxy(
          {},
          {
            ownKeys: () => {
              throw new Error('no');
            },
          },
        ),
      ),
    ).toEqual({});
  });

  it('gives attributes of simple values only, 256 at most', () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withDate: true, withTypedArray: true }), (value) => {
        const found = Object.entries(flattenValue('p', value));
        expect(found.length).toBeLessThanOrEqual(256);
        for (const [key, leaf] of found) {
          expect(key.startsWith('p')).toBe(true);
          expect(['string', 'number', 'boolean']).toContain(typeof leaf);
        }
      }),
    );
  });
});

describe('parameterNames', () => {
  it('reads plain names, and no others', () => {
    const object = {
      method(one: number, two = [1, 2].join(',')) {
        return [one, two];
      },
      async *generator(x: number) {
        yield x;
      },
    };
    expect(parameterNames((a: number, { c }: { c: number }, [d]: number[], b = ')', e = 1) => [a, b, c, d, e])).toEqual(
      ['a', undefined, undefined, 'b', 'e'],
    );
    expect(parameterNames((a: number, ...rest: number[]) => [a, rest])).toEqual(['a']);
    expect(parameterNames(async (only: number) => only)).toEqual(['only']);
    expect(parameterNames(object.method)).toEqual(['one', 'two']);
    expect(parameterNames(object.generator)).toEqual(['x']);
    function declared(/* a, b */ c: number): number {
      return c;
    }
    expect(parameterNames(declared)).toEqual(['c']);
    expect(parameterNames(class A {})).toEqual([]);
    expect(parameterNames(Math.max)).toEqual([]);
    expect(parameterNames((() => 1).bind(null))).toEqual([]);
    expect(parameterNames({})).toEqual([]);
  });
});
