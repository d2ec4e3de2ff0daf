import {
  type BatchObservableCallback,
  type Counter,
  type Gauge,
  type Histogram,
  type MetricOptions as InstrumentOptions,
  type Meter,
  type MeterProvider,
  type Observable,
  type ObservableCounter,
  type ObservableGauge,
  type ObservableUpDownCounter,
  type UpDownCounter,
  ValueType,
} from '@opentelemetry/api';
import { SyncInstrument } from '../processing/metric-instrument.ts';
import { isInstrumentName, isUnit, type MetricKind } from '../processing/metric-model.ts';
import { ObservableInstrument } from '../processing/observable-instrument.ts';
import { elementsOf } from '../utils/option-reader.ts';
import { describeKind } from '../utils/secret.ts';
import type { MetricScope } from './instrument-table.ts';
import { readBoundaries } from './metrics-config.ts';
import { OWN_SCOPE } from './own-scope.ts';
import type { TenantMetrics } from './tenant-metrics.ts';

const MAX_DESCRIPTION_LENGTH = 1_024;
/** Instrumentation scopes of one tenant; those beyond share isotrace's own. */
const MAX_SCOPES = 200;
const MAX_SCOPE_TEXT = 256;
/** Of one callback. */
const MAX_OBSERVABLES = 1_000;

/** An OpenTelemetry meter of one tenant. No method throws; what cannot be an instrument does nothing. */
export class TenantMeter implements Meter {
  readonly #metrics: TenantMetrics;
  readonly #scope: MetricScope;

  /** Made by `tracer.meterProvider.getMeter`. */
  constructor(metrics: TenantMetrics, scope: MetricScope) {
    this.#metrics = metrics;
    this.#scope = scope;
  }

  /** As OpenTelemetry's `Meter` has it. */
  createCounter(name: string, options?: InstrumentOptions): Counter {
    return this.#sync('counter', name, options);
  }

  /** As OpenTelemetry's `Meter` has it. */
  createUpDownCounter(name: string, options?: InstrumentOptions): UpDownCounter {
    return this.#sync('upDownCounter', name, options);
  }

  /** As OpenTelemetry's `Meter` has it. */
  createGauge(name: string, options?: InstrumentOptions): Gauge {
    return this.#sync('gauge', name, options);
  }

  /** As OpenTelemetry's `Meter` has it. */
  createHistogram(name: string, options?: InstrumentOptions): Histogram {
    return this.#sync('histogram', name, options);
  }

  /** As OpenTelemetry's `Meter` has it. */
  createObservableCounter(name: string, options?: InstrumentOptions): ObservableCounter {
    return this.#observable('observableCounter', name, options);
  }

  /** As OpenTelemetry's `Meter` has it. */
  createObservableUpDownCounter(name: string, options?: InstrumentOptions): ObservableUpDownCounter {
    return this.#observable('observableUpDownCounter', name, options);
  }

  /** As OpenTelemetry's `Meter` has it. */
  createObservableGauge(name: string, options?: InstrumentOptions): ObservableGauge {
    return this.#observable('observableGauge', name, options);
  }

  /** As OpenTelemetry's `Meter` has it. */
  addBatchObservableCallback(observe: BatchObservableCallback, observables: Observable[]): void {
    const instruments = ownOf(observables);
    if (typeof observe !== 'function' || instruments.length === 0)
      this.#metrics.report('callback', 'is no function of observables');
    else this.#metrics.addCallback({ instruments, observe });
  }

  /** As OpenTelemetry's `Meter` has it. */
  removeBatchObservableCallback(observe: BatchObservableCallback, observables: Observable[]): void {
    this.#metrics.removeCallback({ instruments: ownOf(observables), observe });
  }

