import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isTenantId } from '../../src/utils/tenant-id.ts';

describe('isTenantId', () => {
  it.each([
    'a',
    'acme',
    'org/42:eu',
    'with space',
    '東京',
    'naïve',
    '🏢',
    '👩‍🔧',
    'می‌خواهم',
    '__proto__',
    'x'.repeat(128),
  ])('accepts %s', (id) => {
    expect(isTenantId(id)).toBe(true);
  });

  it.each([
    ['the empty string', ''],
    ['129 characters', 'x'.repeat(129)],
    ['a line break', 'a\nb'],
    ['a carriage return', 'a\r'],
    ['NUL', 'a\0'],
    ['DEL', 'a\x7f'],
    ['a C1 control', 'a\x85'],
    ['a line separator', 'a\u2028'],
    ['a bidirectional override', 'a\u202eb'],
    ['a byte order mark', '\ufeffa'],
    ['a lone high surrogate', 'a\ud83c'],
    ['a lone low surrogate', '\udfe2a'],
    ['reversed surrogates', '\udfe2\ud83c'],
    ['a number', 42],
    ['null', null],
    ['undefined', undefined],
    ['an object that becomes a string', { toString: () => 'acme' }],
    ['a String object', Object('acme')],
  ])('refuses %s', (_, id) => {
    expect(isTenantId(id)).toBe(false);
  });

  it('accepts only what survives UTF-8 and stays on one line', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 140 }), (id) => {
        if (!isTenantId(id)) return;
        expect(Buffer.from(id).toString()).toBe(id);
        expect(id).toMatch(/^.{1,128}$/);
      }),
      { numRuns: 1_000 },
    );
  });
});
