import { type Tracer, TracerRegistry } from 'isotrace';
import { prometheusHandler } from 'isotrace/prometheus';
import { type MeasurementKind, type MeasuringTenant, type MetricsPeer, SETS } from './metrics-peer.ts';

export function openIsotraceMetrics(endpoint: string): MetricsPeer {
  const registry = new TracerRegistry({
    service: { name: 'bench' },
    maxTenants: 1_000_000,
    platform: false,
    configure: () => ({ destination: { endpoint } }),
  });
  return {
    tenant: (id) => new Tenant(registry.get(id)),
    counted: async (id) => {
      const page = await prometheusHandler(registry, { tenants: 10_000 })(new Request('http://bench/'));
      const lines = (await page.text()).matchAll(
        /^(?:bench_total|bench_time_count)\{.*?tenant_id="([^"]*)".*\} (\d+)$/gm,
      );
      return [...lines].reduce((sum, [, tenant, count]) => sum + (tenant === id ? Number(count) : 0), 0);
    },
    flush: async () => void (await registry.flush()),
  };
}

class Tenant implements MeasuringTenant {
  readonly #tracer: Tracer;

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  measure(kind: MeasurementKind, count: number): void {
    const { metrics } = this.#tracer;
    const counter = metrics.counter('bench');
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
    else {
      const histogram = metrics.histogram('bench.time');
      for (let turn = 0; turn < count; turn++) histogram.record(turn % 1_000, SETS[turn & 31]);
    }
  }

  useAll(): void {
    this.measure('same', 1);
    this.measure('histogram', 1);
    this.#tracer.log.info('order placed');
    this.#tracer.startSpan('order').end();
  }
}
