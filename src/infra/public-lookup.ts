import type { LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { isPublicAddress } from '../utils/address-policy.ts';
import { FORBIDDEN_ADDRESS } from './network-error.ts';

/**
 * Answers what `lookup` answers, if all of it is public, else fails with {@link forbiddenAddress}. Who connects to just
 * these addresses, without asking again, cannot be led into the host's own network by a name that is rebound.
 */
export function createPublicLookup(lookup: LookupFunction): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, answer, family) => {
      if (error) {
        callback(error, []);
        return;
      }
      const addresses = copyAddresses(answer, family);
      const [first] = addresses;
      if (first === undefined || !addresses.every(({ address }) => isPublicAddress(address))) {
        callback(forbiddenAddress(), []);
      } else if (options.all) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}

/** Does not name the address: the endpoint's owner is not to learn what names lead to in the host's network. */
export function forbiddenAddress(): NodeJS.ErrnoException {
  return Object.assign(new Error('the endpoint has an address that is not public'), { code: FORBIDDEN_ADDRESS });
}

/** A copy, so that nobody can exchange an address after it was checked. */
function copyAddresses(answer: string | LookupAddress[], family: number | undefined): LookupAddress[] {
  if (typeof answer === 'string') return [{ address: answer, family: family ?? isIP(answer) }];
  return answer.map(({ address, family: version }) => ({ address, family: version }));
}
