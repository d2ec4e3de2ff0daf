import { observeRegistry, type RegistryObservation } from '../../core/observe-registry.ts';
import type { TracerRegistry } from '../../core/registry.ts';
import type { TracerBase } from '../../core/tracer-base.ts';
import type { TappedRequest } from '../../processing/telemetry-tap.ts';
import type { Clock, Timer } from '../../utils/clock.ts';
import { IsotraceError } from '../../utils/errors.ts';
import { isTenantId } from '../../utils/tenant-id.ts';
import type { DeliveryFigures } from '../objectives/read-figures.ts';
import type { TelemetryStore } from '../store/telemetry-store.ts';
import { isInScope, type TenantScope } from '../store/tenant-scope.ts';
import type { LiveStatus } from './live-feed.ts';
import { describeHealth, type HealthPage, isWell, type PendingPage } from './tenant-health.ts';

/** How an attached registry is shown. */
export interface AttachOptions {
  /**
   * The tenant that the platform tracer's own telemetry is shown as. What a tenant of the same id records is not shown,
   * and counted as `lost`. Default `(platform)`.
   */
  readonly platform?: string;
}

/** Until `detach`, a registry of this process is shown. */
export interface Attachment extends Disposable {
  /** Shows no more of it; what came in stays. May be called twice. */
  detach(): void;
}

export interface AttachedRegistriesOptions {
  readonly store: TelemetryStore;
  readonly clock: Clock;
  readonly flushMillis: number;
  /** Called when something was stored. */
  readonly onStored: () => void;
}

interface Attached extends Attachment {
  readonly number: number;
  readonly observation: RegistryObservation;
  readonly platform: string;
}

const MAX_REGISTRIES = 100;
/** For each registry: what its tenants record between two flushes. */
const MAX_WAITING_BYTES = 16 * 1_048_576;
const MAX_OPEN_SPANS = 10_000;
/** Live pages are told of so many. */
const MAX_LIVE_TENANTS = 200;
const MAX_LIVE_PENDING = 100;

/**
 * The registries of this process that the dashboard shows without a network in between. What their tenants record is put
 * into the store like what comes over OTLP; how they do is asked for when somebody wants to know.
 */
export class AttachedRegistries implements LiveStatus {
  readonly event = 'health';
  readonly #options: AttachedRegistriesOptions;
  readonly #attached = new Map<TracerRegistry<TracerBase>, Attached>();
  #made = 0;
  #timer: Timer | undefined;
  #flushing: Promise<void> | undefined;
  #closed = false;

  constructor(options: AttachedRegistriesOptions) {
    this.#options = options;
  }

  get present(): boolean {
    return this.#attached.size > 0;
  }

