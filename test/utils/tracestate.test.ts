import { validateHeaderValue } from 'node:http';

import { createTraceState, type TraceState } from '@opentelemetry/api';
import { TraceState as CoreTraceState } from '@opentelemetry/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { parseTracestate, serializeTracestate } from '../../src/utils/tracestate.ts';

const NUM_RUNS = 10_000;
const LOWER = 'abcdefghijklmnopqrstuvwxyz';
const KEY_CHARACTERS = `${LOWER}0123456789_-*/`;
const VALUE_CHARACTERS = range(0x20, 0x7e).replace(/[,=]/g, '');

const keys = fc
  .tuple(
    fc.constantFrom(...LOWER.split('')),
    fc.string({ unit: fc.constantFrom(...KEY_CHARACTERS.split('')), maxLength: 8 }),
  )
  .map((parts) => parts.join(''));
const values = fc
  .tuple(
    fc.string({ unit: fc.constantFrom(...VALUE_CHARACTERS.split('')), maxLength: 8 }),
    fc.constantFrom(...VALUE_CHARACTERS.trim().split('')),
  )
  .map((parts) => parts.join(''));
const lists = fc
  .uniqueArray(fc.tuple(keys, values), { selector: ([key]) => key, minLength: 1, maxLength: 20 })
  .map((members) => members.map((member) => member.join('=')).join(','));
const hostileText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom('a', '@', '=', ',', ' ', '\t', '\r', '\n', '\0', 'é'), maxLength: 40 }),
);

function range(from: number, to: number): string {
  return String.fromCharCode(...Array.from({ length: to - from + 1 }, (_, index) => from + index));
}

function members(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `bar${index + 1}=${index + 1}`);
}

/** Parsed and written again. */
function passOn(header: unknown): string | undefined {
  return serializeTracestate(parseTracestate(header));
}

function foreign(serialize: () => unknown): TraceState {
  return { ...createTraceState(), serialize } as unknown as TraceState;
}

