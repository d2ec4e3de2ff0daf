import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SpanByteQueue } from '../../src/processing/byte-queue.ts';
import { createChunkPool } from '../../src/processing/chunk-pool.ts';
import type { AttributeValue } from '../../src/processing/ended-span.ts';
import { frameTraceRequest } from '../../src/processing/otlp-frame.ts';
import { ProtoWriter } from '../../src/processing/proto-writer.ts';
import { encodeResource, encodeScope, encodeSpan } from '../../src/processing/span-encoder.ts';
import { allSpans, decodeTraceMessage, decodeTraceRequest } from '../support/otlp-decoder.ts';
import {
  type Attributes,
  brokenSpans,
  listOf,
  plainEvent,
  plainSpan,
  type RequestModel,
  requestArbitrary,
  type SpanModel,
  toEndedSpan,
  toReadableSpans,
} from '../support/span-arbitraries.ts';

/** What `@opentelemetry/exporter-trace-otlp-proto` makes its requests with. */
const { ProtobufTraceSerializer } = createRequire(
  createRequire(import.meta.url).resolve('@opentelemetry/exporter-trace-otlp-proto'),
)('@opentelemetry/otlp-transformer') as {
  ProtobufTraceSerializer: { serializeRequest(spans: unknown[]): Uint8Array };
};

describe('encodeSpan', () => {
  it('makes the same message as the exporter of OpenTelemetry', { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(requestArbitrary(), (request) => {
        const ours = decodeTraceMessage(serializeWithIsotrace(request));
        expect(ours).toStrictEqual(decodeTraceMessage(serializeWithOpenTelemetry(request)));
      }),
      { numRuns: 1_000 },
    );
  });

  it('writes every field where a reader of the protocol expects it', () => {
    const body = serializeWithIsotrace({
      resource: { 'service.name': 'checkout' },
      schemaUrl: 'https://example.com/schema',
      scopes: [{ name: 'http', version: '1.2.3' }],
      spans: [
        {
          ...plainSpan(),
          parent: { traceId: 'ab'.repeat(16), spanId: '0f'.repeat(8), traceFlags: 1, isRemote: true },
          status: { code: 2, message: 'no money' },
          attributes: { text: 'é€😀', count: -3, share: 0.5, ok: false, none: null, list: [1, ['a']], map: { b: [] } },
          events: [{ name: 'retry', time: [12, 5], attributes: { n: 2 ** 60 }, droppedAttributesCount: 1 }],
          links: [{ context: plainSpan().context, attributes: {}, droppedAttributesCount: 2 }],
          droppedEventsCount: 7,
        },
      ],
    });

    expect(decodeTraceRequest(body)).toEqual({
      resourceSpans: [
        {
          resource: { attributes: { 'service.name': 'checkout' } },
          schemaUrl: 'https://example.com/schema',
          scopeSpans: [
            {
              scope: { name: 'http', version: '1.2.3' },
              spans: [
                {
                  traceId: 'ab'.repeat(16),
                  spanId: 'cd'.repeat(8),
                  parentSpanId: '0f'.repeat(8),
                  traceState: '',
                  name: 'GET /',
                  kind: 2,
                  startTimeUnixNano: 1_700_000_000_123_456_789n,
                  endTimeUnixNano: 1_700_000_001_000_000_001n,
                  attributes: {
                    text: 'é€😀',
                    count: -3,
                    share: 0.5,
                    ok: false,
                    none: null,
                    list: [1, ['a']],
                    map: { b: [] },
                  },
                  events: [
                    {
                      name: 'retry',
                      timeUnixNano: 12_000_000_005n,
                      attributes: { n: 2n ** 60n },
                      droppedAttributesCount: 1,
                    },
                  ],
                  links: [
                    {
                      traceId: 'ab'.repeat(16),
                      spanId: 'cd'.repeat(8),
                      traceState: '',
                      attributes: {},
                      droppedAttributesCount: 2,
                      flags: 0x101,
                    },
                  ],
                  status: { code: 2, message: 'no money' },
                  flags: 0x301,
                  droppedAttributesCount: 0,
                  droppedEventsCount: 7,
                  droppedLinksCount: 0,
                },
              ],
            },
          ],
        },
      ],
    });
  });

  it.each(brokenSpans)('throws for %s and encodes the next span after a rewind', (_, fault) => {
    const writer = new ProtoWriter({ maxBytes: 65_536 });
    const before = encodeAlone(writer, plainSpan());
    const position = writer.position;
    const broken = { ...plainSpan(), ...fault } as SpanModel;

    expect(() => encodeSpan(writer, toEndedSpan(broken))).toThrow();
    writer.rewind(position);

    expect(encodeAlone(writer, plainSpan())).toEqual(before);
  });

  it('accepts the last nanosecond that 64 bits can hold', () => {
    const span = decodeOne({ ...plainSpan(), endTime: [18_446_744_073, 709_551_615] });

    expect(span.endTimeUnixNano).toBe(2n ** 64n - 1n);
  });

  it('cuts values that decoders with the usual limit of 100 nested messages would refuse', () => {
    const deepList = Array.from({ length: 500 }).reduce<AttributeValue>((inner) => [inner], 'bottom');
    const deepMap = Array.from({ length: 500 }).reduce<AttributeValue>((inner) => ({ inner }), 'bottom');
    const attributes = { deepList, deepMap, after: 'kept' };
    const span = decodeOne({ ...plainSpan(), attributes, events: [{ ...plainEvent(), attributes }] });

    // Above the value: ResourceSpans, ScopeSpans, Span, Event, KeyValue, AnyValue; a list level is two messages, a map level three.
    for (const decoded of [span.attributes, span.events[0]?.attributes ?? {}]) {
      expect(6 + 2 * depthOf(decoded['deepList'])).toBeLessThanOrEqual(100);
      expect(6 + 3 * depthOf(decoded['deepMap'])).toBeLessThanOrEqual(100);
      expect(depthOf(decoded['deepList'])).toBeGreaterThan(40);
      expect(depthOf(decoded['deepMap'])).toBeGreaterThan(30);
      expect(decoded['after']).toBe('kept');
    }
  });

  it('sends what OTLP has no value for as null', () => {
    const attributes = { big: 1n, sign: Symbol('s'), call: () => 1, gone: undefined, next: 1 } as unknown as Attributes;

    expect(decodeOne({ ...plainSpan(), attributes }).attributes).toEqual({
      big: null,
      sign: null,
      call: null,
      gone: null,
      next: 1,
    });
  });
});

