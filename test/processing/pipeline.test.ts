import { describe, expect, it } from 'vitest';
import { createPipeline } from '../../src/processing/pipeline.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { FakeGrpcTransport, FakeTransport } from './fake-transport.ts';

describe('a pipeline', () => {
  it('stops its timer and its transports when it is closed, and may be closed twice', async () => {
    const clock = new FakeClock();
    const transport = new FakeTransport();
    const grpc = new FakeGrpcTransport();
    const pipeline = createPipeline({ clock, transport, grpc, maxTotalBytes: 1_000 });
    pipeline.agenda.schedule({ due: () => {} }, 5_000);
    expect(clock.pendingTimers).toBe(1);
    await pipeline.close();
    await pipeline.close();
    expect([clock.pendingTimers, transport.closed, grpc.closed]).toEqual([0, true, true]);
  });

  it('has the bound of the process that it was given', () => {
    const pipeline = createPipeline({
      clock: new FakeClock(),
      transport: new FakeTransport(),
      grpc: new FakeGrpcTransport(),
      maxTotalBytes: 1_000,
    });
    const user = { bytes: 0, shed: () => 0 };
    expect([pipeline.budget.reserve(user, 1_000), pipeline.budget.reserve(user, 1)]).toEqual([true, false]);
  });
});
