import type { Guard } from '../utils/guard.ts';
import {
  cargoParts,
  createLane,
  type LaneDestination,
  type LaneSettings,
  type OutletTenant,
} from './destination-lane.ts';
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
    const opened = settings.destinations.map((destination) => openTarget(pipeline, tenant, settings, destination));
    this.#pipeline = pipeline;
    this.#tenant = tenant;
    this.#redaction = settings.redaction;
    this.#targets = opened.map(({ target }) => target);
    this.lanes = opened.map(({ lane }) => lane);
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
    shown: (attributes) => showAttributes(tenant.guard, redaction === undefined ? [] : [redaction], attributes),
    push: (body, count) => tap.current?.takeMetrics(tenant, body, count),
    drop: (_reason, count) => tap.current?.lose(tenant, count),
  };
}

function showAttributes(
  guard: Guard,
  redactions: readonly Redaction[],
  attributes: AttributeList,
): AttributeList | undefined {
  if (redactions.length === 0) return attributes;
  const show = (): AttributeList => redactions.reduce((shown, redaction) => redaction.attributes(shown), attributes);
  return guard.run('encoder', 'redact', show, undefined);
}

function openTarget(
  pipeline: Pipeline,
  tenant: OutletTenant,
  settings: MetricOutletSettings,
  destination: MetricDestination,
): { readonly target: MetricTarget; readonly lane: Lane } {
  const { guard, ledger, tenantId } = tenant;
  const { maxQueueBytes, maxQueueSize } = settings.limits;
  const { agenda, budget, clock, send } = cargoParts(pipeline, destination, settings);
  const lost = (count: number): void => lane.lost(count);
  const cargo = new RequestCargo({ agenda, budget, clock, send, destination, lost, maxQueueBytes, maxQueueSize });
  const lane = createLane(pipeline, tenant, settings, cargo, destination.group);
  const redactions = [settings.redaction, destination.redaction].filter((redaction) => redaction !== undefined);
  const target: MetricTarget = {
    index: destination.index,
    format: destination.protocol === 'http/json' ? 'json' : 'protobuf',
    shown: (attributes) => showAttributes(guard, redactions, attributes),
    push: (body, count) => {
      ledger.countCreated(count);
      if (cargo.push({ body, count })) lane.added();
      else recordDrop(ledger, tenantId, 'queue_full', count);
    },
    drop: (reason, count) => {
      ledger.countCreated(count);
      recordDrop(ledger, tenantId, reason, count);
    },
  };
  return { target, lane };
}
