import type { Context } from '@opentelemetry/api';
import { context as contextApi } from '@opentelemetry/api';
import type { House } from './house.ts';
import { type Installation, type InstallationHealth, type Installed, type InstallOptions, install } from './install.ts';
import { type LateBindingCounts, LateBindings } from './late-binding.ts';
import { LogRouter } from './log-router.ts';
import { MeterRouter } from './meter-router.ts';
import type { RegistrySettings } from './settings.ts';
import { SpanRouter } from './span-router.ts';
import type { TracerRuntime } from './tracer-runtime.ts';
import type { UnknownTenant } from './unknown-tenant.ts';

export interface RoutingOptions {
  readonly house: House;
  readonly settings: Pick<RegistrySettings, 'unassigned' | 'lateBinding'>;
  readonly nobody: TracerRuntime;
  /** The platform tracer; `undefined` when there is none. */
  readonly platform: () => TracerRuntime | undefined;
  readonly isPlatform: (runtime: TracerRuntime) => boolean;
}

const INSTALLED_NOWHERE: Installation = Object.freeze({
  strategy: 'isolated',
  found: 'none',
  advice: 'the registry is shut down',
  uninstall: () => undefined,
});

/** What a registry has for code that knows nothing of tenants. */
export class Routing {
  readonly lateBindings: LateBindings;
  readonly router: SpanRouter;
  readonly logs: LogRouter;
  readonly meters: MeterRouter;
  /** Whether the host was given a span processor for an SDK of its own. */
  hasSpanProcessor = false;
  #installed: Installed | undefined;
  #installation: Installation | undefined;
  #closed = false;

  constructor({ house, settings, nobody, platform, isPlatform }: RoutingOptions) {
    const { lateBinding, unassigned } = settings;
    const isOwn = (tenant: TracerRuntime): boolean => tenant.house === house;
    this.lateBindings = new LateBindings({
      ...lateBinding,
      agenda: house.pipeline.agenda,
      nobody,
      unassigned: () => (unassigned === 'platform' ? platform() : undefined),
      mayClaim: (tenant) =>
        isOwn(tenant) && !isPlatform(tenant) && tenant.state !== 'closed' && tenant.state !== 'disabled',
    });
    this.router = new SpanRouter({ guard: house.guard, lateBindings: this.lateBindings, isOwn });
    this.logs = new LogRouter({
      router: this.router,
      nobody,
      unassigned: () => (unassigned === 'platform' ? platform() : undefined),
    });
    this.meters = new MeterRouter({
      isOpen: () => this.router.isOpen,
      ownerIn: (context) => this.router.starterIn(context),
      unassigned: () => (unassigned === 'platform' ? platform() : undefined),
      failed: (error) => house.guard.report('metrics', 'route', error),
    });
  }

  /** Whether the registry is shut down. */
  get isClosed(): boolean {
    return this.#closed;
  }

  get counts(): LateBindingCounts {
    return this.lateBindings.counts;
  }

  get health(): InstallationHealth | undefined {
    return this.#installed && this.#health(this.#installed);
  }

  /** Who starts spans for code of this registry's tenants, or of a request whose tenant is not known yet. */
  starterIn(context: Context = contextApi.active()): TracerRuntime | UnknownTenant | undefined {
    return this.router.starterIn(context) ?? undefined;
  }

  install(options: InstallOptions): Installation {
    if (this.#installation !== undefined) return this.#installation;
    if (this.#closed) return INSTALLED_NOWHERE;
    const installed = install(this.router, options, { logs: this.logs.provider, meters: this.meters });
    const uninstall = (): void => {
      if (this.#installed !== installed) return;
      this.#installed = undefined;
      this.#installation = undefined;
      this.meters.close();
      installed.uninstall();
      this.lateBindings.settleAll();
    };
    this.#installed = installed;
    this.#installation = { ...this.#health(installed), uninstall };
    return this.#installation;
  }

  /** Takes the installation out; to be called while spans may still be delivered. */
  close(): void {
    this.#closed = true;
    this.#installation?.uninstall();
    this.lateBindings.settleAll();
  }

  #health({ strategy, found, joinAdvice, notes }: Installed): InstallationHealth {
    const advice = joinAdvice === undefined || this.hasSpanProcessor ? notes : [joinAdvice, ...notes];
    return { strategy, found, ...(advice.length > 0 && { advice: advice.join('; ') }) };
  }
}
