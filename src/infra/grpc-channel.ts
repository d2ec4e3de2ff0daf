import type { LookupAddress } from 'node:dns';
import { isIP, isIPv4, type LookupFunction, type Socket } from 'node:net';
import tls from 'node:tls';
import type { ChannelCredentials, ChannelOptions, Client } from '@grpc/grpc-js';
import { hostAddress, isPublicAddress } from '../utils/address-policy.ts';
import { proxyCredentials } from '../utils/proxy-url.ts';
import type { GrpcLibrary } from './grpc-library.ts';
import { createPublicLookup, forbiddenAddress } from './public-lookup.ts';
import type { SocketTracker } from './socket-tracker.ts';
import type { AddressRule, TlsOptions } from './transport.ts';

export interface GrpcChannelOptions {
  readonly url: URL;
  readonly tls: TlsOptions | undefined;
  readonly addresses: AddressRule;
  readonly compression: 'gzip' | 'none';
  /** Connected to in place of the receiver, which a tunnel leads to. */
  readonly proxy?: URL | undefined;
  readonly maxResponseBytes: number;
  readonly lookup: LookupFunction;
  readonly sockets: SocketTracker;
  /** Told of each socket as soon as it exists, that is while it connects. */
  readonly onSocket: (socket: Socket) => void;
}

/**
 * One HTTP/2 connection for many calls. Connects when it is first used and again when the receiver closed it. A
 * channel that failed is to be retired: the library would go on connecting by itself, at its own pace.
 */
export class GrpcChannel {
  /** By the monotonic clock; kept by the owner. */
  lastUsedAt = 0;
  readonly #options: GrpcChannelOptions;
  readonly #sockets = new Set<Socket>();
  #client: Client | undefined;
  #ready: Promise<Client> | undefined;
  #users = 0;
  #retired = false;
  #closed = false;

  constructor(options: GrpcChannelOptions) {
    this.#options = options;
  }

  /** Runs `callback` so that the sockets which it opens are this channel's. */
  run<T>(callback: () => T): T {
    return this.#options.sockets.run((socket) => {
      // The library has said goodbye on these, after a GOAWAY; a receiver that never answers that would gather them.
      for (const old of this.#sockets) if (old.writableFinished) old.destroy();
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      this.#options.onSocket(socket);
      if (this.#closed) this.#destroySockets();
    }, callback);
  }

  /** Each `acquire` needs a `release`. */
  acquire(): void {
    this.#users += 1;
  }

  release(): void {
    this.#users -= 1;
    if (this.#retired && this.#users === 0) this.#close();
  }

  /** Closes the connection as soon as nobody uses the channel. */
  retire(): void {
    this.#retired = true;
    if (this.#users === 0) this.#close();
  }

  /**
   * Resolves once a call would not wait: there is a connection, or an attempt at it has failed, which the call then
   * tells. Only so do calls not keep the process alive, which the library does while they wait. Rejects when there
   * can be no connection: no address, no valid certificates.
   */
  ready(library: GrpcLibrary): Promise<Client> {
    this.#ready ??= this.#connect(library).finally(() => {
      this.#ready = undefined;
    });
    return this.#ready;
  }

  async #connect(library: GrpcLibrary): Promise<Client> {
    const client = this.#client ?? (await this.#open(library));
    const channel = client.getChannel();
    const { READY, TRANSIENT_FAILURE } = library.connectivityState;
    await new Promise<void>((resolve) => {
      const check = (): void => {
        const state = this.#closed ? READY : channel.getConnectivityState(true);
        if (state === READY || state === TRANSIENT_FAILURE) resolve();
        else channel.watchConnectivityState(state, Number.POSITIVE_INFINITY, check);
      };
      check();
    });
    return client;
  }

  async #open(library: GrpcLibrary): Promise<Client> {
    const { compression, maxResponseBytes, proxy, url } = this.#options;
    const { compressionAlgorithms } = library;
    const credentials = this.#credentials(library);
    const target = targetOf(await this.#addresses(), proxy ?? url);
    const serverName = this.#serverName();
    this.#client = new library.Client(target, credentials, {
      'grpc.default_authority': url.host,
      ...(serverName === undefined ? {} : { 'grpc.ssl_target_name_override': serverName }),
      'grpc.default_compression_algorithm': compressionAlgorithms[compression === 'gzip' ? 'gzip' : 'identity'],
      'grpc.max_receive_message_length': maxResponseBytes,
      ...(proxy === undefined ? {} : tunnelOptions(url, proxy)),
      // Or channels of the whole process share connections.
      'grpc.use_local_subchannel_pool': 1,
      // What the environment says about proxies is for the platform's destinations, which bring theirs along.
      'grpc.enable_http_proxy': 0,
      'grpc.enable_channelz': 0,
      'grpc.service_config_disable_resolution': 1,
    });
    return this.#client;
  }

  /** As for HTTP: no variable of the environment changes whom we trust. */
  #credentials({ credentials }: GrpcLibrary): ChannelCredentials {
    const { tls: identity, url } = this.#options;
    if (url.protocol === 'http:') return credentials.createInsecure();
    const context = tls.createSecureContext({ ca: identity?.ca, cert: identity?.cert, key: identity?.key });
    return credentials.createFromSecureContext(context, { rejectUnauthorized: true });
  }

  #serverName(): string | undefined {
    const { tls: identity, url } = this.#options;
    if (url.protocol === 'http:') return undefined;
    return identity?.serverName ?? (isIP(bareHost(url)) === 0 ? url.hostname : undefined);
  }

  /** The library is given addresses, not the name, and so connects to none but those that were checked. */
  #addresses(): Promise<readonly LookupAddress[]> {
    const { addresses, lookup, proxy, url } = this.#options;
    const host = bareHost(proxy ?? url);
    const literal = addresses === 'public' ? hostAddress(host) : undefined;
    if (literal !== undefined && !isPublicAddress(literal)) return Promise.reject(forbiddenAddress());
    const find = addresses === 'public' ? createPublicLookup(lookup) : lookup;
    return new Promise((resolve, reject) => {
      find(host, { all: true }, (error, answer, family) => {
        if (error) reject(error);
        else resolve(typeof answer === 'string' ? [{ address: answer, family: family ?? isIP(answer) }] : answer);
      });
    });
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#client?.close();
    this.#destroySockets();
  }

  /** The library leaves those alone that are still connecting. What it says goodbye with on the others leaves first. */
  #destroySockets(): void {
    setImmediate(() => {
      for (const socket of this.#sockets) socket.destroy();
    });
  }
}

/** What the library sets itself for a proxy that it finds in the environment. */
function tunnelOptions({ host, port, protocol }: URL, proxy: URL): ChannelOptions {
  const credentials = proxyCredentials(proxy);
  return {
    'grpc.http_connect_target': `dns:${port === '' ? `${host}:${protocol === 'https:' ? 443 : 80}` : host}`,
    ...(credentials === undefined ? {} : { 'grpc.http_connect_creds': credentials }),
  };
}

function bareHost({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

/** A list of addresses is of one family; an IPv4 address has a form in the other (RFC 4291, section 2.5.5.2). */
function targetOf(addresses: readonly LookupAddress[], { port, protocol }: URL): string {
  const portNumber = port || (protocol === 'https:' ? '443' : '80');
  const list = addresses.map(({ address }) => address);
  if (list.every(isIPv4)) return `ipv4:${list.map((address) => `${address}:${portNumber}`).join(',')}`;
  const mapped = list.map((address) => (isIPv4(address) ? `::ffff:${address}` : address));
  return `ipv6:${mapped.map((address) => `[${address}]:${portNumber}`).join(',')}`;
}
