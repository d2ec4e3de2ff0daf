import { setTimeout } from 'node:timers/promises';
import { SpanKind } from '@opentelemetry/api';
import type { RegistryOptions, Tracer } from '../../../src/index.ts';
import type { DecodedSpan } from '../../support/otlp-decoder.ts';
import { startTenants, type TenantReceivers } from '../../support/tenant-receivers.ts';

/** OTLP numbers kinds from 1. */
export const PRODUCER = SpanKind.PRODUCER + 1;
export const CONSUMER = SpanKind.CONSUMER + 1;
export const ERROR = 2;

/** A consumer group takes three seconds to form. */
const DEADLINE_MILLIS = 25_000;

export type TenantId = 'acme' | 'globex';

export interface MessagingWorld extends TenantReceivers<TenantId> {
  /** Delivers, and answers a tenant's spans, the oldest first. */
  spans(tenantId: TenantId): Promise<readonly DecodedSpan[]>;
  /** The same once a condition holds for them: a queue may have a message processed before the span has ended. */
  until(tenantId: TenantId, holds: (spans: readonly DecodedSpan[]) => boolean): Promise<readonly DecodedSpan[]>;
}

export async function startWorld(
  registry?: RegistryOptions<Tracer>,
  propagation: { readonly baggage: readonly string[] } = { baggage: [] },
): Promise<MessagingWorld> {
  const tenants = await startTenants<TenantId>(['acme', 'globex'], {
    tenant: () => ({ propagation }),
    ...(registry && { registry }),
  });
  const spans = async (tenantId: TenantId): Promise<readonly DecodedSpan[]> => {
    await tenants.registry.flush();
    return [...tenants.receivers[tenantId].spans()].sort((one, other) =>
      Number(one.startTimeUnixNano - other.startTimeUnixNano),
    );
  };
  const until: MessagingWorld['until'] = async (tenantId, holds) => {
    const deadline = Date.now() + DEADLINE_MILLIS;
    while (Date.now() < deadline) {
      const found = await spans(tenantId);
      if (holds(found)) return found;
      await setTimeout(2);
    }
    throw new Error(`the spans did not come; there are ${(await spans(tenantId)).map(({ name }) => name).join(', ')}`);
  };
  return { ...tenants, spans, until };
}

export function named(spans: readonly DecodedSpan[], name: string): DecodedSpan[] {
  return spans.filter((span) => span.name === name);
}

/** The one span of that name. */
export function only(spans: readonly DecodedSpan[], name: string): DecodedSpan {
  const [found, ...others] = named(spans, name);
  if (found === undefined || others.length > 0) throw new Error(`${others.length + 1} or no spans named ${name}`);
  return found;
}
