import { AsyncLocalStorage } from 'node:async_hooks';
import diagnosticsChannel from 'node:diagnostics_channel';
import type { Socket } from 'node:net';

/** Node publishes here each client socket before it connects (`diagnostics_channel`, "net.client.socket"). */
const CLIENT_SOCKETS = 'net.client.socket';

/**
 * Gets hold of the sockets that a library opens without showing them: all that are opened in the async context of a
 * `run`. They never keep the process alive. Listens from the first `run` until `stop`.
 */
export class SocketTracker {
  readonly #owner = new AsyncLocalStorage<(socket: Socket) => void>();
  readonly #listener = (message: unknown): void => {
    const onSocket = this.#owner.getStore();
    if (onSocket === undefined) return;
    const { socket } = message as { readonly socket: Socket };
    neverRef(socket);
    onSocket(socket);
    keepListeners(socket);
  };
  #listening = false;

  /** Tells `onSocket` of each socket that `callback`, or what it starts, opens. */
  run<T>(onSocket: (socket: Socket) => void, callback: () => T): T {
    if (!this.#listening) diagnosticsChannel.subscribe(CLIENT_SOCKETS, this.#listener);
    this.#listening = true;
    return this.#owner.run(onSocket, callback);
  }

  stop(): void {
    if (this.#listening) diagnosticsChannel.unsubscribe(CLIENT_SOCKETS, this.#listener);
    this.#listening = false;
  }
}

/** Of a socket that has become a tunnel the library takes off all listeners, also those that are not its own. */
function keepListeners(socket: Socket): void {
  const kept = (['close', 'error'] as const).map((event) => [event, socket.rawListeners(event)] as const);
  const removeAllListeners = socket.removeAllListeners.bind(socket);
  socket.removeAllListeners = (event) => {
    removeAllListeners(event);
    for (const [name, listeners] of event === undefined ? kept : []) {
      for (const listener of listeners) socket.on(name, listener as () => void);
    }
    return socket;
  };
}

function neverRef(socket: Socket): void {
  // Each address of a host is tried with a handle of its own.
  socket.on('connectionAttempt', () => {
    const { _handle: handle } = socket as unknown as { readonly _handle: { ref?: () => void } | null };
    // An HTTP/2 session references its socket while it has streams; over TLS that is another one with the same handle.
    if (handle) handle.ref = () => {};
    socket.unref();
  });
  // Stays for good: an error without a listener would be the host's uncaught exception.
  socket.on('error', () => {});
}
