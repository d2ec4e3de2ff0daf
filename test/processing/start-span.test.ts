import {
  type Attributes,
  type Context,
  createTraceState,
  type Link,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  type SpanOptions,
  trace,
} from '@opentelemetry/api';
import { suppressTracing } from '@opentelemetry/core';
import { resourceFromAttributes } from '@opentelemetry/resources';
import type { Sampler, SpanProcessor } from '@opentelemetry/sdk-trace';
import { AlwaysOffSampler, AlwaysOnSampler, ParentBasedSampler, SamplingDecision } from '@opentelemetry/sdk-trace';
import { describe, expect, it } from 'vitest';
import { createHostSampler, createRatioSampler } from '../../src/processing/sampling.ts';
import { enterScope, enterSpan, type ScopeOwner, scopeOf } from '../../src/processing/scope.ts';
import type { RecordingSpan } from '../../src/processing/span.ts';
import { SpanHooks } from '../../src/processing/span-hooks.ts';
import { activeSpanIn, type SpanStarter, startSpan } from '../../src/processing/start-span.ts';
import { Guard } from '../../src/utils/guard.ts';
import { PooledIdGenerator } from '../../src/utils/ids.ts';
import { FakeClock } from '../support/fake-clock.ts';

const SCOPE = { index: 0, name: 'test' };
const REMOTE: SpanContext = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1, isRemote: true };

interface StarterOptions {
  readonly boundary?: 'isolate' | 'link';
  readonly sampler?: Sampler | 'drop';
  readonly processor?: SpanProcessor;
  readonly ids?: { generateTraceId(): unknown; generateSpanId(): unknown };
}

/** What a tenant's tracer is to `startSpan`, and its public face. */
class Starter implements SpanStarter {
  readonly owner: ScopeOwner;
  readonly clock = new FakeClock();
  readonly guard = new Guard({ clock: this.clock, level: 'balanced' });
  readonly spanLimits = {
    attributeCountLimit: 128,
    attributeValueLengthLimit: 8_192,
    eventCountLimit: 128,
    linkCountLimit: 128,
    attributePerEventCountLimit: 128,
    attributePerLinkCountLimit: 128,
  };
  readonly sampler;
  readonly hooks;
  readonly ids = new PooledIdGenerator();
  readonly rootSessions = undefined;
  readonly hostIds;
  started = 0;
  unsampled = 0;

  constructor(tenantId: string, { boundary = 'isolate', sampler, processor, ids }: StarterOptions = {}) {
    this.owner = { tenantId, boundary };
    this.sampler =
      sampler === 'drop'
        ? createRatioSampler(0)
        : sampler === undefined
          ? createRatioSampler(1)
          : createHostSampler(sampler, this.guard.hook('sampler', 'shouldSample'));
    this.hooks = new SpanHooks(processor === undefined ? [] : [processor], this.guard);
    this.hostIds = ids && { generator: ids as PooledIdGenerator, hook: this.guard.hook('idGenerator', 'idGenerator') };
  }

  start(context: Context, options?: SpanOptions, isExplicit = false): Span & Partial<RecordingSpan> {
    return startSpan(this, SCOPE, 'work', options, context, isExplicit) as Span & Partial<RecordingSpan>;
  }

  /** The context in which a span of this tenant is active. */
  enter(context: Context, span: Span = this.start(context)): Context {
    return enterSpan(context, this.owner, span);
  }

  resource() {
    return resourceFromAttributes({});
  }

  spanStarted(): void {
    this.started += 1;
  }

  spanUnsampled(): void {
    this.unsampled += 1;
  }

  spanEnding(): void {}

  spanEnded(): void {}
}

function parentOf(span: Span & Partial<RecordingSpan>): string | undefined {
  return span.parentSpanContext?.spanId;
}

function idOf(span: Span): string {
  return span.spanContext().spanId;
}

function withRemote(context: Context, extra: Partial<SpanContext> = {}): Context {
  return trace.setSpanContext(context, { ...REMOTE, ...extra });
}

