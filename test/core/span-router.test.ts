import { context as contextApi, ROOT_CONTEXT, SpanKind, trace } from '@opentelemetry/api';
import { suppressTracing } from '@opentelemetry/core';
import { describe, expect, it } from 'vitest';
import { startWorld, work } from '../routing/routing-kit.ts';
import { hostileValues } from '../support/hostile-values.ts';
import { decodeTraceRequest } from '../support/otlp-decoder.ts';
import type { OtlpReceiver } from '../support/otlp-receiver.ts';
import { registryOf } from './registry-kit.ts';

/** The instrumentation scope of each span by the span's name. */
function scopesOf({ requests }: OtlpReceiver): Record<string, string> {
  const groups = requests.flatMap(({ body }) => decodeTraceRequest(body).resourceSpans);
  const scopes = groups.flatMap(({ scopeSpans }) => scopeSpans);
  return Object.fromEntries(
    scopes.flatMap(({ scope, spans }) => spans.map(({ name }) => [name, `${scope?.name}@${scope?.version}`])),
  );
}

describe('a tracer that knows no tenant', () => {
  it('names its instrumentation scope, also after the registry was installed anew', async () => {
    const { delivered, receivers, registry } = await startWorld(['a'], { install: false });
    const first = registry.install();
    registry.run('a', () => {
      trace.getTracer('http', '1').startSpan('one').end();
      trace.getTracer('http').startSpan('two').end();
      registry.get('a').startSpan('own').end();
    });
    first.uninstall();
    registry.install();
    registry.run('a', () => {
      trace.getTracer('pg', '2').startSpan('three').end();
      trace.getTracer('http', '1').startSpan('four').end();
    });
    await delivered();
    expect(scopesOf(receivers.a)).toEqual({
      one: 'http@1',
      two: 'http@',
      three: 'pg@2',
      four: 'http@1',
      own: expect.stringMatching(/^isotrace@/) as string,
    });
  });

  it('is made for at most a thousand scopes; further ones share the scope of isotrace', async () => {
    const { delivered, receivers, registry } = await startWorld(['a']);
    registry.run('a', () => {
      for (let index = 0; index < 1_100; index += 1) trace.getTracer(`scope ${index}`).startSpan(`${index}`).end();
    });
    await delivered();
    const scopes = scopesOf(receivers.a);
    expect(scopes['999']).toBe('scope 999@');
    expect(scopes['1000']).toMatch(/^isotrace@/);
    expect(new Set(Object.values(scopes)).size).toBe(1_001);
  });

  it('starts spans as OpenTelemetry defines it: with options, in a context that is given, active in a function', async () => {
    const { delivered, registry, spans } = await startWorld(['a', 'b']);
    const tracer = trace.getTracer('lib');
    const inB = registry.run('b', () => contextApi.active());
    const results = registry.run('a', () => [
      tracer.startActiveSpan('one', (span) => [span.end(), trace.getActiveSpan() === span, 1].at(-1)),
      tracer.startActiveSpan('two', { kind: SpanKind.CLIENT }, (span) => [span.end(), 2].at(-1)),
      tracer.startActiveSpan('three', {}, inB, (span) => {
        span.end();
        return registry.current()?.tenantId;
      }),
    ]);
    expect(results).toEqual([1, 2, 'b']);
    tracer.startActiveSpan('four', { root: true }, inB, (span) => span.end());
    contextApi.with(suppressTracing(ROOT_CONTEXT), () => work('suppressed'));
    expect(await delivered()).toEqual({ platform: [], a: ['one', 'two'], b: ['four', 'three'] });
    expect(spans('a').find(({ name }) => name === 'two')?.kind).toBe(3);
  });

  it('records nothing for tenants of a registry that is not the installed one', async () => {
    const { delivered } = await startWorld(['a']);
    const other = registryOf({ destination: { endpoint: 'http://127.0.0.1:9' } });
    other.run('x', () => {
      work('of another registry');
      expect(trace.getTracer('lib').startSpan('more').isRecording()).toBe(false);
      other.withSpan('own', (span) => expect(span.isRecording()).toBe(true));
    });
    expect(await delivered()).toEqual({ platform: [], a: [] });
    expect(other.get('x').stats().traces.created).toBe(1);
  });

  it('lets the error of the function out as it is', async () => {
    const { registry } = await startWorld(['a']);
    const error = new Error('of the host');
    const fail = (): never => {
      throw error;
    };
    expect(() => registry.run('a', () => trace.getTracer('lib').startActiveSpan('work', fail))).toThrow(error);
  });

  it('never throws, whatever it is given', async () => {
    const { registry } = await startWorld(['a']);
    for (const run of [(fn: () => void) => registry.run('a', fn), (fn: () => void) => fn()]) {
      for (const { value } of hostileValues()) {
        const hostile = value as never;
        run(() => {
          const tracer = trace.getTracer(hostile, hostile);
          tracer.startSpan(hostile, hostile, hostile).end(hostile);
          tracer.startSpan('x', { attributes: hostile, links: hostile, kind: hostile, startTime: hostile }).end();
          tracer.startActiveSpan('x', hostile, hostile, (span) => span.end());
        });
      }
    }
    expect(registry.stats().lateBinding.waiting).toBe(0);
  });
});
