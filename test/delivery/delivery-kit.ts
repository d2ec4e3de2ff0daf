import { expect, onTestFinished } from 'vitest';
import { type LedgerSnapshot, type RegistryOptions, type Tracer, TracerRegistry } from '../../src/index.ts';
import { type OtlpReceiver, type ReceiverOptions, startReceiver } from '../support/otlp-receiver.ts';

const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const PATIENCE_MILLIS = 25_000;

/** A receiver that is closed with the test. */
export async function receiverWith(options?: ReceiverOptions): Promise<OtlpReceiver> {
  const receiver = await startReceiver(options);
  onTestFinished(() => receiver.close());
  return receiver;
}

/** A registry without a platform tracer that is shut down with the test. */
export function registryWith(options: RegistryOptions<Tracer>): TracerRegistry {
  const registry = new TracerRegistry({ logger: SILENT, platform: false, signals: { metrics: false }, ...options });
  onTestFinished(async () => {
    await registry.shutdown({ timeoutMillis: 0 });
  });
  return registry;
}

/** A registry whose tenants have a receiver each, and a platform tracer with one that gets copies. */
export async function copyingWorld(
  options: Omit<RegistryOptions<Tracer>, 'configure'> & { tenant?: (id: string) => object },
) {
  const { tenant = () => ({}), ...rest } = options;
  const platform = await receiverWith();
  const own = { a: await receiverWith(), b: await receiverWith() };
  const registry = registryWith({
    platformCopy: 'all',
    platform: { destination: { endpoint: platform.url, headers: { 'x-key': 'of the platform' } } },
    configure: (id) => ({
      service: { name: `service of ${id}` },
      destination: { endpoint: own[id as 'a' | 'b']?.url ?? '', headers: { 'x-key': `of ${id}` } },
      ...tenant(id),
    }),
    ...rest,
  });
  return { own, platform, registry };
}

/** Ends `count` spans, named by their number. */
export function endSpans(tracer: Tracer, count: number, first = 0): void {
  for (let index = first; index < first + count; index += 1) tracer.startSpan(`${index}`).end();
}

/** Looks every few milliseconds until something holds. */
export async function eventually(holds: () => boolean, what: () => string): Promise<void> {
  const givesUpAt = performance.now() + PATIENCE_MILLIS;
  while (!holds()) {
    if (performance.now() > givesUpAt) throw new Error(`never came true: ${what()}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
}

/** What was created and is neither exported nor queued nor dropped; 0 when the account balances. */
export function missing({ created, exported, queued, spooled, dropped }: LedgerSnapshot): number {
  return created - exported - queued - spooled - Object.values(dropped).reduce((sum, count) => sum + count, 0);
}

/** Fails unless a tenant delivered everything and its receiver has each span once. */
export function expectAllDelivered(tracer: Tracer, receiver: OtlpReceiver, count: number): void {
  expect(tracer.stats().traces).toMatchObject({ created: count, exported: count, queued: 0, dropped: {} });
  expect(new Set(receiver.spans().map(({ spanId }) => spanId)).size).toBe(count);
  expect(receiver.spans()).toHaveLength(count);
}
