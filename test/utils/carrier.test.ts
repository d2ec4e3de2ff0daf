import { validateHeaderValue } from 'node:http';

import { defaultTextMapGetter, defaultTextMapSetter, type TextMapGetter, type TextMapSetter } from '@opentelemetry/api';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { joinHeaderLines, readHeader, trimOws, writeHeader } from '../../src/utils/carrier.ts';

const NUM_RUNS = 10_000;

function hostile(): never {
  throw new Error('hostile');
}

function revokedProxy(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

/** Every trap throws. */
function hostileProxy(): object {
  return new Proxy({}, new Proxy({}, { get: () => hostile }));
}

/** `count` other keys, then the wanted one in a casing that is not found directly. */
function crowded(count: number): [string, string][] {
  const others = Array.from({ length: count }, (_, index): [string, string] => [`x-${index}`, 'no']);
  return [...others, ['Baggage', 'a=1']];
}

describe('readHeader', () => {
  it.each([
    ['a plain object', { baggage: 'a=1' }],
    ['a plain object in another casing', { BagGage: 'a=1' }],
    ['an object without prototype', Object.assign(Object.create(null), { Baggage: 'a=1' })],
    ['a list of one line', { baggage: ['a=1'] }],
    ['web headers', new Headers({ Baggage: 'a=1' })],
    ['a map', new Map([['baggage', 'a=1']])],
    ['a map in another casing', new Map([['BAGGAGE', 'a=1']])],
    [
      'pairs',
      [
        ['x', 'y'],
        ['Baggage', 'a=1'],
      ],
    ],
    ['pairs among junk', [7, null, [], [Symbol('baggage'), 'no'], ['baggage', 'a=1']]],
    ['an own accessor', Object.defineProperty({}, 'baggage', { get: () => 'a=1' })],
  ])('reads from %s', (_case, carrier) => {
    expect(readHeader(carrier, 'baggage')).toBe('a=1');
    expect(readHeader(carrier, 'BAGGAGE')).toBe('a=1');
    expect(readHeader(carrier, 'traceparent')).toBeUndefined();
  });

  it.each([
    ['a list of lines', { baggage: ['a=1', 'b=2'] }],
    ['two casings', { baggage: 'a=1', Baggage: 'b=2' }],
    [
      'two casings in a map',
      new Map([
        ['Baggage', 'a=1'],
        ['baggage', 'b=2'],
      ]),
    ],
    [
      'a repeated pair',
      [
        ['baggage', 'a=1'],
        ['Baggage', 'b=2'],
      ],
    ],
    ['a list in a pair', [['baggage', ['a=1', 7, 'b=2']]]],
  ])('reports all values of %s', (_case, carrier) => {
    expect(readHeader(carrier, 'baggage')).toEqual(['a=1', 'b=2']);
  });

  it('reads repeated web headers as they join them', () => {
    const headers = new Headers([
      ['baggage', 'a=1'],
      ['baggage', 'b=2'],
    ]);
    expect(readHeader(headers, 'baggage')).toBe('a=1, b=2');
  });

  it('reads own properties only', () => {
    expect(readHeader(Object.create({ baggage: 'a=1' }), 'baggage')).toBeUndefined();
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      expect(readHeader({}, name)).toBeUndefined();
    }
    expect(readHeader(JSON.parse('{"__proto__":"a=1"}'), '__proto__')).toBe('a=1');
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a string', 'baggage'],
    ['a number value', { baggage: 7 }],
    ['a null value', { baggage: null }],
    ['an empty list', { baggage: [] }],
    ['a throwing accessor', Object.defineProperty({}, 'baggage', { get: hostile })],
    ['a throwing get method', { get: hostile, set: hostile }],
    ['a revoked proxy', revokedProxy()],
    ['a hostile proxy', hostileProxy()],
    ['a revoked proxy as value', { baggage: revokedProxy() }],
  ])('reads nothing from %s', (_case, carrier) => {
    expect(readHeader(carrier, 'baggage')).toBeUndefined();
    expect(readHeader(carrier, Symbol('baggage') as unknown as string)).toBeUndefined();
  });

  it.each([
    ['objects', (pairs: [string, string][]): unknown => Object.fromEntries(pairs)],
    ['maps', (pairs: [string, string][]): unknown => new Map(pairs)],
    ['pairs', (pairs: [string, string][]): unknown => pairs],
  ])('compares the names of the first 1,000 keys of %s', (_case, toCarrier) => {
    expect(readHeader(toCarrier(crowded(999)), 'baggage')).toBe('a=1');
    expect(readHeader(toCarrier(crowded(1_000)), 'baggage')).toBeUndefined();
  });

  it('finds a name in lower case among any number of keys', () => {
    expect(readHeader({ ...Object.fromEntries(crowded(5_000)), baggage: 'b=2' }, 'baggage')).toBe('b=2');
  });

  it('looks at no more than 1,000 lines of one header', () => {
    expect(readHeader({ baggage: Array<string>(5_000).fill('a=1') }, 'baggage')).toHaveLength(1_000);
  });

  it('asks a getter directly, then for other casings of its keys', () => {
    const carrier = { Baggage: ['a=1', 'b=2'], x: 'y' };
    expect(readHeader(carrier, 'baggage', defaultTextMapGetter)).toEqual(['a=1', 'b=2']);
    expect(readHeader({ baggage: 'a=1' }, 'baggage', defaultTextMapGetter)).toBe('a=1');
    expect(readHeader(carrier, 'traceparent', defaultTextMapGetter)).toBeUndefined();
    const message: TextMapGetter<{ tags: string[] }> = {
      keys: () => ['baggage'],
      get: ({ tags }, key) => tags.find((tag) => tag.startsWith(`${key}:`))?.slice(key.length + 1),
    };
    expect(readHeader({ tags: ['baggage:a=1'] }, 'Baggage', message)).toBe('a=1');
  });

  it.each([
    ['whose get throws', { keys: () => ['baggage'], get: hostile }],
    ['whose keys throw', { keys: hostile, get: () => undefined }],
    ['that returns no text', { keys: () => ['Baggage', 7, null], get: () => ({}) }],
    ['that returns a promise', { keys: () => [], get: async () => 'a=1' }],
    ['that is none', {}],
  ])('reads nothing through a getter %s', (_case, getter) => {
    expect(readHeader({ baggage: 'a=1' }, 'baggage', getter as unknown as TextMapGetter)).toBeUndefined();
  });

  it('asks a getter for no more than 1,000 keys', () => {
    let asked = 0;
    function* endless() {
      for (;;) {
        asked++;
        yield 'x';
      }
    }
    const getter = { keys: endless, get: () => undefined } as unknown as TextMapGetter;
    expect(readHeader({}, 'baggage', getter)).toBeUndefined();
    expect(asked).toBe(1_001);
  });

  it('never throws and returns strings only', () => {
    const getters = fc.oneof(fc.constant(undefined), fc.constant(defaultTextMapGetter));
    fc.assert(
      fc.property(
        fc.anything({ withMap: true, withNullPrototype: true }),
        fc.string(),
        getters,
        (carrier, name, getter) => {
          const found = readHeader(carrier, name, getter);
          expect([found ?? []].flat().every((value) => typeof value === 'string')).toBe(true);
        },
      ),
      { numRuns: NUM_RUNS },
    );
  });
});

