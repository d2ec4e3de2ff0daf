import type { Socket } from 'node:net';

/** What happens to the bytes of one direction. */
export type Toxic =
  /** Every byte arrives later, by as much as the jitter more or less. */
  | { readonly type: 'latency'; readonly millis: number; readonly jitterMillis?: number }
  | { readonly type: 'bandwidth'; readonly bytesPerSecond: number }
  /** The end of the stream is passed on late. */
  | { readonly type: 'slow-close'; readonly millis: number }
  /** No byte passes; after the time, unless it is 0, the connection is closed. */
  | { readonly type: 'timeout'; readonly millis: number }
  /** No byte passes; the connection is reset so long after the next one. */
  | { readonly type: 'reset'; readonly millis: number }
  /** Small pieces with pauses. */
  | { readonly type: 'slicer'; readonly bytes: number; readonly pauseMillis: number }
  /** The connection is closed after so many bytes. */
  | { readonly type: 'limit-data'; readonly bytes: number };

export interface PipeOptions {
  readonly toxics: () => ReadonlySet<Toxic>;
  readonly random: () => number;
  readonly reset: () => void;
  readonly close: () => void;
}

/** Beyond this the source is not read, so that whoever writes to it feels the pressure. */
const MAX_WAITING_BYTES = 65_536;

interface Piece {
  /** Undefined is the end. */
  readonly bytes: Buffer | undefined;
  readonly dueAt: number;
}

/** Moves bytes from one socket to another under the toxics of the moment. */
export class ToxicPipe {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #options: PipeOptions;
  readonly #queue: Piece[] = [];
  readonly #doom = new Set<NodeJS.Timeout>();
  #timer: NodeJS.Timeout | undefined;
  #waitingBytes = 0;
  #passedBytes = 0;
  #busy = false;
  #stopped = false;

  constructor(from: Socket, to: Socket, options: PipeOptions) {
    this.#from = from;
    this.#to = to;
    this.#options = options;
    from.on('data', (bytes: Buffer) => this.#take(bytes));
    from.once('end', () => this.#take(undefined));
  }

  stop(): void {
    this.#stopped = true;
    this.#queue.length = 0;
    clearTimeout(this.#timer);
    for (const timer of this.#doom) clearTimeout(timer);
  }

  /** What stood still may go on. */
  toxicsChanged(): void {
    if (!this.#busy) void this.#move();
  }

  #take(bytes: Buffer | undefined): void {
    if (this.#stopped) return;
    let delay = 0;
    for (const toxic of this.#options.toxics()) {
      if (toxic.type === 'latency') {
        delay += toxic.millis + (toxic.jitterMillis ?? 0) * (this.#options.random() * 2 - 1);
      } else if (toxic.type === 'slow-close' && bytes === undefined) delay += toxic.millis;
      else if (toxic.type === 'reset') this.#after(toxic.millis, this.#options.reset);
      else if (toxic.type === 'timeout' && toxic.millis > 0) this.#after(toxic.millis, this.#options.close);
    }
    // Later bytes never overtake.
    const dueAt = Math.max(performance.now() + delay, this.#queue.at(-1)?.dueAt ?? 0);
    this.#queue.push({ bytes, dueAt });
    this.#waitingBytes += bytes?.length ?? 0;
    if (this.#waitingBytes > MAX_WAITING_BYTES) this.#from.pause();
    if (!this.#busy) void this.#move();
  }

  async #move(): Promise<void> {
    this.#busy = true;
    while (!this.#stopped && this.#queue.length > 0 && !this.#blocked()) {
      const [piece] = this.#queue as [Piece];
      const early = piece.dueAt - performance.now();
      if (early > 0) {
        await this.#pause(early);
        continue;
      }
      this.#queue.shift();
      if (piece.bytes === undefined) this.#to.end();
      else await this.#write(piece.bytes);
    }
    this.#busy = false;
  }

  #blocked(): boolean {
    return [...this.#options.toxics()].some(({ type }) => type === 'timeout' || type === 'reset');
  }

  async #write(bytes: Buffer): Promise<void> {
    let rest = bytes;
    while (rest.length > 0 && !this.#stopped) {
      const { size, pauseMillis, closes } = this.#nextSlice(rest.length);
      const slice = rest.subarray(0, size);
      rest = rest.subarray(size);
      this.#passedBytes += size;
      this.#waitingBytes -= size;
      if (size > 0) this.#to.write(slice);
      if (closes) {
        this.#options.close();
        return;
      }
      if (pauseMillis > 0) await this.#pause(pauseMillis);
    }
    if (this.#waitingBytes <= MAX_WAITING_BYTES) this.#from.resume();
  }

  #nextSlice(available: number): { size: number; pauseMillis: number; closes: boolean } {
    let size = available;
    let pauseMillis = 0;
    let closes = false;
    const toxics = [...this.#options.toxics()];
    for (const toxic of toxics) {
      if (toxic.type === 'slicer') {
        size = Math.min(size, Math.max(1, Math.round(toxic.bytes * (0.5 + this.#options.random()))));
        pauseMillis += toxic.pauseMillis;
      } else if (toxic.type === 'bandwidth') size = Math.min(size, Math.max(1, Math.ceil(toxic.bytesPerSecond / 20)));
      else if (toxic.type === 'limit-data') {
        const left = Math.max(toxic.bytes - this.#passedBytes, 0);
        closes ||= left <= size;
        size = Math.min(size, left);
      }
    }
    for (const toxic of toxics) if (toxic.type === 'bandwidth') pauseMillis += (size / toxic.bytesPerSecond) * 1_000;
    return { size, pauseMillis, closes };
  }

  #pause(millis: number): Promise<void> {
    return new Promise((resolve) => {
      this.#timer = setTimeout(resolve, millis);
    });
  }

  #after(millis: number, action: () => void): void {
    const timer = setTimeout(() => {
      this.#doom.delete(timer);
      action();
    }, millis);
    this.#doom.add(timer);
  }
}
