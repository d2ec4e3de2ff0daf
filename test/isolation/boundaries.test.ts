import { EventEmitter } from 'node:events';
import {
  context as contextApi,
  defaultTextMapSetter,
  propagation,
  ROOT_CONTEXT,
  type Span,
  trace,
} from '@opentelemetry/api';
import {
  CompositePropagator,
  suppressTracing,
  W3CBaggagePropagator,
  W3CTraceContextPropagator,
} from '@opentelemetry/core';
import {
  AlwaysOffSampler,
  InMemorySpanExporter,
  ParentBasedSampler,
  SimpleSpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { describe, expect, it, vi } from 'vitest';
import { type Tracer, type TracerOptions, traced } from '../../src/index.ts';
import type { DecodedSpan } from '../support/otlp-decoder.ts';
import { startReceiver } from '../support/otlp-receiver.ts';
import { startTenants } from '../support/tenant-receivers.ts';

interface TwoTenants {
  readonly a: Tracer;
  readonly b: Tracer;
  current(): string | undefined;
  received(): Promise<{ a: Record<string, DecodedSpan>; b: Record<string, DecodedSpan> }>;
}

async function twoTenants(tenant: (id: 'a' | 'b') => TracerOptions = () => ({})): Promise<TwoTenants> {
  const { registry, received } = await startTenants(['a', 'b'], { tenant });
  return {
    a: registry.get('a'),
    b: registry.get('b'),
    current: () => registry.current()?.tenantId,
    received: async () => ({ a: await received('a'), b: await received('b') }),
  };
}

/** Name → name of the parent, or `undefined` for a root; one that is not there shows as its id. */
function parents(spans: Record<string, DecodedSpan>): Record<string, string | undefined> {
  const names = new Map(Object.values(spans).map(({ spanId, name }) => [spanId, name]));
  return Object.fromEntries(
    Object.values(spans).map(({ name, parentSpanId }) => [
      name,
      parentSpanId === '' ? undefined : (names.get(parentSpanId) ?? parentSpanId),
    ]),
  );
}

describe('what leaks between two providers of the stock SDK', () => {
  it("is not the parent: another tenant's span starts a trace of its own, and coming back continues the first", async () => {
    const { a, b, received } = await twoTenants();
    await a.withSpan('a1', async () => {
      await b.withSpan('b1', async () => {
        await a.withSpan('a2', async () => {
          await b.withSpan('b2', async () => a.startSpan('a3').end());
        });
      });
      a.startSpan('a4').end();
    });
    const spans = await received();

    expect(parents(spans.a)).toEqual({ a1: undefined, a2: 'a1', a3: 'a2', a4: 'a1' });
    expect(parents(spans.b)).toEqual({ b1: undefined, b2: 'b1' });
    expect(new Set(Object.values(spans.a).map(({ traceId }) => traceId)).size).toBe(1);
    expect(spans.b['b1']?.traceId).not.toBe(spans.a['a1']?.traceId);
    expect(Object.values({ ...spans.a, ...spans.b }).flatMap(({ links }) => links)).toEqual([]);
  });

  it('is not the sampling decision: a tenant inside one that samples nothing records', async () => {
    const { a, b, received } = await twoTenants((id) => (id === 'a' ? { sampling: { ratio: 0 } } : {}));
    a.withSpan('a1', () => b.withSpan('b1', () => a.withSpan('a2', () => b.startSpan('b2').end())));
    const spans = await received();

    expect(spans.a).toEqual({});
    expect(parents(spans.b)).toEqual({ b1: undefined, b2: 'b1' });
  });

  it("is not the baggage: OpenTelemetry's own propagators write that of the running tenant only", async () => {
    const { a, b } = await twoTenants();
    const propagator = new CompositePropagator({
      propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()],
    });
    const inject = (): Record<string, string> => {
      const carrier: Record<string, string> = {};
      propagator.inject(contextApi.active(), carrier, defaultTextMapSetter);
      return carrier;
    };
    const [inA, inB, inBoth] = a.withBaggage({ tenant: 'a-secret' }, () =>
      a.withSpan('a1', () => [
        inject(),
        b.withSpan('b1', inject),
        b.run(() => b.withBaggage({ tenant: 'b' }, () => b.withSpan('b2', () => a.run(inject)))),
      ]),
    ) as [Record<string, string>, Record<string, string>, Record<string, string>];

    expect(inA['baggage']).toBe('tenant=a-secret');
    expect(inB).toEqual({ traceparent: expect.any(String) });
    expect(inB['traceparent']?.slice(3, 35)).not.toBe(inA['traceparent']?.slice(3, 35));
    expect(inBoth).toEqual(inA);
  });

  it('is not suppression, which stays with the tenant that asked for it', async () => {
    const { a, b, received } = await twoTenants();
    a.withSpan('a1', () =>
      contextApi.with(suppressTracing(contextApi.active()), () => {
        a.startSpan('suppressed').end();
        b.withSpan('b1', () => a.startSpan('suppressed too').end());
      }),
    );
    a.withSpan('a2', () => undefined);
    const spans = await received();

    expect(Object.keys(spans.a).sort()).toEqual(['a1', 'a2']);
    expect(Object.keys(spans.b)).toEqual(['b1']);
  });

  it('is not OTEL_EXPORTER_OTLP_HEADERS: the headers of the platform go to the platform alone', async () => {
    const platform = await startReceiver();
    vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', platform.url);
    vi.stubEnv('OTEL_EXPORTER_OTLP_HEADERS', 'authorization=platform-secret,x-platform=1');
    vi.stubEnv('OTEL_EXPORTER_OTLP_TRACES_HEADERS', 'x-traces=platform-secret');
    const headers = { record: { 'x-tenant': 'own' }, asked: () => ({}), none: undefined };
    const { registry, receivers } = await startTenants(['record', 'asked', 'none'], {
      registry: { platform: {} },
      headers: (id) => headers[id],
    });
    for (const id of ['record', 'asked', 'none']) registry.get(id).startSpan(id).end();
    registry.platform.startSpan('of the platform').end();
    await registry.flush();

    const traces = platform.requests.find(({ path }) => path === '/v1/traces');
    expect(traces?.headers).toMatchObject({ 'x-traces': 'platform-secret' });
    const toTenants = Object.values(receivers).flatMap(({ requests }) => requests.map(({ headers: sent }) => sent));
    expect(toTenants).toHaveLength(3);
    for (const sent of toTenants) expect(JSON.stringify(sent)).not.toMatch(/platform|authorization|x-traces/);
    expect(receivers.record.requests[0]?.headers).toMatchObject({ 'x-tenant': 'own' });
    await platform.close();
  });
});

