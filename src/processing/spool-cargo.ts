import type { StopSignal } from '../utils/stop-signal.ts';
import { limitAttempt } from './attempt-limit.ts';
import type { BudgetUser, ByteBudget } from './byte-budget.ts';
import type { ChunkPool } from './chunk-pool.ts';
import type { CargoSpool, LaneCargo } from './lane-cargo.ts';
import type { DropReason, Ledger } from './ledger.ts';
import type { DeliveryOutcome } from './outcome.ts';
import { recordLength } from './record-chunk.ts';
import { type AttemptParts, attemptSpans } from './span-attempt.ts';
import type { SpanBatch } from './span-batch.ts';
import { wireFormatNamed } from './span-sender.ts';
import type { SpanWire } from './span-wire.ts';
import type { Spool } from './spool.ts';
import type { SegmentHeader } from './spool-frame.ts';
import { SegmentLine } from './spool-line.ts';
import { SpoolLoader } from './spool-loader.ts';
import { type SpoolAccount, SpoolSegment } from './spool-segment.ts';

export interface SpoolCargoOptions extends AttemptParts {
  readonly home: Spool;
  readonly account: SpoolAccount;
  readonly header: SegmentHeader;
  readonly wire: SpanWire;
  readonly ledger: Ledger;
  /** Whether a span is on the disk before `push` returns. */
  readonly syncAlways: boolean;
  readonly chunks: ChunkPool;
  readonly budget: ByteBudget;
  /** Bounds on what waits in memory. */
  readonly maxQueueSize: number;
  readonly maxQueueBytes: number;
  readonly maxBatchSize: number;
  readonly maxBatchBytes: number;
  /** Told how many spans were lost, and why. */
  readonly lost: (count: number, reason: DropReason) => void;
  /** Told when a batch that was on the disk can be taken. */
  readonly ready: () => void;
}

/** A segment, or a part of one, on its way. */
export interface SpoolBatch {
  readonly count: number;
  readonly segment: SpoolSegment;
  readonly spans: SpanBatch;
  readonly isPart: boolean;
}

/** What is known of a segment that was taken. */
interface Taken {
  /** Batches that are not released: one, or several after a split. */
  batches: number;
  /** Parts that are done with. Their memory is kept as long as any of it may have to be written. */
  readonly parts: SpanBatch[];
  /** What others were left on the disk of it. */
  left: SpoolSegment | undefined;
}

/** A full budget is not shed span by span. */
const SHED_BYTES = 64 * 1_024;
/** How long a disk may take to delete the file of a batch that was delivered, before the next batch is sent all the same. */
const REMOVAL_MILLIS = 1_000;

/**
 * Encoded spans that wait in memory and, after half a second, also in files, one for each batch. Beyond the bounds of
 * memory they wait in files alone, and come back when it is their turn. A file is deleted when its batch was delivered.
 */
export class SpoolCargo implements LaneCargo<SpoolBatch>, CargoSpool<SpoolBatch>, BudgetUser {
  /** What a span that was not taken is counted under. */
  readonly refusal = 'spool_full';
  readonly destination: string;
  readonly origin: string;
  readonly #options: SpoolCargoOptions;
  readonly #line = new SegmentLine();
  readonly #taken = new Map<SpoolSegment, Taken>();
  #takenBytes = 0;
  #filling: SpoolSegment | undefined;
  #closed = false;
  readonly #loader: SpoolLoader;

