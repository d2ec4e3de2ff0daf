import type { Attributes, Meter, MeterProvider } from '@opentelemetry/api';
import { OWN_SCOPE } from '../core/own-scope.ts';
import type { TracerRuntime } from '../core/tracer-runtime.ts';
import { hasMethods } from '../utils/option-checks.ts';
import type { Check } from '../utils/option-reader.ts';
import { describeKind } from '../utils/secret.ts';
import { VERSION } from '../utils/version.ts';

/**
 * Where a user wants calls measured: one provider is the process owner's own, whose points carry `tenant.id`; a function
 * answers a meter for each tenant; `false` is nowhere.
 */
export type MeterChoice = MeterProvider | ((tenantId: string) => Meter | undefined) | false;

export const METER_CHOICE: Check<MeterChoice> = {
  accepted: 'an object with getMeter(), a function or false',
  parse: (value) =>
    value === false || typeof value === 'function' || hasMethods(value, ['getMeter'])
      ? (value as MeterChoice)
      : undefined,
  describe: describeKind,
};

/** What measures one kind of call, whoever has the meter. */
export interface MeasurementKind<Instruments, Measurements> {
  create(meter: Meter): Instruments;
  /** @param constant on every point */
  over(instruments: Instruments, constant: Attributes): Measurements;
}

/** Finds the measurements of a tenant: where the user wants them, or else in the tenant's own metrics. */
export class MeasurementSource<Instruments, Measurements> {
  readonly #kind: MeasurementKind<Instruments, Measurements>;
  readonly #choice: MeterChoice | undefined;
  readonly #ofMeter = new WeakMap<Meter, Measurements>();
  readonly #ofTenant = new WeakMap<TracerRuntime, Measurements>();
  #instruments: Instruments | undefined;

  constructor(kind: MeasurementKind<Instruments, Measurements>, choice: MeterChoice | undefined) {
    this.#kind = kind;
    this.#choice = choice;
  }

  /**
   * None for a tenant without metrics, and where the user wants none. Never throws.
   *
   * @param mayBeOwn whether the tenant's own metrics are to have them, unless the user has named others
   */
  of(tenant: TracerRuntime, mayBeOwn = true): Measurements | undefined {
    const choice = this.#choice;
    if (choice === undefined) return mayBeOwn ? this.#own(tenant) : undefined;
    // The ids of tenants that may turn out not to exist may be made up.
    if (choice === false || !tenant.path.configured) return undefined;
    return tenant.guard.run('host', 'meterProvider', () => this.#chosen(choice, tenant.tenantId), undefined);
  }

  #own(tenant: TracerRuntime): Measurements | undefined {
    if (!tenant.path.settings.signals.metrics) return undefined;
    let measurements = this.#ofTenant.get(tenant);
    if (measurements === undefined) {
      const meter = tenant.metering.provider.getMeter(OWN_SCOPE.name, OWN_SCOPE.version);
      measurements = this.#kind.over(this.#kind.create(meter), {});
      this.#ofTenant.set(tenant, measurements);
    }
    return measurements;
  }

  #chosen(choice: Exclude<MeterChoice, false>, tenantId: string): Measurements | undefined {
    if (typeof choice !== 'function') {
      this.#instruments ??= this.#kind.create(choice.getMeter('isotrace', VERSION));
      return this.#kind.over(this.#instruments, { 'tenant.id': tenantId });
    }
    const meter = choice(tenantId) as Meter | null | undefined;
    if (meter === undefined || meter === null) return undefined;
    const known = this.#ofMeter.get(meter);
    if (known !== undefined) return known;
    // None is kept that the function itself does not keep.
    const measurements = this.#kind.over(this.#kind.create(meter), {});
    this.#ofMeter.set(meter, measurements);
    return measurements;
  }
}

/** The boundaries that the semantic conventions of HTTP and RPC advise for durations in seconds. */
export const DURATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** The attributes that a point carries, of those that a span has. */
export function pick(attributes: Attributes, keys: readonly string[]): Attributes {
  const picked: Attributes = {};
  for (const key of keys) {
    const value = attributes[key];
    if (value !== undefined) picked[key] = value;
  }
  return picked;
}
