import type { SpoolFiles } from '../infra/spool-files.ts';
import type { Ledger, Ledgers } from './ledger.ts';
import type { RecordSignal } from './span-sender.ts';
import { Spool, type SpoolClaimant, type SpoolOptions } from './spool.ts';

export type SpoolsOptions = Omit<SpoolOptions, 'directory'>;

/** What a registry tells its spools of itself. */
export interface SpoolHost {
  readonly guard?: SpoolOptions['guard'];
  readonly ledger?: SpoolOptions['ledger'];
  readonly wake?: SpoolOptions['wake'];
  readonly files?: SpoolFiles | undefined;
}

/** The spools of a registry: one for each directory that a tenant's options name. */
export class Spools {
  readonly #options: SpoolsOptions;
  readonly #spools = new Map<string, Spool>();

  constructor(options: SpoolsOptions) {
    this.#options = options;
  }

  /** The spool of a directory, which is looked through for what dead processes left. Does not touch the disk by itself. */
  open(directory: string): Spool {
    let spool = this.#spools.get(directory);
    if (spool === undefined) {
      spool = new Spool({ ...this.#options, directory });
      this.#spools.set(directory, spool);
    }
    return spool;
  }

  /** Hands over what a tenant has in any of the directories, until the function that it answers is called. */
  attach(name: string, claimant: SpoolClaimant): () => void {
    const detach = [...this.#spools.values()].map((spool) => spool.attach(name, claimant));
    return () => {
      for (const end of detach) end();
    };
  }

  /** Spans, or log records, on the disk that nobody holds and that are counted as created. */
  spooled(signal: RecordSignal, ledger?: Ledger): number {
    return [...this.#spools.values()].reduce((sum, spool) => sum + spool.spooled(signal, ledger), 0);
  }

  /** There is no such tenant: what it has on the disk is deleted and counted in `ledgers`. */
  disown(name: string, ledgers: Ledgers): void {
    for (const spool of this.#spools.values()) spool.disown(name, ledgers);
  }

  /** Brings everything that was written to the disk. Never rejects. */
  async sync(): Promise<void> {
    await Promise.all([...this.#spools.values()].map(({ store }) => store.sync()));
  }

  close(): void {
    for (const spool of this.#spools.values()) spool.close();
  }
}
