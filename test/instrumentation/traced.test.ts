import { afterEach, expect, it } from 'vitest';
import { currentTracer, TracerRegistry, traced } from '../../src/index.ts';
import { type OtlpReceiver, startReceiver } from '../support/otlp-receiver.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function registryWithReceiver(): Promise<{ registry: TracerRegistry; receiver: OtlpReceiver }> {
  const receiver = await startReceiver();
  const registry = new TracerRegistry({ destination: { endpoint: receiver.url } });
  cleanups.push(
    () => receiver.close(),
    () => registry.shutdown(),
  );
  return { registry, receiver };
}

const pay = traced('pay', (amount: number) => amount * 2);

class Orders {
  @traced
  place(): string {
    return currentTracer()?.tenantId ?? 'nobody';
  }
}

it('finds the tenant, of whichever registry, at each call of a function wrapped at module scope', async () => {
  const first = await registryWithReceiver();
  const second = await registryWithReceiver();
  expect(first.registry.run('acme', () => pay(1))).toBe(2);
  expect(second.registry.run('globex', () => pay(2))).toBe(4);
  expect(second.registry.run('globex', () => new Orders().place())).toBe('globex');
  await first.registry.flush();
  await second.registry.flush();
  expect(first.receiver.spans().map(({ name }) => name)).toEqual(['pay']);
  expect(second.receiver.spans().map(({ name }) => name)).toEqual(['pay', 'place']);
});

it('runs without a span outside every tenant', () => {
  expect(currentTracer()).toBeUndefined();
  expect(pay(3)).toBe(6);
  expect(new Orders().place()).toBe('nobody');
});
