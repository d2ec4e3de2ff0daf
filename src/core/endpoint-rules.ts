import { types } from 'node:util';
import { isPublicAddress, literalAddress } from '../utils/address-policy.ts';
import { describeEndpoint, isLoopback } from '../utils/endpoint.ts';
import type { Headers } from '../utils/headers.ts';
import { callable } from '../utils/option-checks.ts';
import { type Check, type OptionReader, REFUSED } from '../utils/option-reader.ts';
import { Secret } from '../utils/secret.ts';
import type { HeaderFunction } from './destination-options.ts';
import type { EndpointPolicy } from './registry-options.ts';

const POLICY_FUNCTION = callable<Exclude<EndpointPolicy, string>>('');
const POLICY: Check<EndpointPolicy> = {
  accepted: '"any", "public" or a function',
  parse: (value) => (value === 'any' || value === 'public' ? value : POLICY_FUNCTION.parse(value)),
};

/** A policy that cannot be read as it was meant must not let more through: then it is `'public'`. */
export function readEndpointPolicy(reader: OptionReader | undefined): EndpointPolicy {
  const policy = reader?.readOrRefused('endpointPolicy', POLICY) ?? 'any';
  return policy === REFUSED ? 'public' : policy;
}

/** Whether the policy lets spans be sent to `url`, as far as can be told without the DNS; if not, that is an issue. */
export function isAllowed(url: URL, policy: EndpointPolicy, destination: OptionReader): boolean {
  if (policy === 'any') return true;
  const refusal = typeof policy === 'function' ? askPolicy(policy, url) : checkPublic(url);
  if (refusal === undefined) return true;
  const { accepted, received } = refusal;
  destination.issues.add(destination.pathOf('endpoint'), accepted, received);
  return false;
}

/** Whether credentials would travel where others can read them without anybody having said so; that is an issue. */
export function isExposed(
  url: URL,
  headers: Secret<Headers> | HeaderFunction,
  insecure: boolean,
  destination: OptionReader,
): boolean {
  if (insecure || url.protocol !== 'http:' || isLoopback(url)) return false;
  if (headers instanceof Secret && Object.keys(headers.reveal()).length === 0) return false;
  const accepted = 'true, or an https endpoint: headers can be read on the way';
  destination.issues.add(destination.pathOf('insecure'), accepted, `headers for ${describeEndpoint(url.href)}`);
  return true;
}

interface Refusal {
  readonly accepted: string;
  readonly received: string;
}

function checkPublic(url: URL): Refusal | undefined {
  const address = literalAddress(url);
  if (address === undefined || isPublicAddress(address)) return undefined;
  return { accepted: 'a public address (endpointPolicy)', received: describeEndpoint(url.href) };
}

function askPolicy(policy: Exclude<EndpointPolicy, string>, url: URL): Refusal | undefined {
  const accepted = 'an endpoint for which endpointPolicy answers true';
  try {
    const answer: unknown = policy(new URL(url));
    if (answer === true) return undefined;
    if (types.isPromise(answer)) answer.catch(() => {});
    return { accepted, received: describeEndpoint(url.href) };
  } catch {
    return { accepted, received: `${describeEndpoint(url.href)}, for which it throws` };
  }
}
