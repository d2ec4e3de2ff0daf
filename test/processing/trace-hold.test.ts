import { type SpanContext, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type BudgetUser, ByteBudget } from '../../src/processing/byte-budget.ts';
import { Ledger } from '../../src/processing/ledger.ts';
import { LocalTrace, type TailRules } from '../../src/processing/local-trace.ts';
import type { RecordingSpan } from '../../src/processing/span.ts';
import { TentativeSpan } from '../../src/processing/tentative-span.ts';
import { TraceHold } from '../../src/processing/trace-hold.ts';
import { Guard } from '../../src/utils/guard.ts';
import { FakeClock } from '../support/fake-clock.ts';

const ERRORS: TailRules = { keepErrors: true, keepSlowerThanMillis: Number.POSITIVE_INFINITY };
const SLOW: TailRules = { keepErrors: false, keepSlowerThanMillis: 100 };
const LIMITS = {
  attributeCountLimit: 128,
  attributeValueLengthLimit: 8_192,
  eventCountLimit: 128,
  linkCountLimit: 128,
  attributePerEventCountLimit: 128,
  attributePerLinkCountLimit: 128,
};

function holdWith({ maxQueueSize = 100, maxQueueBytes = 1_000_000, budget = new ByteBudget(10_000_000) } = {}) {
  const clock = new FakeClock();
  const ledger = new Ledger();
  const kept: RecordingSpan[] = [];
  const hold = new TraceHold({
    tenantId: 'a',
    ledger,
    limits: () => ({ maxQueueSize, maxQueueBytes }),
    budget,
    clock,
    keep: (span) => {
      ledger.countCreated(1);
      kept.push(span);
    },
  });
  const host = {
    owner: { tenantId: 'a', boundary: 'isolate' } as const,
    clock,
    guard: new Guard({ clock, level: 'balanced' }),
    spanLimits: LIMITS,
    resource: () => resourceFromAttributes({}),
    spanEnding: () => {},
    spanEnded: (span: RecordingSpan) => {
      span.localTrace?.note(span);
      if (span.localTrace !== undefined) hold.push(span, span.localTrace);
    },
  };
  /** A trace and a function that starts spans of it, the root first. */
  const traceOf = (rules: TailRules) => {
    const trace = new LocalTrace<RecordingSpan>(rules);
    const start = (name = 'span', attributes = {}): TentativeSpan => {
      const context: SpanContext = { traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8), traceFlags: 0 };
      const scope = { index: 0, name: 'test' };
      const kind = SpanKind.INTERNAL;
      const rest = { parentContext: undefined, startTime: undefined, links: undefined };
      return new TentativeSpan(host, { name, kind, context, scope, attributes, ...rest }, trace);
    };
    return { trace, root: start('root'), start };
  };
  const account = () => ({ created: ledger.created, kept: kept.length, dropped: Object.fromEntries(ledger.dropped) });
  const expectBalance = (): void => {
    const lost = [...ledger.dropped.values()].reduce((sum, count) => sum + count, 0);
    expect(kept.length + hold.size + lost).toBe(ledger.created);
    expect(budget.used).toBe(hold.bytes);
  };
  return { account, budget, clock, expectBalance, hold, kept, ledger, traceOf };
}

describe('TraceHold', () => {
  it('lets go of everything that a decided trace held', () => {
    const { account, budget, hold, traceOf } = holdWith();
    const { root, start, trace } = traceOf(ERRORS);
    start().end();
    expect([hold.size, budget.used > 400]).toEqual([1, true]);
    root.end();
    expect([hold.size, hold.bytes, budget.used, trace.spans.length, trace.root]).toEqual([0, 0, 0, 0, undefined]);
    expect(account()).toEqual({ created: 2, kept: 0, dropped: { sampled: 2 } });
  });

  it('hands over the spans of a trace that is kept in the order in which they ended', () => {
    const { kept, traceOf } = holdWith();
    const { root, start } = traceOf(ERRORS);
    for (const name of ['a', 'b']) start(name).end();
    root.setStatus({ code: SpanStatusCode.ERROR }).end();
    expect(kept.map(({ name }) => name)).toEqual(['a', 'b', 'root']);
  });

  it('tells what it gives up for others: what is known to be kept is lost, the rest was not sampled', () => {
    const { account, clock, hold, kept, traceOf } = holdWith();
    const [slow, fast] = [traceOf(SLOW), traceOf(ERRORS)];
    slow.start().end();
    fast.start().end();
    clock.advance(100);
    const before = hold.bytes;
    expect(hold.shed(1)).toBe(before / 2);
    expect(account().dropped).toEqual({ queue_full: 1 });
    expect(hold.shed(1_000_000)).toBe(before / 2);
    expect(account().dropped).toEqual({ queue_full: 1, sampled: 1 });
    slow.root.end();
    expect(kept).toEqual([]);
  });

  it('loses nothing of a trace that is decided while others make room for its span', () => {
    const budget = new ByteBudget(3_000);
    const { account, expectBalance, hold, kept, traceOf } = holdWith({ budget });
    const { root, start } = traceOf(ERRORS);
    const failing = start('failing').setStatus({ code: SpanStatusCode.ERROR });
    const other: BudgetUser = {
      bytes: 2_900,
      shed: () => {
        budget.release(2_900);
        // As a subscriber of isotrace's diagnostics may do.
        failing.end();
        return 2_900;
      },
    };
    budget.join(other);
    expect(budget.reserve(other, 2_900)).toBe(true);
    onTestFinished(() => budget.leave(other));
    start('waits').end();
    expect(kept.map(({ name }) => name)).toEqual(['failing', 'waits']);
    root.end();
    expect(hold.size).toBe(0);
    expect(account()).toEqual({ created: 3, kept: 3, dropped: {} });
    expectBalance();
  });

  it('never disagrees with the ledger and the budget, and stays within its bounds', () => {
    const step = fc.record({
      kind: fc.constantFrom('root', 'child', 'child', 'child', 'error', 'end', 'wait', 'shed', 'settle'),
      pick: fc.nat({ max: 50 }),
      length: fc.nat({ max: 2_500 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const world = holdWith({ maxQueueSize: 8, maxQueueBytes: 6_000, budget: new ByteBudget(5_000) });
        const traces: ReturnType<typeof world.traceOf>[] = [];
        for (const { kind, length, pick } of steps) {
          const trace = traces[pick % traces.length];
          if (kind === 'root') traces.push(world.traceOf(pick % 2 === 0 ? ERRORS : SLOW));
          else if (kind === 'wait') world.clock.advance(pick);
          else if (kind === 'shed') world.hold.shed(length);
          else if (kind === 'settle') world.hold.settleAll();
          else if (kind === 'end') trace?.root.end();
          else if (kind === 'child') trace?.start('child', { text: 'x'.repeat(length) }).end();
          else trace?.start('error').setStatus({ code: SpanStatusCode.ERROR }).end();
          world.expectBalance();
          expect(world.hold.size).toBeLessThanOrEqual(8);
          expect(world.hold.bytes).toBeLessThanOrEqual(5_000);
        }
        for (const { root } of traces) root.end();
        world.expectBalance();
        expect(world.hold.size).toBe(0);
      }),
    );
  });
});
