import { describe, expect, it } from 'vitest';
import { FakeClock } from '../support/fake-clock.ts';
import { logsOf } from '../support/otlp-log-decoder.ts';
import { receiver, registryOf, toReceiver, until } from './registry-kit.ts';

const IDLE = { idleTimeoutMillis: 60_000 };

describe('a tenant that a sweep found unused', () => {
  it('gives its ways out back, and has new ones when it is used again', async () => {
    const clock = new FakeClock();
    const target = await receiver();
    const registry = registryOf({ ...IDLE, clock, configure: toReceiver(target) });
    const tracer = registry.get('acme');
    for (let round = 1; round <= 3; round += 1) {
      tracer.startSpan(`span ${round}`).end();
      tracer.log.info(`line ${round}`);
      await tracer.flush();
      expect(tracer.health().destinations).toHaveLength(2);
      // The first sweep sees that it was used, the second one that it was not.
      await clock.advanceAsync(31_000);
      expect(tracer.health().destinations).toEqual([]);
      expect(tracer.health().state).toBe('active');
    }
    expect(target.spans().map(({ name }) => name)).toEqual(['span 1', 'span 2', 'span 3']);
    expect(logsOf(target).map(({ body }) => body)).toEqual(['line 1', 'line 2', 'line 3']);
    expect(tracer.stats()).toMatchObject({
      bytes: 0,
      traces: { created: 3, exported: 3, queued: 0, dropped: {} },
      logs: { created: 3, exported: 3, queued: 0, dropped: {} },
    });
  });

  it('keeps what still waits, and what it knows of a destination in trouble', async () => {
    const clock = new FakeClock();
    const target = await receiver({ fault: { mode: 'status', status: 503 } });
    const registry = registryOf({ ...IDLE, clock, configure: toReceiver(target) });
    const tracer = registry.get('acme');
    tracer.startSpan('waits').end();
    const [destination] = await (async () => {
      await clock.advanceAsync(5_000);
      await until(() => target.requests.length > 0, 'a request');
      await clock.advanceAsync(31_000);
      return tracer.health().destinations;
    })();
    expect(destination).toMatchObject({ condition: 'retrying', queued: 1 });
    target.setFault({ mode: 'ok' });
    await tracer.flush();
    expect(tracer.stats().traces).toMatchObject({ created: 1, exported: 1, dropped: {} });
  });

  it('keeps the rate that it has used up', async () => {
    const clock = new FakeClock();
    const target = await receiver();
    const limits = { spansPerSecond: 1, logsPerSecond: 1 };
    const registry = registryOf({ ...IDLE, limits, clock, configure: toReceiver(target) });
    const tracer = registry.get('acme');
    tracer.startSpan('one').end();
    tracer.log.info('one');
    await tracer.flush();
    await clock.advanceAsync(31_000);
    expect(tracer.health().destinations).toHaveLength(2);
  });
});
