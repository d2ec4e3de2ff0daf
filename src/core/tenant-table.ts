import { LRUCache } from 'lru-cache';
import type { Clock } from '../utils/clock.ts';
import type { TracerRuntime } from './tracer-runtime.ts';

export interface TenantTableOptions {
  readonly maxTenants: number;
  readonly clock: Clock;
  /** The least recently used tenant has to make room. */
  readonly crowdedOut: (runtime: TracerRuntime) => void;
}

/** Unknown ids that are remembered. A million others cost nothing but another question each. */
const MAX_UNKNOWN = 10_000;
const UNKNOWN_MILLIS = 30_000;

/**
 * Which tenants there are. Live ones stand in an LRU; those whose configuration has not come stand apart, so that made-up
 * ids cannot crowd out real tenants; evicted ones are found again as long as somebody holds their tracer, so that a
 * tenant never has two.
 */
export class TenantTable {
  readonly maxTenants: number;
  readonly #clock: Clock;
  readonly #live: LRUCache<string, TracerRuntime>;
  readonly #waiting = new Map<string, TracerRuntime>();
  readonly #draining = new Set<TracerRuntime>();
  readonly #retired = new Map<string, WeakRef<TracerRuntime>>();
  readonly #unknown = new LRUCache<string, number>({ max: MAX_UNKNOWN });
  readonly #collected = new FinalizationRegistry<string>((tenantId) => {
    if (this.#retired.get(tenantId)?.deref() === undefined) this.#retired.delete(tenantId);
  });

  constructor({ maxTenants, clock, crowdedOut }: TenantTableOptions) {
    this.maxTenants = maxTenants;
    this.#clock = clock;
    this.#live = new LRUCache({
      max: maxTenants,
      // Not `dispose`, which is called amid the change and must not change the cache.
      disposeAfter: (runtime, _tenantId, reason) => {
        if (reason === 'evict') crowdedOut(runtime);
      },
    });
  }

  /** A live tenant, which becomes the most recently used. */
  use(tenantId: string): TracerRuntime | undefined {
    return this.#live.get(tenantId) ?? this.#waiting.get(tenantId);
  }

  /** A live tenant, without using it. */
  peek(tenantId: string): TracerRuntime | undefined {
    return this.#live.peek(tenantId) ?? this.#waiting.get(tenantId);
  }

  /** A tenant that is not live but whose tracer somebody still holds. */
  retired(tenantId: string): TracerRuntime | undefined {
    return this.#retired.get(tenantId)?.deref();
  }

  get live(): number {
    return this.#live.size;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  get draining(): ReadonlySet<TracerRuntime> {
    return this.#draining;
  }

  /** Live and waiting tenants, the most recently used first. */
  *runtimes(): IterableIterator<TracerRuntime> {
    yield* this.#live.values();
    yield* this.#waiting.values();
  }

  /** False when too many tenants wait for their configuration already. */
  mayWait(): boolean {
    return this.#waiting.size < this.maxTenants;
  }

  addWaiting(runtime: TracerRuntime): void {
    this.#remove(runtime);
    this.#waiting.set(runtime.tenantId, runtime);
  }

  addLive(runtime: TracerRuntime): void {
    this.#remove(runtime);
    this.#unknown.delete(runtime.tenantId);
    this.#live.set(runtime.tenantId, runtime);
  }

  /** Takes a tenant out of use, to be found again while its tracer is held; `draining` keeps it until it is done. */
  retire(runtime: TracerRuntime, draining: boolean): void {
    const { tenantId } = runtime;
    this.#remove(runtime);
    if (draining) this.#draining.add(runtime);
    this.#retired.set(tenantId, new WeakRef(runtime));
    this.#collected.register(runtime, tenantId, runtime);
  }

  /** Takes a tenant out of use for good; it is kept until it is done. */
  close(runtime: TracerRuntime): void {
    this.#remove(runtime);
    this.#draining.add(runtime);
  }

  /** Forgets a tenant whose tracer nobody holds. */
  forget(runtime: TracerRuntime): void {
    this.#remove(runtime);
  }

  drained(runtime: TracerRuntime): void {
    this.#draining.delete(runtime);
  }

  /** Remembers for a while that there is no such tenant. */
  rememberUnknown(tenantId: string): void {
    this.#unknown.set(tenantId, this.#clock.monotonic() + UNKNOWN_MILLIS);
  }

  forgetUnknown(tenantId: string): void {
    this.#unknown.delete(tenantId);
  }

  isUnknown(tenantId: string): boolean {
    const until = this.#unknown.get(tenantId);
    if (until === undefined) return false;
    if (until > this.#clock.monotonic()) return true;
    this.#unknown.delete(tenantId);
    return false;
  }

  clear(): void {
    this.#live.clear();
    this.#waiting.clear();
    this.#draining.clear();
    this.#retired.clear();
    this.#unknown.clear();
  }

  #remove(runtime: TracerRuntime): void {
    const { tenantId } = runtime;
    if (this.#live.peek(tenantId) === runtime) this.#live.delete(tenantId);
    if (this.#waiting.get(tenantId) === runtime) this.#waiting.delete(tenantId);
    this.#draining.delete(runtime);
    if (this.#retired.get(tenantId)?.deref() !== runtime) return;
    this.#retired.delete(tenantId);
    this.#collected.unregister(runtime);
  }
}
