import { createTraceState, isSpanContextValid, TraceFlags } from '@opentelemetry/api';
import { describe, expect, it } from 'vitest';
import { holdContext, plainContext, SpanIdentity } from '../../src/processing/span-identity.ts';
import { PooledIdGenerator } from '../../src/utils/ids.ts';

const REMOTE = {
  traceId: 'f0e1d2c3b4a5968778695a4b3c2d1e0f',
  spanId: '8899aabbccddeeff',
  traceFlags: 1,
  isRemote: true,
};

class Words extends PooledIdGenerator {
  readonly #given: number[];

  constructor(...given: number[]) {
    super();
    this.#given = given;
  }

  override word(): number {
    return this.#given.shift() ?? super.word();
  }
}

describe('the identity of a span', () => {
  it('is a valid context, in the trace of its parent', () => {
    const ids = new PooledIdGenerator();
    for (let run = 0; run < 1_000; run += 1) {
      const root = SpanIdentity.create(ids, undefined);
      const child = SpanIdentity.create(ids, root);
      root.traceFlags = TraceFlags.SAMPLED;
      expect(isSpanContextValid(root.plain)).toBe(true);
      expect(child.traceId).toBe(root.traceId);
      expect(child.spanId).not.toBe(root.spanId);
    }
  });

  it('shows its words as hex, the highest bits first', () => {
    const identity = SpanIdentity.create(new Words(1, -1, 0, 0x1234_5678, 0, 0xab), undefined);
    expect(identity.plain).toEqual({
      traceId: '00000001ffffffff0000000012345678',
      spanId: '00000000000000ab',
      traceFlags: 0,
    });
    expect(Object.keys({ ...identity.plain })).toEqual(['traceId', 'spanId', 'traceFlags']);
  });

  it('is never all zeros, which would be invalid', () => {
    const identity = SpanIdentity.create(new Words(0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 9), undefined);
    expect(identity.traceId).toBe(`${'0'.repeat(31)}7`);
    expect(identity.spanId).toBe(`${'0'.repeat(15)}9`);
  });

  it('has the words of a context from elsewhere, which stays the one to give away', () => {
    const held = holdContext(REMOTE) as SpanIdentity;
    expect(held).toBeInstanceOf(SpanIdentity);
    expect(plainContext(held)).toBe(REMOTE);
    expect(held.isRemote).toBe(true);
    const child = SpanIdentity.create(new PooledIdGenerator(), held);
    expect(child.plain.traceId).toBe(REMOTE.traceId);
    expect(child.isRemote).toBeUndefined();
  });

  it.each([
    { ...REMOTE, traceId: 'none' },
    { ...REMOTE, spanId: 'Z'.repeat(16) },
    { ...REMOTE, spanId: '0'.repeat(16) },
  ])('is not made of ids that cannot be sent: %j', (context) => {
    expect(holdContext(context)).toBe(context);
    expect(plainContext(context)).toBe(context);
  });

  it('follows what the host changes in the context that it was given, but for the ids', () => {
    const identity = SpanIdentity.create(new PooledIdGenerator(), undefined);
    identity.traceFlags = TraceFlags.SAMPLED;
    identity.traceState = createTraceState('a=1');
    expect(identity.plain).toBe(identity.plain);
    expect(identity.plain.traceState?.serialize()).toBe('a=1');
    identity.plain.traceFlags = TraceFlags.NONE;
    delete identity.plain.traceState;
    expect(identity.traceFlags).toBe(TraceFlags.NONE);
    expect(identity.traceState).toBeUndefined();
    const { traceId, spanId } = identity;
    Object.assign(identity.plain, { traceId: REMOTE.traceId, spanId: REMOTE.spanId });
    expect([identity.traceId, identity.spanId]).toEqual([traceId, spanId]);
  });
});
