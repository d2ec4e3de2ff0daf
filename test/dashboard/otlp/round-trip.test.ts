import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MalformedOtlpError } from '../../../src/dashboard/otlp/malformed.ts';
import { jsonToProtobuf } from '../../../src/dashboard/otlp/otlp-json.ts';
import { SPAN_KINDS, SPAN_STATUSES } from '../../../src/dashboard/otlp/span-flags.ts';
import type { SpanRecord } from '../../../src/dashboard/otlp/telemetry-model.ts';
import { SegmentRing } from '../../../src/dashboard/store/ring/segment-ring.ts';
import { allSpans, type DecodedSpan, decodeTraceRequest } from '../../support/otlp-decoder.ts';
import { requestArbitrary, toReadableSpans } from '../../support/span-arbitraries.ts';
import {
  ALWAYS,
  logsJson,
  metricsJson,
  nanos,
  protobuf,
  query,
  spanId,
  traceId,
  tracesJson,
} from '../otlp-requests.ts';

interface Serializer {
  serializeRequest(spans: unknown[]): Uint8Array;
}

const exporter = createRequire(import.meta.url).resolve('@opentelemetry/exporter-trace-otlp-proto');
const { ProtobufTraceSerializer, JsonTraceSerializer } = createRequire(exporter)('@opentelemetry/otlp-transformer') as {
  ProtobufTraceSerializer: Serializer;
  JsonTraceSerializer: Serializer;
};

const isZero = (id: string): boolean => /^0+$/.test(id);
const ASK = { scope: 'all', limit: 50, range: ALWAYS } as const;

/** As the tests' own decoder, which is OpenTelemetry's, has it. */
function plain(span: SpanRecord): Omit<DecodedSpan, 'flags'> & { flags: number } {
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: span.parentSpanId,
    traceState: span.traceState,
    name: span.name,
    kind: SPAN_KINDS.indexOf(span.kind),
    startTimeUnixNano: span.startTimeUnixNano,
    endTimeUnixNano: span.endTimeUnixNano,
    attributes: span.attributes,
    events: span.events,
    links: span.links,
    status: { code: SPAN_STATUSES.indexOf(span.status.code), message: span.status.message },
    flags: span.flags,
    droppedAttributesCount: span.droppedAttributesCount,
    droppedEventsCount: span.droppedEventsCount,
    droppedLinksCount: span.droppedLinksCount,
  };
}

/** Without prototypes, with bytes as arrays, and negative zeros as they are. */
function comparable(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value];
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== 'object' || value === null) return value;
  return new Map(Object.entries(value).map(([key, inner]) => [key, comparable(inner)]));
}

describe('spans', () => {
  it.each([
    ['protobuf', ProtobufTraceSerializer],
    ['json', JsonTraceSerializer],
  ] as const)('come out of the ring as the stock encoder put them in, as %s', async (format, serializer) => {
    await fc.assert(
      fc.asyncProperty(requestArbitrary(), async (model) => {
        // What JSON has no numbers for, the stock exporter does not write as they are.
        fc.pre(format === 'protobuf' || !hasNumbersBeyondJson(model));
        const readable = toReadableSpans(model);
        const expected = allSpans(decodeTraceRequest(ProtobufTraceSerializer.serializeRequest(readable)));
        const ring = new SegmentRing();
        const bytes = serializer.serializeRequest(readable);
        const result = await ring.append({ signal: 'traces', format, bytes, tenantOf: () => 't' });
        const valid = expected.filter((span) => !isZero(span.traceId) && !isZero(span.spanId));
        expect(result).toMatchObject({ outcome: 'stored', accepted: valid.length });
        for (const span of valid) {
          const { spans } = await ring.getTrace('all', span.traceId, 100);
          const found = spans.find((candidate) => candidate.spanId === span.spanId);
          const parentSpanId = isZero(span.parentSpanId) ? '' : span.parentSpanId;
          expect(found && comparable(plain(found))).toEqual(comparable({ ...span, parentSpanId }));
        }
      }),
      { numRuns: 150 },
    );
  });
});

function hasNumbersBeyondJson(value: unknown): boolean {
  if (typeof value === 'number') return !Number.isFinite(value) || Object.is(value, -0) || Math.abs(value) >= 2 ** 53;
  return typeof value === 'object' && value !== null && Object.values(value).some(hasNumbersBeyondJson);
}

const samples = {
  traces: tracesJson({ service: 'api', tenant: 't' }, [
    {
      ...{ traceId: traceId(1), spanId: spanId(1), parentSpanId: spanId(2), error: true },
      attributes: { a: 'text', b: 1, c: 1.5, d: true },
      exception: { type: 'E', message: 'm', stack: 'at x (y:1)' },
    },
  ]),
  logs: logsJson({ service: 'api' }, [{ body: 'hello', severity: 17, traceId: traceId(1), attributes: { a: 'b' } }]),
  metrics: metricsJson({ service: 'api' }, [
    { name: 'g', gauge: { dataPoints: [{ timeUnixNano: nanos(1), asDouble: 1 }] } },
    {
      name: 'h',
      histogram: {
        dataPoints: [{ timeUnixNano: nanos(1), count: 3, sum: 4, bucketCounts: [1, 2], explicitBounds: [1] }],
      },
    },
    {
      name: 'e',
      exponentialHistogram: {
        dataPoints: [
          { timeUnixNano: nanos(1), count: 3, scale: 2, positive: { offset: -1, bucketCounts: ['1', '2'] } },
        ],
      },
    },
    { name: 's', summary: { dataPoints: [{ timeUnixNano: nanos(1), quantileValues: [{ quantile: 0.5, value: 2 }] }] } },
  ]),
} as const;

