import { type ChunkPool, MAX_POOLED_CHUNK_BYTES } from './chunk-pool.ts';
import { RecordChunk, recordLength, type Segment, type Stretch } from './record-chunk.ts';
import { createSpanBatch, type SpanBatch } from './span-batch.ts';

export type { SpanBatch } from './span-batch.ts';

const FIRST_CHUNK_BYTES = 1_024;

export interface QueueBounds {
  /** Spans that may wait. */
  readonly maxSize: number;
  /** Bytes that may wait; see `bytes`. */
  readonly maxBytes: number;
}

export interface SpanByteQueueOptions extends QueueBounds {
  readonly chunks: ChunkPool;
  /** Told of spans that were dropped while they waited. */
  readonly dropped?: (scopeIndex: number, count: number, bytes: number) => void;
}

/**
 * A bounded first-in-first-out queue of encoded spans, as bytes in pooled memory: no object waits in it. An
 * empty queue holds no memory; a filling one takes chunks of 1 KiB, 2 KiB and so on up to 64 KiB.
 */
export class SpanByteQueue {
  readonly #pool: ChunkPool;
  readonly #bounds: QueueBounds;
  readonly #dropped: SpanByteQueueOptions['dropped'];
  #chunks: RecordChunk[] = [];
  #nextChunkBytes = FIRST_CHUNK_BYTES;
  #size = 0;
  #bytes = 0;
  #allocatedBytes = 0;

  constructor({ chunks, dropped, maxSize, maxBytes }: SpanByteQueueOptions) {
    this.#dropped = dropped;
    this.#pool = chunks;
    this.#bounds = { maxSize, maxBytes };
  }

  /** Spans waiting. */
  get size(): number {
    return this.#size;
  }

  /** What the waiting spans will take in a request, which is their messages and a tag and a length each. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Memory behind the spans waiting. What only a batch still holds is not in here, but in the pool's `usedBytes`. */
  get allocatedBytes(): number {
    return this.#allocatedBytes;
  }

  /**
   * Copies the `Span` message in `scratch[start .. end]` to the end of the queue; `scopeIndex` is the
   * caller's number for its instrumentation scope. False, and nothing changed, if that would exceed a bound.
   */
  push(scratch: Uint8Array, start: number, end: number, scopeIndex: number): boolean {
    const length = recordLength(end - start);
    if (this.#size >= this.#bounds.maxSize || this.#bytes + length > this.#bounds.maxBytes) return false;
    this.#chunkFor(length).append(scratch, start, end, scopeIndex);
    this.#size++;
    this.#bytes += length;
    return true;
  }

  /**
   * Removes the oldest spans, at most `maxSpans` with at most `maxBytes` together, but one in any case.
   * `undefined` if none waits. The caller owes the batch a `release`.
   */
  take(maxSpans: number, maxBytes: number): SpanBatch | undefined {
    const segments: Segment[] = [];
    let spansLeft = Math.max(maxSpans, 1);
    let bytesLeft = maxBytes;
    for (let chunk = this.#chunks[0]; chunk !== undefined; chunk = this.#chunks[0]) {
      const segment = chunk.takeFirst(spansLeft, bytesLeft, segments.length === 0);
      if (segment.count === 0) break;
      segments.push(segment);
      spansLeft -= segment.count;
      bytesLeft -= segment.end - segment.start;
      this.#removed(segment);
    }
    return segments.length === 0 ? undefined : createSpanBatch(segments);
  }

  /** Drops the newest spans until at least `bytes` of them are gone or none is left, and answers how many. */
  dropNewest(bytes: number): number {
    const sizeBefore = this.#size;
    const target = this.#bytes - bytes;
    for (let chunk = this.#chunks.at(-1); chunk !== undefined && this.#bytes > target; chunk = this.#chunks.at(-1)) {
      const segment = chunk.dropLast(this.#bytes - target);
      this.#removed(segment);
      this.#dropped?.(segment.scopeIndex, segment.count, segment.end - segment.start);
    }
    return sizeBefore - this.#size;
  }

  /** The spans waiting, oldest first, where they lie. */
  stretches(): Stretch[] {
    const stretches: Stretch[] = [];
    for (const chunk of this.#chunks) chunk.addStretches(stretches);
    return stretches;
  }

  /** Drops every span and answers how many there were. */
  clear(): number {
    return this.dropNewest(this.#bytes);
  }

  #chunkFor(bytes: number): RecordChunk {
    const last = this.#chunks.at(-1);
    if (last?.hasRoomFor(bytes)) return last;
    const chunk = new RecordChunk(this.#pool, Math.max(this.#nextChunkBytes, bytes));
    // An array that grows reserves room for sixteen more.
    if (last === undefined) this.#chunks = [chunk];
    else this.#chunks.push(chunk);
    this.#allocatedBytes += chunk.memory.length;
    this.#nextChunkBytes = Math.min(2 * this.#nextChunkBytes, MAX_POOLED_CHUNK_BYTES);
    return chunk;
  }

  #removed({ chunk, start, end, count }: Segment): void {
    this.#size -= count;
    this.#bytes -= end - start;
    if (!chunk.isEmpty) return;
    if (chunk === this.#chunks[0]) this.#chunks.shift();
    else this.#chunks.pop();
    this.#allocatedBytes -= chunk.memory.length;
    chunk.release();
    if (this.#chunks.length > 0) return;
    this.#chunks = [];
    this.#nextChunkBytes = FIRST_CHUNK_BYTES;
  }
}