describe('the parent of a span', () => {
  it('is the innermost span of its own tenant', () => {
    const a = new Starter('a');
    const outer = a.start(ROOT_CONTEXT);
    const inner = a.start(a.enter(ROOT_CONTEXT, outer));

    expect(parentOf(outer)).toBeUndefined();
    expect(parentOf(inner)).toBe(idOf(outer));
    expect(inner.spanContext().traceId).toBe(outer.spanContext().traceId);
  });

  it('is never a span of another tenant', () => {
    const [a, b] = [new Starter('a'), new Starter('b')];
    const outer = a.start(ROOT_CONTEXT);
    const inner = b.start(a.enter(ROOT_CONTEXT, outer));

    expect(parentOf(inner)).toBeUndefined();
    expect(inner.spanContext().traceId).not.toBe(outer.spanContext().traceId);
    expect(inner.linkList).toEqual([]);
  });

  it('is the own span further out when another tenant lies between', () => {
    const [a, b, c] = [new Starter('a'), new Starter('b'), new Starter('c')];
    const outer = a.start(ROOT_CONTEXT);
    const inner = a.start(c.enter(b.enter(a.enter(ROOT_CONTEXT, outer))));

    expect(parentOf(inner)).toBe(idOf(outer));
  });

  it('is not sought when the span is to be a root', () => {
    const a = new Starter('a');
    const root = a.start(a.enter(ROOT_CONTEXT), { root: true });

    expect(parentOf(root)).toBeUndefined();
  });

  it('is a remote span that was set inside the scope of the tenant', () => {
    const a = new Starter('a');
    const span = a.start(withRemote(enterScope(ROOT_CONTEXT, a.owner)));

    expect(span.spanContext().traceId).toBe(REMOTE.traceId);
    expect(span.parentSpanContext).toMatchObject(REMOTE);
  });

  it('is, outside of every scope, a remote span only of a context that was passed', () => {
    const a = new Starter('a');

    expect(parentOf(a.start(withRemote(ROOT_CONTEXT), {}, true))).toBe(REMOTE.spanId);
    expect(parentOf(a.start(withRemote(ROOT_CONTEXT), {}, false))).toBeUndefined();
  });

  it('is not a remote span that another tenant continues', () => {
    const [a, b] = [new Starter('a'), new Starter('b')];
    const context = withRemote(enterScope(ROOT_CONTEXT, a.owner));

    expect(parentOf(b.start(context, {}, true))).toBeUndefined();
  });

  it('is not the span of another SDK, in whatever context', () => {
    const a = new Starter('a');
    const foreign = trace.setSpanContext(ROOT_CONTEXT, { ...REMOTE, isRemote: false });
    const inScope = trace.setSpanContext(enterScope(ROOT_CONTEXT, a.owner), { ...REMOTE, isRemote: false });

    expect(parentOf(a.start(foreign, {}, true))).toBeUndefined();
    expect(parentOf(a.start(inScope, {}, true))).toBeUndefined();
  });

  it('is an own span that the host made active without any scope, also from inside another tenant', () => {
    const [a, b] = [new Starter('a'), new Starter('b')];
    const outer = a.start(ROOT_CONTEXT);
    const host = trace.setSpan(ROOT_CONTEXT, outer);

    expect(parentOf(a.start(host))).toBe(idOf(outer));
    expect(parentOf(b.start(host, {}, true))).toBeUndefined();
    expect(parentOf(a.start(b.enter(host)))).toBe(idOf(outer));
  });

  it('is an own span that was made active inside the scope of another tenant', () => {
    const [a, b] = [new Starter('a'), new Starter('b')];
    const outer = b.start(ROOT_CONTEXT);
    const context = trace.setSpan(a.enter(ROOT_CONTEXT), outer);

    expect(parentOf(b.start(context))).toBe(idOf(outer));
  });
});

