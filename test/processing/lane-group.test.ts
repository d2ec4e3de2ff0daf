import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DeliveryOutcome } from '../../src/processing/outcome.ts';
import { LaneKit } from './scripted-lane.ts';

const OK: DeliveryOutcome = { status: 'success', rejected: 0 };
const BUSY: DeliveryOutcome = { status: 'retryable', reason: 'unavailable', message: 'HTTP 503' };
const FORBIDDEN: DeliveryOutcome = { status: 'failure', reason: 'unauthorized', message: 'HTTP 403' };

/** Three lanes to one destination, as for traces, metrics and logs. */
function threeLanes() {
  const first = new LaneKit({ maxBatchSize: 1, delayMillis: 0 });
  const others = [1, 2].map(() => new LaneKit({ maxBatchSize: 1, delayMillis: 0, beside: first }));
  const lanes = [first, ...others];
  const open = () => lanes.reduce((sum, { cargo }) => sum + cargo.open.length, 0);
  return { lanes: lanes as [LaneKit, LaneKit, LaneKit], open };
}

describe('the lanes of one destination', () => {
  it('have as many requests under way together as one alone, and all get their turn', async () => {
    const { lanes, open } = threeLanes();
    for (const lane of lanes) lane.add(50);
    await lanes[0].advance(1);
    expect(open()).toBe(2);
    for (let answered = 0; answered < 30; answered += 1) {
      const lane = lanes.find(({ cargo }) => cargo.open.length > 0);
      await lane?.answer(OK);
      expect(open()).toBe(2);
    }
    for (const { ledger } of lanes) expect(ledger.exported).toBeGreaterThan(5);
  });

  it('find out with one request at a time whether it is back, and then all go on', async () => {
    const { lanes, open } = threeLanes();
    for (const lane of lanes) lane.add(3);
    await lanes[0].advance(1);
    while (open() > 0) await lanes.find(({ cargo }) => cargo.open.length > 0)?.answer(BUSY);
    const before = lanes.reduce((sum, { cargo }) => sum + cargo.attempts.length, 0);
    for (let round = 0; round < 4; round += 1) {
      await lanes[0].advance(60_000);
      expect(open()).toBe(1);
      await lanes.find(({ cargo }) => cargo.open.length > 0)?.answer(BUSY);
      expect(open()).toBe(0);
    }
    expect(lanes.reduce((sum, { cargo }) => sum + cargo.attempts.length, 0)).toBe(before + 4);
    await lanes[0].advance(60_000);
    while (open() > 0) await lanes.find(({ cargo }) => cargo.open.length > 0)?.answer(OK);
    expect(lanes.map(({ ledger }) => ledger.exported)).toEqual([3, 3, 3]);
  });

  it('are not kept from it by its refusal of one of them', async () => {
    const { lanes } = threeLanes();
    const [traces, , logs] = lanes;
    logs.add(1);
    await logs.advance(1);
    await logs.answer(FORBIDDEN);
    await logs.advance(1);
    await logs.answer(FORBIDDEN);
    expect(logs.lane.condition).toBe('unauthorized');
    traces.add(1);
    await traces.advance(1);
    await traces.answer(OK);
    expect(traces.ledger.exported).toBe(1);
    expect(traces.lane.condition).toBe('idle');
    expect(logs.cargo.open).toHaveLength(0);
    await logs.advance(60_000);
    await logs.answer(OK);
    expect(logs.ledger.exported).toBe(1);
  });

  it('flush in vain when one of them has found that it is away', async () => {
    const { lanes } = threeLanes();
    const [traces, , logs] = lanes;
    traces.add(1);
    await traces.advance(1);
    logs.add(1);
    await logs.advance(1);
    await traces.answer(BUSY);
    await logs.answer(BUSY);
    let flushed = false;
    const settled = logs.lane.settled('attempted').then(() => {
      flushed = true;
    });
    await settled;
    expect(flushed).toBe(true);
  });

  it('go on when one of them is closed in the middle of a request', async () => {
    const { lanes, open } = threeLanes();
    for (const lane of lanes) lane.add(2);
    await lanes[0].advance(1);
    const [busy, ...rest] = lanes.toSorted((one, other) => other.cargo.open.length - one.cargo.open.length);
    void busy?.lane.close('evicted');
    await lanes[0].advance(1);
    for (let turn = 0; turn < 20 && open() > 0; turn += 1) {
      await lanes.find(({ cargo }) => cargo.open.length > 0)?.answer(OK);
    }
    expect(rest.map(({ ledger }) => ledger.exported)).toEqual([2, 2]);
  });

  it('lose nothing and forget nobody, whatever the destination answers', async () => {
    const answers = fc.array(fc.constantFrom(OK, OK, BUSY, FORBIDDEN), { minLength: 10, maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(answers, fc.array(fc.nat(2), { maxLength: 60 }), async (outcomes, adds) => {
        const { lanes, open } = threeLanes();
        let created = 0;
        for (const [index, outcome] of outcomes.entries()) {
          lanes[adds[index] ?? 0]?.add(1);
          created += 1;
          await lanes[0].advance(1_000);
          expect(open()).toBeLessThanOrEqual(2);
          await lanes.find(({ cargo }) => cargo.open.length > 0)?.answer(outcome);
          for (const lane of lanes) expect(lane.imbalance).toEqual([]);
        }
        for (let turn = 0; turn < 400 && lanes.some(({ lane }) => lane.queued > 0); turn += 1) {
          const waiting = lanes.find(({ cargo }) => cargo.open.length > 0);
          if (waiting === undefined) await lanes[0].advance(61_000);
          else await waiting.answer(OK);
        }
        const settled = lanes.map(
          ({ ledger }) => ledger.exported + [...ledger.dropped.values()].reduce((a, b) => a + b, 0),
        );
        expect(settled.reduce((sum, count) => sum + count, 0)).toBe(created);
      }),
      { numRuns: 60 },
    );
  });
});
