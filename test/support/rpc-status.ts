/** A `google.rpc.Status` with one detail after another: what servers send as `grpc-status-details-bin`. */
export function rpcStatus(code: number, message: string, details: readonly Uint8Array[]): Buffer {
  return Buffer.concat([
    numberField(1, BigInt(code)),
    bytesField(2, Buffer.from(message)),
    ...details.map((detail) => bytesField(3, detail)),
  ]);
}

/** A `google.rpc.RetryInfo` as a detail; without `seconds` one that names no delay. */
export function retryInfo(seconds?: bigint, nanos = 0n): Buffer {
  const duration = Buffer.concat([numberField(1, seconds ?? 0n), numberField(2, nanos)]);
  return detail('google.rpc.RetryInfo', seconds === undefined ? Buffer.alloc(0) : bytesField(1, duration));
}

/** A detail of any type: `google.protobuf.Any`. */
export function detail(type: string, value: Uint8Array): Buffer {
  return Buffer.concat([bytesField(1, Buffer.from(`type.googleapis.com/${type}`)), bytesField(2, value)]);
}

export function numberField(field: number, value: bigint): Buffer {
  return Buffer.from([field << 3, ...varint(BigInt.asUintN(64, value))]);
}

export function bytesField(field: number, value: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([(field << 3) | 2, ...varint(BigInt(value.length))]), value]);
}

function varint(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return [...bytes, Number(rest)];
}
