import { context as contextApi, propagation, ROOT_CONTEXT, SpanStatusCode, trace } from '@opentelemetry/api';
import type { SpanProcessor } from '@opentelemetry/sdk-trace';
import { describe, expect, it } from 'vitest';
import { requestSpanIn } from '../../src/core/late-binding.ts';
import { byName, inbound, library, startWorld, work } from '../routing/routing-kit.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { deferred, heapUsed, names, until } from './registry-kit.ts';

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const SPAN_ID = 'b7ad6b7169203331';
const SAMPLED = { traceparent: `00-${TRACE_ID}-${SPAN_ID}-01`, tracestate: 'vendor=1' };
const UNSAMPLED = { traceparent: `00-${TRACE_ID}-${SPAN_ID}-00` };

describe('spans that start before their tenant is known', () => {
  it('go to the tenant that is entered first, as one trace, those included that ended before', async () => {
    const { delivered, registry, spans } = await startWorld(['a', 'b']);
    const request = inbound('GET');
    request.run(() => {
      work('parse');
      expect(registry.current()).toBeUndefined();
      registry.run('a', () => {
        expect(registry.current()?.tenantId).toBe('a');
        work('query');
        registry.withSpan('own', () => work('inside'));
      });
      work('after');
    });
    request.span.end();
    expect(await delivered()).toEqual({ platform: [], a: ['GET', 'after', 'inside', 'own', 'parse', 'query'], b: [] });
    const root = byName(spans('a'), 'GET');
    expect(new Set(spans('a').map(({ traceId }) => traceId)).size).toBe(1);
    for (const name of ['parse', 'query', 'own', 'after']) {
      expect(byName(spans('a'), name).parentSpanId, name).toBe(root.spanId);
    }
    expect(byName(spans('a'), 'inside').parentSpanId).toBe(byName(spans('a'), 'own').spanId);
    expect(registry.stats().lateBinding).toEqual({ waiting: 0, bound: 2, unassigned: 0, expired: 0 });
    expect(registry.get('a').stats()).toMatchObject({ traces: { created: 6, exported: 6 } });
  });

  it('wait also when they are made by `registry.trace` and `registry.withSpan`', async () => {
    const { delivered, registry, spans } = await startWorld(['a']);
    const authenticate = registry.trace('authenticate', () => 'a');
    const request = inbound('GET');
    request.run(() => {
      const tenant = registry.withSpan('look up', () => authenticate());
      registry.run(tenant, () => {});
    });
    request.span.end();
    expect((await delivered()).a).toEqual(['GET', 'authenticate', 'look up']);
    expect(byName(spans('a'), 'authenticate').parentSpanId).toBe(byName(spans('a'), 'look up').spanId);
  });

  it('are claimed by a span of a tenant, without `run`', async () => {
    const { delivered, registry, spans } = await startWorld(['a']);
    const request = inbound('GET');
    request.run(() => registry.get('a').startSpan('own').end());
    request.span.end();
    expect((await delivered()).a).toEqual(['GET', 'own']);
    expect(byName(spans('a'), 'own').parentSpanId).toBe(byName(spans('a'), 'GET').spanId);
  });

  it('stay with the first of two tenants, and the second has nothing of them', async () => {
    const { delivered, registry, spans } = await startWorld(['a', 'b']);
    const request = inbound('GET');
    request.run(() => {
      registry.run('a', () => {
        registry.run('b', () => work('of b'));
        work('of a');
      });
      registry.run('b', () => work('of b, later'));
    });
    request.span.end();
    expect(await delivered()).toEqual({ platform: [], a: ['GET', 'of a'], b: ['of b', 'of b, later'] });
    for (const span of spans('b')) expect(span).toMatchObject({ parentSpanId: '', traceState: '' });
    expect(new Set([...spans('a'), ...spans('b')].map(({ traceId }) => traceId)).size).toBe(3);
  });

  it.each(['platform', 'drop'] as const)('follow `unassigned: %s` when no tenant is named', async (unassigned) => {
    const { delivered, registry } = await startWorld(['a'], { registry: { unassigned } });
    const request = inbound('GET');
    request.run(() => {
      work('parse');
      registry.run('nobody knows', () => work('of an unknown tenant'));
      registry.platform.run(() => work('of the platform'));
    });
    expect(registry.stats().lateBinding.waiting).toBe(2);
    request.span.end();
    request.run(() => work('after the end'));
    const isDropped = unassigned === 'drop';
    const unbound = isDropped ? [] : ['GET', 'after the end'];
    expect((await delivered()).platform).toEqual([...unbound, 'of the platform', ...(isDropped ? [] : ['parse'])]);
    expect(registry.stats().lateBinding).toEqual({ waiting: 0, bound: 0, unassigned: 2, expired: 0 });
    expect(registry.stats().traces.dropped).toEqual(isDropped ? { unassigned: 2 } : {});
  });

  it('are dropped and counted without a platform tracer', async () => {
    const { delivered, registry } = await startWorld(['a'], { registry: { platform: false } });
    const request = inbound('GET');
    request.run(() => work('parse'));
    request.span.end();
    await delivered();
    expect(registry.stats().traces).toMatchObject({ created: 2, dropped: { unassigned: 2 } });
  });

  it('wait no longer than `lateBinding.maxMillis`', async () => {
    const clock = new FakeClock();
    const { delivered, registry } = await startWorld(['a'], { clock, registry: { lateBinding: { maxMillis: 1_000 } } });
    const first = inbound('first');
    clock.advance(600);
    const second = inbound('second');
    clock.advance(500);
    expect(registry.stats().lateBinding).toMatchObject({ waiting: 1, expired: 1 });
    for (const request of [first, second]) {
      request.run(() => registry.run('a', () => work('child')));
      request.span.end();
    }
    expect(await delivered()).toEqual({ platform: ['first'], a: ['child', 'child', 'second'] });
    clock.advance(1_000);
    expect(registry.stats().lateBinding).toEqual({ waiting: 0, bound: 1, unassigned: 0, expired: 1 });
  });

  it('are no more than `lateBinding.maxSpans`: the oldest request gives way', async () => {
    const { delivered, registry } = await startWorld(['a'], { registry: { lateBinding: { maxSpans: 3 } } });
    const requests = ['one', 'two', 'three'].map((name) => inbound(name));
    requests[1]?.run(() => work('in two'));
    expect(registry.stats().lateBinding).toEqual({ waiting: 3, bound: 0, unassigned: 0, expired: 1 });
    for (const request of requests) {
      request.run(() => registry.run('a', () => {}));
      request.span.end();
    }
    expect(await delivered()).toEqual({ platform: ['one'], a: ['in two', 'three', 'two'] });
  });

  it('do not wait at all with `maxSpans: 0`', async () => {
    const { delivered, registry } = await startWorld(['a'], { registry: { lateBinding: { maxSpans: 0 } } });
    const request = inbound('GET');
    request.run(() => registry.run('a', () => work('query')));
    request.span.end();
    expect(await delivered()).toEqual({ platform: ['GET'], a: ['query'] });
  });

  it('are sampled as the tenant samples, together with what starts later', async () => {
    const { delivered, registry } = await startWorld(['all', 'none'], {
      tenant: (id) => ({ sampling: { ratio: id === 'all' ? 1 : 0 } }),
    });
    for (const id of ['all', 'none']) {
      const request = inbound(id);
      request.run(() => {
        work('before');
        registry.run(id, () => {
          work('inside');
          const headers: Record<string, string> = {};
          propagation.inject(contextApi.active(), headers);
          expect(headers['traceparent']).toMatch(id === 'all' ? /-03$/ : /-02$/);
        });
      });
      request.span.end();
    }
    expect(await delivered()).toEqual({ platform: [], all: ['all', 'before', 'inside'], none: [] });
    expect(registry.get('none').stats().traces).toMatchObject({ created: 3, dropped: { sampled: 3 } });
  });

  it('are each shown to the processors of the tenant, whose sampler is asked about their local root', async () => {
    const seen: string[] = [];
    const processor: SpanProcessor = {
      onStart: (span, context) => {
        const parent = trace.getSpanContext(context)?.spanId;
        seen.push(`start ${span.name} ${parent === span.parentSpanContext?.spanId}`);
        span.setAttribute('added', 'at the start');
        // A second end is none.
        if (span.name !== 'GET') span.end();
      },
      onEnding: (span) => void span.setAttribute('late', true),
      onEnd: ({ name, ended }) => void seen.push(`end ${name} ${ended}`),
      forceFlush: async () => {},
      shutdown: async () => {},
    };
    const sampler = {
      shouldSample: (_context: unknown, _traceId: string, name: string) => ({
        decision: name === 'GET' ? 2 : 0,
        attributes: { sampler: name },
      }),
      toString: () => 'by name',
    };
    const { delivered, registry, spans } = await startWorld(['a'], {
      tenant: () => ({ spanProcessors: [processor], sampling: sampler }),
    });
    const request = inbound('GET', SAMPLED);
    request.run(() => {
      work('parse');
      work('health');
      registry.run('a', () => {});
    });
    request.span.end();
    expect((await delivered()).a.toSorted()).toEqual(['GET', 'health', 'parse']);
    expect(seen).toEqual([
      'start GET true',
      ...['start parse true', 'end parse true', 'start health true', 'end health true'],
      'end GET true',
    ]);
    for (const span of spans('a')) {
      expect(span.attributes).toMatchObject({ added: 'at the start', late: true });
      expect(span.attributes['sampler']).toBe(span.name === 'GET' ? 'GET' : undefined);
    }
    expect(registry.get('a').stats().traces).toMatchObject({ created: 3, dropped: {} });
  });

  it('join their request at once when the code that describes them names the tenant', async () => {
    const { delivered, registry } = await startWorld(['a']);
    const request = inbound('GET');
    const described = registry.trace(
      {
        name: 'described',
        attributes: () => {
          registry.run('a', () => {});
          return {};
        },
      },
      () => undefined,
    );
    request.run(described);
    request.span.end();
    expect((await delivered()).a.toSorted()).toEqual(['GET', 'described']);
    expect(registry.stats().lateBinding).toEqual({ waiting: 0, bound: 1, unassigned: 0, expired: 0 });
    expect(registry.get('a').stats().open).toBe(0);
  });

  it('are shown once to processors that all tenants have, and never to those of a tenant that they are not of', async () => {
    const seen: string[] = [];
    const processor: SpanProcessor = {
      onStart: ({ name }) => void seen.push(`start ${name}`),
      onEnd: ({ name }) => void seen.push(`end ${name}`),
      forceFlush: async () => {},
      shutdown: async () => {},
    };
    const { registry } = await startWorld(['a'], { registry: { spanProcessors: [processor], unassigned: 'drop' } });
    const request = inbound('GET');
    request.run(() => registry.run('a', () => {}));
    request.span.end();
    inbound('nobody').span.end();
    expect(seen).toEqual(['start GET', 'end GET']);
  });

  it('tell services behind that they are sampled when the tenant samples what its caller did not', async () => {
    const sampler = { shouldSample: () => ({ decision: 2 }), toString: () => 'all' };
    const { registry } = await startWorld(['a'], { tenant: () => ({ sampling: sampler }) });
    const request = inbound('GET', UNSAMPLED);
    const carrier: { traceparent?: string } = {};
    request.run(() => registry.run('a', () => registry.get('a').inject(carrier)));
    expect(carrier.traceparent).toMatch(/-0[13]$/);
    request.span.end();
  });

  it('are each handed over once when the host ends one while it is told of another', async () => {
    const { delivered, registry } = await startWorld(['a'], {
      tenant: () => ({
        spanProcessors: [
          {
            onStart: ({ name }: { readonly name: string }) => {
              if (name === 'GET') second.end();
            },
            onEnd: () => {},
            forceFlush: async () => {},
            shutdown: async () => {},
          },
        ],
      }),
    });
    const request = inbound('GET');
    const second = request.run(() => library().startSpan('second'));
    request.run(() => registry.run('a', () => {}));
    request.span.end();
    expect((await delivered()).a.toSorted()).toEqual(['GET', 'second']);
    expect(registry.get('a').stats()).toMatchObject({ open: 0, traces: { created: 2, exported: 2 } });
  });

  it('have what the tenant redacts redacted', async () => {
    const { delivered, registry, receivers } = await startWorld(['a'], { tenant: () => ({ redact: true }) });
    const request = inbound('GET', {}, { attributes: { password: 'canary-1' } });
    request.span.setAttribute('api_key', 'canary-2');
    request.run(() => registry.run('a', () => {}));
    request.span.end();
    await delivered();
    expect(names(receivers.a)).toEqual(['GET']);
    expect(JSON.stringify(receivers.a.spans()[0]?.attributes)).not.toContain('canary');
  });

  it('go to a tenant whose configuration is on its way, and meet it there', async () => {
    const answer = deferred<undefined>();
    const { delivered, registry, receivers } = await startWorld(['a'], { registry: { configure: configureLate } });
    async function configureLate(id: string) {
      await answer.promise;
      return id === 'a' ? { destination: { endpoint: receivers.a.url } } : undefined;
    }
    for (const id of ['a', 'made up']) {
      const request = inbound(`GET of ${id}`);
      request.run(() => registry.run(id, () => work('query')));
      request.span.end();
    }
    answer.resolve(undefined);
    await until(() => registry.get('a').state === 'active', 'the configuration');
    expect(await delivered()).toEqual({ platform: [], a: ['GET of a', 'query'] });
    expect(registry.stats().traces.dropped).toEqual({ tenant_unknown: 2 });
  });

  it('bring an evicted tenant back, but none that was shut down', async () => {
    const { delivered, registry } = await startWorld(['a', 'b']);
    const [a, b] = [registry.get('a'), registry.get('b')];
    registry.delete('a');
    await b.shutdown();
    for (const tracer of [a, b]) {
      const request = inbound(`GET of ${tracer.tenantId}`);
      request.run(() => tracer.run(() => {}));
      request.span.end();
    }
    expect(await delivered()).toEqual({ platform: ['GET of b'], a: ['GET of a'], b: [] });
    expect(registry.has('a')).toBe(true);
  });

  it('are settled when the installation is taken out, after which nothing is recorded', async () => {
    const { delivered, registry } = await startWorld(['a'], { install: false });
    const installed = registry.install();
    const tracer = library();
    const request = inbound('GET');
    installed.uninstall();
    installed.uninstall();
    expect(registry.stats().lateBinding).toEqual({ waiting: 0, bound: 0, unassigned: 1, expired: 0 });
    request.run(() => registry.run('a', () => tracer.startSpan('late').end()));
    request.span.end();
    expect(await delivered()).toEqual({ platform: ['GET'], a: [] });

    registry.install();
    registry.run('a', () => tracer.startSpan('again').end());
    expect((await delivered()).a).toEqual(['again']);
  });

  it('are delivered to the platform when the registry shuts down', async () => {
    const { platform, registry } = await startWorld(['a']);
    const request = inbound('GET');
    request.run(() => work('parse'));
    request.run(() => library().startSpan('never ends'));
    request.span.setStatus({ code: SpanStatusCode.ERROR });
    await registry.shutdown();
    expect(names(platform)).toEqual(['parse']);
    request.span.end();
    expect(registry.stats()).toMatchObject({
      lateBinding: { waiting: 0, unassigned: 3 },
      traces: { created: 2, exported: 1, dropped: { shutdown_deadline: 1 } },
    });
    expect(inbound('later').span.isRecording()).toBe(false);
  });

  it('leave nothing in memory when their requests never end', async () => {
    const { registry } = await startWorld(['a'], { registry: { lateBinding: { maxSpans: 100 }, unassigned: 'drop' } });
    const begin = (count: number): void => {
      for (let index = 0; index < count; index += 1) inbound('GET', {}, { attributes: { body: 'x'.repeat(5_000) } });
    };
    begin(500);
    const before = await heapUsed();
    begin(5_000);
    expect((await heapUsed()) - before).toBeLessThan(2_000_000);
    expect(registry.stats().lateBinding).toMatchObject({ waiting: 100, expired: 5_400 });
  });
});

