import { sanitizeHeaders } from '../utils/headers.ts';
import type { Check, IssueLog } from '../utils/option-reader.ts';
import { describeKind } from '../utils/secret.ts';
import type { DestinationSettings } from './settings.ts';

/** Names that `sanitizeHeaders` lets pass, but a transport leaves out or gives another meaning. */
const UNSUITABLE = /^(?:host|accept-encoding|http2-settings|user-agent|grpc-.*|.*-bin)$/;

/**
 * What every backend and protocol reads alike. Spaces at the ends would be cut off, which makes two tenants one;
 * characters beyond ASCII are read in one encoding or another, and gRPC has none of them.
 */
const VALUE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

export const TENANT_HEADER: Check<string> = {
  accepted: 'the name of a header that the transport does not set itself',
  parse: (value) => {
    if (typeof value !== 'string' || sanitizeHeaders({ [value]: '' }).issues.length > 0) return undefined;
    const name = value.toLowerCase();
    return UNSUITABLE.test(name) ? undefined : name;
  },
  describe: describeKind,
};

/** The destinations that can be told which tenant spans are of; each of the others is an issue. */
export function destinationsFor(
  tenantId: string,
  destinations: readonly DestinationSettings[],
  issues: IssueLog,
): readonly DestinationSettings[] {
  const canTell = ({ tenantHeader }: DestinationSettings) => tenantHeader === undefined;
  if (destinations.every(canTell) || VALUE.test(tenantId)) return destinations;
  const left = destinations.filter(canTell);
  for (let count = left.length; count < destinations.length; count += 1) {
    issues.add('destination.tenantHeader', 'a tenant id of visible ASCII characters', 'a tenant id with others');
  }
  return Object.freeze(left);
}
