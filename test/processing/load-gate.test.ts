import { describe, expect, it } from 'vitest';
import { Agenda } from '../../src/processing/agenda.ts';
import { ByteBudget } from '../../src/processing/byte-budget.ts';
import { LoadGate } from '../../src/processing/load-gate.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';

function gateWith(maxBytes: number) {
  const clock = new FakeClock();
  const budget = new ByteBudget(maxBytes);
  const gate = new LoadGate(budget, new Agenda(clock));
  const reads: (() => void)[] = [];
  const load = (bytes: number) =>
    gate.load(
      bytes,
      () =>
        new Promise<Buffer>((resolve) => {
          reads.push(() => resolve(Buffer.alloc(bytes)));
        }),
    );
  return { budget, clock, gate, load, reads };
}

describe('LoadGate', () => {
  it('reads four files at a time', async () => {
    const { load, reads } = gateWith(1_000);
    const loads = Array.from({ length: 6 }, () => load(10));
    await settle();
    expect(reads).toHaveLength(4);
    reads[0]?.();
    await loads[0];
    await settle();
    expect(reads).toHaveLength(5);
  });

  it('takes its place in the budget, and gives it back', async () => {
    const { budget, load, reads } = gateWith(1_000);
    const loading = load(400);
    await settle();
    expect(budget.used).toBe(400);
    reads[0]?.();
    const { data, release } = await loading;
    expect(data).toHaveLength(400);
    release();
    expect(budget.used).toBe(0);
  });

  it('gives its place back when the file cannot be read', async () => {
    const { budget, gate } = gateWith(1_000);
    await expect(gate.load(400, () => Promise.reject(new Error('EIO')))).rejects.toThrow('EIO');
    expect(budget.used).toBe(0);
  });

  it('lets one in over a full budget, and the next when there is room', async () => {
    const { budget, clock, load, reads } = gateWith(1_000);
    budget.claim(1_000, false);
    const first = load(400);
    const second = load(300);
    await clock.advanceAsync(1_000);
    expect(reads).toHaveLength(1);
    expect(budget.used).toBe(1_400);
    reads[0]?.();
    const { release } = await first;
    await clock.advanceAsync(1_000);
    expect(reads).toHaveLength(1);
    release();
    await settle();
    expect(reads).toHaveLength(2);
    reads[1]?.();
    (await second).release();
    expect(budget.used).toBe(1_000);
  });

  it('looks again for room that others gave back', async () => {
    const { budget, clock, load, reads } = gateWith(1_000);
    budget.claim(1_000, false);
    void load(400);
    void load(400);
    await clock.advanceAsync(100);
    budget.release(800);
    await clock.advanceAsync(100);
    expect(reads).toHaveLength(2);
    expect(budget.used).toBe(1_000);
  });
});
