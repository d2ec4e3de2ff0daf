import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

/** Why a request is refused before anything else is looked at; undefined when it may go on. */
export type RequestGuard = (request: IncomingMessage) => string | undefined;

const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]'];

/**
 * Keeps pages of other sites out: a request must be for a name of this server, which stops DNS rebinding, and if a
 * browser sends it, come from a page of this server itself. Programs send neither `Origin` nor `Sec-Fetch-Site`.
 */
export function createRequestGuard(host: string, allowedHosts: readonly string[]): RequestGuard {
  const names = new Set([...LOOPBACK_NAMES, ...[host, ...allowedHosts].map(toHostname)]);
  return ({ headers, method }) => {
    const name = hostnameOf(headers.host);
    if (name === undefined || !names.has(name)) return 'the host is not allowed';
    const { origin } = headers;
    if (origin !== undefined && origin !== `http://${headers.host}` && origin !== `https://${headers.host}`) {
      return 'requests from other origins are not allowed';
    }
    const site = headers['sec-fetch-site'];
    if (site === undefined || site === 'same-origin' || site === 'none') return undefined;
    // Somebody follows a link to the page: nothing is read by the other site.
    const isLink = method === 'GET' && headers['sec-fetch-mode'] === 'navigate';
    return isLink ? undefined : 'requests from other sites are not allowed';
  };
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

function hostnameOf(host: string | undefined): string | undefined {
  return /^(\[[\da-f:.]+\]|[\w.-]+)(?::\d{1,5})?$/i.exec(host ?? '')?.[1]?.toLowerCase();
}

function toHostname(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host.toLowerCase();
}
