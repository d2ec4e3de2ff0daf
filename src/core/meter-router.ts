import {
  type Attributes,
  type BatchObservableCallback,
  type BatchObservableResult,
  type Context,
  type Counter,
  context as contextApi,
  type Gauge,
  type Histogram,
  type MetricOptions as InstrumentOptions,
  type Meter,
  type MeterProvider,
  type Observable,
  type ObservableCallback,
  type UpDownCounter,
} from '@opentelemetry/api';
import type { SyncInstrument } from '../processing/metric-instrument.ts';
import { elementsOf } from '../utils/option-reader.ts';
import { copyRecord } from '../utils/record-keys.ts';
import type { MetricScope } from './instrument-table.ts';
import { NOOP_OBSERVABLE, type TenantMeter, toScope } from './meter.ts';
import { TracerRuntime } from './tracer-runtime.ts';
import type { UnknownTenant } from './unknown-tenant.ts';

export interface MeterRouterOptions {
  /** Whether anything is to be routed. */
  readonly isOpen: () => boolean;
  /** Whose a context is; `undefined` outside every tenant, `null` in one of another registry. */
  readonly ownerIn: (context: Context) => TracerRuntime | UnknownTenant | undefined | null;
  /** Gets what belongs to no tenant; without one it is not measured. */
  readonly unassigned: () => TracerRuntime | undefined;
  readonly failed: (error: unknown) => void;
}

type SyncMethod = 'createCounter' | 'createUpDownCounter' | 'createGauge' | 'createHistogram';
type ObservableMethod = 'createObservableCounter' | 'createObservableUpDownCounter' | 'createObservableGauge';

const MAX_METERS = 1_000;
/** Callbacks that are taken out with the installation. */
const MAX_CALLBACKS = 2_000;
const MAX_ATTRIBUTES = 128;

/**
 * An OpenTelemetry meter provider for code that knows nothing of tenants, such as instrumentation packages: each
 * measurement goes to the tenant that the running code works for, or waits until its request names one. Observables
 * belong to no request, and so to the platform tracer.
 */
export class MeterRouter implements MeterProvider {
  readonly #options: MeterRouterOptions;
  readonly #meters = new Map<string, RoutingMeter>();
  readonly #undo = new Set<() => void>();

  constructor(options: MeterRouterOptions) {
    this.#options = options;
  }

