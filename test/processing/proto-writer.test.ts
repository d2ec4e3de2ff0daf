import type { HrTime } from '@opentelemetry/api';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProtoWriter, varintLength, writeVarint } from '../../src/processing/proto-writer.ts';

describe('ProtoWriter', () => {
  it('writes strings as TextEncoder does, lone surrogates included', () => {
    const units = fc.oneof(fc.nat(0x7f), fc.nat(0xffff), fc.integer({ min: 0xd800, max: 0xdfff }));
    const text = fc.array(units, { maxLength: 300 }).map((codes) => String.fromCharCode(...codes));
    const ascii = fc.string({ maxLength: 300 });

    fc.assert(
      fc.property(fc.oneof(text, ascii), (value) => {
        const expected = new TextEncoder().encode(value);
        const written = bytesOf((writer) => writer.stringField(1, value));
        expect(written).toEqual([0x0a, ...varint(expected.length), ...expected]);
      }),
      { numRuns: 1_000 },
    );
  });

  it('writes times exactly', () => {
    const seconds = fc.integer({ min: 0, max: 18_446_744_072 });

    fc.assert(
      fc.property(fc.tuple(seconds, fc.nat(999_999_999)), (time) => {
        const expected = Buffer.alloc(8);
        expected.writeBigUInt64LE(BigInt(time[0]) * 1_000_000_000n + BigInt(time[1]));
        expect(bytesOf((writer) => writer.timeField(7, time as HrTime))).toEqual([0x39, ...expected]);
      }),
      { numRuns: 1_000 },
    );
  });

  it('writes signed integers in two’s complement', () => {
    const edges = [0, -1, 127, 128, -128, 2 ** 32 - 1, 2 ** 32, -(2 ** 32), 2 ** 63 - 1_024, -(2 ** 63)];

    fc.assert(
      fc.property(fc.oneof(fc.maxSafeInteger(), fc.constantFrom(...edges)), (value) => {
        const expected = varint(BigInt.asUintN(64, BigInt(value)));
        expect(bytesOf((writer) => writer.int64Field(3, value))).toEqual([0x18, ...expected]);
      }),
      { numRuns: 1_000 },
    );
  });

  it('writes hex in either case as bytes', () => {
    expect(bytesOf((writer) => writer.hexField(2, '00ffAb9C', 4))).toEqual([0x12, 4, 0x00, 0xff, 0xab, 0x9c]);
  });

  it.each(['', '00ff', '00ffab9c00', '00ffab9g', '00ff ab9', '００ffab'])('refuses %j as four bytes of hex', (hex) => {
    expect(() => new ProtoWriter().hexField(2, hex, 4)).toThrow(RangeError);
  });

  it('writes field numbers beyond 15 and the fixed-size types', () => {
    expect(bytesOf((writer) => writer.fixed32Field(16, 0x0102_0304))).toEqual([0x85, 0x01, 4, 3, 2, 1]);
    expect(bytesOf((writer) => writer.doubleField(4, -2))).toEqual([0x21, 0, 0, 0, 0, 0, 0, 0, 0xc0]);
    expect(bytesOf((writer) => writer.bytesField(7, Uint8Array.of(9, 8)))).toEqual([0x3a, 2, 9, 8]);
    expect(bytesOf((writer) => writer.uint32Field(10, 2 ** 32 - 1))).toEqual([0x50, 0xff, 0xff, 0xff, 0xff, 0x0f]);
  });

  it.each([0, 127, 128, 16_383, 16_384, 300_000])('closes nested messages with %i bytes of content', (length) => {
    const content = new Uint8Array(length).fill(7);
    const written = bytesOf((writer) => {
      const outer = writer.beginMessage(1);
      const inner = writer.beginMessage(2);
      if (length > 0) writer.bytesField(3, content);
      writer.endMessage(inner);
      writer.endMessage(outer);
    });

    const field = length === 0 ? [] : [0x1a, ...varint(length), ...content];
    const inner = [0x12, ...varint(field.length), ...field];
    expect(Buffer.from(written).equals(Buffer.from([0x0a, ...varint(inner.length), ...inner]))).toBe(true);
  });

  it('keeps what was written when the buffer grows', () => {
    const texts = Array.from({ length: 2_000 }, (_, index) => `text number ${index}`);
    const written = bytesOf((writer) => {
      for (const text of texts) writer.stringField(1, text);
    });

    const expected = texts.flatMap((text) => [0x0a, text.length, ...Buffer.from(text)]);
    expect(Buffer.from(written).equals(Buffer.from(expected))).toBe(true);
  });

  it('refuses to grow beyond its bound and stays usable', () => {
    const writer = new ProtoWriter({ maxBytes: 10_000 });
    writer.stringField(1, 'before');
    const { position } = writer;

    expect(() => writer.stringField(1, 'é'.repeat(5_000))).toThrow(RangeError);
    expect(() => writer.bytesField(1, new Uint8Array(10_000))).toThrow(RangeError);
    writer.rewind(position);
    writer.stringField(1, 'x'.repeat(9_900));

    expect(writer.buffer.length).toBeLessThanOrEqual(10_000);
    expect(Buffer.from(writer.toBytes()).toString('latin1')).toBe(`\n\x06before\n\xac\x4d${'x'.repeat(9_900)}`);
  });

  it('lets a buffer go that one large message blew up', () => {
    const writer = new ProtoWriter();
    writer.bytesField(1, new Uint8Array(1_000_000));
    writer.reset();

    expect(writer.buffer.length).toBeLessThanOrEqual(65_536);
    expect(writer.position).toBe(0);
    writer.stringField(1, 'again');
    expect(Buffer.from(writer.toBytes()).toString('latin1')).toBe('\n\x05again');
  });
});

describe('writeVarint', () => {
  it('takes as many bytes as varintLength says', () => {
    const edges = [0, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455, 268_435_456, 2 ** 32 - 1];

    fc.assert(
      fc.property(fc.oneof(fc.nat(), fc.constantFrom(...edges)), (value) => {
        const target = new Uint8Array(8);
        const end = writeVarint(target, 2, value);
        expect(end - 2).toBe(varintLength(value));
        expect([...target.subarray(2, end)]).toEqual(varint(value));
      }),
    );
  });
});

function bytesOf(write: (writer: ProtoWriter) => void): number[] {
  const writer = new ProtoWriter();
  write(writer);
  return [...writer.toBytes()];
}

function varint(value: number | bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt(value);
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return [...bytes, Number(rest)];
}
