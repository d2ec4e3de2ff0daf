import diagnosticsChannel from 'node:diagnostics_channel';
import { describe, expect, it } from 'vitest';
import { Ledger, recordDrop } from '../../src/processing/ledger.ts';

describe('Ledger', () => {
  it('adds up, and counts in its parent what it counts itself', () => {
    const registry = new Ledger();
    const [a, b] = [new Ledger(registry), new Ledger(registry)];
    a.countCreated(10);
    a.countExported(6);
    a.countDropped('queue_full', 1);
    a.countDropped('queue_full', 2);
    b.countCreated(5);
    b.countDropped('rejected', 5);

    expect(a.snapshot(1)).toEqual({ created: 10, exported: 6, queued: 1, spooled: 0, dropped: { queue_full: 3 } });
    expect(registry.snapshot(1)).toEqual({
      created: 15,
      exported: 6,
      queued: 1,
      spooled: 0,
      dropped: { queue_full: 3, rejected: 5 },
    });
  });

  it('takes over from another of the same parent without counting twice there', () => {
    const registry = new Ledger();
    const [before, after] = [new Ledger(registry), new Ledger(registry)];
    before.countCreated(5);
    before.takeOver(-5);
    after.takeOver(5);
    expect([before.created, after.created, registry.created]).toEqual([0, 5, 5]);
    expect(after.snapshot(2, 3)).toEqual({ created: 5, exported: 0, queued: 2, spooled: 3, dropped: {} });
  });

  it('does not mention reasons that never happened', () => {
    const ledger = new Ledger();
    ledger.countDropped('evicted', 0);
    expect(ledger.snapshot(0).dropped).toEqual({});
  });

  it('tells the diagnostics channel of a loss, and of nothing when nothing was lost', () => {
    const messages: unknown[] = [];
    const listen = (message: unknown): void => {
      messages.push(message);
    };
    diagnosticsChannel.subscribe('isotrace:dropped', listen);
    const ledger = new Ledger();
    recordDrop(ledger, 'a', 'queue_full', 3);
    recordDrop(ledger, 'a', 'rejected', 0);
    diagnosticsChannel.unsubscribe('isotrace:dropped', listen);

    expect(messages).toEqual([{ tenantId: 'a', reason: 'queue_full', count: 3 }]);
    expect(ledger.snapshot(0).dropped).toEqual({ queue_full: 3 });
  });
});
