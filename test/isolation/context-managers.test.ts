import { type Context, type ContextManager, context as contextApi, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { StackContextManager } from '@opentelemetry/sdk-trace';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { TracerRegistry } from '../../src/index.ts';
import type { DecodedSpan } from '../support/otlp-decoder.ts';
import { SILENT, startTenants } from '../support/tenant-receivers.ts';
import { WrappingContext } from '../support/wrapping-context.ts';

/** A context manager that shows code not the context it was given, but one of its own around it. */
class WrappingContextManager extends AsyncLocalStorageContextManager {
  override with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    context: Context,
    fn: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return super.with(new WrappingContext(context), fn, thisArg, ...args);
  }
}

/** One that is registered and does nothing, as OpenTelemetry's own is before one is registered. */
class IdleContextManager extends AsyncLocalStorageContextManager {
  override active(): Context {
    return ROOT_CONTEXT;
  }
}

const KEY = Symbol('test.key');

const HOSTS: Record<string, () => ContextManager> = {
  "OpenTelemetry's own": () => new AsyncLocalStorageContextManager().enable(),
  'one that wraps contexts': () => new WrappingContextManager().enable(),
};

function parents(spans: Record<string, DecodedSpan>): Record<string, string | undefined> {
  const names = new Map(Object.values(spans).map(({ spanId, name }) => [spanId, name]));
  return Object.fromEntries(Object.values(spans).map(({ name, parentSpanId }) => [name, names.get(parentSpanId)]));
}

afterEach(() => contextApi.disable());

describe('a context manager that the host registered first', () => {
  it.each(Object.keys(HOSTS))('is kept and works for nested tenants: %s', async (kind) => {
    const manager = HOSTS[kind]?.() as ContextManager;
    contextApi.setGlobalContextManager(manager);
    const { registry, received } = await startTenants(['a', 'b']);
    const [a, b] = [registry.get('a'), registry.get('b')];
    const active: unknown[] = [];
    const look = (): void => void active.push([registry.current()?.tenantId, trace.getActiveSpan()?.isRecording()]);
    await a.withSession('s', () =>
      a.withSpan('a1', async () => {
        await new Promise(setImmediate);
        await b.withSpan('b1', async () => {
          await new Promise(setImmediate);
          look();
          a.startActiveSpan('a2', (span) => {
            look();
            contextApi.with(trace.setSpan(contextApi.active(), span), () => a.startSpan('a3').end());
            span.end();
          });
          b.startSpan('b2').end();
        });
        look();
      }),
    );
    look();
    const [ofA, ofB] = [await received('a'), await received('b')];

    expect(active).toEqual([
      ['b', true],
      ['a', true],
      ['a', true],
      [undefined, undefined],
    ]);
    expect(parents(ofA)).toEqual({ a1: undefined, a2: 'a1', a3: 'a2' });
    expect(parents(ofB)).toEqual({ b1: undefined, b2: 'b1' });
    expect(Object.values(ofA).map(({ attributes }) => attributes['session.id'])).toEqual(['s', 's', 's']);
    expect(Object.values(ofB).map(({ attributes }) => attributes)).toEqual([{}, {}]);
    expect(registry.health().errors).toEqual({});
    expect(contextApi.with(ROOT_CONTEXT.setValue(KEY, 1), () => manager.active().getValue(KEY))).toBe(1);
  });

  it('is kept though it follows synchronous code only', async () => {
    contextApi.setGlobalContextManager(new StackContextManager().enable());
    const { registry, received } = await startTenants(['a', 'b']);
    const [a, b] = [registry.get('a'), registry.get('b')];
    a.withSpan('a1', () => b.withSpan('b1', () => a.withSpan('a2', () => b.startSpan('b2').end())));

    expect(parents(await received('a'))).toEqual({ a1: undefined, a2: 'a1' });
    expect(parents(await received('b'))).toEqual({ b1: undefined, b2: 'b1' });
  });

  it('may wrap contexts again and again without an end to it', async () => {
    contextApi.setGlobalContextManager(new WrappingContextManager().enable());
    const { registry, received } = await startTenants(['a', 'b']);
    const [a, b] = [registry.get('a'), registry.get('b')];
    let context = contextApi.active();
    for (let call = 0; call < 10_000; call += 1) {
      const tracer = call % 2 === 0 ? a : b;
      context = contextApi.with(context, () => tracer.run(() => contextApi.active()));
    }
    contextApi.with(context, () => a.withSpan('a1', () => b.startSpan('b1').end()));

    expect(parents(await received('a'))).toEqual({ a1: undefined });
    expect(registry.health().errors).toEqual({});
  });
});

describe('without a context manager of the host', () => {
  it('one is registered, and a later one of the host is refused by OpenTelemetry', async () => {
    expect(contextApi.with(ROOT_CONTEXT.setValue(KEY, 1), () => contextApi.active().getValue(KEY))).toBeUndefined();
    const registry = new TracerRegistry({ platform: false });
    const seen = await registry.get('a').run(async () => {
      await new Promise(setImmediate);
      return registry.current()?.tenantId;
    });

    expect(seen).toBe('a');
    expect(contextApi.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())).toBe(false);
    await registry.shutdown();
  });

  it('one is registered for all registries', () => {
    const register = vi.spyOn(contextApi, 'setGlobalContextManager');
    const [first, second] = [new TracerRegistry({ platform: false }), new TracerRegistry({ platform: false })];
    const seen = first.get('a').run(() => second.get('a').run(() => [first.current(), second.current()?.tenantId]));

    expect(register).toHaveBeenCalledTimes(1);
    expect(seen).toEqual([undefined, 'a']);
  });
});

describe('a context manager that keeps no context', () => {
  it('is reported, and breaks nothing but the nesting', async () => {
    contextApi.setGlobalContextManager(new IdleContextManager().enable());
    const { registry, received } = await startTenants(['a'], { registry: { logger: SILENT } });
    const a = registry.get('a');
    const result = a.withSpan('a1', () => a.withSpan('a2', () => 'result'));

    expect(result).toBe('result');
    expect(registry.health()).toMatchObject({ errors: { context: 1 } });
    expect(registry.health().recentErrors[0]?.message).toContain('does not keep a context');
    expect(parents(await received('a'))).toEqual({ a1: undefined, a2: undefined });
  });
});
