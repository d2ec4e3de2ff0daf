import type { Span, Tracer } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { BatchSpanProcessor, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace';
import { TracerRegistry } from 'isotrace';
import type { HostOrders, HostReport } from './orders.ts';

/** Of both: what waits for a batch to fill takes half a second instead of five. */
const BATCH_MILLIS = 500;

/** The two products behind one face. */
interface Subject {
  tracer(tenantId: string): Tracer;
  flush(): Promise<unknown>;
  shutdown(): Promise<unknown>;
  counted?(): number;
}

const orders = JSON.parse(process.argv[2] ?? '{}') as HostOrders;
let errors = 0;
process.on('unhandledRejection', () => {
  errors += 1;
});
process.on('uncaughtException', () => {
  errors += 1;
});
// What keeps the process alive must not be this channel.
process.channel?.unref();

const subject = orders.product === 'stock' ? stock(orders) : isotrace(orders);
let tracer: Tracer | undefined;
for (let number = 0; number < (orders.tenants ?? 1); number += 1) {
  tracer = subject.tracer(`tenant-${number}`);
  makeSpans(tracer);
}
process.send?.({ ready: true });
if (orders.waitMillis !== undefined) await pause(orders.waitMillis);
await end();

async function end(): Promise<void> {
  if (orders.end === 'nothing') return;
  if (orders.end === 'signal') {
    setInterval(() => {}, 1_000);
    return;
  }
  const late = orders.end === 'late span' ? tracer?.startSpan('late') : undefined;
  const startedAt = performance.now();
  await (orders.end === 'flush' ? subject.flush() : subject.shutdown()).catch(() => {
    errors += 1;
  });
  const endMillis = performance.now() - startedAt;
  late?.end();
  await pause(50);
  const counted = subject.counted?.();
  const report: HostReport = { errors, endMillis, ...(counted === undefined ? {} : { counted }) };
  process.send?.({ report });
}

function pause(millis: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, millis);
  });
}

function makeSpans(of: Tracer): void {
  for (let index = 0; index < orders.spans; index += 1) {
    const span = of.startSpan(`${index}`);
    if (orders.poison && index === 50) attempt(() => span.updateName(undefined as never));
    if (orders.hostile && index === 0) beHostile(of, span);
    span.end();
  }
}

function beHostile(of: Tracer, span: Span): void {
  const trap = new Proxy({}, { ownKeys: () => { throw new Error('trap'); } }) as never; // biome-ignore format: short
  attempt(() => span.setAttribute(null as never, 1));
  attempt(() => span.setStatus(undefined as never));
  attempt(() => span.setAttributes(trap));
  attempt(() => span.addEvent('event', trap));
  attempt(() => span.recordException(Symbol('odd') as never));
  attempt(() => of.startSpan('hostile', null as never));
}

function attempt(call: () => void): void {
  try {
    call();
  } catch {
    errors += 1;
  }
}

function stock({ endpoint }: HostOrders): Subject {
  const providers: TracerProvider[] = [];
  const all = (name: 'forceFlush' | 'shutdown'): Promise<unknown> =>
    Promise.all(providers.map((provider) => provider[name]()));
  return {
    tracer: () => {
      const exporter = userExporter() ?? new OTLPTraceExporter({ url: `${endpoint}/v1/traces` });
      const processor = new BatchSpanProcessor({ exporter, scheduledDelayMillis: BATCH_MILLIS });
      const provider = new TracerProvider({ spanProcessors: [processor] });
      providers.push(provider);
      return provider.getTracer('faults');
    },
    flush: () => all('forceFlush'),
    shutdown: () => all('shutdown'),
  };
}

function isotrace({ endpoint, protocol }: HostOrders): Subject {
  const exporter = userExporter();
  const registry = new TracerRegistry({
    platform: false,
    logger: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
    batch: { delayMillis: BATCH_MILLIS },
    ...(exporter ? { exporter } : { destination: { endpoint, ...(protocol === undefined ? {} : { protocol }) } }),
  });
  registry.installProcessHooks();
  const dropped = (): number => Object.values(registry.stats().traces.dropped).reduce((sum, count) => sum + count, 0);
  return {
    tracer: (tenantId) => registry.get(tenantId),
    flush: () => registry.flush(),
    shutdown: () => registry.shutdown(),
    counted: dropped,
  };
}

function userExporter(): SpanExporter | undefined {
  if (orders.exporter === undefined) return undefined;
  return {
    export: () => {
      if (orders.exporter === 'throws') throw new Error('of the exporter');
    },
    shutdown: async () => {},
  };
}
