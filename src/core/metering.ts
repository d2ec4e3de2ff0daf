import type { Attributes } from '@opentelemetry/api';
import { tenantResource } from '../infra/resources.ts';
import { isRecordingState, type TracerState } from '../lifecycle/tracer-state.ts';
import type { Agenda } from '../processing/agenda.ts';
import type { MetricTarget } from '../processing/metric-export.ts';
import type { ScopeMetrics } from '../processing/metric-model.ts';
import { TenantMeterProvider } from './meter.ts';
import type { TracerDefaults } from './settings.ts';
import { type MetricRules, type MetricsOwner, TenantMetrics } from './tenant-metrics.ts';

export interface MeteringOptions {
  readonly owner: MetricsOwner;
  readonly agenda: Agenda;
  readonly baseResource: Readonly<Attributes>;
  readonly settings: TracerDefaults;
  /** Whether they are the tenant's own. */
  readonly configured: boolean;
  readonly isRead: () => boolean;
  /** Where the tenant's metrics go now. */
  readonly outlet: () => { readonly targets: readonly MetricTarget[] } | undefined;
  /** Counts data points that nobody will ever get. */
  readonly lost: (points: number) => void;
}

/** What a tenant has for its metrics, made when it measures something first. */
export class Metering {
  readonly metrics: TenantMetrics;
  readonly provider: TenantMeterProvider;
  readonly #options: MeteringOptions;
  #configured: boolean;

  constructor(options: MeteringOptions) {
    this.#options = options;
    this.#configured = options.configured;
    const due = (): void => {
      const outlet = options.outlet();
      if (outlet !== undefined) void this.metrics.collect(outlet);
    };
    this.metrics = new TenantMetrics({ ...options, due }, rulesOf(options.settings, options.baseResource));
    this.provider = new TenantMeterProvider(this.metrics);
  }

  /** Hands what was measured to the targets; see {@link TenantMetrics.collect}. */
  collect(outlet: { readonly targets: readonly MetricTarget[] }): void | Promise<void> {
    return this.metrics.collect(outlet);
  }

  read(): Promise<readonly ScopeMetrics[]> {
    return this.metrics.read();
  }

  /** The tenant's own settings are in force; those before, if there were any, have been collected for. */
  configure(settings: TracerDefaults): void {
    this.metrics.reconfigure(rulesOf(settings, this.#options.baseResource), !this.#configured);
    this.#configured = true;
  }

  /** The tenant has another state. */
  became(state: TracerState, defaults: TracerDefaults): void {
    if (isRecordingState(state)) return;
    this.metrics.open = false;
    if (state === 'draining') return;
    if (!this.#configured) this.#options.lost(this.metrics.discard());
    this.metrics.release();
    // It is asked for its configuration again.
    if (this.#configured) this.metrics.reconfigure(rulesOf(defaults, this.#options.baseResource), false);
    this.#configured = false;
  }
}

function rulesOf(settings: TracerDefaults, baseResource: Readonly<Attributes>): MetricRules {
  const { destinations, metrics, signals } = settings;
  return {
    settings: metrics,
    enabled: signals.metrics,
    temporalities: destinations.map(({ temporality }) => temporality ?? metrics.temporality),
    resource: () => tenantResource(baseResource, settings),
  };
}
