import { createSpoolFiles, type SpoolFiles } from '../infra/spool-files.ts';
import { HEARTBEAT_MILLIS, SpoolOwner } from '../infra/spool-owner.ts';
import type { Clock } from '../utils/clock.ts';
import type { Guard } from '../utils/guard.ts';
import type { Agenda, Job } from './agenda.ts';
import type { ByteBudget } from './byte-budget.ts';
import type { ChunkPool } from './chunk-pool.ts';
import { type DropReason, type Ledger, type Ledgers, recordDrop } from './ledger.ts';
import { LoadGate } from './load-gate.ts';
import type { RecordSignal } from './span-sender.ts';
import { SpoolRecovery } from './spool-recovery.ts';
import type { SpoolAccount, SpoolSegment } from './spool-segment.ts';
import { SpoolStore } from './spool-store.ts';

/** Takes over what a tenant has on the disk. */
export interface SpoolClaimant {
  /** False leaves the segment where it is. */
  claim(segment: SpoolSegment): boolean;
}

export interface SpoolOptions {
  readonly directory: string;
  readonly clock: Clock;
  readonly agenda: Agenda;
  readonly budget: ByteBudget;
  readonly chunks: ChunkPool;
  /** Of the process: what belongs to nobody that is known. */
  readonly guard: Guard | undefined;
  readonly ledger: Ledger | undefined;
  /** Asked to bring a tenant to life that has something on the disk; absent where there is only one tenant. */
  readonly wake: ((name: string) => void) | undefined;
  readonly files?: SpoolFiles | undefined;
}

const RECOVERY_MILLIS = 60_000;
const WAKE_MILLIS = 100;
const WAKE_AT_ONCE = 16;

/**
 * The spool of one directory: its store, the segments that nobody holds at the moment (of earlier processes, of evicted
 * tenants, of replaced configurations), and who may claim them.
 */
export class Spool {
  readonly store: SpoolStore;
  readonly loads: LoadGate;
  readonly directory: string;
  readonly #options: SpoolOptions;
  readonly #owner: SpoolOwner;
  readonly #recovery: SpoolRecovery;
  readonly #accounts = new Map<string, SpoolAccount>();
  readonly #parked = new Map<string, SpoolSegment[]>();
  readonly #claimants = new Map<string, SpoolClaimant>();
  readonly #asleep = new Set<string>();
  #recovering: Promise<void> | undefined;
  #closed = false;
  readonly #beat: Job = { due: () => void this.#heartbeat() };
  readonly #recover: Job = { due: () => void this.recover() };
  readonly #wake: Job = { due: () => this.#wakeSome() };

