import { randomFillSync } from 'node:crypto';
import type { IdGenerator } from '@opentelemetry/sdk-trace';

const POOL_BYTES = 1_536;
const TRACE_ID_HEX = 32;
const SPAN_ID_HEX = 16;
const INVALID = /^0+$/;

/**
 * Trace and span ids from the system's secure source, drawn in blocks: all 128 and 64 bits are random, as the
 * random flag of W3C Trace Context level 2 promises.
 */
export class PooledIdGenerator implements IdGenerator {
  readonly #bytes = Buffer.allocUnsafe(POOL_BYTES);
  #hex = '';
  #position = 0;

  generateTraceId(): string {
    return this.#next(TRACE_ID_HEX);
  }

  generateSpanId(): string {
    return this.#next(SPAN_ID_HEX);
  }

  #next(length: number): string {
    for (;;) {
      if (this.#position + length > this.#hex.length) {
        this.#hex = randomFillSync(this.#bytes).toString('hex');
        this.#position = 0;
      }
      const id = this.#hex.slice(this.#position, this.#position + length);
      this.#position += length;
      // The only invalid ids are all zeros; a first digit that is not zero settles it without a search.
      if (id.charCodeAt(0) !== 48 || !INVALID.test(id)) return id;
    }
  }
}

const TRACE_ID = /^[0-9a-f]{32}$/;
const SPAN_ID = /^[0-9a-f]{16}$/;

export function isTraceId(value: unknown): value is string {
  return typeof value === 'string' && TRACE_ID.test(value) && !INVALID.test(value);
}

export function isSpanId(value: unknown): value is string {
  return typeof value === 'string' && SPAN_ID.test(value) && !INVALID.test(value);
}

/**
 * The randomness of a trace id as a number in `[0, 1)`: its last 52 bits, of the 56 that W3C Trace Context level 2
 * says are random. The same trace gets the same number in every process.
 */
export function traceIdRandomness(traceId: string): number {
  return Number.parseInt(traceId.slice(-13), 16) / 0x10_0000_0000_0000;
}