describe('parseTracestate', () => {
  it.each([
    ['a list', 'foo=1,bar=2', 'foo=1,bar=2'],
    ['several lines in their order', ['foo=1,bar=2', 'rojo=1,congo=2', 'baz=3'], 'foo=1,bar=2,rojo=1,congo=2,baz=3'],
    ['an empty line behind', ['foo=1', ''], 'foo=1'],
    ['an empty line in front', ['', 'foo=1'], 'foo=1'],
    ['empty and blank members', ',foo=1,, \t ,bar=2,', 'foo=1,bar=2'],
    ['whitespace around members', 'foo=1 \t , \t bar=2, \t baz=3', 'foo=1,bar=2,baz=3'],
    ['tabs around members', 'foo=1\t \t,\t \tbar=2,\t \tbaz=3', 'foo=1,bar=2,baz=3'],
    ['whitespace around the list', '\t foo=1 \t', 'foo=1'],
    ['a leading space of a value, which belongs to it', 'foo=  1 ', 'foo=  1'],
    ['all characters of a key and a value', `${KEY_CHARACTERS}=${VALUE_CHARACTERS}`, 'same'],
    ['all characters behind an at sign', `${KEY_CHARACTERS}@a-z0-9_-*/=${VALUE_CHARACTERS}`, 'same'],
    ['a key that starts with a digit', '0foo=1', 'same'],
    ['a key of one character', 'a=1', 'same'],
    ['a key that ends in an at sign', 'foo@=1,bar=2', 'same'],
    ['a key with two at signs in a row', 'foo@@bar=1,bar=2', 'same'],
    ['a key with two at signs', 'foo@bar@baz=1,bar=2', 'same'],
    ['a key of 256 characters', ['foo=1', `${'z'.repeat(256)}=1`], `foo=1,${'z'.repeat(256)}=1`],
    ['a tenant of 241 and a system of 14 characters', `foo=1,${'t'.repeat(241)}@${'v'.repeat(14)}=1`, 'same'],
    ['a tenant of 242 characters', `foo=1,${'t'.repeat(242)}@v=1`, 'same'],
    ['a system of 15 characters', `foo=1,t@${'v'.repeat(15)}=1`, 'same'],
    ['a value of 256 characters', `foo=${'v'.repeat(256)}`, 'same'],
    ['32 members', members(32).join(','), 'same'],
    ['32 members among empty ones', `,,${members(32).join(', ,')},,`, members(32).join(',')],
    ['512 characters', `a=${'x'.repeat(126)},${members(28).join(',')},b=${'y'.repeat(157)}`, 'same'],
    ['a key that means something to objects', '__proto__=1,constructor=2', undefined],
    ['keys that mean something to objects', 'constructor=1,prototype=2', 'same'],
  ])('passes on %s', (_case, header, expected) => {
    expect(passOn(header)).toBe(expected === 'same' ? header : expected);
  });

  it.each([
    ['of one line', 'foo=1,foo=2,bar=3', 'foo=1,bar=3'],
    ['that repeat a value', 'foo=1,foo=1', 'foo=1'],
    ['of several lines', ['foo=1', 'foo=2'], 'foo=1'],
  ])('keeps the first of duplicate keys %s', (_case, header, expected) => {
    expect(passOn(header)).toBe(expected);
  });

  it.each([
    ['an absent header', undefined],
    ['an empty header', ''],
    ['only blank members', ' ,\t, '],
    ['a member without an equals sign', 'foo,bar=2'],
    ['a member without a key', '=1,bar=2'],
    ['a space behind the key', 'foo =1'],
    ['an upper-case key', 'FOO=1'],
    ['a dot in the key', 'foo.bar=1'],
    ['a key that starts with an at sign', '@foo=1,bar=2'],
    ['a key that starts with an underscore', '_foo=1'],
    ['a key of 257 characters', ['foo=1', `${'z'.repeat(257)}=1`]],
    ['a value with an equals sign', 'foo=bar=baz'],
    ['an empty value', 'foo=,bar=3'],
    ['a value of 257 characters', `foo=${'v'.repeat(257)}`],
    ['a value with a tab', 'foo=a\tb'],
    ['a value with a line break', 'foo=a\r\nb'],
    ['a value outside ASCII', 'foo=é'],
    ['33 members', members(33).join(',')],
    ['33 members over several lines', [members(30).join(','), 'x=1,y=2,z=3']],
    ['33 members with a duplicate', `${members(32).join(',')},bar1=1`],
    ['more input than all of Node.js headers may have', `foo=1,${' '.repeat(16_384)}`],
    ['a line that is not a string', ['foo=1', 2]],
    ['a number', 7],
    ['an object', { toString: () => 'foo=1' }],
  ])('discards the list for %s', (_case, header) => {
    expect(parseTracestate(header)).toBeUndefined();
  });

  it('drops members over 128 characters first, then those at the end, when more than 1,024 are sent', () => {
    const small = Array.from({ length: 8 }, (_, index) => `s${index}=${'x'.repeat(125)}`);
    const large = `large=${'y'.repeat(200)}`;
    expect(small.join(',').length).toBe(8 * 128 + 7);
    expect(passOn([large, ...small].join(','))).toBe(small.slice(0, 7).join(','));
    expect(passOn([large, ...small.slice(0, 5)].join(','))).toBe([large, ...small.slice(0, 5)].join(','));
    expect(passOn([large, `wide=${'z'.repeat(200)}`, ...small.slice(0, 5)].join(','))).toBe(
      [large, ...small.slice(0, 5)].join(','),
    );
  });

  it('reads no further than its limit however many lines there are', () => {
    let read = 0;
    const lines = new Proxy(
      Array.from({ length: 1_000 }, () => ' '.repeat(8_192)),
      {
        get: (target, property, receiver) => {
          if (typeof property === 'string' && /^\d+$/.test(property)) read++;
          return Reflect.get(target, property, receiver);
        },
      },
    );
    expect(parseTracestate(lines)).toBeUndefined();
    expect(read).toBe(2);
  });

  it('never throws, and whatever it accepts can be sent and is accepted again', () => {
    fc.assert(
      fc.property(fc.oneof(hostileText, fc.array(hostileText), fc.anything(), lists), (header) => {
        const sent = passOn(header);
        if (sent === undefined) return;
        expect(() => validateHeaderValue('tracestate', sent)).not.toThrow();
        expect(sent.length).toBeLessThanOrEqual(1_024);
        expect(passOn(sent)).toBe(sent);
      }),
      { numRuns: NUM_RUNS },
    );
  });

  it('agrees with OpenTelemetry on valid lists', () => {
    fc.assert(
      fc.property(lists, (header) => {
        expect(passOn(header)).toBe(new CoreTraceState(header).serialize());
      }),
      { numRuns: NUM_RUNS },
    );
  });
});

