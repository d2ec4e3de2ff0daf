import type { Socket } from 'node:net';
import type { Client, Dispatcher } from 'undici';
import { type ConnectorOptions, createConnector } from './connector.ts';
import { undiciClient } from './undici-client.ts';

/** Less than what usual servers and load balancers allow, so that rarely both ends act at once. */
const KEEP_ALIVE_MILLIS = 30_000;

export interface OriginPoolOptions extends ConnectorOptions {
  readonly origin: string;
  readonly maxConnections: number;
}

/** One HTTP/1.1 connection, used for one request at a time; reconnects by itself after a graceful close. */
export class Connection {
  readonly #options: OriginPoolOptions;
  readonly #disconnected: (connection: Connection) => void;
  #client: Client | undefined;
  #socket: Socket | undefined;
  #destroyed = false;

  /** `disconnected` is told each time the socket is gone. */
  constructor(options: OriginPoolOptions, disconnected: (connection: Connection) => void) {
    this.#options = options;
    this.#disconnected = disconnected;
  }

  /** Sends a request, as soon as undici is loaded; one of a connection that was destroyed meanwhile is forgotten. */
  dispatch(request: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    const loaded = undiciClient.get();
    if (!(loaded instanceof Promise)) {
      this.#open(loaded).dispatch(request, handler);
      return;
    }
    loaded
      .then((client) => {
        if (!this.#destroyed) this.#open(client).dispatch(request, handler);
      })
      .catch((error: Error) => handler.onResponseError?.(undefined as never, error));
  }

  #open(ClientClass: typeof Client): Client {
    const options = this.#options;
    this.#client ??= new ClientClass(options.origin, {
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MILLIS,
      keepAliveMaxTimeout: KEEP_ALIVE_MILLIS,
      // The attempt's own deadline covers both and is exact.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: createConnector({
        tls: options.tls,
        addresses: options.addresses,
        proxy: options.proxy,
        lookup: options.lookup,
        onSocket: (socket) => {
          this.#socket = socket;
          options.onSocket(socket);
        },
      }),
    }).on('disconnect', () => this.#disconnected(this));
    return this.#client;
  }

  /** Closes the socket at once, also one that is still connecting, which `Client.destroy` would leave alone. */
  destroy(): void {
    this.#destroyed = true;
    this.#client?.destroy(null, () => {});
    this.#socket?.destroy();
  }
}

/**
 * The connections to one origin with one TLS identity and one rule for addresses. undici's own `Pool` would do but
 * for two things: a request that waits there or is connecting cannot be cancelled.
 */
export class OriginPool {
  /** By the monotonic clock; kept by the owner. */
  lastUsedAt = 0;
  readonly #options: OriginPoolOptions;
  readonly #idle: Connection[] = [];
  readonly #waiting = new Set<(connection: Connection) => void>();
  #connections = 0;
  #retired = false;

  constructor(options: OriginPoolOptions) {
    this.#options = options;
  }

  /**
   * Calls `use` with a connection of its own, now or when one is free, in order of asking. Give it back
   * with `release`. Returns a function that cancels the wait.
   */
  acquire(use: (connection: Connection) => void): () => void {
    const connection = this.#idle.pop() ?? this.#open();
    if (connection) use(connection);
    else this.#waiting.add(use);
    return () => this.#waiting.delete(use);
  }

  release(connection: Connection, reusable: boolean): void {
    const kept = reusable && !(this.#retired && this.#waiting.size === 0);
    if (!kept) this.#discard(connection);
    const [next] = this.#waiting;
    const available = kept ? connection : next && this.#open();
    if (!available) return;
    if (!next) {
      this.#idle.push(available);
      return;
    }
    this.#waiting.delete(next);
    next(available);
  }

  /** Closes idle connections now and the others once they are released. */
  retire(): void {
    this.#retired = true;
    for (const connection of this.#idle.splice(0)) this.#discard(connection);
  }

  #open(): Connection | undefined {
    if (this.#connections >= this.#options.maxConnections) return undefined;
    this.#connections += 1;
    return new Connection(this.#options, (connection) => this.#dropIdle(connection));
  }

  #dropIdle(connection: Connection): void {
    const index = this.#idle.indexOf(connection);
    if (index === -1) return;
    this.#idle.splice(index, 1);
    this.#discard(connection);
  }

  #discard(connection: Connection): void {
    this.#connections -= 1;
    connection.destroy();
  }
}
