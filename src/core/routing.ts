import type { House } from './house.ts';
import { type Installation, type InstallOptions, install } from './install.ts';
import { type LateBindingCounts, LateBindings } from './late-binding.ts';
import type { RegistrySettings } from './settings.ts';
import { SpanRouter } from './span-router.ts';
import type { TracerRuntime } from './tracer-runtime.ts';

const NO_COUNTS: LateBindingCounts = { waiting: 0, bound: 0, unassigned: 0, expired: 0 };

/** What a registry needs for code that knows nothing of tenants; made when it is first installed. */
export class Routing {
  readonly #house: House;
  readonly #settings: RegistrySettings;
  readonly #nobody: TracerRuntime;
  readonly #platform: () => TracerRuntime;
  #lateBindings: LateBindings | undefined;
  #installation: Installation | undefined;

  constructor(house: House, settings: RegistrySettings, nobody: TracerRuntime, platform: () => TracerRuntime) {
    this.#house = house;
    this.#settings = settings;
    this.#nobody = nobody;
    this.#platform = platform;
  }

  get counts(): LateBindingCounts {
    return this.#lateBindings?.counts ?? NO_COUNTS;
  }

  get installation(): Installation | undefined {
    return this.#installation;
  }

  install(options: InstallOptions): Installation {
    if (this.#installation !== undefined) return this.#installation;
    const { guard } = this.#house;
    const lateBindings = this.#openLateBindings();
    const router = new SpanRouter({ guard, lateBindings, isOwn: (tenant) => tenant.house === this.#house });
    const installation = install({ guard, router }, options);
    const uninstall = (): void => {
      installation.uninstall();
      lateBindings.close();
      if (this.#installation === installed) this.#installation = undefined;
    };
    const installed: Installation = { ...installation, uninstall };
    this.#installation = installed;
    return installed;
  }

  /** Takes the installation out; to be called while spans may still be delivered. */
  close(): void {
    this.#installation?.uninstall();
  }

  #openLateBindings(): LateBindings {
    const { unassigned, lateBinding } = this.#settings;
    this.#lateBindings = new LateBindings({
      ...lateBinding,
      agenda: this.#house.pipeline.agenda,
      nobody: this.#nobody,
      unassigned: () => (unassigned === 'platform' ? this.#platform() : this.#nobody),
      mayClaim: (tenant) => tenant.house === this.#house && tenant !== this.#platform(),
    });
    return this.#lateBindings;
  }
}
