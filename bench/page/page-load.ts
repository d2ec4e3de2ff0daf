/**
 * A process that is traced: 5,000 spans a second of 20 tenants in traces of 10, and every now and then a probe, whose
 * end it remembers. Ends when it is told, with the probes.
 */
import { TracerRegistry } from 'isotrace';

const [, , endpoint = '', probeMillis = '100'] = process.argv;
const TENANTS = 20;
const SPANS_PER_TRACE = 10;
const SPANS_PER_SECOND = 5_000;
const TICK_MILLIS = 20;

const registry = new TracerRegistry({
  service: { name: 'load' },
  profile: 'low-latency',
  configure: () => ({ destination: { endpoint, tenantHeader: 'x-tenant' } }),
});
const probes: [name: string, endedAt: number][] = [];
const startedAt = performance.now();
let traces = 0;

const load = setInterval(() => {
  const due = ((performance.now() - startedAt) / 1_000) * (SPANS_PER_SECOND / SPANS_PER_TRACE);
  for (; traces < due; traces += 1) {
    const tracer = registry.get(`tenant-${traces % TENANTS}`);
    tracer.withSpan('request', () => {
      for (let child = 1; child < SPANS_PER_TRACE; child += 1) {
        tracer.startSpan(`step ${child}`, { attributes: { 'http.route': '/orders', 'order.items': child } }).end();
      }
    });
  }
}, TICK_MILLIS);
const probe = setInterval(() => {
  const name = `probe-${probes.length}`;
  registry
    .get(`tenant-${probes.length % TENANTS}`)
    .startSpan(name)
    .end();
  probes.push([name, Date.now()]);
}, Number(probeMillis));

process.once('message', () => {
  clearInterval(load);
  clearInterval(probe);
  void registry.shutdown().then(() => process.send?.({ probes }));
});
