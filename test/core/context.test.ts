import { EventEmitter, once } from 'node:events';
import { PassThrough } from 'node:stream';
import { type Context, context as contextApi, propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { beforeAll, describe, expect, it } from 'vitest';
import { createTracer, type Tracer, TracerRegistry } from '../../src/index.ts';
import { SILENT, startTenants } from '../support/tenant-receivers.ts';

type Method = (...args: unknown[]) => unknown;

const REMOTE = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1, isRemote: true };

/** Tracers without destinations: what is looked at is the context alone. */
let registry: TracerRegistry;
let a: Tracer;
let b: Tracer;

beforeAll(() => {
  registry = new TracerRegistry({
    platform: false,
    logger: SILENT,
    configure: (id) => (id.startsWith('unknown') ? undefined : { propagation: { baggage: () => true } }),
  });
  a = registry.get('a');
  b = registry.get('b');
});

const currentTenant = (): string | undefined => registry.current()?.tenantId;

describe('run', () => {
  it('runs the function once, as the tenant, and hands out its result', () => {
    let calls = 0;
    const result = a.run(() => {
      calls += 1;
      return currentTenant();
    });

    expect([result, calls, currentTenant()]).toEqual(['a', 1, undefined]);
  });

  it('lets through the very value that the function throws', () => {
    const error = { odd: true };
    let caught: unknown;
    try {
      a.run(() => {
        throw error;
      });
    } catch (thrown) {
      caught = thrown;
    }

    expect(caught).toBe(error);
  });

  it('nests, and restores the tenant around it', async () => {
    const seen: unknown[] = [];
    await a.run(async () => {
      seen.push(currentTenant());
      await b.run(async () => {
        await Promise.resolve();
        seen.push(currentTenant());
        a.run(() => seen.push(currentTenant()));
        seen.push(currentTenant());
      });
      seen.push(currentTenant());
    });

    expect(seen).toEqual(['a', 'b', 'a', 'b', 'a']);
  });

  it('does not call what is no function', () => {
    expect(a.run('no function' as never)).toBeUndefined();
  });
});

describe('withBaggage and getBaggage', () => {
  it('add to what the tenant has, for the function only', () => {
    const seen = a.withBaggage({ one: '1', two: '2' }, () => {
      const inner = a.withBaggage({ two: 'zwei', three: '3' }, () =>
        ['one', 'two', 'three'].map((key) => a.getBaggage(key)),
      );
      return [inner, a.getBaggage('two'), a.getBaggage('three')];
    });

    expect(seen).toEqual([['1', 'zwei', '3'], '2', undefined]);
    expect(a.getBaggage('one')).toBeUndefined();
  });

  it('follow asynchronous work and the spans in it', async () => {
    const value = await a.withBaggage({ key: 'value' }, async () => {
      await new Promise(setImmediate);
      return await a.withSpan('inner', async () => {
        await Promise.resolve();
        return a.getBaggage('key');
      });
    });

    expect(value).toBe('value');
  });

  it('are of one tenant: another around or inside it has its own, and OpenTelemetry sees that of the inner one', () => {
    const seen = a.withBaggage({ of: 'a' }, () =>
      b.run(() => {
        const before = [b.getBaggage('of'), a.getBaggage('of'), propagation.getActiveBaggage()];
        return b.withBaggage({ of: 'b' }, () => [
          ...before,
          b.getBaggage('of'),
          a.getBaggage('of'),
          propagation.getActiveBaggage()?.getEntry('of')?.value,
          a.run(() => a.getBaggage('of')),
        ]);
      }),
    );

    expect(seen).toEqual([undefined, 'a', undefined, 'b', 'a', 'b', 'a']);
  });

  it('take what host code sets through OpenTelemetry inside the tenant', () => {
    const value = a.run(() => {
      const baggage = propagation.createBaggage({ key: { value: 'set by the host' } });
      return contextApi.with(propagation.setBaggage(contextApi.active(), baggage), () => a.getBaggage('key'));
    });

    expect(value).toBe('set by the host');
  });

  it('leave out what is no string, and never throw', () => {
    const entries = { good: 'yes', number: 1, object: {}, '': 'no key' } as unknown as Record<string, string>;
    const throwing = new Proxy(
      {},
      {
        ownKeys: () => {
          throw new Error('no keys');
        },
      },
    );

    expect(a.withBaggage(entries, () => ['good', 'number', 'object', ''].map((key) => a.getBaggage(key)))).toEqual([
      'yes',
      undefined,
      undefined,
      undefined,
    ]);
    expect(a.withBaggage(throwing, currentTenant)).toBe('a');
    expect(a.withBaggage(null as never, currentTenant)).toBe('a');
    expect(a.getBaggage(Symbol('key') as never)).toBeUndefined();
  });

  it('look at 256 entries at most', () => {
    const entries = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`k${index}`, 'v']));

    expect(a.withBaggage(entries, () => [a.getBaggage('k255'), a.getBaggage('k256')])).toEqual(['v', undefined]);
  });
});

