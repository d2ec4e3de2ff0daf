import { SpanKind } from '@opentelemetry/api';
import { describe, expect, it } from 'vitest';
import { Tracer, TracerRegistry } from '../../src/index.ts';
import { expectBalance, names, receiver, registryOf, toReceiver } from './registry-kit.ts';

describe('get', () => {
  it('answers the same tracer for the same tenant and another for another', () => {
    const registry = registryOf({});
    const acme = registry.get('acme');
    expect(acme).toBeInstanceOf(Tracer);
    expect(acme.tenantId).toBe('acme');
    expect(registry.get('acme')).toBe(acme);
    expect(registry.get('globex')).not.toBe(acme);
    expect([...registry.keys()]).toEqual(['globex', 'acme']);
    expect(registry.size).toBe(2);
  });

  it.each([
    ['an empty id', ''],
    ['an id of 129 characters', 'x'.repeat(129)],
    ['a line break', 'a\nb'],
    ['undefined', undefined],
    ['null', null],
    ['a number', 7],
    ['NaN', Number.NaN],
    ['a symbol', Symbol('id')],
    ['an object that looks like an id', { toString: () => 'acme' }],
    ['a String object', new String('acme')],
    ['a revoked proxy', revoked()],
  ])('answers one tracer that does nothing for %s', async (_what, id) => {
    const registry = registryOf({});
    const nobody = registry.get(id as string);
    expect(registry.get('')).toBe(nobody);
    expect(nobody.state).toBe('disabled');
    expect(nobody.withSpan('work', (span) => span.isRecording())).toBe(false);
    expect(registry.size).toBe(0);
    expect(registry.stats()).toMatchObject({ created: 0, traces: { created: 0 } });
  });

  it('sends the spans of each tenant to its own receiver, and no others', async () => {
    const a = await receiver();
    const b = await receiver();
    const registry = registryOf({ configure: (id) => ({ destination: { endpoint: id === 'a' ? a.url : b.url } }) });
    registry.get('a').withSpan('of a', () => registry.get('b').withSpan('of b', () => {}));
    await registry.flush();
    expect(names(a)).toEqual(['of a']);
    expect(names(b)).toEqual(['of b']);
    expectBalance(registry.stats().traces);
  });

  it('makes tracers of the class that the registry was given, and of the plain one when it cannot be constructed', () => {
    class Shouting extends Tracer {
      shout(): string {
        return this.tenantId.toUpperCase();
      }
    }
    const registry = new TracerRegistry({ tracer: Shouting, platform: false });
    expect(registry.get('acme').shout()).toBe('ACME');
    class Broken extends Tracer {
      constructor() {
        super(undefined as never);
      }
    }
    const broken = registryOf({ tracer: Broken });
    expect(broken.get('acme')).toBeInstanceOf(Tracer);
    expect(broken.get('acme').withSpan('work', (span) => span.isRecording())).toBe(true);
    expect(broken.health().errors.api).toBeGreaterThan(0);
  });

  it('never throws, even when the clock that it was given fails', () => {
    const registry = new TracerRegistry({
      logger: { debug: fail, info: fail, warn: fail, error: fail },
      platform: false,
      configure: () => fail() as never,
      clock: { now: () => 0, monotonic: () => 0, toEpoch: () => 0, random: () => 0, schedule: () => fail() as never },
    });
    expect(registry.get('acme').withSpan('work', () => 1)).toBe(1);
  });

  it('does not count peek, has and entries as use, and makes no tracers for them', () => {
    const registry = registryOf({ maxTenants: 2 });
    const first = registry.get('first');
    registry.get('second');
    expect(registry.peek('first')).toBe(first);
    expect(registry.has('first')).toBe(true);
    expect(registry.peek('third')).toBeUndefined();
    expect(registry.has('third')).toBe(false);
    expect([...registry.entries()].map(([id]) => id)).toEqual(['second', 'first']);
    registry.get('third');
    expect([...registry.keys()]).toEqual(['third', 'second']);
  });
});

describe('the tenant of the running code', () => {
  it('is found by current, trace and withSpan, and is none outside', async () => {
    const a = await receiver();
    const registry = registryOf({ configure: toReceiver(a) });
    const pay = registry.trace('pay', (amount: number) => amount * 2);
    expect(registry.current()).toBeUndefined();
    expect(pay(1)).toBe(2);
    expect(registry.withSpan('nobody', (span) => span.isRecording())).toBe(false);
    registry.run('acme', () => {
      expect(registry.current()).toBe(registry.get('acme'));
      expect(pay(2)).toBe(4);
      registry.withSpan('charge', { kind: SpanKind.CLIENT }, () => pay(3));
    });
    await registry.flush();
    expect(names(a)).toEqual(['charge', 'pay', 'pay']);
    expect(a.requests.map(({ headers }) => headers['x-tenant'])).toEqual(['acme']);
  });

  it('is nobody inside of an unknown one, even when that is nested in a known one', async () => {
    const a = await receiver();
    const registry = registryOf({ configure: (id) => (id === 'acme' ? toReceiver(a)(id) : undefined) });
    registry.run('acme', () => registry.run('made up', () => registry.withSpan('hidden', () => {})));
    registry.run('acme', () => registry.withSpan('seen', () => {}));
    await registry.flush();
    expect(names(a)).toEqual(['seen']);
  });

  it('is not that of another registry', () => {
    const one = registryOf({});
    const two = registryOf({});
    one.run('acme', () => {
      expect(two.current()).toBeUndefined();
      expect(two.withSpan('foreign', (span) => span.isRecording())).toBe(false);
    });
  });
});

function fail(): void {
  throw new Error('broken');
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}
