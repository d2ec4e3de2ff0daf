import type { Attributes } from '@opentelemetry/api';
import type { SpanExporter } from '@opentelemetry/sdk-trace';
import type { Guard, HookSwitch } from '../utils/guard.ts';
import { SpanByteQueue } from './byte-queue.ts';
import type { EndedSpan } from './ended-span.ts';
import { Lane } from './lane.ts';
import type { LaneCargo } from './lane-cargo.ts';
import { type DropReason, type Ledger, recordDrop } from './ledger.ts';
import { ObjectCargo } from './object-cargo.ts';
import type { Pipeline } from './pipeline.ts';
import { viewRedacted } from './redacted-view.ts';
import type { RecordingSpan } from './span.ts';
import { SpanCargo, type SpanDestination } from './span-cargo.ts';
import { createSpanSender, wireFormatOf } from './span-sender.ts';
import { SpanWire } from './span-wire.ts';
import { TokenBucket } from './token-bucket.ts';
import type { WireFormat } from './wire-format.ts';

/** Answers what may be shown of a span; the span itself when that is all of it. */
export type Redactor = (span: EndedSpan) => EndedSpan;

export interface OutletDestination extends SpanDestination {
  /** Applied to what the tenant's own redaction leaves. */
  readonly redact: Redactor | undefined;
}

export interface OutletSettings {
  readonly destinations: readonly OutletDestination[];
  readonly exporter: { readonly exporter: SpanExporter; readonly hook: HookSwitch } | undefined;
  readonly redact: Redactor | undefined;
  readonly limits: {
    readonly maxQueueSize: number;
    readonly maxQueueBytes: number;
    /** `Infinity`: no limit. */
    readonly spansPerSecond: number;
  };
  readonly batch: { readonly delayMillis: number; readonly maxSize: number; readonly maxBytes: number };
  readonly resource: () => Readonly<Attributes>;
}

export interface OutletTenant {
  readonly tenantId: string;
  readonly guard: Guard;
  readonly ledger: Ledger;
  /** Told after each settled attempt. */
  readonly progressed: () => void;
}

interface ByteLane {
  readonly cargo: SpanCargo;
  readonly lane: Lane;
  readonly wire: SpanWire;
  readonly redact: Redactor | undefined;
}

interface ObjectLane {
  readonly cargo: ObjectCargo;
  readonly lane: Lane;
}

const EXPORTER_TIMEOUT_MILLIS = 30_000;

/**
 * The way out for one tenant's spans under one configuration: a lane for each destination, and one for the user's
 * exporter. A changed configuration gets an outlet of its own, while the old one delivers what it has with the old
 * credentials.
 */
export class SpanOutlet {
  readonly lanes: readonly Lane[];
  readonly #pipeline: Pipeline;
  readonly #tenant: OutletTenant;
  readonly #settings: OutletSettings;
  readonly #byteLanes: readonly ByteLane[];
  readonly #objectLane: ObjectLane | undefined;
  readonly #wires = new Map<WireFormat, SpanWire>();
  readonly #rate: TokenBucket | undefined;

