import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock, Timer } from '../utils/clock.ts';
import type { Secret } from '../utils/secret.ts';
import type { AddressRule, TlsOptions } from './transport.ts';

/** What connections must have in common to be shared. */
export interface OriginIdentity {
  readonly url: URL;
  readonly tls?: TlsOptions | undefined;
  readonly addresses?: AddressRule | undefined;
  readonly isolationKey?: string | undefined;
  readonly proxy?: Secret<URL> | undefined;
}

interface KnownKey extends Omit<OriginIdentity, 'url'> {
  readonly href: string;
  readonly variant: string;
  readonly key: string;
}

export interface OriginCacheOptions<C> {
  readonly clock: Clock;
  /** Beyond, what was unused for longest is let go. */
  readonly maxOrigins: number;
  /** What was unused for so long is let go, at the latest after twice the time. */
  readonly idleMillis: number;
  readonly letGo: (connections: C) => void;
}

/**
 * The connections of a transport, one entry for each origin and TLS identity (equal byte for byte, with or without the
 * same object), rule for addresses, isolation key and proxy. Its one timer runs only while there are entries.
 */
export class OriginCache<C extends { lastUsedAt: number }> {
  readonly #clock: Clock;
  readonly #idleMillis: number;
  readonly #entries: LRUCache<string, C>;
  readonly #identities = new WeakMap<TlsOptions, string>();
  readonly #ways = new WeakMap<Secret<URL>, string>();
  /** The key of the latest identity of a URL: a destination has the same with each request. */
  readonly #keys = new WeakMap<URL, KnownKey>();
  #sweep: Timer | undefined;

  constructor({ clock, idleMillis, letGo, maxOrigins }: OriginCacheOptions<C>) {
    this.#clock = clock;
    this.#idleMillis = idleMillis;
    this.#entries = new LRUCache({ max: maxOrigins, dispose: letGo });
  }

  /** The entry, made by `create` if there is none. `variant` tells apart what the identity does not. */
  use(identity: OriginIdentity, variant: string, create: (tls: TlsOptions | undefined) => C): C {
    const key = this.#keyOf(identity, variant);
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = create(tlsOf(identity));
      this.#entries.set(key, entry);
    }
    entry.lastUsedAt = this.#clock.monotonic();
    this.#sweep ??= this.#scheduleSweep();
    return entry;
  }

  letGo(connections: C): void {
    for (const [key, entry] of this.#entries.entries()) {
      if (entry === connections) this.#entries.delete(key);
    }
  }

  /** Lets everything go and stops the timer. */
  clear(): void {
    this.#sweep?.cancel();
    this.#entries.clear();
  }

  #keyOf(identity: OriginIdentity, variant: string): string {
    const { url, tls, addresses, isolationKey, proxy } = identity;
    const known = this.#keys.get(url);
    if (
      known !== undefined &&
      known.href === url.href &&
      known.tls === tls &&
      known.addresses === addresses &&
      known.isolationKey === isolationKey &&
      known.proxy === proxy &&
      known.variant === variant
    ) {
      return known.key;
    }
    const used = tlsOf(identity);
    const parts = [
      url.origin,
      used && this.#identityOf(used),
      addresses,
      isolationKey,
      proxy && this.#way(proxy),
      variant,
    ];
    const key = JSON.stringify(parts);
    this.#keys.set(url, { href: url.href, tls, addresses, isolationKey, proxy, variant, key });
    return key;
  }

  /** As a hash: a proxy's URL may hold credentials. */
  #way(proxy: Secret<URL>): string {
    let way = this.#ways.get(proxy);
    if (way === undefined) {
      way = createHash('sha256').update(proxy.reveal().href).digest('hex');
      this.#ways.set(proxy, way);
    }
    return way;
  }

  #identityOf(tls: TlsOptions): string {
    let identity = this.#identities.get(tls);
    if (identity === undefined) {
      const parts = [tls.ca, tls.cert, tls.key, tls.serverName].map((part) => part?.toString() ?? null);
      identity = createHash('sha256').update(JSON.stringify(parts)).digest('hex');
      this.#identities.set(tls, identity);
    }
    return identity;
  }

  #scheduleSweep(): Timer {
    return this.#clock.schedule(() => {
      const unusedSince = this.#clock.monotonic() - this.#idleMillis;
      for (const [key, entry] of [...this.#entries.entries()]) {
        if (entry.lastUsedAt <= unusedSince) this.#entries.delete(key);
      }
      this.#sweep = this.#entries.size > 0 ? this.#scheduleSweep() : undefined;
    }, this.#idleMillis);
  }
}

function tlsOf({ tls, url }: OriginIdentity): TlsOptions | undefined {
  return url.protocol === 'https:' ? tls : undefined;
}
