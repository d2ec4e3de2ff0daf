import { describeEndpoint } from './endpoint.ts';

export const PROXY_ACCEPTED = 'an http or https URL of a proxy: host, port, user name and password';

const MAX_LENGTH = 2_048;
const SPACE_OR_CONTROL = /[\s\p{Cc}]/u;

/** The URL of a proxy, or `undefined`. Without a scheme it is `http`, as everywhere in `HTTP_PROXY`. */
export function parseProxy(value: unknown): URL | undefined {
  if (typeof value !== 'string' || value.length > MAX_LENGTH || SPACE_OR_CONTROL.test(value)) return undefined;
  const url = parseUrl(value.includes('://') ? value : `http://${value}`);
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) return undefined;
  return url.hostname !== '' && url.pathname === '/' && url.search === '' && url.hash === '' ? url : undefined;
}

/** A refused proxy for a message, without its credentials. Never throws. */
export function describeProxy(value: unknown): string {
  return describeEndpoint(value);
}

/** `user:password` as they were meant, `undefined` without any. */
export function proxyCredentials({ password, username }: URL): string | undefined {
  if (username === '' && password === '') return undefined;
  return `${decode(username)}:${decode(password)}`;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}