  constructor(pipeline: Pipeline, tenant: OutletTenant, settings: OutletSettings) {
    this.#pipeline = pipeline;
    this.#tenant = tenant;
    this.#settings = settings;
    this.#byteLanes = settings.destinations.map((destination) => this.#byteLane(destination));
    this.#objectLane = settings.exporter && this.#exporterLane(settings.exporter);
    this.lanes = [...this.#byteLanes, ...(this.#objectLane ? [this.#objectLane] : [])].map(({ lane }) => lane);
    const { spansPerSecond } = settings.limits;
    if (Number.isFinite(spansPerSecond)) this.#rate = new TokenBucket(spansPerSecond, pipeline.clock);
  }

  /** Spans that are not settled. */
  get queued(): number {
    return this.lanes.reduce((sum, lane) => sum + lane.queued, 0);
  }

  get bytes(): number {
    return this.lanes.reduce((sum, lane) => sum + lane.bytes, 0);
  }

  /** Takes an ended span: redacted, encoded once for each format and redaction, copied into each destination's queue. */
  push(span: RecordingSpan): void {
    const copies = this.lanes.length;
    this.#tenant.ledger.countCreated(Math.max(copies, 1));
    if (copies === 0) this.#drop('no_destination', 1);
    else if (this.#rate?.take() === false) this.#drop('rate_limited', copies);
    else this.#pushShown(span, copies);
  }

  /** Stops all lanes and counts what is left under `reason`. Answers how much that was. */
  close(reason: DropReason): number {
    return this.lanes.reduce((sum, lane) => sum + lane.close(reason), 0);
  }

  #pushShown(span: RecordingSpan, copies: number): void {
    const { redact } = this.#settings;
    const shown = redact === undefined ? span : this.#guarded('redact', () => redact(span));
    if (shown === undefined) {
      this.#drop('unserializable', copies);
      return;
    }
    this.#pushBytes(span, shown);
    if (this.#objectLane !== undefined) this.#pushObject(this.#objectLane, span, shown);
  }

  #pushObject({ cargo, lane }: ObjectLane, span: RecordingSpan, shown: EndedSpan): void {
    if (cargo.push(shown === span ? span : viewRedacted(span, shown))) lane.added();
    else this.#drop('queue_full', 1);
  }

  #pushBytes(span: RecordingSpan, shown: EndedSpan): void {
    const { scratch } = this.#pipeline;
    let source: EndedSpan | undefined;
    let sourceWire: SpanWire | undefined;
    let isEncoded = false;
    for (const { cargo, lane, redact, wire } of this.#byteLanes) {
      const own = redact === undefined ? shown : this.#guarded('redact', () => redact(shown));
      if (own !== undefined && (own !== source || wire !== sourceWire)) {
        source = own;
        sourceWire = wire;
        isEncoded = this.#encode(wire, own);
      }
      if (own === undefined || !isEncoded) {
        this.#drop('unserializable', 1);
        continue;
      }
      wire.noteScope(span.scope);
      if (cargo.push(scratch.written, 0, scratch.position, span.scope.index)) lane.added();
      else this.#drop('queue_full', 1);
    }
  }

  #encode({ format }: SpanWire, span: EndedSpan): boolean {
    const { scratch } = this.#pipeline;
    scratch.reset();
    try {
      format.encode(scratch, span);
      return true;
    } catch (error) {
      this.#tenant.guard.report('encoder', 'encodeSpan', error);
      return false;
    }
  }

  #guarded<T>(operation: string, run: () => T): T | undefined {
    return this.#tenant.guard.run('encoder', operation, run, undefined);
  }

  #drop(reason: DropReason, count: number): void {
    recordDrop(this.#tenant.ledger, this.#tenant.tenantId, reason, count);
  }

  #wire(format: WireFormat): SpanWire {
    let wire = this.#wires.get(format);
    if (wire === undefined) {
      wire = new SpanWire(format, this.#settings.resource, this.#tenant.guard);
      this.#wires.set(format, wire);
    }
    return wire;
  }

  #byteLane(destination: OutletDestination): ByteLane {
    const { agenda, budget, chunks, clock } = this.#pipeline;
    const { batch, limits } = this.#settings;
    const wire = this.#wire(wireFormatOf(destination.protocol));
    const cargo = new SpanCargo({
      destination,
      queue: new SpanByteQueue({ chunks, maxSize: limits.maxQueueSize, maxBytes: limits.maxQueueBytes }),
      maxBatchSize: batch.maxSize,
      maxBatchBytes: batch.maxBytes,
      budget,
      agenda,
      clock,
      send: createSpanSender(destination, this.#pipeline),
      frame: (spans) => wire.frame(spans),
      lost: (count) => lane.lost(count),
    });
    const lane = this.#lane(cargo);
    return { cargo, lane, wire, redact: destination.redact };
  }

  #exporterLane({ exporter, hook }: NonNullable<OutletSettings['exporter']>): ObjectLane {
    const { agenda, clock } = this.#pipeline;
    const { batch, limits } = this.#settings;
    const cargo = new ObjectCargo({
      exporter,
      hook,
      agenda,
      clock,
      maxQueueSize: limits.maxQueueSize,
      maxBatchSize: batch.maxSize,
      timeoutMillis: EXPORTER_TIMEOUT_MILLIS,
    });
    return { cargo, lane: this.#lane(cargo) };
  }

  #lane(cargo: LaneCargo): Lane {
    const { agenda, clock, dispatcher, retryPolicy } = this.#pipeline;
    const { delayMillis } = this.#settings.batch;
    return new Lane({ ...this.#tenant, cargo, delayMillis, clock, agenda, dispatcher, retryPolicy });
  }
}
