import { createTraceState, ROOT_CONTEXT, SpanKind, TraceFlags } from '@opentelemetry/api';
import { AlwaysOffSampler, AlwaysOnSampler, type Sampler, SamplingDecision } from '@opentelemetry/sdk-trace';
import { describe, expect, it } from 'vitest';
import {
  createHostSampler,
  createRatioSampler,
  createRuleSampler,
  isInRatio,
  type SpanRequest,
} from '../../src/processing/sampling.ts';
import { TokenBucket } from '../../src/processing/token-bucket.ts';
import { Guard, type ResilienceLevel } from '../../src/utils/guard.ts';
import { PooledIdGenerator } from '../../src/utils/ids.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';

const refuse = (): never => {
  throw new Error('refused');
};
const REQUEST: SpanRequest = {
  context: ROOT_CONTEXT,
  name: 'work',
  kind: SpanKind.CLIENT,
  attributes: { a: 1 },
  links: undefined,
};
const TRACE_ID = 'a'.repeat(32);
const parent = (traceFlags: number) => ({ traceId: TRACE_ID, spanId: 'b'.repeat(16), traceFlags });

describe('the ratio sampler', () => {
  it.each([0, 0.01, 0.25, 0.5, 0.99, 1])('keeps a share of %d of the traces', (ratio) => {
    const ids = new PooledIdGenerator();
    const sampler = createRatioSampler(ratio);
    const rounds = 20_000;
    let kept = 0;
    for (let round = 0; round < rounds; round += 1) {
      if (sampler(undefined, ids.generateTraceId(), REQUEST).sampled) kept += 1;
    }
    // Eight standard deviations; none at 0 and 1.
    expect(Math.abs(kept - rounds * ratio)).toBeLessThanOrEqual(8 * Math.sqrt(rounds * ratio * (1 - ratio)));
  });

  it('keeps at a higher ratio whatever it keeps at a lower one', () => {
    const ids = new PooledIdGenerator();
    for (let round = 0; round < 5_000; round += 1) {
      const id = ids.generateTraceId();
      if (isInRatio(id, 0.1)) expect(isInRatio(id, 0.3)).toBe(true);
    }
  });

  it('lets a child follow its parent, unless it is told not to look at parents', () => {
    expect(createRatioSampler(0)(parent(TraceFlags.SAMPLED), TRACE_ID, REQUEST)).toEqual({
      record: true,
      sampled: true,
    });
    expect(createRatioSampler(1)(parent(TraceFlags.NONE), TRACE_ID, REQUEST)).toEqual({
      record: false,
      sampled: false,
    });
    expect(createRatioSampler(1, false)(parent(TraceFlags.NONE), TRACE_ID, REQUEST).sampled).toBe(true);
  });
});

function asked(shouldSample: unknown, level: ResilienceLevel = 'balanced') {
  const clock = new FakeClock();
  const guard = new Guard({ clock, level });
  const sampler = { shouldSample, toString: () => 'test' } as Sampler;
  return { guard, clock, decide: createHostSampler(sampler, guard.hook('sampler', 'shouldSample')) };
}

describe("a sampler of the user's", () => {
  it.each([
    [SamplingDecision.NOT_RECORD, { record: false, sampled: false }],
    [SamplingDecision.RECORD, { record: true, sampled: false }],
    [SamplingDecision.RECORD_AND_SAMPLED, { record: true, sampled: true }],
  ])('decides %i', (decision, expected) => {
    const attributes = { 'sampler.rule': 'r1' };
    const traceState = createTraceState('a=b');
    const { decide } = asked(() => ({ decision, attributes, traceState }));
    expect(decide(undefined, TRACE_ID, REQUEST)).toEqual({ ...expected, attributes, traceState });
  });

  it('may be one of the SDK', () => {
    const { guard } = asked(() => undefined);
    const hook = guard.hook('sampler', 'x');
    expect(createHostSampler(new AlwaysOnSampler(), hook)(undefined, TRACE_ID, REQUEST).sampled).toBe(true);
    expect(createHostSampler(new AlwaysOffSampler(), hook)(undefined, TRACE_ID, REQUEST).record).toBe(false);
  });

  it('gets copies that it may change', () => {
    const attributes = { a: 1 };
    const links = [{ context: parent(1) }];
    const { decide, guard } = asked((...args: unknown[]) => {
      Object.assign(args[4] as object, { a: 2 });
      (args[5] as unknown[]).length = 0;
      return { decision: SamplingDecision.RECORD };
    });
    decide(undefined, TRACE_ID, { ...REQUEST, attributes, links });
    expect([attributes, links.length]).toEqual([{ a: 1 }, 1]);
    expect(guard.counts()).toEqual({});
  });

  it.each<[string, unknown]>([
    ['null', null],
    ['a number', 5],
    ['an array proxy that refuses', new Proxy([], { get: refuse })],
  ])('is not blamed for links of the host that are none: %s', (_, links) => {
    const { decide, guard } = asked((...args: unknown[]) => ({
      decision: (args[5] as unknown[]).length === 0 ? 2 : 0,
    }));
    expect(decide(undefined, TRACE_ID, { ...REQUEST, links: links as never }).sampled).toBe(true);
    expect(guard.counts()).toEqual({});
  });

  it.each<[string, unknown]>([
    [
      'throws',
      () => {
        throw new Error('broken');
      },
    ],
    ['answers nothing', () => undefined],
    ['answers no decision', () => ({ decision: 'RECORD' })],
    ['answers an unknown decision', () => ({ decision: 3 })],
    ['answers a promise', async () => ({ decision: SamplingDecision.RECORD })],
    [
      'rejects',
      async () => {
        throw new Error('broken');
      },
    ],
    ['answers a trace state that is none', () => ({ decision: SamplingDecision.RECORD, traceState: {} })],
    [
      'answers what cannot be read',
      () => ({
        get decision() {
          throw new Error('broken');
        },
      }),
    ],
  ])('that %s counts as failed: a child follows its parent and a root is kept', async (_, shouldSample) => {
    const { decide, guard } = asked(shouldSample);
    expect(decide(undefined, TRACE_ID, REQUEST)).toEqual({ record: true, sampled: true });
    expect(decide(parent(TraceFlags.SAMPLED), TRACE_ID, REQUEST).sampled).toBe(true);
    expect(decide(parent(TraceFlags.NONE), TRACE_ID, REQUEST).record).toBe(false);
    await settle();
    expect(guard.counts()).toEqual({ sampler: 3 });
  });

  it('is no longer asked after ten failures, and asked again at level resilient', () => {
    let calls = 0;
    const shouldSample = (): unknown => {
      calls += 1;
      if (calls <= 10) throw new Error('broken');
      return { decision: SamplingDecision.NOT_RECORD };
    };
    const { decide, guard, clock } = asked(shouldSample, 'resilient');
    for (let index = 0; index < 20; index += 1) expect(decide(undefined, TRACE_ID, REQUEST).sampled).toBe(true);
    expect(calls).toBe(10);
    expect(guard.switchedOff()).toEqual(['sampler.shouldSample']);
    clock.advance(30_000);
    expect(decide(undefined, TRACE_ID, REQUEST).record).toBe(false);
    expect(guard.switchedOff()).toEqual([]);
  });
});

