import type { Attributes } from '@opentelemetry/api';
import type { SpanExporter } from '@opentelemetry/sdk-trace';
import type { HookSwitch } from '../utils/guard.ts';
import {
  cargoParts,
  createLane,
  createMemoryLane,
  type LaneDestination,
  type LaneSettings,
  type OutletTenant,
} from './destination-lane.ts';
import type { EndedSpan } from './ended-span.ts';
import type { Lane } from './lane.ts';
import { type DropReason, recordDrop } from './ledger.ts';
import { ObjectCargo } from './object-cargo.ts';
import type { Pipeline } from './pipeline.ts';
import type { ProtoWriter } from './proto-writer.ts';
import { viewRedacted } from './redacted-view.ts';
import type { RecordingSpan } from './span.ts';
import type { SpanBatch } from './span-batch.ts';
import type { SpanCargo } from './span-cargo.ts';
import type { SpanCopier } from './span-copier.ts';
import { wireFormatOf } from './span-sender.ts';
import { SpanWire } from './span-wire.ts';
import type { Spool } from './spool.ts';
import { SpoolCargo } from './spool-cargo.ts';
import { createHeader, findDestination } from './spool-header.ts';
import type { SpoolSegment } from './spool-segment.ts';
import { TokenBucket } from './token-bucket.ts';
import { PROTOBUF, type WireFormat } from './wire-format.ts';

/** Answers what may be shown of a span; the span itself when that is all of it. */
export type Redactor = (span: EndedSpan) => EndedSpan;

export interface OutletDestination extends LaneDestination {
  /** Applied to what the tenant's own redaction leaves. */
  readonly redact: Redactor | undefined;
}

export interface OutletSettings extends LaneSettings {
  readonly destinations: readonly OutletDestination[];
  readonly exporter: { readonly exporter: SpanExporter; readonly hook: HookSwitch } | undefined;
  readonly redact: Redactor | undefined;
  readonly limits: LaneSettings['limits'] & {
    /** `Infinity`: no limit. */
    readonly spansPerSecond: number;
  };
  readonly resource: () => Readonly<Attributes>;
  readonly spool?: OutletSpool | undefined;
  /** Where copies go, if they are made. */
  readonly copier?: SpanCopier | undefined;
}

/** Where spans wait for a destination, besides memory. */
export interface OutletSpool {
  readonly home: Spool;
  /** Whose spans they are, in the files. */
  readonly name: string;
  readonly maxBytes: number;
  readonly fsync: 'interval' | 'always';
}

interface ByteLane {
  readonly cargo: SpanCargo | SpoolCargo;
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
  #wires: readonly SpanWire[] = [];
  readonly #rate: TokenBucket | undefined;

