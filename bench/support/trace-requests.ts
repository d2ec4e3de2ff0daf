import { createRequire } from 'node:module';

export const SPANS_PER_TRACE = 10;
export const SPANS_PER_REQUEST = 50;
const SERVICES = 8;

const exporter = createRequire(import.meta.url).resolve('@opentelemetry/exporter-trace-otlp-proto');
const { ProtobufTraceSerializer } = createRequire(exporter)('@opentelemetry/otlp-transformer') as {
  ProtobufTraceSerializer: { serializeRequest(spans: unknown[]): Uint8Array };
};

export function traceIdOf(number: number): string {
  return (number + 1).toString(16).padStart(8, '0').repeat(4);
}

/** 50 spans of 5 traces, each with 7 attributes, of a resource with 4; 1,000 spans a second from the start. */
export function makeTraceRequest(index: number, startMillis: number): Uint8Array {
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
