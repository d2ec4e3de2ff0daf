import { BlockList, isIP } from 'node:net';
import { isLoopback } from '../utils/endpoint.ts';
import type { Secret } from '../utils/secret.ts';

/** What the environment says about proxies. */
export interface ProxyRules {
  /** For `https` endpoints. */
  readonly https: Secret<URL> | undefined;
  /** For `http` endpoints. */
  readonly http: Secret<URL> | undefined;
  /** For gRPC, before the two others. */
  readonly grpc: Secret<URL> | undefined;
  /** `NO_PROXY` */
  readonly bypass: string;
}

/**
 * The proxy for an endpoint, by the rules that curl, Go and others agree on: by the scheme of the endpoint, unless
 * `NO_PROXY` names its host, a domain above it, its address, a subnet of it, each with or without a port, or `*`. This
 * host (`localhost`, loopback addresses) is never reached through a proxy.
 */
export function proxyFor(url: URL, isGrpc: boolean, rules: ProxyRules): Secret<URL> | undefined {
  const proxy = (isGrpc ? rules.grpc : undefined) ?? (url.protocol === 'https:' ? rules.https : rules.http);
  return proxy === undefined || isLoopback(url) || isBypassed(url, rules.bypass) ? undefined : proxy;
}

function isBypassed(url: URL, bypass: string): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return bypass.split(/[\s,]+/).some((entry) => entry !== '' && matches(entry.toLowerCase(), host, port));
}

function matches(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  if (entry.includes('/')) return isInSubnet(host, entry);
  const [, bracketed, plain = entry, entryPort] = /^(?:\[(.+)\]|([^:]+)):?(\d+)?$/.exec(entry) ?? [];
  if (entryPort !== undefined && entryPort !== port) return false;
  const name = (bracketed ?? plain).replace(/^\*?\./, '');
  if (isIP(name) !== 0 || isIP(host) !== 0) return name === host;
  return host === name || host.endsWith(`.${name}`);
}

function isInSubnet(host: string, entry: string): boolean {
  const [network = '', bits = ''] = entry.split('/');
  const family = isIP(network);
  if (family === 0 || isIP(host) !== family || !/^\d{1,3}$/.test(bits) || Number(bits) > (family === 4 ? 32 : 128)) {
    return false;
  }
  const type = family === 4 ? 'ipv4' : 'ipv6';
  const subnet = new BlockList();
  subnet.addSubnet(network, Number(bits), type);
  return subnet.check(host, type);
}
