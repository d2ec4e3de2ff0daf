import { createMemoryLane, type LaneDestination, type LaneSettings, type OutletTenant } from './destination-lane.ts';
import type { Lane } from './lane.ts';
import { recordDrop } from './ledger.ts';
import type { Pipeline } from './pipeline.ts';
import type { ProtoWriter } from './proto-writer.ts';
import type { RecordKind } from './record-kind.ts';
import type { Redaction } from './redaction.ts';
import type { SpanCargo } from './span-cargo.ts';
import type { SpanCopier } from './span-copier.ts';
import type { SpanScope } from './span-host.ts';
import { SpanWire } from './span-wire.ts';
import type { SpoolCargo } from './spool-cargo.ts';
import { claimSegment, createSpoolLane, type OutletSpool } from './spool-lane.ts';
import type { SpoolSegment } from './spool-segment.ts';
import type { WireFormat } from './wire-format.ts';
import type { WireParts } from './wire-parts.ts';

export interface RecordDestination extends LaneDestination {
  /** Applied to what the tenant's own redaction leaves. */
  readonly redaction: Redaction | undefined;
}

export interface RecordLanesSettings<Item> extends LaneSettings {
  readonly destinations: readonly RecordDestination[];
  readonly parts: WireParts;
  readonly spool?: OutletSpool | undefined;
  /** Where copies go, if they are made. */
  readonly copier?: SpanCopier<Item> | undefined;
}

interface RecordLane<Item> {
  readonly cargo: SpanCargo | SpoolCargo;
  readonly lane: Lane;
  readonly wire: SpanWire<Item>;
  readonly redact: ((item: Item) => Item) | undefined;
}

/**
 * The way of one tenant's encoded records, spans or others, under one configuration: a lane for each destination, and
 * who is shown what goes into them.
 */
export class RecordLanes<Item> {
  readonly #kind: RecordKind<Item>;
  readonly #pipeline: Pipeline;
  readonly #tenant: OutletTenant;
  readonly #settings: RecordLanesSettings<Item>;
  readonly #lanes: readonly RecordLane<Item>[];
  #wires: readonly SpanWire<Item>[] = [];

  constructor(kind: RecordKind<Item>, pipeline: Pipeline, tenant: OutletTenant, settings: RecordLanesSettings<Item>) {
    this.#kind = kind;
    this.#pipeline = pipeline;
    this.#tenant = tenant;
    this.#settings = settings;
    this.#lanes = settings.destinations.map((destination, position) => this.#open(destination, position));
  }

  get lanes(): readonly Lane[] {
    return this.#lanes.map(({ lane }) => lane);
  }

  /** Whether anybody sees records that have no destination. */
  get isSeen(): boolean {
    return this.#settings.copier !== undefined || this.#pipeline.tap.current !== undefined;
  }

  /** Takes over records of this tenant from the disk; false when they cannot be. */
  claim(segment: SpoolSegment): boolean {
    const cargos = this.#lanes.map(({ cargo }) => cargo);
    return claimSegment(segment, this.#settings.destinations, cargos, this.#tenant, this.#settings.spool);
  }

  /** Takes what the tenant shows of a record: encoded once for each format and redaction, copied into each queue. */
  push(shown: Item, scope: SpanScope): void {
    const { scratch } = this.#pipeline;
    const writer = scratch.borrow();
    try {
      this.#pushEncoded(shown, scope, writer);
    } finally {
      scratch.giveBack(writer);
    }
  }

  #pushEncoded(shown: Item, scope: SpanScope, writer: ProtoWriter): void {
    let source: Item | undefined;
    let sourceWire: SpanWire<Item> | undefined;
    let isEncoded = false;
    for (const { cargo, lane, redact, wire } of this.#lanes) {
      const own = redact === undefined ? shown : this.#redacted(redact, shown);
      if (own !== undefined && (own !== source || wire !== sourceWire)) {
        source = own;
        sourceWire = wire;
        isEncoded = this.#encode(writer, wire, own);
      }
      if (own === undefined || !isEncoded) {
        recordDrop(this.#tenant.ledger, this.#tenant.tenantId, 'unserializable', 1);
        continue;
      }
      wire.noteScope(scope);
      if (cargo.push(writer.written, 0, writer.position, scope.index)) lane.added();
      else recordDrop(this.#tenant.ledger, this.#tenant.tenantId, cargo.refusal, 1);
    }
    const { copier } = this.#settings;
    const tap = this.#pipeline.tap.current;
    if (copier === undefined && tap === undefined) return;
    const encoded = isEncoded && source && sourceWire ? { item: source, format: sourceWire.format, writer } : undefined;
    copier?.take(scope, shown, encoded);
    tap?.take(this.#tenant, this.#wire(this.#kind.formatOf('http/protobuf')), scope, shown, encoded);
  }

  #encode(writer: ProtoWriter, { format }: SpanWire<Item>, item: Item): boolean {
    writer.reset();
    try {
      format.encode(writer, item);
      return true;
    } catch (error) {
      this.#tenant.guard.report('encoder', this.#kind.encoding, error);
      return false;
    }
  }

  #redacted(redact: (item: Item) => Item, item: Item): Item | undefined {
    return this.#tenant.guard.run('encoder', 'redact', () => redact(item), undefined);
  }

  #open(destination: RecordDestination, position: number): RecordLane<Item> {
    const { formatOf, redactorOf, signal } = this.#kind;
    const wire = this.#wire(formatOf(destination.protocol));
    const redact = destination.redaction && redactorOf(destination.redaction);
    const { spool } = this.#settings;
    const { cargo, lane } =
      spool === undefined
        ? createMemoryLane(this.#pipeline, this.#tenant, this.#settings, destination, wire)
        : createSpoolLane(this.#pipeline, this.#tenant, this.#settings, spool, signal, position, wire);
    return { cargo, lane, wire, redact };
  }

  /** The tenant's resource and scopes in a format. */
  #wire(format: WireFormat<Item>): SpanWire<Item> {
    let wire = this.#wires.find((known) => known.format === format);
    if (wire === undefined) {
      wire = new SpanWire(format, this.#settings.parts);
      // Unlike a spread, this reserves nothing.
      this.#wires = this.#wires.concat(wire);
    }
    return wire;
  }
}