describe('encodeScope', () => {
  it('leaves out a version that is not there', () => {
    const request = {
      resource: {},
      schemaUrl: '',
      scopes: [{ name: 'lib', version: undefined }],
      spans: [plainSpan()],
    };

    expect(decodeTraceRequest(serializeWithIsotrace(request)).resourceSpans[0]?.scopeSpans[0]?.scope).toEqual({
      name: 'lib',
      version: '',
    });
  });
});

function serializeWithIsotrace({ resource, schemaUrl, scopes, spans }: RequestModel): Uint8Array {
  const pool = createChunkPool();
  const queue = new SpanByteQueue({ chunks: pool, maxSize: 1_000, maxBytes: 100_000_000 });
  const writer = new ProtoWriter();
  for (const span of spans) {
    writer.reset();
    encodeSpan(writer, toEndedSpan(span));
    expect(queue.push(writer.buffer, 0, writer.position, span.scopeIndex)).toBe(true);
  }
  const batch = queue.take(1_000, 100_000_000);
  if (batch === undefined) throw new Error('nothing was queued');
  return frameTraceRequest(encodeResource(listOf(resource)), scopes.map(encodeScope), batch, schemaUrl);
}

function serializeWithOpenTelemetry(request: RequestModel): Uint8Array {
  return ProtobufTraceSerializer.serializeRequest(toReadableSpans(request));
}

function encodeAlone(writer: ProtoWriter, span: SpanModel): Uint8Array {
  const start = writer.position;
  encodeSpan(writer, toEndedSpan(span));
  return writer.buffer.slice(start, writer.position);
}

function decodeOne(span: SpanModel) {
  const request = { resource: {}, schemaUrl: '', scopes: [{ name: '', version: undefined }], spans: [span] };
  const [decoded] = allSpans(decodeTraceRequest(serializeWithIsotrace(request)));
  if (decoded === undefined) throw new Error('no span arrived');
  return decoded;
}

/** How many lists and maps lie inside one another. */
function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}
