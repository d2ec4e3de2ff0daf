import type { SpoolSegment } from './spool-segment.ts';

/** The segments of a cargo that wait, oldest first, and what they come to. */
export class SegmentLine {
  /** Spans, wherever they are. */
  size = 0;
  /** Of those in memory: recorded here. */
  memorySize = 0;
  memoryBytes = 0;
  /** Read back from the disk, whose memory the gate has admitted. */
  loadedSize = 0;
  loadedBytes = 0;
  #segments: SpoolSegment[] = [];
  #older = Number.MIN_SAFE_INTEGER;
  #newer = 0;

  get first(): SpoolSegment | undefined {
    return this.#segments[0];
  }

  get length(): number {
    return this.#segments.length;
  }

  has(segment: SpoolSegment): boolean {
    return this.#segments.includes(segment);
  }

  /** The oldest that can be sent. */
  firstResident(): SpoolSegment | undefined {
    return this.#segments.find(({ resident }) => resident);
  }

  /** Those that were recorded here and are in memory, newest first. */
  inMemory(): SpoolSegment[] {
    return this.#segments.filter(({ lease, resident }) => resident && lease === undefined).reverse();
  }

  /** A new one, which is still empty. */
  addNewer(segment: SpoolSegment): void {
    segment.order = this.#newer;
    this.#newer += 1;
    this.#segments.push(segment);
  }

  /** One from before anything was recorded here; behind others of that kind. */
  addOlder(segment: SpoolSegment): void {
    segment.order = this.#older;
    this.#older += 1;
    this.insert(segment);
  }

  /** Puts one that was here back to its place. */
  insert(segment: SpoolSegment): void {
    const at = this.#segments.findIndex(({ order }) => order > segment.order);
    this.#segments.splice(at < 0 ? this.#segments.length : at, 0, segment);
    this.#count(segment, 1);
  }

  remove(segment: SpoolSegment): void {
    const at = this.#segments.indexOf(segment);
    if (at < 0) return;
    this.#segments.splice(at, 1);
    this.#count(segment, -1);
  }

  /** Changes one that waits, and keeps count. */
  change(segment: SpoolSegment, change: () => void): void {
    this.#count(segment, -1);
    change();
    this.#count(segment, 1);
  }

  /** The newest got a span of so many bytes. */
  grew(bytes: number): void {
    this.size += 1;
    this.memorySize += 1;
    this.memoryBytes += bytes;
  }

  /** Empties the line and answers what was in it. */
  clear(): SpoolSegment[] {
    const segments = this.#segments;
    for (const segment of segments) this.#count(segment, -1);
    this.#segments = [];
    return segments;
  }

  #count({ bytes, count, lease, resident }: SpoolSegment, sign: 1 | -1): void {
    this.size += sign * count;
    if (!resident) return;
    if (lease === undefined) {
      this.memorySize += sign * count;
      this.memoryBytes += sign * bytes;
    } else {
      this.loadedSize += sign * count;
      this.loadedBytes += sign * bytes;
    }
  }
}