describe('asynchronous work that is made in one tenant and used in another', () => {
  it('runs in the tenant that made it: the steps of an async generator', async () => {
    const { a, b, current, received } = await twoTenants();
    const make = a.trace('generator', async function* () {
      for (let step = 1; step <= 2; step += 1) {
        await Promise.resolve();
        a.startSpan(`step ${step}`).end();
        yield current();
      }
    });
    const seen: unknown[] = [];
    const generator = a.withSpan('maker', () => make());
    await b.withSpan('consumer', async () => {
      for await (const tenant of generator) {
        seen.push([tenant, current()]);
        b.startSpan(`consumed ${seen.length}`).end();
      }
    });
    const spans = await received();

    expect(seen).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ]);
    expect(parents(spans.a)).toEqual({
      maker: undefined,
      generator: 'maker',
      'step 1': 'generator',
      'step 2': 'generator',
    });
    expect(parents(spans.b)).toEqual({ consumer: undefined, 'consumed 1': 'consumer', 'consumed 2': 'consumer' });
  });

  it('runs in the tenant that bound it: listeners, and jobs in the queue of another', async () => {
    const { a, b, current, received } = await twoTenants();
    const emitter = new EventEmitter();
    const jobs: (() => unknown)[] = [];
    const seen: unknown[] = [];
    a.withSpan('binds', () => {
      a.bind(emitter).on('event', () => {
        seen.push(current());
        a.startSpan('in the listener').end();
      });
      jobs.push(a.bind(() => seen.push(current())));
    });
    b.withSpan('runs', () => {
      emitter.emit('event');
      for (const job of jobs) job();
      seen.push(current());
    });

    expect(seen).toEqual(['a', 'a', 'b']);
    expect(parents((await received()).a)).toEqual({ binds: undefined, 'in the listener': 'binds' });
  });

  it('computes a promise that tenants share in the tenant that asked first, and goes on in each in its own', async () => {
    const { a, b, current, received } = await twoTenants();
    let shared: Promise<string | undefined> | undefined;
    const lookUp = traced('look up', async () => {
      await new Promise(setImmediate);
      return current();
    });
    const use = async (): Promise<unknown[]> => {
      shared ??= lookUp();
      return [await shared, current()];
    };
    const [inA, inB] = await Promise.all([a.withSpan('first', use), b.withSpan('second', use)]);
    const spans = await received();

    expect([inA, inB]).toEqual([
      ['a', 'a'],
      ['a', 'b'],
    ]);
    expect(parents(spans.a)).toEqual({ first: undefined, 'look up': 'first' });
    expect(parents(spans.b)).toEqual({ second: undefined });
  });

  it('belongs, for a wrapper at module scope, to the tenant of each call', async () => {
    const { a, b, current, received } = await twoTenants();
    const work = traced('work', async (inner?: () => Promise<unknown>): Promise<unknown> => {
      await Promise.resolve();
      return inner === undefined ? current() : await inner();
    });
    const seen = await Promise.all([
      a.withSpan('a1', () => work(() => b.run(() => work(() => a.run(() => work()))))),
      b.withSpan('b1', () => work()),
      work(),
    ]);
    const spans = await received();

    expect(seen).toEqual(['a', 'b', undefined]);
    // Two spans of `a` are called alike; the one that arrived last is the outer one.
    expect(parents(spans.a)).toEqual({ a1: undefined, work: 'a1' });
    expect(spans.b['work']).toBeDefined();
  });
});

