const MIN_CHUNK_BYTES = 1_024;
/** The largest chunk that is kept for reuse. */
export const MAX_POOLED_CHUNK_BYTES = 65_536;
const DEFAULT_MAX_FREE_BYTES = 4 * 1_048_576;

/** Lends memory to the byte queues of all tenants and knows how much of it they hold together. */
export interface ChunkPool {
  /** Bytes on loan. */
  readonly usedBytes: number;
  /** Memory of at least `minBytes` bytes, with undefined content. */
  acquire(minBytes: number): Uint8Array;
  /** Takes back a chunk that was acquired here; the lender must not touch it any more. */
  release(chunk: Uint8Array): void;
}

export interface ChunkPoolOptions {
  /** How much returned memory is kept for reuse. Default 4 MiB. */
  readonly maxFreeBytes?: number;
}

/**
 * Chunks come in powers of two from 1 KiB to 64 KiB with a free list for each size; larger ones are made
 * to measure and not kept. Returning something that is not on loan does nothing, so that one chunk can
 * never have two owners.
 */
export function createChunkPool(options: ChunkPoolOptions = {}): ChunkPool {
  return new FreeListPool(options.maxFreeBytes ?? DEFAULT_MAX_FREE_BYTES);
}

class FreeListPool implements ChunkPool {
  readonly #maxFreeBytes: number;
  readonly #free = new Map<number, Uint8Array[]>();
  readonly #onLoan = new Set<Uint8Array>();
  #freeBytes = 0;
  #usedBytes = 0;

  constructor(maxFreeBytes: number) {
    this.#maxFreeBytes = maxFreeBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  acquire(minBytes: number): Uint8Array {
    const chunk = this.#take(chunkSize(minBytes));
    this.#onLoan.add(chunk);
    this.#usedBytes += chunk.length;
    return chunk;
  }

  release(chunk: Uint8Array): void {
    if (!this.#onLoan.delete(chunk)) return;
    this.#usedBytes -= chunk.length;
    if (chunk.length > MAX_POOLED_CHUNK_BYTES || this.#freeBytes + chunk.length > this.#maxFreeBytes) return;
    this.#freeBytes += chunk.length;
    const list = this.#free.get(chunk.length);
    if (list === undefined) this.#free.set(chunk.length, [chunk]);
    else list.push(chunk);
  }

  #take(size: number): Uint8Array {
    const chunk = this.#free.get(size)?.pop();
    if (chunk === undefined) return Buffer.allocUnsafeSlow(size);
    this.#freeBytes -= size;
    return chunk;
  }
}

function chunkSize(minBytes: number): number {
  if (minBytes > MAX_POOLED_CHUNK_BYTES) return minBytes;
  let size = MIN_CHUNK_BYTES;
  while (size < minBytes) size *= 2;
  return size;
}
