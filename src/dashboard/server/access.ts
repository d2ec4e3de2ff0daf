import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { TenantScope } from '../store/tenant-scope.ts';
import type { DashboardToken } from './dashboard-options.ts';

/** What the sender of a request may do. */
export interface Access {
  readonly scope: TenantScope;
  readonly canWrite: boolean;
}

export const SESSION_COOKIE = 'isotrace_token';

const FULL_ACCESS: Access = { scope: 'all', canWrite: true };

/** Tells by its token what a request may do; undefined when it has none that is known. */
export class AccessControl {
  readonly #tokens: readonly { readonly digest: Buffer; readonly access: Access }[];

  constructor(tokens: readonly DashboardToken[]) {
    this.#tokens = tokens.map(({ token, tenants, readOnly = false }) => ({
      digest: digestOf(token),
      access: { scope: tenants === undefined ? 'all' : new Set(tenants), canWrite: !readOnly },
    }));
  }

  /** By `Authorization: Bearer`, or by the cookie that a page has. */
  accessOf(headers: IncomingHttpHeaders): Access | undefined {
    if (this.#tokens.length === 0) return FULL_ACCESS;
    const given = tokenOf(headers);
    if (given === undefined) return undefined;
    const digest = digestOf(given);
    // Looks at all of them, and at digests of equal length: the time tells nothing.
    const found = this.#tokens.filter((token) => timingSafeEqual(token.digest, digest));
    return found[0]?.access;
  }
}

/** The token as it was sent. */
export function tokenOf({ authorization, cookie }: IncomingHttpHeaders): string | undefined {
  const [, bearer] = /^Bearer +(\S+)$/i.exec(authorization ?? '') ?? [];
  if (bearer !== undefined) return bearer;
  const pairs = (cookie ?? '').split(/; */).map((pair) => pair.split('=', 2));
  const value = pairs.find(([name]) => name === SESSION_COOKIE)?.[1];
  if (value === undefined) return undefined;
  try {
    return decodeURIComponent(value);
  } catch {
    return undefined;
  }
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
