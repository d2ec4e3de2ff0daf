import { context, trace } from '@opentelemetry/api';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { TracerRegistry } from '../../src/index.ts';
import type { OtlpReceiver } from '../support/otlp-receiver.ts';
import { names, receiver, SILENT } from './registry-kit.ts';

type Isotrace = typeof import('../../src/index.ts');

async function copy(target: OtlpReceiver): Promise<TracerRegistry> {
  vi.resetModules();
  const isotrace: Isotrace = await import('../../src/index.ts');
  return new isotrace.TracerRegistry({
    logger: SILENT,
    platform: false,
    boundary: 'isolate',
    destination: { endpoint: target.url },
    propagation: { baggage: ['user'] },
  });
}

describe('two copies of the package in one process', () => {
  let targets: [OtlpReceiver, OtlpReceiver];
  let one: TracerRegistry;
  let two: TracerRegistry;

  beforeEach(async () => {
    targets = [await receiver(), await receiver()];
    one = await copy(targets[0]);
    two = await copy(targets[1]);
    expect(one.constructor).not.toBe(two.constructor);
  });

  async function end(): Promise<void> {
    await Promise.all([one.shutdown(), two.shutdown()]);
  }

  const spanOf = (target: OtlpReceiver, name: string) => target.spans().find((span) => span.name === name);

  it('do not adopt the spans of one another, and find the way back to their own', async () => {
    one.get('a').withSpan('a outer', () => {
      two.get('b').withSpan('b', () => {
        expect(trace.getActiveSpan()?.spanContext()).toBe(two.get('b').activeSpan()?.spanContext());
        one.get('a').withSpan('a inner', () => two.get('b').withSpan('b inner', () => {}));
      });
    });
    await end();
    expect(names(targets[0])).toEqual(['a inner', 'a outer']);
    expect(names(targets[1])).toEqual(['b', 'b inner']);
    const [outer, inner] = [spanOf(targets[0], 'a outer'), spanOf(targets[0], 'a inner')];
    const [b, bInner] = [spanOf(targets[1], 'b'), spanOf(targets[1], 'b inner')];
    expect(inner?.parentSpanId).toBe(outer?.spanId);
    expect(bInner?.parentSpanId).toBe(b?.spanId);
    expect(outer?.parentSpanId).toBe('');
    expect(b?.parentSpanId).toBe('');
    expect(b?.traceId).not.toBe(outer?.traceId);
    expect(b?.links).toEqual([]);
  });

  it('keep tenants of the same name apart', async () => {
    one.get('acme').withSpan('of one', () => two.get('acme').withSpan('of two', () => {}));
    await end();
    expect(names(targets[0])).toEqual(['of one']);
    expect(names(targets[1])).toEqual(['of two']);
    expect(spanOf(targets[1], 'of two')?.parentSpanId).toBe('');
  });

  it('mask the tenant of the other copy for wrappers, current and ordinary OpenTelemetry code', async () => {
    const pay = one.trace('pay', () => 'paid');
    one.run('a', () => {
      expect(pay()).toBe('paid');
      two.run('b', () => {
        expect(one.current()).toBeUndefined();
        expect(two.current()?.tenantId).toBe('b');
        expect(pay()).toBe('paid');
        expect(trace.getActiveSpan()).toBeUndefined();
        two.get('b').withSpan('in b', (span) => expect(trace.getActiveSpan()).toBe(span));
      });
      expect(one.current()?.tenantId).toBe('a');
      expect(pay()).toBe('paid');
    });
    expect(context.active().getValue(Symbol.for('isotrace.scope'))).toBeUndefined();
    await end();
    expect(names(targets[0])).toEqual(['pay', 'pay']);
    expect(names(targets[1])).toEqual(['in b']);
  });

  it('pass no baggage, session or trace on', async () => {
    const a = one.get('a');
    const b = two.get('b');
    a.withBaggage({ user: 'alice' }, () =>
      a.withSession('session of a', () =>
        a.withSpan('a', () => {
          b.withSpan('b', () => {
            expect(b.getBaggage('user')).toBeUndefined();
            expect(b.sessionId()).toBeUndefined();
            const carrier: Record<string, string> = b.inject({});
            expect(carrier['baggage']).toBeUndefined();
            expect(carrier['traceparent']).toContain(b.activeSpan()?.spanContext().traceId);
            expect(a.getBaggage('user')).toBe('alice');
          });
        }),
      ),
    );
    await end();
    expect(spanOf(targets[1], 'b')?.attributes).not.toHaveProperty('session.id');
    expect(spanOf(targets[0], 'a')?.attributes).toMatchObject({ 'session.id': 'session of a' });
  });
});