describe('withSession', () => {
  it('nests and restores, and a tenant inside has none of it', () => {
    const seen = a.withSession('outer', () => [
      a.sessionId(),
      a.withSession({ id: 'inner' }, () => [a.sessionId(), b.run(() => [b.sessionId(), a.sessionId()])]),
      a.sessionId(),
    ]);

    expect(seen).toEqual(['outer', ['inner', [undefined, 'inner']], 'outer']);
    expect(a.sessionId()).toBeUndefined();
  });

  it('makes an id where none is given that can be one', () => {
    const uuid = expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    const odd = [{}, '', { id: '' }, { id: 7 }, null, undefined, Symbol('session')] as never[];

    expect(odd.map((session) => a.withSession(session, () => a.sessionId()))).toEqual(odd.map(() => uuid));
    expect(a.withSession('x'.repeat(200), () => a.sessionId())).toBe('x'.repeat(128));
  });

  it('is an attribute of the spans that start inside, and only of those', async () => {
    const { registry: withReceivers, received } = await startTenants(['a', 'b']);
    const [one, other] = [withReceivers.get('a'), withReceivers.get('b')];
    one.startSpan('before').end();
    await one.withSession('s1', async () => {
      await one.withSpan('inside', async () => {
        await Promise.resolve();
        other.withSpan('of another tenant', () => one.startSpan('back').end());
        one.withSession('s2', () => one.startSpan('in the inner session').end());
      });
      one.startSpan('inside again').end();
    });

    const sessions = Object.values(await received('a')).map(({ name, attributes }) => [name, attributes['session.id']]);
    expect(Object.fromEntries(sessions)).toEqual({
      before: undefined,
      inside: 's1',
      back: 's1',
      'in the inner session': 's2',
      'inside again': 's1',
    });
    expect((await received('b'))['of another tenant']?.attributes).toEqual({});
  });
});

describe('bind for a function', () => {
  it("keeps the tenant's context as it was, with this, arguments, name and length", () => {
    const bound = a.withBaggage({ key: 'then' }, () =>
      a.bind(function job(this: unknown, first: number, second: number): unknown[] {
        return [this, currentTenant(), a.getBaggage('key'), first, second];
      }),
    );
    const self = {};

    expect(b.run(() => bound.call(self, 1, 2))).toEqual([self, 'a', 'then', 1, 2]);
    expect([bound.name, bound.length, currentTenant()]).toEqual(['job', 2, undefined]);
  });

  it('lets through what the function throws', () => {
    const error = new Error('of the job');
    const bound = a.bind(() => {
      throw error;
    });

    expect(bound).toThrow(error);
  });

  it('gives back what can be bound no better', () => {
    const targets = [undefined, null, 7, 'text', {}] as never[];

    expect(targets.map((target) => a.bind(target))).toEqual(targets);
  });
});

