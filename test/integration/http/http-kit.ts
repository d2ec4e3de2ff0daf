import { SpanKind } from '@opentelemetry/api';
import type { DecodedSpan } from '../../support/otlp-decoder.ts';
import { startTenants, type TenantReceivers, type TenantReceiversOptions } from '../../support/tenant-receivers.ts';

/** OTLP numbers kinds from 1. */
export const SERVER = SpanKind.SERVER + 1;

export interface HttpWorld extends TenantReceivers<string> {
  /** Delivers, and answers the spans that a tenant's receiver has. */
  spans(tenantId?: string): Promise<readonly DecodedSpan[]>;
  /** The SERVER spans, once there are so many: a response may be read before its span has ended. */
  servers(count?: number, tenantId?: string): Promise<DecodedSpan[]>;
}

/** Tenants `tenant-0` and `tenant-1`, or others. */
export async function startWorld(
  ids: readonly string[] = ['tenant-0', 'tenant-1'],
  options?: TenantReceiversOptions<string>,
): Promise<HttpWorld> {
  const tenants = await startTenants<string>(ids, options);
  const spans = async (tenantId = 'tenant-0'): Promise<readonly DecodedSpan[]> => {
    await tenants.registry.flush();
    return tenants.receivers[tenantId]?.spans() ?? [];
  };
  const servers = async (count = 1, tenantId?: string): Promise<DecodedSpan[]> => {
    for (let turn = 0; turn < 20_000; turn += 1) {
      const found = (await spans(tenantId)).filter(({ kind }) => kind === SERVER);
      if (found.length >= count) return found;
      await new Promise(setImmediate);
    }
    throw new Error('the SERVER spans did not come');
  };
  return { ...tenants, spans, servers };
}
