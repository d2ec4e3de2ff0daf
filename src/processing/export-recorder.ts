import type { TelemetrySignal } from '../utils/telemetry-signal.ts';
import type { DropReason } from './ledger.ts';

/** What exports, by OpenTelemetry's semantic conventions: `otel.component.type`, `server.address`, `server.port`. */
export interface ExportComponent {
  readonly type: string;
  /** What it exports. Default: traces. */
  readonly signal?: TelemetrySignal;
  readonly address?: string;
  readonly port?: number;
}

/** An export that is over, after all its attempts. */
export interface FinishedExport {
  readonly component: ExportComponent | undefined;
  /** When the first attempt began, by the monotonic clock. */
  readonly firstAt: number;
  readonly exported: number;
  readonly dropped: number;
  /** Why some were dropped, if any were. */
  readonly reason: DropReason;
}

/** Told of every export that is over; must not throw. */
export interface ExportRecorder {
  finished(result: FinishedExport): void;
}