describe('an inbound trace', () => {
  const cases = [
    ['parent', SAMPLED, { traceId: TRACE_ID, parentSpanId: SPAN_ID, traceState: 'vendor=1', links: [] }],
    ['link', SAMPLED, { parentSpanId: '', traceState: '', links: [{ traceId: TRACE_ID, spanId: SPAN_ID }] }],
    ['link', UNSAMPLED, { parentSpanId: '', links: [{ traceId: TRACE_ID, spanId: SPAN_ID }] }],
    ['ignore', SAMPLED, { parentSpanId: '', traceState: '', links: [] }],
    ['ignore', UNSAMPLED, { parentSpanId: '', traceState: '', links: [] }],
  ] as const;

  it.each(cases)('is good for what `incoming: %s` says', async (incoming, headers, expected) => {
    const { delivered, registry, spans } = await startWorld(['a'], { install: { incoming } });
    const request = inbound('GET', headers);
    request.run(() => {
      work('parse');
      registry.run('a', () => work('query'));
    });
    request.span.end();
    expect((await delivered()).a).toEqual(['GET', 'parse', 'query']);
    const root = byName(spans('a'), 'GET');
    expect(root).toMatchObject(expected);
    for (const name of ['parse', 'query']) {
      expect(byName(spans('a'), name)).toMatchObject({ traceId: root.traceId, parentSpanId: root.spanId, links: [] });
    }
  });

  it('that is not sampled is followed with `incoming: parent`', async () => {
    const { delivered, registry } = await startWorld(['a']);
    const request = inbound('GET', UNSAMPLED);
    request.run(() => registry.run('a', () => work('query')));
    request.span.end();
    expect(await delivered()).toEqual({ platform: [], a: [] });
    expect(registry.get('a').stats().traces).toMatchObject({ created: 2, dropped: { sampled: 2 } });
  });

  it('that arrives inside a tenant is linked there as well', async () => {
    const { delivered, registry, spans } = await startWorld(['a'], { install: { incoming: 'link' } });
    registry.run('a', () => {
      const extracted = propagation.extract(contextApi.active(), SAMPLED);
      library().startSpan('job', {}, extracted).end();
    });
    await delivered();
    expect(byName(spans('a'), 'job')).toMatchObject({ parentSpanId: '', links: [{ traceId: TRACE_ID }] });
  });

  it('brings the tenant the baggage that it lets in, as far as the trace is looked at', async () => {
    for (const incoming of ['parent', 'link', 'ignore'] as const) {
      const { registry } = await startWorld(['a', 'b'], {
        install: { incoming },
        tenant: (id) => ({ propagation: { baggage: [id === 'a' ? 'plan' : 'other'] } }),
      });
      const request = inbound('GET', { ...SAMPLED, baggage: 'plan=pro,secret=1,other=2' });
      const sent = (): string | undefined => {
        const headers: Record<string, string> = {};
        propagation.inject(contextApi.active(), headers);
        return headers['baggage'];
      };
      const expected = incoming === 'ignore' ? undefined : 'plan=pro';
      request.run(() => {
        expect(sent()).toBeUndefined();
        library().startActiveSpan('parse', (span) => {
          registry.run('a', () => {
            expect(sent()).toBe(expected);
            expect(registry.get('a').getBaggage('plan')).toBe(expected?.slice(5));
            expect(registry.get('a').getBaggage('secret')).toBeUndefined();
            registry.run('b', () => expect(sent()).toBeUndefined());
          });
          span.end();
        });
        expect(sent()).toBe(expected);
      });
      request.span.end();
      await registry.shutdown();
    }
  });

  it('that arrives inside a tenant is for that tenant', async () => {
    const { delivered, registry, spans } = await startWorld(['a'], {
      tenant: () => ({ propagation: { baggage: ['plan'] } }),
    });
    registry.run('a', () => {
      const extracted = propagation.extract(contextApi.active(), { ...SAMPLED, baggage: 'plan=pro,secret=1' });
      expect(propagation.getBaggage(extracted)?.getAllEntries()).toMatchObject([['plan', { value: 'pro' }]]);
      library().startSpan('job', {}, extracted).end();
    });
    await delivered();
    expect(byName(spans('a'), 'job')).toMatchObject({ traceId: TRACE_ID, parentSpanId: SPAN_ID });
  });
});

describe('the span of the request in a context', () => {
  it('is the one that instrumentation began, until it ends', async () => {
    const { registry } = await startWorld(['a']);
    const request = inbound('GET');
    request.run(() => work('parse'));
    expect(requestSpanIn(request.context)).toBe(request.span);
    request.run(() => registry.run('a', () => {}));
    expect(requestSpanIn(request.context)).toBe(request.span);
    request.span.end();
    expect(requestSpanIn(request.context)).toBeUndefined();
    expect(requestSpanIn(ROOT_CONTEXT)).toBeUndefined();
  });
});
