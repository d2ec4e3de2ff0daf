import type { Counter, Histogram, Tracer } from '@opentelemetry/api';
import type { Logger } from '@opentelemetry/api-logs';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, InMemoryLogRecordExporter, LoggerProvider } from '@opentelemetry/sdk-logs';
import {
  MeterProvider,
  MetricReader,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics';
import { BatchSpanProcessor, InMemorySpanExporter, TracerProvider } from '@opentelemetry/sdk-trace';
import { type MeasurementKind, type MeasuringTenant, type MetricsPeer, SETS } from './metrics-peer.ts';

/** Collects when it is asked. */
class PullReader extends MetricReader {
  protected async onForceFlush(): Promise<void> {}
  protected async onShutdown(): Promise<void> {}
}

/** Takes everything and keeps nothing. */
const nowhere: PushMetricExporter = {
  export: (_metrics, done) => done({ code: 0 }),
  forceFlush: () => Promise.resolve(),
  shutdown: () => Promise.resolve(),
};

/** OpenTelemetry's own SDK: three providers for each tenant, with exporters that cost nothing. */
export function openStockMetrics(_endpoint: string): MetricsPeer {
  const tenants = new Map<string, Tenant>();
  const flush = async (): Promise<void> => {
    for (const tenant of tenants.values()) await tenant.flush();
  };
  return {
    tenant: (id) => {
      const tenant = new Tenant();
      tenants.set(id, tenant);
      return tenant;
    },
    counted: async (id) => (await tenants.get(id)?.counted()) ?? 0,
    flush,
  };
}

class Tenant implements MeasuringTenant {
  readonly #reader = new PullReader();
  readonly #meters: MeterProvider;
  readonly #traces: TracerProvider;
  readonly #logs: LoggerProvider;
  readonly #counter: Counter;
  readonly #histogram: Histogram;
  readonly #tracer: Tracer;
  readonly #logger: Logger;

  constructor() {
    const resource = resourceFromAttributes({ 'service.name': 'bench' });
    const periodic = new PeriodicExportingMetricReader({ exporter: nowhere });
    this.#meters = new MeterProvider({ resource, readers: [this.#reader, periodic] });
    this.#traces = new TracerProvider({
      resource,
      spanProcessors: [new BatchSpanProcessor({ exporter: new InMemorySpanExporter() })],
    });
    this.#logs = new LoggerProvider({
      resource,
      processors: [new BatchLogRecordProcessor({ exporter: new InMemoryLogRecordExporter() })],
    });
    const meter = this.#meters.getMeter('bench');
    this.#counter = meter.createCounter('bench');
    this.#histogram = meter.createHistogram('bench.time');
    this.#tracer = this.#traces.getTracer('bench');
    this.#logger = this.#logs.getLogger('bench');
  }

  measure(kind: MeasurementKind, count: number): void {
    const counter = this.#counter;
    if (kind === 'bare') for (let turn = 0; turn < count; turn++) counter.add(1);
    else if (kind === 'same') {
      for (let turn = 0; turn < count; turn++) {
        counter.add(1, {
          'http.request.method': 'GET',
          'http.route': '/orders/{id}',
          'http.response.status_code': 200,
        });
      }
    } else if (kind === 'turns') for (let turn = 0; turn < count; turn++) counter.add(1, SETS[turn & 31]);
    else for (let turn = 0; turn < count; turn++) this.#histogram.record(turn % 1_000, SETS[turn & 31]);
  }

  useAll(): void {
    this.measure('same', 1);
    this.measure('histogram', 1);
    this.#logger.emit({ body: 'order placed' });
    this.#tracer.startSpan('order').end();
  }

  async flush(): Promise<void> {
    await Promise.all([this.#meters.forceFlush(), this.#traces.forceFlush(), this.#logs.forceFlush()]);
  }

  async counted(): Promise<number> {
    const { resourceMetrics } = await this.#reader.collect();
    let sum = 0;
    for (const { metrics } of resourceMetrics.scopeMetrics) {
      for (const { dataPoints } of metrics) {
        for (const { value } of dataPoints) sum += typeof value === 'number' ? value : value.count;
      }
    }
    return sum;
  }
}
