import { context, type Tracer as OtelTracer, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { InMemorySpanExporter, type ReadableSpan } from '@opentelemetry/sdk-trace';
import { afterEach, describe, expect, expectTypeOf, it } from 'vitest';
import {
  createTracer,
  type DisposableSpan,
  type Mixed,
  type MixinBase,
  type Operations,
  Tracer,
  type TracerBase,
  TracerRegistry,
} from '../../src/index.ts';

const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

function traced(): { tracer: Tracer; spans: () => Promise<ReadableSpan[]> } {
  const exporter = new InMemorySpanExporter();
  const tracer = createTracer({ exporter, logger: SILENT });
  cleanups.push(() => tracer.shutdown());
  const spans = async (): Promise<ReadableSpan[]> => {
    await tracer.flush();
    return exporter.getFinishedSpans();
  };
  return { tracer, spans };
}

describe('startSpan', () => {
  it('makes a span that the caller ends, or that ends with its block', async () => {
    const { tracer, spans } = traced();
    tracer.startSpan('manual', { kind: SpanKind.CLIENT }).end();
    {
      using span = tracer.startSpan('disposed');
      expectTypeOf(span).toEqualTypeOf<DisposableSpan>();
      span.setAttribute('a', 1);
    }
    expect(() => {
      using span = tracer.startSpan('disposed by an error');
      span.setAttribute('a', 2);
      throw new Error('left early');
    }).toThrow('left early');
    expect((await spans()).map(({ name, attributes }) => [name, attributes])).toEqual([
      ['manual', {}],
      ['disposed', { a: 1 }],
      ['disposed by an error', { a: 2 }],
    ]);
    expect(tracer.stats()).toMatchObject({ started: 3, open: 0 });
  });

  it('keeps of hostile options what can be read', async () => {
    const { tracer, spans } = traced();
    const options = {
      kind: SpanKind.SERVER,
      attributes: { kept: true },
      get root(): boolean {
        throw new Error('unreadable');
      },
      links: 5,
    };
    tracer.startSpan('kept', options as never).end();
    expect(await spans()).toMatchObject([{ name: 'kept', kind: SpanKind.SERVER, attributes: { kept: true } }]);
    expect(tracer.health().errors).toEqual({ api: 1 });
  });

  it.each([null, 5, {}, { getValue: 1 }])('takes the active context for %j, which is none', async (given) => {
    const { tracer, spans } = traced();
    tracer.withSpan('outer', () => tracer.startSpan('inner', {}, given as never).end());
    const [inner, outer] = await spans();
    expect(inner?.parentSpanContext?.spanId).toBe(outer?.spanContext().spanId);
  });
});

describe('startActiveSpan', () => {
  it('has the three forms of OpenTelemetry, and the function ends the span', async () => {
    const { tracer, spans } = traced();
    const remote = trace.setSpanContext(context.active(), {
      traceId: 'a'.repeat(32),
      spanId: 'b'.repeat(16),
      traceFlags: 1,
      isRemote: true,
    });
    const finish = (span: Span): string => {
      expect(trace.getActiveSpan()).toBe(span);
      span.end();
      return 'result';
    };
    expect(tracer.startActiveSpan('one', finish)).toBe('result');
    expect(tracer.startActiveSpan('two', { kind: SpanKind.CLIENT }, finish)).toBe('result');
    expect(tracer.startActiveSpan('three', {}, remote, finish)).toBe('result');
    const [one, two, three] = await spans();
    expect(one).toMatchObject({ name: 'one', kind: SpanKind.INTERNAL });
    expect(two).toMatchObject({ name: 'two', kind: SpanKind.CLIENT });
    expect(three?.spanContext().traceId).toBe('a'.repeat(32));
  });

  it('makes no span, and leaves none open, without a function', () => {
    const { tracer } = traced();
    const loose = tracer.startActiveSpan.bind(tracer) as (...args: unknown[]) => unknown;
    expect(loose('none')).toBeUndefined();
    expect(loose('none', undefined)).toBeUndefined();
    expect(loose('none', {}, undefined)).toBeUndefined();
    expect(loose('none', {}, context.active(), 5)).toBeUndefined();
    expect(tracer.stats()).toMatchObject({ started: 0, open: 0 });
  });

  it('keeps the context of the code inside usable whatever context it was given', () => {
    const { tracer } = traced();
    const inside = tracer.startActiveSpan('work', {}, {} as never, (span) => {
      const active = tracer.activeSpan();
      const nested = tracer.withSpan('nested', () => 'ran');
      span.end();
      return [active === span, nested];
    });
    expect(inside).toEqual([true, 'ran']);
  });
});

describe('the active span', () => {
  it('is the tenant’s own, and can be filled from anywhere inside', async () => {
    const { tracer, spans } = traced();
    const other = createTracer({ logger: SILENT });
    cleanups.push(() => other.shutdown());
    const target = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 };
    tracer.withSpan('work', (span) => {
      expect(other.withSpan('foreign', () => tracer.activeSpan())).toBe(span);
      expect(other.activeSpan()).toBeUndefined();
      expect(tracer.addEvent('noted', { a: 1 }, [5, 6])).toBe(true);
      expect(tracer.recordException(new Error('seen'))).toBe(true);
      expect(tracer.linkSpan(target, { why: 'cause' })).toBe(true);
      expect(tracer.linkSpan(span)).toBe(true);
      expect(other.addEvent('not mine')).toBe(false);
    });
    const [work] = await spans();
    expect(work?.events).toMatchObject([
      { name: 'noted', attributes: { a: 1 }, time: [5, 6] },
      { name: 'exception', attributes: { 'exception.message': 'seen' } },
    ]);
    expect(work?.status.code).toBe(SpanStatusCode.UNSET);
    expect(work?.links).toMatchObject([
      { context: target, attributes: { why: 'cause' } },
      { context: work?.spanContext() },
    ]);
  });

  it('is absent outside, and after its end takes nothing', () => {
    const { tracer } = traced();
    expect(tracer.activeSpan()).toBeUndefined();
    expect([tracer.addEvent('x'), tracer.recordException(new Error('x')), tracer.linkSpan({} as never)]).toEqual([
      false,
      false,
      false,
    ]);
    tracer.startActiveSpan('ended', (span) => {
      span.end();
      expect(tracer.addEvent('late')).toBe(false);
    });
  });

  it('answers whether a link could be taken from what was given', () => {
    const { tracer } = traced();
    tracer.withSpan('work', () => expect(tracer.linkSpan(null as never)).toBe(false));
    expect(tracer.health().errors).toEqual({ api: 1 });
  });
});

