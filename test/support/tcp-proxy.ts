import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import { seededRandom } from './receiver-faults.ts';
import { type Toxic, ToxicPipe } from './toxic-pipe.ts';

/** `up` leads to the receiver, `down` back to the client. */
export type Direction = 'up' | 'down';

/** A TCP proxy on a free port of the loopback interface that does to the bytes what its toxics say. */
export class TcpProxy implements AsyncDisposable {
  readonly connections = { open: 0, total: 0 };
  readonly #target: { readonly host: string; readonly port: number };
  readonly #random: () => number;
  readonly #server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
  readonly #toxics: Record<Direction, Set<Toxic>> = { up: new Set(), down: new Set() };
  readonly #links = new Set<{ readonly sockets: readonly Socket[]; readonly pipes: readonly ToxicPipe[] }>();

  private constructor(target: URL, seed: number) {
    this.#target = { host: target.hostname, port: Number(target.port) };
    this.#random = seededRandom(seed);
  }

  /** In front of whatever listens at `url`. */
  static async start(url: string, seed = 1): Promise<TcpProxy> {
    const proxy = new TcpProxy(new URL(url), seed);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Applies to open connections as well. Answers a function that takes it away again. */
  add(direction: Direction, toxic: Toxic): () => void {
    this.#toxics[direction].add(toxic);
    this.#toxicsChanged();
    return () => {
      this.#toxics[direction].delete(toxic);
      this.#toxicsChanged();
    };
  }

  /** Takes all toxics away. */
  heal(): void {
    for (const toxics of Object.values(this.#toxics)) toxics.clear();
    this.#toxicsChanged();
  }

  async close(): Promise<void> {
    for (const { sockets, pipes } of this.#links) {
      for (const pipe of pipes) pipe.stop();
      for (const socket of sockets) socket.destroy();
    }
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #accept(client: Socket): void {
    const upstream = net.connect({ ...this.#target, allowHalfOpen: true, noDelay: true });
    const reset = (): void => {
      client.resetAndDestroy();
      upstream.destroy();
    };
    const close = (): void => {
      client.destroy();
      upstream.destroy();
    };
    const pipe = (from: Socket, to: Socket, direction: Direction): ToxicPipe =>
      new ToxicPipe(from, to, { toxics: () => this.#toxics[direction], random: this.#random, reset, close });
    const link = {
      sockets: [client, upstream],
      pipes: [pipe(client, upstream, 'up'), pipe(upstream, client, 'down')],
    };
    this.#links.add(link);
    this.connections.total += 1;
    this.connections.open += 1;
    for (const socket of link.sockets) {
      socket.on('error', () => {});
      // One side that breaks takes the other with it; one that only ends does not.
      socket.once('close', () => {
        if (!this.#links.delete(link)) return;
        this.connections.open -= 1;
        for (const running of link.pipes) running.stop();
        if (socket.errored) reset();
        else for (const other of link.sockets) if (other !== socket) other.destroySoon();
      });
    }
  }

  #toxicsChanged(): void {
    for (const { pipes } of this.#links) for (const pipe of pipes) pipe.toxicsChanged();
  }
}
