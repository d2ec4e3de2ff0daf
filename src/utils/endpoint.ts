import { literalAddress } from './address-policy.ts';
import { describeKind, maskSecrets } from './secret.ts';

const MAX_LENGTH = 2_048;
/** As the URL parser writes them: 127.0.0.0/8, also mapped to IPv6, and ::1. */
const LOOPBACK = /^(?:127\.|::1$|::ffff:7f[\da-f]{2}:)/;
const SPACE_OR_CONTROL = /[\s\p{Cc}]/u;

export const ENDPOINT_ACCEPTED = 'an http or https URL without user name and password';

/** An `http` or `https` URL without user name and password, or `undefined`. Credentials belong in headers. */
export function parseEndpoint(value: unknown): URL | undefined {
  if (typeof value !== 'string' || value.length > MAX_LENGTH || SPACE_OR_CONTROL.test(value)) return undefined;
  const url = parseUrl(value);
  if (url === undefined) return undefined;
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return undefined;
  return url.username === '' && url.password === '' ? url : undefined;
}

function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

/** A refused endpoint for a message: without user name, password, query and fragment. Never throws. */
export function describeEndpoint(value: unknown): string {
  if (typeof value !== 'string') return describeKind(value);
  // The last "@" first: what stands before it may be a password with "?" or "#" in it.
  const userinfoEnd = value.lastIndexOf('@') + 1;
  const queryStart = value.slice(userinfoEnd).search(/[?#]/);
  return maskSecrets(queryStart < 0 ? value : value.slice(0, userinfoEnd + queryStart));
}

/** `endpoint` with `suffix` appended to its path; its query stays. */
export function appendPath(endpoint: URL, suffix: string): URL {
  const path = `${endpoint.pathname.replace(/\/+$/, '')}${suffix}`;
  // Setting the path of a copy parses three times.
  return new URL(`${endpoint.origin}${path}${endpoint.search}`);
}

/** `endpoint` with its path, and its query if `path` has one, replaced; the host stays whatever `path` says. */
export function replacePath(endpoint: URL, path: string): URL {
  const url = new URL(endpoint);
  const queryStart = path.indexOf('?');
  url.pathname = queryStart < 0 ? path : path.slice(0, queryStart);
  if (queryStart >= 0) url.search = path.slice(queryStart);
  url.hash = '';
  return url;
}

/** Whether a URL leads to this host and over no network: `localhost` and the loopback addresses, in any spelling. */
export function isLoopback(url: URL): boolean {
  const address = literalAddress(url);
  return address !== undefined && LOOPBACK.test(address);
}

/** Whether `value` can stand after the host of a URL: begins with `/`, without fragment, spaces and control characters. */
export function isUrlPath(value: unknown): value is string {
  return (
    typeof value === 'string' && value.length <= MAX_LENGTH && /^\/[^#]*$/.test(value) && !SPACE_OR_CONTROL.test(value)
  );
}