  constructor(pipeline: Pipeline, tenant: OutletTenant, settings: OutletSettings) {
    this.#pipeline = pipeline;
    this.#tenant = tenant;
    this.#settings = settings;
    this.#byteLanes = settings.destinations.map((destination, position) => this.#byteLane(destination, position));
    this.#objectLane = settings.exporter && this.#exporterLane(settings.exporter);
    this.lanes = [...this.#byteLanes, ...(this.#objectLane ? [this.#objectLane] : [])].map(({ lane }) => lane);
    const { spansPerSecond } = settings.limits;
    if (Number.isFinite(spansPerSecond)) this.#rate = new TokenBucket(spansPerSecond, pipeline.clock);
  }

  /** Spans that are not settled. */
  get queued(): number {
    return this.lanes.reduce((sum, lane) => sum + lane.queued, 0);
  }

  /** Spans that are only on the disk. */
  get spooled(): number {
    return this.lanes.reduce((sum, lane) => sum + lane.spooled, 0);
  }

  get bytes(): number {
    return this.lanes.reduce((sum, lane) => sum + lane.bytes, 0);
  }

  /** Takes an ended span: redacted, encoded once for each format and redaction, copied into each destination's queue. */
  push(span: RecordingSpan): void {
    const copies = this.lanes.length;
    this.#tenant.ledger.countCreated(Math.max(copies, 1));
    if (copies === 0) this.#pushNowhere(span);
    else if (this.#rate?.take() === false) this.#drop('rate_limited', copies);
    else this.#pushShown(span, copies);
  }

  /**
   * Takes over spans of this tenant from the disk: for the destination that they were meant for, else the one in its
   * place if there are as many as then. False when that one cannot read them; they stay where they are.
   */
  claim(segment: SpoolSegment): boolean {
    const { spool } = this.#settings;
    const lanes = this.#byteLanes;
    const index = findDestination(this.#settings.destinations, segment.header);
    const cargo = index === undefined ? undefined : lanes[index]?.cargo;
    if (cargo instanceof SpoolCargo) {
      if (cargo.accepts(segment)) cargo.adopt(segment);
      else this.#tenant.guard.report('spool', 'replay', 'spans on the disk are not in the format of their destination');
      return cargo.accepts(segment);
    }
    spool?.home.discard(segment, this.#tenant.ledger, 'no_destination');
    return true;
  }

  /** Stops all lanes and counts what is left under `reason`. Resolves when their requests have ended. */
  async close(reason: DropReason): Promise<void> {
    await Promise.all(this.lanes.map((lane) => lane.close(reason)));
  }

  /** Without a destination it is only copied and listened to. */
  #pushNowhere(span: RecordingSpan): void {
    this.#drop('no_destination', 1);
    const isSeen = this.#settings.copier !== undefined || this.#pipeline.tap.current !== undefined;
    if (isSeen && this.#rate?.take() !== false) this.#pushShown(span, 0);
  }

  /** What the tenant's redaction leaves of a span, also of one that is open; `undefined` when that fails. */
  show(span: EndedSpan): EndedSpan | undefined {
    const { redact } = this.#settings;
    return redact === undefined ? span : this.#guarded('redact', () => redact(span));
  }

  /** The tenant's resource and scopes in a format. */
  wire(format: WireFormat): SpanWire {
    let wire = this.#wires.find((known) => known.format === format);
    if (wire === undefined) {
      wire = new SpanWire(format, this.#settings.resource, this.#tenant.guard);
      // Unlike a spread, this reserves nothing.
      this.#wires = this.#wires.concat(wire);
    }
    return wire;
  }

  #pushShown(span: RecordingSpan, copies: number): void {
    const shown = this.show(span);
    if (shown === undefined) {
      this.#drop('unserializable', copies);
      return;
    }
    this.#pushBytes(span, shown);
    if (this.#objectLane !== undefined) this.#pushObject(this.#objectLane, span, shown);
  }

  #pushObject({ cargo, lane }: ObjectLane, span: RecordingSpan, shown: EndedSpan): void {
    // A span that a tail rule kept shows the host another flag than what is exported.
    const isAsShown = shown === span && !span.exportsAnotherContext;
    if (cargo.push(isAsShown ? span : viewRedacted(span, shown))) lane.added();
    else this.#drop('queue_full', 1);
  }

  #pushBytes(span: RecordingSpan, shown: EndedSpan): void {
    const { scratch } = this.#pipeline;
    const writer = scratch.borrow();
    try {
      this.#pushEncoded(span, shown, writer);
    } finally {
      scratch.giveBack(writer);
    }
  }

  #pushEncoded(span: RecordingSpan, shown: EndedSpan, writer: ProtoWriter): void {
    let source: EndedSpan | undefined;
    let sourceWire: SpanWire | undefined;
    let isEncoded = false;
    for (const { cargo, lane, redact, wire } of this.#byteLanes) {
      const own = redact === undefined ? shown : this.#guarded('redact', () => redact(shown));
      if (own !== undefined && (own !== source || wire !== sourceWire)) {
        source = own;
        sourceWire = wire;
        isEncoded = this.#encode(writer, wire, own);
      }
      if (own === undefined || !isEncoded) {
        this.#drop('unserializable', 1);
        continue;
      }
      wire.noteScope(span.scope);
      if (cargo.push(writer.written, 0, writer.position, span.scope.index)) lane.added();
      else this.#drop(cargo.refusal, 1);
    }
    const { copier } = this.#settings;
    const tap = this.#pipeline.tap.current;
    if (copier === undefined && tap === undefined) return;
    const encoded = isEncoded && source && sourceWire ? { item: source, format: sourceWire.format, writer } : undefined;
    copier?.take(span.scope, shown, encoded);
    tap?.take(this.#tenant, this.wire(PROTOBUF), span.scope, shown, encoded);
  }

  #encode(writer: ProtoWriter, { format }: SpanWire, span: EndedSpan): boolean {
    writer.reset();
    try {
      format.encode(writer, span);
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

  #byteLane(destination: OutletDestination, position: number): ByteLane {
    const wire = this.wire(wireFormatOf(destination.protocol));
    const { redact } = destination;
    const { spool } = this.#settings;
    if (spool === undefined) {
      const frame = (spans: SpanBatch): Uint8Array => wire.frame(spans);
      const { cargo, lane } = createMemoryLane(this.#pipeline, this.#tenant, this.#settings, destination, frame);
      return { cargo, lane, wire, redact };
    }
    const cargo = this.#spoolCargo(destination, wire, spool, position, () => lane);
    const lane = createLane(this.#pipeline, this.#tenant, this.#settings, cargo, destination.group);
    return { cargo, lane, wire, redact };
  }

  #spoolCargo(destination: OutletDestination, wire: SpanWire, spool: OutletSpool, position: number, lane: () => Lane) {
    const { destinations, limits } = this.#settings;
    const { fsync, home, maxBytes, name } = spool;
    return new SpoolCargo({
      ...cargoParts(this.#pipeline, destination, this.#settings),
      home,
      account: home.account(name, maxBytes),
      header: createHeader(name, destination, wire.format.contentType, position, destinations.length),
      wire,
      ledger: this.#tenant.ledger,
      syncAlways: fsync === 'always',
      chunks: this.#pipeline.chunks,
      maxQueueSize: limits.maxQueueSize,
      maxQueueBytes: limits.maxQueueBytes,
      lost: (count, reason) => lane().lost(count, reason),
      ready: () => lane().due(),
    });
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
    return { cargo, lane: createLane(this.#pipeline, this.#tenant, this.#settings, cargo) };
  }
}
