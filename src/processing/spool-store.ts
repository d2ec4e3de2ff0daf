import path from 'node:path';
import type { SpoolFiles } from '../infra/spool-files.ts';
import { codeOf, isMissing, type SpoolOwner } from '../infra/spool-owner.ts';
import { describeError } from '../utils/errors.ts';
import type { Agenda, Job } from './agenda.ts';
import type { SegmentFrames, SpoolSegment } from './spool-segment.ts';

export interface SpoolStoreOptions {
  readonly files: SpoolFiles;
  readonly owner: SpoolOwner;
  readonly agenda: Agenda;
  /** Told of every failure of the disk. */
  readonly report: (operation: string, error: unknown) => void;
}

/** A span is in its file so long after its end. */
const FLUSH_MILLIS = 500;
/** A disk that failed is tried again after so long. */
const RETRY_MILLIS = 60_000;
const MAX_OPEN_FILES = 4;

/**
 * Writes the segments of one directory: all that changed, twice a second, a few files at a time, each opened, appended
 * to, synced and closed. A disk that fails is left alone for a minute; what could not be written waits in memory.
 */
export class SpoolStore implements Job {
  readonly #options: SpoolStoreOptions;
  readonly #dirty = new Set<SpoolSegment>();
  #flushing: Promise<void> | undefined;
  #planned = false;
  #problem: string | undefined;
  #retryAt = Number.NEGATIVE_INFINITY;

  constructor(options: SpoolStoreOptions) {
    this.#options = options;
  }

  /** What the disk said when it failed; `undefined` while it works. */
  get problem(): string | undefined {
    return this.#problem;
  }

