import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AttributeMap } from '../../src/processing/attribute-map.ts';

const LONG = 8_192;

function mapOf(entries: readonly (readonly [string, unknown])[], maxCount = 128): AttributeMap {
  const map = new AttributeMap();
  for (const [key, value] of entries) map.set(key, value, maxCount, LONG);
  return map;
}

describe('an attribute map', () => {
  it('behaves as a Map with a limit on its keys, with few and with many', () => {
    const entries = fc.array(
      fc.tuple(fc.constantFrom(...Array.from({ length: 60 }, (_, i) => `k${i}`)), fc.integer()),
      {
        maxLength: 200,
      },
    );
    fc.assert(
      fc.property(entries, fc.integer({ min: 0, max: 50 }), (given, maxCount) => {
        const map = mapOf(given, maxCount);
        const model = new Map<string, number>();
        let dropped = 0;
        for (const [key, value] of given) {
          if (model.has(key) || model.size < maxCount) model.set(key, value);
          else dropped += 1;
        }
        expect(map.keys).toEqual([...model.keys()]);
        expect(map.values).toEqual([...model.values()]);
        expect(map.droppedCount).toBe(dropped);
        for (const [key, value] of model) expect(map.get(key)).toBe(value);
        expect(map.get('absent')).toBeUndefined();
      }),
    );
  });

  it.each([[null], [undefined], ['']])('ignores the key %j', (key) => {
    const map = new AttributeMap();
    map.set(key, 1, 128, LONG);
    map.set(Symbol('key'), 1, 128, LONG);
    expect(map.keys).toEqual([]);
    expect(map.droppedCount).toBe(0);
  });

  it.each([null, undefined, () => 1, Symbol('value')])('ignores a value that is none', (value) => {
    const map = mapOf([['kept', 1]], 1);
    map.set('kept', value, 1, LONG);
    map.set('other', value, 1, LONG);
    expect(map.values).toEqual([1]);
    expect(map.droppedCount).toBe(0);
  });

  it('drops, and counts, a key of absurd length', () => {
    const map = mapOf([['k'.repeat(1_025), 1]]);
    expect(map.keys).toEqual([]);
    expect(map.droppedCount).toBe(1);
  });

  it('sets the properties that can be read and tells of the others', () => {
    const failures: unknown[] = [];
    const map = new AttributeMap();
    const attributes = {
      first: 1,
      get bad() {
        throw new Error('unreadable');
      },
      last: 2,
    };
    map.setAll(attributes, 128, LONG, (error) => failures.push(error));
    expect(map.keys).toEqual(['first', 'last']);
    expect(failures).toMatchObject([{ message: 'unreadable' }]);
  });

  it('takes no keys from what has elements only', () => {
    const map = new AttributeMap();
    for (const value of [[1, 2], Uint8Array.of(1), Object('text'), 'text', 5, null]) {
      map.setAll(value, 128, LONG, (error) => expect.unreachable(String(error)));
    }
    expect(map.keys).toEqual([]);
  });

  it('becomes a plain object, also with a key named __proto__', () => {
    const object = mapOf([
      ['__proto__', 'own'],
      ['a', 1],
    ]).copyTo({});
    expect(Object.keys(object)).toEqual(['__proto__', 'a']);
    expect(Object.getPrototypeOf(object)).toBe(Object.prototype);
    object['a'] = 2;
    expect(object['a']).toBe(2);
  });

  it('copies single keys into an object', () => {
    expect(mapOf([['a', 1]]).copyTo({ b: 2 }, ['a', 'absent'])).toEqual({ a: 1, b: 2 });
  });
});
