import type { ResourceGroup } from './otlp-frame.ts';
import type { SpanBatch } from './span-batch.ts';
import type { SpanWire } from './span-wire.ts';

/** What a tenant has in the queue and in requests. */
interface Share {
  readonly tenantId: string;
  count: number;
  bytes: number;
}

/** The tenant's resource and scopes, of spans or of other records. */
export type CopyWire = SpanWire<never>;

/** Whose records stand under an index: one scope of one tenant under one configuration. */
interface Entry {
  readonly index: number;
  readonly wire: CopyWire;
  readonly scopeIndex: number;
  readonly share: Share;
  count: number;
}

export interface CopyBounds {
  readonly maxSize: number;
  readonly maxBytes: number;
}

/**
 * Whose records are which in a queue that tenants share. A record stands there under a number that means a tenant's
 * resource and scope as long as such a record waits or is under way, and is then given to somebody else.
 *
 * Nobody may have more in it than is free: one tenant that floods it gets half, two get a third each, and there is
 * always room for the next (dynamic thresholds, as in switches with shared memory).
 */
export class CopyIndex {
  readonly #bounds: CopyBounds;
  readonly #entries: (Entry | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #byWire = new Map<CopyWire, Map<number, Entry>>();
  readonly #shares = new Map<string, Share>();
  #count = 0;
  #bytes = 0;

  constructor(bounds: CopyBounds) {
    this.#bounds = bounds;
  }

  /** Indices in use. */
  get size(): number {
    return this.#entries.length - this.#free.length;
  }

  /** Whether a tenant may have one more record of `bytes`. */
  mayAdd(tenantId: string, bytes: number): boolean {
    const { maxBytes, maxSize } = this.#bounds;
    const { count = 0, bytes: held = 0 } = this.#shares.get(tenantId) ?? {};
    return count < maxSize - this.#count && held + bytes <= maxBytes - this.#bytes;
  }

  /** The index to queue a record of this tenant under, which has to be told with `added` when that is done. */
  indexOf(tenantId: string, wire: CopyWire, scopeIndex: number): number {
    return (this.#byWire.get(wire)?.get(scopeIndex) ?? this.#open(tenantId, wire, scopeIndex)).index;
  }

  added(index: number, bytes: number): void {
    this.#change(index, 1, bytes);
  }

  /** Records that are gone. */
  removed(index: number, count: number, bytes: number): void {
    this.#change(index, -count, -bytes);
  }

  /** Takes back an index under which nothing was queued after all. */
  unused(index: number): void {
    this.#change(index, 0, 0);
  }

  /** The records of a batch by tenant and scope. */
  groups({ runs }: SpanBatch): readonly ResourceGroup[] {
    const groups = new Map<CopyWire, { scope: Uint8Array; parts: readonly Uint8Array[] }[]>();
    for (const { scopeIndex: index, parts } of runs) {
      const entry = this.#entries[index];
      if (entry === undefined) continue;
      const run = { scope: entry.wire.scope(entry.scopeIndex), parts };
      const others = groups.get(entry.wire);
      if (others === undefined) groups.set(entry.wire, [run]);
      else others.push(run);
    }
    return Array.from(groups, ([{ resource }, list]) => ({ resource, runs: list }));
  }

  #open(tenantId: string, wire: CopyWire, scopeIndex: number): Entry {
    const index = this.#free.pop() ?? this.#entries.length;
    const share = this.#shares.get(tenantId) ?? { tenantId, count: 0, bytes: 0 };
    const entry: Entry = { index, wire, scopeIndex, share, count: 0 };
    const scopes = this.#byWire.get(wire) ?? new Map<number, Entry>();
    this.#entries[index] = entry;
    this.#shares.set(tenantId, share);
    this.#byWire.set(wire, scopes.set(scopeIndex, entry));
    return entry;
  }

  #change(index: number, count: number, bytes: number): void {
    const entry = this.#entries[index];
    if (entry === undefined) return;
    const { share } = entry;
    entry.count += count;
    share.count += count;
    share.bytes += bytes;
    this.#count += count;
    this.#bytes += bytes;
    if (entry.count === 0) this.#close(entry);
  }

  #close({ index, scopeIndex, share, wire }: Entry): void {
    this.#entries[index] = undefined;
    this.#free.push(index);
    const scopes = this.#byWire.get(wire);
    scopes?.delete(scopeIndex);
    if (scopes?.size === 0) this.#byWire.delete(wire);
    if (share.count === 0) this.#shares.delete(share.tenantId);
  }
}
