import { describe, expect, it } from 'vitest';
import { eventually } from '../delivery/delivery-kit.ts';
import type { FaultPlan } from '../support/receiver-faults.ts';
import { faultWorld, PROTOCOLS, trouble, useInvariants, work } from './fault-kit.ts';

useInvariants();

type RetryAfter = number | string;

/** What a receiver may say when it is asked, and how long it then has peace at least; after a date until then. */
const WAITS: readonly (readonly [retryAfter: () => RetryAfter, millis: number])[] = [
  [() => 2, 1_990],
  [() => new Date(Date.now() + 3_000).toUTCString(), 490],
  [() => 0, 490],
  [() => -5, 490],
  [() => 'soon', 490],
  [() => '', 490],
];

/** Asks for a pause once, and notes what it said. */
class Throttle implements FaultPlan {
  said: RetryAfter | undefined;
  readonly #retryAfter: () => RetryAfter;

  constructor(retryAfter: () => RetryAfter) {
    this.#retryAfter = retryAfter;
  }

  next(): ReturnType<FaultPlan['next']> {
    if (this.said !== undefined) return { mode: 'ok' };
    this.said = this.#retryAfter();
    return { mode: 'throttle', status: 503, retryAfter: this.said };
  }
}

describe.each(PROTOCOLS)('over %s', (protocol) => {
  it('a receiver gets the pause that it asks for, half a second at least, and only from the tenant that it asked', async () => {
    const world = await faultWorld({ protocol });
    const waits = WAITS.map(([retryAfter, millis]) => ({ throttle: new Throttle(retryAfter), millis }));
    for (const [index, { throttle }] of waits.entries()) {
      trouble(world, `${index}`, throttle);
      work(world, `${index}`, 5);
    }
    await eventually(
      () => waits.every((_, index) => world.registry.get(`${index}`).stats().traces.exported === 5),
      () => JSON.stringify(waits.map((_, index) => world.registry.get(`${index}`).stats().traces)),
    );
    for (const [index, { throttle, millis }] of waits.entries()) {
      const { said = '' } = throttle;
      const [first, second, ...more] = world.requests(`${index}`);
      // A gRPC receiver names a number of seconds; other bytes are no RetryInfo, without which 503 is still retried.
      const isText = protocol === 'grpc' && typeof said === 'string';
      const pause = (second?.receivedAt ?? 0) - (first?.receivedAt ?? 0);
      expect(pause, `${said}`).toBeGreaterThanOrEqual(isText ? 490 : millis);
      const until = typeof said === 'string' && !isText ? Date.parse(said) || 0 : 0;
      expect(second?.receivedAt, `${said}`).toBeGreaterThanOrEqual(until - 10);
      expect(more).toEqual([]);
    }
  });
});
