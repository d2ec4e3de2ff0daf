import { context as contextApi, propagation, trace } from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { TracerProvider } from '@opentelemetry/sdk-trace';
import { afterEach, describe, expect, it } from 'vitest';
import { createSpanProcessor } from '../../src/index.ts';
import { detectGlobalSdk } from '../../src/infra/global-sdk.ts';
import { fillRegisterSlot, registerSlot } from '../../src/infra/register-slot.ts';
import { inbound, library, startWorld, work } from '../routing/routing-kit.ts';
import { registryOf } from './registry-kit.ts';

/** What isotrace uses of an instrumentation, with a log of it. */
function fakeInstrumentation() {
  const calls: string[] = [];
  return {
    calls,
    tracer: trace.getTracer('none'),
    setTracerProvider(provider: { getTracer(name: string): ReturnType<typeof trace.getTracer> }) {
      calls.push('setTracerProvider');
      this.tracer = provider.getTracer('fake');
    },
    enable: () => void calls.push('enable'),
    disable: () => void calls.push('disable'),
  };
}

afterEach(() => {
  trace.disable();
  propagation.disable();
  Reflect.deleteProperty(globalThis, Symbol.for('isotrace.register'));
});

describe('install', () => {
  it('takes the globals, enables instrumentations in nested lists once, and gives everything back', async () => {
    const [one, two] = [fakeInstrumentation(), fakeInstrumentation()];
    const { delivered, registry } = await startWorld(['a'], { install: { instrumentations: [one, [two, one]] } });
    expect(registry.health()).toMatchObject({ ok: true, installation: { strategy: 'own', found: 'none' } });
    expect(registry.health().installation).not.toHaveProperty('advice');
    registry.run('a', () => two.tracer.startSpan('of an instrumentation').end());
    expect((await delivered()).a).toEqual(['of an instrumentation']);
    const again = registry.install({ strategy: 'isolated' });
    expect(again.strategy).toBe('own');
    again.uninstall();
    expect([one.calls, two.calls]).toEqual(Array(2).fill(['setTracerProvider', 'enable', 'disable']));
    expect(detectGlobalSdk()).toBe('none');
    expect(propagation.fields()).toEqual([]);
    expect(registry.health().installation).toBeUndefined();
  });

  it('takes over what `isotrace/register` prepared, unless another registry has it', async () => {
    const early = fakeInstrumentation();
    fillRegisterSlot([early, null, { enable: 1 }], 'auto-instrumentations-node cannot be used: no');
    const first = registryOf({});
    const installed = first.install();
    expect(installed).toMatchObject({ strategy: 'own', advice: 'auto-instrumentations-node cannot be used: no' });
    const second = registryOf({});
    expect(second.install()).toMatchObject({ strategy: 'isolated', found: 'isotrace' });
    expect(early.calls).toEqual(['setTracerProvider', 'enable']);
    installed.uninstall();
    expect(registerSlot()?.taken).toBe(false);
    first.install();
    expect(early.calls).toEqual(['setTracerProvider', 'enable', 'disable', 'setTracerProvider', 'enable']);
  });

  it('does nothing global with `isolated`', async () => {
    const given = fakeInstrumentation();
    const { delivered, registry } = await startWorld(['a'], {
      install: { strategy: 'isolated', instrumentations: [given] },
    });
    expect(detectGlobalSdk()).toBe('none');
    registry.run('a', () => {
      work('of global code');
      given.tracer.startSpan('of the instrumentation').end();
    });
    expect((await delivered()).a).toEqual(['of the instrumentation']);
  });

  it('with `join` leaves instrumentations to the SDK that is there, and says so', async () => {
    trace.setGlobalTracerProvider(new TracerProvider({}));
    const given = fakeInstrumentation();
    const { registry } = await startWorld(['a'], { install: { instrumentations: [given] } });
    const advice = (): string => registry.health().installation?.advice ?? '';
    expect(advice()).toMatch(
      /add createSpanProcessor\(registry\) to .*; the instrumentations that were given are left/,
    );
    createSpanProcessor(registry);
    expect(advice()).toMatch(/^the instrumentations that were given are left alone/);
    expect(given.calls).toEqual([]);
  });

  it('with `own` replaces what was there, and does not touch what came after it', async () => {
    trace.setGlobalTracerProvider(new TracerProvider({}));
    propagation.setGlobalPropagator(new W3CTraceContextPropagator());
    const { delivered, registry } = await startWorld(['a'], { install: false });
    const installed = registry.install({ strategy: 'own' });
    expect(installed.advice).toBe('the globals belonged to opentelemetry, which gets no more spans');
    expect(propagation.fields()).toContain('baggage');
    const request = inbound('GET');
    request.run(() => registry.run('a', () => {}));
    request.span.end();
    expect((await delivered()).a).toEqual(['GET']);
    trace.disable();
    trace.setGlobalTracerProvider(new TracerProvider({}));
    installed.uninstall();
    expect(detectGlobalSdk()).toBe('opentelemetry');
  });

  it('falls back to the defaults for options that are none, and contains instrumentations that fail', async () => {
    const failing = {
      setTracerProvider: () => {
        throw new Error('no');
      },
      enable: () => {},
      disable: () => {},
    };
    const good = fakeInstrumentation();
    const options = { strategy: 'everything', incoming: 7, instrumentations: [undefined, failing, 'x', good] };
    const { registry } = await startWorld(['a'], { install: options as never });
    expect(registry.health().installation?.strategy).toBe('own');
    expect(registry.health().recentErrors).toMatchObject([{ component: 'api', operation: 'instrumentation' }]);
    expect(good.calls).toEqual(['setTracerProvider', 'enable']);
    expect(registryOf({}).install(null as never).strategy).toBe('isolated');
  });

  it('ends with the registry', async () => {
    const given = fakeInstrumentation();
    const { registry } = await startWorld(['a'], { install: { instrumentations: [given] } });
    await registry.shutdown();
    expect(given.calls.at(-1)).toBe('disable');
    expect(detectGlobalSdk()).toBe('none');
    expect(registry.install()).toMatchObject({ strategy: 'isolated', advice: 'the registry is shut down' });
    expect(given.tracer.startSpan('late').isRecording()).toBe(false);
  });
});

describe('what instrumented code sends on', () => {
  it('is the span and the allowed baggage of its tenant, and of nobody else', async () => {
    const { registry } = await startWorld(['a', 'b'], {
      tenant: (id) => ({ propagation: { baggage: [`of.${id}`] } }),
    });
    const sent = (): Record<string, string> => {
      const headers: Record<string, string> = {};
      propagation.inject(contextApi.active(), headers);
      return headers;
    };
    const request = inbound('GET', { tracestate: 'x=1' });
    request.run(() =>
      registry.get('a').withBaggage({ 'of.a': '1', 'of.b': '2', secret: '3' }, () =>
        library().startActiveSpan('call', (span) => {
          const { traceId, spanId } = span.spanContext();
          expect(sent()).toEqual({ traceparent: `00-${traceId}-${spanId}-03`, baggage: 'of.a=1' });
          registry.run('b', () => expect(sent()).toEqual({}));
          registry.run('nobody knows', () => expect(sent()).toEqual({}));
          span.end();
        }),
      ),
    );
  });

  it('is the waiting span while the tenant is not known', async () => {
    await startWorld(['a']);
    const request = inbound('GET');
    const headers: Record<string, string> = {};
    propagation.inject(request.context, headers);
    const { traceId, spanId } = request.span.spanContext();
    expect(headers).toEqual({ traceparent: `00-${traceId}-${spanId}-03` });
    request.span.end();
  });
});
