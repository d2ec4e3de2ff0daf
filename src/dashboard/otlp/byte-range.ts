/** A part of some bytes: `start` to `stop`. Empty where the part is missing. */
export interface ByteRange {
  readonly start: number;
  readonly stop: number;
}

export const EMPTY_RANGE: ByteRange = { start: 0, stop: 0 };

export function textOf(bytes: Uint8Array, { start, stop }: ByteRange): string {
  return asBuffer(bytes).toString('utf8', start, stop);
}

export function hexOf(bytes: Uint8Array, { start, stop }: ByteRange): string {
  return asBuffer(bytes).toString('hex', start, stop);
}

export function bytesEqual(bytes: Uint8Array, { start, stop }: ByteRange, other: Uint8Array): boolean {
  if (stop - start !== other.length) return false;
  for (let index = 0; index < other.length; index += 1) if (bytes[start + index] !== other[index]) return false;
  return true;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