  constructor(options: SpoolOptions) {
    const { agenda, budget, chunks, clock, directory, files = createSpoolFiles() } = options;
    this.#options = options;
    this.directory = directory;
    this.#owner = new SpoolOwner({ directory, files, now: () => clock.now() });
    const report = (operation: string, error: unknown): void => this.report(operation, error);
    this.store = new SpoolStore({ files, owner: this.#owner, agenda, report });
    this.loads = new LoadGate(budget, agenda);
    this.#recovery = new SpoolRecovery({
      files,
      owner: this.#owner,
      chunks,
      report,
      account: (name) => this.account(name),
      found: (segment) => this.#found(segment),
      lost: (count) => this.#lost(count),
    });
    agenda.schedule(this.#recover, agenda.now());
    agenda.schedule(this.#beat, agenda.now() + HEARTBEAT_MILLIS);
  }

  /** Records a failure of the disk. */
  report(operation: string, error: unknown): void {
    this.#options.guard?.report('spool', operation, error);
  }

  /** What a tenant's files take. Without `maxBytes` the bound stays what it is. */
  account(name: string, maxBytes?: number): SpoolAccount {
    let account = this.#accounts.get(name);
    if (account === undefined) {
      account = { bytes: 0, maxBytes: Number.POSITIVE_INFINITY };
      this.#accounts.set(name, account);
    }
    if (maxBytes !== undefined) account.maxBytes = maxBytes;
    return account;
  }

  /** Hands over what a tenant has here, now and until the function that it answers is called. */
  attach(name: string, claimant: SpoolClaimant): () => void {
    this.#claimants.set(name, claimant);
    this.#offer(name);
    return () => {
      if (this.#claimants.get(name) === claimant) this.#claimants.delete(name);
    };
  }

  /** Keeps a segment that is on the disk, counted as `count` created spans in `ledger`, for whoever claims it. */
  park(segment: SpoolSegment, ledger: Ledger, count = segment.count): void {
    segment.ledger = ledger;
    segment.counted = count;
    this.#keep(segment);
    // An evicted tenant is not woken at once: `recover` does so within a minute.
    if (this.#claimants.has(segment.header.name)) this.#offer(segment.header.name);
  }

  /** Spans, or log records, that nobody holds and that are counted as created: in `ledger`, or in any. */
  spooled(signal: RecordSignal, ledger?: Ledger): number {
    let count = 0;
    for (const segments of this.#parked.values()) {
      for (const segment of segments) {
        if (segment.header.signal !== signal) continue;
        const isCounted = ledger === undefined ? segment.ledger !== undefined : segment.ledger === ledger;
        if (isCounted) count += segment.counted;
      }
    }
    return count;
  }

  /** There is no such tenant: what it has here is deleted, and counted as lost where it was created, else in `ledgers`. */
  disown(name: string, ledgers: Ledgers): void {
    const segments = this.#parked.get(name) ?? [];
    this.#parked.delete(name);
    for (const segment of segments)
      this.discard(segment, segment.ledger ?? ledgers[segment.header.signal], 'tenant_unknown');
  }

  /** Puts a segment on the books of `ledger`, unless it is. */
  enter(segment: SpoolSegment, ledger: Ledger): void {
    if (segment.ledger !== ledger) {
      segment.ledger?.takeOver(-segment.counted);
      ledger.takeOver(segment.counted);
    }
    ledger.countCreated(segment.count - segment.counted + segment.damaged);
    recordDrop(ledger, tenantOf(segment), 'corrupted', segment.damaged);
    segment.ledger = undefined;
    segment.counted = 0;
    segment.damaged = 0;
  }

  /** Counts a segment that nobody holds as lost, and deletes it. */
  discard(segment: SpoolSegment, ledger: Ledger, reason: DropReason): void {
    this.enter(segment, ledger);
    recordDrop(ledger, tenantOf(segment), reason, segment.count);
    void this.store.remove(segment);
  }

  /** Looks for what processes left that died, and wakes the tenants that it belongs to. Never rejects. */
  recover(): Promise<void> {
    this.#recovering ??= this.#recoverAll().finally(() => {
      this.#recovering = undefined;
    });
    return this.#recovering;
  }

  /** Gives the directory up for others to take. */
  close(): void {
    const { agenda } = this.#options;
    this.#closed = true;
    for (const job of [this.#beat, this.#recover, this.#wake]) agenda.cancel(job);
    this.#owner.close();
  }

  async #recoverAll(): Promise<void> {
    const { agenda } = this.#options;
    if (this.#closed) return;
    for (const name of [...this.#parked.keys()]) this.#offer(name);
    for (const [name, { bytes }] of this.#accounts) {
      if (bytes === 0 && !this.#claimants.has(name) && !this.#parked.has(name)) this.#accounts.delete(name);
    }
    await this.#recovery.run((error) => this.store.failed('open', error));
    if (!this.#closed) agenda.schedule(this.#recover, agenda.now() + RECOVERY_MILLIS);
  }

  #found(segment: SpoolSegment): void {
    this.#keep(segment);
    this.#offer(segment.header.name);
  }

  #keep(segment: SpoolSegment): void {
    const { name } = segment.header;
    const segments = this.#parked.get(name);
    if (segments === undefined) this.#parked.set(name, [segment]);
    else segments.push(segment);
  }

  #offer(name: string): void {
    const segments = this.#parked.get(name);
    if (segments === undefined) return;
    const claimant = this.#claimants.get(name);
    if (claimant === undefined) {
      this.#asleep.add(name);
      if (this.#asleep.size === 1) this.#planWake();
      return;
    }
    this.#parked.delete(name);
    for (const segment of segments) if (!claimant.claim(segment)) this.#keep(segment);
  }

  #planWake(): void {
    const { agenda } = this.#options;
    agenda.schedule(this.#wake, agenda.now() + WAKE_MILLIS);
  }

  #wakeSome(): void {
    const { guard, wake } = this.#options;
    for (const name of [...this.#asleep].slice(0, WAKE_AT_ONCE)) {
      this.#asleep.delete(name);
      if (!this.#claimants.has(name) && this.#parked.has(name))
        guard?.run('spool', 'wake', () => wake?.(name), undefined);
    }
    if (this.#asleep.size > 0) this.#planWake();
  }

  #lost(count: number): void {
    const { ledger } = this.#options;
    ledger?.countCreated(count);
    ledger?.countDropped('corrupted', count);
  }

  async #heartbeat(): Promise<void> {
    const { agenda } = this.#options;
    await this.#owner.beat();
    if (!this.#closed) agenda.schedule(this.#beat, agenda.now() + HEARTBEAT_MILLIS);
  }
}

/** For diagnostics: the platform's name begins with what no tenant's can. */
function tenantOf({ header }: SpoolSegment): string {
  return header.name.replace('\u0000', '');
}
