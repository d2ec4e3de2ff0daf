import { createHash, randomBytes } from 'node:crypto';
import { SpanByteQueue } from './byte-queue.ts';
import type { ChunkPool } from './chunk-pool.ts';
import type { Ledger } from './ledger.ts';
import { payloadStart, recordEnd, type Stretch } from './record-chunk.ts';
import type { SpanBatch } from './span-batch.ts';
import { wireFormatNamed } from './span-sender.ts';
import { type FileMarker, FrameWriter, readSegment, type SegmentHeader, SPAN_FRAME_BYTES } from './spool-frame.ts';

/** What the files of one tenant take on the disk, and how much they may. */
export interface SpoolAccount {
  bytes: number;
  maxBytes: number;
}

/** What spans are sent with: encoded, the scopes by the numbers that the spans were queued with. */
export interface SegmentSource {
  readonly resource: Uint8Array;
  readonly scopes: readonly Uint8Array[];
}

/** What is to be written next to a segment's file. */
export interface SegmentFrames {
  readonly bytes: Buffer;
  readonly position: number;
  /** Spans that the file holds then. */
  readonly count: number;
  readonly scopes: ReadonlySet<number>;
}

export interface SegmentOptions {
  readonly header: SegmentHeader;
  readonly account: SpoolAccount;
  readonly chunks: ChunkPool;
}

const FILE_NAME = /^[0-9a-f]{16}-([0-9a-f]{8})([0-9a-f]{8})\.seg$/;
const UNBOUNDED = { maxSize: Number.POSITIVE_INFINITY, maxBytes: Number.POSITIVE_INFINITY };
const EMPTY = new Uint8Array(0);

/**
 * At most one batch of one tenant for one destination: in memory, in a file, or in both. Frames are made when they are
 * written, from the memory that the spans wait in; a segment that is delivered before that never costs anything.
 */
export class SpoolSegment {
  readonly header: SegmentHeader;
  readonly account: SpoolAccount;
  readonly fileName: string;
  /** Where its file is; `undefined` until it is written for the first time. */
  path: string | undefined;
  count = 0;
  /** What the spans take in a request. */
  bytes = 0;
  /** Its place in the line. */
  order = 0;
  /** Whether the store knows that there is something to be written or synced. */
  dirty = false;
  /** Whether something was written that may not be on the disk yet. */
  unsynced = false;
  writing: Promise<void> | undefined;
  removal: Promise<void> | undefined;
  /** Gives the place in the budget back of memory that was read from the disk. */
  lease: (() => void) | undefined;
  /** Spans that were in the file and cannot be read; not counted yet. */
  damaged = 0;
  /** Where it was counted as created, and as how many spans, when nobody holds it. */
  ledger: Ledger | undefined;
  counted = 0;
  readonly #marker: FileMarker;
  readonly #chunks: ChunkPool;
  #source: SegmentSource | undefined;
  #queue: SpanByteQueue | undefined;
  #batch: SpanBatch | undefined;
  /** Where the spans lie, once the queue has given them away. */
  #stretches: readonly Stretch[] | undefined;
  #written = 0;
  #fileBytes = 0;
  #scopes: ReadonlySet<number> = new Set();

  private constructor({ account, chunks, header }: SegmentOptions, fileName: string, marker: FileMarker) {
    this.header = header;
    this.account = account;
    this.fileName = fileName;
    this.#chunks = chunks;
    this.#marker = marker;
  }

  /** An empty one, to be filled. */
  static create(options: SegmentOptions, source: SegmentSource): SpoolSegment {
    const marker = randomBytes(8).toString('hex');
    const owner = createHash('sha256').update(options.header.name).digest('hex').slice(0, 16);
    const fileName = `${owner}-${marker}.seg`;
    const segment = new SpoolSegment(options, fileName, parseMarker(fileName) as FileMarker);
    segment.#source = source;
    segment.#queue = new SpanByteQueue({ chunks: options.chunks, ...UNBOUNDED });
    return segment;
  }

  /** One that another process left on the disk. */
  static adopt(
    options: SegmentOptions,
    file: { readonly path: string; readonly name: string; readonly bytes: number },
    spans: { readonly count: number; readonly bytes: number; readonly damaged: number },
  ): SpoolSegment {
    const segment = new SpoolSegment(options, file.name, parseMarker(file.name) as FileMarker);
    segment.path = file.path;
    segment.count = spans.count;
    segment.bytes = spans.bytes;
    segment.damaged = spans.damaged;
    segment.#written = spans.count;
    segment.#fileBytes = file.bytes;
    options.account.bytes += file.bytes;
    return segment;
  }