describe('the sampling decision', () => {
  it('is taken over from the own parent', () => {
    const a = new Starter('a');
    const unsampled = a.start(withRemote(enterScope(ROOT_CONTEXT, a.owner), { traceFlags: 0 }));
    const child = a.start(a.enter(ROOT_CONTEXT, unsampled));

    expect(unsampled.isRecording()).toBe(false);
    expect(child.isRecording()).toBe(false);
    expect(child.spanContext()).toMatchObject({ traceId: REMOTE.traceId, traceFlags: 0 });
    expect([a.started, a.unsampled]).toEqual([0, 2]);
  });

  it('of another tenant is not taken over', () => {
    const [a, b] = [new Starter('a', { sampler: 'drop' }), new Starter('b')];
    const context = a.enter(ROOT_CONTEXT);

    expect(trace.getSpan(context)?.isRecording()).toBe(false);
    expect(b.start(context).isRecording()).toBe(true);
  });

  const parentBased = new ParentBasedSampler({ root: new AlwaysOnSampler() });
  const unsampled: Record<string, (a: Starter, b: Starter) => Context> = {
    'the active span of another tenant': (a) => a.enter(ROOT_CONTEXT),
    'the span of another tenant without a scope': (a) => trace.setSpan(ROOT_CONTEXT, a.start(ROOT_CONTEXT)),
    'the span of another SDK': () => trace.setSpanContext(ROOT_CONTEXT, { ...REMOTE, traceFlags: 0, isRemote: false }),
    'the span of another SDK inside the own scope': (_, b) =>
      trace.setSpanContext(enterScope(ROOT_CONTEXT, b.owner), { ...REMOTE, traceFlags: 0, isRemote: false }),
    'a remote span outside of every scope': () => withRemote(ROOT_CONTEXT, { traceFlags: 0 }),
  };

  it.each(Object.keys(unsampled))("of %s does not reach a sampler of the host's", (kind) => {
    const a = new Starter('a', { sampler: 'drop' });
    const b = new Starter('b', { sampler: parentBased });

    expect(b.start(unsampled[kind]?.(a, b) ?? ROOT_CONTEXT).isRecording()).toBe(true);
  });

  it("of a remote parent reaches a sampler of the host's", () => {
    const a = new Starter('a', { sampler: parentBased });

    expect(a.start(withRemote(ROOT_CONTEXT, { traceFlags: 0 }), {}, true).isRecording()).toBe(false);
  });

  it("reaches a sampler of the host's without a parent for a span that is to be a root", () => {
    const a = new Starter('a', { sampler: parentBased });
    const unsampledRemote = withRemote(enterScope(ROOT_CONTEXT, a.owner), { traceFlags: 0 });

    expect(a.start(unsampledRemote).isRecording()).toBe(false);
    expect(a.start(unsampledRemote, { root: true }).isRecording()).toBe(true);
  });

  it("is the host sampler's, with its attributes and its trace state", () => {
    const traceState = createTraceState('s=1');
    const attributes: Attributes = { 'sampled.by': 'test' };
    const sampler = { shouldSample: () => ({ decision: SamplingDecision.RECORD, attributes, traceState }) };
    const span = new Starter('a', { sampler }).start(ROOT_CONTEXT, { attributes: { given: 1 } });

    expect(span.isRecording()).toBe(true);
    expect(span.attributes).toEqual({ given: 1, 'sampled.by': 'test' });
    expect(span.spanContext().traceFlags & 1).toBe(0);
    expect(span.spanContext().traceState?.serialize()).toBe('s=1');
    expect(new Starter('b', { sampler: new AlwaysOffSampler() }).start(ROOT_CONTEXT).isRecording()).toBe(false);
  });
});

describe('suppression', () => {
  it('by the tenant itself holds for its own spans, also when it comes back through another tenant', () => {
    const [a, b] = [new Starter('a'), new Starter('b')];
    const context = suppressTracing(a.enter(ROOT_CONTEXT));

    expect(a.start(context).isRecording()).toBe(false);
    expect(a.start(b.enter(context)).isRecording()).toBe(false);
    expect(a.started).toBe(1);
  });

  it('by one tenant does not hold for another', () => {
    const [a, b] = [new Starter('a'), new Starter('b')];
    const context = suppressTracing(a.enter(ROOT_CONTEXT));

    expect(b.start(context).isRecording()).toBe(true);
    expect(b.start(b.enter(context)).isRecording()).toBe(true);
  });

  it('by the host around all tenants holds for all of them', () => {
    const [a, b] = [new Starter('a'), new Starter('b')];
    const context = enterScope(suppressTracing(ROOT_CONTEXT), a.owner);

    expect(a.start(suppressTracing(ROOT_CONTEXT)).isRecording()).toBe(false);
    expect(a.start(context).isRecording()).toBe(false);
    expect(b.start(context).isRecording()).toBe(false);
  });
});

