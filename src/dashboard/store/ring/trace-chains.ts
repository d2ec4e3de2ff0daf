import { grown } from '../../otlp/row-batch.ts';

const INITIAL_ROWS = 32;
const ID_BYTES = 16;
const NONE = -1;

/**
 * Finds the rows of a trace: a table from the hash of the trace id to the newest row, and from each row to the one
 * before it. The ids themselves stay in the buffer.
 */
export class TraceChains {
  #heads = new Int32Array(2 * INITIAL_ROWS).fill(NONE);
  #previous = new Int32Array(INITIAL_ROWS);
  /** Where the id of each row is; -1 for none. */
  #idAt = new Int32Array(INITIAL_ROWS);
  #count = 0;

  get bytes(): number {
    return 4 * (this.#heads.length + this.#previous.length + this.#idAt.length);
  }

  /** Rows come in order. */
  add(buffer: Buffer, row: number, idAt: number): void {
    if (row === this.#previous.length) this.#grow(buffer);
    this.#idAt[row] = idAt;
    this.#count = row + 1;
    if (idAt >= 0) this.#link(buffer, row, idAt);
  }

  has(row: number): boolean {
    return (this.#idAt[row] ?? NONE) >= 0;
  }

  /** In hex; empty for none. */
  idOf(buffer: Buffer, row: number): string {
    const at = this.#idAt[row] ?? NONE;
    return at < 0 ? '' : buffer.toString('hex', at, at + ID_BYTES);
  }

  isOf(buffer: Buffer, row: number, id: Buffer): boolean {
    const at = this.#idAt[row] ?? NONE;
    return at >= 0 && id.compare(buffer, at, at + ID_BYTES) === 0;
  }

  /** The rows of a trace, newest first. */
  find(buffer: Buffer, id: Buffer): number[] {
    const rows: number[] = [];
    if (id.length !== ID_BYTES) return rows;
    let row = this.#heads[hashAt(id, 0) & (this.#heads.length - 1)] ?? NONE;
    for (; row >= 0; row = this.#previous[row] ?? NONE) if (this.isOf(buffer, row, id)) rows.push(row);
    return rows;
  }

  #link(buffer: Buffer, row: number, idAt: number): void {
    const slot = hashAt(buffer, idAt) & (this.#heads.length - 1);
    this.#previous[row] = this.#heads[slot] as number;
    this.#heads[slot] = row;
  }

  #grow(buffer: Buffer): void {
    const rows = 2 * this.#previous.length;
    this.#idAt = grown(this.#idAt, new Int32Array(rows));
    this.#previous = new Int32Array(rows);
    this.#heads = new Int32Array(2 * rows).fill(NONE);
    for (let row = 0; row < this.#count; row += 1) {
      const at = this.#idAt[row] as number;
      if (at >= 0) this.#link(buffer, row, at);
    }
  }
}

/** Trace ids are random, at least in their last bytes; made-up ones need not be. */
function hashAt(bytes: Uint8Array, at: number): number {
  let hash = 0;
  for (let index = 0; index < ID_BYTES; index += 1) hash = Math.imul(hash ^ (bytes[at + index] as number), 0x01000193);
  return hash ^ (hash >>> 15);
}
