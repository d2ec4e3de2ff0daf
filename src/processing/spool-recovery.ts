import path from 'node:path';
import type { SpoolFiles } from '../infra/spool-files.ts';
import { isMissing, type SpoolOwner } from '../infra/spool-owner.ts';
import type { ChunkPool } from './chunk-pool.ts';
import { recordLength } from './record-chunk.ts';
import { readSegment } from './spool-frame.ts';
import { parseMarker, type SpoolAccount, SpoolSegment } from './spool-segment.ts';

export interface SpoolRecoveryOptions {
  readonly files: SpoolFiles;
  readonly owner: SpoolOwner;
  readonly chunks: ChunkPool;
  readonly account: (name: string) => SpoolAccount;
  readonly report: (operation: string, error: unknown) => void;
  readonly found: (segment: SpoolSegment) => void;
  /** Told of spans that cannot be read and of which nobody knows whose they were. */
  readonly lost: (count: number) => void;
}

/** Four times what the largest batch can take. */
const MAX_FILE_BYTES = 256 * 1_048_576;

/** Reads what dead owners left, one file after the other, and moves it into our own directory. */
export class SpoolRecovery {
  readonly #options: SpoolRecoveryOptions;
  /** Taken over, but not readable when we tried. */
  #unread: string[] = [];

  constructor(options: SpoolRecoveryOptions) {
    this.#options = options;
  }

  /** Never rejects. `failed` is told when the directory itself cannot be used. */
  async run(failed: (error: unknown) => void): Promise<void> {
    const again = this.#unread;
    this.#unread = [];
    for (const file of again) await this.#adopt(file);
    try {
      for await (const file of this.#options.owner.takeOrphans()) await this.#adopt(file);
    } catch (error) {
      if (!this.#options.owner.closed) failed(error);
    }
  }

  async #adopt(file: string): Promise<void> {
    const { account, chunks, files, found, lost, owner, report } = this.#options;
    const name = path.basename(file);
    const marker = parseMarker(name);
    // What is not moved any more is found by whoever takes our directory over.
    if (marker === undefined || owner.closed) return;
    try {
      const target = path.join(owner.open(), name);
      if (target !== file) await files.rename(file, target);
      const data = await files.read(target, MAX_FILE_BYTES).catch((error: unknown) => {
        this.#unread.push(target);
        throw error;
      });
      let bytes = 0;
      const { count, damaged, foreign, header } = readSegment(data, marker, (_scope, start, end) => {
        bytes += recordLength(end - start);
      });
      // It is left for a process of that version.
      if (foreign) return;
      if (header === undefined || count === 0) {
        lost(count + damaged);
        await files.remove(target);
        return;
      }
      const options = { header, account: account(header.name), chunks };
      found(SpoolSegment.adopt(options, { path: target, name, bytes: data.length }, { count, bytes, damaged }));
    } catch (error) {
      if (!isMissing(error) && !owner.closed) report('adopt', error);
    }
  }
}
