import { cut, type Segment } from './record-chunk.ts';

/** Records of one scope, as stretches of bytes to be put one after the other into a `ScopeSpans` message. */
export interface ScopeRun {
  readonly scopeIndex: number;
  readonly parts: readonly Uint8Array[];
}

/**
 * Spans taken from a queue. The memory behind `runs` is lent until `release`; after that, and after `split`,
 * the batch has no runs, while `count` and `bytes` still tell what it had.
 */
export interface SpanBatch {
  readonly count: number;
  /** The length that the spans have in a request. */
  readonly bytes: number;
  /** One entry for each scope, in order of first appearance; within a scope in the order of the queue. */
  readonly runs: readonly ScopeRun[];
  /** Calls `visit` for stretches of records of one scope, in order; nothing after `release` and `split`. */
  tally(visit: (scopeIndex: number, count: number, bytes: number) => void): void;
  /** The older and the newer half, which take over the memory. `undefined` for fewer than two spans. */
  split(): [SpanBatch, SpanBatch] | undefined;
  /** Gives the memory back. A second time does nothing. */
  release(): void;
}

/** Every segment brings one reference to its chunk, which the batch releases. */
export function createSpanBatch(segments: readonly Segment[]): SpanBatch {
  return new SegmentBatch(segments);
}

class SegmentBatch implements SpanBatch {
  #segments: readonly Segment[];
  readonly count: number;
  readonly bytes: number;

  constructor(segments: readonly Segment[]) {
    this.#segments = segments;
    this.count = countOf(segments);
    this.bytes = bytesOf(segments);
  }

  get runs(): readonly ScopeRun[] {
    const parts = new Map<number, Uint8Array[]>();
    for (const { chunk, scopeIndex, start, end } of this.#segments) {
      const part = chunk.memory.subarray(start, end);
      const others = parts.get(scopeIndex);
      if (others === undefined) parts.set(scopeIndex, [part]);
      else others.push(part);
    }
    return Array.from(parts, ([scopeIndex, list]) => ({ scopeIndex, parts: list }));
  }

  tally(visit: (scopeIndex: number, count: number, bytes: number) => void): void {
    for (const { scopeIndex, count, start, end } of this.#segments) visit(scopeIndex, count, end - start);
  }

  split(): [SpanBatch, SpanBatch] | undefined {
    const segments = this.#segments;
    const half = countOf(segments) >>> 1;
    if (half === 0) return undefined;
    const older: Segment[] = [];
    const newer: Segment[] = [];
    let room = half;
    for (const segment of segments) {
      const head = cut(segment, room, Number.POSITIVE_INFINITY, false);
      const tail = { ...segment, start: head.end, count: segment.count - head.count };
      if (head.count > 0) older.push(head);
      if (tail.count > 0) newer.push(tail);
      if (head.count > 0 && tail.count > 0) segment.chunk.retain();
      room -= head.count;
    }
    this.#segments = [];
    return [new SegmentBatch(older), new SegmentBatch(newer)];
  }

  release(): void {
    const segments = this.#segments;
    this.#segments = [];
    for (const { chunk } of segments) chunk.release();
  }
}

function countOf(segments: readonly Segment[]): number {
  return segments.reduce((sum, { count }) => sum + count, 0);
}

function bytesOf(segments: readonly Segment[]): number {
  return segments.reduce((sum, { start, end }) => sum + end - start, 0);
}
