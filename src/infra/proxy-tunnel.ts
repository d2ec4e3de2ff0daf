import http from 'node:http';
import type { Socket } from 'node:net';
import { proxyCredentials } from '../utils/proxy-url.ts';
import { PROXY_DENIED, PROXY_FAILED } from './network-error.ts';

/** The value of `Proxy-Authorization` for a proxy, if it wants credentials. */
export function proxyAuthorization(proxy: URL): string | undefined {
  const credentials = proxyCredentials(proxy);
  return credentials && `Basic ${Buffer.from(credentials).toString('base64')}`;
}

/**
 * Asks the proxy at the other end of `socket` for a tunnel to `authority` (`host:port`; RFC 9110, section 9.3.6). After
 * that the socket is the tunnel. Calls back once, unless the socket is destroyed first; then at the latest.
 */
export function openTunnel(
  socket: Socket,
  authority: string,
  proxy: URL,
  callback: (error: Error | undefined) => void,
): void {
  const authorization = proxyAuthorization(proxy);
  const request = http.request({
    method: 'CONNECT',
    path: authority,
    headers: { host: authority, ...(authorization !== undefined && { 'proxy-authorization': authorization }) },
    createConnection: () => socket,
  });
  request.once('connect', ({ statusCode = 0 }, _socket, head: Buffer) => {
    if (statusCode < 200 || statusCode > 299) {
      socket.destroy();
      callback(refusal(statusCode));
      return;
    }
    if (head.length > 0) socket.unshift(head);
    callback(undefined);
  });
  request.once('error', callback);
  request.end();
}

/** Does not repeat what the proxy says: it may tell the credentials. */
function refusal(status: number): Error {
  const code = status >= 400 && status < 500 && status !== 429 ? PROXY_DENIED : PROXY_FAILED;
  return Object.assign(new Error(`the proxy answered ${status} to CONNECT`), { code });
}
