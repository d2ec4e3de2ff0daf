import { createHash } from 'node:crypto';
import { readHeader, writeHeader } from '../utils/carrier.ts';

/**
 * The header that tells whose trace context a message carries, without naming the tenant: a digest of the tenant's id and
 * of that very `traceparent`. Whoever knows the id can recompute it, so it separates tenants of one's own systems; it is
 * no proof against those who may write to the queue.
 */
const MARK_HEADER = 'isotrace-mark';
const VERSION = '1';
const DIGEST_LENGTH = 22;

/** Marks the `traceparent` of a carrier as this tenant's; without one there is nothing to mark. Never throws. */
export function markCarrier(tenantId: string, carrier: unknown): void {
  const mark = markOf(tenantId, carrier);
  if (mark !== undefined) writeHeader(carrier, MARK_HEADER, mark);
}

/** Whether the `traceparent` of a carrier was published for this tenant. Never throws. */
export function isMarkedFor(tenantId: string, carrier: unknown): boolean {
  const mark = readHeader(carrier, MARK_HEADER);
  return mark !== undefined && mark === markOf(tenantId, carrier);
}

function markOf(tenantId: string, carrier: unknown): string | undefined {
  const traceparent = readHeader(carrier, 'traceparent');
  if (typeof traceparent !== 'string') return undefined;
  const digest = createHash('sha256').update(`${tenantId}\n${traceparent}`).digest('base64url');
  return `${VERSION}-${digest.slice(0, DIGEST_LENGTH)}`;
}