describe.each(['traces', 'logs', 'metrics'] as const)('hostile %s', (signal) => {
  const bytes = protobuf(signal, samples[signal]);

  /** Takes them, then looks at everything that got in. */
  async function take(body: Uint8Array, format: 'protobuf' | 'json'): Promise<string> {
    const ring = new SegmentRing({ maxBytes: 1_048_576 });
    const result = await ring.append({ signal, format, bytes: body, tenantOf: (claimed) => claimed ?? 'default' });
    const text = query('"x"', signal);
    const { traces } = await ring.listTraces({ ...ASK, query: query(''), order: 'newest' });
    for (const trace of traces) await ring.getTrace('all', trace.traceId, 10);
    await ring.listTraces({ ...ASK, query: text, order: 'longest' });
    await ring.getLogs({ ...ASK, query: query('', 'logs') });
    await ring.errors({ ...ASK, query: query('') });
    await ring.facets({ scope: 'all', signal, field: undefined, prefix: '', limit: 10 });
    const metrics = await ring.listMetrics({ ...ASK, query: query('', 'metrics') });
    for (const { name } of metrics) {
      await ring.queryMetric({
        ...{ ...ASK, query: query('', 'metrics'), name, stepMillis: 1_000, aggregation: 'p95', groupBy: [] },
      });
    }
    return result.outcome;
  }

  it('bytes that were changed are taken or refused, and nothing throws', async () => {
    const outcomes = new Set<string>();
    const change = fc.record({ at: fc.nat(bytes.length - 1), byte: fc.nat(255), remove: fc.nat(3) });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 8 }), async (changes) => {
        let body = Buffer.from(bytes);
        for (const { at, byte, remove } of changes) {
          if (remove === 0) body = Buffer.concat([body.subarray(0, at), body.subarray(at + 1)]);
          else body[Math.min(at, body.length - 1)] = byte;
        }
        outcomes.add(await take(body, 'protobuf'));
      }),
      { numRuns: 1_500 },
    );
    expect([...outcomes].sort()).toEqual(['malformed', 'stored']);
  });

  it('random bytes and JSON are taken or refused, and nothing throws', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), (body) => take(body, 'protobuf').then(() => {})),
      { numRuns: 300 },
    );
    const text = JSON.stringify(samples[signal]);
    await fc.assert(
      fc.asyncProperty(fc.nat(text.length - 1), fc.json({ maxDepth: 3 }), async (at, json) => {
        const next = text.indexOf(':', at);
        await take(Buffer.from(`${text.slice(0, next + 1)}${json}${text.slice(next + 1)}`), 'json');
        await take(
          Buffer.from(
            text.replace(/:(\d+|"[^"]*"|true)/g, (found, _value, place: number) => (place > at ? `:${json}` : found)),
          ),
          'json',
        );
      }),
      { numRuns: 300 },
    );
  });
});

describe('OTLP in JSON', () => {
  const read = (span: object): Buffer =>
    jsonToProtobuf(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] }), 'traces');

  it('takes numbers and enums in each of their forms', () => {
    const forms = [
      { kind: 3, startTimeUnixNano: '1735689600000000001', droppedAttributesCount: '7' },
      {
        kind: 'SPAN_KIND_CLIENT',
        startTimeUnixNano: '1735689600000000001',
        droppedAttributesCount: 7,
        unknown: [{ x: null }],
      },
    ];
    expect(read(forms[0] as object)).toEqual(read(forms[1] as object));
    const [span] = allSpans(decodeTraceRequest(read(forms[0] as object)));
    expect(span).toMatchObject({ kind: 3, startTimeUnixNano: 1735689600000000001n, droppedAttributesCount: 7 });
  });

  it.each<[string, object]>([
    ['an id that is not hex', { traceId: 'xyz' }],
    ['half a byte', { traceId: 'abc' }],
    ['a kind that is none', { kind: 'SPAN_KIND_OTHER' }],
    ['a text for a number', { startTimeUnixNano: 'soon' }],
    ['a fraction', { startTimeUnixNano: 1.5 }],
    ['a number beyond 64 bits', { startTimeUnixNano: '99999999999999999999' }],
    ['a negative count', { droppedAttributesCount: -1 }],
    ['an object for a list', { attributes: {} }],
    ['a list for an object', { status: [] }],
    ['a number for a text', { name: 1 }],
    ['no base64', { attributes: [{ key: 'a', value: { bytesValue: '%' } }] }],
  ])('refuses %s', (_case, span) => {
    expect(() => read(span)).toThrow(MalformedOtlpError);
  });
});
