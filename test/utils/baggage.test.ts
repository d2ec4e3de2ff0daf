import { validateHeaderValue } from 'node:http';

import {
  type Baggage,
  baggageEntryMetadataFromString,
  defaultTextMapGetter,
  defaultTextMapSetter,
  propagation,
  ROOT_CONTEXT,
} from '@opentelemetry/api';
import { W3CBaggagePropagator } from '@opentelemetry/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { parseBaggage, serializeBaggage } from '../../src/utils/baggage.ts';

const NUM_RUNS = 10_000;
const TOKEN_CHARACTERS = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

const keys = fc.string({ unit: fc.constantFrom(...TOKEN_CHARACTERS.split('')), minLength: 1, maxLength: 8 });
/** Keys that OpenTelemetry does not percent-encode: W3C keys are tokens, which are never encoded. */
const plainKeys = fc.string({ unit: fc.constantFrom(...'abcXYZ-._~*'.split('')), minLength: 1, maxLength: 8 });
/** Any text but lone surrogates, which UTF-8 cannot express. */
const texts = fc.string({ unit: 'binary', maxLength: 12 }).filter((text) => !/\p{Surrogate}/u.test(text));
const properties = fc
  .array(fc.tuple(keys, fc.option(fc.constantFrom('', '1', 'a=b', '%20'), { nil: undefined })), {
    minLength: 1,
    maxLength: 3,
  })
  .map((list) => list.map(([key, value]) => (value === undefined ? key : `${key}=${value}`)).join(';'));
const hostileText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom('a', '%', '4', '=', ',', ';', ' ', '\t', '\r', '\n', '\0', 'é'), maxLength: 40 }),
);

/** `[key, value]`, or `[key, value, metadata]` for members that have some. */
function entriesOf(baggage: Baggage | undefined): string[][] | undefined {
  return baggage
    ?.getAllEntries()
    .map(([key, { value, metadata }]) => (metadata ? [key, value, metadata.toString()] : [key, value]));
}

function baggageOf(entries: readonly (readonly [string, string, (string | undefined)?])[]): Baggage {
  let baggage = propagation.createBaggage();
  for (const [key, value, metadata] of entries) {
    baggage = baggage.setEntry(
      key,
      metadata === undefined ? { value } : { value, metadata: baggageEntryMetadataFromString(metadata) },
    );
  }
  return baggage;
}

function foreign(getAllEntries: () => unknown): Baggage {
  return { ...propagation.createBaggage(), getAllEntries } as unknown as Baggage;
}

function hostile(): never {
  throw new Error('hostile');
}

