import type { Clock } from '../utils/clock.ts';
import type { Guard } from '../utils/guard.ts';
import type { Agenda } from './agenda.ts';
import type { Trouble } from './breaker.ts';
import type { Dispatcher } from './dispatcher.ts';
import type { ExportRecorder } from './export-recorder.ts';
import type { LaneCargo } from './lane-cargo.ts';
import type { LaneGroup } from './lane-group.ts';
import type { Ledger } from './ledger.ts';
import type { RetryPolicy } from './retry-policy.ts';

export interface LaneOptions {
  readonly tenantId: string;
  readonly cargo: LaneCargo;
  /** How long a batch may wait to fill. */
  readonly delayMillis: number;
  readonly ledger: Ledger;
  readonly guard: Guard;
  readonly clock: Clock;
  readonly agenda: Agenda;
  readonly dispatcher: Dispatcher;
  readonly retryPolicy: RetryPolicy;
  /** The lanes to the same destination, for other signals. Default: there are none. */
  readonly group?: LaneGroup | undefined;
  readonly recorder?: ExportRecorder | undefined;
  /** Told after each settled attempt, and after a loss. */
  readonly progressed: () => void;
}

/** How a lane does, for `health()`. */
export type LaneCondition = 'idle' | 'delivering' | Trouble;
