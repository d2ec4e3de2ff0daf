import type { Context, Span, SpanOptions } from '@opentelemetry/api';
import { context as contextApi, propagation, ROOT_CONTEXT, SpanKind, trace } from '@opentelemetry/api';
import { onTestFinished } from 'vitest';
import type { InstallOptions, RegistryOptions, Tracer, TracerOptions, TracerRegistry } from '../../src/index.ts';
import { expectBalance, registryOf, resolveWith } from '../core/registry-kit.ts';
import type { FakeClock } from '../support/fake-clock.ts';
import type { DecodedSpan } from '../support/otlp-decoder.ts';
import { type OtlpReceiver, startReceiver } from '../support/otlp-receiver.ts';

/** A registry with a receiver for its platform tracer and one for each tenant. */
export interface World<Id extends string> {
  readonly registry: TracerRegistry;
  readonly platform: OtlpReceiver;
  readonly receivers: Readonly<Record<Id, OtlpReceiver>>;
  /** Delivers what waits, and answers the names of what each has. */
  delivered(): Promise<Record<Id | 'platform', string[]>>;
  spans(at: Id | 'platform'): readonly DecodedSpan[];
}

export interface WorldOptions<Id extends string> {
  readonly registry?: RegistryOptions<Tracer>;
  readonly tenant?: (id: Id) => TracerOptions;
  readonly install?: InstallOptions | false;
  readonly clock?: FakeClock;
}

/** Nothing global is left behind. */
export async function startWorld<Id extends string>(
  ids: readonly Id[],
  { registry: options = {}, tenant = () => ({}), install = {}, clock }: WorldOptions<Id> = {},
): Promise<World<Id>> {
  const platform = await startReceiver();
  const started = await Promise.all(ids.map(async (id) => [id, await startReceiver()] as const));
  const receivers = Object.fromEntries(started) as Record<Id, OtlpReceiver>;
  onTestFinished(async () => {
    trace.disable();
    propagation.disable();
    await Promise.all([platform, ...Object.values<OtlpReceiver>(receivers)].map((receiver) => receiver.close()));
  });
  const registry = registryOf({
    platform: { destination: { endpoint: platform.url }, signals: { metrics: false } },
    configure: (id) =>
      id in receivers ? { destination: { endpoint: receivers[id as Id].url }, ...tenant(id as Id) } : undefined,
    ...(clock !== undefined && { clock }),
    ...options,
  });
  if (install !== false) registry.install(install);
  const spans = (at: Id | 'platform'): readonly DecodedSpan[] =>
    (at === 'platform' ? platform : receivers[at as Id]).spans();
  return {
    registry,
    platform,
    receivers,
    spans,
    delivered: async () => {
      await resolveWith(clock, registry.flush());
      expectBalance(registry.stats().traces);
      const all = ['platform' as const, ...ids].map(
        (at) =>
          [
            at,
            spans(at)
              .map(({ name }) => name)
              .sort(),
          ] as const,
      );
      return Object.fromEntries(all) as Record<Id | 'platform', string[]>;
    },
  };
}

/** A request as instrumentation of an HTTP server begins it: outside of every tenant. */
export interface Inbound {
  readonly span: Span;
  readonly context: Context;
  run<T>(fn: () => T): T;
}

export function inbound(name: string, headers: Readonly<Record<string, string>> = {}, options?: SpanOptions): Inbound {
  const extracted = propagation.extract(ROOT_CONTEXT, headers);
  const span = library().startSpan(name, { kind: SpanKind.SERVER, ...options }, extracted);
  const context = trace.setSpan(extracted, span);
  return { span, context, run: (fn) => contextApi.with(context, fn) };
}

/** A tracer of code that knows nothing of tenants. */
export function library() {
  return trace.getTracer('a library', '1.2.3');
}

/** A span of such code in the running context, ended at once. */
export function work(name: string): void {
  library().startActiveSpan(name, (span) => span.end());
}

export function byName(spans: readonly DecodedSpan[], name: string): DecodedSpan {
  const found = spans.filter((span) => span.name === name);
  if (found.length !== 1) throw new Error(`${found.length} spans are called ${name}`);
  return found[0] as DecodedSpan;
}
