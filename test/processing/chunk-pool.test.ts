import { describe, expect, it } from 'vitest';
import { createChunkPool } from '../../src/processing/chunk-pool.ts';

describe('createChunkPool', () => {
  it('lends powers of two from 1 KiB to 64 KiB, and larger chunks to measure', () => {
    const pool = createChunkPool();

    expect([1, 1_024, 1_025, 65_536, 65_537].map((bytes) => pool.acquire(bytes).length)).toEqual([
      1_024, 1_024, 2_048, 65_536, 65_537,
    ]);
    expect(pool.usedBytes).toBe(1_024 + 1_024 + 2_048 + 65_536 + 65_537);
  });

  it('lends a returned chunk again, to one borrower only', () => {
    const pool = createChunkPool();
    const chunk = pool.acquire(1_024);
    pool.release(chunk);
    pool.release(chunk);

    expect(pool.usedBytes).toBe(0);
    expect(pool.acquire(1_024)).toBe(chunk);
    expect(pool.acquire(1_024)).not.toBe(chunk);
  });

  it('ignores memory that it never lent', () => {
    const pool = createChunkPool();
    const foreign = new Uint8Array(1_024);
    pool.release(foreign);

    expect(pool.usedBytes).toBe(0);
    expect(pool.acquire(1_024)).not.toBe(foreign);
  });

  it('keeps no more free memory than it may', () => {
    const pool = createChunkPool({ maxFreeBytes: 2_048 });
    const chunks = [pool.acquire(1_024), pool.acquire(1_024), pool.acquire(1_024)];
    for (const chunk of chunks) pool.release(chunk);

    const again = [pool.acquire(1_024), pool.acquire(1_024), pool.acquire(1_024)];
    expect(again.filter((chunk) => chunks.includes(chunk))).toHaveLength(2);
  });

  it('does not keep chunks above 64 KiB', () => {
    const pool = createChunkPool();
    const chunk = pool.acquire(100_000);
    pool.release(chunk);

    expect(pool.acquire(100_000)).not.toBe(chunk);
  });
});
