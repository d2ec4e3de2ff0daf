import { expect, it } from 'vitest';
import { receiver, registryOf, resolveWith, until } from '../core/registry-kit.ts';
import { FakeClock } from '../support/fake-clock.ts';

const HOUR = 3_600_000;

it.each([HOUR, -HOUR])(
  'a wall clock that jumps by %i ms neither changes a duration nor makes an attempt sooner or later',
  async (jump) => {
    const clock = new FakeClock();
    const target = await receiver({ fault: { mode: 'status', status: 503 } });
    const registry = registryOf({ clock, batch: { delayMillis: 100 }, destination: { endpoint: target.url } });
    const tracer = registry.get('acme');
    const span = tracer.startSpan('work');
    const startedAt = clock.now();
    clock.advance(50);
    clock.jumpWallClock(jump);
    clock.advance(50);
    span.end();

    await clock.advanceAsync(100);
    await until(() => tracer.health().destinations[0]?.failures === 1, 'the first failure');
    clock.jumpWallClock(jump);
    await clock.advanceAsync(400);
    expect(target.requests).toHaveLength(1);
    target.setFault({ mode: 'ok' });
    await clock.advanceAsync(1_000);
    await until(() => target.spans().length === 1, 'the second attempt');
    const [sent] = target.spans();
    expect(sent?.startTimeUnixNano).toBe(BigInt(startedAt) * 1_000_000n);
    expect((sent?.endTimeUnixNano ?? 0n) - (sent?.startTimeUnixNano ?? 0n)).toBe(100_000_000n);
    await until(() => tracer.stats().traces.exported === 1, 'the account');
    await resolveWith(clock, registry.shutdown());
    expect(registry.stats().traces).toMatchObject({ created: 1, exported: 1, dropped: {} });
  },
);