  constructor(options: SpoolCargoOptions) {
    const { url } = options.destination;
    this.#options = options;
    this.destination = `${url.origin}${url.pathname}`;
    this.origin = url.origin;
    options.budget.join(this);
    this.#loader = new SpoolLoader({
      ...options,
      line: this.#line,
      emptied: (segment) => this.#discard(segment),
    });
  }

  get spool(): CargoSpool<SpoolBatch> {
    return this;
  }

  get size(): number {
    return this.#line.size;
  }

  get spooled(): number {
    return this.#line.size - this.#line.memorySize - this.#line.loadedSize;
  }

  get bytes(): number {
    return this.#line.memoryBytes + this.#line.loadedBytes + this.#takenBytes;
  }

  get full(): boolean {
    const { maxBatchBytes, maxBatchSize } = this.#options;
    const { first, length } = this.#line;
    if (first === undefined) return false;
    return length > 1 || first !== this.#filling || first.count >= maxBatchSize || first.bytes >= maxBatchBytes;
  }

  get ready(): boolean {
    return this.#line.firstResident() !== undefined;
  }

  /** Copies an encoded span in; false when neither memory nor disk have room. */
  push(scratch: Uint8Array, start: number, end: number, scopeIndex: number): boolean {
    const { maxQueueBytes, maxQueueSize, home, syncAlways } = this.#options;
    const bytes = recordLength(end - start);
    const line = this.#line;
    while (line.memorySize >= maxQueueSize || line.memoryBytes + bytes > maxQueueBytes)
      if (!this.#spill()) return false;
    if (!this.#reserve(bytes)) return false;
    const segment = this.#segmentFor(bytes);
    segment.push(scratch, start, end, scopeIndex);
    line.grew(bytes);
    if (syncAlways && home.store.writeSync(segment, true)) return true;
    if (!segment.dirty) home.store.changed(segment);
    return true;
  }

  /** Whether the destination can be sent spans in the segment's format. */
  accepts({ header }: SpoolSegment): boolean {
    const { destination, wire } = this.#options;
    if (header.contentType === wire.format.contentType) return true;
    return destination.protocol !== 'grpc' && wireFormatNamed(header.contentType) !== undefined;
  }

  /** Takes over what an earlier process, or an earlier configuration, left on the disk. */
  adopt(segment: SpoolSegment): void {
    const { home, ledger } = this.#options;
    home.enter(segment, ledger);
    this.#line.addOlder(segment);
    this.#loader.prefetch();
  }

  take(): SpoolBatch | undefined {
    const segment = this.#line.firstResident();
    if (segment === undefined) return undefined;
    this.#line.remove(segment);
    if (segment === this.#filling) this.#filling = undefined;
    this.#takenBytes += segment.bytes;
    this.#taken.set(segment, { batches: 1, parts: [], left: undefined });
    this.#loader.prefetch();
    return { count: segment.count, segment, spans: segment.seal(), isPart: false };
  }

  async attempt({ segment, spans }: SpoolBatch, signal: StopSignal): Promise<DeliveryOutcome> {
    const { agenda, clock, home } = this.#options;
    const frame = (): Uint8Array => segment.frame(spans);
    const outcome = await attemptSpans(this.#options, frame, signal, segment.header.contentType);
    const taken = this.#taken.get(segment);
    // Before the next batch is sent, so that a process that dies repeats one batch at most.
    if (outcome.status === 'success' && taken?.batches === 1 && taken.left === undefined) {
      const endsAt = clock.monotonic() + REMOVAL_MILLIS;
      await limitAttempt(home.store.remove(segment), { agenda, endsAt, signal });
    }
    return outcome;
  }

  split({ segment, spans }: SpoolBatch): readonly [SpoolBatch, SpoolBatch] | undefined {
    const halves = spans.split();
    const taken = this.#taken.get(segment);
    if (halves === undefined || taken === undefined) return undefined;
    taken.batches += 1;
    const [older, newer] = halves;
    return [
      { count: older.count, segment, spans: older, isPart: true },
      { count: newer.count, segment, spans: newer, isPart: true },
    ];
  }

  release({ isPart, segment, spans }: SpoolBatch): void {
    const taken = this.#taken.get(segment);
    if (taken === undefined) return;
    if (isPart) taken.parts.push(spans);
    taken.batches -= 1;
    if (taken.batches > 0) return;
    this.#taken.delete(segment);
    this.#takenBytes -= segment.bytes;
    this.#free(segment);
    for (const part of taken.parts) part.release();
    if (taken.left === undefined) void this.#options.home.store.remove(segment);
  }

  putBack({ isPart, segment }: SpoolBatch): boolean {
    if (isPart || this.#closed) return false;
    this.#taken.delete(segment);
    this.#takenBytes -= segment.bytes;
    this.#line.insert(segment);
    return true;
  }

  leave({ count, isPart, segment }: SpoolBatch): number {
    const { home, ledger } = this.#options;
    const taken = this.#taken.get(segment);
    if (taken === undefined || segment.removal !== undefined) return 0;
    if (taken.left === undefined) {
      const isStored = home.store.writeSync(segment, false);
      if (!isStored && (isPart || segment.storedCount === 0)) return 0;
      // The memory is still being read by a request, and goes with that.
      taken.left = segment.detach();
      home.store.handOver(segment, taken.left);
      const left = Math.min(count, taken.left.count);
      home.park(taken.left, ledger, left);
      return left;
    }
    if (taken.left.ledger === ledger) taken.left.counted += count;
    // Somebody has claimed, and counted, the whole of it already.
    else ledger.countCreated(-count);
    return count;
  }

  /** Leaves on the disk what is there or can be brought there, and answers how many spans could not. */
  clear(): number {
    const { budget, home, ledger } = this.#options;
    this.#closed = true;
    this.#filling = undefined;
    this.#loader.close();
    let lost = 0;
    for (const segment of this.#line.clear()) {
      if (segment.resident && !home.store.writeSync(segment, false)) lost += segment.truncate();
      this.#free(segment);
      if (segment.count > 0) home.park(segment, ledger);
      else void home.store.remove(segment);
    }
    budget.leave(this);
    return lost;
  }

  /** Makes room for other tenants: the newest go to the disk; only what that refuses is lost. */
  shed(bytes: number): number {
    const before = this.#line.memoryBytes;
    const freed = (): number => before - this.#line.memoryBytes;
    let lost = 0;
    for (const segment of this.#line.inMemory()) {
      if (freed() >= bytes) break;
      if (!this.#toDisk(segment)) lost += this.#dropNewest(segment, bytes - freed());
    }
    if (lost > 0) this.#options.lost(lost, this.refusal);
    return freed();
  }

  #reserve(bytes: number): boolean {
    const { budget } = this.#options;
    if (budget.reserve(this, bytes)) return true;
    // Nobody holds more than we do.
    const target = this.#line.memoryBytes - Math.max(bytes, SHED_BYTES);
    for (const segment of this.#line.inMemory()) {
      if (this.#line.memoryBytes <= target || !this.#toDisk(segment)) break;
    }
    return budget.reserve(this, bytes);
  }

  /** Makes room in memory for about a batch: the newest goes to the disk, but not the one that is being filled. */
  #spill(): boolean {
    const waiting = this.#line.inMemory();
    const full = waiting.filter((segment) => segment !== this.#filling);
    return [...full, ...waiting].some((segment) => this.#toDisk(segment));
  }

  /** Lets go of a segment's memory if it is on the disk, or can be brought there now. */
  #toDisk(segment: SpoolSegment): boolean {
    if (segment.writing !== undefined || !this.#options.home.store.writeSync(segment, false)) return false;
    if (segment === this.#filling) this.#filling = undefined;
    this.#line.change(segment, () => this.#free(segment));
    this.#loader.prefetch();
    return true;
  }

  #dropNewest(segment: SpoolSegment, bytes: number): number {
    if (segment.storedCount > 0 || segment.writing !== undefined) return 0;
    let count = 0;
    const before = segment.bytes;
    this.#line.change(segment, () => {
      count = segment.dropNewest(bytes);
    });
    this.#options.budget.release(before - segment.bytes);
    if (segment.count === 0) this.#discard(segment);
    return count;
  }

  #segmentFor(bytes: number): SpoolSegment {
    const { account, chunks, header, maxBatchBytes, maxBatchSize, wire } = this.#options;
    const last = this.#filling;
    if (last !== undefined && last.count < maxBatchSize && last.bytes + bytes <= maxBatchBytes) return last;
    const segment = SpoolSegment.create({ account, chunks, header }, wire);
    this.#filling = segment;
    this.#line.addNewer(segment);
    return segment;
  }

  /** Removes a segment that has nothing left. */
  #discard(segment: SpoolSegment): void {
    this.#line.remove(segment);
    this.#free(segment);
    if (segment === this.#filling) this.#filling = undefined;
    void this.#options.home.store.remove(segment);
  }

  /** Lets go of a segment's memory and of its place in the budget. */
  #free(segment: SpoolSegment): void {
    if (segment.lease !== undefined) segment.lease();
    else if (segment.resident) this.#options.budget.release(segment.bytes);
    segment.lease = undefined;
    segment.free();
  }
}
