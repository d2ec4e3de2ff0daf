import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteBudget } from '../../src/processing/byte-budget.ts';
import { SpanHold } from '../../src/processing/span-hold.ts';
import { endedSpan } from './ended-spans.ts';

function holdWith({ maxQueueSize = 10, maxQueueBytes = 1_000_000, budget = new ByteBudget(1_000_000) } = {}) {
  const crowdedOut: number[] = [];
  const hold = new SpanHold({
    limits: { maxQueueSize, maxQueueBytes },
    budget,
    crowdedOut: (count) => crowdedOut.push(count),
  });
  return { hold, budget, crowdedOut };
}

describe('SpanHold', () => {
  it('keeps spans in order up to its number', () => {
    const { budget, hold } = holdWith({ maxQueueSize: 2 });
    const spans = ['a', 'b', 'c'].map((name) => endedSpan(name));
    expect(spans.map((span) => hold.push(span))).toEqual([true, true, false]);
    expect(budget.used).toBe(hold.bytes);
    expect(hold.takeAll()).toEqual(spans.slice(0, 2));
    expect([hold.size, hold.bytes, budget.used]).toEqual([0, 0, 0]);
  });

  it('weighs what a span holds', () => {
    const weigh = (span: ReturnType<typeof endedSpan>): number => {
      const { hold } = holdWith();
      hold.push(span);
      return hold.bytes;
    };
    const plain = weigh(endedSpan('a'));
    expect(plain).toBeGreaterThanOrEqual(400);
    expect(weigh(endedSpan('a'.repeat(1_001)))).toBe(plain + 1_000);
    expect(weigh(endedSpan('a', { text: 'x'.repeat(5_000) }))).toBeGreaterThan(plain + 5_000);
    expect(weigh(endedSpan('a', { list: ['x'.repeat(2_000), 'y'.repeat(2_000)] }))).toBeGreaterThan(plain + 4_000);
  });

  it('refuses what does not fit in its bytes, but takes a smaller one', () => {
    const { hold } = holdWith({ maxQueueBytes: 2_000 });
    expect(hold.push(endedSpan('large', { text: 'x'.repeat(3_000) }))).toBe(false);
    expect(hold.push(endedSpan('small'))).toBe(true);
  });

  it('gives up its newest spans when the process needs room', () => {
    const budget = new ByteBudget(100_000);
    const large = holdWith({ budget, maxQueueSize: 1_000 });
    const small = holdWith({ budget });
    while (large.hold.push(endedSpan('large', { text: 'x'.repeat(1_000) })));
    const before = large.hold.size;
    expect(small.hold.push(endedSpan('small', { text: 'x'.repeat(2_000) }))).toBe(true);
    expect(small.crowdedOut).toEqual([]);
    expect(large.crowdedOut).toEqual([before - large.hold.size]);
    expect(budget.used).toBe(large.hold.bytes + small.hold.bytes);
  });

  it('never disagrees with the budget', () => {
    const step = fc.record({ kind: fc.constantFrom('push', 'push', 'push', 'shed'), length: fc.nat({ max: 3_000 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { budget, crowdedOut, hold } = holdWith({ budget: new ByteBudget(20_000), maxQueueBytes: 15_000 });
        let pushed = 0;
        for (const { kind, length } of steps) {
          if (kind === 'shed') hold.shed(length);
          else if (hold.push(endedSpan('a', { text: 'x'.repeat(length) }))) pushed += 1;
          expect(budget.used).toBe(hold.bytes);
          expect(hold.bytes).toBeLessThanOrEqual(15_000);
        }
        const lost = crowdedOut.reduce((sum, count) => sum + count, 0);
        expect(hold.takeAll()).toHaveLength(pushed - lost);
        expect(budget.used).toBe(0);
      }),
    );
  });
});
