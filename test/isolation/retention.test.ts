import { EventEmitter } from 'node:events';
import { context as contextApi } from '@opentelemetry/api';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Tracer, TracerRegistry } from '../../src/index.ts';
import { settle } from '../support/fake-clock.ts';

let registry: TracerRegistry;
let a: Tracer;
let b: Tracer;

beforeAll(() => {
  // Spans go nowhere: what keeps them in memory can only be a context.
  registry = new TracerRegistry({ platform: false, maxTenants: 10, drainTimeoutMillis: 0 });
  a = registry.get('a');
  b = registry.get('b');
});

/** How many of the objects are still in memory. */
async function countAlive(refs: readonly WeakRef<object>[]): Promise<number> {
  for (let round = 0; round < 5; round += 1) {
    await settle();
    globalThis.gc?.();
  }
  return refs.filter((ref) => ref.deref() !== undefined).length;
}

/** Something large that is part of a tenant's scope. */
function weigh(tracer: Tracer, refs: WeakRef<object>[]): void {
  const span = tracer.activeSpan();
  if (span !== undefined) refs.push(new WeakRef(span));
}

describe('what a chain of work keeps in memory', () => {
  it('shows at all: spans that are held are alive, and others are not', async () => {
    const refs: WeakRef<object>[] = [];
    const held: unknown[] = [];
    for (let index = 0; index < 10; index += 1) {
      a.withSpan('work', (span) => {
        weigh(a, refs);
        if (index < 3) held.push(span);
      });
    }

    expect(await countAlive(refs)).toBe(3);
    expect(held).toHaveLength(3);
  });

  it('is the last context only when a timer sets itself again and again', async () => {
    const refs: WeakRef<object>[] = [];
    await a.withBaggage(
      { from: 'the start' },
      () =>
        new Promise<void>((resolve) => {
          const tick = (left: number): void =>
            a.withSession(`session ${left}`, () =>
              a.withSpan('tick', () => {
                weigh(a, refs);
                if (left === 0) resolve();
                else setImmediate(tick, left - 1);
              }),
            );
          tick(2_000);
        }),
    );

    expect(refs).toHaveLength(2_001);
    expect(await countAlive(refs)).toBeLessThanOrEqual(2);
  });

  it('is one context for each tenant when two of them set off each other again and again', async () => {
    const refs: WeakRef<object>[] = [];
    let kept = contextApi.active();
    const nest = (left: number): void => {
      const tracer = left % 2 === 0 ? a : b;
      contextApi.with(kept, () =>
        tracer.withSpan('ping', () => {
          weigh(tracer, refs);
          kept = contextApi.active();
        }),
      );
    };
    for (let left = 10_000; left > 0; left -= 1) nest(left);

    expect(refs).toHaveLength(10_000);
    expect(await countAlive(refs)).toBe(2);
    expect(contextApi.with(kept, () => [a.activeSpan(), b.activeSpan()].every((span) => span !== undefined))).toBe(
      true,
    );
  });

  it('is that of the nearest tenants when one after another sets off the next, and the evicted ones go', async () => {
    const refs: WeakRef<object>[] = [];
    const tracers: WeakRef<object>[] = [];
    let kept = contextApi.active();
    for (let tenant = 0; tenant < 1_000; tenant += 1) {
      const tracer = registry.get(`tenant ${tenant}`);
      tracers.push(new WeakRef(tracer));
      contextApi.with(kept, () =>
        tracer.withSpan('work', () => {
          weigh(tracer, refs);
          kept = contextApi.active();
        }),
      );
    }

    expect(await countAlive(refs)).toBeLessThanOrEqual(33);
    expect(await countAlive(tracers)).toBeLessThanOrEqual(33 + 10);
    expect(kept).toBeDefined();
  });

  it('is nothing of a bound function or listener that is gone', async () => {
    const refs: WeakRef<object>[] = [];
    const emitter = new EventEmitter();
    for (let index = 0; index < 100; index += 1) {
      a.withSpan('binds', () => {
        weigh(a, refs);
        a.bind(() => undefined)();
        const listener = (): void => undefined;
        a.bind(emitter).on('event', listener).once('event', listener);
        emitter.emit('event');
        emitter.off('event', listener);
      });
    }

    expect(emitter.listenerCount('event')).toBe(0);
    // The emitter is still bound to the last context.
    expect(await countAlive(refs)).toBe(1);
  });

  it('is nothing of a generator or stream that was left early', async () => {
    const refs: WeakRef<object>[] = [];
    const numbers = a.trace('numbers', async function* () {
      weigh(a, refs);
      for (let number = 0; ; number += 1) yield number;
    });
    for (let index = 0; index < 100; index += 1) {
      for await (const number of numbers()) if (number === 2) break;
    }

    expect(refs).toHaveLength(100);
    expect(await countAlive(refs)).toBe(0);
  });
});