describe('the boundary', () => {
  it('has a link only where both tenants of it say so', async () => {
    const boundaries = { a: 'link', b: 'link', c: 'isolate' } as const;
    const { registry, received } = await startTenants(['a', 'b', 'c'], {
      tenant: (id) => ({ boundary: boundaries[id] }),
    });
    const [a, b, c] = [registry.get('a'), registry.get('b'), registry.get('c')];
    await registry.get('a').withSpan('a1', async () => {
      b.withSpan('b in a', () => b.startSpan('b child').end());
      c.withSpan('c in a', () => b.startSpan('b in c').end());
      a.startSpan('a child').end();
    });
    const [ofA, ofB, ofC] = [await received('a'), await received('b'), await received('c')];

    expect(ofB['b in a']?.links).toEqual([
      expect.objectContaining({ traceId: ofA['a1']?.traceId, spanId: ofA['a1']?.spanId, attributes: {} }),
    ]);
    expect(ofB['b in a']?.parentSpanId).toBe('');
    for (const span of [ofB['b child'], ofB['b in c'], ofC['c in a'], ofA['a child']]) expect(span?.links).toEqual([]);
  });
});

describe('what a tracer writes to', () => {
  it('is its own span, also from inside another tenant, and nothing where it has none', async () => {
    const { a, b, received } = await twoTenants();
    const done = a.withSpan('a1', () =>
      b.run(() => {
        const before = [b.addEvent('lost'), b.recordException(new Error('lost')), b.activeSpan()];
        return b.withSpan('b1', (inner) => {
          const target = trace.wrapSpanContext({ traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: 1 });
          return [
            ...before,
            a.addEvent('event of a'),
            a.recordException(new Error('error of a')),
            a.linkSpan(target, { of: 'a' }),
            b.addEvent('event of b'),
            a.activeSpan() === inner,
          ];
        });
      }),
    );
    const spans = await received();
    const view = ({ events, links }: DecodedSpan): unknown => [events.map(({ name }) => name), links.length];

    expect(done).toEqual([false, false, undefined, true, true, true, true, false]);
    expect(view(spans.a['a1'] as DecodedSpan)).toEqual([['event of a', 'exception'], 1]);
    expect(view(spans.b['b1'] as DecodedSpan)).toEqual([['event of b'], 0]);
    expect(spans.a['a1']?.events[1]?.attributes['exception.message']).toBe('error of a');
  });
});

