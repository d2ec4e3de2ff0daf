import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchesPattern } from '../../../src/dashboard/query/match.ts';
import { parseDuration } from '../../../src/dashboard/query/parse-duration.ts';
import { parseQuery } from '../../../src/dashboard/query/parse-query.ts';

describe('the search language', () => {
  it('reads every kind of term', () => {
    const text =
      'service:api,w* status:error -kind:client dur>=1.5s "time \\"out\\"" attr.http.route=/x http.code>499 resource.a.b!="c d" root:true';
    expect(parseQuery(text, 'traces')).toEqual({
      ok: true,
      query: {
        conditions: [
          {
            ...{ type: 'field', negated: false, field: 'service' },
            patterns: [
              { text: 'api', wildcard: false },
              { text: 'w*', wildcard: true },
            ],
          },
          { type: 'status', negated: false, values: ['error'] },
          { type: 'kind', negated: true, values: ['client'] },
          { type: 'duration', negated: false, comparison: '>=', nanos: 1.5e9 },
          { type: 'text', negated: false, text: 'time "out"' },
          {
            ...{ type: 'attribute', negated: false, source: 'record', key: 'http.route' },
            test: { type: 'equals', patterns: [{ text: '/x', wildcard: false }] },
          },
          {
            ...{ type: 'attribute', negated: false, source: 'record', key: 'http.code' },
            test: { type: 'compare', comparison: '>', number: 499 },
          },
          {
            ...{ type: 'attribute', negated: true, source: 'resource', key: 'a.b' },
            test: { type: 'equals', patterns: [{ text: 'c d', wildcard: false }] },
          },
          { type: 'root', negated: false, value: true },
        ],
      },
    });
  });

  it.each<[string, number, number, RegExp]>([
    ['service:', 8, 9, /value is missing/],
    ['service:a,', 10, 11, /value is missing/],
    ['a "open', 2, 7, /closing quote/],
    ['colour:red', 0, 10, /no field 'colour'; there are tenant, service/],
    ['  dur:5ms', 2, 9, /compared with '>'/],
    ['dur>soon', 0, 8, /duration such as 200ms/],
    ['status:bad', 0, 10, /unset, ok, error/],
    ['service>a', 0, 9, /cannot be compared/],
    ['attr.x>y', 0, 8, /needs one number/],
    ['a OR b', 2, 4, /joined by AND/],
    ['(a b)', 0, 2, /joined by AND/],
    [':x', 0, 2, /no field ''/],
    ['severity:error', 0, 14, /no field 'severity'/],
    [Array.from({ length: 66 }, () => 'a').join(' '), 128, 129, /at most 64 terms/],
    ['a'.repeat(5_000), 4_096, 5_000, /at most 4096 characters/],
  ])('says what is wrong with %s', (text, start, end, message) => {
    const result = parseQuery(text, 'traces');
    expect(result).toMatchObject({ ok: false, position: { start, end } });
    expect(!result.ok && result.message).toMatch(message);
  });

  it('takes severities by level and by number, and only of logs', () => {
    const ranges = (text: string) => {
      const result = parseQuery(text, 'logs');
      return result.ok && result.query.conditions.map((condition) => 'ranges' in condition && condition.ranges);
    };
    expect(ranges('severity:warn level:error,4 severity>=error severity<info severity>3')).toEqual([
      [[13, 16]],
      [
        [17, 20],
        [4, 4],
      ],
      [[17, 24]],
      [[1, 8]],
      [[4, 24]],
    ]);
    expect(ranges('severity:25')).toBe(false);
  });

  it('never throws, and points into the text', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ maxLength: 60 }),
          fc
            .array(
              fc.constantFrom(
                'service',
                ':',
                '=',
                '!=',
                '>',
                '"',
                '-',
                ',',
                ' ',
                'attr.',
                'a',
                '\\',
                '*',
                '1s',
                '(',
                '!',
              ),
            )
            .map((parts) => parts.join('')),
        ),
        fc.constantFrom('traces', 'logs', 'metrics'),
        (text, signal) => {
          const result = parseQuery(text, signal);
          if (result.ok) return;
          expect(result.position.start).toBeGreaterThanOrEqual(0);
          expect(result.position.end).toBeGreaterThan(result.position.start);
          expect(result.position.start).toBeLessThanOrEqual(text.length);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('matches wildcards as a regular expression would, in little time', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 }),
        fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 }),
        (pattern, text) => {
          const regular = new RegExp(`^${pattern.replaceAll('*', '.*')}$`, 's');
          expect(matchesPattern({ text: pattern, wildcard: true }, text)).toBe(regular.test(text));
        },
      ),
    );
    const evil = { text: `${'*a'.repeat(40)}*b`, wildcard: true };
    expect(matchesPattern(evil, 'a'.repeat(4_000))).toBe(false);
  });

  it.each<[string, number | undefined]>([
    ['200ms', 200e6],
    ['1.5s', 1.5e9],
    ['2m', 120e9],
    ['1h', 3_600e9],
    ['7us', 7e3],
    ['9ns', 9],
    ['5', 5e6],
    ['', undefined],
    ['-1s', undefined],
    ['1d', undefined],
    ['1.s', undefined],
  ])('reads the duration %s', (text, nanos) => {
    expect(parseDuration(text)).toBe(nanos);
  });
});
