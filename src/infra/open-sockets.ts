import type { Socket } from 'node:net';

/** The sockets of a transport that are not closed: connecting, in use or kept alive. */
export class OpenSockets {
  readonly #sockets = new Set<Socket>();

  get size(): number {
    return this.#sockets.size;
  }

  readonly add = (socket: Socket): void => {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  };

  /** Resolves when those that are open now are closed. Never rejects. */
  async closed(): Promise<void> {
    await Promise.all([...this.#sockets].map(closed));
  }
}

/** Not `events.once`, which would reject for the error that the socket was destroyed with. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => resolve());
  });
}