describe('the parsed trace state', () => {
  const state = parseTracestate('foo=1,bar=2,baz=3');

  it('reads members by key', () => {
    expect(state?.get('bar')).toBe('2');
    expect(state?.get('nope')).toBeUndefined();
    expect(state?.get('constructor')).toBeUndefined();
  });

  it('puts a new or changed member in front and leaves the original as it was', () => {
    expect(state?.set('new', '4').serialize()).toBe('new=4,foo=1,bar=2,baz=3');
    expect(state?.set('baz', '4').serialize()).toBe('baz=4,foo=1,bar=2');
    expect(state?.serialize()).toBe('foo=1,bar=2,baz=3');
  });

  it('removes a member, down to none', () => {
    expect(state?.unset('bar').serialize()).toBe('foo=1,baz=3');
    expect(state?.unset('nope')).toBe(state);
    const empty = state?.unset('foo').unset('bar').unset('baz');
    expect(empty?.serialize()).toBe('');
    expect(serializeTracestate(empty)).toBeUndefined();
    expect(empty?.set('a', '1').serialize()).toBe('a=1');
  });

  it.each([
    ['FOO', '1'],
    ['', '1'],
    ['foo', ''],
    ['foo', 'ends in a space '],
    ['foo', 'a\r\nb'],
    ['foo', 'a,b=c'],
    ['foo', 7 as unknown as string],
    [Symbol('foo') as unknown as string, '1'],
  ])('ignores the invalid member %s=%s', (key, value) => {
    expect(state?.set(key, value)).toBe(state);
  });

  it('drops the last of 32 members for a new one in front', () => {
    const full = parseTracestate(members(32).join(','));
    expect(full?.set('new', '1').serialize()).toBe(['new=1', ...members(31)].join(','));
    expect(full?.set('bar32', 'x').serialize()).toBe(['bar32=x', ...members(31)].join(','));
  });

  it('keeps the member that was set, however large, and makes room among the others', () => {
    const small = Array.from({ length: 7 }, (_, index) => `s${index}=${'x'.repeat(125)}`);
    const large = [`${'k'.repeat(256)}`, `${'v'.repeat(256)}`] as const;
    const changed = parseTracestate(small.join(','))?.set(...large);
    expect(changed?.serialize()).toBe([large.join('='), ...small.slice(0, 3)].join(','));
  });

  it('behaves like the trace state of OpenTelemetry under random edits', () => {
    const edits = fc.array(fc.record({ key: keys, value: fc.option(values, { nil: undefined }) }), { maxLength: 5 });
    fc.assert(
      fc.property(lists, edits, (header, changes) => {
        let ours = parseTracestate(header) as TraceState;
        let theirs: TraceState = new CoreTraceState(header);
        for (const { key, value } of changes) {
          ours = value === undefined ? ours.unset(key) : ours.set(key, value);
          theirs = value === undefined ? theirs.unset(key) : theirs.set(key, value);
          expect(ours.get(key)).toBe(theirs.get(key));
        }
        expect(ours.serialize()).toBe(theirs.serialize());
      }),
      { numRuns: NUM_RUNS },
    );
  });
});

describe('serializeTracestate', () => {
  it('sends what a foreign implementation holds', () => {
    expect(serializeTracestate(createTraceState('foo=1, bar=2'))).toBe('foo=1,bar=2');
    expect(serializeTracestate(new CoreTraceState('foo=1').set('bar', '2'))).toBe('bar=2,foo=1');
    expect(serializeTracestate(foreign(() => 'foo=1 ,, bar=2'))).toBe('foo=1,bar=2');
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a string', 'foo=1'],
    ['an empty state', createTraceState()],
    ['one that emits a line break', foreign(() => 'foo=1\r\nset-cookie: a=b')],
    ['one that emits NUL', foreign(() => 'foo=\0')],
    ['one that emits something else than text', foreign(() => ({ length: 5 }))],
    ['one that emits 100 MB', foreign(() => 'a'.repeat(100_000_000))],
    [
      'one that throws',
      foreign(() => {
        throw new Error('hostile');
      }),
    ],
    ['one without serialize', {}],
  ])('sends nothing for %s', (_case, state) => {
    expect(serializeTracestate(state as TraceState)).toBeUndefined();
  });

  it('sends nothing malformed for a foreign implementation', () => {
    fc.assert(
      fc.property(fc.oneof(hostileText, fc.anything()), (text) => {
        const sent = serializeTracestate(foreign(() => text));
        if (sent !== undefined) expect(sent).toMatch(/^[a-z0-9][^,=]*=[\x20-\x7e]*$/);
      }),
      { numRuns: NUM_RUNS },
    );
  });
});
