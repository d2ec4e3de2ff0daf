import type { Guard } from '../utils/guard.ts';
import { createLane, type LaneDestination, type LaneSettings, type OutletTenant } from './destination-lane.ts';
import type { AttributeList } from './ended-span.ts';
import type { Lane } from './lane.ts';
import { type DropReason, recordDrop } from './ledger.ts';
import type { Pipeline } from './pipeline.ts';
import type { Redaction } from './redaction.ts';
import { RequestCargo } from './request-cargo.ts';
import type { TapSlot } from './telemetry-tap.ts';

export interface MetricDestination extends LaneDestination {
  /** Its place among the tenant's destinations. */
  readonly index: number;
  /** Applied to what the tenant's own redaction leaves. */
  readonly redaction: Redaction | undefined;
}

export interface MetricOutletSettings extends LaneSettings {
  readonly destinations: readonly MetricDestination[];
  readonly redaction: Redaction | undefined;
}

/** A destination as those see it who collect metrics for it. */
export interface MetricTarget {
  /** Its place among the tenant's destinations. */
  readonly index: number;
  /** What its requests have to be: an `ExportMetricsServiceRequest` in protobuf, which gRPC has too, or in JSON. */
  readonly format: 'protobuf' | 'json';
  /** What may be shown there of a data point's attributes; `undefined` when that cannot be told: then nothing is. Never throws. */
  shown(attributes: AttributeList): AttributeList | undefined;
  /**
   * Takes an encoded request with `count` data points, and counts them. It is kept as it is: nobody may write to `body`
   * any more. When there is no room for it, it is dropped and counted. Never throws.
   */
  push(body: Uint8Array, count: number): void;
  /** Counts data points that do not come to a request. */
  drop(reason: DropReason, count: number): void;
}

/**
 * Where the data points of a tenant come from. It is asked by whoever is about to deliver: for a flush, before the
 * tenant is put out of use or shut down, and before a changed configuration takes the place of the old one.
 */
export interface MetricSource {
  /**
   * Pushes what was measured and not yet pushed into the outlet's targets. Resolves when that is done; must not throw
   * or reject, and has to end in time by itself.
   */
  collect(outlet: MetricOutlet): void | Promise<void>;
}

/** The way out for one tenant's metrics under one configuration: a lane for each destination that takes metrics. */
export class MetricOutlet {
  readonly lanes: readonly Lane[];
  readonly #pipeline: Pipeline;
  readonly #tenant: OutletTenant;
  readonly #redaction: Redaction | undefined;
  readonly #targets: readonly MetricTarget[];

  constructor(pipeline: Pipeline, tenant: OutletTenant, settings: MetricOutletSettings) {
    const targets = settings.destinations.map((destination) => openTarget(pipeline, tenant, settings, destination));
    this.#pipeline = pipeline;
    this.#tenant = tenant;
    this.#redaction = settings.redaction;
    this.#targets = targets;
    this.lanes = targets.map(({ lane }) => lane);
  }

  /** The destinations, and whoever listens to the registry. */
  get targets(): readonly MetricTarget[] {
    const { current } = this.#pipeline.tap;
    return current === undefined
      ? this.#targets
      : [...this.#targets, tapTarget(this.#pipeline.tap, this.#tenant, this.#redaction)];
  }
}

/** Sees what the first destination would, were it not for that one's own redaction; is not in the account. */
function tapTarget(tap: TapSlot, tenant: OutletTenant, redaction: Redaction | undefined): MetricTarget {
  return {
    index: 0,
    format: 'protobuf',
    shown: (attributes) => showAttributes(tenant.guard, redaction, undefined, attributes),
    push: (body, count) => tap.current?.takeMetrics(tenant, body, count),
    drop: (_reason, count) => tap.current?.lose(tenant, count),
  };
}

function showAttributes(
  guard: Guard,
  everywhere: Redaction | undefined,
  here: Redaction | undefined,
  attributes: AttributeList,
): AttributeList | undefined {
  if (everywhere === undefined && here === undefined) return attributes;
  const show = (): AttributeList => {
    const shown = everywhere === undefined ? attributes : everywhere.attributes(attributes);
    return here === undefined ? shown : here.attributes(shown);
  };
  return guard.run('encoder', 'redact', show, undefined);
}

function openTarget(
  pipeline: Pipeline,
  tenant: OutletTenant,
  settings: MetricOutletSettings,
  destination: MetricDestination,
): OutletTarget {
  const { maxQueueBytes, maxQueueSize } = settings.limits;
  const { budget } = pipeline;
  const cargo = new RequestCargo({ via: pipeline, budget, destination, maxQueueBytes, maxQueueSize });
  const lane = createLane(pipeline, tenant, settings, cargo, destination.group);
  return new OutletTarget(tenant, settings, destination, cargo, lane);
}

class OutletTarget implements MetricTarget {
  readonly lane: Lane;
  readonly #tenant: OutletTenant;
  readonly #settings: MetricOutletSettings;
  readonly #destination: MetricDestination;
  readonly #cargo: RequestCargo;

  constructor(
    tenant: OutletTenant,
    settings: MetricOutletSettings,
    destination: MetricDestination,
    cargo: RequestCargo,
    lane: Lane,
  ) {
    this.lane = lane;
    this.#tenant = tenant;
    this.#settings = settings;
    this.#destination = destination;
    this.#cargo = cargo;
  }

  get index(): number {
    return this.#destination.index;
  }

  get format(): MetricTarget['format'] {
    return this.#destination.protocol === 'http/json' ? 'json' : 'protobuf';
  }

  shown(attributes: AttributeList): AttributeList | undefined {
    const everywhere = this.#settings.redaction;
    const here = this.#destination.redaction;
    return showAttributes(this.#tenant.guard, everywhere, here, attributes);
  }

  push(body: Uint8Array, count: number): void {
    const { ledger, tenantId } = this.#tenant;
    ledger.countCreated(count);
    if (this.#cargo.push({ body, count })) this.lane.added();
    else recordDrop(ledger, tenantId, 'queue_full', count);
  }

  drop(reason: DropReason, count: number): void {
    const { ledger, tenantId } = this.#tenant;
    ledger.countCreated(count);
    recordDrop(ledger, tenantId, reason, count);
  }
}
