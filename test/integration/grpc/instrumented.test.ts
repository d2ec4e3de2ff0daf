import { createRequire } from 'node:module';
import { Metadata } from '@grpc/grpc-js';
import { propagation, SpanKind, trace } from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { GrpcInstrumentation } from '@opentelemetry/instrumentation-grpc';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { describe, expect, it, onTestFinished } from 'vitest';
import { clientInterceptor, serverInterceptor } from '../../../src/grpc.ts';
import { createSpanProcessor, type TracerRegistry } from '../../../src/index.ts';
import { until } from '../../core/registry-kit.ts';
import { startWorld, type World, work } from '../../routing/routing-kit.ts';
import { echoing, startEcho } from './grpc-service.ts';

const require = createRequire(import.meta.url);
const [SERVER, CLIENT] = [SpanKind.SERVER + 1, SpanKind.CLIENT + 1];
const IDS = ['a', 'b'] as const;

/** One for all tests: a module that was loaded before is not shown to another one. */
const instrumentation = new GrpcInstrumentation();
require('@grpc/grpc-js');
instrumentation.disable();

function as(id: string): Metadata {
  const metadata = new Metadata();
  metadata.set('token', id);
  metadata.set('baggage', 'plan=pro');
  return metadata;
}

/** Calls of two tenants at a time to a server with our interceptor, each kind of method. */
async function callAll(registry: TracerRegistry): Promise<string[]> {
  const seen: string[] = [];
  const during = (metadata: Metadata): void => {
    const tracer = registry.current();
    seen.push(`${tracer?.tenantId} ${String(metadata.get('token')[0])} ${tracer?.getBaggage('plan')}`);
    work('their work');
    registry.withSpan('our work', () => undefined);
    trace.getActiveSpan()?.setAttribute('by.handler', 'kept');
  };
  const tenant = (metadata: Metadata) => String(metadata.get('token')[0]);
  const { client } = await startEcho(echoing(during), [serverInterceptor(registry, { tenant })]);
  const echo = client([clientInterceptor(registry)]);
  await Promise.all(
    IDS.map((id) =>
      registry.run(id, async () => {
        const [unary, up, down, both] = await Promise.all([
          echo.unary('x', as(id)),
          echo.up(['x', 'y'], as(id)),
          echo.down('x,y', as(id)),
          echo.both(['x', 'y'], as(id)),
        ]);
        expect([unary, up, down, both].map(({ messages }) => messages.join())).toEqual(['x', 'x,y', 'x,y', 'x,y']);
      }),
    ),
  );
  await until(() => IDS.every((id) => registry.get(id).stats().open === 0), 'all spans have ended');
  return [...new Set(seen)].sort();
}

/** One CLIENT span of instrumentation and one SERVER span of ours in each call's trace, with the work of its handler. */
function expectCalls(world: World<'a' | 'b'>): void {
  for (const id of IDS) {
    const spans = world.spans(id);
    const servers = spans.filter(({ kind }) => kind === SERVER);
    expect(servers.map(({ name }) => name).sort()).toEqual(
      ['Both', 'Down', 'Unary', 'Up'].map((method) => `test.Echo/${method}`),
    );
    for (const server of servers) {
      expect(server.attributes).toMatchObject({
        'rpc.system.name': 'grpc',
        'rpc.method': server.name,
        'rpc.status_code': 'OK',
      });
      expect(server.attributes).not.toHaveProperty('rpc.service');
      expect(spans.filter(({ kind, spanId }) => kind === CLIENT && spanId === server.parentSpanId)).toHaveLength(1);
      const inside = spans.filter(({ parentSpanId }) => parentSpanId === server.spanId);
      const turns = ['test.Echo/Up', 'test.Echo/Both'].includes(server.name) ? 2 : 1;
      for (const name of ['our work', 'their work']) {
        expect(inside.filter((span) => span.name === name && span.traceId === server.traceId)).toHaveLength(turns);
      }
    }
    expect(spans).toHaveLength(4 + 4 + 2 * 6);
  }
}

describe('the gRPC interceptors beside instrumentation of gRPC', () => {
  it('have one SERVER span of each call, and its handler inside, where the registry owns the globals', async () => {
    const registry = { propagation: { baggage: ['plan'] } };
    const world = await startWorld(IDS, { install: { instrumentations: [instrumentation] }, tenant: () => registry });
    onTestFinished(() => instrumentation.disable());
    expect(await callAll(world.registry)).toEqual(['a a pro', 'b b pro']);
    expect(await world.delivered()).toMatchObject({ platform: [] });
    expectCalls(world);
    for (const id of IDS) {
      for (const server of world.spans(id).filter(({ kind }) => kind === SERVER)) {
        expect(server.attributes['by.handler']).toBe('kept');
      }
    }
    expect(world.registry.stats().lateBinding).toEqual({ waiting: 0, bound: 0, unassigned: 0, expired: 0 });
  });

  it('do so in an SDK of the host that the registry joins, whose own spans are as ever', async () => {
    const world = await startWorld(IDS, {
      install: false,
      tenant: () => ({ propagation: { baggage: ['plan'] } }),
    });
    const exporter = new InMemorySpanExporter();
    const provider = new TracerProvider({
      spanProcessors: [new SimpleSpanProcessor({ exporter }), createSpanProcessor(world.registry)],
    });
    trace.setGlobalTracerProvider(provider);
    propagation.setGlobalPropagator(new W3CTraceContextPropagator());
    expect(world.registry.install()).toMatchObject({ strategy: 'join', found: 'opentelemetry' });
    instrumentation.setTracerProvider(provider);
    instrumentation.enable();
    onTestFinished(() => instrumentation.disable());
    expect(await callAll(world.registry)).toEqual(['a a pro', 'b b pro']);
    expect(await world.delivered()).toMatchObject({ platform: [] });
    expectCalls(world);
    const theirs = exporter.getFinishedSpans().filter(({ kind }) => kind === SpanKind.SERVER);
    expect(theirs).toHaveLength(8);
    for (const { attributes } of theirs) {
      expect(attributes).toMatchObject({ 'rpc.service': 'test.Echo', 'by.handler': 'kept' });
    }
  });

  it('leave calls without a tenant to the instrumentation', async () => {
    const world = await startWorld(IDS, { install: { instrumentations: [instrumentation] } });
    onTestFinished(() => instrumentation.disable());
    const { client } = await startEcho(echoing(), [serverInterceptor(world.registry, { tenant: () => undefined })]);
    expect((await client().unary('x')).messages).toEqual(['x']);
    await until(() => world.registry.stats().lateBinding.waiting === 0, 'the end of the spans');
    expect(await world.delivered()).toEqual({
      a: [],
      b: [],
      platform: ['grpc.test.Echo/Unary', 'grpc.test.Echo/Unary'],
    });
  });
});
