import { onTestFinished } from 'vitest';
import {
  type DiagnosticLogger,
  type HeaderOptions,
  type RegistryOptions,
  type Tracer,
  type TracerOptions,
  TracerRegistry,
} from '../../src/index.ts';
import type { DecodedSpan } from './otlp-decoder.ts';
import { type OtlpReceiver, startReceiver } from './otlp-receiver.ts';

const ignore = (): void => undefined;
/** For tests that provoke failures. */
export const SILENT: DiagnosticLogger = { debug: ignore, info: ignore, warn: ignore, error: ignore };

/** Tenants of one registry, each with a receiver of its own. All are shut down with the test. */
export interface TenantReceivers<Id extends string> {
  readonly registry: TracerRegistry;
  readonly receivers: Readonly<Record<Id, OtlpReceiver>>;
  /** Delivers what waits and returns what a tenant's receiver has, by the name of the span. */
  received(tenantId: Id): Promise<Record<string, DecodedSpan>>;
}

export interface TenantReceiversOptions<Id extends string> {
  readonly registry?: RegistryOptions<Tracer>;
  /** What one tenant has beside its destination. */
  readonly tenant?: (tenantId: Id) => TracerOptions;
  /** The headers of one tenant's destination. */
  readonly headers?: (tenantId: Id) => HeaderOptions | undefined;
}

export async function startTenants<Id extends string>(
  ids: readonly Id[],
  { registry: registryOptions = {}, tenant = () => ({}), headers = () => undefined }: TenantReceiversOptions<Id> = {},
): Promise<TenantReceivers<Id>> {
  const started = await Promise.all(ids.map(async (id) => [id, await startReceiver()] as const));
  const receivers = Object.fromEntries(started) as Record<Id, OtlpReceiver>;
  const registry = new TracerRegistry<Tracer>({
    platform: false,
    logger: SILENT,
    ...registryOptions,
    configure: (tenantId) => {
      const receiver = receivers[tenantId as Id] as OtlpReceiver | undefined;
      const id = tenantId as Id;
      return receiver && { destination: { endpoint: receiver.url, headers: headers(id) }, ...tenant(id) };
    },
  });
  onTestFinished(async () => {
    await registry.shutdown();
    await Promise.all(started.map(([, receiver]) => receiver.close()));
  });
  const received = async (tenantId: Id): Promise<Record<string, DecodedSpan>> => {
    await registry.flush();
    return Object.fromEntries(receivers[tenantId].spans().map((span) => [span.name, span]));
  };
  return { registry, receivers, received };
}