describe('writeHeader', () => {
  it.each([
    ['a plain object', () => ({})],
    ['an object without prototype', () => Object.create(null)],
    ['web headers', () => new Headers()],
    ['a map', () => new Map()],
    ['a plain object that has the header in another casing', () => ({ TraceParent: 'old' })],
    ['a map that has the header in another casing', () => new Map([['TraceParent', 'old']])],
    ['web headers that have the header', () => new Headers({ TraceParent: 'old' })],
  ])('writes to %s, so that the header is there once', (_case, createCarrier) => {
    const carrier = createCarrier();
    expect(writeHeader(carrier, 'traceparent', 'new')).toBe(true);
    expect(readHeader(carrier, 'traceparent')).toBe('new');
  });

  it('writes through a setter', () => {
    const carrier: Record<string, string> = {};
    expect(writeHeader(carrier, 'baggage', 'a=1', defaultTextMapSetter)).toBe(true);
    expect(carrier).toEqual({ baggage: 'a=1' });
  });

  it.each([
    ['CR', 'a\rb'],
    ['LF', 'a\nb'],
    ['NUL', 'a\0b'],
    ['DEL', 'a\x7fb'],
    ['text outside latin1', 'a€b'],
    ['a trailing line break', 'a\n'],
    ['more than 16,384 characters', 'a'.repeat(16_385)],
    ['no string', 7 as unknown as string],
  ])('refuses a value with %s', (_case, value) => {
    for (const setter of [undefined, defaultTextMapSetter]) {
      for (const carrier of [{}, new Map()]) {
        expect(writeHeader(carrier, 'baggage', value, setter)).toBe(false);
        expect(carrier).toEqual(carrier instanceof Map ? new Map() : {});
      }
    }
  });

  it.each(['', 'a b', 'a:', 'é', '__proto__', Symbol('a') as unknown as string])('refuses the name %s', (name) => {
    const carrier = {};
    expect(writeHeader(carrier, name, 'x')).toBe(false);
    expect(Reflect.ownKeys(carrier)).toEqual([]);
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a string', 'carrier'],
    ['pairs', []],
    ['a frozen object', Object.freeze({})],
    ['a throwing setter property', Object.defineProperty({}, 'baggage', { set: hostile })],
    ['a read-only property', Object.defineProperty({}, 'baggage', { value: 'old' })],
    ['headers that refuse', { get: () => null, set: hostile }],
    ['a revoked proxy', revokedProxy()],
    ['a hostile proxy', hostileProxy()],
  ])('returns false for %s', (_case, carrier) => {
    expect(writeHeader(carrier, 'baggage', 'a=1')).toBe(false);
  });

  it('returns false when a setter throws', () => {
    expect(writeHeader({}, 'baggage', 'a=1', { set: hostile })).toBe(false);
    expect(writeHeader({}, 'baggage', 'a=1', {} as TextMapSetter)).toBe(false);
  });

  it('never throws and writes only what node:http accepts', () => {
    const values = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom('a', '\r', '\t', 'é', 'Ā') }),
    );
    fc.assert(
      fc.property(fc.oneof(fc.object(), fc.constant({})), fc.string(), values, (carrier, name, value) => {
        if (!writeHeader(carrier, name, value)) return;
        expect(() => validateHeaderValue(name, value)).not.toThrow();
        expect(readHeader(carrier, name)).toBe(value);
      }),
      { numRuns: NUM_RUNS },
    );
  });
});

