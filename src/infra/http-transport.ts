import { lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import type { Clock } from '../utils/clock.ts';
import { HttpExchange, type HttpExchangeSettings } from './http-exchange.ts';
import { networkMessage } from './network-error.ts';
import { OpenSockets } from './open-sockets.ts';
import { OriginCache } from './origin-cache.ts';
import { OriginPool } from './origin-pool.ts';
import { scrubMessage } from './scrub-message.ts';
import { CLOSED, failed, refusal, type Transport, type TransportRequest, type TransportResult } from './transport.ts';
import { untraced } from './untraced.ts';

export interface HttpTransportOptions {
  readonly clock: Clock;
  /** Hard limit for each origin and TLS identity; further requests wait. Default 40. */
  readonly connectionsPerOrigin?: number;
  /** Origins with kept connections; beyond, the one unused for longest is closed. Default 256. */
  readonly maxOrigins?: number;
  /** An origin unused for so long is closed, at the latest after twice the time. Default 60,000. */
  readonly idleOriginMillis?: number;
  /** The rest of a longer response is not read. Default 4 MiB, as OTLP/HTTP recommends. */
  readonly maxResponseBytes?: number;
  /** Finds the addresses of a name, for tests. Default: the system's. */
  readonly lookup?: LookupFunction;
}

/**
 * OTLP/HTTP over connections that all tenants share: one set for each origin, TLS identity, rule for addresses and proxy.
 * Follows no redirects, asks for no compression, uses no proxy but the request's, whatever the environment says. Its requests are never
 * traced and hold on to no async context of the caller; its sockets and timers never keep the process alive.
 */
export function createHttpTransport(options: HttpTransportOptions): Transport {
  return new HttpTransport(options);
}

class HttpTransport implements Transport {
  readonly #connectionsPerOrigin: number;
  readonly #exchangeSettings: HttpExchangeSettings;
  readonly #lookup: LookupFunction;
  readonly #pools: OriginCache<OriginPool>;
  readonly #exchanges = new Set<HttpExchange>();
  readonly #sockets = new OpenSockets();
  #closing: Promise<void> | undefined;

  constructor(options: HttpTransportOptions) {
    this.#connectionsPerOrigin = options.connectionsPerOrigin ?? 40;
    this.#exchangeSettings = {
      clock: options.clock,
      maxResponseBytes: options.maxResponseBytes ?? 4 * 1024 * 1024,
      ended: (exchange) => this.#exchanges.delete(exchange),
    };
    this.#lookup = options.lookup ?? systemLookup;
    this.#pools = new OriginCache({
      clock: options.clock,
      maxOrigins: options.maxOrigins ?? 256,
      idleMillis: options.idleOriginMillis ?? 60_000,
      letGo: (pool) => pool.retire(),
    });
  }

  send(request: TransportRequest): Promise<TransportResult> {
    return untraced(() => this.#send(request));
  }

  openSockets(): number {
    return this.#sockets.size;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Not `async`: each promise of a request costs, and an `AsyncLocalStorage` makes it cost more. */
  #send(request: TransportRequest): Promise<TransportResult> {
    const refused = refusal(request.url, this.#closing !== undefined);
    if (refused !== undefined) return Promise.resolve(refused);
    try {
      const exchange = new HttpExchange(this.#poolFor(request), request, this.#exchangeSettings);
      this.#exchanges.add(exchange);
      return exchange.run();
    } catch (error) {
      return Promise.resolve(failed('protocol', scrubMessage(networkMessage(error))));
    }
  }

  #poolFor(request: TransportRequest): OriginPool {
    const { url, addresses = 'any', proxy } = request;
    return this.#pools.use(
      { ...request, addresses },
      '',
      (tls) =>
        new OriginPool({
          origin: url.origin,
          tls,
          addresses,
          proxy: proxy?.reveal(),
          lookup: this.#lookup,
          maxConnections: this.#connectionsPerOrigin,
          onSocket: this.#sockets.add,
        }),
    );
  }

  async #close(): Promise<void> {
    this.#pools.clear();
    for (const exchange of [...this.#exchanges]) exchange.abort(CLOSED);
    await this.#sockets.closed();
  }
}
