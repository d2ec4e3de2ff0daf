import { SpanByteQueue } from './byte-queue.ts';
import { CopyIndex } from './copy-index.ts';
import type { LaneSettings, OutletTenant } from './destination-lane.ts';
import { Lane } from './lane.ts';
import { type DropReason, recordDrop } from './ledger.ts';
import type { Pipeline } from './pipeline.ts';
import type { ProtoWriter } from './proto-writer.ts';
import { recordLength } from './record-chunk.ts';
import type { RecordKind } from './record-kind.ts';
import type { RecordDestination } from './record-lanes.ts';
import type { Redaction } from './redaction.ts';
import { SpanCargo } from './span-cargo.ts';
import type { CopySource, Encoded } from './span-copier.ts';
import type { SpanScope } from './span-host.ts';
import type { WireFormat } from './wire-format.ts';

export interface CopyOutletSettings extends LaneSettings {
  readonly destinations: readonly RecordDestination[];
  /** The platform's own. */
  readonly redaction: Redaction | undefined;
}

interface CopyLane<Item> {
  readonly cargo: SpanCargo;
  readonly lane: Lane;
  readonly index: CopyIndex;
  readonly format: WireFormat<Item>;
  readonly redact: ((item: Item) => Item) | undefined;
}

/**
 * The way of copies of tenants' spans, or log records, to the platform tracer's destinations: one lane for each
 * destination, which all tenants share, and so their requests, with a resource for each tenant. What happens to copies counts in the platform
 * tracer's account. They have a queue of their own, never make anybody else give up anything, and give way first.
 */
export class CopyOutlet<Item> {
  readonly lanes: readonly Lane[];
  readonly #pipeline: Pipeline;
  readonly #platform: OutletTenant;
  readonly #kind: RecordKind<Item>;
  readonly #settings: CopyOutletSettings;
  readonly #redact: ((item: Item) => Item) | undefined;
  readonly #lanes: readonly CopyLane<Item>[];

  constructor(kind: RecordKind<Item>, pipeline: Pipeline, platform: OutletTenant, settings: CopyOutletSettings) {
    this.#kind = kind;
    this.#pipeline = pipeline;
    this.#platform = platform;
    this.#settings = settings;
    this.#redact = settings.redaction && kind.redactorOf(settings.redaction);
    this.#lanes = settings.destinations.map((destination) => this.#lane(destination));
    this.lanes = this.#lanes.map(({ lane }) => lane);
  }

  /** Copies that are not settled. */
  get queued(): number {
    return this.lanes.reduce((sum, lane) => sum + lane.queued, 0);
  }

  get bytes(): number {
    return this.lanes.reduce((sum, lane) => sum + lane.bytes, 0);
  }

  /** Takes a copy of what a tenant shows of a record. Never throws. `encoded`: what need not be encoded again. */
  push(source: CopySource<Item>, item: Item, scope: SpanScope, encoded: Encoded<Item> | undefined): void {
    this.#platform.ledger.countCreated(this.#lanes.length);
    const { scratch } = this.#pipeline;
    const writer = scratch.borrow();
    try {
      this.#pushTo(source, item, scope, encoded, writer);
    } finally {
      scratch.giveBack(writer);
    }
  }

  /** Stops all lanes and counts what is left under `reason`. Resolves when their requests have ended. */
  async close(reason: DropReason): Promise<void> {
    await Promise.all(this.lanes.map((lane) => lane.close(reason)));
  }

  #pushTo(
    source: CopySource<Item>,
    item: Item,
    scope: SpanScope,
    encoded: Encoded<Item> | undefined,
    writer: ProtoWriter,
  ): void {
    const redact = this.#redact;
    const shown = redact === undefined ? item : this.#guarded(() => redact(item));
    let known = encoded;
    for (const lane of this.#lanes) {
      const own = shown && lane.redact !== undefined ? this.#guarded(() => lane.redact?.(shown)) : shown;
      if (own !== undefined && (own !== known?.item || lane.format !== known.format)) {
        known = this.#encode(writer, lane.format, own) ? { item: own, format: lane.format, writer } : undefined;
      }
      if (own === undefined || known === undefined) this.#drop('unserializable');
      else if (this.#pushEncoded(lane, source, scope, known.writer)) lane.lane.added();
      else this.#drop('queue_full');
    }
  }

  #pushEncoded(
    { cargo, format, index }: CopyLane<Item>,
    source: CopySource<Item>,
    scope: SpanScope,
    writer: ProtoWriter,
  ): boolean {
    const { budget } = this.#pipeline;
    const bytes = recordLength(writer.position);
    if (!index.mayAdd(source.tenantId, bytes) || !budget.fits(bytes)) return false;
    const wire = source.wire(format);
    wire.noteScope(scope);
    const at = index.indexOf(source.tenantId, wire, scope.index);
    const pushed = cargo.push(writer.written, 0, writer.position, at);
    if (pushed) index.added(at, bytes);
    else index.unused(at);
    return pushed;
  }

  #encode(writer: ProtoWriter, format: WireFormat<Item>, item: Item): boolean {
    writer.reset();
    const encode = (): boolean => {
      format.encode(writer, item);
      return true;
    };
    return this.#guarded(encode) === true;
  }

  #guarded<T>(run: () => T): T | undefined {
    return this.#platform.guard.run('encoder', 'copy', run, undefined);
  }

  #drop(reason: DropReason): void {
    recordDrop(this.#platform.ledger, this.#platform.tenantId, reason, 1);
  }

  #lane(destination: RecordDestination): CopyLane<Item> {
    const { agenda, budget, chunks, clock, dispatcher, recorder } = this.#pipeline;
    const { batch, limits, retry } = this.#settings;
    const format = this.#kind.formatOf(destination.protocol);
    const bounds = { maxSize: limits.maxQueueSize, maxBytes: limits.maxQueueBytes };
    const index = new CopyIndex(bounds);
    const removed = (at: number, count: number, bytes: number): void => index.removed(at, count, bytes);
    const cargo = new SpanCargo({
      destination,
      purpose: 'copies',
      yields: true,
      queue: new SpanByteQueue({ chunks, dropped: removed, ...bounds }),
      maxBatchSize: batch.maxSize,
      maxBatchBytes: batch.maxBytes,
      budget,
      via: this.#pipeline,
      framer: { frame: (spans) => format.frameGroups(index.groups(spans), spans.bytes) },
      released: (spans) => spans.tally(removed),
    });
    const { delayMillis } = batch;
    const retryPolicy = this.#pipeline.retryPolicy(retry);
    const lane = new Lane({ ...this.#platform, cargo, delayMillis, clock, agenda, dispatcher, retryPolicy, recorder });
    const redact = destination.redaction && this.#kind.redactorOf(destination.redaction);
    return { cargo, lane, index, format, redact };
  }
}
