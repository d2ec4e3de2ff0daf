import { publishDiagnostic } from '../utils/diagnostics.ts';
import type { Batch } from './lane-cargo.ts';
import type { LaneOptions } from './lane-options.ts';
import { type DropReason, recordDrop } from './ledger.ts';
import type { DeliveryOutcome } from './outcome.ts';

/** A batch that is done with. */
export interface Finished {
  readonly batch: Batch;
  /** When its first attempt began, by the monotonic clock. */
  readonly firstAt: number;
}

/** Counts what becomes of a lane's spans, and tells those who watch. */
export class LaneAccount {
  readonly #options: LaneOptions;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  dropped(reason: DropReason, count: number): void {
    recordDrop(this.#options.ledger, this.#options.tenantId, reason, count);
  }

  /** An attempt failed, or a batch was refused. */
  failed(reason: string, willRetry: boolean): void {
    const { guard, tenantId } = this.#options;
    guard.report('delivery', 'export', reason);
    publishDiagnostic('isotrace:export:failed', { tenantId, reason, willRetry });
  }

  /** Of a batch, `dropped` were given up for `reason` and the others exported. */
  finished({ batch, firstAt }: Finished, reason: DropReason, dropped: number): void {
    const { cargo, ledger, recorder } = this.#options;
    ledger.countExported(batch.count - dropped);
    this.dropped(reason, dropped);
    recorder?.finished({ component: cargo.component, firstAt, exported: batch.count - dropped, dropped, reason });
  }

  /** Counts a batch whose request is being aborted as dropped; `ended` says the last word. */
  aborted({ batch }: Finished, reason: DropReason): void {
    this.#options.ledger.countDropped(reason, batch.count);
  }

  /** An aborted request ended: where the receiver had said that it has the data, it was exported after all. */
  ended({ batch, firstAt }: Finished, reason: DropReason, outcome: DeliveryOutcome): void {
    this.#options.ledger.uncountDropped(reason, batch.count);
    const exported = outcome.status === 'success' ? batch.count - refusedOf(batch, outcome.rejected) : 0;
    this.finished({ batch, firstAt }, reason, batch.count - exported);
  }
}

/** How many of a batch a partial success refuses: whatever the receiver says, between none and all. */
export function refusedOf({ count }: Batch, rejected: number): number {
  return Math.min(Math.max(rejected, 0), count);
}
