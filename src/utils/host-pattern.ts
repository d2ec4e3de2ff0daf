import { domainToASCII } from 'node:url';

/** Where outgoing calls may go, as a user writes it; see {@link parseHostPattern}. */
export interface HostPattern {
  /** As it was given, for comparing. */
  readonly text: string;
  /** With its colon, as `URL` has it; any when absent. */
  readonly protocol: string | undefined;
  /** In lower case; of a wildcard with its dot in front, and empty for every host. */
  readonly host: string;
  readonly isWildcard: boolean;
  /** Any when absent. */
  readonly port: string | undefined;
}

export const HOST_PATTERN_ACCEPTED = "a host such as 'api.example.com', '*.example.com', 'host:8080' or an origin";

const MAX_LENGTH = 256;
const PATTERN = /^(?:([a-z][a-z\d+.-]*):\/\/)?(\*|\[[\da-f:.]+\]|(?:\*\.)?[^\s*:/?#@[\]\\]+)(?::(\d{1,5}))?\/?$/i;
const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' };

/**
 * One host (`api.example.com`, at any port), one with a port (`api.example.com:8080`), an origin
 * (`https://api.example.com`), all hosts below a domain but not itself (`*.example.com`), or every host (`*`).
 * `undefined` for anything else.
 */
export function parseHostPattern(text: unknown): HostPattern | undefined {
  if (typeof text !== 'string' || text.length > MAX_LENGTH) return undefined;
  const [, scheme, name = '', port] = PATTERN.exec(text) ?? [];
  const isWildcard = name.startsWith('*');
  const bare = isWildcard ? name.slice(2) : name;
  const host = bare.startsWith('[') ? ipv6Host(bare) : asciiHost(bare);
  if (name === '' || (host === '' && name !== '*') || Number(port ?? 0) > 65_535) return undefined;
  const protocol = scheme === undefined ? undefined : `${scheme.toLowerCase()}:`;
  return Object.freeze({
    text,
    protocol,
    host: isWildcard && host !== '' ? `.${host}` : host,
    isWildcard,
    port: port === undefined ? protocol && DEFAULT_PORTS[protocol] : String(Number(port)),
  });
}

/** Whether a call to `url` goes where the pattern says; its path and query do not count. */
export function matchesHost(pattern: HostPattern, url: URL): boolean {
  if (pattern.protocol !== undefined && pattern.protocol !== url.protocol) return false;
  if (pattern.port !== undefined && pattern.port !== (url.port || DEFAULT_PORTS[url.protocol])) return false;
  // Of schemes that the URL standard does not know, the host keeps its case.
  const host = url.hostname.toLowerCase().replace(/\.$/, '');
  return pattern.isWildcard ? host.endsWith(pattern.host) && host.length > pattern.host.length : host === pattern.host;
}

function asciiHost(name: string): string {
  return domainToASCII(name).replace(/\.$/, '').toLowerCase();
}

/** As `URL` writes it; empty when it is none. */
function ipv6Host(bracketed: string): string {
  return URL.canParse(`http://${bracketed}`) ? new URL(`http://${bracketed}`).hostname : '';
}
