import {
  context as contextApi,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import { suppressTracing, W3CTraceContextPropagator } from '@opentelemetry/core';
import {
  InMemorySpanExporter,
  type ReadableSpan,
  type Sampler,
  SimpleSpanProcessor,
  type SpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { SpanProcessor as BaseSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { createSpanProcessor, type TracerOptions } from '../../src/index.ts';
import { names } from '../core/registry-kit.ts';
import { byName, inbound, library, startWorld, work } from '../routing/routing-kit.ts';

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const SPAN_ID = 'b7ad6b7169203331';
const HEADERS = { traceparent: `00-${TRACE_ID}-${SPAN_ID}-01`, tracestate: 'vendor=1' };

/** A process whose host has an SDK of its own, which owns the globals, and a registry that joins it. */
async function startHost<Id extends string>(
  ids: readonly Id[],
  { tenant, sampler }: { readonly tenant?: (id: Id) => TracerOptions; readonly sampler?: Sampler } = {},
) {
  const world = await startWorld(ids, { install: false, ...(tenant !== undefined && { tenant }) });
  const exporter = new InMemorySpanExporter();
  const processor = createSpanProcessor(world.registry);
  const provider = new TracerProvider({
    spanProcessors: [new SimpleSpanProcessor({ exporter }), processor],
    ...(sampler !== undefined && { sampler }),
  });
  trace.setGlobalTracerProvider(provider);
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  const installed = world.registry.install();
  const hosts = (name: string): ReadableSpan =>
    exporter.getFinishedSpans().find((span) => span.name === name) as ReadableSpan;
  return { ...world, exporter, hosts, installed, processor, provider };
}

describe('the span processor of a registry in the SDK of the host', () => {
  it('gives each request to its tenant as one trace, with the ids of the host, whose own trace is as ever', async () => {
    const { delivered, exporter, hosts, installed, registry, spans } = await startHost(['a', 'b']);
    expect(installed).toMatchObject({ strategy: 'join', found: 'opentelemetry' });
    for (const id of ['a', 'b'] as const) {
      const request = inbound(`GET ${id}`, HEADERS);
      request.run(() => {
        work(`parse ${id}`);
        registry.run(id, () => {
          library().startActiveSpan(`query ${id}`, (query) => {
            registry.withSpan(`own ${id}`, () => work(`inside ${id}`));
            query.end();
          });
        });
        work(`after ${id}`);
      });
      request.span.end();
    }
    const expected = (id: string) => [
      `GET ${id}`,
      ...['after', 'inside', 'own', 'parse', 'query'].map((w) => `${w} ${id}`),
    ];
    expect(await delivered()).toEqual({ platform: [], a: expected('a'), b: expected('b') });
    for (const id of ['a', 'b'] as const) {
      const root = byName(spans(id), `GET ${id}`);
      expect(root).toMatchObject({ traceId: TRACE_ID, parentSpanId: SPAN_ID, traceState: 'vendor=1', kind: 2 });
      const parents = { parse: 'GET', after: 'GET', query: 'GET', own: 'query', inside: 'own' };
      for (const [name, parent] of Object.entries(parents)) {
        expect(byName(spans(id), `${name} ${id}`).parentSpanId).toBe(byName(spans(id), `${parent} ${id}`).spanId);
      }
      for (const name of ['GET', 'parse', 'after', 'query', 'inside']) {
        expect(hosts(`${name} ${id}`).spanContext().spanId).toBe(byName(spans(id), `${name} ${id}`).spanId);
      }
      expect(hosts(`query ${id}`).parentSpanContext?.spanId).toBe(hosts(`GET ${id}`).spanContext().spanId);
    }
    expect(exporter.getFinishedSpans()).toHaveLength(10);
    expect(registry.stats().lateBinding).toEqual({ waiting: 0, bound: 4, unassigned: 0, expired: 0 });
  });

  it('passes on all that a span has become', async () => {
    const { delivered, registry, spans } = await startHost(['a']);
    registry.run('a', () => {
      const link = { context: { traceId: TRACE_ID, spanId: SPAN_ID, traceFlags: TraceFlags.SAMPLED } };
      const span = library().startSpan('start', { kind: SpanKind.CLIENT, attributes: { early: 1 }, links: [link] });
      span
        .setAttributes({ early: 2, late: [true] })
        .updateName('end')
        .addEvent('retry', { count: 3 }, [1_700_000_001, 5]);
      span.addLink({ context: { ...link.context, spanId: SPAN_ID.replace('b', 'c') }, attributes: { second: true } });
      span.recordException(new Error('no'));
      span.setStatus({ code: SpanStatusCode.ERROR, message: 'failed' });
      span.end();
    });
    await delivered();
    const span = byName(spans('a'), 'end');
    expect(span).toMatchObject({
      kind: 3,
      attributes: { early: 2, late: [true] },
      links: [{ spanId: SPAN_ID }, { spanId: SPAN_ID.replace('b', 'c'), attributes: { second: true } }],
      events: [
        { name: 'retry', attributes: { count: 3 }, timeUnixNano: 1_700_000_001_000_000_005n },
        { name: 'exception', attributes: { 'exception.message': 'no' } },
      ],
      status: { code: SpanStatusCode.ERROR, message: 'failed' },
    });
    expect(span.endTimeUnixNano).toBeGreaterThanOrEqual(span.startTimeUnixNano);
  });

  it('keeps tenants apart, also where the host nests one in the other', async () => {
    const { delivered, registry, spans } = await startHost(['a', 'b']);
    const request = inbound('GET', HEADERS);
    request.run(() =>
      registry.run('a', () =>
        library().startActiveSpan('of a', (outer) => {
          registry.run('b', () => work('of b'));
          const fromA = contextApi.active();
          registry.run('b', () => {
            // The host passes a context of its own making: b's, with a's span as the parent.
            const forged = contextApi.active().setValue(SPAN_KEY, outer);
            library().startActiveSpan('explicit', {}, forged, (span) => {
              work('in explicit');
              span.end();
            });
          });
          contextApi.with(fromA, () => work('of a again'));
          outer.end();
        }),
      ),
    );
    request.span.end();
    const arrived = await delivered();
    expect(arrived.b).toEqual(['of b']);
    expect(arrived.a).toEqual(['GET', 'explicit', 'in explicit', 'of a', 'of a again']);
    expect(byName(spans('b'), 'of b')).toMatchObject({ parentSpanId: '', traceState: '' });
    const traceIds = new Set(spans('a').map(({ traceId }) => traceId));
    expect(traceIds).toEqual(new Set([TRACE_ID]));
    for (const { traceId } of spans('b')) expect(traceIds).not.toContain(traceId);
  });

  it('makes a span whose parent is of nobody the root of a trace of its own, and its descendants follow', async () => {
    const { delivered, hosts, registry, spans } = await startHost(['a']);
    const stranger = new TracerProvider({}).getTracer('another SDK').startSpan('of another SDK');
    contextApi.with(trace.setSpan(ROOT_CONTEXT, stranger), () =>
      registry.run('a', () =>
        library().startActiveSpan('outer', (outer) => {
          work('inner');
          registry.withSpan('own', () => {});
          outer.end();
        }),
      ),
    );
    await delivered();
    const { traceId } = stranger.spanContext();
    expect(hosts('outer').spanContext().traceId).toBe(traceId);
    const outer = byName(spans('a'), 'outer');
    expect(outer.traceId).not.toBe(traceId);
    expect(outer.parentSpanId).toBe('');
    for (const name of ['inner', 'own']) {
      expect(byName(spans('a'), name)).toMatchObject({ traceId: outer.traceId, parentSpanId: outer.spanId });
    }
  });

  it('follows the sampling of the host, and that of the tenant', async () => {
    const decisions: Record<string, number> = { 'not recorded': 0, 'not sampled': 1 };
    const sampler: Sampler = {
      shouldSample: (_context, _traceId, name) => ({ decision: decisions[name] ?? 2 }),
      toString: () => 'by name',
    };
    const { delivered, hosts, registry } = await startHost(['all', 'none'], {
      sampler,
      tenant: (id) => ({ sampling: { ratio: id === 'all' ? 1 : 0 } }),
    });
    for (const id of ['all', 'none']) {
      registry.run(id, () => {
        for (const name of ['sampled', 'not sampled', 'not recorded']) work(name);
      });
    }
    // The decision of the host stays with what is inside, also across the entrance to a tenant.
    const request = inbound('not recorded');
    request.run(() => registry.run('all', () => expect(trace.getActiveSpan()).toBe(request.span)));
    expect(await delivered()).toEqual({ platform: [], all: ['sampled'], none: [] });
    expect(hosts('sampled')).toBeDefined();
    expect(registry.get('all').stats().traces.dropped).toEqual({ sampled: 1 });
    expect(registry.get('none').stats().traces.dropped).toEqual({ sampled: 2 });
  });

  it('follows the sampling of the host also below spans whose own fate is open', async () => {
    const decisions: Record<string, number> = { 'not sampled': 1 };
    const sampler: Sampler = {
      shouldSample: (_context, _traceId, name) => ({ decision: decisions[name] ?? 2 }),
      toString: () => 'by name',
    };
    const { delivered, registry } = await startHost(['late', 'tail'], {
      sampler,
      tenant: (id) => (id === 'tail' ? { sampling: { ratio: 0, keepErrors: true } } : {}),
    });
    const request = inbound('GET');
    request.run(() => {
      work('not sampled');
      registry.run('late', () => work('sampled'));
    });
    request.span.end();
    registry.run('tail', () => {
      library().startActiveSpan('failing', (failing) => {
        work('not sampled');
        work('sampled');
        failing.setStatus({ code: SpanStatusCode.ERROR }).end();
      });
    });
    expect(await delivered()).toEqual({ platform: [], late: ['GET', 'sampled'], tail: ['failing', 'sampled'] });
    expect(registry.get('tail').stats().traces.dropped).toEqual({ sampled: 1 });
  });

  it('applies the redaction, the limits and the processors of the tenant', async () => {
    const seen: string[] = [];
    const spanProcessor: SpanProcessor = {
      onStart: (span) => void span.setAttribute('added', true),
      onEnd: ({ name }) => void seen.push(name),
      forceFlush: async () => {},
      shutdown: async () => {},
    };
    const { delivered, hosts, registry, spans } = await startHost(['a'], {
      tenant: () => ({ redact: true, limits: { attributeValueLengthLimit: 4 }, spanProcessors: [spanProcessor] }),
    });
    registry.run('a', () => {
      const span = library().startSpan('query', { attributes: { password: 'hunter2' } });
      span.setAttribute('text', '123456789').end();
    });
    await delivered();
    expect(byName(spans('a'), 'query').attributes).toEqual({ password: '[REDACTED]', text: '1234', added: true });
    expect(hosts('query').attributes).toEqual({ password: 'hunter2', text: '123456789' });
    expect(seen).toEqual(['query']);
  });

  it('lets a tenant enrich its own copy of a span, not the one of the host', async () => {
    const { delivered, hosts, registry, spans } = await startHost(['a']);
    registry.run('a', () =>
      library().startActiveSpan('query', (span) => {
        registry.get('a').activeSpan()?.setAttribute('secret of a', 1);
        span.end();
      }),
    );
    await delivered();
    expect(byName(spans('a'), 'query').attributes).toEqual({ 'secret of a': 1 });
    expect(hosts('query').attributes).toEqual({});
  });

  it('settles what names no tenant by `unassigned`, and leaves out what is suppressed', async () => {
    const { delivered, registry } = await startHost(['a']);
    const request = inbound('GET');
    request.run(() => registry.run('nobody knows', () => work('of an unknown tenant')));
    contextApi.with(suppressTracing(ROOT_CONTEXT), () => work('suppressed'));
    request.span.end();
    expect(await delivered()).toEqual({ platform: ['GET'], a: [] });
  });

  it('flushes the registry with the provider, and survives both ends', async () => {
    const { provider, receivers, registry, installed } = await startHost(['a']);
    expect(registry.health().installation).toEqual({ strategy: 'join', found: 'opentelemetry' });
    registry.run('a', () => work('one'));
    await provider.forceFlush();
    expect(names(receivers.a)).toEqual(['one']);
    registry.run('a', () => work('two'));
    await provider.shutdown();
    expect(names(receivers.a)).toEqual(['one', 'two']);
    expect(registry.health().installation?.advice).toContain('createSpanProcessor(registry)');
    registry.run('a', () => registry.withSpan('three', () => {}));
    await registry.shutdown();
    expect(names(receivers.a)).toEqual(['one', 'three', 'two']);
    installed.uninstall();
    expect(registry.health().installation).toBeUndefined();
  });

  it('never throws, whatever it is given', async () => {
    const { processor, registry } = await startHost(['a']);
    const hostile = new Proxy(
      {},
      {
        get: () => {
          throw new Error('hostile');
        },
      },
    );
    for (const span of [hostile, undefined, {}, { attributes: hostile }]) {
      processor.onStart(span as never, ROOT_CONTEXT);
      processor.onStart(span as never, hostile as never);
      processor.onEnd(span as never);
    }
    expect(registry.health().errors.processor).toBeGreaterThan(0);
  });

  it('is a processor for both of the maintained packages', () => {
    expectTypeOf(createSpanProcessor).returns.toExtend<SpanProcessor>();
    expectTypeOf(createSpanProcessor).returns.toExtend<BaseSpanProcessor>();
  });
});

const SPAN_KEY = keyOfSpan();

/** The key under which OpenTelemetry keeps the active span. */
function keyOfSpan(): symbol {
  let key: symbol | undefined;
  const probe = {
    getValue: () => undefined,
    deleteValue: () => ROOT_CONTEXT,
    setValue: (written: symbol) => {
      key = written;
      return ROOT_CONTEXT;
    },
  };
  trace.setSpan(probe, trace.wrapSpanContext({ traceId: '', spanId: '', traceFlags: 0 }));
  return key as symbol;
}
