import type { MeterProvider } from '@opentelemetry/api';
import type { House } from './house.ts';
import { MeterRouter } from './meter-router.ts';
import type { TracerSettings } from './settings.ts';
import type { TracerRuntime } from './tracer-runtime.ts';

/** The process owner's own tracer, made when it is first needed. */
export class Platform {
  readonly #house: House;
  readonly #settings: TracerSettings | false;
  #runtime: TracerRuntime | undefined;
  #closed = false;

  constructor(house: House, settings: TracerSettings | false) {
    this.#house = house;
    this.#settings = settings;
  }

  /** What was made, if it was. */
  get made(): TracerRuntime | undefined {
    return this.#runtime;
  }

  /** `undefined` when there is none, and when none was made before the registry closed. */
  get(): TracerRuntime | undefined {
    if (this.#runtime === undefined && this.#settings !== false && !this.#closed) {
      this.#runtime = this.#house.createPlatform(this.#settings);
    }
    return this.#runtime;
  }

  /** Makes none any more. */
  close(): void {
    this.#closed = true;
  }
}

/**
 * The platform tracer's meters. They may be asked for before there is a platform tracer, which is made when something is
 * measured.
 */
export function platformMeters(platform: () => TracerRuntime | undefined): MeterProvider {
  return new MeterRouter({
    isOpen: () => true,
    ownerIn: () => undefined,
    unassigned: platform,
    failed: (error) => platform()?.guard.report('metrics', 'own metrics', error),
  });
}