const refuse = (): never => {
  throw new Error('must not come out');
};
const { proxy: revoked, revoke } = Proxy.revocable({}, {});
revoke();
const { proxy: revokedFunction, revoke: revokeFunction } = Proxy.revocable(() => undefined, {});
revokeFunction();
const hostileFunction = Object.assign(() => undefined, { toString: refuse });
const frozen = Object.freeze(new Error('frozen'));
const unreadable = Object.defineProperty(new Error('x'), 'message', { get: refuse });
const circular: Record<string, unknown> = {};
circular['cause'] = circular;

const ODD_VALUES: [string, unknown][] = [
  ['undefined', undefined],
  ['null', null],
  ['NaN', Number.NaN],
  ['minus zero', -0],
  ['false', false],
  ['an empty text', ''],
  ['a text', 'failed'],
  ['a bigint', 10n],
  ['a symbol', Symbol('failed')],
  ['an error', new RangeError('failed')],
  ['a frozen error', frozen],
  ['an error that cannot be read', unreadable],
  ['a subclass with a cause', new AggregateError([frozen], 'several', { cause: circular })],
  ['an empty object', {}],
  ['a circle', circular],
  ['an object without a prototype', Object.create(null)],
  ['a revoked proxy', revoked],
  ['a revoked function', revokedFunction],
  ['a function that cannot be printed', hostileFunction],
  ['a class', class Failure {}],
  ['an array', [1, 2]],
];

/** What comes out, told apart from nothing coming out. */
function outcomeOf(run: () => unknown): { readonly thrown: unknown } {
  try {
    run();
  } catch (error) {
    return { thrown: error };
  }
  return expect.unreachable('nothing was thrown');
}

describe.each(ODD_VALUES)('a function that throws %s', (_, value) => {
  const fail = (): never => {
    throw value;
  };
  const reject = async (): Promise<never> => fail();

  it('lets the very same value out of every operation, and ends its span once as failed', async () => {
    const { tracer, spans } = traced();
    const runs: (() => unknown)[] = [
      () => tracer.withSpan('withSpan', fail),
      () => tracer.withSpan('withSpan', {}, fail),
      () => tracer.trace(fail)(),
      () => tracer.trace({ name: 'callback', callback: true }, fail as () => never)(),
    ];
    for (const run of runs) expect(Object.is(outcomeOf(run).thrown, value)).toBe(true);
    const rejections: (() => Promise<unknown>)[] = [
      () => tracer.withSpan('withSpan', reject),
      () => tracer.trace('trace', reject)(),
    ];
    for (const run of rejections) {
      const settled = await run().then(refuse, (error: unknown) => ({ rejected: error }));
      expect(Object.is(settled.rejected, value)).toBe(true);
    }
    const ended = await spans();
    expect(ended).toHaveLength(6);
    for (const { status } of ended) expect(status.code).toBe(SpanStatusCode.ERROR);
    expect(tracer.stats()).toMatchObject({ started: 6, open: 0 });
  });

  it('lets the very same value out of what only carries a scope', () => {
    const { tracer } = traced();
    const registry = new TracerRegistry({ logger: SILENT, platform: false });
    cleanups.push(() => registry.shutdown());
    const runs: (() => unknown)[] = [
      () => tracer.startActiveSpan('active', fail),
      () => tracer.run(fail),
      () => tracer.withBaggage({ a: 'b' }, fail),
      () => tracer.withSession('s', fail),
      () => tracer.continueFrom({}, fail),
      () => tracer.bind(fail)(),
      () => registry.run('acme', fail),
      () => registry.withSpan('outside', fail),
      () => registry.run('acme', () => registry.withSpan('inside', fail)),
      () => registry.trace(fail)(),
      () => registry.run('\0', () => registry.trace(fail)()),
    ];
    for (const run of runs) expect(Object.is(outcomeOf(run).thrown, value)).toBe(true);
  });
});