describe('ordinary OpenTelemetry code', () => {
  it('finds the span of the running tenant, and nests under it through trace.setSpan', async () => {
    const { a, b, received } = await twoTenants();
    const library = (tracer: Tracer, name: string, fn: () => void): void => {
      const span = tracer.startSpan(name);
      contextApi.with(trace.setSpan(contextApi.active(), span), fn);
      span.end();
    };
    const active: unknown[] = [];
    const look = (): void => void active.push((trace.getActiveSpan() as Span & { name: string }).name);
    a.run(() =>
      library(a, 'a1', () => {
        look();
        library(b, 'b1', () => {
          look();
          library(b, 'b2', () => library(a, 'a2', look));
        });
        library(a, 'a3', look);
      }),
    );
    // Outside of every tenant the context is the host's own and holds one span: the other tenant's is never a parent.
    library(a, 'a4', () => library(b, 'b3', () => library(a, 'a5', look)));
    const spans = await received();

    expect(active).toEqual(['a1', 'b1', 'a2', 'a3', 'a5']);
    expect(parents(spans.a)).toEqual({ a1: undefined, a2: 'a1', a3: 'a1', a4: undefined, a5: undefined });
    expect(parents(spans.b)).toEqual({ b1: undefined, b2: 'b1', b3: undefined });
  });

  it('may leave the tenants with the root context, and come back with a context that it kept', async () => {
    const { a, b, current, received } = await twoTenants();
    const seen = await a.withSpan('a1', async () => {
      const kept = contextApi.active();
      return await b.withSpan('b1', async () =>
        contextApi.with(ROOT_CONTEXT, async () => {
          await Promise.resolve();
          a.startSpan('a root').end();
          const outside = [current(), trace.getActiveSpan()];
          return contextApi.with(kept, () => {
            a.startSpan('a child').end();
            return [...outside, current()];
          });
        }),
      );
    });

    expect(seen).toEqual([undefined, undefined, 'a']);
    expect(parents((await received()).a)).toEqual({ a1: undefined, 'a root': undefined, 'a child': 'a1' });
  });

  it("of a host with an SDK of its own keeps its spans apart: neither takes the other's parent or sampling", async () => {
    const exporter = new InMemorySpanExporter();
    const host = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }).getTracer('host');
    const off = new TracerProvider({ sampler: new ParentBasedSampler({ root: new AlwaysOffSampler() }) }).getTracer(
      'off',
    );
    const { a, b, received } = await twoTenants();
    host.startActiveSpan('host outer', (outer) => {
      a.withSpan('a1', () => {
        host.startActiveSpan('host inner', (inner) => {
          a.startSpan('a2').end();
          b.startSpan('b1').end();
          inner.end();
        });
      });
      host.startSpan('host child').end();
      outer.end();
    });
    off.startActiveSpan('not sampled', () => a.startSpan('a3').end());
    const spans = await received();
    const ofHost = Object.fromEntries(exporter.getFinishedSpans().map((span) => [span.name, span]));

    expect(parents(spans.a)).toEqual({ a1: undefined, a2: 'a1', a3: undefined });
    expect(parents(spans.b)).toEqual({ b1: undefined });
    expect(ofHost['host child']?.parentSpanContext?.spanId).toBe(ofHost['host outer']?.spanContext().spanId);
    // An ordinary library nests under what is active, which is the tenant's span.
    expect(ofHost['host inner']?.parentSpanContext?.spanId).toBe(spans.a['a1']?.spanId);
    const ids = Object.values({ ...spans.a, ...spans.b }).map(({ traceId }) => traceId);
    expect(ids).not.toContain(ofHost['host outer']?.spanContext().traceId);
  });

  it('does not hand the baggage that it set in one tenant to the next', async () => {
    const { a, b } = await twoTenants(() => ({ propagation: { baggage: () => true } }));
    const baggage = propagation.createBaggage({ key: { value: 'set in a' } });
    const seen = a.withSpan('a1', () =>
      contextApi.with(propagation.setBaggage(contextApi.active(), baggage), () => [
        a.getBaggage('key'),
        b.run(() => [propagation.getActiveBaggage(), b.inject({}), a.getBaggage('key')]),
      ]),
    );

    expect(seen).toEqual(['set in a', [undefined, {}, 'set in a']]);
  });
});
