import { execFileSync } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Clock } from '../../src/utils/clock.ts';

describe('the system clock', () => {
  let clock: Clock;
  let elapsed = 10_000;
  let wallOffset = 0;

  beforeEach(async () => {
    elapsed = 10_000;
    wallOffset = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => elapsed);
    vi.spyOn(Date, 'now').mockImplementation(() => Math.floor(performance.timeOrigin + elapsed + wallOffset));
    vi.resetModules();
    ({ systemClock: clock } = await import('../../src/utils/clock.ts'));
  });

  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('gives the time of day with the resolution of the monotonic clock', () => {
    expect(clock.now()).toBe(performance.timeOrigin + 10_000);
    elapsed += 0.25;
    expect(clock.now()).toBe(performance.timeOrigin + 10_000.25);
    expect(clock.monotonic()).toBe(10_000.25);
  });

  it.each([3_600_000, -3_600_000, 26, -26])('follows a jump of the wall clock by %i ms within a second', (jump) => {
    expect(clock.now()).toBe(performance.timeOrigin + elapsed);
    wallOffset = jump;
    elapsed += 1_001;
    expect(Math.abs(clock.now() - (performance.timeOrigin + elapsed + jump))).toBeLessThanOrEqual(1);
    expect(clock.monotonic()).toBe(elapsed);
  });

  it.each([24, -23])('does not follow what may be rounding: %i ms', (drift) => {
    clock.now();
    wallOffset = drift;
    elapsed += 1_001;
    expect(clock.now()).toBe(performance.timeOrigin + elapsed);
  });

  it('gives the point in time of a reading', () => {
    expect(clock.toEpoch(elapsed)).toBe(clock.now());
  });
});

describe('a timer of the system clock', () => {
  it('calls once, and not when it was cancelled', async () => {
    const { systemClock } = await import('../../src/utils/clock.ts');
    vi.useFakeTimers();
    try {
      const calls: string[] = [];
      systemClock.schedule(() => calls.push('kept'), 100);
      systemClock.schedule(() => calls.push('cancelled'), 50).cancel();
      systemClock.schedule(() => calls.push('at once'), -5);
      systemClock.schedule(() => calls.push('never'), Number.POSITIVE_INFINITY);
      vi.advanceTimersByTime(1_000);
      expect(calls).toEqual(['at once', 'kept']);
    } finally {
      vi.useRealTimers();
    }
  });

  it('keeps the process alive only when asked to', () => {
    const source = fileURLToPath(new URL('../../src/utils/clock.ts', import.meta.url));
    const run = (keepAlive: boolean): string => {
      const script = `const { systemClock } = await import(${JSON.stringify(source)});
        systemClock.schedule(() => console.log('fired'), 100, ${keepAlive});`;
      return execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script], {
        encoding: 'utf8',
      });
    };
    expect(run(false)).toBe('');
    expect(run(true)).toBe('fired\n');
  });
});
