import { lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import type { Clock } from '../utils/clock.ts';
import { GrpcChannel } from './grpc-channel.ts';
import { GrpcExchange } from './grpc-exchange.ts';
import { type GrpcLibrary, loadGrpc } from './grpc-library.ts';
import type { GrpcRequest, GrpcResult, GrpcTransport } from './grpc-request.ts';
import { OpenSockets } from './open-sockets.ts';
import { OriginCache } from './origin-cache.ts';
import { SocketTracker } from './socket-tracker.ts';
import { CLOSED, refusal } from './transport.ts';
import { untraced } from './untraced.ts';

export interface GrpcTransportOptions {
  readonly clock: Clock;
  /** Receivers with a kept connection; beyond, the one unused for longest is closed. Default 256. */
  readonly maxOrigins?: number;
  /** A connection unused for so long is closed, at the latest after twice the time. Default 60,000. */
  readonly idleOriginMillis?: number;
  /** A longer response fails the call, compressed or not. Default 4 MiB, as OTLP recommends. */
  readonly maxResponseBytes?: number;
  /** Finds the addresses of a name, for tests. Default: the system's. */
  readonly lookup?: LookupFunction;
  /** How the library is loaded, for tests. Default: `loadGrpc`. */
  readonly load?: () => Promise<GrpcLibrary>;
}

/**
 * gRPC over connections that all tenants share: one for each origin, TLS identity, rule for addresses, compression
 * and proxy. Loads `@grpc/grpc-js` at the first call; without it every call fails as `protocol`. Uses no proxy but the
 * request's. Its calls are
 * never traced and hold on to no async context of the caller; its sockets and timers never keep the process alive.
 */
export function createGrpcTransport(options: GrpcTransportOptions): GrpcTransport {
  return new GrpcJsTransport(options);
}

class GrpcJsTransport implements GrpcTransport {
  readonly #options: GrpcTransportOptions;
  readonly #channels: OriginCache<GrpcChannel>;
  readonly #exchanges = new Set<GrpcExchange>();
  readonly #sockets = new OpenSockets();
  readonly #tracker = new SocketTracker();
  #library: Promise<GrpcLibrary> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: GrpcTransportOptions) {
    this.#options = options;
    this.#channels = new OriginCache({
      clock: options.clock,
      maxOrigins: options.maxOrigins ?? 256,
      idleMillis: options.idleOriginMillis ?? 60_000,
      letGo: (channel) => channel.retire(),
    });
  }

  send(request: GrpcRequest): Promise<GrpcResult> {
    return untraced(() => this.#send(request));
  }

  openSockets(): number {
    return this.#sockets.size;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #send(request: GrpcRequest): Promise<GrpcResult> {
    const refused = refusal(request.url, this.#closing !== undefined);
    if (refused !== undefined) return refused;
    const exchange = new GrpcExchange(request, {
      clock: this.#options.clock,
      channel: () => this.#channelFor(request),
      library: () => this.#load(),
      // The next call connects anew, also when the connection looks good: of one that is dead nothing more is heard.
      onFailure: (channel) => this.#channels.letGo(channel),
    });
    this.#exchanges.add(exchange);
    const result = await exchange.run();
    this.#exchanges.delete(exchange);
    return result;
  }

  /** Tried again after it failed. */
  async #load(): Promise<GrpcLibrary> {
    this.#library ??= (this.#options.load ?? loadGrpc)();
    try {
      return await this.#library;
    } catch (error) {
      this.#library = undefined;
      throw error;
    }
  }

  #channelFor(request: GrpcRequest): GrpcChannel {
    const { url, addresses = 'any', compression, proxy } = request;
    return this.#channels.use(
      { ...request, addresses },
      compression,
      (tls) =>
        new GrpcChannel({
          url,
          tls,
          addresses,
          compression,
          proxy: proxy?.reveal(),
          maxResponseBytes: this.#options.maxResponseBytes ?? 4 * 1024 * 1024,
          lookup: this.#options.lookup ?? systemLookup,
          sockets: this.#tracker,
          onSocket: this.#sockets.add,
        }),
    );
  }

  async #close(): Promise<void> {
    this.#channels.clear();
    for (const exchange of [...this.#exchanges]) exchange.abort(CLOSED);
    await this.#sockets.closed();
    this.#tracker.stop();
  }
}
