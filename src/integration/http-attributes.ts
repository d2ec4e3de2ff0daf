import type { Attributes } from '@opentelemetry/api';
import { joinHeaderLines, readHeader } from '../utils/carrier.ts';
import { redactQuery } from '../utils/redact-url.ts';
import { type Authority, parseAuthority, readForwarded } from './http-authority.ts';

/** What an adapter can tell of a request when it arrives, as the client sent it. */
export interface HttpFacts {
  readonly method: unknown;
  /** Path and query, or a whole URL, as in the request line. */
  readonly target: unknown;
  /** Whatever `readHeader` reads. */
  readonly headers: unknown;
  /** The host that the client asked for: `Host`, or `:authority` of HTTP/2. */
  readonly authority: unknown;
  readonly scheme: 'http' | 'https';
  /** Such as `1.1`, where the server tells it. */
  readonly protocolVersion?: unknown;
  readonly peerAddress?: unknown;
  readonly peerPort?: unknown;
}

/** Parts of a request that more than the span needs. */
export interface RequestLine {
  /** One of the known methods or `_OTHER`. */
  readonly method: string;
  readonly path: string;
  readonly query: string | undefined;
}

/** A longer target is cut, so that redaction takes no time to speak of. */
const MAX_TARGET_LENGTH = 8_192;
const MAX_USER_AGENT_LENGTH = 1_024;
const MAX_METHOD_LENGTH = 64;

export function parseRequestLine({ method, target }: HttpFacts, knownMethods: ReadonlySet<string>): RequestLine {
  const text = typeof target === 'string' ? target.slice(0, MAX_TARGET_LENGTH) : '';
  const hash = text.indexOf('#');
  const whole = hash < 0 ? text : text.slice(0, hash);
  const mark = whole.indexOf('?');
  return {
    method: typeof method === 'string' && knownMethods.has(method) ? method : '_OTHER',
    path: pathOf(mark < 0 ? whole : whole.slice(0, mark)),
    query: mark < 0 ? undefined : whole.slice(mark + 1),
  };
}

/** The attributes of an HTTP server span when it starts, by OpenTelemetry's stable HTTP semantic conventions. */
export function requestAttributes(facts: HttpFacts, line: RequestLine, trustProxy: boolean): Attributes {
  const forwarded = trustProxy ? readForwarded(facts.headers) : undefined;
  const scheme = forwarded?.scheme ?? facts.scheme;
  const server = forwarded?.host ?? parseAuthority(facts.authority);
  const attributes: Attributes = { 'http.request.method': line.method, 'url.scheme': scheme, 'url.path': line.path };
  const put = (key: string, value: unknown): void => {
    if (typeof value === 'number' || (typeof value === 'string' && value !== '')) attributes[key] = value;
  };
  if (line.method === '_OTHER' && typeof facts.method === 'string')
    put('http.request.method_original', facts.method.slice(0, MAX_METHOD_LENGTH));
  if (line.query !== undefined) put('url.query', redactQuery(line.query));
  put('server.address', server?.address);
  put('server.port', server && portOf(server, scheme));
  put('client.address', forwarded?.client ?? facts.peerAddress);
  put('network.peer.address', facts.peerAddress);
  put('network.peer.port', facts.peerPort);
  put('network.protocol.version', protocolVersion(facts.protocolVersion));
  const userAgent = joinHeaderLines(readHeader(facts.headers, 'user-agent'), MAX_USER_AGENT_LENGTH);
  put('user_agent.original', userAgent?.slice(0, MAX_USER_AGENT_LENGTH));
  return attributes;
}

/** `{method} {route}`, or only the method; never the path (HTTP semantic conventions, name). */
export function spanName(method: string, route: string | undefined): string {
  const verb = method === '_OTHER' ? 'HTTP' : method;
  return route === undefined ? verb : `${verb} ${route}`;
}

/** Of a whole URL (RFC 9112, section 3.2.2) the path only: the rest may hold credentials. */
function pathOf(target: string): string {
  const scheme = /^[a-z][a-z\d+.-]*:\/\//i.exec(target);
  if (scheme === null) return target === '' ? '/' : target;
  const slash = target.indexOf('/', scheme[0].length);
  return slash < 0 ? '/' : target.slice(slash);
}

function portOf({ port }: Authority, scheme: string): number {
  return port ?? (scheme === 'https' ? 443 : 80);
}

function protocolVersion(version: unknown): string | undefined {
  return typeof version === 'string' ? version.replace(/^([23])\.0$/, '$1') : undefined;
}
