import { joinHeaderLines, readHeader, trimOws } from '../utils/carrier.ts';

/** A host and its port, as a request or a proxy names them. */
export interface Authority {
  readonly address: string;
  readonly port: number | undefined;
}

/** What a proxy says about the request that it received. */
export interface Forwarded {
  readonly client: string | undefined;
  readonly host: Authority | undefined;
  readonly scheme: 'http' | 'https' | undefined;
}

/** A longer header is not looked at. */
const MAX_LENGTH = 4_096;
const MAX_ADDRESS_LENGTH = 253;
/** A name, an IPv4 address or what a proxy calls its clients; nothing with blanks, quotes or slashes. */
const ADDRESS = /^[\w.%-]+$/;
const IPV6 = /^\[([\da-f:.]+(?:%[\w.-]+)?)\]$/i;

/** The parts of `host[:port]` (RFC 9110, section 7.2); `undefined` when it is malformed. */
export function parseAuthority(value: unknown): Authority | undefined {
  if (typeof value !== 'string' || value.length > MAX_ADDRESS_LENGTH + 8) return undefined;
  const colon = value.lastIndexOf(':');
  const hasPort = colon >= 0 && !value.endsWith(']');
  const address = parseAddress(hasPort ? value.slice(0, colon) : value);
  if (address === undefined) return undefined;
  if (!hasPort) return { address, port: undefined };
  const digits = value.slice(colon + 1);
  if (!/^\d{0,5}$/.test(digits) || Number(digits) > 65_535) return undefined;
  return { address, port: digits === '' ? undefined : Number(digits) };
}

/**
 * The first element of `Forwarded` (RFC 7239), else of `X-Forwarded-For`, `-Host` and `-Proto`: the one that was nearest
 * to the client. Only for requests of a trusted proxy. What is malformed counts as not given.
 */
export function readForwarded(headers: unknown): Forwarded {
  const forwarded = firstElement(headers, 'forwarded');
  const pairs = new Map(forwarded?.split(';').map(parsePair));
  const client = pairs.get('for') ?? firstElement(headers, 'x-forwarded-for');
  const host = pairs.get('host') ?? firstElement(headers, 'x-forwarded-host');
  const scheme = (pairs.get('proto') ?? firstElement(headers, 'x-forwarded-proto'))?.toLowerCase();
  return {
    client: parseClient(client),
    host: parseAuthority(host),
    scheme: scheme === 'http' || scheme === 'https' ? scheme : undefined,
  };
}

/** An address with a port, or without one, and IPv6 also without its brackets, as `X-Forwarded-For` has it. */
function parseClient(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  return parseAuthority(value)?.address ?? parseAuthority(`[${value}]`)?.address;
}

function parseAddress(text: string): string | undefined {
  if (text.length > MAX_ADDRESS_LENGTH) return undefined;
  return ADDRESS.test(text) ? text : IPV6.exec(text)?.[1];
}

function firstElement(headers: unknown, name: string): string | undefined {
  const value = joinHeaderLines(readHeader(headers, name), MAX_LENGTH);
  if (value === undefined || value.length > MAX_LENGTH) return undefined;
  const comma = value.indexOf(',');
  return trimOws(comma < 0 ? value : value.slice(0, comma));
}

function parsePair(pair: string): [key: string, value: string] {
  const equals = pair.indexOf('=');
  const value = trimOws(pair.slice(equals + 1));
  const unquoted = value.length > 1 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
  return [trimOws(pair.slice(0, Math.max(equals, 0))).toLowerCase(), unquoted];
}
