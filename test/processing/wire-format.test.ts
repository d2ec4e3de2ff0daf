import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type SpanBatch, SpanByteQueue } from '../../src/processing/byte-queue.ts';
import { createChunkPool } from '../../src/processing/chunk-pool.ts';
import { ProtoWriter } from '../../src/processing/proto-writer.ts';
import { JSON_FORMAT, PROTOBUF, type WireFormat } from '../../src/processing/wire-format.ts';
import { type DecodedRequest, decodeTraceRequest } from '../support/otlp-decoder.ts';
import { decodeJsonTraceRequest } from '../support/otlp-json-decoder.ts';
import {
  listOf,
  plainSpan,
  type RequestModel,
  requestArbitrary,
  type SpanModel,
  toEndedSpan,
} from '../support/span-arbitraries.ts';

const formats = [
  { name: 'protobuf', format: PROTOBUF, decode: decodeTraceRequest, contentType: 'application/x-protobuf' },
  { name: 'JSON', format: JSON_FORMAT, decode: decodeJsonTraceRequest, contentType: 'application/json' },
];

describe('the formats', () => {
  it('say the same', { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(requestArbitrary(), (request) => {
        const json = decodeJsonTraceRequest(serialize(JSON_FORMAT, request));
        expect(json).toStrictEqual(decodeTraceRequest(serialize(PROTOBUF, request)));
      }),
      { numRuns: 500 },
    );
  });
});

describe.each(formats)('$name', ({ format, decode, contentType }) => {
  const scopes = [format.encodeScope({ name: 'http', version: '1' }), format.encodeScope({ name: 'db' })];
  const resource = format.encodeResource(listOf({ 'service.name': 'shop' }));
  const namesOf = (batch: SpanBatch): unknown => summaryOf(decode(format.frame(resource, scopes, batch)));

  it('has its content type', () => {
    expect(format.contentType).toBe(contentType);
  });

  it('frames spans by scope, in order', () => {
    const batch = batchOf(format, [named('a', 0), named('b', 1), named('c', 0), named('d', 0), named('e', 1)]);
    expect(namesOf(batch)).toEqual([{ service: 'shop', scopes: { http: ['a', 'c', 'd'], db: ['b', 'e'] } }]);
  });

  it('sends a scope that is not known as an empty one', () => {
    expect(namesOf(batchOf(format, [named('a', 7)]))).toEqual([{ service: 'shop', scopes: { '': ['a'] } }]);
  });

  it('frames records of every length, over many chunks', () => {
    const lengths = [0, 1, 90, 127, 128, 300, 16_383, 16_384, 70_000, 2_100_000];
    const names = lengths.map((length) => 'n'.repeat(length));
    const batch = batchOf(
      format,
      names.map((name) => named(name, 0)),
    );
    expect(namesOf(batch)).toEqual([{ service: 'shop', scopes: { http: names } }]);
  });

  it('frames each half of a split', () => {
    const batch = batchOf(
      format,
      ['a', 'b', 'c', 'd', 'e'].map((name, index) => named(name, index % 2)),
    );
    const [older, newer] = batch.split()!;
    expect(namesOf(older)).toEqual([{ service: 'shop', scopes: { http: ['a'], db: ['b'] } }]);
    expect(namesOf(newer)).toEqual([{ service: 'shop', scopes: { http: ['c', 'e'], db: ['d'] } }]);
    expect(namesOf(batch)).toEqual([{ service: 'shop', scopes: {} }]);
  });

  it('makes a body in one piece that is little larger than what is sent', () => {
    const batch = batchOf(
      format,
      Array.from({ length: 1_000 }, (_, index) => named(`span ${index}`, index % 2)),
    );
    const body = format.frame(resource, scopes, batch);
    expect(body.buffer.byteLength).toBeLessThanOrEqual(body.length + 3 * 1_000);
  });
});

function named(name: string, scopeIndex: number): SpanModel {
  return { ...plainSpan(), name, scopeIndex };
}

function serialize(format: WireFormat, { resource, scopes, spans }: RequestModel): Buffer {
  const encodedScopes = scopes.map((scope) => format.encodeScope(scope));
  return format.frame(format.encodeResource(listOf(resource)), encodedScopes, batchOf(format, spans));
}

function batchOf(format: WireFormat, spans: readonly SpanModel[]): SpanBatch {
  const queue = new SpanByteQueue({ chunks: createChunkPool(), maxSize: 10_000, maxBytes: 100_000_000 });
  const writer = new ProtoWriter();
  for (const span of spans) {
    writer.reset();
    format.encode(writer, toEndedSpan(span));
    expect(queue.push(writer.buffer, 0, writer.position, span.scopeIndex)).toBe(true);
  }
  const batch = queue.take(10_000, 100_000_000);
  if (batch === undefined) throw new Error('nothing was queued');
  return batch;
}

function summaryOf({ resourceSpans }: DecodedRequest): unknown {
  return resourceSpans.map(({ resource, scopeSpans }) => ({
    service: resource.attributes['service.name'],
    scopes: Object.fromEntries(scopeSpans.map(({ scope, spans }) => [scope.name, spans.map(({ name }) => name)])),
  }));
}
