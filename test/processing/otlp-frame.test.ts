import { describe, expect, it } from 'vitest';
import { SpanByteQueue } from '../../src/processing/byte-queue.ts';
import { createChunkPool } from '../../src/processing/chunk-pool.ts';
import { frameTraceRequest } from '../../src/processing/otlp-frame.ts';
import { ProtoWriter } from '../../src/processing/proto-writer.ts';
import type { SpanBatch } from '../../src/processing/span-batch.ts';
import { encodeResource, encodeScope, encodeSpan } from '../../src/processing/span-encoder.ts';
import { decodeTraceRequest } from '../support/otlp-decoder.ts';

const scopes = [encodeScope({ name: 'http', version: '1' }), encodeScope({ name: 'db' })];

describe('frameTraceRequest', () => {
  it('puts the spans of each scope together in the order of the queue', () => {
    const body = frameTraceRequest(
      resourceOf('shop'),
      scopes,
      batchOf(['a', 0], ['b', 1], ['c', 0], ['d', 0], ['e', 1]),
    );

    expect(summaryOf(body)).toEqual([
      { service: 'shop', schemaUrl: '', scopes: { http: ['a', 'c', 'd'], db: ['b', 'e'] } },
    ]);
  });

  it('allocates the body once and to measure', () => {
    const body = frameTraceRequest(resourceOf('shop'), scopes, batchOf(['a', 0], ['b', 1]), 'https://example.com/é');

    expect(body.buffer.byteLength).toBe(body.length);
    expect(summaryOf(body)[0]?.schemaUrl).toBe('https://example.com/é');
  });

  it('sends a scope that is not known as an empty one', () => {
    const body = frameTraceRequest(resourceOf('shop'), scopes, batchOf(['a', 7]));

    expect(summaryOf(body)).toEqual([{ service: 'shop', schemaUrl: '', scopes: { '': ['a'] } }]);
  });

  it('makes bodies that can be put one after the other', () => {
    const first = frameTraceRequest(resourceOf('shop'), scopes, batchOf(['a', 0]));
    const second = frameTraceRequest(resourceOf('bank'), scopes, batchOf(['b', 1]));

    expect(summaryOf(Buffer.concat([first, second]))).toEqual([
      { service: 'shop', schemaUrl: '', scopes: { http: ['a'] } },
      { service: 'bank', schemaUrl: '', scopes: { db: ['b'] } },
    ]);
  });

  it('frames a batch larger than any chunk', () => {
    const names = Array.from({ length: 3_000 }, (_, index) => `span ${index}`);
    const body = frameTraceRequest(resourceOf('shop'), scopes, batchOf(...names.map((name) => [name, 0] as const)));

    expect(summaryOf(body)[0]?.scopes).toEqual({ http: names });
  });
});

function resourceOf(service: string): Uint8Array {
  return encodeResource({ keys: ['service.name'], values: [service] });
}

function batchOf(...spans: (readonly [name: string, scopeIndex: number])[]): SpanBatch {
  const queue = new SpanByteQueue({ chunks: createChunkPool(), maxSize: 10_000, maxBytes: 10_000_000 });
  const writer = new ProtoWriter();
  const list = { keys: [], values: [] };
  for (const [name, scopeIndex] of spans) {
    writer.reset();
    encodeSpan(writer, {
      name,
      kind: 0,
      context: { traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: 1 },
      parentContext: undefined,
      startTime: [1, 0],
      endTime: [2, 0],
      status: { code: 0 },
      attributeList: list,
      eventList: [],
      linkList: [],
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
    });
    queue.push(writer.buffer, 0, writer.position, scopeIndex);
  }
  const batch = queue.take(10_000, 10_000_000);
  if (batch === undefined) throw new Error('nothing was queued');
  return batch;
}

function summaryOf(body: Uint8Array) {
  return decodeTraceRequest(body).resourceSpans.map(({ resource, schemaUrl, scopeSpans }) => ({
    service: resource.attributes['service.name'],
    schemaUrl,
    scopes: Object.fromEntries(scopeSpans.map(({ scope, spans }) => [scope.name, spans.map(({ name }) => name)])),
  }));
}
