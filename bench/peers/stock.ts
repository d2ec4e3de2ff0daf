import { createRequire } from 'node:module';
import { context, propagation, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  CompositePropagator,
  type ExportResult,
  ExportResultCode,
  W3CBaggagePropagator,
  W3CTraceContextPropagator,
} from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  type BatchSpanProcessorOptions,
  type ReadableSpan,
  type SpanExporter,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { OtelWork, type Wrappers } from './otel-work.ts';
import type { OpenPeer, Peer, PeerSettings, PeerTenant } from './peer.ts';

const HOUR_MILLIS = 3_600_000;
const HELD = { maxQueueSize: 1_000_000, maxExportBatchSize: 1_000_000, scheduledDelayMillis: HOUR_MILLIS };

/** OpenTelemetry's own SDK: a provider, a batch processor and an OTLP/protobuf exporter for each tenant. */
export const stock: Peer = {
  packages: [
    '@opentelemetry/api',
    '@opentelemetry/context-async-hooks',
    '@opentelemetry/resources',
    '@opentelemetry/sdk-trace',
    '@opentelemetry/exporter-trace-otlp-proto',
  ],
  open: (settings) => new OpenStock(settings),
};

/** What a careful user writes by hand. */
const WRAPPERS: Wrappers = {
  sync: (tracer, fn) => (turn) =>
    tracer.startActiveSpan('work', (span) => {
      try {
        return fn(turn);
      } catch (error) {
        span.recordException(error as Error);
        span.setStatus({ code: SpanStatusCode.ERROR });
        throw error;
      } finally {
        span.end();
      }
    }),
  async: (tracer, fn) => (turn) =>
    tracer.startActiveSpan('work', async (span) => {
      try {
        return await fn(turn);
      } catch (error) {
        span.recordException(error as Error);
        span.setStatus({ code: SpanStatusCode.ERROR });
        throw error;
      } finally {
        span.end();
      }
    }),
};

class OpenStock implements OpenPeer {
  readonly #settings: PeerSettings;
  readonly #providers: TracerProvider[] = [];

  constructor(settings: PeerSettings) {
    this.#settings = settings;
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  }

  tenant(id: string): PeerTenant {
    const exporter = new CountingExporter(createExporter(this.#settings, id));
    const provider = new TracerProvider({
      resource: defaultResource().merge(resourceFromAttributes({ 'service.name': 'bench' })),
      spanProcessors: [new BatchSpanProcessor({ exporter, ...processorOptions(this.#settings) })],
    });
    this.#providers.push(provider);
    return new StockTenant(provider, exporter);
  }

  instrument(): (fn: () => void) => void {
    trace.setGlobalTracerProvider(this.#providers[0] as TracerProvider);
    const propagators = [new W3CTraceContextPropagator(), new W3CBaggagePropagator()];
    propagation.setGlobalPropagator(new CompositePropagator({ propagators }));
    return (fn) => fn();
  }

  encoded(): Promise<void> {
    return this.flush();
  }

  async flush(): Promise<void> {
    await Promise.all(this.#providers.map((provider) => provider.forceFlush()));
  }

  /** It takes no deadline. */
  async shutdown(): Promise<void> {
    await Promise.allSettled(this.#providers.map((provider) => provider.shutdown()));
  }
}

class StockTenant extends OtelWork implements PeerTenant {
  readonly #exporter: CountingExporter;

  constructor(provider: TracerProvider, exporter: CountingExporter) {
    super(provider.getTracer('bench'), WRAPPERS);
    this.#exporter = exporter;
  }

  exported(): number {
    return this.#exporter.exported;
  }
}

class CountingExporter implements SpanExporter {
  readonly #inner: SpanExporter;
  exported = 0;

  constructor(inner: SpanExporter) {
    this.#inner = inner;
  }

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    this.#inner.export(spans, (result) => {
      if (result.code === ExportResultCode.SUCCESS) this.exported += spans.length;
      done(result);
    });
  }

  async forceFlush(): Promise<void> {
    await this.#inner.forceFlush?.();
  }

  async shutdown(): Promise<void> {
    await this.#inner.shutdown();
  }
}

/** Serializes as the OTLP exporter does, sends nothing, and succeeds at once. */
class EncodingExporter implements SpanExporter {
  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    const encoded = serializer.serializeRequest(spans);
    done({ code: encoded.length > 0 ? ExportResultCode.SUCCESS : ExportResultCode.FAILED });
  }

  async shutdown(): Promise<void> {}
}

/** From where the exporter itself takes it, so that it is the same version. */
const serializer = (
  createRequire(createRequire(import.meta.url).resolve('@opentelemetry/exporter-trace-otlp-proto'))(
    '@opentelemetry/otlp-transformer',
  ) as { ProtobufTraceSerializer: { serializeRequest(spans: ReadableSpan[]): Uint8Array } }
).ProtobufTraceSerializer;

function createExporter({ endpoint, mode }: PeerSettings, id: string): SpanExporter {
  if (mode === 'encode') return new EncodingExporter();
  return new OTLPTraceExporter({ url: `${endpoint}/v1/traces`, headers: { authorization: `Bearer ${id}` } });
}

function processorOptions({ delayMillis, mode }: PeerSettings): Omit<BatchSpanProcessorOptions, 'exporter'> {
  if (mode === 'hold') return HELD;
  return delayMillis === undefined ? {} : { scheduledDelayMillis: delayMillis };
}
