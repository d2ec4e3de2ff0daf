import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SpanByteQueue } from '../../src/processing/byte-queue.ts';
import { type ChunkPool, createChunkPool } from '../../src/processing/chunk-pool.ts';
import type { SpanBatch } from '../../src/processing/span-batch.ts';

/** A span message of the queue, whose content tells it from every other. */
interface Message {
  readonly content: Uint8Array;
  readonly scopeIndex: number;
}

type Step =
  | { readonly kind: 'push'; readonly length: number; readonly scopeIndex: number }
  | { readonly kind: 'take'; readonly maxSpans: number; readonly maxBytes: number }
  | { readonly kind: 'split' | 'release'; readonly pick: number }
  | { readonly kind: 'dropNewest'; readonly bytes: number }
  | { readonly kind: 'clear' };

describe('SpanByteQueue', () => {
  it('behaves like a list of messages, whatever is done to it', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(fc.array(stepArbitrary(), { minLength: 1, maxLength: 60 }), (steps) => {
        const comparison = new Comparison();
        for (const step of steps) comparison.run(step);
        comparison.finish();
      }),
      { numRuns: 1_000 },
    );
  });

  it('refuses a span that would exceed a bound and takes it once there is room', () => {
    const queue = new SpanByteQueue({ chunks: createChunkPool(), maxSize: 2, maxBytes: 1_000 });
    const message = new Uint8Array(300);

    expect(push(queue, message)).toBe(true);
    expect(push(queue, new Uint8Array(700))).toBe(false);
    expect(push(queue, message)).toBe(true);
    expect(push(queue, message)).toBe(false);
    expect(queue.size).toBe(2);
    queue.take(2, 1_000)?.release();
    expect(push(queue, message)).toBe(true);
  });

  it('gives one span even if that is more than was asked for', () => {
    const queue = new SpanByteQueue({ chunks: createChunkPool(), maxSize: 10, maxBytes: 1_000_000 });
    push(queue, new Uint8Array(200_000));
    push(queue, new Uint8Array(10));

    expect(queue.take(0, 0)).toMatchObject({ count: 1, bytes: 200_004 });
    expect(queue.take(10, 100)).toMatchObject({ count: 1, bytes: 12 });
    expect(queue.take(10, 100)).toBeUndefined();
  });

  it('holds 296-byte spans in at most 450 bytes each, and nothing when empty', () => {
    const pool = createChunkPool();
    const queue = new SpanByteQueue({ chunks: pool, maxSize: 10_000, maxBytes: 4_194_304 });
    const message = new Uint8Array(293);
    const costs: number[] = [];
    while (push(queue, message)) costs.push(pool.usedBytes / queue.size);

    expect(queue.bytes / queue.size).toBe(296);
    expect(costs[0]).toBeLessThanOrEqual(1_024);
    expect(costs[2]).toBeLessThanOrEqual(450);
    expect(Math.max(...costs.slice(500))).toBeLessThanOrEqual(450);
    expect(costs.at(-1)).toBeLessThanOrEqual(310);
    expect(queue.allocatedBytes).toBe(pool.usedBytes);
    expect(queue.clear()).toBe(10_000);
    expect([queue.size, queue.bytes, queue.allocatedBytes, pool.usedBytes]).toEqual([0, 0, 0, 0]);
  });

  it('starts with a small chunk again after it ran empty', () => {
    const pool = createChunkPool();
    const queue = new SpanByteQueue({ chunks: pool, maxSize: 10_000, maxBytes: 4_194_304 });
    for (let index = 0; index < 1_000; index++) push(queue, new Uint8Array(293));
    queue.take(1_000, 4_194_304)?.release();
    push(queue, new Uint8Array(293));

    expect(pool.usedBytes).toBe(1_024);
  });

  it('keeps a batch intact while the queue goes on in the same chunk', () => {
    const queue = new SpanByteQueue({ chunks: poisoningPool(), maxSize: 100, maxBytes: 1_000_000 });
    push(queue, new Uint8Array(10).fill(1));
    push(queue, new Uint8Array(10).fill(2));
    push(queue, new Uint8Array(10).fill(3));
    const batch = queue.take(1, 1_000);
    queue.dropNewest(1);
    push(queue, new Uint8Array(10).fill(4));
    queue.clear();
    push(queue, new Uint8Array(10).fill(5));

    expect(contentsOf(batch)).toEqual([[0, new Array(10).fill(1)]]);
  });

  it('gives memory back once, however often a batch is released', () => {
    const pool = createChunkPool();
    const queue = new SpanByteQueue({ chunks: pool, maxSize: 100, maxBytes: 1_000_000 });
    push(queue, new Uint8Array(10));
    push(queue, new Uint8Array(10));
    const first = queue.take(1, 1_000);
    first?.release();
    first?.release();

    expect(pool.usedBytes).toBe(1_024);
    expect(first?.runs).toEqual([]);
    expect(first?.split()).toBeUndefined();
    expect(contentsOf(queue.take(1, 1_000))).toHaveLength(1);
  });
});

