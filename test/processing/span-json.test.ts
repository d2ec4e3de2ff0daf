import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AttributeValue } from '../../src/processing/ended-span.ts';
import { ProtoWriter } from '../../src/processing/proto-writer.ts';
import { encodeResourceJson, encodeScopeJson, encodeSpanJson } from '../../src/processing/span-json.ts';
import { decodeJsonTraceRequest } from '../support/otlp-json-decoder.ts';
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

const { JsonTraceSerializer } = createRequire(
  createRequire(import.meta.url).resolve('@opentelemetry/exporter-trace-otlp-proto'),
)('@opentelemetry/otlp-transformer') as {
  JsonTraceSerializer: { serializeRequest(spans: unknown[]): Uint8Array };
};

describe('encodeSpanJson', () => {
  it('says the same as the JSON of OpenTelemetry', { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(requestArbitrary(), (request) => {
        const ours = decodeJsonTraceRequest(Buffer.from(requestText(request)));
        const theirs = decodeJsonTraceRequest(JsonTraceSerializer.serializeRequest(toReadableSpans(request)));
        expect(withoutInfinity(ours)).toStrictEqual(withoutSchema(theirs));
      }),
      { numRuns: 500 },
    );
  });

  it('writes text that every parser takes: no lone surrogate, escaped or not', () => {
    fc.assert(
      fc.property(requestArbitrary(), (request) => {
        const { spans } = request;
        for (const span of spans) {
          const text = Buffer.from(encode(span)).toString();
          JSON.parse(text, (key, value: unknown) => {
            expect(`${key} ${String(value)}`).not.toMatch(/\p{Surrogate}/u);
            return value;
          });
        }
      }),
      { numRuns: 200 },
    );
  });

  it('maps every field as OTLP/JSON wants it', () => {
    const span: SpanModel = {
      ...plainSpan(),
      context: { traceId: 'AB'.repeat(16), spanId: 'CD'.repeat(8), traceFlags: 1 },
      parent: { traceId: 'ab'.repeat(16), spanId: '0f'.repeat(8), traceFlags: 1, isRemote: true },
      status: { code: 2, message: 'no "money"' },
      attributes: {
        text: 'é€😀\n',
        count: -3,
        large: 2 ** 62,
        zero: -0,
        share: 0.5,
        huge: 1e21,
        nan: Number.NaN,
        up: Number.POSITIVE_INFINITY,
        down: Number.NEGATIVE_INFINITY,
        ok: false,
        none: null,
        bytes: new Uint8Array([0, 1, 254, 255]).subarray(1),
        list: [1, 'a', []],
        map: { b: {} },
      },
      events: [{ name: 'retry', time: [12, 5], attributes: { n: 2 }, droppedAttributesCount: 1 }],
      links: [{ context: plainSpan().context, attributes: {}, droppedAttributesCount: 2 }],
      droppedAttributesCount: 2 ** 40,
      droppedEventsCount: 7,
      droppedLinksCount: 1,
    };

    expect(parse(encode(span))).toStrictEqual({
      traceId: 'ab'.repeat(16),
      spanId: 'cd'.repeat(8),
      parentSpanId: '0f'.repeat(8),
      name: 'GET /',
      kind: 2,
      startTimeUnixNano: '1700000000123456789',
      endTimeUnixNano: '1700000001000000001',
      attributes: [
        { key: 'text', value: { stringValue: 'é€😀\n' } },
        { key: 'count', value: { intValue: '-3' } },
        { key: 'large', value: { intValue: '4611686018427387904' } },
        { key: 'zero', value: { intValue: '0' } },
        { key: 'share', value: { doubleValue: 0.5 } },
        { key: 'huge', value: { doubleValue: 1e21 } },
        { key: 'nan', value: { doubleValue: 'NaN' } },
        { key: 'up', value: { doubleValue: 'Infinity' } },
        { key: 'down', value: { doubleValue: '-Infinity' } },
        { key: 'ok', value: { boolValue: false } },
        { key: 'none', value: {} },
        { key: 'bytes', value: { bytesValue: 'Af7/' } },
        {
          key: 'list',
          value: { arrayValue: { values: [{ intValue: '1' }, { stringValue: 'a' }, { arrayValue: { values: [] } }] } },
        },
        { key: 'map', value: { kvlistValue: { values: [{ key: 'b', value: { kvlistValue: { values: [] } } }] } } },
      ],
      droppedAttributesCount: 4_294_967_295,
      events: [
        {
          timeUnixNano: '12000000005',
          name: 'retry',
          attributes: [{ key: 'n', value: { intValue: '2' } }],
          droppedAttributesCount: 1,
        },
      ],
      droppedEventsCount: 7,
      links: [{ traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8), droppedAttributesCount: 2, flags: 0x101 }],
      droppedLinksCount: 1,
      status: { message: 'no "money"', code: 2 },
      flags: 0x301,
    });
  });

  it('leaves out what is empty', () => {
    expect(parse(encode({ ...plainSpan(), attributes: {} }))).toStrictEqual({
      traceId: 'ab'.repeat(16),
      spanId: 'cd'.repeat(8),
      name: 'GET /',
      kind: 2,
      startTimeUnixNano: '1700000000123456789',
      endTimeUnixNano: '1700000001000000001',
      status: {},
      flags: 0x101,
    });
  });

  it.each(brokenSpans)('throws for %s and encodes the next span after a rewind', (_, fault) => {
    const writer = new ProtoWriter({ maxBytes: 65_536 });
    const before = encode(plainSpan(), writer);
    const position = writer.position;

    expect(() => encodeSpanJson(writer, toEndedSpan({ ...plainSpan(), ...fault } as SpanModel))).toThrow();
    writer.rewind(position);

    expect(encode(plainSpan(), writer)).toEqual(before);
  });

  it('stays valid JSON with values that the types do not allow', () => {
    const attributes = {
      big: 1n,
      sign: Symbol('s'),
      call: () => 1,
      gone: undefined,
      // biome-ignore lint/suspicious/noSparseArray: what a careless caller may pass.
      sparse: [1, , 2],
    } as unknown as Attributes;
    const span = { ...plainSpan(), kind: Number.NaN, status: { code: 1.5 }, droppedLinksCount: 2.5, attributes };

    expect(parse(encode(span))).toMatchObject({
      kind: 0,
      status: { code: 1 },
      droppedLinksCount: 2,
      attributes: [
        { key: 'big', value: {} },
        { key: 'sign', value: {} },
        { key: 'call', value: {} },
        { key: 'gone', value: {} },
        { key: 'sparse', value: { arrayValue: { values: [{ intValue: '1' }, {}, { intValue: '2' }] } } },
      ],
    });
  });

  it('cuts nested values where protobuf does', () => {
    const deepList = Array.from({ length: 500 }).reduce<AttributeValue>((inner) => [inner], 'bottom');
    const deepMap = Array.from({ length: 500 }).reduce<AttributeValue>((inner) => ({ inner }), 'bottom');
    const attributes = { deepList, deepMap, after: 'kept' };
    const text = Buffer.from(encode({ ...plainSpan(), attributes, events: [{ ...plainEvent(), attributes }] }));

    const count = (part: string): number => text.toString().split(part).length - 1;
    expect(count('"arrayValue"')).toBe(2 * 46);
    expect(count('"kvlistValue"')).toBe(2 * 31);
    expect(count('"kept"')).toBe(2);
    expect(count('"bottom"')).toBe(0);
  });
});

