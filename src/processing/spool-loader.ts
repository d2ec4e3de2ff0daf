import { isMissing } from '../infra/spool-owner.ts';
import type { Agenda, Job } from './agenda.ts';
import type { DropReason } from './ledger.ts';
import type { Spool } from './spool.ts';
import type { SegmentLine } from './spool-line.ts';
import type { SegmentSource, SpoolSegment } from './spool-segment.ts';
import type { RequestFormat } from './wire-format.ts';

export interface SpoolLoaderOptions {
  readonly home: Spool;
  readonly line: SegmentLine;
  readonly wire: SegmentSource & { readonly format: RequestFormat };
  readonly agenda: Agenda;
  readonly lost: (count: number, reason: DropReason) => void;
  /** Told when a segment can be sent. */
  readonly ready: () => void;
  /** Told of a segment that has nothing left. */
  readonly emptied: (segment: SpoolSegment) => void;
}

/** A file that cannot be read for the moment is tried again so often. */
const READ_AGAIN_MILLIS = 60_000;

/** Brings the oldest segment of a line back into memory when it is only on the disk, one at a time. */
export class SpoolLoader implements Job {
  readonly #options: SpoolLoaderOptions;
  #isBusy = false;
  #closed = false;

  constructor(options: SpoolLoaderOptions) {
    this.#options = options;
  }

  /** To be called when the line has changed. */
  prefetch(): void {
    const { first } = this.#options.line;
    if (this.#closed || this.#isBusy || first === undefined || first.resident) return;
    this.#isBusy = true;
    void this.#load(first);
  }

  /** A file that could not be read is tried again. */
  due(): void {
    this.#isBusy = false;
    this.prefetch();
  }

  close(): void {
    this.#closed = true;
    this.#options.agenda.cancel(this);
  }

  /** Never rejects. */
  async #load(segment: SpoolSegment): Promise<void> {
    const { agenda, emptied, home, line, lost, ready } = this.#options;
    let lostCount = segment.count;
    try {
      const { data, release } = await home.loads.load(segment.bytes, () => home.store.read(segment));
      if (this.#closed) {
        release();
        return;
      }
      line.change(segment, () => {
        segment.lease = release;
        lostCount = segment.fill(data, () => this.#resourceFor(segment));
      });
    } catch (error) {
      if (this.#closed) return;
      if (!isMissing(error)) {
        home.report('read', error);
        agenda.schedule(this, agenda.now() + READ_AGAIN_MILLIS);
        return;
      }
      line.change(segment, () => {
        segment.count = 0;
      });
    }
    this.#isBusy = false;
    if (segment.count === 0) emptied(segment);
    if (lostCount > 0) lost(lostCount, 'corrupted');
    this.prefetch();
    if (segment.resident) ready();
  }

  /** For spans whose own resource is damaged. */
  #resourceFor({ header }: SpoolSegment): Uint8Array {
    const { format, resource } = this.#options.wire;
    return header.contentType === format.contentType ? resource : new Uint8Array(0);
  }
}
