import type { ResourceGroup } from './otlp-frame.ts';
import { payloadStart, recordEnd } from './record-chunk.ts';
import type { SpanBatch } from './span-batch.ts';

const EMPTY_SCOPE = Buffer.from('{}');
const REQUEST_START = '{"resourceSpans":[';
const RESOURCE_START = '{"resource":';
const NEXT_RESOURCE = `,${RESOURCE_START}`;
const GROUPS_START = ',"scopeSpans":[';
const SCOPE_START = '{"scope":';
const SPANS_START = ',"spans":[';
const SPANS_END = ']}';
const RESOURCE_END = ']}';
const REQUEST_END = ']}';
const REQUEST_BYTES = REQUEST_START.length + REQUEST_END.length;
const RESOURCE_BYTES = NEXT_RESOURCE.length + GROUPS_START.length + RESOURCE_END.length;
const GROUP_BYTES = SCOPE_START.length + SPANS_START.length + SPANS_END.length + 1;

/**
 * The body of an OTLP/HTTP request in JSON, with one resource, of a batch of spans in JSON. `scopes` holds the
 * instrumentation scopes by the index that the spans were queued with; one that is missing is sent empty.
 */
export function frameJsonRequest(resource: Uint8Array, scopes: readonly Uint8Array[], batch: SpanBatch): Buffer {
  const runs = batch.runs.map(({ scopeIndex, parts }) => ({ scope: scopes[scopeIndex] ?? EMPTY_SCOPE, parts }));
  return frameJsonGroups([{ resource, runs }], batch.bytes);
}

/** As {@link frameJsonRequest}, with several resources; `bytes` is the length of all records. */
export function frameJsonGroups(groups: readonly ResourceGroup[], bytes: number): Buffer {
  // The head of a record, which is left out, is longer than the comma that may take its place.
  const body = Buffer.allocUnsafeSlow(groups.reduce((sum, group) => sum + headBytes(group), REQUEST_BYTES + bytes));

  let offset = 0;
  const write = (text: string): void => {
    offset += body.write(text, offset, 'latin1');
  };
  const copy = (source: Uint8Array): void => {
    body.set(source, offset);
    offset += source.length;
  };

  write(REQUEST_START);
  for (const [groupIndex, { resource, runs }] of groups.entries()) {
    write(groupIndex > 0 ? NEXT_RESOURCE : RESOURCE_START);
    copy(resource);
    write(GROUPS_START);
    for (const [index, { scope, parts }] of runs.entries()) {
      if (index > 0) write(',');
      write(SCOPE_START);
      copy(scope);
      write(SPANS_START);
      const spansAt = offset;
      for (const part of parts) {
        for (let record = 0; record < part.length; ) {
          const end = recordEnd(part, record);
          if (offset > spansAt) write(',');
          copy(part.subarray(payloadStart(part, record), end));
          record = end;
        }
      }
      write(SPANS_END);
    }
    write(RESOURCE_END);
  }
  write(REQUEST_END);
  return body.subarray(0, offset);
}

function headBytes({ resource, runs }: ResourceGroup): number {
  return runs.reduce((sum, { scope }) => sum + GROUP_BYTES + scope.length, RESOURCE_BYTES + resource.length);
}
