const RESOURCE_SPANS = 1;
const SCOPE_SPANS = 2;
const SPANS = 2;
const LENGTH_DELIMITED = 2;
const FIXED64 = 1;
const FIXED32 = 5;
const END_TIME_TAG = (8 << 3) | FIXED64;

/** How many spans an `ExportTraceServiceRequest` has, without decoding them. */
export function countSpans(request: Uint8Array): number {
  let count = 0;
  eachSpan(request, () => {
    count += 1;
  });
  return count;
}

/** When each span of a request ended, in milliseconds since the epoch. */
export function endTimes(request: Uint8Array): number[] {
  const times: number[] = [];
  eachSpan(request, (span) => times.push(endTime(span)));
  return times;
}

function eachSpan(request: Uint8Array, visit: (span: Uint8Array) => void): void {
  eachMessage(request, RESOURCE_SPANS, (resourceSpans) => {
    eachMessage(resourceSpans, SCOPE_SPANS, (scopeSpans) => eachMessage(scopeSpans, SPANS, visit));
  });
}

/** `Span.end_time_unix_nano`, a fixed64. */
function endTime(span: Uint8Array): number {
  const view = new DataView(span.buffer, span.byteOffset, span.byteLength);
  for (let offset = 0; offset < span.length; ) {
    const tag = span[offset++] ?? 0;
    if (tag === END_TIME_TAG) return Number(view.getBigUint64(offset, true) / 1_000_000n);
    const type = tag & 7;
    if (type === FIXED64) offset += 8;
    else if (type === FIXED32) offset += 4;
    else {
      let length = 0;
      let byte = 0x80;
      for (let shift = 0; byte >= 0x80; shift += 7) {
        byte = span[offset++] ?? 0;
        length |= (byte & 0x7f) << shift;
      }
      if (type === LENGTH_DELIMITED) offset += length;
    }
  }
  throw new Error('a span without an end');
}

/** Calls `visit` for each embedded message of one field. All fields on the way to the spans are length-delimited. */
function eachMessage(bytes: Uint8Array, field: number, visit: (message: Uint8Array) => void): void {
  const tag = (field << 3) | LENGTH_DELIMITED;
  for (let offset = 0; offset < bytes.length; ) {
    const found = bytes[offset] === tag;
    let length = 0;
    let byte = 0x80;
    offset += 1;
    for (let shift = 0; byte >= 0x80; shift += 7) {
      byte = bytes[offset++] ?? 0;
      length |= (byte & 0x7f) << shift;
    }
    if (found) visit(bytes.subarray(offset, offset + length));
    offset += length;
  }
}
