import type { CopyOutlet } from '../processing/copy-outlet.ts';
import { selectLogs, selectSpans } from '../processing/copy-share.ts';
import type { EndedSpan } from '../processing/ended-span.ts';
import type { DropReason } from '../processing/ledger.ts';
import type { LogRecord } from '../processing/log-record.ts';
import type { CopyShare, CopyTarget } from '../processing/span-copier.ts';
import type { Clock } from '../utils/clock.ts';
import type { Guard } from '../utils/guard.ts';

/** The platform tracer's engine, as far as copies need it. */
export interface CopyReceiver {
  readonly guard: Guard;
  readonly path: {
    /** `undefined` once it is shut down. */
    copyOutlet(): CopyOutlet<EndedSpan> | undefined;
    discard(reason: DropReason, count: number): void;
    readonly others: {
      copyOutlet(): CopyOutlet<LogRecord> | undefined;
      discardCopies(reason: DropReason, count: number): void;
    };
  };
}

/** Of one signal: which records are copied, and where to. */
export interface CopiedSignal<Item> {
  readonly selects: (item: Item) => boolean;
  readonly target: CopyTarget<Item>;
}

/** Copies of tenants' spans and log records on their way to the platform tracer (`platformCopy`). */
export class PlatformCopies {
  readonly spans: CopiedSignal<EndedSpan>;
  readonly logs: CopiedSignal<LogRecord>;
  readonly #platform: () => CopyReceiver;

  /** `platform` is asked when the first copy comes. */
  constructor(share: CopyShare, platform: () => CopyReceiver, clock: Clock) {
    this.#platform = platform;
    this.spans = {
      selects: selectSpans(share),
      target: createTarget(platform, ({ path }) => ({
        outlet: path.copyOutlet(),
        discard: () => path.discard('shutdown_deadline', 1),
      })),
    };
    this.logs = {
      selects: selectLogs(share, () => clock.random()),
      target: createTarget(platform, ({ path: { others } }) => ({
        outlet: others.copyOutlet(),
        discard: () => others.discardCopies('shutdown_deadline', 1),
      })),
    };
  }

  get guard(): Guard {
    return this.#platform().guard;
  }
}

function createTarget<Item>(
  platform: () => CopyReceiver,
  place: (receiver: CopyReceiver) => { readonly outlet: CopyOutlet<Item> | undefined; readonly discard: () => void },
): CopyTarget<Item> {
  return {
    get guard() {
      return platform().guard;
    },
    push: (source, item, scope, encoded) => {
      const { discard, outlet } = place(platform());
      if (outlet === undefined) discard();
      else outlet.push(source, item, scope, encoded);
    },
  };
}