describe('parseBaggage', () => {
  const percentEncoded = '%09%20%22%27%3B%3Dasdf%21%40%23%24%25%5E%26%2A%28%29';
  const ows = ' \t ';

  it.each([
    ['one member', 'SomeKey=SomeValue', [['SomeKey', 'SomeValue']]],
    [
      'several members with properties',
      'SomeKey=SomeValue;SomeProp,SomeKey2=SomeValue2;ValueProp=PropVal',
      [
        ['SomeKey', 'SomeValue', 'SomeProp'],
        ['SomeKey2', 'SomeValue2', 'ValueProp=PropVal'],
      ],
    ],
    [
      'whitespace at every place that allows it',
      `SomeKey${ows}=${ows}SomeValue${ows};${ows}Prop${ows}=${ows}1${ows};${ows}Flag${ows},${ows}SomeKey2${ows}=${ows}2${ows}`,
      [
        ['SomeKey', 'SomeValue', `Prop${ows}=${ows}1${ows};${ows}Flag`],
        ['SomeKey2', '2'],
      ],
    ],
    [
      'the example of the specification',
      'key1=value1;property1;property2, key2 = value2, key3=value3; propertyKey=propertyValue',
      [
        ['key1', 'value1', 'property1;property2'],
        ['key2', 'value2'],
        ['key3', 'value3', 'propertyKey=propertyValue'],
      ],
    ],
    ['equals signs in a value', 'SomeKey=SomeValue=equals', [['SomeKey', 'SomeValue=equals']]],
    ['a percent-encoded value', `SomeKey=${percentEncoded}`, [['SomeKey', '\t "\';=asdf!@#$%^&*()']]],
    [
      'a percent-encoded value with whitespace around',
      `SomeKey \t = \t ${percentEncoded} \t `,
      [['SomeKey', '\t "\';=asdf!@#$%^&*()']],
    ],
    [
      'UTF-8',
      'userId=Am%C3%A9lie,face=%f0%9f%98%80',
      [
        ['userId', 'Amélie'],
        ['face', '😀'],
      ],
    ],
    ['an encoded byte order mark', 'a=%EF%BB%BFx', [['a', '\ufeffx']]],
    ['properties of the same name', 'a=b;p;p=1;p=2', [['a', 'b', 'p;p=1;p=2']]],
    ['properties without decoding them', 'a=b;p=%20;q%20=1', [['a', 'b', 'p=%20;q%20=1']]],
    ['keys without decoding them', 'a%20b=1', [['a%20b', '1']]],
    [
      'an empty value',
      'a=,b=1',
      [
        ['a', ''],
        ['b', '1'],
      ],
    ],
    ['a semicolon without a property', 'a=b; ', [['a', 'b']]],
    [
      'several lines',
      ['a=1', 'b=2,c=3'],
      [
        ['a', '1'],
        ['b', '2'],
        ['c', '3'],
      ],
    ],
    [
      'the last of duplicate keys',
      'a=1,b=2,a=3',
      [
        ['a', '3'],
        ['b', '2'],
      ],
    ],
    [
      'keys that mean something to objects',
      '__proto__=1,constructor=2',
      [
        ['__proto__', '1'],
        ['constructor', '2'],
      ],
    ],
    [
      'the order of keys that look like numbers',
      'b=1,2=2,1=3',
      [
        ['b', '1'],
        ['2', '2'],
        ['1', '3'],
      ],
    ],
  ])('reads %s', (_case, header, expected) => {
    expect(entriesOf(parseBaggage(header))).toEqual(expected);
  });

  it.each([
    ['a lone byte above ASCII', 'a=%ff', '\ufffd'],
    ['a truncated sequence', 'a=%E2%82x', '\ufffdx'],
    ['an encoded surrogate', 'a=%ED%A0%80', '\ufffd\ufffd\ufffd'],
    ['an overlong sequence', 'a=%C0%80', '\ufffd\ufffd'],
  ])('replaces %s in a value by U+FFFD', (_case, header, expected) => {
    expect(parseBaggage(header)?.getEntry('a')?.value).toBe(expected);
  });

  it.each(['%', '%Z', '%ZZ', '100%', '%%', '%4', '%+1'])('keeps %s, which encodes nothing, as it is', (value) => {
    expect(parseBaggage(`a=${value}`)?.getEntry('a')?.value).toBe(value);
  });

  it.each([
    ['an equals sign', 'a'],
    ['a key', '=1'],
    ['a token as key', 'a b=1'],
    ['a key in ASCII', 'é=1'],
    ['a value in baggage-octets', 'a=b c'],
    ['a value without quotes', 'a="b"'],
    ['a value without a backslash', 'a=b\\c'],
    ['a value without line breaks', 'a=b\r\nc'],
    ['a value in ASCII', 'a=é'],
    ['a property that is a token', 'a=1;b c'],
    ['a property value in baggage-octets', 'a=1;p="q"'],
    ['non-empty properties', 'a=1;;p'],
    ['text', ''],
  ])('drops a member without %s and keeps the others', (_case, member) => {
    expect(entriesOf(parseBaggage(`x=1,${member},y=2`))).toEqual([
      ['x', '1'],
      ['y', '2'],
    ]);
  });

  it.each([
    ['an absent header', undefined],
    ['an empty header', ''],
    ['only blanks', ' , \t,'],
    ['a number', 7],
    ['an object', { toString: () => 'a=1' }],
    ['a line that is not a string', ['a=1', Symbol('b')]],
  ])('returns nothing for %s', (_case, header) => {
    expect(parseBaggage(header)).toBeUndefined();
  });

  it('keeps 64 members', () => {
    const members = Array.from({ length: 65 }, (_, index) => `k${index}=v`);
    expect(parseBaggage(members.slice(0, 64).join(','))?.getAllEntries()).toHaveLength(64);
    expect(entriesOf(parseBaggage(members.join(',')))).toEqual(members.slice(0, 64).map((member) => member.split('=')));
  });

  it.each([
    ['one member of 8,192 bytes', `a=${'x'.repeat(8_190)}`, 1],
    ['one member of 8,193 bytes', `a=${'x'.repeat(8_191)}`, 0],
    ['a last member that ends at 8,192 bytes', `a=1,b=${'x'.repeat(8_186)}`, 2],
    ['a last member that ends at 8,193 bytes', `a=1,b=${'x'.repeat(8_187)}`, 1],
    ['a comma behind 8,192 bytes', `a=1,b=${'x'.repeat(8_186)},c=1`, 2],
    ['8,192 bytes over two lines', [`a=${'x'.repeat(4_094)}`, `b=${'x'.repeat(4_093)}`], 2],
    ['8,193 bytes over two lines', [`a=${'x'.repeat(4_094)}`, `b=${'x'.repeat(4_094)}`], 1],
    ['a first line of 8,192 bytes', [`a=${'x'.repeat(8_190)}`, 'b=1'], 1],
  ])('counts all bytes together and keeps whole members only, for %s', (_case, header, kept) => {
    expect(parseBaggage(header)?.getAllEntries().length ?? 0).toBe(kept);
    const whole = [header].flat().join(',').split(',').slice(0, kept);
    expect(serializeBaggage(parseBaggage(header)) ?? '').toBe(whole.join(','));
  });

  it('reads one or two of 100 lines of 8 KiB, and asks its filter no more often than members fit', () => {
    const line = 'a=,'.repeat(2_731).slice(0, 8_192);
    let linesRead = 0;
    const lines = new Proxy(Array<string>(100).fill(line), {
      get: (target, property, receiver) => {
        if (typeof property === 'string' && /^\d+$/.test(property)) linesRead++;
        return Reflect.get(target, property, receiver);
      },
    });
    let asked = 0;
    parseBaggage(lines, () => {
      asked++;
      return false;
    });
    expect(linesRead).toBe(2);
    expect(asked).toBe(2_731);
  });

  it('keeps only members whose key the filter accepts', () => {
    const header = 'a=1,b=2,c=3;p';
    expect(entriesOf(parseBaggage(header, (key) => key !== 'b'))).toEqual([
      ['a', '1'],
      ['c', '3', 'p'],
    ]);
    expect(parseBaggage(header, () => false)).toBeUndefined();
    expect(parseBaggage(header, hostile)).toBeUndefined();
    expect(parseBaggage(header, (() => 'yes') as unknown as () => boolean)).toBeUndefined();
  });

  it('never throws, and whatever it accepts can be sent and comes back the same', () => {
    fc.assert(
      fc.property(fc.oneof(hostileText, fc.array(hostileText), fc.anything()), (header) => {
        const parsed = parseBaggage(header);
        const sent = serializeBaggage(parsed);
        if (sent === undefined) {
          expect(parsed).toBeUndefined();
          return;
        }
        expect(() => validateHeaderValue('baggage', sent)).not.toThrow();
        expect(entriesOf(parseBaggage(sent))).toEqual(entriesOf(parsed));
      }),
      { numRuns: NUM_RUNS },
    );
  });
});

