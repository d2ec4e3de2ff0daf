import { isSpanContextValid } from '@opentelemetry/api';
import { describe, expect, it } from 'vitest';
import { isSpanId, isTraceId, PooledIdGenerator, traceIdRandomness } from '../../src/utils/ids.ts';

describe('generated ids', () => {
  it('are valid to OpenTelemetry and never the same', () => {
    const ids = new PooledIdGenerator();
    const seen = new Set<string>();
    for (let index = 0; index < 20_000; index += 1) {
      const context = { traceId: ids.generateTraceId(), spanId: ids.generateSpanId(), traceFlags: 1 };
      expect(isSpanContextValid(context)).toBe(true);
      seen.add(context.traceId).add(context.spanId);
    }
    expect(seen.size).toBe(40_000);
  });

  it('have every bit random: each is set in about half of them', () => {
    const ids = new PooledIdGenerator();
    const rounds = 4_000;
    const ones = new Array<number>(128).fill(0);
    for (let round = 0; round < rounds; round += 1) {
      const bits = BigInt(`0x${ids.generateTraceId()}`);
      for (let bit = 0; bit < 128; bit += 1) ones[bit] = (ones[bit] ?? 0) + Number((bits >> BigInt(bit)) & 1n);
    }
    // Eight standard deviations: wrong once in 10^13 runs.
    for (const count of ones) expect(Math.abs(count - rounds / 2)).toBeLessThan(8 * Math.sqrt(rounds / 4));
  });

  it.each([
    [`${'0'.repeat(31)}1`, true],
    ['0'.repeat(32), false],
    ['A'.repeat(32), false],
    ['a'.repeat(31), false],
    [undefined, false],
    [{ toString: () => 'a'.repeat(32) }, false],
  ])('%s as a trace id: %s', (id, expected) => {
    expect(isTraceId(id)).toBe(expected);
  });

  it.each([
    [`${'0'.repeat(15)}1`, true],
    ['0'.repeat(16), false],
    ['a'.repeat(32), false],
    [null, false],
  ])('%s as a span id: %s', (id, expected) => {
    expect(isSpanId(id)).toBe(expected);
  });

  it('give the randomness of their last 52 bits', () => {
    expect(traceIdRandomness('f'.repeat(19) + '0'.repeat(13))).toBe(0);
    expect(traceIdRandomness(`${'0'.repeat(19)}8${'0'.repeat(12)}`)).toBe(0.5);
    expect(traceIdRandomness('0'.repeat(19) + 'f'.repeat(13))).toBe(1 - 2 ** -52);
  });
});