interface AgentOperations {
  /** Runs one step of an agent. */
  step<T>(name: string, fn: () => T): T;
  startTool(name: string): DisposableSpan;
}

function WithAgents<Base extends MixinBase<TracerBase & Operations>>(base: Base): Base & Mixed<AgentOperations> {
  abstract class WithAgentsMixin extends base implements AgentOperations {
    step<T>(name: string, fn: () => T): T {
      return this.withSpan(`agent.${name}`, { attributes: { agent: this.tenantId } }, fn);
    }

    startTool(name: string): DisposableSpan {
      return this.startSpan(`tool.${name}`);
    }
  }
  return WithAgentsMixin as never;
}

describe('a tracer class of the user', () => {
  it('is what the registry makes, with the tenant’s own operations', async () => {
    const exporter = new InMemorySpanExporter();
    class AgentTracer extends WithAgents(Tracer) {}
    const registry = new TracerRegistry({ tracer: AgentTracer, exporter, logger: SILENT, platform: false });
    cleanups.push(() => registry.shutdown());
    const tracer = registry.get('acme');
    expect(tracer).toBeInstanceOf(AgentTracer);
    expect(tracer.step('plan', () => tracer.startTool('search').end())).toBeUndefined();
    expect(registry.run('globex', () => registry.current()?.step('act', () => 42))).toBe(42);
    await registry.flush();
    const sent = new Map(exporter.getFinishedSpans().map(({ name, attributes }) => [name, attributes['agent']]));
    expect(Object.fromEntries(sent)).toEqual({
      'tool.search': undefined,
      'agent.plan': 'acme',
      'agent.act': 'globex',
    });
    expectTypeOf(registry).toEqualTypeOf<TracerRegistry<AgentTracer>>();
    expectTypeOf(tracer.step('typed', () => 1)).toEqualTypeOf<number>();
    expectTypeOf(registry.peek('acme')).toEqualTypeOf<AgentTracer | undefined>();
    expectTypeOf(registry.platform).toEqualTypeOf<AgentTracer>();
  });

  it('gives way to the plain one when it cannot be constructed', () => {
    class Broken extends Tracer {
      readonly field = refuse();
    }
    const registry = new TracerRegistry({ tracer: Broken, logger: SILENT, platform: false });
    cleanups.push(() => registry.shutdown());
    expect(registry.get('acme').withSpan('work', () => 'done')).toBe('done');
    expect(registry.health().errors.api).toBeGreaterThan(0);
  });

  it('is refused by the compiler when it is none, or lacks what its mixin needs', () => {
    class NoTracer {
      readonly tenantId = 'x';
    }
    // @ts-expect-error a class of something else makes no tracers
    const build = (): unknown => new TracerRegistry({ tracer: NoTracer, logger: SILENT });
    // @ts-expect-error the mixin needs the operations
    const mix = (): unknown => WithAgents(NoTracer);
    expect([build, mix]).toHaveLength(2);
  });
});

describe('the types of the operations', () => {
  it('are those of an OpenTelemetry tracer, and keep results', () => {
    const { tracer } = traced();
    expectTypeOf(tracer).toExtend<OtelTracer>();
    expectTypeOf(tracer.withSpan('a', () => 1)).toEqualTypeOf<number>();
    expectTypeOf(tracer.withSpan('a', undefined, async () => 'x')).toEqualTypeOf<Promise<string>>();
    expectTypeOf(tracer.startActiveSpan('a', (span) => span.isRecording())).toEqualTypeOf<boolean>();
    expectTypeOf(tracer.activeSpan()).toEqualTypeOf<Span | undefined>();
    // @ts-expect-error the function comes last
    tracer.withSpan('a', () => 1, {});
    // @ts-expect-error a name is a text
    tracer.startSpan(5);
    // @ts-expect-error the runtime is for mixins only
    expect(tracer.runtime).toBeDefined();
  });
});
