const RESOURCE_SPANS = 1;
const SCOPE_SPANS = 2;
const SPANS = 2;
const LENGTH_DELIMITED = 2;

/** How many spans an `ExportTraceServiceRequest` has, without decoding them. */
export function countSpans(request: Uint8Array): number {
  let count = 0;
  eachMessage(request, RESOURCE_SPANS, (resourceSpans) => {
    eachMessage(resourceSpans, SCOPE_SPANS, (scopeSpans) => {
      eachMessage(scopeSpans, SPANS, () => {
        count += 1;
      });
    });
  });
  return count;
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