describe('bind for an emitter', () => {
  it('runs the listeners that are added from then on in the context of the tenant', () => {
    const emitter = new EventEmitter();
    const seen: unknown[][] = [];
    emitter.on('event', () => seen.push(['before', currentTenant()]));
    a.withSession('s', () => expect(a.bind(emitter)).toBe(emitter));
    for (const method of ['on', 'addListener', 'prependListener', 'once', 'prependOnceListener'] as const) {
      emitter[method]('event', () => seen.push([method, currentTenant(), a.sessionId()]));
    }
    b.run(() => emitter.emit('event'));
    const first = seen.splice(0);
    emitter.emit('event');

    expect(first).toEqual([
      ['prependOnceListener', 'a', 's'],
      ['prependListener', 'a', 's'],
      ['before', 'b'],
      ['on', 'a', 's'],
      ['addListener', 'a', 's'],
      ['once', 'a', 's'],
    ]);
    expect(seen.map(([method]) => method)).toEqual(['prependListener', 'before', 'on', 'addListener']);
  });

  it('of one tenant does not catch the listeners of another that binds it too', () => {
    const emitter = new EventEmitter();
    const seen: unknown[] = [];
    a.bind(emitter).on('event', () => seen.push(currentTenant()));
    b.bind(emitter).on('event', () => seen.push(currentTenant()));
    a.withSession('later', () => a.bind(emitter)).on('event', () => seen.push(a.sessionId()));
    emitter.emit('event');

    expect(seen).toEqual(['a', 'b', 'later']);
  });

  it('passes this, the arguments and the result on', async () => {
    const emitter = a.bind(new EventEmitter({ captureRejections: true }));
    const seen: unknown[] = [];
    const listener = function (this: unknown, ...args: unknown[]): unknown {
      seen.push(this, ...args);
      return Promise.reject(new Error('captured'));
    };
    emitter.on('event', listener as () => void);
    const failed = once(emitter, 'error').then(([error]) => error as unknown);
    emitter.emit('event', 1, 2);

    expect(await failed).toMatchObject({ message: 'captured' });
    expect(seen).toEqual([emitter, 1, 2]);
  });

  it.each(['off', 'removeListener'] as const)('lets listeners be removed with %s', (remove) => {
    const emitter = a.bind(new EventEmitter());
    const calls: string[] = [];
    const listener = (): void => void calls.push('listener');
    emitter.on('event', listener).on('event', listener).once('event', listener);
    expect(emitter.listeners('event')).toEqual([listener, listener, listener]);
    emitter[remove]('event', listener)[remove]('event', listener);
    emitter.emit('event');
    emitter[remove]('event', listener);
    emitter[remove]('event', listener);
    emitter.emit('event');

    expect(calls).toEqual(['listener']);
    expect(emitter.listenerCount('event')).toBe(0);
  });

  it('lets all listeners be removed, of one event and of all', () => {
    const emitter = a.bind(new EventEmitter());
    const listener = (): void => undefined;
    for (const event of ['one', 'two', 'three']) emitter.on(event, listener);
    emitter.removeAllListeners('one');
    expect(emitter.eventNames()).toEqual(['two', 'three']);
    emitter.removeAllListeners();
    emitter.on('one', listener).off('one', listener);

    expect(emitter.eventNames()).toEqual([]);
  });

  it('keeps what the emitter tells of itself', () => {
    const emitter = a.bind(new EventEmitter());
    const told: unknown[] = [];
    const listener = (): void => undefined;
    emitter.on('newListener', (event, added) => told.push(['new', event, added]));
    emitter.on('removeListener', (event, removed) => told.push(['removed', event, removed]));
    told.length = 0;
    emitter.once('event', listener);
    emitter.emit('event');

    expect(told).toEqual([
      ['new', 'event', listener],
      ['removed', 'event', listener],
    ]);
    expect(Object.keys(emitter)).toEqual(Object.keys(new EventEmitter()));
  });

  it('works beside a bind of OpenTelemetry: the last to bind decides, and listeners can be removed', () => {
    const calls: unknown[] = [];
    const listener = (): void => void calls.push(currentTenant());
    const first = a.bind(contextApi.bind(ROOT_CONTEXT, new EventEmitter()));
    const last = contextApi.bind(ROOT_CONTEXT, a.bind(new EventEmitter()));
    for (const emitter of [first, last]) {
      emitter.on('event', listener);
      emitter.emit('event');
      emitter.off('event', listener);
      emitter.emit('event');
    }

    expect(calls).toEqual(['a', undefined]);
  });

  it('works for streams, which add listeners in ways of their own', async () => {
    const stream = a.bind(new PassThrough());
    const seen: unknown[] = [];
    stream.on('data', (chunk: Buffer) => seen.push([String(chunk), currentTenant()]));
    stream.once('end', () => seen.push(['end', currentTenant()]));
    b.run(() => stream.end('chunk'));
    await once(stream, 'close');

    expect(seen).toEqual([
      ['chunk', 'a'],
      ['end', 'a'],
    ]);
  });

  it('leaves an emitter as it is that takes no properties, and what is no listener to Node', () => {
    const frozen = Object.freeze(new EventEmitter());
    const emitter = a.bind(new EventEmitter());
    const add = (method: string): unknown => (emitter as unknown as Record<string, Method>)[method]?.('event', 'text');

    expect(a.bind(frozen)).toBe(frozen);
    for (const method of ['on', 'once', 'off']) expect(() => add(method)).toThrow(TypeError);
  });
});

describe('a tenant that does not exist', () => {
  it('hides the tenant around it', () => {
    const seen = a.withBaggage({ key: 'of a' }, () =>
      a.withSpan('outer', () =>
        registry.run('unknown', () => [trace.getActiveSpan(), propagation.getActiveBaggage(), currentTenant()]),
      ),
    );

    expect(seen).toEqual([undefined, undefined, 'nobody']);
  });

  it('hands nothing on to another that does not exist either, though one tracer serves both', () => {
    const headers = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, baggage: 'key=inbound' };
    const first = registry.get('unknown 1');
    const second = registry.get('unknown 2');
    const look = (): unknown[] => [second.getBaggage('key'), second.sessionId(), second.inject({})];

    const setByHost = (): Context => {
      const context = trace.setSpanContext(contextApi.active(), REMOTE);
      return propagation.setBaggage(context, propagation.createBaggage({ key: { value: 'secret' } }));
    };

    expect(first.run(() => contextApi.with(setByHost(), look))).toEqual([undefined, undefined, {}]);
    expect(first.withBaggage({ key: 'secret' }, () => second.run(look))).toEqual([undefined, undefined, {}]);
    expect(first.withSession('secret', look)).toEqual([undefined, undefined, {}]);
    expect(first.continueFrom(headers, look)).toEqual([undefined, undefined, {}]);
    expect(first.continueFrom(headers, { incoming: 'link' }, () => second.run(look))).toEqual([
      undefined,
      undefined,
      {},
    ]);
  });
});

describe('a tracer without a registry', () => {
  it('is as separate as those of a registry', () => {
    const alone = createTracer({ tenantId: 'a' });
    const seen = a.withBaggage({ key: 'of a' }, () =>
      alone.run(() => [alone.getBaggage('key'), currentTenant(), a.getBaggage('key')]),
    );

    expect(seen).toEqual([undefined, undefined, 'of a']);
  });
});
