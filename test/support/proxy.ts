import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import net, { type AddressInfo, type Socket } from 'node:net';

export interface ProxiedRequest {
  /** `CONNECT`, or the method of a request that was passed on. */
  readonly method: string;
  /** `host:port` of a tunnel, or the whole URL. */
  readonly target: string;
  /** The value of `Proxy-Authorization`. */
  readonly authorization: string | undefined;
}

export interface ProxyOptions {
  /** `user:password` that it asks for. */
  readonly credentials?: string;
  /** Makes it an https proxy. */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** Refuses everything with this status, `hang`: never answers. */
  readonly fault?: number | 'hang';
}

/** A forward proxy on a free port of the loopback interface. Whatever host it is asked for, it goes to this host. */
export async function startProxy(options: ProxyOptions = {}): Promise<ForwardProxy> {
  const proxy = new ForwardProxy(options);
  await proxy.listen();
  return proxy;
}

export class ForwardProxy implements AsyncDisposable {
  /** Everything that was asked for, refused requests included. */
  readonly requests: ProxiedRequest[] = [];
  fault: ProxyOptions['fault'];
  readonly #server: http.Server | https.Server;
  readonly #options: ProxyOptions;
  readonly #sockets = new Set<Socket>();

  constructor(options: ProxyOptions) {
    this.#options = options;
    this.fault = options.fault;
    this.#server = options.tls ? https.createServer(options.tls) : http.createServer();
    this.#server.on('connection', (socket: Socket) => this.#track(socket));
    this.#server.on('connect', (request: IncomingMessage, socket: Socket, head: Buffer) => {
      this.#tunnel(request, socket, head);
    });
    this.#server.on('request', (request: IncomingMessage, response: ServerResponse) =>
      this.#forward(request, response),
    );
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Its URL, with the credentials that it asks for. */
  get url(): string {
    const { credentials, tls } = this.#options;
    const userinfo = credentials === undefined ? '' : `${credentials.split(':').map(encodeURIComponent).join(':')}@`;
    return `${tls ? 'https' : 'http'}://${userinfo}127.0.0.1:${this.port}`;
  }

  /** Connections from and to it that are open. */
  get open(): number {
    return this.#sockets.size;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => this.#sockets.delete(socket));
  }

  /** The status to refuse with, `undefined` to let it pass. */
  #judge(request: IncomingMessage): number | 'hang' | undefined {
    const authorization = request.headers['proxy-authorization'];
    this.requests.push({ method: request.method ?? '', target: request.url ?? '', authorization });
    if (this.fault !== undefined) return this.fault;
    const { credentials } = this.#options;
    const expected = credentials && `Basic ${Buffer.from(credentials).toString('base64')}`;
    return expected === authorization ? undefined : 407;
  }

  #tunnel(request: IncomingMessage, socket: Socket, head: Buffer): void {
    socket.on('error', () => {});
    const refusal = this.#judge(request);
    if (refusal === 'hang') {
      // Or the end of the connection would not be seen.
      socket.resume().once('end', () => socket.destroy());
      return;
    }
    if (refusal !== undefined) {
      socket.end(`HTTP/1.1 ${refusal} No\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    const target = net.connect(Number(/:(\d+)$/.exec(request.url ?? '')?.[1]), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      target.write(head);
      socket.pipe(target).pipe(socket);
    });
    this.#track(target);
    socket.once('close', () => target.destroy());
    target.once('close', () => socket.destroy());
  }

  #forward(request: IncomingMessage, response: ServerResponse): void {
    const refusal = this.#judge(request);
    if (refusal === 'hang') return;
    if (refusal !== undefined) {
      response.writeHead(refusal).end();
      return;
    }
    const { pathname, port, search } = new URL(request.url ?? '');
    const { 'proxy-authorization': _own, ...headers } = request.headers;
    const { method } = request;
    const onward = http.request(
      { agent: false, host: '127.0.0.1', port, method, path: pathname + search, headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    onward.on('socket', (socket) => this.#track(socket));
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  }
}
