import { createRequire } from 'node:module';
import type { Attributes, ContextManager } from '@opentelemetry/api';
import type { ReadableSpan, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace';
import { ExportCount } from './counted-exports.ts';
import { packagesDirectory, requireFrom } from './install-packages.ts';
import type { OpenPeer, Peer, PeerSettings, PeerTenant } from './peer.ts';
import { SpanWork } from './span-work.ts';

const FOLDER = 'langfuse';
const HOUR_SECONDS = 3_600;
const ALL = 1_000_000;

interface Observation {
  update(attributes: { metadata: Attributes }): void;
  end(): void;
}

interface LangfuseTracing {
  startObservation(name: string): Observation;
  startActiveObservation<T>(name: string, fn: (observation: Observation) => T): T;
  observe<F>(fn: F, options: { name: string; captureInput: boolean; captureOutput: boolean }): F;
}

interface Provider {
  register(settings?: { contextManager?: ContextManager }): void;
  forceFlush(): Promise<void>;
  shutdown(): Promise<void>;
}

/** Langfuse's SDK as its manual sets it up: its span processor in a provider of OpenTelemetry's. */
export const langfuse: Peer = {
  packages: ['@langfuse/tracing', '@langfuse/otel', '@opentelemetry/sdk-trace-node'],
  open: (settings) => new OpenLangfuse(settings),
};

class OpenLangfuse implements OpenPeer {
  readonly #provider: Provider;
  readonly #tenant: LangfuseTenant;

  constructor({ endpoint, mode }: PeerSettings) {
    // Langfuse has no option for the size of the queue.
    if (mode === 'hold') process.env['OTEL_BSP_MAX_QUEUE_SIZE'] = String(ALL);
    const { OTLPTraceExporter } = requireFrom<{ OTLPTraceExporter: { prototype: SpanExporter } }>(
      FOLDER,
      '@opentelemetry/exporter-trace-otlp-http',
    );
    const count = new ExportCount({
      exporterClass: OTLPTraceExporter,
      counts: () => true,
      serialize: mode === 'encode' ? jsonSerializer() : undefined,
    });
    const { LangfuseSpanProcessor } = requireFrom<{ LangfuseSpanProcessor: new (options: object) => SpanProcessor }>(
      FOLDER,
      '@langfuse/otel',
    );
    const { NodeTracerProvider } = requireFrom<{ NodeTracerProvider: new (options: object) => Provider }>(
      FOLDER,
      '@opentelemetry/sdk-trace-node',
    );
    const processor = new LangfuseSpanProcessor({
      ...{ publicKey: 'pk-bench', secretKey: 'sk-bench', baseUrl: endpoint },
      ...(mode === 'hold' && { flushAt: ALL, flushInterval: HOUR_SECONDS }),
    });
    this.#provider = new NodeTracerProvider({ spanProcessors: [processor] });
    this.#provider.register();
    this.#tenant = new LangfuseTenant(requireFrom<LangfuseTracing>(FOLDER, '@langfuse/tracing'), count);
  }

  tenant(): PeerTenant {
    return this.#tenant;
  }

  instrument(): never {
    throw new Error('not asked of Langfuse');
  }

  encoded(): Promise<void> {
    return this.flush();
  }

  flush(): Promise<void> {
    return this.#provider.forceFlush();
  }

  shutdown(): Promise<void> {
    return this.#provider.shutdown();
  }
}

class LangfuseTenant extends SpanWork implements PeerTenant {
  readonly #langfuse: LangfuseTracing;
  readonly #count: ExportCount;

  constructor(langfuse: LangfuseTracing, count: ExportCount) {
    super();
    this.#langfuse = langfuse;
    this.#count = count;
  }

  exported(): number {
    return this.#count.exported;
  }

  protected span(attributes: Attributes | undefined): void {
    const observation = this.#langfuse.startObservation('work');
    if (attributes !== undefined) observation.update({ metadata: attributes });
    observation.end();
  }

  protected active<T>(attributes: Attributes | undefined, fn: () => T): T {
    return this.#langfuse.startActiveObservation('work', (observation) => {
      if (attributes !== undefined) observation.update({ metadata: attributes });
      return fn();
    });
  }

  protected activeAsync<T>(fn: () => Promise<T>): Promise<T> {
    return this.#langfuse.startActiveObservation('work', fn);
  }

  protected wrapSync(fn: (turn: number) => number): (turn: number) => number {
    return this.#langfuse.observe(fn, WITHOUT_VALUES);
  }

  protected wrapAsync(fn: (turn: number) => Promise<number>): (turn: number) => Promise<number> {
    return this.#langfuse.observe(fn, WITHOUT_VALUES);
  }
}

/** As the other peers: arguments and results are not recorded. */
const WITHOUT_VALUES = { name: 'work', captureInput: false, captureOutput: false };

function jsonSerializer(): (spans: ReadableSpan[]) => Uint8Array {
  const fromExporter = createRequire(
    createRequire(packagesDirectory(FOLDER)).resolve('@opentelemetry/exporter-trace-otlp-http'),
  );
  const { JsonTraceSerializer } = fromExporter('@opentelemetry/otlp-transformer') as {
    JsonTraceSerializer: { serializeRequest(spans: ReadableSpan[]): Uint8Array };
  };
  return (spans) => JsonTraceSerializer.serializeRequest(spans);
}
