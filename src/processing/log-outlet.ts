import type { Attributes } from '@opentelemetry/api';
import { createMemoryLane, type LaneDestination, type LaneSettings, type OutletTenant } from './destination-lane.ts';
import type { Lane } from './lane.ts';
import { type DropReason, recordDrop } from './ledger.ts';
import type { LogRecord } from './log-record.ts';
import type { Pipeline } from './pipeline.ts';
import type { ProtoWriter } from './proto-writer.ts';
import type { Redaction } from './redaction.ts';
import type { SpanCargo } from './span-cargo.ts';
import type { SpanScope } from './span-host.ts';
import { SpanWire } from './span-wire.ts';
import { TokenBucket } from './token-bucket.ts';
import { JSON_LOGS, PROTOBUF_LOGS, type WireFormat } from './wire-format.ts';

export interface LogDestination extends LaneDestination {
  /** Applied to what the tenant's own redaction leaves. */
  readonly redaction: Redaction | undefined;
}

export interface LogOutletSettings extends LaneSettings {
  readonly destinations: readonly LogDestination[];
  readonly redaction: Redaction | undefined;
  /** Records below it are not wanted, and not counted. */
  readonly minSeverityNumber: number;
  readonly limits: LaneSettings['limits'] & {
    /** `Infinity`: no limit. */
    readonly logsPerSecond: number;
  };
  readonly resource: () => Readonly<Attributes>;
}

interface LogLane {
  readonly cargo: SpanCargo;
  readonly lane: Lane;
  readonly wire: SpanWire<LogRecord>;
  readonly redaction: Redaction | undefined;
}

/** The way out for one tenant's log records under one configuration: a lane for each destination that takes logs. */
export class LogOutlet {
  readonly lanes: readonly Lane[];
  readonly #pipeline: Pipeline;
  readonly #tenant: OutletTenant;
  readonly #settings: LogOutletSettings;
  readonly #logLanes: readonly LogLane[];
  #wires: readonly SpanWire<LogRecord>[] = [];
  readonly #rate: TokenBucket | undefined;

  constructor(pipeline: Pipeline, tenant: OutletTenant, settings: LogOutletSettings) {
    this.#pipeline = pipeline;
    this.#tenant = tenant;
    this.#settings = settings;
    this.#logLanes = settings.destinations.map((destination) => this.#open(destination));
    this.lanes = this.#logLanes.map(({ lane }) => lane);
    const { logsPerSecond } = settings.limits;
    if (Number.isFinite(logsPerSecond)) this.#rate = new TokenBucket(logsPerSecond, pipeline.clock);
  }

  /** Takes a record: redacted, encoded once for each format and redaction, copied into each destination's queue. */
  push(record: LogRecord, scope: SpanScope): void {
    const { minSeverityNumber, redaction } = this.#settings;
    // One without severity is not known to be below.
    if (record.severityNumber > 0 && record.severityNumber < minSeverityNumber) return;
    const copies = this.lanes.length;
    this.#tenant.ledger.countCreated(Math.max(copies, 1));
    if (copies === 0) this.#drop('no_destination', 1);
    // Without a destination it is only listened to.
    if (copies === 0 && this.#pipeline.tap.current === undefined) return;
    if (this.#rate?.take() === false) this.#drop('rate_limited', copies);
    else {
      const shown = redaction === undefined ? record : this.#shown(redaction, record);
      if (shown === undefined) this.#drop('unserializable', copies);
      else this.#pushShown(shown, scope);
    }
  }

  #pushShown(shown: LogRecord, scope: SpanScope): void {
    const { scratch } = this.#pipeline;
    const writer = scratch.borrow();
    try {
      this.#pushEncoded(shown, scope, writer);
    } finally {
      scratch.giveBack(writer);
    }
  }

  #pushEncoded(shown: LogRecord, scope: SpanScope, writer: ProtoWriter): void {
    let source: LogRecord | undefined;
    let sourceWire: SpanWire<LogRecord> | undefined;
    let isEncoded = false;
    for (const { cargo, lane, redaction, wire } of this.#logLanes) {
      const own = redaction === undefined ? shown : this.#shown(redaction, shown);
      if (own !== undefined && (own !== source || wire !== sourceWire)) {
        source = own;
        sourceWire = wire;
        isEncoded = this.#encode(writer, wire, own);
      }
      if (own === undefined || !isEncoded) {
        this.#drop('unserializable', 1);
        continue;
      }
      wire.noteScope(scope);
      if (cargo.push(writer.written, 0, writer.position, scope.index)) lane.added();
      else this.#drop(cargo.refusal, 1);
    }
    const tap = this.#pipeline.tap.current;
    if (tap === undefined) return;
    const encoded = isEncoded && source && sourceWire ? { item: source, format: sourceWire.format, writer } : undefined;
    tap.take(this.#tenant, this.#wire(PROTOBUF_LOGS), scope, shown, encoded);
  }

  #encode(writer: ProtoWriter, { format }: SpanWire<LogRecord>, record: LogRecord): boolean {
    writer.reset();
    try {
      format.encode(writer, record);
      return true;
    } catch (error) {
      this.#tenant.guard.report('encoder', 'encodeLog', error);
      return false;
    }
  }

  #shown(redaction: Redaction, record: LogRecord): LogRecord | undefined {
    return this.#tenant.guard.run('encoder', 'redact', () => redaction.log(record), undefined);
  }

  #drop(reason: DropReason, count: number): void {
    recordDrop(this.#tenant.ledger, this.#tenant.tenantId, reason, count);
  }

  #open(destination: LogDestination): LogLane {
    const wire = this.#wire(destination.protocol === 'http/json' ? JSON_LOGS : PROTOBUF_LOGS);
    const { redaction } = destination;
    const lane = createMemoryLane(this.#pipeline, this.#tenant, this.#settings, destination, (logs) =>
      wire.frame(logs),
    );
    return { ...lane, wire, redaction };
  }

  #wire(format: WireFormat<LogRecord>): SpanWire<LogRecord> {
    let wire = this.#wires.find((known) => known.format === format);
    if (wire === undefined) {
      wire = new SpanWire(format, this.#settings.resource, this.#tenant.guard);
      this.#wires = [...this.#wires, wire];
    }
    return wire;
  }
}
