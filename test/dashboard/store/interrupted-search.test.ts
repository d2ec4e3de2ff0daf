import { setImmediate } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { SegmentRing } from '../../../src/dashboard/store/ring/segment-ring.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { ALWAYS, append, query, spanId, traceId, tracesJson } from '../otlp-requests.ts';

const ROWS = 2_000;

/** Every look at it is later by more than a search may take at a time. */
class HastyClock extends FakeClock {
  #monotonic = 0;

  override monotonic(): number {
    this.#monotonic += 1_000;
    return this.#monotonic;
  }
}

function spansFrom(first: number, count: number) {
  return Array.from({ length: count }, (_, index) => ({
    ...{ traceId: traceId(first + index), spanId: spanId(first + index), kind: 2, at: first + index },
    attributes: { text: 'needle in a haystack', padding: 'x'.repeat(200) },
  }));
}

async function openRing(): Promise<SegmentRing> {
  const ring = new SegmentRing({ clock: new HastyClock(), maxBytes: 1_048_576 });
  onTestFinished(() => ring.close());
  await append(ring, 'traces', tracesJson({ service: 'api', tenant: 'a' }, spansFrom(1, ROWS)));
  return ring;
}

describe('a search that takes long', () => {
  const search = { scope: 'all', query: query('"needle"'), range: ALWAYS, limit: 10 } as const;
  const red = { ...search, groupBy: 'tenant', spans: 'all', stepMillis: 60_000 } as const;

  it('lets others run, and answers as if it had not', async () => {
    const ring = await openRing();
    const answer = ring.red(red);
    let isOver = false;
    void answer.finally(() => {
      isOver = true;
    });
    let turns = 0;
    while (!isOver) {
      await setImmediate();
      turns += 1;
    }
    expect(turns).toBeGreaterThan(4);
    expect((await answer).groups).toMatchObject([{ tenant: 'a', count: ROWS }]);
  });

  it('sees what was there when its turn at it began, whatever comes in meanwhile', async () => {
    const ring = await openRing();
    const answers = [
      ring.red({ ...red, query: query('-"needle"') }),
      ring.red(red),
      ring.listTraces({ ...search, query: query('-"nothing"'), order: 'newest' }),
    ] as const;
    for (let round = 1; round <= 3; round += 1) {
      await setImmediate();
      const more = spansFrom(10_000 * round, 20).map((span) => ({ ...span, attributes: {} }));
      await append(ring, 'traces', tracesJson({ service: 'api', tenant: 'a' }, more));
    }
    const [without, withNeedle, list] = await Promise.all(answers);
    expect(without.groups).toEqual([]);
    expect(withNeedle.groups).toMatchObject([{ count: ROWS }]);
    expect(list.traces).toHaveLength(10);
  });

  it('leaves out what is evicted meanwhile', async () => {
    const ring = await openRing();
    const list = ring.listTraces({ ...search, order: 'newest' });
    for (let round = 1; round <= 8; round += 1) {
      await append(ring, 'traces', tracesJson({ service: 'api', tenant: 'a' }, spansFrom(10_000 * round, ROWS)));
    }
    const { traces } = await list;
    for (const { spans } of traces) expect(spans).toBeGreaterThan(0);
    expect((await ring.stats('all')).evicted.traces).toBeGreaterThan(0);
  });
});
