import net, { type LookupFunction, type Socket } from 'node:net';
import tls, { type SecureContext } from 'node:tls';
import type { buildConnector } from 'undici';
import { hostAddress, isPublicAddress } from '../utils/address-policy.ts';
import { createPublicLookup, forbiddenAddress } from './public-lookup.ts';
import type { AddressRule, TlsOptions } from './transport.ts';

export interface ConnectorOptions {
  readonly tls: TlsOptions | undefined;
  readonly addresses: AddressRule;
  /** Asked once for each connection to a host with a name. */
  readonly lookup: LookupFunction;
  /** Told of each socket as soon as it exists, that is while it connects. */
  readonly onSocket: (socket: Socket) => void;
}

/**
 * How undici opens the sockets of one origin, TLS identity and rule for addresses. They never keep the process alive,
 * also not with a request in flight.
 */
export function createConnector(options: ConnectorOptions): buildConnector.connector {
  const identity = options.tls;
  const publicOnly = options.addresses === 'public';
  const lookup = publicOnly ? createPublicLookup(options.lookup) : options.lookup;
  let secureContext: SecureContext | undefined;
  let session: Buffer | undefined;

  function connectTls(host: string, port: number): Socket {
    // One for all connections: building it parses every trusted authority.
    secureContext ??= tls.createSecureContext({ ca: identity?.ca, cert: identity?.cert, key: identity?.key });
    const serverName = identity?.serverName ?? (net.isIP(host) === 0 ? host : undefined);
    const socket = tls.connect({
      host,
      port,
      lookup,
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
    const socket = secure ? connectTls(host, port) : net.connect({ host, port, lookup });
    options.onSocket(socket);
    neverRef(socket);
    socket.setNoDelay(true).setKeepAlive(true, 60_000);

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
  };
}

function neverRef(socket: Socket): void {
  socket.unref();
  // Each further address of a host is tried with a new handle, which is referenced again.
  socket.on('connectionAttempt', () => socket.unref());
  // undici references a socket while it has a request.
  socket.ref = () => socket;
}
