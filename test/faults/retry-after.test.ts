import { describe, expect, it } from 'vitest';
import { eventually } from '../delivery/delivery-kit.ts';
import { failing } from '../support/receiver-faults.ts';
import { faultWorld, PROTOCOLS, trouble, useInvariants, work } from './fault-kit.ts';

useInvariants();

/** What a receiver may say, and how long it then has peace at least. A date has whole seconds. */
const WAITS: readonly (readonly [retryAfter: () => number | string, millis: number])[] = [
  [() => 2, 1_990],
  [() => new Date(Date.now() + 3_000).toUTCString(), 1_990],
  [() => 0, 490],
  [() => -5, 490],
  [() => 'soon', 490],
  [() => '', 490],
];

describe.each(PROTOCOLS)('over %s', (protocol) => {
  it('a receiver gets the pause that it asks for, half a second at least, and only from the tenant that it asked', async () => {
    const world = await faultWorld({ protocol });
    // A gRPC receiver names a number of seconds; other bytes are no RetryInfo, without which 503 is still retried.
    const waits = WAITS.map(([retryAfter, millis]) => ({ retryAfter: retryAfter(), millis }));
    for (const [index, { retryAfter }] of waits.entries()) {
      trouble(world, `${index}`, failing(1, { mode: 'throttle', status: 503, retryAfter }));
      work(world, `${index}`, 5);
    }
    await eventually(
      () => waits.every((_, index) => world.registry.get(`${index}`).stats().traces.exported === 5),
      () => JSON.stringify(waits.map((_, index) => world.registry.get(`${index}`).stats().traces)),
    );
    for (const [index, { retryAfter, millis }] of waits.entries()) {
      const [first, second, ...more] = world.requests(`${index}`);
      const isText = protocol === 'grpc' && typeof retryAfter === 'string';
      const pause = (second?.receivedAt ?? 0) - (first?.receivedAt ?? 0);
      expect(pause, `${retryAfter}`).toBeGreaterThanOrEqual(isText ? 490 : millis);
      expect(more).toEqual([]);
    }
  });
});
