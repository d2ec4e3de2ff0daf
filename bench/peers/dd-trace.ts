import type { Attributes } from '@opentelemetry/api';
import { requireFrom } from './install-packages.ts';
import type { OpenPeer, Peer, PeerSettings, PeerTenant } from './peer.ts';
import { SpanWork } from './span-work.ts';

const HOUR_MILLIS = 3_600_000;
/** The newest version needs Node 22. */
const PACKAGE = Number(process.versions.node.split('.')[0]) >= 22 ? 'dd-trace' : 'dd-trace-5';

interface DatadogSpan {
  addTags(tags: Attributes): void;
  finish(): void;
}

type Done = () => void;

interface DatadogExporter {
  export(spans: readonly unknown[]): void;
  flush(done: Done): void;
  readonly _writer: { _sendPayload(payload: unknown, count: number, done: Done): void };
}

interface DatadogTracer {
  init(options: object): { readonly _tracer: { readonly _exporter: DatadogExporter } };
  startSpan(name: string): DatadogSpan;
  trace<T>(name: string, fn: (span: DatadogSpan) => T): T;
  wrap<F>(name: string, fn: F): F;
}

/** Datadog's tracer, with the receiver as its agent. It has one tracer for the process. */
export const ddTrace: Peer = {
  // What it does when it is imported, it does in `init`.
  packages: [`${PACKAGE}/init.js`],
  open: (settings) => new OpenDatadog(settings),
};

class OpenDatadog implements OpenPeer {
  readonly #exporter: DatadogExporter;
  readonly #tenant: DatadogTenant;

  constructor({ endpoint, mode }: PeerSettings) {
    // All that would talk to somebody else than the agent's trace endpoint.
    Object.assign(process.env, {
      DD_TRACE_AGENT_URL: endpoint,
      DD_INSTRUMENTATION_TELEMETRY_ENABLED: 'false',
      DD_REMOTE_CONFIGURATION_ENABLED: 'false',
      DD_TRACE_STARTUP_LOGS: 'false',
      DD_CRASHTRACKING_ENABLED: 'false',
    });
    const tracer = requireFrom<DatadogTracer>('dd-trace', PACKAGE);
    const { _tracer } = tracer.init({
      ...{ url: endpoint, service: 'bench' },
      ...(mode === 'hold' && { flushInterval: HOUR_MILLIS }),
    });
    this.#exporter = _tracer._exporter;
    const tenant = new DatadogTenant(tracer);
    const take = this.#exporter.export;
    this.#exporter.export = function (spans) {
      tenant.taken += spans.length;
      take.call(this, spans);
    };
    // Spans are encoded when they are taken: only the socket is left out.
    if (mode === 'encode') this.#exporter._writer._sendPayload = (_payload, _count, done) => done();
    this.#tenant = tenant;
  }

  tenant(): PeerTenant {
    return this.#tenant;
  }

  instrument(): never {
    throw new Error('not asked of dd-trace');
  }

  async encoded(): Promise<void> {}

  async flush(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#exporter.flush(resolve);
    });
    this.#tenant.delivered();
  }

  shutdown(): Promise<void> {
    return this.flush();
  }
}

class DatadogTenant extends SpanWork implements PeerTenant {
  readonly #tracer: DatadogTracer;
  taken = 0;
  #exported = 0;

  constructor(tracer: DatadogTracer) {
    super();
    this.#tracer = tracer;
  }

  delivered(): void {
    this.#exported = this.taken;
  }

  exported(): number {
    return this.#exported;
  }

  protected span(attributes: Attributes | undefined): void {
    const span = this.#tracer.startSpan('work');
    if (attributes !== undefined) span.addTags(attributes);
    span.finish();
  }

  protected active<T>(attributes: Attributes | undefined, fn: () => T): T {
    return this.#tracer.trace('work', (span) => {
      if (attributes !== undefined) span.addTags(attributes);
      return fn();
    });
  }

  protected activeAsync<T>(fn: () => Promise<T>): Promise<T> {
    return this.#tracer.trace('work', fn);
  }

  protected wrapSync(fn: (turn: number) => number): (turn: number) => number {
    return this.#tracer.wrap('work', fn);
  }

  protected wrapAsync(fn: (turn: number) => Promise<number>): (turn: number) => Promise<number> {
    return this.#tracer.wrap('work', fn);
  }
}