describe('the trace state', () => {
  it('comes from the own parent and from nobody else', () => {
    const [a, b] = [new Starter('a'), new Starter('b')];
    const traceState = createTraceState('vendor=of-a');
    const outer = a.start(withRemote(enterScope(ROOT_CONTEXT, a.owner), { traceState }));
    const context = a.enter(ROOT_CONTEXT, outer);

    expect(a.start(context).spanContext().traceState?.serialize()).toBe('vendor=of-a');
    expect(b.start(context).spanContext().traceState).toBeUndefined();
    expect(a.start(context, { root: true }).spanContext().traceState).toBeUndefined();
  });
});

describe('the link across a boundary', () => {
  function linksFrom(outer: 'isolate' | 'link', inner: 'isolate' | 'link', options?: SpanOptions): string[] {
    const [a, b] = [new Starter('a', { boundary: outer }), new Starter('b', { boundary: inner })];
    const around = a.start(ROOT_CONTEXT);
    const span = b.start(a.enter(ROOT_CONTEXT, around), options);
    return (span.linkList ?? []).map(({ context }) => (context.spanId === idOf(around) ? 'around' : context.spanId));
  }

  it('is made only where both tenants allow it', () => {
    expect(linksFrom('link', 'link')).toEqual(['around']);
    expect(linksFrom('isolate', 'link')).toEqual([]);
    expect(linksFrom('link', 'isolate')).toEqual([]);
    expect(linksFrom('isolate', 'isolate')).toEqual([]);
  });

  it('comes after the links that the caller gave', () => {
    const given: Link = { context: { traceId: 'c'.repeat(32), spanId: 'd'.repeat(16), traceFlags: 1 } };

    expect(linksFrom('link', 'link', { links: [given] })).toEqual(['d'.repeat(16), 'around']);
    expect(linksFrom('link', 'link', { links: 5 as never })).toEqual(['around']);
  });

  it('is for roots only: a span with a parent in its own tenant has none', () => {
    const [a, b] = [new Starter('a', { boundary: 'link' }), new Starter('b', { boundary: 'link' })];
    const inB = b.enter(a.enter(ROOT_CONTEXT));

    expect(b.start(inB).linkList).toEqual([]);
    expect(a.start(inB).linkList).toEqual([]);
    expect(b.start(inB, { root: true }).linkList).toHaveLength(1);
  });

  it('is made from the scope of a tenant that was entered without a span', () => {
    const [a, b] = [new Starter('a', { boundary: 'link' }), new Starter('b', { boundary: 'link' })];
    const around = a.start(ROOT_CONTEXT);
    const span = b.start(enterScope(a.enter(ROOT_CONTEXT, around), b.owner));

    expect(span.linkList?.[0]?.context.spanId).toBe(idOf(around));
  });

  it('is not the one that waits for the next root of the scope, which stays in its tenant', () => {
    const [a, b] = [new Starter('a', { boundary: 'link' }), new Starter('b', { boundary: 'link' })];
    const waiting = enterScope(ROOT_CONTEXT, a.owner, { links: [{ context: REMOTE }] });

    expect(a.start(waiting).linkList?.map(({ context }) => context.spanId)).toEqual([REMOTE.spanId]);
    expect(b.start(waiting).linkList).toEqual([]);
    expect(a.start(a.enter(waiting)).linkList).toEqual([]);
  });
});

