import net, { type LookupFunction, type Socket } from 'node:net';
import tls, { type SecureContext } from 'node:tls';
import type { buildConnector } from 'undici';
import { hostAddress, isPublicAddress } from '../utils/address-policy.ts';
import { openTunnel } from './proxy-tunnel.ts';
import { createPublicLookup, forbiddenAddress } from './public-lookup.ts';
import type { AddressRule, TlsOptions } from './transport.ts';

export interface ConnectorOptions {
  readonly tls: TlsOptions | undefined;
  readonly addresses: AddressRule;
  /** Connected to in place of the origin; to an `https` origin leads a tunnel. */
  readonly proxy?: URL | undefined;
  /** Asked once for each connection to a host with a name. */
  readonly lookup: LookupFunction;
  /** Told of each socket as soon as it exists, that is while it connects. */
  readonly onSocket: (socket: Socket) => void;
}

/**
 * How undici opens the sockets of one origin, TLS identity, rule for addresses and proxy. They never keep the process alive,
 * also not with a request in flight.
 */
export function createConnector(options: ConnectorOptions): buildConnector.connector {
  const identity = options.tls;
  const publicOnly = options.addresses === 'public';
  const lookup = publicOnly ? createPublicLookup(options.lookup) : options.lookup;
  let secureContext: SecureContext | undefined;
  let session: Buffer | undefined;

  function connectTls(host: string, port: number, tunnel?: Socket): Socket {
    // One for all connections: building it parses every trusted authority.
    secureContext ??= tls.createSecureContext({ ca: identity?.ca, cert: identity?.cert, key: identity?.key });
    const serverName = identity?.serverName ?? (net.isIP(host) === 0 ? host : undefined);
    const socket = tls.connect({
      host,
      port,
      lookup,
      ...(tunnel === undefined ? {} : { socket: tunnel }),
      secureContext,
      rejectUnauthorized: true,
      ALPNProtocols: ['http/1.1'],
      ...(serverName === undefined ? {} : { servername: serverName }),
      ...(session === undefined ? {} : { session }),
    });
    return socket.on('session', (ticket: Buffer) => {
      session = ticket;
    });
  }

  return (target, callback) => {
    const host = target.hostname;
    // Node asks `lookup` for names only, never for an address that the host is itself.
    const literal = publicOnly ? hostAddress(host) : undefined;
    if (literal !== undefined && !isPublicAddress(literal)) {
      callback(forbiddenAddress(), null);
      return;
    }
    const secure = target.protocol === 'https:';
    const port = Number(target.port || (secure ? 443 : 80));
    if (options.proxy === undefined) {
      settleWith(open(secure ? connectTls(host, port) : net.connect({ host, port, lookup })), secure, callback);
      return;
    }
    const hop = open(connectProxy(options.proxy, lookup));
    const proxy = options.proxy;
    settleWith(hop, proxy.protocol === 'https:', (...[error, socket]) => {
      if (error !== null || socket === null) callback(error ?? new Error('no connection'), null);
      else if (!secure) callback(null, socket);
      else {
        openTunnel(hop, authorityOf(host, port), proxy, (failure) => {
          if (failure !== undefined) callback(failure, null);
          else settleWith(prepare(connectTls(host, port, hop)), true, callback);
        });
      }
    });
  };

  function open(socket: Socket): Socket {
    options.onSocket(socket);
    return prepare(socket).setNoDelay(true).setKeepAlive(true, 60_000);
  }
}

/** Trusts whom Node trusts: what the destination says about TLS is about the receiver. */
function connectProxy(proxy: URL, lookup: LookupFunction): Socket {
  const host = bareHost(proxy.hostname);
  if (proxy.protocol === 'http:') return net.connect({ host, port: Number(proxy.port || 80), lookup });
  const servername = net.isIP(host) === 0 ? { servername: host } : {};
  return tls.connect({ host, port: Number(proxy.port || 443), lookup, rejectUnauthorized: true, ...servername });
}

function settleWith(socket: Socket, secure: boolean, callback: buildConnector.Callback): void {
  let waiting = true;
  socket.once(secure ? 'secureConnect' : 'connect', () => {
    waiting = false;
    callback(null, socket);
  });
  // Stays for good: an error without a listener would be the host's uncaught exception.
  socket.on('error', (error) => {
    if (waiting) callback(error, null);
    waiting = false;
  });
}

function authorityOf(host: string, port: number): string {
  const bare = bareHost(host);
  return `${net.isIPv6(bare) ? `[${bare}]` : bare}:${port}`;
}

function bareHost(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}

function prepare(socket: Socket): Socket {
  neverRef(socket);
  return socket;
}

function neverRef(socket: Socket): void {
  socket.unref();
  // Each further address of a host is tried with a new handle, which is referenced again.
  socket.on('connectionAttempt', () => socket.unref());
  // undici references a socket while it has a request.
  socket.ref = () => socket;
}