describe('encodeResourceJson and encodeScopeJson', () => {
  it('leave out what is not there', () => {
    expect(parse(encodeResourceJson(listOf({})))).toStrictEqual({});
    expect(parse(encodeScopeJson({ name: 'lib' }))).toStrictEqual({ name: 'lib' });
    expect(parse(encodeScopeJson({ name: 'lib', version: '1' }))).toStrictEqual({ name: 'lib', version: '1' });
  });

  it('refuses attributes larger than 16 MiB', () => {
    expect(() => encodeResourceJson(listOf({ large: 'x'.repeat(17 * 1_048_576) }))).toThrow(RangeError);
  });
});

function encode(span: SpanModel, writer = new ProtoWriter()): Uint8Array {
  const start = writer.position;
  encodeSpanJson(writer, toEndedSpan(span));
  return writer.buffer.slice(start, writer.position);
}

function parse(bytes: Uint8Array): unknown {
  return JSON.parse(Buffer.from(bytes).toString());
}

/** A request put together by hand, a group for each scope in order of first appearance. */
function requestText({ resource, scopes, spans }: RequestModel): string {
  const order = [...new Set(spans.map(({ scopeIndex }) => scopeIndex))];
  const groups = order.map((scopeIndex) => {
    const texts = spans.filter((span) => span.scopeIndex === scopeIndex).map((span) => Buffer.from(encode(span)));
    return `{"scope":${Buffer.from(encodeScopeJson(scopes[scopeIndex]!))},"spans":[${texts.join(',')}]}`;
  });
  const resourceText = Buffer.from(encodeResourceJson(listOf(resource)));
  return `{"resourceSpans":[{"resource":${resourceText},"scopeSpans":[${groups.join(',')}]}]}`;
}

/** OpenTelemetry writes NaN and infinities as null. */
function withoutInfinity(value: unknown): unknown {
  if (value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY) return Number.NaN;
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(withoutInfinity);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withoutInfinity(item)]));
}

function withoutSchema({ resourceSpans }: ReturnType<typeof decodeJsonTraceRequest>): unknown {
  return { resourceSpans: resourceSpans.map((group) => ({ ...group, schemaUrl: '' })) };
}
