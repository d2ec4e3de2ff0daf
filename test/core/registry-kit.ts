import diagnosticsChannel from 'node:diagnostics_channel';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished } from 'vitest';
import {
  type DiagnosticEvents,
  type LedgerSnapshot,
  type RegistryOptions,
  type Tracer,
  TracerRegistry,
} from '../../src/index.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';
import { decodeTraceRequest } from '../support/otlp-decoder.ts';
import { type OtlpReceiver, type ReceiverOptions, startReceiver } from '../support/otlp-receiver.ts';

const REAL_MILLIS_PER_STEP = 2;

/** Says nothing. */
export const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** A receiver that is closed when the test is over. */
export async function receiver(options?: ReceiverOptions): Promise<OtlpReceiver> {
  const started = await startReceiver(options);
  onTestFinished(() => started.close());
  return started;
}

/** A registry, without a platform tracer unless asked for, that is shut down when the test is over. */
export function registryOf(options: RegistryOptions<Tracer>): TracerRegistry {
  const registry = new TracerRegistry({ logger: SILENT, platform: false, ...options });
  onTestFinished(async () => {
    await resolveWith(options.clock, registry.shutdown({ timeoutMillis: 0 }));
  });
  return registry;
}

/** A configuration function that sends every tenant to one receiver, with its id as a header. */
export function toReceiver({ url }: OtlpReceiver) {
  return (tenantId: string) => ({ destination: { endpoint: url, headers: { 'x-tenant': tenantId } } });
}

/**
 * Awaits what needs a fake clock to move on. Sockets are real: they get some time of their own for each step, or deadlines
 * would pass before a busy machine has answered at all.
 */
export async function resolveWith<T>(clock: RegistryOptions['clock'], promise: Promise<T>): Promise<T> {
  let done = false;
  void promise.finally(() => {
    done = true;
  });
  while (clock instanceof FakeClock && !done) {
    await clock.advanceAsync(100);
    await sleep(REAL_MILLIS_PER_STEP);
  }
  return promise;
}

/** Lets real sockets and timers run until something holds: so many turns, and on a busy machine 15 s at least. */
export async function until(holds: () => boolean, what: string, turns = 20_000): Promise<void> {
  const givesUpAt = performance.now() + 15_000;
  for (let turn = 0; turn < turns || performance.now() < givesUpAt; turn += 1) {
    if (holds()) return;
    await settle(1);
  }
  throw new Error(`never came true: ${what}`);
}

/** What is published on a diagnostics channel while the test runs. */
export function published<Name extends keyof DiagnosticEvents>(name: Name): DiagnosticEvents[Name][] {
  const messages: DiagnosticEvents[Name][] = [];
  const listener = (message: unknown): void => {
    messages.push(message as DiagnosticEvents[Name]);
  };
  diagnosticsChannel.subscribe(name, listener);
  onTestFinished(() => {
    diagnosticsChannel.unsubscribe(name, listener);
  });
  return messages;
}

/** Fails unless everything that was created is accounted for. */
export function expectBalance({ created, exported, queued, spooled, dropped }: LedgerSnapshot): void {
  const lost = Object.values(dropped).reduce((sum, count) => sum + count, 0);
  expect(exported + queued + spooled + lost).toBe(created);
}

/** Names of the spans that a receiver accepted, in order. */
export function names(from: OtlpReceiver): string[] {
  return from
    .spans()
    .map(({ name }) => name)
    .sort();
}

/** The resource attributes of each accepted request. */
export function resources(from: OtlpReceiver): Record<string, unknown>[] {
  const accepted = from.requests.filter((request) => request.accepted && request.path.endsWith('/v1/traces'));
  return accepted.flatMap(({ body }) =>
    decodeTraceRequest(body).resourceSpans.map(({ resource }) => resource.attributes),
  );
}

/** A promise and the functions that settle it. */
export function deferred<T>() {
  const settle: { resolve: (value: T) => void; reject: (error: unknown) => void } = {
    resolve: () => {},
    reject: () => {},
  };
  const promise = new Promise<T>((resolve, reject) => {
    settle.resolve = resolve;
    settle.reject = reject;
  });
  return { promise, resolve: (value: T) => settle.resolve(value), reject: (error: unknown) => settle.reject(error) };
}

/** Bytes of heap in use once everything that can be collected is. */
export async function heapUsed(): Promise<number> {
  for (let round = 0; round < 5; round += 1) {
    await settle();
    collectedHeap();
  }
  return collectedHeap();
}

/** The same amid one turn of the event loop. */
export function collectedHeap(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}
