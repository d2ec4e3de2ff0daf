import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FileMarker, FrameWriter, readSegment, type SegmentHeader } from '../../src/processing/spool-frame.ts';
import { createHeader } from '../../src/processing/spool-header.ts';

const MARKER: FileMarker = { sync: 0x1234abcd, seed: 0x9876_5432 };
const HEADER: SegmentHeader = {
  version: 1,
  signal: 'traces',
  name: 'acme',
  key: '0123456789abcdef',
  position: 0,
  destinations: 1,
  contentType: 'application/x-protobuf',
};
const RESOURCE = Buffer.from('the resource');
const SCOPES = ['first scope', 'second scope'].map((text) => Buffer.from(text));
const SPANS = Array.from({ length: 12 }, (_, index) => `span number ${index} ${'x'.repeat(index * 3)}`);

/** A file with `SPANS`, of two scopes in turn, written by two calls. */
function fileOf(spans: readonly string[] = SPANS, marker = MARKER): Buffer {
  const first = new FrameWriter(marker, 8);
  first.header(HEADER);
  first.resource(RESOURCE);
  const second = new FrameWriter(marker, 8);
  for (const [index, text] of spans.entries()) {
    const writer = index < spans.length / 2 ? first : second;
    if (index < 2) writer.scope(index, SCOPES[index] as Buffer);
    const message = Buffer.from(`..${text}..`);
    writer.span(index, index % 2, message, 2, message.length - 2);
  }
  return Buffer.concat([first.bytes, second.bytes]);
}

function read(data: Buffer, marker = MARKER) {
  const spans: string[] = [];
  const scopes: number[] = [];
  const reading = readSegment(data, marker, (scopeIndex, start, end) => {
    scopes.push(scopeIndex);
    spans.push(data.toString('utf8', start, end));
  });
  return { ...reading, spans, spanScopes: scopes };
}

describe('a file of the spool', () => {
  it('is read as it was written', () => {
    const { count, damaged, foreign, header, resource, scopes, spans, spanScopes } = read(fileOf());
    expect(spans).toEqual(SPANS);
    expect(spanScopes).toEqual(SPANS.map((_, index) => index % 2));
    expect({ count, damaged, foreign, header }).toEqual({ count: 12, damaged: 0, foreign: false, header: HEADER });
    expect([resource, ...scopes].map(String)).toEqual([RESOURCE, ...SCOPES].map(String));
  });

  it('loses one span at most, and counts it, whichever bit is flipped', () => {
    const good = fileOf();
    for (let offset = 0; offset < good.length; offset += 1) {
      for (let bit = 0; bit < 8; bit += 1) {
        const data = Buffer.from(good);
        data[offset] = (data[offset] ?? 0) ^ (1 << bit);
        const { count, damaged, header, resource, scopes, spans } = read(data);
        const where = `bit ${bit} of byte ${offset}`;
        expect(count + damaged, where).toBe(SPANS.length);
        expect(damaged, where).toBeLessThanOrEqual(1);
        expect(
          spans.filter((span) => !SPANS.includes(span)),
          where,
        ).toEqual([]);
        expect(header, where).toEqual(HEADER);
        expect([resource, ...scopes].map(String), where).toEqual([RESOURCE, ...SCOPES].map(String));
      }
    }
  });

  it('loses only what is behind the place where it was torn off', () => {
    const good = fileOf();
    let before = 0;
    for (let length = 0; length <= good.length; length += 1) {
      const { count, damaged, spans } = read(good.subarray(0, length));
      expect(spans).toEqual(SPANS.slice(0, count));
      expect(count).toBeGreaterThanOrEqual(before);
      expect(damaged).toBeLessThanOrEqual(1);
      before = count;
    }
    expect(before).toBe(SPANS.length);
  });

  it('counts a span once that was written twice', () => {
    const twice = Buffer.concat([fileOf(), fileOf()]);
    expect(read(twice)).toMatchObject({ count: SPANS.length, damaged: 0 });
  });

  it('finds nothing in what a span says, not even a whole file of the spool', () => {
    const inner = fileOf(['forged'], { sync: 1, seed: 2 }).toString('latin1');
    const data = fileOf([inner, 'after']);
    // The frame around it is broken, so that the reader has to look into it for the next one.
    const at = data.indexOf('forged') - 60;
    data[at] = (data[at] ?? 0) ^ 1;
    const { count, damaged, header, spans } = read(data);
    expect(spans).toEqual(['after']);
    expect({ count, damaged, header }).toEqual({ count: 1, damaged: 1, header: HEADER });
  });

  it('of another version is told from a broken one', () => {
    const writer = new FrameWriter(MARKER, 100);
    writer.header({ ...HEADER, version: 3 as 1 });
    expect(read(writer.bytes)).toMatchObject({ foreign: true, header: undefined });
    expect(read(Buffer.from('nothing'))).toMatchObject({ foreign: false, header: undefined, damaged: 1 });
  });

  it.each([
    ['text', 'nothing'],
    ['null', 'null'],
    ['a name that is none', JSON.stringify({ ...HEADER, name: 7 })],
    ['a position that is none', JSON.stringify({ ...HEADER, position: '0' })],
  ])('has no header when that is %s', (_case, text) => {
    const writer = new FrameWriter(MARKER, 100);
    writer.header(HEADER);
    const frame = new FrameWriter(MARKER, 100);
    frame.header(text as unknown as SegmentHeader);
    expect(read(frame.bytes).header).toBeUndefined();
  });

  it('never makes the reader throw, whatever it holds', () => {
    const anything = fc.uint8Array({ maxLength: 400 });
    fc.assert(
      fc.property(anything, fc.nat(), anything, (before, cut, after) => {
        const good = fileOf();
        const data = Buffer.concat([before, good.subarray(cut % good.length), after]);
        const { count, spans } = read(data);
        expect(count).toBe(spans.length);
        expect(spans.filter((span) => !SPANS.includes(span))).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });
});

describe('the header of a file', () => {
  const fileWith = (header: object): Buffer => {
    const writer = new FrameWriter(MARKER, 8);
    writer.header(header as SegmentHeader);
    return writer.bytes;
  };

  it('from before there was more than one signal is that of spans', () => {
    const { signal: _, ...old } = HEADER;
    expect(read(fileWith(old))).toMatchObject({ foreign: false, header: HEADER });
  });

  it('of log records is not taken for one of spans by what knows these only', () => {
    const logs = createHeader('acme', 'logs', { protocol: 'http/protobuf', url: new URL('http://a.test') }, 'x', 0, 1);
    expect(logs.version).toBe(2);
    expect(read(fileWith(logs))).toMatchObject({ foreign: false, header: { signal: 'logs' } });
  });

  it.each([{ version: 3 }, { version: 2, signal: 'metrics' }, { version: 2, signal: undefined }])(
    'with %j is left for whoever understands it',
    (part) => {
      expect(read(fileWith({ ...HEADER, ...part }))).toMatchObject({ foreign: true, header: undefined });
    },
  );
});
