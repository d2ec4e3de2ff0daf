import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FollowedTraces } from '../../../src/dashboard/page/model/followed-traces.ts';
import type { TraceSummary } from '../../../src/dashboard/store/telemetry-store.ts';

function traceAt(startMillis: number, spans = 1): TraceSummary {
  return {
    traceId: String(startMillis),
    tenant: 'acme',
    startMillis,
    durationNanos: 1_000 - startMillis,
    spans,
  } as TraceSummary;
}

const whole = (...traces: readonly TraceSummary[]) => ({ traces, more: false, partial: false });
const idsOf = (traces: readonly TraceSummary[]) => traces.map(({ traceId }) => Number(traceId));

describe('traces that are followed', () => {
  it('are as they are stored, however answers, what is told and evictions interleave', () => {
    const step = fc.oneof(
      fc.record({ does: fc.constant('store' as const), id: fc.nat(5) }),
      fc.record({ does: fc.constantFrom('tell', 'ask', 'look', 'answer', 'evict'), id: fc.nat(5) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const followed = new FollowedTraces(100);
        const stored = new Map<number, TraceSummary>();
        const untold = new Set<number>();
        let isAsked = false;
        let seen: readonly TraceSummary[] | undefined;
        let shown: readonly TraceSummary[] = [];
        const end = ['look', 'answer', 'tell', 'ask', 'look', 'answer'].map((does) => ({ does, id: 0 }));
        for (const { does, id } of [...steps, ...end]) {
          if (does === 'store') {
            stored.set(id, traceAt(id, (stored.get(id)?.spans ?? 0) + 1));
            untold.add(id);
          } else if (does === 'evict') {
            stored.delete(id);
            untold.delete(id);
          } else if (does === 'tell') {
            shown = followed.tell(
              [...untold].map((one) => stored.get(one) as TraceSummary),
              'newest',
            );
            untold.clear();
          } else if (does === 'ask' && !isAsked) {
            isAsked = true;
            followed.ask('traces');
          } else if (does === 'look' && isAsked) seen ??= [...stored.values()];
          else if (does === 'answer' && seen !== undefined) {
            shown = followed.answer(whole(...seen), 'newest');
            isAsked = false;
            seen = undefined;
          }
        }
        expect(shown).toEqual([...stored.values()].sort((left, right) => right.startMillis - left.startMillis));
      }),
    );
  });

  it('stay as they were told when the answer is from before', () => {
    const followed = new FollowedTraces(9);
    followed.ask('traces');
    followed.tell([traceAt(1, 5)], 'newest');
    expect(followed.answer(whole(traceAt(1, 3)), 'newest')).toEqual([traceAt(1, 5)]);
  });

  it('stay where an answer does not reach: behind its last one, or where it ended at its budget', () => {
    const followed = new FollowedTraces(9);
    followed.ask('traces');
    followed.tell([traceAt(1), traceAt(2), traceAt(4), traceAt(7)], 'newest');
    followed.ask('traces');
    expect(idsOf(followed.answer({ traces: [traceAt(7)], more: false, partial: true }, 'newest'))).toEqual([
      7, 4, 2, 1,
    ]);
    followed.ask('traces');
    const page = { traces: [traceAt(7), traceAt(3)], more: true, partial: false };
    expect(idsOf(followed.answer(page, 'newest'))).toEqual([7, 3, 2, 1]);
    followed.ask('longest');
    expect(idsOf(followed.tell([traceAt(9), traceAt(8)], 'longest'))).toEqual([8, 9]);
  });

  it('are the first of too many', () => {
    const followed = new FollowedTraces(2);
    followed.ask('traces');
    expect(idsOf(followed.tell([traceAt(1), traceAt(2), traceAt(3)], 'newest'))).toEqual([3, 2]);
    expect(idsOf(followed.answer(whole(traceAt(4)), 'newest'))).toEqual([4, 3]);
  });
});
