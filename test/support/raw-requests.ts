import net, { type Socket } from 'node:net';

/** Sends raw bytes on a connection of their own; resolves with what came back when that is over. */
export function sendRaw(port: number, bytes: Uint8Array, { keepOpen = false } = {}): Promise<string> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    const chunks: Buffer[] = [];
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      // Events never end.
      if (chunks.length >= 4 || chunk.includes('text/event-stream')) socket.destroy();
    });
    socket.once('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
    // Ended, so that what waits for more is over; then Node's server answers only what it can answer at once.
    if (keepOpen) socket.write(bytes);
    else socket.end(bytes);
  });
}

/** Connections that send the beginning of a request, and then a byte now and then. */
export class SlowConnections {
  readonly #sockets: Socket[];
  readonly #timer: NodeJS.Timeout;

  private constructor(sockets: Socket[]) {
    this.#sockets = sockets;
    this.#timer = setInterval(() => {
      for (const socket of sockets) if (socket.writable) socket.write('x');
    }, 500);
  }

  static async open(port: number, count: number): Promise<SlowConnections> {
    const sockets = await Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const socket = net.connect(port, '127.0.0.1');
        socket.on('error', () => {});
        socket.resume();
        await new Promise((resolve) => {
          socket.once('connect', resolve);
          socket.once('close', resolve);
        });
        const body =
          'POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n{';
        socket.write(index % 2 === 0 ? 'GET /api/v1/stats HTTP/1.1\r\nHost: localhost\r\nX-Slow: ' : body);
        return socket;
      }),
    );
    return new SlowConnections(sockets);
  }

  /** Those that the other side has not ended. */
  get open(): number {
    return this.#sockets.filter(({ destroyed }) => !destroyed).length;
  }

  close(): void {
    clearInterval(this.#timer);
    for (const socket of this.#sockets) socket.destroy();
  }
}
