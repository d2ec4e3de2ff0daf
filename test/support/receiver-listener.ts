import { once } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import type { Http2Server } from 'node:http2';
import net, { type AddressInfo, type Socket } from 'node:net';

/** What becomes of a connection before any byte of it is read. */
export type ConnectionFault =
  | 'none'
  /** Reset at once. */
  | 'reset'
  /** Accepted and never read: not even a TLS handshake is answered. */
  | 'silent'
  /** Greeted with bytes that are neither TLS nor HTTP. */
  | 'garbage';

/** A port of the loopback interface that knows its connections and hands them to a server. */
export class ReceiverListener {
  /** Connections by state. */
  readonly connections = { open: 0, total: 0 };
  connectionFault: ConnectionFault = 'none';
  readonly #inner: HttpServer | Http2Server;
  readonly #changed: () => void;
  readonly #ids = new Map<Socket, number>();
  #server: net.Server;
  #port: number;

  /** `port` 0: a free one. */
  constructor(inner: HttpServer | Http2Server, port: number, changed: () => void) {
    this.#inner = inner;
    this.#port = port;
    this.#changed = changed;
    this.#server = this.#createServer();
  }

  get port(): number {
    return this.#port;
  }

  get sockets(): Iterable<Socket> {
    return this.#ids.keys();
  }

  /** On the port that it had before, if there was one. */
  async listen(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Refuses connections from now on, and resets those that are open. */
  async stop(): Promise<void> {
    for (const socket of this.#ids.keys()) socket.resetAndDestroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
    this.#server = this.#createServer();
  }

  /** Over TLS and HTTP/2 a request does not know its socket, only where that comes from. */
  find({ remotePort }: { readonly remotePort?: number | undefined }): Socket | undefined {
    for (const socket of this.#ids.keys()) if (socket.remotePort === remotePort) return socket;
    return undefined;
  }

  idOf(socket: Socket | undefined): number {
    return (socket && this.#ids.get(socket)) ?? 0;
  }

  #createServer(): net.Server {
    return net.createServer({ noDelay: true }, (socket) => this.#accept(socket));
  }

  #accept(socket: Socket): void {
    this.connections.total += 1;
    this.connections.open += 1;
    this.#ids.set(socket, this.connections.total);
    // Resets are what many tests are about.
    socket.on('error', () => {});
    socket.once('close', () => {
      this.connections.open -= 1;
      this.#ids.delete(socket);
      this.#changed();
    });
    if (this.connectionFault === 'reset') socket.resetAndDestroy();
    else if (this.connectionFault === 'garbage') socket.end('SSH-2.0-OpenSSH_9.9\r\n');
    else if (this.connectionFault === 'none') this.#inner.emit('connection', socket);
    this.#changed();
  }
}
