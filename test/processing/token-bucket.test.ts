import fc from 'fast-check';
import { expect, it } from 'vitest';
import { TokenBucket } from '../../src/processing/token-bucket.ts';
import { FakeClock } from '../support/fake-clock.ts';

it('lets a second of its rate through at once, then as many as time brings', () => {
  const clock = new FakeClock();
  const bucket = new TokenBucket(10, clock);
  const taken = (tries: number): number => Array.from({ length: tries }, () => bucket.take()).filter(Boolean).length;
  expect(taken(25)).toBe(10);
  clock.advance(500);
  expect(taken(25)).toBe(5);
  clock.advance(60_000);
  expect(taken(25)).toBe(10);
});

it('lets a rate below one a second through', () => {
  const clock = new FakeClock();
  const bucket = new TokenBucket(0.5, clock);
  expect([bucket.take(), bucket.take()]).toEqual([true, false]);
  clock.advance(2_000);
  expect([bucket.take(), bucket.take()]).toEqual([true, false]);
});

it('never lets more through than its rate and one full second', () => {
  const pauses = fc.array(fc.integer({ min: 0, max: 3_000 }), { maxLength: 50 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 50 }), pauses, fc.integer({ min: 1, max: 100 }), (rate, steps, tries) => {
      const clock = new FakeClock();
      const bucket = new TokenBucket(rate, clock);
      let elapsed = 0;
      let taken = 0;
      for (const pause of steps) {
        clock.advance(pause);
        elapsed += pause;
        for (let index = 0; index < tries; index += 1) if (bucket.take()) taken += 1;
      }
      expect(taken).toBeLessThanOrEqual(rate + (elapsed * rate) / 1_000 + 1e-6);
    }),
  );
});

it('owes what is charged beyond it, up to a minute of its rate and at least 100', () => {
  for (const [rate, most] of [
    [10, 600],
    [0.5, 100],
  ] as const) {
    const clock = new FakeClock();
    const bucket = new TokenBucket(rate, clock);
    for (let index = 0; index < 5_000; index += 1) bucket.charge();
    clock.advance(((most + 1) / rate) * 1_000 - 10);
    expect(bucket.take()).toBe(false);
    clock.advance(20);
    expect([bucket.take(), bucket.take()]).toEqual([true, false]);
  }
});

it('lets no more than its rate through in the long run, charged or taken', () => {
  const steps = fc.array(fc.record({ pause: fc.nat({ max: 2_000 }), size: fc.integer({ min: 1, max: 40 }) }), {
    minLength: 50,
    maxLength: 100,
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), steps, (rate, traces) => {
      const clock = new FakeClock();
      const bucket = new TokenBucket(rate, clock);
      let elapsed = 0;
      let through = 0;
      for (const { pause, size } of traces) {
        clock.advance(pause);
        elapsed += pause;
        if (!bucket.take()) continue;
        for (let index = 1; index < size; index += 1) bucket.charge();
        through += size;
      }
      expect(through).toBeLessThanOrEqual(rate + (elapsed * rate) / 1_000 + 40);
    }),
  );
});
