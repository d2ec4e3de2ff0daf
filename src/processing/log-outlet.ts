import type { LaneSettings, OutletTenant } from './destination-lane.ts';
import type { Lane } from './lane.ts';
import { type DropReason, recordDrop } from './ledger.ts';
import type { LogRecord } from './log-record.ts';
import type { Pipeline } from './pipeline.ts';
import { LOG_RECORDS } from './record-kind.ts';
import { RecordLanes, type RecordLanesSettings } from './record-lanes.ts';
import type { Redaction } from './redaction.ts';
import type { SpanScope } from './span-host.ts';
import type { SpoolSegment } from './spool-segment.ts';
import { TokenBucket } from './token-bucket.ts';

export interface LogOutletSettings extends RecordLanesSettings<LogRecord> {
  readonly redaction: Redaction | undefined;
  /** Records below it are not wanted, and not counted. */
  readonly minSeverityNumber: number;
  readonly limits: LaneSettings['limits'] & {
    /** `Infinity`: no limit. */
    readonly logsPerSecond: number;
  };
}

/** The way out for one tenant's log records under one configuration: a lane for each destination that takes logs. */
export class LogOutlet {
  readonly lanes: readonly Lane[];
  readonly #tenant: OutletTenant;
  readonly #redaction: Redaction | undefined;
  readonly #minSeverityNumber: number;
  readonly #records: RecordLanes<LogRecord>;
  readonly #rate: TokenBucket | undefined;

  constructor(pipeline: Pipeline, tenant: OutletTenant, settings: LogOutletSettings) {
    this.#tenant = tenant;
    this.#redaction = settings.redaction;
    this.#minSeverityNumber = settings.minSeverityNumber;
    this.#records = new RecordLanes(LOG_RECORDS, pipeline, tenant, settings);
    this.lanes = this.#records.lanes;
    const { logsPerSecond } = settings.limits;
    if (Number.isFinite(logsPerSecond)) this.#rate = new TokenBucket(logsPerSecond, pipeline.clock);
  }

  /** Log records that are not settled. */
  get queued(): number {
    return this.lanes.reduce((sum, lane) => sum + lane.queued, 0);
  }

  /** Log records that are only on the disk. */
  get spooled(): number {
    return this.lanes.reduce((sum, lane) => sum + lane.spooled, 0);
  }

  /** Takes over log records of this tenant from the disk; false when they cannot be. */
  claim(segment: SpoolSegment): boolean {
    return this.#records.claim(segment);
  }

  /** Takes a record: redacted, and into the queue of each destination. */
  push(record: LogRecord, scope: SpanScope): void {
    // One without severity is not known to be below.
    if (record.severityNumber > 0 && record.severityNumber < this.#minSeverityNumber) return;
    const copies = this.lanes.length;
    this.#tenant.ledger.countCreated(Math.max(copies, 1));
    if (copies === 0) this.#drop('no_destination', 1);
    // Without a destination it is only copied and listened to.
    if (copies === 0 && !this.#records.isSeen) return;
    if (this.#rate?.take() === false) this.#drop('rate_limited', copies);
    else {
      const shown = this.#redaction === undefined ? record : this.#shown(this.#redaction, record);
      if (shown === undefined) this.#drop('unserializable', copies);
      else this.#records.push(shown, scope);
    }
  }

  #shown(redaction: Redaction, record: LogRecord): LogRecord | undefined {
    return this.#tenant.guard.run('encoder', 'redact', () => redaction.log(record), undefined);
  }

  #drop(reason: DropReason, count: number): void {
    recordDrop(this.#tenant.ledger, this.#tenant.tenantId, reason, count);
  }
}
