import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { LRUCache } from 'lru-cache';
import { describeError } from '../../../utils/errors.ts';
import { encodeVarint } from '../../otlp/message-writer.ts';
import { SIGNALS, type Signal } from '../../otlp/signal.ts';
import type { Segment } from './segment.ts';

const MAGIC = Buffer.from('isotrace-segment-1\n');
/** Length and checksum of what follows: the time of arrival, as a double, and the bytes. */
const FRAME_HEADER_BYTES = 8;
const TIME_BYTES = 8;
/** Field 1 of every OTLP request. */
const RESOURCE_TAG = (1 << 3) | 2;
const MAX_OPEN_FILES = 64;
const FILE_NAME = /^(\d{12})-[\da-f]{16}-(traces|metrics|logs)\.seg$/;
const LOCK = 'lock';

/** What is left of a segment that an earlier process wrote. */
export interface RecoveredSegment {
  readonly id: number;
  readonly tenant: string;
  readonly signal: Signal;
  readonly resources: readonly { readonly request: Uint8Array; readonly receivedAt: number }[];
}

/**
 * A file for each segment: its tenant, then each `ResourceSpans`, `ResourceLogs` or `ResourceMetrics` with its length
 * and checksum. What the process wrote survives its end, but not that of the machine: nothing is forced to the disk.
 * When the disk fails, telemetry is kept in memory only, and `notices` says so.
 */
export class SegmentFiles {
  readonly #directory: string;
  readonly #open: LRUCache<number, number>;
  /** Segments whose file has its beginning. */
  readonly #begun = new Set<number>();
  readonly #notices: string[] = [];
  #failed = false;

  /** Throws when the directory cannot be used, or another process uses it. */
  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    lock(path.join(directory, LOCK));
    this.#open = new LRUCache({ max: MAX_OPEN_FILES, dispose: (descriptor) => closeSync(descriptor) });
  }

  get notices(): readonly string[] {
    return this.#notices;
  }

  /**
   * What an earlier process left, in the order of its segments. A file that ends in the middle of a frame, or in which
   * a checksum is wrong, is cut there; one that does not begin as it should is removed.
   */
  *recover(): Generator<RecoveredSegment> {
    for (const name of readdirSync(this.#directory).sort()) {
      const [, id, signalName] = FILE_NAME.exec(name) ?? [];
      const signal = SIGNALS.find((candidate) => candidate === signalName);
      if (signal === undefined) continue;
      const content = readFileSync(path.join(this.#directory, name));
      const { frames, end } = readFrames(content);
      const [tenant, ...resources] = frames;
      if (tenant === undefined) {
        this.#notices.push(`${name} was not readable and is removed`);
        this.#unlink(name);
        continue;
      }
      if (end < content.length) {
        this.#notices.push(`${name} was cut off at byte ${end} of ${content.length}`);
        truncateSync(path.join(this.#directory, name), end);
      }
      this.#begun.add(Number(id));
      yield { id: Number(id), tenant: tenant.toString(), signal, resources: resources.map(toResource) };
    }
  }

  /** Adds the resource to the file of its segment. */
  append(segment: Segment, resource: Uint8Array, receivedAt: number): void {
    if (this.#failed) return;
    try {
      const time = Buffer.alloc(TIME_BYTES);
      time.writeDoubleLE(receivedAt);
      writeSync(this.#descriptorOf(segment), frame(Buffer.concat([time, resource])));
    } catch (error) {
      this.#failed = true;
      this.#notices.push(`telemetry is no longer written to the disk: ${describeError(error, 200)}`);
    }
  }

  remove({ id, tenant, signal }: Segment): void {
    this.#open.delete(id);
    this.#begun.delete(id);
    this.#unlink(fileName(id, tenant, signal));
  }

  close(): void {
    this.#open.clear();
    this.#failed = true;
    this.#unlink(LOCK);
  }

  #descriptorOf({ id, tenant, signal }: Segment): number {
    const known = this.#open.get(id);
    if (known !== undefined) return known;
    const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW } = constants;
    const file = path.join(this.#directory, fileName(id, tenant, signal));
    const descriptor = openSync(file, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600);
    this.#open.set(id, descriptor);
    if (!this.#begun.has(id)) {
      this.#begun.add(id);
      writeSync(descriptor, Buffer.concat([MAGIC, frame(Buffer.from(tenant))]));
    }
    return descriptor;
  }

  #unlink(name: string): void {
    try {
      unlinkSync(path.join(this.#directory, name));
    } catch (error) {
      if ((error as { readonly code?: string }).code !== 'ENOENT') this.#notices.push(describeError(error, 200));
    }
  }
}

/** Tenants may have names that are none for files. */
function fileName(id: number, tenant: string, signal: Signal): string {
  const hash = createHash('sha256').update(tenant).digest('hex').slice(0, 16);
  return `${String(id).padStart(12, '0')}-${hash}-${signal}.seg`;
}

function frame(payload: Buffer): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.writeUInt32LE(payload.length, 0);
  header.writeUInt32LE(crc32(payload), 4);
  return Buffer.concat([header, payload]);
}

/** The frames up to the first that is not whole, and where that is. */
function readFrames(content: Buffer): { frames: Buffer[]; end: number } {
  const frames: Buffer[] = [];
  let end = MAGIC.length;
  if (!content.subarray(0, end).equals(MAGIC)) return { frames, end: 0 };
  while (content.length - end >= FRAME_HEADER_BYTES) {
    const start = end + FRAME_HEADER_BYTES;
    const length = content.readUInt32LE(end);
    if (length > content.length - start) break;
    const payload = content.subarray(start, start + length);
    if (crc32(payload) !== content.readUInt32LE(end + 4)) break;
    frames.push(payload);
    end = start + length;
  }
  return { frames, end };
}

function toResource(payload: Buffer): RecoveredSegment['resources'][number] {
  const resource = payload.subarray(TIME_BYTES);
  const request = Buffer.concat([Uint8Array.of(RESOURCE_TAG), encodeVarint(BigInt(resource.length)), resource]);
  return { request, receivedAt: payload.length >= TIME_BYTES ? payload.readDoubleLE(0) : 0 };
}

/** One process at a time: the file holds its id, and that of a process that is gone does not count. */
function lock(file: string): void {
  for (let attempt = 0; attempt < 2; attempt += 1) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx', mode: 0o600 });
      return;
    } catch (error) {
      if ((error as { readonly code?: string }).code !== 'EEXIST') throw error;
      const owner = Number(readFileSync(file, 'utf8'));
      if (isAlive(owner)) throw new Error(`${path.dirname(file)} is in use by process ${owner}`);
      unlinkSync(file);
    }
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { readonly code?: string }).code === 'EPERM';
  }
}
