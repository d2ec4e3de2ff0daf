import { within } from '../lifecycle/deadline.ts';
import type { Clock } from '../utils/clock.ts';
import { IsotraceError } from '../utils/errors.ts';
import type { Guard } from '../utils/guard.ts';
import { type Headers, sanitizeHeaders } from '../utils/headers.ts';
import { isOptionsObject } from '../utils/option-reader.ts';
import { Secret } from '../utils/secret.ts';
import type { HeaderFunction, HeaderRecord } from './destination-options.ts';

export interface HeaderRequest {
  readonly tenantId: string;
  /** The header that tells the receiver the tenant's id, in lower case. */
  readonly tenantHeader?: string | undefined;
  /** How long the user's function may take. */
  readonly timeoutMillis: number;
  readonly guard: Guard;
  readonly clock: Clock;
}

/**
 * The headers for one attempt: those given once, at once, or what the user's function says now. Rejects when the
 * function throws, rejects, takes too long or returns something that is no record of headers, so that the attempt
 * counts as failed. Never throws.
 */
export function resolveHeaders(
  source: Secret<Headers> | HeaderFunction,
  request: HeaderRequest,
): Headers | Promise<Headers> {
  if (source instanceof Secret) return withTenant(source.reveal(), request);
  return readHeaders(source, request).then((headers) => withTenant(headers, request));
}

function withTenant(headers: Headers, { tenantHeader, tenantId }: HeaderRequest): Headers {
  // Last: nothing that a headers function says can name another tenant.
  return tenantHeader === undefined ? headers : { ...headers, [tenantHeader]: tenantId };
}

async function readHeaders(source: HeaderFunction, request: HeaderRequest): Promise<Headers> {
  const { guard, tenantId } = request;
  try {
    const answer: unknown = await inTime(source(tenantId), request);
    if (!isOptionsObject(answer)) throw new IsotraceError('hook_failed', 'headers returned no record');
    const { headers, issues } = sanitizeHeaders(answer);
    for (const { accepted, option, received } of issues) {
      guard.report('headers', option, `accepted: ${accepted}; received: ${received}`);
    }
    return headers;
  } catch (error) {
    guard.report('headers', 'headers', error);
    throw error;
  }
}

async function inTime(given: HeaderRecord | Promise<HeaderRecord>, request: HeaderRequest): Promise<HeaderRecord> {
  if (typeof (given as Partial<Promise<HeaderRecord>> | undefined)?.then !== 'function') return given;
  const { clock, timeoutMillis } = request;
  const answer = Promise.resolve(given);
  if (await within(clock, timeoutMillis, answer)) return answer;
  throw new IsotraceError('hook_failed', `headers did not answer within ${timeoutMillis} ms`);
}
