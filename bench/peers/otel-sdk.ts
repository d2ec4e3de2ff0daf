import type * as Api from '@opentelemetry/api';
import type * as Hooks from '@opentelemetry/context-async-hooks';
import type * as Core from '@opentelemetry/core';
import type { ExportResult } from '@opentelemetry/core';
import type * as ProtoExporter from '@opentelemetry/exporter-trace-otlp-proto';
import type * as Resources from '@opentelemetry/resources';
import type * as SdkTrace from '@opentelemetry/sdk-trace';
import type { BatchSpanProcessorOptions, ReadableSpan, SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace';
import { OtelWork, type Wrappers } from './otel-work.ts';
import type { OpenPeer, PeerSettings, PeerTenant } from './peer.ts';

const HOUR_MILLIS = 3_600_000;
/** `ExportResultCode`, the same in every version. */
const [SUCCESS, FAILED] = [0, 1];
const HELD = { maxQueueSize: 1_000_000, maxExportBatchSize: 1_000_000, scheduledDelayMillis: HOUR_MILLIS };

/** One version of OpenTelemetry's SDK. */
export interface OtelSdk {
  readonly api: typeof Api;
  readonly hooks: typeof Hooks;
  readonly core: typeof Core;
  readonly resources: typeof Resources;
  readonly sdkTrace: typeof SdkTrace;
  readonly exporter: typeof ProtoExporter;
  /** The serializer of the exporter's own version. */
  serialize(spans: ReadableSpan[]): Uint8Array;
}

/** What a careful user writes by hand. */
function createWrappers(errorStatus: number): Wrappers {
  return {
    sync: (tracer, fn) => (turn) =>
      tracer.startActiveSpan('work', (span) => {
        try {
          return fn(turn);
        } catch (error) {
          span.recordException(error as Error);
          span.setStatus({ code: errorStatus });
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
          span.setStatus({ code: errorStatus });
          throw error;
        } finally {
          span.end();
        }
      }),
  };
}

/** A provider, a batch processor and an OTLP/protobuf exporter for each tenant. */
export class OpenOtelSdk implements OpenPeer {
  readonly #otel: OtelSdk;
  readonly #settings: PeerSettings;
  readonly #wrappers: Wrappers;
  readonly #providers: TracerProvider[] = [];

  constructor(otel: OtelSdk, settings: PeerSettings) {
    this.#otel = otel;
    this.#settings = settings;
    this.#wrappers = createWrappers(otel.api.SpanStatusCode.ERROR);
    otel.api.context.setGlobalContextManager(new otel.hooks.AsyncLocalStorageContextManager().enable());
  }

  tenant(id: string): PeerTenant {
    const { BatchSpanProcessor, TracerProvider } = this.#otel.sdkTrace;
    const { defaultResource, resourceFromAttributes } = this.#otel.resources;
    const exporter = new CountingExporter(createExporter(this.#otel, this.#settings, id));
    const provider = new TracerProvider({
      resource: defaultResource().merge(resourceFromAttributes({ 'service.name': 'bench' })),
      spanProcessors: [new BatchSpanProcessor({ exporter, ...processorOptions(this.#settings) })],
    });
    this.#providers.push(provider);
    return new OtelSdkTenant(provider, exporter, this.#wrappers);
  }

  instrument(): (fn: () => void) => void {
    const { propagation, trace } = this.#otel.api;
    const { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } = this.#otel.core;
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

class OtelSdkTenant extends OtelWork implements PeerTenant {
  readonly #exporter: CountingExporter;

  constructor(provider: TracerProvider, exporter: CountingExporter, wrappers: Wrappers) {
    super(provider.getTracer('bench'), wrappers);
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
      if (result.code === SUCCESS) this.exported += spans.length;
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
  readonly #serialize: OtelSdk['serialize'];

  constructor(serialize: OtelSdk['serialize']) {
    this.#serialize = serialize;
  }

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    done({ code: this.#serialize(spans).length > 0 ? SUCCESS : FAILED });
  }

  async shutdown(): Promise<void> {}
}

function createExporter({ exporter, serialize }: OtelSdk, { endpoint, mode }: PeerSettings, id: string): SpanExporter {
  if (mode === 'encode') return new EncodingExporter(serialize);
  const headers = { authorization: `Bearer ${id}` };
  return new exporter.OTLPTraceExporter({ url: `${endpoint}/v1/traces`, headers });
}

function processorOptions({ delayMillis, mode }: PeerSettings): Omit<BatchSpanProcessorOptions, 'exporter'> {
  if (mode === 'hold') return HELD;
  return delayMillis === undefined ? {} : { scheduledDelayMillis: delayMillis };
}
