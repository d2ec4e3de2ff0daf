const MASK = 0x7fn;
const MORE = 0x80;

/** Writes one protobuf message as a list of parts; messages inside it are written first and added as bytes. */
export class MessageWriter {
  readonly #parts: Uint8Array[] = [];
  length = 0;

  varint(field: number, value: bigint): void {
    this.#add(encodeVarint(BigInt(field << 3)));
    this.#add(encodeVarint(BigInt.asUintN(64, value)));
  }

  fixed64(field: number, value: bigint): void {
    this.#add(encodeVarint(BigInt((field << 3) | 1)));
    this.#add(encodeFixed64(value));
  }

  double(field: number, value: number): void {
    this.#add(encodeVarint(BigInt((field << 3) | 1)));
    this.#add(encodeDouble(value));
  }

  fixed32(field: number, value: number): void {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value >>> 0);
    this.#add(encodeVarint(BigInt((field << 3) | 5)));
    this.#add(bytes);
  }

  bytes(field: number, value: Uint8Array): void {
    this.#header(field, value.length);
    this.#add(value);
  }

  message(field: number, message: MessageWriter): void {
    this.#header(field, message.length);
    for (const part of message.#parts) this.#parts.push(part);
    this.length += message.length;
  }

  toBytes(): Buffer {
    return Buffer.concat(this.#parts, this.length);
  }

  #header(field: number, length: number): void {
    this.#add(encodeVarint(BigInt((field << 3) | 2)));
    this.#add(encodeVarint(BigInt(length)));
  }

  #add(part: Uint8Array): void {
    this.#parts.push(part);
    this.length += part.length;
  }
}

export function encodeVarint(value: bigint): Uint8Array {
  if (value < 0x80n) return Uint8Array.of(Number(value));
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7n) {
    if (rest < 0x80n) {
      bytes.push(Number(rest));
      return Uint8Array.from(bytes);
    }
    bytes.push(Number(rest & MASK) | MORE);
  }
}

export function encodeFixed64(value: bigint): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, value));
  return bytes;
}

export function encodeDouble(value: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes;
}