  /** Its file as a segment of its own, without the memory: for whoever takes it over while this one is still being sent. */
  detach(): SpoolSegment {
    const { account, fileName, header } = this;
    const rest = new SpoolSegment({ account, chunks: this.#chunks, header }, fileName, this.#marker);
    rest.path = this.path;
    rest.count = this.#written;
    rest.bytes = this.bytes;
    rest.writing = this.writing;
    rest.unsynced = this.unsynced;
    rest.#written = this.#written;
    rest.#fileBytes = this.#fileBytes;
    return rest;
  }

  /** Whether the spans are in memory. */
  get resident(): boolean {
    return this.#queue !== undefined || this.#batch !== undefined;
  }

  /** Whether every span is in the file. */
  get stored(): boolean {
    return this.#written >= this.count;
  }

  get storedCount(): number {
    return this.#written;
  }

  get fileBytes(): number {
    return this.#fileBytes;
  }

  /** Adds the message in `scratch[start .. end]`. Only before `seal`. */
  push(scratch: Uint8Array, start: number, end: number, scopeIndex: number): void {
    const queue = this.#queue as SpanByteQueue;
    queue.push(scratch, start, end, scopeIndex);
    this.count = queue.size;
    this.bytes = queue.bytes;
  }

  /** Gives up its newest spans; only of one that was never written. Answers how many. */
  dropNewest(bytes: number): number {
    const count = this.#queue?.dropNewest(bytes) ?? 0;
    this.count = this.#queue?.size ?? this.count;
    this.bytes = this.#queue?.bytes ?? this.bytes;
    return count;
  }

  /** The spans, to be sent. Nothing can be added any more. The memory stays the segment's. */
  seal(): SpanBatch {
    if (this.#batch === undefined) {
      const queue = this.#queue as SpanByteQueue;
      this.#stretches = queue.stretches();
      this.#batch = queue.take(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY) as SpanBatch;
      this.#queue = undefined;
    }
    return this.#batch;
  }

  /** Lets go of the memory. */
  free(): void {
    this.#queue?.clear();
    this.#batch?.release();
    this.#queue = undefined;
    this.#batch = undefined;
    this.#stretches = undefined;
  }

  /** Reads the file's content into memory. Answers how many spans of it are lost. */
  fill(data: Buffer, fallback: () => Uint8Array): number {
    const queue = new SpanByteQueue({ chunks: this.#chunks, ...UNBOUNDED });
    const { resource, scopes } = readSegment(data, this.#marker, (scopeIndex, start, end) => {
      queue.push(data, start, end, scopeIndex);
    });
    const lost = this.count - queue.size;
    this.#source = { resource: Buffer.from(resource ?? fallback()), scopes: scopes.map((scope) => Buffer.from(scope)) };
    this.#queue = queue;
    this.count = queue.size;
    this.bytes = queue.bytes;
    this.#written = queue.size;
    return lost;
  }

  /** The body of a request with these of its spans. */
  frame(spans: SpanBatch): Uint8Array {
    const { resource, scopes } = this.#source as SegmentSource;
    const format = wireFormatNamed(this.header.signal, this.header.contentType);
    return format === undefined ? EMPTY : format.frame(resource, scopes, spans);
  }

  /** What is not in the file yet; `undefined` when that is nothing. */
  frames(): SegmentFrames | undefined {
    if (this.stored || !this.resident) return undefined;
    const { resource, scopes: encoded } = this.#source as SegmentSource;
    const expected = this.bytes + (this.count - this.#written) * SPAN_FRAME_BYTES + 2 * resource.length;
    const writer = new FrameWriter(this.#marker, expected + 1_024);
    const scopes = new Set(this.#scopes);
    if (this.#written === 0) {
      writer.header(this.header);
      writer.resource(resource);
    }
    let index = 0;
    for (const { memory, scopeIndex, start, end } of this.#stretches ?? this.#queue?.stretches() ?? []) {
      for (let at = start; at < end; index += 1) {
        const next = recordEnd(memory, at);
        if (index >= this.#written) {
          if (!scopes.has(scopeIndex)) writer.scope(scopeIndex, encoded[scopeIndex] ?? EMPTY);
          scopes.add(scopeIndex);
          writer.span(index, scopeIndex, memory, payloadStart(memory, at), next);
        }
        at = next;
      }
    }
    return { bytes: writer.bytes, position: this.#fileBytes, count: index, scopes };
  }

  /** These frames are in the file now. */
  wrote({ bytes, count, position, scopes }: SegmentFrames): void {
    if (count <= this.#written) return;
    const end = position + bytes.length;
    this.account.bytes += end - this.#fileBytes;
    this.#fileBytes = end;
    this.#written = count;
    this.#scopes = scopes;
  }

  /** Its file is gone: what is in memory is to be written again. */
  forgetFile(): void {
    this.account.bytes -= this.#fileBytes;
    this.#fileBytes = 0;
    this.path = undefined;
    if (!this.resident) return;
    this.#written = 0;
    this.#scopes = new Set();
  }

  /** Gives up what is not in the file. Answers how many spans that were. */
  truncate(): number {
    const lost = this.count - this.#written;
    this.count = this.#written;
    return lost;
  }
}

/** The sync word and the checksum's start value of a file; `undefined` for a name that is none of ours. */
export function parseMarker(fileName: string): FileMarker | undefined {
  const [, sync, seed] = FILE_NAME.exec(fileName) ?? [];
  if (sync === undefined || seed === undefined) return undefined;
  return { sync: Number.parseInt(sync, 16), seed: Number.parseInt(seed, 16) };
}
