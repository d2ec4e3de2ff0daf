import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** A request as it arrived at a {@link Peer}. */
export interface Arrived {
  readonly method: string;
  readonly path: string;
  readonly headers: http.IncomingHttpHeaders;
  /** How often the request had a header. */
  count(name: string): number;
}

/** Another service, which tenants call. */
export interface Peer {
  readonly url: string;
  /** Host and port. */
  readonly host: string;
  readonly arrived: Arrived[];
}

/**
 * Starts a service that is stopped with the test. It answers 200 with what it was sent; `/status/{code}` answers with
 * that status, `/hang` never, `/redirect?to={url}` sends there.
 */
export async function startPeer(): Promise<Peer> {
  const arrived: Arrived[] = [];
  const server = http.createServer((request, response) => {
    const { method = '', headers, rawHeaders } = request;
    const url = new URL(request.url ?? '/', 'http://peer');
    const names = rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
    const count = (name: string): number => names.filter((each) => each === name).length;
    arrived.push({ method, path: `${url.pathname}${url.search}`, headers, count });
    if (url.pathname === '/hang') return;
    const status = /^\/status\/(\d{3})$/.exec(url.pathname)?.[1];
    if (url.pathname === '/redirect') response.writeHead(307, { location: url.searchParams.get('to') ?? '/' }).end();
    else if (status !== undefined) response.writeHead(Number(status)).end();
    else request.pipe(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url: `http://${host}`, host, arrived };
}
