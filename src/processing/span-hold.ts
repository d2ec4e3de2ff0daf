import { Hold, type HoldLimits, type HoldOptions } from './hold.ts';
import type { RecordingSpan } from './span.ts';
import { estimateBytes } from './span-size.ts';

export type { HoldLimits };

export type SpanHoldOptions = Omit<HoldOptions<RecordingSpan>, 'estimate'>;

/** The ended spans of a tenant whose configuration has not come yet. */
export class SpanHold extends Hold<RecordingSpan> {
  constructor(options: SpanHoldOptions) {
    super({ ...options, estimate: estimateBytes });
  }
}
