import { crc32 } from 'node:zlib';
import type { RecordSignal } from './span-sender.ts';

/**
 * How a file of the spool looks: frames, one after the other, each
 *
 *     sync u32 | length of the payload u32 | checksum u32 | type u8 | payload
 *
 * in little endian. The sync word and the start value of the checksum are random numbers in the file's name, so that
 * nothing that a span contains can look like a frame. Header, resource and scopes are written twice: no single damage
 * costs more than one span.
 */
export interface FileMarker {
  readonly sync: number;
  readonly seed: number;
}

/**
 * Whose spans a file holds, or log records, and where they were to go. Never any credentials. Version 1 knows spans
 * only: what reads that leaves the others alone.
 */
export interface SegmentHeader {
  readonly version: 1 | 2;
  readonly signal: RecordSignal;
  /** Whose; the tenant's id, or the platform's name. */
  readonly name: string;
  /** A hash of where they were to go. */
  readonly key: string;
  /** Which of the tenant's destinations that was, of how many. */
  readonly position: number;
  readonly destinations: number;
  /** How the records are encoded. */
  readonly contentType: string;
}

/** What a file was found to hold besides its spans. */
export interface SegmentReading {
  readonly header: SegmentHeader | undefined;
  /** Whether it was written by a version of isotrace that this one does not understand. */
  readonly foreign: boolean;
  readonly resource: Uint8Array | undefined;
  readonly scopes: readonly Uint8Array[];
  readonly count: number;
  /** Spans that were there and cannot be read. */
  readonly damaged: number;
}

/** Called for each span: the number of its scope and where its message stands in the data. */
export type SpanVisitor = (scopeIndex: number, start: number, end: number) => void;

const TYPE = { header: 1, resource: 2, scope: 3, span: 4 } as const;
const TYPE_AT = 12;
export const FRAME_BYTES = 13;
/** Number of the span in its file, and of its scope. */
const SPAN_HEAD_BYTES = 8;
const SCOPE_HEAD_BYTES = 4;
export const SPAN_FRAME_BYTES = FRAME_BYTES + SPAN_HEAD_BYTES;
/** A tenant's scopes are numbered from 0; a larger number is damage. */
const MAX_SCOPE_INDEX = 65_535;

/** Writes frames into one buffer that grows as needed. */
export class FrameWriter {
  readonly #marker: FileMarker;
  #buffer: Buffer;
  #position = 0;

  constructor(marker: FileMarker, capacity: number) {
    this.#marker = marker;
    this.#buffer = Buffer.allocUnsafeSlow(capacity);
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#position);
  }

  header(header: SegmentHeader): void {
    this.#twice(TYPE.header, Buffer.from(JSON.stringify(header)));
  }

  resource(resource: Uint8Array): void {
    this.#twice(TYPE.resource, resource);
  }

  scope(index: number, scope: Uint8Array): void {
    const payload = Buffer.allocUnsafe(SCOPE_HEAD_BYTES + scope.length);
    payload.writeUInt32LE(index, 0);
    payload.set(scope, SCOPE_HEAD_BYTES);
    this.#twice(TYPE.scope, payload);
  }

  /** The span message in `memory[start .. end]`, number `index` of its file. */
  span(index: number, scopeIndex: number, memory: Uint8Array, start: number, end: number): void {
    const at = this.#begin(SPAN_HEAD_BYTES + end - start);
    this.#buffer.writeUInt32LE(index, at);
    this.#buffer.writeUInt32LE(scopeIndex, at + 4);
    this.#buffer.set(memory.subarray(start, end), at + SPAN_HEAD_BYTES);
    this.#end(TYPE.span, at, SPAN_HEAD_BYTES + end - start);
  }

