import type { StopSignal } from '../utils/stop-signal.ts';
import type { Origin } from './dispatcher.ts';
import type { ExportComponent } from './export-recorder.ts';
import type { DeliveryOutcome } from './outcome.ts';

/** A batch on its way: taken from a queue, held until it is delivered or dropped. */
export interface Batch {
  readonly count: number;
}

/** A batch of a lane until it is settled. */
export interface Attempt {
  readonly batch: Batch;
  /** How many items the lane had taken from its queue before these. */
  readonly position: number;
  /** When it was first tried, on the monotonic clock. */
  readonly firstAt: number;
}

/** The queue and the wire of a lane; what differs between encoded bytes and span objects. */
export interface LaneCargo<B extends Batch = Batch> {
  /** For people: where it goes. */
  readonly destination: string;
  /** Lanes of one origin share its slots. */
  readonly origin: Origin;
  /** What exports, for metrics. */
  readonly component?: ExportComponent;
  /** Spans that wait. */
  readonly size: number;
  /** Bytes that wait or are under way. */
  readonly bytes: number;
  /** Whether a whole batch waits. */
  readonly full: boolean;
  take(): B | undefined;
  /** One try to deliver. Must not reject; ends soon after `signal` is aborted. */
  attempt(batch: B, signal: StopSignal): Promise<DeliveryOutcome>;
  /** Two halves for a destination that found the batch too large; `undefined` when it cannot be divided. */
  split(batch: B): readonly [B, B] | undefined;
  /** The batch is done with: its memory may be used again. */
  release(batch: B): void;
  /** Empties the queue for good and answers how many spans were in it and are lost. */
  clear(): number;
  /** Of a cargo that keeps its spans on disk until they are delivered. */
  readonly spool?: CargoSpool<B>;
}

/** What a lane has to know about a cargo that survives the process. */
export interface CargoSpool<B extends Batch = Batch> {
  /** Spans of `size` that are only on the disk. */
  readonly spooled: number;
  /** Whether `take` has a batch now. The lane is told when that changes. */
  readonly ready: boolean;
  /** Takes back a batch that was not delivered; false when the lane has to keep it. */
  putBack(batch: B): boolean;
  /** Leaves a batch on the disk for whoever comes next, and answers how many of its spans are there. */
  leave(batch: B): number;
}

/** Never throws, whatever the cargo does: this may be in the middle of the host's code that ended a span. */
export function startAttempt<B extends Batch>(
  cargo: LaneCargo<B>,
  batch: B,
  signal: StopSignal,
): Promise<DeliveryOutcome> {
  try {
    return cargo.attempt(batch, signal);
  } catch (error) {
    return Promise.reject(error);
  }
}
