import type { Attributes } from '@opentelemetry/api';
import { tenantResource } from '../infra/resources.ts';
import type { Agenda } from '../processing/agenda.ts';
import { type Ledgers, recordDrop } from '../processing/ledger.ts';
import type { ScopeMetrics } from '../processing/metric-model.ts';
import { TenantMeterProvider } from './meter.ts';
import type { TracerDefaults } from './settings.ts';
import type { SpanPath } from './span-path.ts';
import { type MetricRules, type MetricsOwner, type MetricsUse, TenantMetrics } from './tenant-metrics.ts';

/** The tenant whose metrics these are. */
export interface MeteredTenant extends MetricsOwner {
  readonly path: SpanPath;
  readonly ledgers: Ledgers;
  readonly house: {
    readonly baseResource: Readonly<Attributes>;
    readonly defaults: TracerDefaults;
    readonly pipeline: { readonly agenda: Agenda };
  };
}

/** What a tenant has for its metrics, made when it measures something first, and told of what happens to the tenant. */
export class Metering implements MetricsUse {
  readonly metrics: TenantMetrics;
  readonly provider: TenantMeterProvider;
  readonly #tenant: MeteredTenant;
  #configured: boolean;
  /** Whether somebody has read the points. */
  #isRead = false;

  constructor(tenant: MeteredTenant) {
    const { house, path } = tenant;
    this.#tenant = tenant;
    this.#configured = path.configured;
    const { agenda } = house.pipeline;
    this.metrics = new TenantMetrics({ owner: tenant, agenda, use: this }, this.#rulesOf(path.settings));
    this.provider = new TenantMeterProvider(this.metrics);
    path.others.metricSource = this.metrics;
  }

  get isRead(): boolean {
    return this.#isRead;
  }

  send(): void {
    const outlet = this.#tenant.path.others.metricOutlet();
    if (outlet !== undefined) void this.metrics.collect(outlet);
  }

  /** All points since the metrics began. Never rejects. */
  async read(): Promise<readonly ScopeMetrics[]> {
    const { path } = this.#tenant;
    this.#isRead = true;
    if (!this.metrics.isReadable) {
      const outlet = path.others.metricOutlet();
      if (outlet !== undefined) await this.metrics.collect(outlet);
      this.metrics.reconfigure(this.#rulesOf(path.settings), outlet === undefined);
    }
    return this.metrics.read();
  }

  /** The tenant's own settings are in force. What was measured under earlier ones has been collected. */
  configured(): void {
    this.metrics.reconfigure(this.#rulesOf(this.#tenant.path.settings), !this.#configured);
    this.#configured = true;
  }

  /** The tenant has another state: the next measurement asks whether it is taken. */
  pause(): void {
    this.metrics.open = false;
  }

  /** The tenant is out of use, and has delivered what there was: gives the memory back. */
  rest(): void {
    const { house, ledgers, tenantId } = this.#tenant;
    if (!this.#configured) {
      const points = this.metrics.discard();
      ledgers.metrics.countCreated(points);
      recordDrop(ledgers.metrics, tenantId, 'tenant_unknown', points);
    }
    this.metrics.release();
    // It is asked for its configuration when it comes back.
    this.metrics.reconfigure(this.#rulesOf(house.defaults), false);
    this.#configured = false;
  }

  /** What the points are of. */
  get resource(): Readonly<Attributes> {
    return tenantResource(this.#tenant.house.baseResource, this.#tenant.path.settings);
  }

  #rulesOf(settings: TracerDefaults): MetricRules {
    const { destinations, metrics, signals } = settings;
    return {
      settings: metrics,
      enabled: signals.metrics,
      temporalities: destinations.map(({ temporality }) => temporality ?? metrics.temporality),
      resource: () => tenantResource(this.#tenant.house.baseResource, settings),
    };
  }
}
