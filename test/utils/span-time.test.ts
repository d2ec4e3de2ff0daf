import { performance } from 'node:perf_hooks';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hrTimeDuration, isTimeInput, millisToHrTime, timeInputToHrTime } from '../../src/utils/span-time.ts';

const { proxy: revoked, revoke } = Proxy.revocable([], {});
revoke();
const NOW = 1_767_225_600_000;

describe('a time of the host', () => {
  it.each<[string, unknown, unknown]>([
    ['seconds and nanoseconds', [1_700_000_000, 5], [1_700_000_000, 5]],
    ['nanoseconds that are more than a second', [10, 2_500_000_000], [12, 500_000_000]],
    ['a date', new Date(NOW), [1_767_225_600, 0]],
    ['milliseconds since the epoch', NOW + 0.25, [1_767_225_600, 250_000]],
    ['the end of OTLP time', [18_446_744_072, 999_999_999], [18_446_744_072, 999_999_999]],
  ])('is understood as %s', (_, input, expected) => {
    expect(timeInputToHrTime(input)).toEqual(expected);
  });

  it('is understood as a reading of performance.now()', () => {
    const expected = performance.timeOrigin + 1.5;
    const [seconds, nanos] = timeInputToHrTime(1.5) ?? [];
    expect(Number(seconds) * 1_000 + Number(nanos) / 1e6).toBeCloseTo(expected, 2);
  });

  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['a text', '2020-01-01'],
    ['NaN', Number.NaN],
    ['infinity', Number.POSITIVE_INFINITY],
    ['a negative number', -1],
    ['a number beyond 64 bits of nanoseconds', 1e300],
    ['a bad date', new Date(Number.NaN)],
    ['a date before the epoch', new Date(-1)],
    ['what only looks like a date', Object.create(Date.prototype)],
    ['negative seconds', [-1, 0]],
    ['negative nanoseconds', [1, -1]],
    ['seconds beyond 64 bits of nanoseconds', [18_446_744_073, 0]],
    ['three numbers', [1, 2, 3]],
    ['two texts', ['1', '2']],
    ['a revoked proxy', revoked],
    ['a bigint', 5n],
  ])('is none: %s', (_, input) => {
    expect(timeInputToHrTime(input)).toBeUndefined();
  });

  it('is told from attributes by its kind, also when it is no good time', () => {
    for (const time of [1, Number.NaN, new Date(), [1, 2], [-1, 0]]) expect(isTimeInput(time)).toBe(true);
    for (const other of [undefined, null, {}, 'x', [1], ['a', 'b'], revoked]) expect(isTimeInput(other)).toBe(false);
  });
});

describe('milliseconds', () => {
  it('become seconds and nanoseconds below a second, whatever their fraction', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1.8e13, noNaN: true }), (millis) => {
        const [seconds, nanos] = millisToHrTime(millis);
        expect(Number.isInteger(seconds)).toBe(true);
        expect(Number.isInteger(nanos) && nanos >= 0 && nanos < 1e9).toBe(true);
        expect(Math.abs(seconds * 1_000 + nanos / 1e6 - millis)).toBeLessThanOrEqual(Math.max(1e-6, millis * 2e-16));
      }),
      { numRuns: 5_000 },
    );
  });

  it.each([
    [1_073_741_824_000 - 2 ** -13, [1_073_741_823, 999_999_878]],
    [999.9999999999999, [1, 0]],
    [1_999.9999999, [2, 0]],
  ])('%d is exact at the edge of a second', (millis, expected) => {
    expect(millisToHrTime(millis)).toEqual(expected);
  });
});

describe('a duration', () => {
  it.each([
    [
      [1, 500],
      [3, 200],
      [1, 999_999_700],
    ],
    [
      [1, 0],
      [1, 5],
      [0, 5],
    ],
    [
      [5, 0],
      [4, 999_999_999],
      [0, 0],
    ],
  ] as const)('from %j to %j is %j', (start, end, expected) => {
    expect(hrTimeDuration([...start], [...end])).toEqual(expected);
  });
});
