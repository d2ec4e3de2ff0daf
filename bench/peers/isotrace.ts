import { type RegistryOptions, type Tracer, TracerRegistry } from 'isotrace';
import { OtelWork, type Wrappers } from './otel-work.ts';
import type { OpenPeer, Peer, PeerSettings, PeerTenant } from './peer.ts';

const HOUR_MILLIS = 3_600_000;
/** Nothing is sent before `flush`, and nothing is dropped. */
const HELD: Pick<RegistryOptions, 'batch' | 'limits'> = {
  batch: { delayMillis: HOUR_MILLIS, maxSize: 65_536, maxBytes: 64 * 1_048_576 },
  limits: { maxQueueSize: 1_000_000, maxQueueBytes: 1_073_741_824 },
};

const WRAPPERS: Wrappers = {
  sync: (tracer, fn) => (tracer as Tracer).trace('work', fn),
  async: (tracer, fn) => (tracer as Tracer).trace('work', fn),
};

/** Spans are encoded when they end: a span that waits is an encoded span. */
export const isotrace: Peer = {
  packages: ['isotrace'],
  open: (settings) => new OpenIsotrace(settings),
};

class OpenIsotrace implements OpenPeer {
  readonly #registry: TracerRegistry;

  constructor({ delayMillis, endpoint, mode }: PeerSettings) {
    const batch = delayMillis === undefined ? {} : { batch: { delayMillis } };
    this.#registry = new TracerRegistry({
      service: { name: 'bench' },
      maxTenants: 1_000_000,
      configure: (tenantId) => ({ destination: { endpoint, headers: { authorization: `Bearer ${tenantId}` } } }),
      ...(mode === 'send' ? batch : HELD),
    });
  }

  tenant(id: string): PeerTenant {
    return new IsotraceTenant(this.#registry.get(id));
  }

  instrument(id: string): (fn: () => void) => void {
    this.#registry.install();
    return (fn) => this.#registry.run(id, fn);
  }

  async encoded(): Promise<void> {}

  async flush(): Promise<void> {
    await this.#registry.flush();
  }

  async shutdown(timeoutMillis: number): Promise<void> {
    await this.#registry.shutdown({ timeoutMillis });
  }
}

class IsotraceTenant extends OtelWork implements PeerTenant {
  readonly #tracer: Tracer;

  constructor(tracer: Tracer) {
    super(tracer, WRAPPERS);
    this.#tracer = tracer;
  }

  exported(): number {
    return this.#tracer.stats().traces.exported;
  }
}
