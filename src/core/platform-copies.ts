import type { CopyOutlet } from '../processing/copy-outlet.ts';
import type { EndedSpan } from '../processing/ended-span.ts';
import type { DropReason } from '../processing/ledger.ts';
import type { CopyShare, CopySource, CopyTarget, Encoded } from '../processing/span-copier.ts';
import type { SpanScope } from '../processing/span-host.ts';
import type { Guard } from '../utils/guard.ts';

/** The platform tracer's engine, as far as copies need it. */
export interface CopyReceiver {
  readonly guard: Guard;
  readonly path: {
    /** `undefined` once it is shut down. */
    copyOutlet(): CopyOutlet | undefined;
    discard(reason: DropReason, count: number): void;
  };
}

/** Copies of tenants' spans on their way to the platform tracer (`platformCopy`). */
export class PlatformCopies implements CopyTarget {
  readonly share: CopyShare;
  readonly #platform: () => CopyReceiver;

  /** `platform` is asked when the first copy comes. */
  constructor(share: CopyShare, platform: () => CopyReceiver) {
    this.share = share;
    this.#platform = platform;
  }

  get guard(): Guard {
    return this.#platform().guard;
  }

  push(source: CopySource, span: EndedSpan, scope: SpanScope, encoded: Encoded | undefined): void {
    const { path } = this.#platform();
    const outlet = path.copyOutlet();
    if (outlet === undefined) path.discard('shutdown_deadline', 1);
    else outlet.push(source, span, scope, encoded);
  }
}