  getMeter(name: string, version?: string): Meter {
    const scope = toScope(name, version);
    const key = `${scope.name}\n${scope.version ?? ''}`;
    const known = this.#meters.get(key);
    if (known !== undefined) return known;
    const meter = new RoutingMeter(this, scope);
    if (this.#meters.size < MAX_METERS) this.#meters.set(key, meter);
    return meter;
  }

  /** The platform tracer's, for what belongs to no request. */
  get platform(): TracerRuntime | undefined {
    return this.#options.isOpen() ? this.#options.unassigned() : undefined;
  }

  /** Hands a measurement to whom it belongs to. Never throws. */
  route(given: Context | undefined, attributes: Attributes | undefined, take: Take): void {
    const { failed, isOpen, ownerIn, unassigned } = this.#options;
    try {
      if (!isOpen()) return;
      const context = given ?? contextApi.active();
      const owner = ownerIn(context);
      // A tenant of another registry.
      if (owner === null) return;
      if (owner instanceof TracerRuntime) take(owner, attributes, context);
      else if (owner === undefined) takeFor(unassigned(), attributes, context, take);
      else if (owner.tenant === undefined) {
        // The host may go on using its object.
        const copy = attributes && (copyRecord(attributes, MAX_ATTRIBUTES) as Attributes);
        owner.measure((tenant) => takeFor(tenant, copy, context, take));
      } else owner.measure((tenant) => takeFor(tenant, attributes, context, take));
    } catch (error) {
      failed(error);
    }
  }

  /** Remembers how to take something out of the platform tracer's metrics again. */
  remember(undo: () => void): void {
    if (this.#undo.size < MAX_CALLBACKS) this.#undo.add(undo);
  }

  /** Takes the callbacks of observables out. */
  close(): void {
    for (const undo of this.#undo) undo();
    this.#undo.clear();
  }
}

type Take = (tenant: TracerRuntime, attributes: Attributes | undefined, context: Context) => void;

function takeFor(
  tenant: TracerRuntime | undefined,
  attributes: Attributes | undefined,
  context: Context,
  take: Take,
): void {
  if (tenant !== undefined) take(tenant, attributes, context);
}

/** A meter without a tenant of its own. No method throws. */
class RoutingMeter implements Meter {
  readonly #router: MeterRouter;
  readonly #scope: MetricScope;
  readonly #batches = new WeakMap<BatchObservableCallback, BatchObservableCallback>();

  constructor(router: MeterRouter, scope: MetricScope) {
    this.#router = router;
    this.#scope = scope;
  }

  createCounter(name: string, options?: InstrumentOptions): Counter {
    return this.#sync('createCounter', name, options);
  }

  createUpDownCounter(name: string, options?: InstrumentOptions): UpDownCounter {
    return this.#sync('createUpDownCounter', name, options);
  }

  createGauge(name: string, options?: InstrumentOptions): Gauge {
    return this.#sync('createGauge', name, options);
  }

  createHistogram(name: string, options?: InstrumentOptions): Histogram {
    return this.#sync('createHistogram', name, options);
  }

  createObservableCounter(name: string, options?: InstrumentOptions): Observable {
    return this.#observable('createObservableCounter', name, options);
  }

  createObservableUpDownCounter(name: string, options?: InstrumentOptions): Observable {
    return this.#observable('createObservableUpDownCounter', name, options);
  }

  createObservableGauge(name: string, options?: InstrumentOptions): Observable {
    return this.#observable('createObservableGauge', name, options);
  }

  addBatchObservableCallback(callback: BatchObservableCallback, observables: Observable[]): void {
    const platform = this.#router.platform;
    if (platform === undefined || typeof callback !== 'function') return;
    const meter = this.meterOf(platform);
    const targets = targetsOf(observables);
    const own: BatchObservableCallback = (result) => callback(translated(result));
    this.#batches.set(callback, own);
    meter.addBatchObservableCallback(own, targets);
    this.#router.remember(() => meter.removeBatchObservableCallback(own, targets));
  }

  removeBatchObservableCallback(callback: BatchObservableCallback, observables: Observable[]): void {
    const platform = this.#router.platform;
    const own = typeof callback === 'function' ? this.#batches.get(callback) : undefined;
    if (platform !== undefined && own !== undefined) {
      this.meterOf(platform).removeBatchObservableCallback(own, targetsOf(observables));
    }
  }

  meterOf(tenant: TracerRuntime): TenantMeter {
    return tenant.metering.provider.getMeter(this.#scope.name, this.#scope.version);
  }

  #sync(method: SyncMethod, name: string, options: InstrumentOptions | undefined): RoutingInstrument {
    return new RoutingInstrument(
      this.#router,
      (tenant) => this.meterOf(tenant)[method](name, options) as SyncInstrument,
    );
  }

  #observable(method: ObservableMethod, name: string, options: InstrumentOptions | undefined): Observable {
    return new RoutingObservable(this.#router, (tenant) => this.meterOf(tenant)[method](name, options));
  }
}

/** The instruments of that name of all tenants; none is kept that its tenant does not keep. */
class RoutingInstrument implements Counter, UpDownCounter, Gauge, Histogram {
  readonly #router: MeterRouter;
  readonly #create: (tenant: TracerRuntime) => SyncInstrument;
  readonly #made = new WeakMap<TracerRuntime, SyncInstrument>();

  constructor(router: MeterRouter, create: (tenant: TracerRuntime) => SyncInstrument) {
    this.#router = router;
    this.#create = create;
  }

  add(value: number, attributes?: Attributes, context?: Context): void {
    this.record(value, attributes, context);
  }

  record(value: number, given?: Attributes, context?: Context): void {
    this.#router.route(context, given, (tenant, attributes, active) => {
      this.#of(tenant).record(value, attributes, active);
    });
  }

  #of(tenant: TracerRuntime): SyncInstrument {
    const known = this.#made.get(tenant);
    if (known !== undefined) return known;
    const made = this.#create(tenant);
    this.#made.set(tenant, made);
    return made;
  }
}

/** An observable of the platform tracer's. */
class RoutingObservable implements Observable {
  readonly #router: MeterRouter;
  readonly #create: (tenant: TracerRuntime) => Observable;

  constructor(router: MeterRouter, create: (tenant: TracerRuntime) => Observable) {
    this.#router = router;
    this.#create = create;
  }

  get target(): Observable {
    const { platform } = this.#router;
    return platform === undefined ? NOOP_OBSERVABLE : this.#create(platform);
  }

  addCallback(callback: ObservableCallback): void {
    const { target } = this;
    target.addCallback(callback);
    this.#router.remember(() => target.removeCallback(callback));
  }

  removeCallback(callback: ObservableCallback): void {
    this.target.removeCallback(callback);
  }
}

function targetsOf(observables: unknown): Observable[] {
  const list = elementsOf(observables, MAX_CALLBACKS) ?? [];
  return list.filter((item) => item instanceof RoutingObservable).map(({ target }) => target);
}

function translated(result: BatchObservableResult): BatchObservableResult {
  return {
    observe: (metric: Observable, value: number, attributes?: Attributes) => {
      if (metric instanceof RoutingObservable) result.observe(metric.target, value, attributes);
    },
  };
}