describe('joinHeaderLines', () => {
  it.each([
    ['a string', 'abc', 'abc'],
    ['a string at the limit', 'x'.repeat(10), 'x'.repeat(10)],
    ['a string over the limit', 'x'.repeat(99), 'x'.repeat(11)],
    ['lines', ['a', '', 'b'], 'a,,b'],
    ['lines over the limit', ['aaaaa', 'bbbbb', 'ccccc'], 'aaaaa,bbbbb'],
    ['a first line at the limit', ['x'.repeat(10), 'y'], `${'x'.repeat(10)},`],
    ['no lines', [], undefined],
    ['a line that is no string', ['a', 7], undefined],
    ['nothing', undefined, undefined],
    ['a revoked proxy', revokedProxy(), undefined],
  ])('joins %s', (_case, header, expected) => {
    expect(joinHeaderLines(header, 10)).toBe(expected);
  });

  it('stops at the limit among endless empty lines', () => {
    expect(joinHeaderLines(Array<string>(1_000_000).fill(''), 10)).toBe(','.repeat(11));
  });
});

describe('trimOws', () => {
  it('trims spaces and tabs only', () => {
    expect(trimOws(' \t a \t b\t ')).toBe('a \t b');
    expect(trimOws('\n a\u00a0')).toBe('\n a\u00a0');
    expect(trimOws(' \t')).toBe('');
  });
});