  get #resting(): boolean {
    return this.#problem !== undefined && this.#options.agenda.now() < this.#retryAt;
  }

  /** To be called when a segment that is not `dirty` got something to write. */
  changed(segment: SpoolSegment): void {
    segment.dirty = true;
    this.#dirty.add(segment);
    if (!this.#planned) this.#plan();
  }

  due(): void {
    this.#planned = false;
    void this.flush();
  }

  /** Writes and syncs what there is to be written. Never rejects. */
  flush(): Promise<void> {
    this.#flushing ??= this.#flushAll().finally(() => {
      this.#flushing = undefined;
      if ([...this.#dirty].some((segment) => this.#hasRoom(segment))) this.#plan();
    });
    return this.#flushing;
  }

  /** As `flush`, with what changed since one began that is under way. */
  async sync(): Promise<void> {
    await this.#flushing;
    await this.flush();
  }

  /** Writes a whole segment now, with `sync` down to the disk. False when the disk, or the tenant's share of it, will not take it. */
  writeSync(segment: SpoolSegment, sync: boolean, mayRetry = true): boolean {
    if (segment.stored) return true;
    if (this.#resting || !this.#hasRoom(segment)) return false;
    try {
      const frames = segment.frames();
      if (frames === undefined) return false;
      const mode = { file: this.#fileMode(segment, segment.writing !== undefined), sync } as const;
      this.#options.files.writeSync(this.#place(segment), frames.bytes, frames.position, mode);
      this.#wrote(segment, frames);
    } catch (error) {
      if (!segment.dirty) this.changed(segment);
      if (this.#vanished(segment, error)) return mayRetry && this.writeSync(segment, sync, false);
      this.failed('write', error);
      return false;
    }
    if (sync) return true;
    segment.unsynced = true;
    if (!segment.dirty) this.changed(segment);
    return true;
  }

  /** A segment's file goes over to another. */
  handOver(from: SpoolSegment, to: SpoolSegment): void {
    this.#dirty.delete(from);
    from.dirty = false;
    from.unsynced = false;
    if (to.unsynced) this.changed(to);
  }

  /** The content of a segment's file. Rejects with what the disk says. */
  read(segment: SpoolSegment): Promise<Buffer> {
    return this.#options.files.read(segment.path ?? '', Number.POSITIVE_INFINITY);
  }

  /** Deletes a segment's file, if it has one. Never rejects. */
  remove(segment: SpoolSegment): Promise<void> {
    segment.removal ??= this.#remove(segment);
    return segment.removal;
  }

  /** The disk failed. */
  failed(operation: string, error: unknown): void {
    const { agenda, report } = this.#options;
    this.#problem = describeError(error);
    this.#retryAt = agenda.now() + RETRY_MILLIS;
    report(operation, error);
  }

  #plan(): void {
    const { agenda } = this.#options;
    this.#planned = true;
    agenda.schedule(this, Math.max(agenda.now() + FLUSH_MILLIS, this.#problem === undefined ? 0 : this.#retryAt));
  }

  async #flushAll(): Promise<void> {
    const waiting = [...this.#dirty];
    const made = new Set<string>();
    const work = async (): Promise<void> => {
      for (let segment = waiting.shift(); segment !== undefined; segment = waiting.shift()) {
        if (this.#resting) return;
        if (this.#dirty.has(segment) && this.#hasRoom(segment)) await this.#write(segment, made);
      }
    };
    await Promise.all(Array.from({ length: MAX_OPEN_FILES }, work));
    // The names of new files; not every system can sync a directory.
    await Promise.all([...made].map((directory) => this.#options.files.sync(directory).catch(() => undefined)));
  }

  /** Never rejects. */
  async #write(segment: SpoolSegment, made: Set<string>): Promise<void> {
    this.#dirty.delete(segment);
    segment.dirty = false;
    if (segment.removal !== undefined) return;
    const writing = this.#append(segment, made);
    segment.writing = writing;
    await writing;
    segment.writing = undefined;
  }

  async #append(segment: SpoolSegment, made: Set<string>): Promise<void> {
    const { files } = this.#options;
    let claimed = 0;
    try {
      const frames = segment.frames();
      const isNew = segment.path === undefined;
      if (frames !== undefined) {
        const mode = { file: this.#fileMode(segment, false), sync: true } as const;
        const target = this.#place(segment);
        // Counted before it is written, so that files that are written at the same time stay within the bound.
        claimed = frames.bytes.length;
        segment.account.bytes += claimed;
        await files.write(target, frames.bytes, frames.position, mode);
        this.#wrote(segment, frames);
        if (isNew) made.add(path.dirname(target));
      } else if (segment.unsynced && segment.path !== undefined) await files.sync(segment.path);
      segment.unsynced = false;
    } catch (error) {
      // Meanwhile it may have been written by `writeSync`, or delivered and removed.
      if (segment.removal !== undefined || (segment.stored && codeOf(error) === 'EEXIST')) return;
      if (!this.#vanished(segment, error)) this.failed('write', error);
      if (!segment.stored && !segment.dirty) this.changed(segment);
    } finally {
      segment.account.bytes -= claimed;
    }
  }

  async #remove(segment: SpoolSegment): Promise<void> {
    const { files, report } = this.#options;
    this.#dirty.delete(segment);
    await segment.writing;
    segment.account.bytes -= segment.fileBytes;
    if (segment.path !== undefined) {
      try {
        await files.remove(segment.path);
      } catch (error) {
        if (!isMissing(error)) report('remove', error);
      }
    }
    if (this.#dirty.size > 0 && !this.#planned) this.#plan();
  }

  #wrote(segment: SpoolSegment, frames: SegmentFrames): void {
    segment.wrote(frames);
    // A write that was under way when another one failed says nothing about the disk now.
    if (!this.#resting) this.#problem = undefined;
  }

  #hasRoom({ account, unsynced, stored }: SpoolSegment): boolean {
    return account.bytes < account.maxBytes || (unsynced && stored);
  }

  /** Where a segment's file is, or is to be. @throws when the directory cannot be made */
  #place(segment: SpoolSegment): string {
    segment.path ??= path.join(this.#options.owner.open(), segment.fileName);
    return segment.path;
  }

  #fileMode({ fileBytes, path: known }: SpoolSegment, isWriting: boolean): 'new' | 'may-exist' | 'old' {
    if (fileBytes > 0) return 'old';
    return known === undefined && !isWriting ? 'new' : 'may-exist';
  }

  /** Whether a write failed because the file or the directory is gone; the segment is then to be written anew. */
  #vanished(segment: SpoolSegment, error: unknown): boolean {
    if (!isMissing(error) || segment.path === undefined) return false;
    // A file that could not even be made has no directory.
    if (segment.fileBytes === 0) this.#options.owner.lost(path.dirname(segment.path));
    segment.forgetFile();
    return true;
  }
}