  /** The same attachment for a registry that is attached already. Throws an `IsotraceError` on what cannot be. */
  attach(registry: TracerRegistry<TracerBase>, { platform = '(platform)' }: AttachOptions = {}): Attachment {
    const known = this.#attached.get(registry);
    if (known !== undefined) return known;
    if (!isTenantId(platform)) throw new IsotraceError('config_invalid', 'attach: platform is no id of a tenant');
    const isPossible = !this.#closed && this.#attached.size < MAX_REGISTRIES;
    const limits = { maxBytes: MAX_WAITING_BYTES, maxOpenSpans: MAX_OPEN_SPANS };
    const observation = isPossible
      ? observeRegistry(registry, { ...limits, ready: () => this.#schedule() })
      : undefined;
    if (observation === undefined) {
      const why = 'a registry of this process that no other dashboard shows, while the dashboard is open';
      throw new IsotraceError('config_invalid', `attach needs ${why}`);
    }
    this.#made += 1;
    const detach = (): void => this.#detach(registry, attached);
    const attached = { number: this.#made, observation, platform, detach, [Symbol.dispose]: detach };
    this.#attached.set(registry, attached);
    return attached;
  }

  /** Puts what was recorded so far into the store. Never rejects. */
  flush(): Promise<void> {
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  /** For alerts: what became of spans, log records and data points on their way out. */
  deliveries(): DeliveryFigures[] {
    return this.#named().map(({ name, tenant: { health, stats } }) => {
      const accounts = [stats.traces, stats.logs, stats.metrics];
      const dropped = accounts.flatMap((account) => Object.entries(account.dropped));
      return {
        tenant: name,
        dropped: dropped.reduce((sum, [reason, count]) => sum + (reason === 'sampled' ? 0 : count), 0),
        failures: Math.max(0, ...health.destinations.map(({ failures }) => failures)),
        queued: accounts.reduce((sum, { queued }) => sum + queued, 0),
      };
    });
  }

  /** Those that are not well first. */
  health(scope: TenantScope, limit: number): HealthPage {
    const tenants = this.#named()
      .filter(({ name }) => isInScope(scope, name))
      .map(({ name, number, tenant }) => describeHealth(name, number, tenant));
    tenants.sort(
      (left, right) => Number(isWell(left)) - Number(isWell(right)) || (left.tenant < right.tenant ? -1 : 1),
    );
    return {
      attached: this.#attached.size,
      tenants: tenants.slice(0, limit),
      more: Math.max(tenants.length - limit, 0),
    };
  }

  describe(scope: TenantScope): { readonly health: HealthPage; readonly pending: PendingPage } {
    return { health: this.health(scope, MAX_LIVE_TENANTS), pending: this.pending(scope, MAX_LIVE_PENDING) };
  }

  /** The spans that have not ended, the latest first. */
  pending(scope: TenantScope, limit: number): PendingPage {
    const pages = [...this.#attached.values()].map(({ observation, number, platform }) => {
      const nameOf = (tenantId: string, isPlatform: boolean): string => (isPlatform ? platform : tenantId);
      const { spans, more } = observation.openSpans(
        (id, isPlatform) => isInScope(scope, nameOf(id, isPlatform)),
        limit,
      );
      const named = spans.map(({ tenantId, isPlatform, ...span }) => ({
        ...{ tenant: nameOf(tenantId, isPlatform), registry: number },
        ...span,
      }));
      return { named, more };
    });
    const spans = pages.flatMap(({ named }) => named).sort((left, right) => right.startMillis - left.startMillis);
    const beyond = Math.max(spans.length - limit, 0);
    return { pending: spans.slice(0, limit), more: pages.reduce((sum, { more }) => sum + more, beyond) };
  }

  /** Stores what was recorded so far, and observes no more. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.flush();
    for (const { observation } of this.#attached.values()) observation.close();
    this.#attached.clear();
  }

  /** All tenants, by the names that they are shown under. */
  #named() {
    return [...this.#attached.values()].flatMap(({ observation, number, platform }) =>
      observation.tenants().map((tenant) => ({ tenant, number, name: tenant.isPlatform ? platform : tenant.tenantId })),
    );
  }

  #schedule(): void {
    if (this.#closed) return;
    const { clock, flushMillis } = this.#options;
    this.#timer ??= clock.schedule(() => {
      this.#timer = undefined;
      void this.flush();
    }, flushMillis);
  }

  async #flush(): Promise<void> {
    for (const attached of this.#attached.values()) {
      for (const request of attached.observation.drain()) await this.#store(attached, request);
    }
  }

  async #store({ observation, platform }: Attached, request: TappedRequest): Promise<void> {
    const { store, onStored } = this.#options;
    const { tenantId, isPlatform, signal, body, count } = request;
    if (!isPlatform && tenantId === platform) {
      observation.lose(request, count);
      return;
    }
    const tenantOf = (): string => (isPlatform ? platform : tenantId);
    try {
      const result = await store.append({ signal, format: 'protobuf', bytes: body, tenantOf });
      const accepted = result.outcome === 'stored' ? result.accepted : 0;
      if (accepted < count) observation.lose(request, count - accepted);
      if (accepted > 0) onStored();
    } catch {
      observation.lose(request, count);
    }
  }

  #detach(registry: TracerRegistry<TracerBase>, attached: Attached): void {
    if (this.#attached.get(registry) !== attached) return;
    for (const request of attached.observation.drain()) void this.#store(attached, request);
    attached.observation.close();
    this.#attached.delete(registry);
  }
}
