import { describe, expect, it } from 'vitest';
import { Breaker } from '../../src/processing/breaker.ts';
import { createRetryPolicy } from '../../src/processing/retry-policy.ts';
import { FakeClock } from '../support/fake-clock.ts';

function breakerWith(): { breaker: Breaker; clock: FakeClock; waitMillis: () => number } {
  const clock = new FakeClock();
  const breaker = new Breaker(clock, createRetryPolicy({ clock }));
  return { breaker, clock, waitMillis: () => Math.max(breaker.blockedUntil - clock.monotonic(), 0) };
}

describe('Breaker', () => {
  it('is closed at first, opens with a failure and closes with a success', () => {
    const { breaker, waitMillis } = breakerWith();
    expect([breaker.open, breaker.trouble, breaker.failures]).toEqual([false, undefined, 0]);
    breaker.failed(breaker.round, 'retrying', 'down');
    expect([breaker.open, breaker.trouble, breaker.failures, breaker.lastError]).toEqual([true, 'retrying', 1, 'down']);
    expect(waitMillis()).toBeGreaterThanOrEqual(500);
    breaker.succeeded(breaker.round);
    expect([breaker.open, breaker.trouble, breaker.failures]).toEqual([false, undefined, 0]);
  });

  it('backs off by the number of rounds that failed, not by the age of each batch', () => {
    const { breaker, clock, waitMillis } = breakerWith();
    for (let round = 0; round < 5; round += 1) {
      breaker.failed(breaker.round, 'retrying', 'down');
      clock.advance(waitMillis());
    }
    breaker.failed(breaker.round, 'retrying', 'down');
    expect(waitMillis()).toBeGreaterThanOrEqual(15_000);
  });

  it('counts two requests that fail together once', () => {
    const { breaker, waitMillis } = breakerWith();
    const { round } = breaker;
    breaker.failed(round, 'retrying', 'down');
    const wait = waitMillis();
    breaker.failed(round, 'retrying', 'down too');
    expect([breaker.failures, waitMillis(), breaker.lastError]).toEqual([1, wait, 'down too']);
  });

  it('does not let a request from before the failure end the pause', () => {
    const { breaker, waitMillis } = breakerWith();
    const { round } = breaker;
    breaker.failed(round, 'retrying', 'slow down', 30_000);
    breaker.succeeded(round);
    expect(waitMillis()).toBeGreaterThanOrEqual(30_000);
    expect(breaker.failures).toBe(1);
  });

  it('waits for the longest time that any of several answers asked for', () => {
    const { breaker, waitMillis } = breakerWith();
    const { round } = breaker;
    breaker.failed(round, 'retrying', 'down');
    breaker.failed(round, 'retrying', 'slow down', 60_000);
    breaker.failed(round, 'retrying', 'slow down', 5_000);
    expect(waitMillis()).toBeGreaterThanOrEqual(60_000);
  });

  it('lets a flush cut its own backoff short, but neither what the receiver asked for nor a probe', () => {
    const own = breakerWith();
    own.breaker.failed(0, 'retrying', 'down');
    own.breaker.lift();
    expect(own.breaker.open).toBe(false);

    const asked = breakerWith();
    asked.breaker.failed(0, 'retrying', 'slow down', 30_000);
    asked.breaker.lift();
    expect(asked.waitMillis()).toBeGreaterThanOrEqual(30_000);

    const misconfigured = breakerWith();
    misconfigured.breaker.failed(0, 'misconfigured', 'TLS');
    misconfigured.breaker.lift();
    expect(misconfigured.waitMillis()).toBe(60_000);
  });

  it('reads refused credentials again once, then every 60 seconds', () => {
    const { breaker, clock, waitMillis } = breakerWith();
    breaker.failed(breaker.round, 'unauthorized', '401');
    expect([breaker.open, breaker.trouble]).toEqual([false, 'unauthorized']);
    for (let probe = 0; probe < 3; probe += 1) {
      breaker.failed(breaker.round, 'unauthorized', '401');
      expect(waitMillis()).toBe(60_000);
      clock.advance(60_000);
    }
  });

  it('still reads them again when two requests were refused together', () => {
    const { breaker } = breakerWith();
    const { round } = breaker;
    breaker.failed(round, 'unauthorized', '401');
    breaker.failed(round, 'unauthorized', '401');
    expect(breaker.open).toBe(false);
    breaker.failed(breaker.round, 'unauthorized', '401');
    expect(breaker.open).toBe(true);
  });

  it('notices a failure of a request that outlived a whole outage', () => {
    const { breaker, clock, waitMillis } = breakerWith();
    const { round } = breaker;
    breaker.failed(round, 'retrying', 'down');
    clock.advance(waitMillis());
    breaker.succeeded(breaker.round);
    breaker.failed(round, 'retrying', 'timeout');
    expect([breaker.open, breaker.failures]).toEqual([true, 1]);
  });
});
