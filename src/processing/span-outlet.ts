import type { SpanExporter } from '@opentelemetry/sdk-trace';
import type { HookSwitch } from '../utils/guard.ts';
import { createLane, type LaneSettings, type OutletTenant } from './destination-lane.ts';
import type { EndedSpan } from './ended-span.ts';
import type { Lane } from './lane.ts';
import { type DropReason, recordDrop } from './ledger.ts';
import { ObjectCargo } from './object-cargo.ts';
import type { Pipeline } from './pipeline.ts';
import { SPANS } from './record-kind.ts';
import { RecordLanes, type RecordLanesSettings } from './record-lanes.ts';
import { viewRedacted } from './redacted-view.ts';
import type { RecordingSpan } from './span.ts';
import type { SpoolSegment } from './spool-segment.ts';
import { TokenBucket } from './token-bucket.ts';

/** Answers what may be shown of a span; the span itself when that is all of it. */
export type Redactor = (span: EndedSpan) => EndedSpan;

export interface OutletSettings extends RecordLanesSettings<EndedSpan> {
  readonly exporter: { readonly exporter: SpanExporter; readonly hook: HookSwitch } | undefined;
  readonly redact: Redactor | undefined;
  readonly limits: LaneSettings['limits'] & {
    /** `Infinity`: no limit. */
    readonly spansPerSecond: number;
  };
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
  readonly #records: RecordLanes<EndedSpan>;
  readonly #objectLane: ObjectLane | undefined;
  readonly #rate: TokenBucket | undefined;

  constructor(pipeline: Pipeline, tenant: OutletTenant, settings: OutletSettings) {
    this.#pipeline = pipeline;
    this.#tenant = tenant;
    this.#settings = settings;
    this.#records = new RecordLanes(SPANS, pipeline, tenant, settings);
    this.#objectLane = settings.exporter && this.#exporterLane(settings.exporter);
    const { lanes } = this.#records;
    this.lanes = this.#objectLane === undefined ? lanes : [...lanes, this.#objectLane.lane];
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

  /** Takes an ended span: redacted, and into the queue of each destination. */
  push(span: RecordingSpan): void {
    const copies = this.lanes.length;
    this.#tenant.ledger.countCreated(Math.max(copies, 1));
    if (copies === 0) this.#pushNowhere(span);
    else if (this.#rate?.take() === false) this.#drop('rate_limited', copies);
    else this.#pushShown(span, copies);
  }

  /** Takes over spans of this tenant from the disk; false when they cannot be. */
  claim(segment: SpoolSegment): boolean {
    return this.#records.claim(segment);
  }

  /** Stops all lanes and counts what is left under `reason`. Resolves when their requests have ended. */
  async close(reason: DropReason): Promise<void> {
    await Promise.all(this.lanes.map((lane) => lane.close(reason)));
  }

  /** Without a destination it is only copied and listened to. */
  #pushNowhere(span: RecordingSpan): void {
    this.#drop('no_destination', 1);
    if (this.#records.isSeen && this.#rate?.take() !== false) this.#pushShown(span, 0);
  }

  /** What the tenant's redaction leaves of a span, also of one that is open; `undefined` when that fails. */
  show(span: EndedSpan): EndedSpan | undefined {
    const { redact } = this.#settings;
    return redact === undefined ? span : this.#tenant.guard.run('encoder', 'redact', () => redact(span), undefined);
  }

  #pushShown(span: RecordingSpan, copies: number): void {
    const shown = this.show(span);
    if (shown === undefined) {
      this.#drop('unserializable', copies);
      return;
    }
    this.#records.push(shown, span.scope);
    if (this.#objectLane !== undefined) this.#pushObject(this.#objectLane, span, shown);
  }

  #pushObject({ cargo, lane }: ObjectLane, span: RecordingSpan, shown: EndedSpan): void {
    // A span that a tail rule kept shows the host another flag than what is exported.
    const isAsShown = shown === span && !span.exportsAnotherContext;
    if (cargo.push(isAsShown ? span : viewRedacted(span, shown))) lane.added();
    else this.#drop('queue_full', 1);
  }

  #drop(reason: DropReason, count: number): void {
    recordDrop(this.#tenant.ledger, this.#tenant.tenantId, reason, count);
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