  #sync(kind: MetricKind, name: unknown, options: unknown): SyncInstrument {
    const made = this.#make(kind, name, options);
    return made instanceof SyncInstrument ? made : NOOP_SYNC;
  }

  #observable(kind: MetricKind, name: unknown, options: unknown): ObservableInstrument {
    const made = this.#make(kind, name, options);
    return made instanceof ObservableInstrument ? made : NOOP_OBSERVABLE;
  }

  #make(kind: MetricKind, name: unknown, options: unknown): unknown {
    const metrics = this.#metrics;
    if (!isInstrumentName(name)) {
      metrics.report(
        'instrument',
        `${typeof name === 'string' ? JSON.stringify(name.slice(0, 64)) : describeKind(name)} is no instrument name`,
      );
      return undefined;
    }
    try {
      const known = metrics.find(this.#scope, kind, name);
      if (known !== undefined) return known;
      const { unit, description, valueType, advice } = (options ?? {}) as InstrumentOptions;
      if (unit !== undefined && !isUnit(unit)) metrics.report(name, `${describeKind(unit)} is no unit`);
      const identity = {
        name,
        kind,
        unit: isUnit(unit) ? unit : '',
        description: typeof description === 'string' ? description.slice(0, MAX_DESCRIPTION_LENGTH) : '',
        isInteger: valueType === ValueType.INT,
      };
      const given = advice?.explicitBucketBoundaries;
      const boundaries = given === undefined ? undefined : readBoundaries(given);
      if (given !== undefined && boundaries === undefined) metrics.report(name, 'its boundaries are no rising numbers');
      return metrics.instrument(this.#scope, identity, boundaries);
    } catch (error) {
      metrics.report('instrument', error);
      return undefined;
    }
  }
}

/** OpenTelemetry's meters of one tenant, by instrumentation scope. */
export class TenantMeterProvider implements MeterProvider {
  readonly #metrics: TenantMetrics;
  /** A few. */
  #meters: readonly { readonly scope: MetricScope; readonly meter: TenantMeter }[] = [];

  /** Made by the tracer: `tracer.meterProvider`. */
  constructor(metrics: TenantMetrics) {
    this.#metrics = metrics;
  }

  /** The meter of a scope, always the same for the same name and version. */
  getMeter(name: string, version?: string): TenantMeter {
    const scope = toScope(name, version);
    const known = this.#meters.find((candidate) => isSameScope(candidate.scope, scope));
    if (known !== undefined) return known.meter;
    const isFull = this.#meters.length >= MAX_SCOPES;
    const meter = new TenantMeter(this.#metrics, isFull || isSameScope(scope, OWN_SCOPE) ? OWN_SCOPE : scope);
    if (!isFull) this.#meters = this.#meters.concat({ scope, meter });
    return meter;
  }
}

function isSameScope(one: MetricScope, other: MetricScope): boolean {
  return one.name === other.name && (one.version ?? '') === (other.version ?? '');
}

/** An instrumentation scope of whatever was given as its name and version. */
export function toScope(name: unknown, version: unknown): MetricScope {
  const text = (value: unknown): string | undefined =>
    typeof value === 'string' && value !== '' ? value.slice(0, MAX_SCOPE_TEXT) : undefined;
  return { name: text(name) ?? 'unknown', version: text(version) };
}

function ownOf(observables: unknown): ObservableInstrument[] {
  const list = elementsOf(observables, MAX_OBSERVABLES) ?? [];
  return list.filter(
    (item) => item instanceof ObservableInstrument && item !== NOOP_OBSERVABLE,
  ) as ObservableInstrument[];
}

const NOOP_HOST = {
  open: false,
  touched: false,
  enter: () => false,
  aggregationOf: () => ({
    buckets: [],
    cardinalityLimit: 2,
    allowed: undefined,
    dropped: true,
    temporalities: ['cumulative' as const],
    exemplars: false,
  }),
  now: () => 0,
  exemplar: () => undefined,
  refused: () => undefined,
  overflowed: () => undefined,
  addCallback: () => undefined,
  removeCallback: () => undefined,
};
const NOTHING = { name: 'noop', kind: 'counter', unit: '', description: '', isInteger: false } as const;
const NOOP_SYNC = new SyncInstrument(NOOP_HOST, NOTHING);
/** Is never asked. */
export const NOOP_OBSERVABLE = new ObservableInstrument(NOOP_HOST, { ...NOTHING, kind: 'observableGauge' }, 0);