describe('serializeBaggage', () => {
  it('percent-encodes what is not a baggage-octet, and the percent sign', () => {
    const baggage = baggageOf([
      ['a', 'x y,z;"\\%=é😀\r\n\0'],
      ['b', "!#$&'()*+-./:<=>?@[]^_`{|}~"],
    ]);
    expect(serializeBaggage(baggage)).toBe(
      "a=x%20y%2Cz%3B%22%5C%25=%C3%A9%F0%9F%98%80%0D%0A%00,b=!#$&'()*+-./:<=>?@[]^_`{|}~",
    );
  });

  it('sends a lone surrogate as U+FFFD', () => {
    expect(serializeBaggage(baggageOf([['a', '\ud800x']]))).toBe('a=%EF%BF%BDx');
  });

  it('sends well-formed metadata verbatim', () => {
    expect(serializeBaggage(baggageOf([['a', '1', ' p=%20 ; q \t']]))).toBe('a=1;p=%20 ; q');
    expect(serializeBaggage(baggageOf([['a', '1', ' ']]))).toBe('a=1');
  });

  it.each([
    ['whose metadata breaks the line', ['a', '1', 'p=1\r\nset-cookie: x=y']],
    ['whose metadata holds NUL', ['a', '1', 'p=\0']],
    ['whose metadata is outside latin1', ['a', '1', 'p=€']],
    ['whose metadata smuggles a member', ['a', '1', 'p,admin=true']],
    ['whose key is empty', ['', '1']],
    ['whose key breaks the line', ['a\r\nb', '1']],
    ['whose key is no token', ['a b', '1']],
    ['whose key smuggles a member', ['a=1,b', '1']],
    ['that is larger than all of it may be', ['a', 'x'.repeat(8_191)]],
    ['that is larger than all of it may be when encoded', ['a', '€'.repeat(1_000)]],
    ['with a value of 100 MB', ['a', ' '.repeat(100_000_000)]],
  ] as [string, [string, string, string?]][])('leaves out a member %s', (_case, entry) => {
    expect(serializeBaggage(baggageOf([['x', '1'], entry, ['y', '2']]))).toBe('x=1,y=2');
  });

  it('sends 64 members and 8,192 bytes, always whole members', () => {
    const many = Array.from({ length: 70 }, (_, index) => [`k${index}`, 'v'] as const);
    expect(serializeBaggage(baggageOf(many))?.split(',')).toEqual(many.slice(0, 64).map((entry) => entry.join('=')));
    const wide = Array.from({ length: 10 }, (_, index) => [`k${index}`, 'v'.repeat(1_010)] as const);
    const fitting = [...wide.slice(0, 8), ['last', '1']].map((entry) => entry.join('='));
    expect(serializeBaggage(baggageOf([...wide, ['last', '1']]))?.split(',')).toEqual(fitting);
    expect(serializeBaggage(baggageOf([['a', 'x'.repeat(8_190)]]))).toHaveLength(8_192);
  });

  it('sends only members whose key the filter accepts', () => {
    const baggage = baggageOf([
      ['a', '1'],
      ['b', '2'],
    ]);
    expect(serializeBaggage(baggage, (key) => key === 'b')).toBe('b=2');
    expect(serializeBaggage(baggage, () => false)).toBeUndefined();
    expect(serializeBaggage(baggage, hostile)).toBeUndefined();
    expect(serializeBaggage(baggage, (() => Promise.resolve(true)) as unknown as () => boolean)).toBeUndefined();
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a string', 'a=1'],
    ['an empty baggage', propagation.createBaggage()],
    ['a baggage that throws', foreign(hostile)],
    ['a baggage that returns no list', foreign(() => 7)],
  ])('sends nothing for %s', (_case, baggage) => {
    expect(serializeBaggage(baggage as Baggage)).toBeUndefined();
  });

  it('leaves out the entries of a foreign baggage that fail and sends the others', () => {
    const throwing = Object.defineProperty({}, 'value', { get: hostile });
    const entries = [
      ['a', { value: '1' }],
      ['b', throwing],
      ['c', { value: 7 }],
      ['d', undefined],
      ['e', { value: '1', metadata: { toString: hostile } }],
      ['f', { value: '1', metadata: { toString: () => 7 } }],
      ['g', { value: '1', metadata: {} }],
      [Symbol('h'), { value: '1' }],
      ['i', { value: '2', metadata: 'p' }],
    ];
    expect(serializeBaggage(foreign(() => entries))).toBe('a=1,i=2;p');
  });

  it('looks at no more than 1,000 entries of a foreign baggage', () => {
    let read = 0;
    function* endless() {
      for (;;) {
        read++;
        yield ['no token', { value: '1' }];
      }
    }
    expect(serializeBaggage(foreign(endless))).toBeUndefined();
    expect(read).toBe(1_001);
  });

  it('round-trips all baggage that can be expressed, in a form that node:http accepts', () => {
    const baggages = fc.uniqueArray(fc.tuple(keys, texts, fc.option(properties, { nil: undefined })), {
      selector: ([key]) => key,
      minLength: 1,
      maxLength: 20,
    });
    fc.assert(
      fc.property(baggages, (entries) => {
        const baggage = baggageOf(entries);
        const sent = serializeBaggage(baggage) ?? '\n';
        expect(() => validateHeaderValue('baggage', sent)).not.toThrow();
        expect(entriesOf(parseBaggage(sent))).toEqual(entriesOf(baggage));
      }),
      { numRuns: NUM_RUNS },
    );
  });

  it('agrees with the OpenTelemetry propagator in both directions on valid input', () => {
    const propagator = new W3CBaggagePropagator();
    const baggages = fc.uniqueArray(
      fc.tuple(
        plainKeys,
        texts.filter((text) => text !== ''),
        fc.option(properties, { nil: undefined }),
      ),
      { selector: ([key]) => key, minLength: 1, maxLength: 20 },
    );
    fc.assert(
      fc.property(baggages, (entries) => {
        const baggage = baggageOf(entries);
        const carrier: Record<string, string> = {};
        propagator.inject(propagation.setBaggage(ROOT_CONTEXT, baggage), carrier, defaultTextMapSetter);
        expect(entriesOf(parseBaggage(carrier['baggage']))).toEqual(entriesOf(baggage));

        const ours = { baggage: serializeBaggage(baggage) };
        const theirs = propagation.getBaggage(propagator.extract(ROOT_CONTEXT, ours, defaultTextMapGetter));
        expect(entriesOf(theirs)).toEqual(entriesOf(baggage));
      }),
      { numRuns: NUM_RUNS },
    );
  });
});
