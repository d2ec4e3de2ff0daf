import type { CopyOutlet } from '../processing/copy-outlet.ts';
import { Hold } from '../processing/hold.ts';
import { type DropReason, recordDrop } from '../processing/ledger.ts';
import type { LogRecord } from '../processing/log-record.ts';
import type { MetricOutlet, MetricSource } from '../processing/metric-outlet.ts';
import type { SpanScope } from '../processing/span-host.ts';
import { estimateListBytes, estimateValueBytes } from '../processing/span-size.ts';
import type { TracerDefaults } from './settings.ts';
import type { SpanRoute } from './span-route.ts';
import type { SpanRouteOptions } from './span-route-options.ts';

interface HeldLog {
  readonly record: LogRecord;
  readonly scope: SpanScope;
}

/** Whose signals these are, and the routes that its configurations opened. */
export interface SignalPlace {
  readonly options: Pick<SpanRouteOptions, 'tenantId' | 'pipeline' | 'ledgers'>;
  readonly settings: TracerDefaults;
  /** The one in force; none without a configuration. */
  readonly route: SpanRoute | undefined;
  readonly routes: readonly SpanRoute[];
}

/** What a record weighs without its body and attributes. */
const LOG_BYTES = 200;

/**
 * What a tenant's log records and metrics go through. Without a configuration log records wait, as objects, because the
 * tenant's own rules are still to see them; data points wait in their instruments.
 */
export class OtherSignals {
  /** What measures for the tenant; asked for data points before anything is delivered for good. */
  metricSource: MetricSource | undefined;
  readonly #place: SignalPlace;
  #hold: Hold<HeldLog> | undefined;

  constructor(place: SignalPlace) {
    this.#place = place;
  }

  /** Log records that wait for a configuration. */
  get held(): number {
    return this.#hold?.size ?? 0;
  }

  get heldBytes(): number {
    return this.#hold?.bytes ?? 0;
  }

  /** Log records that are neither delivered nor dropped. */
  get queuedLogs(): number {
    return this.#place.routes.reduce((sum, route) => sum + route.queuedLogs, this.held);
  }

  /** Log records that are only on the disk, those included that wait there for their tenant to be used again. */
  get spooledLogs(): number {
    const { options, routes } = this.#place;
    const { ledgers, pipeline } = options;
    // Asking a tenant that never logged for its account would make one.
    const parked = ledgers.uses('logs') ? pipeline.spools.spooled('logs', ledgers.logs) : 0;
    return routes.reduce((sum, route) => sum + route.spooledLogs, parked);
  }

  /** Data points that are neither delivered nor dropped. */
  get queuedMetrics(): number {
    return this.#place.routes.reduce((sum, route) => sum + route.queuedMetrics, 0);
  }

  /** Where metrics go; nowhere without a configuration and while they are switched off. */
  metricOutlet(): MetricOutlet | undefined {
    return this.#place.route?.metricOutlet();
  }

  /** Takes a log record. */
  log(record: LogRecord, scope: SpanScope): void {
    const { route, settings } = this.#place;
    if (route !== undefined) route.logOutlet()?.push(record, scope);
    else if (settings.signals.logs) this.#holdBack({ record, scope });
  }

  /** Hands what waits to the route in force; where logs are switched off it is forgotten. */
  release(): void {
    const held = this.#takeAll();
    if (held.length === 0) return;
    this.#place.options.ledgers.logs.countCreated(-held.length);
    for (const { record, scope } of held) this.log(record, scope);
  }

  /** Where copies of tenants' log records go, of the platform tracer; `undefined` once it is closed. */
  copyOutlet(): CopyOutlet<LogRecord> | undefined {
    const { route, settings } = this.#place;
    return settings.signals.logs ? route?.logCopyOutlet() : undefined;
  }

  /** Counts copies of log records that are not delivered. */
  discardCopies(reason: DropReason, count: number): void {
    if (this.#place.settings.signals.logs) this.turnAway(reason, count);
  }

  /** Counts log records that never reach a queue. */
  turnAway(reason: DropReason, count: number): void {
    this.#place.options.ledgers.logs.countCreated(count);
    this.#drop(reason, count);
  }

  /** Gives up what waits for a configuration. */
  discard(reason: DropReason): void {
    this.#drop(reason, this.#takeAll().length);
  }

  /** A held record counts as one that is queued; how many destinations it has is not known yet. */
  #holdBack(log: HeldLog): void {
    const { options, settings } = this.#place;
    this.#hold ??= new Hold<HeldLog>({
      limits: settings.limits,
      budget: options.pipeline.budget,
      estimate: ({ record: { attributeList, body } }) =>
        LOG_BYTES + estimateValueBytes(body) + estimateListBytes(attributeList),
      crowdedOut: (count) => this.#drop('queue_full', count),
    });
    options.ledgers.logs.countCreated(1);
    if (!this.#hold.push(log)) this.#drop('queue_full', 1);
  }

  #takeAll(): readonly HeldLog[] {
    const held = this.#hold?.takeAll() ?? [];
    this.#hold = undefined;
    return held;
  }

  #drop(reason: DropReason, count: number): void {
    const { ledgers, tenantId } = this.#place.options;
    if (count > 0) recordDrop(ledgers.logs, tenantId, reason, count);
  }
}