describe('the rule sampler', () => {
  const TAIL = { keepErrors: true, keepSlowerThanMillis: 100 };
  const KEPT = { record: true, sampled: true };
  const TURNED_AWAY = { record: true, sampled: false, open: TAIL };
  const DROPPED = { record: false, sampled: false };
  const remote = (traceFlags: number) => ({ ...parent(traceFlags), isRemote: true });
  /** Kept at 0.5, and not. */
  const [HIGH, LOW] = ['f'.repeat(32), '1'.padEnd(32, '0')] as const;

  it.each([
    ['a root within the ratio', undefined, HIGH, KEPT],
    ['a root outside of the ratio', undefined, LOW, TURNED_AWAY],
    ['a remote parent that is sampled', remote(TraceFlags.SAMPLED), LOW, KEPT],
    ['a remote parent that is not sampled', remote(TraceFlags.NONE), HIGH, TURNED_AWAY],
    ['an own parent that is sampled', parent(TraceFlags.SAMPLED), LOW, KEPT],
    ['an own parent that is not sampled, which no tail rule waits for', parent(TraceFlags.NONE), HIGH, DROPPED],
  ])('answers for %s', (_, from, traceId, verdict) => {
    const sampler = createRuleSampler({ ratio: 0.5, parentBased: true, rate: undefined, tail: TAIL });
    expect(sampler(from, traceId, REQUEST)).toEqual(verdict);
  });

  it('drops at once what is turned away when there is no tail rule', () => {
    const rate = new TokenBucket(1, new FakeClock());
    const sampler = createRuleSampler({ ratio: 0, parentBased: true, rate, tail: undefined });
    expect(sampler(undefined, HIGH, REQUEST)).toEqual(DROPPED);
    expect(sampler(remote(TraceFlags.NONE), HIGH, REQUEST)).toEqual(DROPPED);
  });

  it('looks at no remote parent when it is told so, but at own ones', () => {
    const sampler = createRuleSampler({ ratio: 0.5, parentBased: false, rate: undefined, tail: TAIL });
    expect(sampler(remote(TraceFlags.NONE), HIGH, REQUEST)).toEqual(KEPT);
    expect(sampler(remote(TraceFlags.SAMPLED), LOW, REQUEST)).toEqual(TURNED_AWAY);
    expect(sampler(parent(TraceFlags.SAMPLED), LOW, REQUEST)).toEqual(KEPT);
  });

  it('takes a token for each span that is recorded, also for those that it must not turn away', () => {
    const clock = new FakeClock();
    const rate = new TokenBucket(2, clock);
    const sampler = createRuleSampler({ ratio: 0.5, parentBased: true, rate, tail: undefined });
    const isKept = (from: Parameters<typeof sampler>[0], traceId: string) => sampler(from, traceId, REQUEST).sampled;
    expect(isKept(undefined, LOW)).toBe(false);
    expect(isKept(undefined, HIGH)).toBe(true);
    expect(isKept(parent(TraceFlags.SAMPLED), HIGH)).toBe(true);
    expect(isKept(undefined, HIGH)).toBe(false);
    expect(isKept(remote(TraceFlags.SAMPLED), LOW)).toBe(true);
    clock.advance(500);
    expect(isKept(undefined, HIGH)).toBe(false);
    clock.advance(500);
    expect(isKept(undefined, HIGH)).toBe(true);
  });
});