describe('SpanBatch', () => {
  it('keeps one half readable when the other is released', () => {
    const pool = poisoningPool();
    const queue = new SpanByteQueue({ chunks: pool, maxSize: 100, maxBytes: 1_000_000 });
    for (const value of [1, 2, 3]) push(queue, new Uint8Array(2).fill(value));
    const [older, newer] = queue.take(3, 1_000)?.split() ?? [];
    older?.release();

    expect(contentsOf(newer)).toEqual([
      [0, [2, 2]],
      [0, [3, 3]],
    ]);
    newer?.release();
    expect(pool.usedBytes).toBe(0);
  });
});

/** Does the same to a queue and to plain lists, and compares after each step. */
class Comparison {
  readonly #pool = poisoningPool();
  readonly #queue = new SpanByteQueue({ chunks: this.#pool, maxSize: 40, maxBytes: 200_000 });
  readonly #bounds = { maxSize: 40, maxBytes: 200_000 };
  #waiting: Message[] = [];
  #batches: { batch: SpanBatch; messages: Message[] }[] = [];
  #serial = 0;

  run(step: Step): void {
    switch (step.kind) {
      case 'push':
        this.#push(step.length, step.scopeIndex);
        break;
      case 'take':
        this.#take(step.maxSpans, step.maxBytes);
        break;
      case 'split':
        this.#split(step.pick);
        break;
      case 'release':
        this.#batches.splice(step.pick % Math.max(this.#batches.length, 1), 1)[0]?.batch.release();
        break;
      case 'dropNewest':
        this.#dropNewest(step.bytes);
        break;
      case 'clear':
        expect(this.#queue.clear()).toBe(this.#waiting.length);
        this.#waiting = [];
    }
    this.#compare();
  }

  finish(): void {
    const rest = this.#queue.take(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
    expect(contentsOf(rest)).toEqual(grouped(this.#waiting));
    rest?.release();
    for (const { batch } of this.#batches) batch.release();
    expect(this.#queue.allocatedBytes).toBe(0);
    expect(this.#pool.usedBytes).toBe(0);
  }

  #push(length: number, scopeIndex: number): void {
    const content = Buffer.alloc(length, this.#serial % 251);
    if (length >= 4) content.writeUInt32LE(this.#serial);
    this.#serial++;
    const message = { content, scopeIndex };
    const fits =
      this.#waiting.length < this.#bounds.maxSize && totalOf([...this.#waiting, message]) <= this.#bounds.maxBytes;
    const scratch = Buffer.concat([Buffer.from('junk'), content, Buffer.from('junk')]);
    expect(this.#queue.push(scratch, 4, 4 + length, scopeIndex)).toBe(fits);
    if (fits) this.#waiting.push(message);
  }

  #take(maxSpans: number, maxBytes: number): void {
    const batch = this.#queue.take(maxSpans, maxBytes);
    let count = Math.min(this.#waiting.length, 1);
    while (count < Math.min(maxSpans, this.#waiting.length) && totalOf(this.#waiting.slice(0, count + 1)) <= maxBytes) {
      count++;
    }
    const messages = this.#waiting.splice(0, count);
    expect(batch?.count ?? 0).toBe(count);
    if (batch !== undefined) this.#batches.push({ batch, messages });
  }

  #split(pick: number): void {
    const index = pick % Math.max(this.#batches.length, 1);
    const picked = this.#batches[index];
    if (picked === undefined) return;
    const { batch, messages } = picked;
    const halves = batch.split();
    expect(halves === undefined).toBe(messages.length < 2);
    if (halves === undefined) return;
    batch.release();
    const middle = messages.length >>> 1;
    this.#batches.splice(
      index,
      1,
      { batch: halves[0], messages: messages.slice(0, middle) },
      { batch: halves[1], messages: messages.slice(middle) },
    );
  }

  #dropNewest(bytes: number): void {
    let count = 0;
    while (count < this.#waiting.length && totalOf(this.#waiting.slice(this.#waiting.length - count)) < bytes) count++;
    expect(this.#queue.dropNewest(bytes)).toBe(count);
    this.#waiting.length -= count;
  }

  #compare(): void {
    expect(this.#queue.size).toBe(this.#waiting.length);
    expect(this.#queue.bytes).toBe(totalOf(this.#waiting));
    expect(this.#queue.allocatedBytes).toBeGreaterThanOrEqual(this.#queue.bytes);
    expect(this.#queue.allocatedBytes).toBeLessThanOrEqual(this.#pool.usedBytes);
    for (const { batch, messages } of this.#batches) {
      expect(batch.count).toBe(messages.length);
      expect(batch.bytes).toBe(totalOf(messages));
      expect(contentsOf(batch)).toEqual(grouped(messages));
    }
  }
}

function stepArbitrary(): fc.Arbitrary<Step> {
  const length = fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 1, max: 400 }) },
    { weight: 2, arbitrary: fc.constantFrom(127, 128, 1_021, 1_022, 2_045) },
    { weight: 1, arbitrary: fc.constantFrom(16_384, 70_000) },
  );
  const bytes = fc.oneof(fc.nat(2_000), fc.nat(200_000));
  const push = fc.record({
    kind: fc.constant('push' as const),
    length,
    scopeIndex: fc.constantFrom(0, 0, 0, 0, 0, 1, 2),
  });
  return fc.oneof(
    { weight: 8, arbitrary: push },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('take' as const), maxSpans: fc.nat(8), maxBytes: bytes }) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constantFrom('split' as const, 'release' as const),
        pick: fc.nat(),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('dropNewest' as const), bytes }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'clear' as const }) },
  );
}

/** A pool whose returned memory is overwritten at once, so that reading it too late shows. */
function poisoningPool(): ChunkPool {
  const pool = createChunkPool();
  return {
    get usedBytes() {
      return pool.usedBytes;
    },
    acquire: (minBytes) => pool.acquire(minBytes),
    release: (chunk) => {
      chunk.fill(0xee);
      pool.release(chunk);
    },
  };
}

function push(queue: SpanByteQueue, message: Uint8Array, scopeIndex = 0): boolean {
  return queue.push(message, 0, message.length, scopeIndex);
}

/** The scope and the content of each span of a batch. */
function contentsOf(batch: SpanBatch | undefined): [scopeIndex: number, content: number[]][] {
  return (batch?.runs ?? []).flatMap(({ scopeIndex, parts }) =>
    recordsIn(Buffer.concat(parts)).map((content): [number, number[]] => [scopeIndex, [...content]]),
  );
}

function recordsIn(bytes: Uint8Array): Uint8Array[] {
  const records: Uint8Array[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const record = bytes.subarray(offset);
    expect(record[0]).toBe(0x12);
    const start = 1 + lengthBytes(record);
    let length = 0;
    for (let index = start - 1; index > 0; index--) length = length * 128 + ((record[index] ?? 0) & 0x7f);
    records.push(record.subarray(start, start + length));
    offset += start + length;
  }
  return records;
}

/** How many bytes the length of a record takes. */
function lengthBytes(record: Uint8Array): number {
  let count = 1;
  while ((record[count] ?? 0) >= 0x80) count++;
  return count;
}

/** What a batch with these messages is expected to hold: the scopes in order of first appearance. */
function grouped(messages: readonly Message[]): [number, number[]][] {
  const scopes = [...new Set(messages.map(({ scopeIndex }) => scopeIndex))];
  return scopes.flatMap((scope) =>
    messages
      .filter(({ scopeIndex }) => scopeIndex === scope)
      .map(({ content }): [number, number[]] => [scope, [...content]]),
  );
}

function totalOf(messages: readonly Message[]): number {
  return messages.reduce((sum, { content }) => {
    const length = content.length;
    return sum + 1 + (length < 128 ? 1 : length < 16_384 ? 2 : 3) + length;
  }, 0);
}