describe('ids', () => {
  it('are random, and say so in the flags of a new trace', () => {
    const a = new Starter('a');
    const [first, second] = [a.start(ROOT_CONTEXT), a.start(ROOT_CONTEXT)];

    expect(first.spanContext().traceFlags).toBe(0x03);
    expect(new Set([first, second].map((span) => span.spanContext().traceId)).size).toBe(2);
  });

  it('keep the random flag of the parent, set or not', () => {
    const a = new Starter('a');
    const flagsAfter = (traceFlags: number): number =>
      a.start(withRemote(ROOT_CONTEXT, { traceFlags }), {}, true).spanContext().traceFlags;

    expect([0x00, 0x01, 0x02, 0x03, 0xff].map(flagsAfter)).toEqual([0x00, 0x01, 0x02, 0x03, 0x03]);
  });

  it("of the host's generator are used without the random flag, unless they are no ids", () => {
    const traceId = '1'.repeat(32);
    const spanId = '2'.repeat(16);
    const good = new Starter('a', { ids: { generateTraceId: () => traceId, generateSpanId: () => spanId } });
    const bad = new Starter('a', { ids: { generateTraceId: () => 'no id', generateSpanId: () => 7 } });

    expect(good.start(ROOT_CONTEXT).spanContext()).toEqual({ traceId, spanId, traceFlags: 1 });
    expect(bad.start(ROOT_CONTEXT).spanContext()).toMatchObject({
      traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
      spanId: expect.stringMatching(/^[0-9a-f]{16}$/),
    });
  });
});

describe('what a started span shows', () => {
  it('is its kind, its attributes and the session of its own tenant', () => {
    const [a, b] = [new Starter('a'), new Starter('b')];
    const inA = enterScope(ROOT_CONTEXT, a.owner, { session: { id: 'session of a' } });
    const span = a.start(b.enter(inA), { kind: SpanKind.CLIENT, attributes: { n: 1 } });

    expect(span.kind).toBe(SpanKind.CLIENT);
    expect(span.attributes).toEqual({ n: 1, 'session.id': 'session of a' });
    expect(b.start(inA).attributes).toEqual({});
  });

  it('to a processor is a context of its own tenant with its parent, and nothing else', () => {
    const seen: Context[] = [];
    const processor: SpanProcessor = {
      onStart: (_span, context) => void seen.push(context),
      onEnd: () => undefined,
      forceFlush: () => Promise.resolve(),
      shutdown: () => Promise.resolve(),
    };
    const [a, b] = [new Starter('a'), new Starter('b', { processor })];
    const outer = b.start(ROOT_CONTEXT);
    const inA = a.enter(b.enter(ROOT_CONTEXT, outer));
    const foreign = trace.setSpanContext(b.enter(ROOT_CONTEXT, outer), { ...REMOTE, isRemote: false });
    for (const context of [inA, foreign]) b.start(context);
    b.start(inA, { root: true });

    const parents = seen.map((context) => trace.getSpan(context));
    expect(parents.map((span) => span && idOf(span))).toEqual([undefined, idOf(outer), idOf(outer), undefined]);
    expect(seen.slice(1).map((context) => scopeOf(context)?.owner.tenantId)).toEqual(['b', 'b', 'b']);
  });
});

describe('the active span of a tenant', () => {
  it('is its own innermost one, whoever is around it', () => {
    const [a, b] = [new Starter('a'), new Starter('b')];
    const outer = a.start(ROOT_CONTEXT);
    const inA = a.enter(ROOT_CONTEXT, outer);
    const foreign = trace.wrapSpanContext({ ...REMOTE, isRemote: false });

    expect(activeSpanIn(inA, a)).toBe(outer);
    expect(activeSpanIn(b.enter(inA), a)).toBe(outer);
    expect(activeSpanIn(trace.setSpan(inA, foreign), a)).toBe(outer);
    expect(activeSpanIn(trace.setSpan(ROOT_CONTEXT, outer), a)).toBe(outer);
  });

  it('is never a remote one or one of another tenant', () => {
    const [a, b] = [new Starter('a'), new Starter('b')];

    expect(activeSpanIn(b.enter(ROOT_CONTEXT), a)).toBeUndefined();
    expect(activeSpanIn(withRemote(enterScope(ROOT_CONTEXT, a.owner)), a)).toBeUndefined();
    expect(activeSpanIn(trace.setSpan(ROOT_CONTEXT, b.start(ROOT_CONTEXT)), a)).toBeUndefined();
    expect(activeSpanIn(ROOT_CONTEXT, a)).toBeUndefined();
  });
});
