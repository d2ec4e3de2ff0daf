import { createRequire } from 'node:module';
import { parseQuery, type Query, SegmentRing, type TenantScope } from 'isotrace/dashboard';
import { median, settledMemory } from './support/measure.ts';
import type { Figures, Question, Task } from './support/question.ts';

const TENANTS = 20;
const SERVICES = 8;
const SPANS_PER_TRACE = 10;
const SPANS_PER_REQUEST = 50;
const SIZES = [100_000, 1_000_000] as const;

const exporter = createRequire(import.meta.url).resolve('@opentelemetry/exporter-trace-otlp-proto');
const { ProtobufTraceSerializer } = createRequire(exporter)('@opentelemetry/otlp-transformer') as {
  ProtobufTraceSerializer: { serializeRequest(spans: unknown[]): Uint8Array };
};

/** What does the dashboard's ring cost: to take spans in, as OTLP, and to answer? Milliseconds are medians. */
export const dashboardStore: Question = {
  name: 'dashboard-store',
  title: 'The segment ring of the dashboard',
  peers: () => ['isotrace'],
  rounds: 1,
  shortVariants: [variantOf(SIZES[0])],
  rows: SIZES.map(variantOf).flatMap((variant) => [
    { variant, figure: 'insert', unit: 'spans/s', better: 'higher' as const },
    { variant, figure: 'bytes of a span as OTLP', unit: 'B' },
    { variant, figure: 'bytes of a span in the ring', unit: 'B' },
    { variant, figure: 'trace by id', unit: 'ms' },
    { variant, figure: '50 roots of a tenant', unit: 'ms' },
    { variant, figure: '50 traces of all', unit: 'ms' },
    { variant, figure: 'p95 by service', unit: 'ms' },
    { variant, figure: 'attribute equal', unit: 'ms' },
    { variant, figure: 'attribute compared', unit: 'ms' },
    { variant, figure: 'text', unit: 'ms' },
  ]),
  async measure({ variant, short }: Task): Promise<Figures> {
    const spans = SIZES.find((size) => variantOf(size) === variant) ?? SIZES[0];
    const start = Date.now() - 3_600_000;
    const bodies = Array.from({ length: spans / SPANS_PER_REQUEST }, (_, index) => makeRequest(index, start));
    const bytes = bodies.reduce((sum, body) => sum + body.length, 0);
    const open = (): SegmentRing => new SegmentRing({ maxBytes: 2 ** 31 });
    let ring = open();
    const rates: number[] = [];
    for (let repetition = 0; repetition < (short ? 2 : 4); repetition += 1) {
      await ring.close();
      ring = open();
      await settledMemory();
      const before = process.cpuUsage();
      await fill(ring, bodies);
      const { user, system } = process.cpuUsage(before);
      // The first is for the compiler.
      if (repetition > 0) rates.push((spans / (user + system)) * 1e6);
    }
    const stats = await ring.stats('all');
    if (stats.stored.traces !== spans) throw new Error(`${stats.stored.traces} of ${spans} spans are there`);
    const ask = async (work: () => Promise<unknown>): Promise<number> => {
      const millis: number[] = [];
      for (let repetition = 0; repetition < (short ? 5 : 15); repetition += 1) {
        const before = process.cpuUsage();
        await work();
        const { user, system } = process.cpuUsage(before);
        millis.push((user + system) / 1_000);
      }
      return median(millis);
    };
    const range = { startMillis: 0, endMillis: Number.MAX_SAFE_INTEGER };
    const list = (scope: TenantScope, text: string) => () =>
      ring.listTraces({ scope, query: read(text), range, limit: 50, order: 'newest' });
    const id = traceIdOf(Math.floor(spans / SPANS_PER_TRACE / 2));
    const lookups = 100;
    return {
      insert: median(rates),
      'bytes of a span as OTLP': bytes / spans,
      'bytes of a span in the ring': stats.bytes / spans,
      'trace by id':
        (await ask(async () => {
          for (let count = 0; count < lookups; count += 1) await ring.getTrace('all', id, 1_000);
        })) / lookups,
      '50 roots of a tenant': await ask(list(new Set(['tenant-3']), 'root:true')),
      '50 traces of all': await ask(list('all', '')),
      'p95 by service': await ask(() =>
        ring.red({
          ...{ scope: 'all', query: read(''), range, limit: 100 },
          ...{ groupBy: 'service', spans: 'all', stepMillis: 60_000 },
        }),
      ),
      'attribute equal': await ask(list('all', 'attr.user.id=user-77')),
      'attribute compared': await ask(list('all', 'attr.items>1000')),
      text: await ask(list('all', '"user-77"')),
    };
  },
};

function variantOf(spans: number): string {
  return `${spans.toLocaleString('en')} spans`;
}

async function fill(ring: SegmentRing, bodies: readonly Uint8Array[]): Promise<void> {
  for (const [index, bytes] of bodies.entries()) {
    const tenant = `tenant-${index % TENANTS}`;
    await ring.append({ signal: 'traces', format: 'protobuf', bytes, tenantOf: () => tenant });
  }
}

function read(text: string): Query {
  const result = parseQuery(text, 'traces');
  if (!result.ok) throw new Error(result.message);
  return result.query;
}

function traceIdOf(number: number): string {
  return (number + 1).toString(16).padStart(8, '0').repeat(4);
}

/** 50 spans of 5 traces, each with 7 attributes, of a resource with 4. */
function makeRequest(index: number, startMillis: number): Uint8Array {
  const resource = {
    attributes: {
      'service.name': `service-${index % SERVICES}`,
      'service.version': '1.4.0',
      'host.name': `host-${index % 3}`,
      'deployment.environment.name': 'production',
    },
  };
  const instrumentationScope = { name: 'bench' };
  const spans = Array.from({ length: SPANS_PER_REQUEST }, (_, position) => {
    const number = index * SPANS_PER_REQUEST + position;
    const seconds = Math.floor(startMillis / 1_000) + Math.floor(number / 1_000);
    const traceId = traceIdOf(Math.floor(number / SPANS_PER_TRACE));
    const context = (id: number) => ({ traceId, spanId: (id + 1).toString(16).padStart(16, '0'), traceFlags: 1 });
    const isRoot = number % SPANS_PER_TRACE === 0;
    return {
      name: `operation-${number % 20}`,
      kind: isRoot ? 1 : 0,
      spanContext: () => context(number),
      parentSpanContext: isRoot ? undefined : context(number - 1),
      startTime: [seconds, (number % 1_000) * 1_000_000],
      endTime: [seconds + 1, ((number * 7_919) % 1_000) * 1_000_000],
      status: { code: number % 50 === 0 ? 2 : 0 },
      attributes: {
        'http.request.method': 'GET',
        'http.route': `/orders/${number % 30}`,
        'http.response.status_code': 200,
        'user.id': `user-${number % 5_000}`,
        'db.system.name': 'postgresql',
        items: number % 9,
        cached: number % 2 === 0,
      },
      events: [],
      links: [],
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
      ...{ resource, instrumentationScope, ended: true, duration: [0, 0] },
    };
  });
  return ProtobufTraceSerializer.serializeRequest(spans);
}
