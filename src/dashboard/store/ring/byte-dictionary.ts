const INITIAL_SLOTS = 64;
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/**
 * Numbers texts from 0, by their UTF-8 bytes. The bytes stay where they are, in the buffer of the segment, of which
 * only the places are kept.
 */
export class ByteDictionary {
  #slots = new Int32Array(INITIAL_SLOTS);
  #starts: number[] = [];
  #lengths: number[] = [];
  #hashes: number[] = [];
  readonly #texts: (string | undefined)[] = [];

  get size(): number {
    return this.#starts.length;
  }

  /** The number of the text at `start`, which is a new one if it is not known yet. */
  add(bytes: Uint8Array, start: number, length: number): number {
    let hash = FNV_OFFSET;
    for (let index = 0; index < length; index += 1) {
      hash = Math.imul(hash ^ (bytes[start + index] as number), FNV_PRIME);
    }
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const found = (this.#slots[slot] as number) - 1;
      if (found < 0) return this.#insert(start, length, hash, slot);
      if (this.#hashes[found] === hash && this.#isEqual(found, bytes, start, length)) return found;
    }
  }

  text(id: number, bytes: Uint8Array): string {
    const known = this.#texts[id];
    if (known !== undefined) return known;
    const start = this.#starts[id] ?? 0;
    const view = Buffer.from(bytes.buffer, bytes.byteOffset + start, this.#lengths[id] ?? 0);
    const text = view.toString('utf8');
    this.#texts[id] = text;
    return text;
  }

  #isEqual(id: number, bytes: Uint8Array, start: number, length: number): boolean {
    if (this.#lengths[id] !== length) return false;
    const other = this.#starts[id] as number;
    for (let index = 0; index < length; index += 1) if (bytes[other + index] !== bytes[start + index]) return false;
    return true;
  }

  #insert(start: number, length: number, hash: number, slot: number): number {
    const id = this.#starts.length;
    this.#starts.push(start);
    this.#lengths.push(length);
    this.#hashes.push(hash);
    this.#slots[slot] = id + 1;
    if (2 * this.#starts.length > this.#slots.length) this.#rehash();
    return id;
  }

  #rehash(): void {
    const slots = new Int32Array(2 * this.#slots.length);
    const mask = slots.length - 1;
    for (const [id, hash] of this.#hashes.entries()) {
      let slot = hash & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = id + 1;
    }
    this.#slots = slots;
  }
}
