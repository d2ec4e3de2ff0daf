import type { ChunkPool } from './chunk-pool.ts';
import { varintLength, writeVarint } from './proto-writer.ts';

/** The tag of `ScopeSpans.spans`: field 2, length-delimited. */
const SPAN_TAG = 0x12;

/** Consecutive records of one scope in one chunk. */
export interface Segment {
  readonly chunk: RecordChunk;
  readonly scopeIndex: number;
  readonly start: number;
  readonly end: number;
  readonly count: number;
}

/** Records of one scope where they lie; good as long as somebody holds the chunk. */
export interface Stretch {
  readonly memory: Uint8Array;
  readonly scopeIndex: number;
  readonly start: number;
  readonly end: number;
}

/**
 * A piece of pooled memory with records one after the other, each ready to stand in a `ScopeSpans` message:
 * tag, length, `Span` message. Written once from front to back; the queue and every batch that refers to it
 * hold a reference, and the memory goes back to the pool with the last one.
 */
export class RecordChunk {
  readonly memory: Uint8Array;
  readonly #pool: ChunkPool;
  #references = 1;
  /** The records from here to the end still belong to the queue. */
  #start = 0;
  #end = 0;
  /** Scope and end offset of each stretch of records with the same scope, flat. */
  #runs: number[] = [];

  constructor(pool: ChunkPool, minBytes: number) {
    this.#pool = pool;
    this.memory = pool.acquire(minBytes);
  }

  get isEmpty(): boolean {
    return this.#start === this.#end;
  }

  hasRoomFor(bytes: number): boolean {
    return this.#end + bytes <= this.memory.length;
  }

  /** Copies a `Span` message in as a record; there must be room. */
  append(scratch: Uint8Array, start: number, end: number, scopeIndex: number): void {
    this.memory[this.#end] = SPAN_TAG;
    const body = writeVarint(this.memory, this.#end + 1, end - start);
    const isWhole = start === 0 && end === scratch.length;
    this.memory.set(isWhole ? scratch : scratch.subarray(start, end), body);
    this.#end = body + end - start;
    const runs = this.#runs;
    // A literal takes two words; a push onto an empty array would reserve seventeen.
    if (runs.length === 0) this.#runs = [scopeIndex, this.#end];
    else if (runs[runs.length - 2] === scopeIndex) runs[runs.length - 1] = this.#end;
    else runs.push(scopeIndex, this.#end);
  }

  /** Adds the records that still belong to the queue, oldest first, without removing them. */
  addStretches(to: Stretch[]): void {
    let start = this.#start;
    for (let run = 0; run < this.#runs.length; run += 2) {
      const [scopeIndex = 0, end = start] = this.#runs.slice(run, run + 2);
      to.push({ memory: this.memory, scopeIndex, start, end });
      start = end;
    }
  }

  /** Removes the oldest records, all of one scope, as many as the limits allow. The caller owes a `release` if there are any. */
  takeFirst(maxCount: number, maxBytes: number, atLeastOne: boolean): Segment {
    const [scopeIndex = 0, runEnd = this.#start] = this.#runs;
    const segment = cut({ chunk: this, scopeIndex, start: this.#start, end: runEnd }, maxCount, maxBytes, atLeastOne);
    if (segment.count > 0) this.retain();
    this.#start = segment.end;
    if (segment.end === runEnd) this.#runs.splice(0, 2);
    return segment;
  }

  /** Removes the newest records, all of one scope, until `bytes` are freed or the run ends; answers what was removed. */
  dropLast(bytes: number): Segment {
    const runs = this.#runs;
    const scopeIndex = runs.at(-2) ?? 0;
    const run = { chunk: this, scopeIndex, start: runs.at(-3) ?? this.#start, end: this.#end };
    const kept = cut(run, Number.POSITIVE_INFINITY, run.end - run.start - bytes, false);
    const dropped = cut({ ...run, start: kept.end }, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, false);
    if (kept.count === 0) runs.length -= 2;
    else runs[runs.length - 1] = kept.end;
    this.#end = kept.end;
    return dropped;
  }

  retain(): void {
    this.#references++;
  }

  release(): void {
    this.#references--;
    if (this.#references === 0) this.#pool.release(this.memory);
  }
}

/** How long the record of a `Span` message of `length` bytes is. */
export function recordLength(length: number): number {
  return 1 + varintLength(length) + length;
}

/** The longest head of a stretch of records within the limits. */
export function cut(stretch: Omit<Segment, 'count'>, maxCount: number, maxBytes: number, atLeastOne: boolean): Segment {
  const { chunk, scopeIndex, start } = stretch;
  let end = start;
  let count = 0;
  while (end < stretch.end && count < maxCount) {
    const next = recordEnd(chunk.memory, end);
    if (next - start > maxBytes && !(atLeastOne && count === 0)) break;
    end = next;
    count++;
  }
  return { chunk, scopeIndex, start, end, count };
}

/** Where the message in the record at `offset` begins: behind its tag and its length. */
export function payloadStart(memory: Uint8Array, offset: number): number {
  let position = offset + 1;
  while ((memory[position] ?? 0) >= 0x80) position++;
  return position + 1;
}

/** Where the record at `offset` ends. */
export function recordEnd(memory: Uint8Array, offset: number): number {
  let position = offset + 1;
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = memory[position++] ?? 0;
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) return position + length;
  }
}