  #twice(type: number, payload: Uint8Array): void {
    for (let copy = 0; copy < 2; copy += 1) {
      const at = this.#begin(payload.length);
      this.#buffer.set(payload, at);
      this.#end(type, at, payload.length);
    }
  }

  /** Makes room for a frame and answers where its payload goes. */
  #begin(length: number): number {
    const needed = this.#position + FRAME_BYTES + length;
    if (needed > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#buffer.length));
      larger.set(this.bytes);
      this.#buffer = larger;
    }
    return this.#position + FRAME_BYTES;
  }

  #end(type: number, at: number, length: number): void {
    const start = this.#position;
    this.#buffer.writeUInt32LE(this.#marker.sync, start);
    this.#buffer.writeUInt32LE(length, start + 4);
    this.#buffer[start + TYPE_AT] = type;
    this.#position = at + length;
    this.#buffer.writeUInt32LE(checksum(this.#buffer, start, this.#position, this.#marker, length), start + 8);
  }
}

/**
 * Reads a file. What does not check is skipped up to the next frame that does, so damage costs the spans that it
 * touches and no others.
 */
export function readSegment(data: Buffer, marker: FileMarker, visit: SpanVisitor): SegmentReading {
  const sync = Buffer.alloc(4);
  sync.writeUInt32LE(marker.sync, 0);
  let header: SegmentHeader | 'foreign' | undefined;
  let resource: Uint8Array | undefined;
  const scopes: Uint8Array[] = [];
  let count = 0;
  let next = 0;
  let end = 0;
  for (let at = data.indexOf(sync, 0); at >= 0; at = data.indexOf(sync, at)) {
    const length = frameLength(data, at, marker);
    if (length === undefined) {
      at += 1;
      continue;
    }
    const payload = at + FRAME_BYTES;
    at = payload + length;
    end = at;
    const type = data[payload - FRAME_BYTES + TYPE_AT];
    if (type === TYPE.header) header ??= parseHeader(data.subarray(payload, at));
    else if (type === TYPE.resource) resource ??= data.subarray(payload, at);
    else if (type === TYPE.scope && length >= SCOPE_HEAD_BYTES) {
      const index = data.readUInt32LE(payload);
      if (index <= MAX_SCOPE_INDEX) scopes[index] ??= data.subarray(payload + SCOPE_HEAD_BYTES, at);
    } else if (type === TYPE.span && length >= SPAN_HEAD_BYTES) {
      const index = data.readUInt32LE(payload);
      // What was written twice, because the first time was not known to have succeeded, counts once.
      if (index < next) continue;
      next = index + 1;
      count += 1;
      visit(data.readUInt32LE(payload + 4), payload + SPAN_HEAD_BYTES, at);
    }
  }
  // The span that was being written when the process died, or one whose end is damaged.
  const torn = end < data.length && data.length > 0 ? 1 : 0;
  const damaged = next - count + torn;
  const foreign = header === 'foreign';
  return { header: header === 'foreign' ? undefined : header, foreign, resource, scopes, count, damaged };
}

/** The length of the payload of the frame at an offset; `undefined` when there is no good one. */
function frameLength(data: Buffer, at: number, marker: FileMarker): number | undefined {
  if (at + FRAME_BYTES > data.length) return undefined;
  const length = data.readUInt32LE(at + 4);
  const end = at + FRAME_BYTES + length;
  if (end > data.length) return undefined;
  return data.readUInt32LE(at + 8) === checksum(data, at, end, marker, length) ? length : undefined;
}

/** Over type and payload; the length goes into the start value. */
function checksum(data: Buffer, start: number, end: number, { seed }: FileMarker, length: number): number {
  return crc32(data.subarray(start + TYPE_AT, end), (seed ^ length) >>> 0);
}

function parseHeader(payload: Buffer): SegmentHeader | 'foreign' | undefined {
  try {
    const header = JSON.parse(payload.toString()) as SegmentHeader;
    const { version, name, key, position, destinations, contentType } = header;
    const signal = version === 1 ? 'traces' : header.signal;
    if ((version !== 1 && version !== 2) || (signal !== 'traces' && signal !== 'logs')) return 'foreign';
    const texts = [name, key, contentType].every((text) => typeof text === 'string');
    const numbers = [position, destinations].every((number) => Number.isInteger(number));
    return texts && numbers ? { ...header, signal } : undefined;
  } catch {
    return undefined;
  }
}
