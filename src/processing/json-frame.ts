import type { ResourceGroup } from './otlp-frame.ts';
import { payloadStart, recordEnd } from './record-chunk.ts';
import type { SpanBatch } from './span-batch.ts';

const EMPTY_SCOPE = Buffer.from('{}');
const RESOURCE_START = '{"resource":';
const NEXT_RESOURCE = `,${RESOURCE_START}`;
const SCOPE_START = '{"scope":';
const RECORDS_END = ']}';
const RESOURCE_END = ']}';
const REQUEST_END = ']}';

/** How a signal's lists are called. */
interface ListNames {
  readonly requestStart: string;
  readonly groupsStart: string;
  readonly recordsStart: string;
}

const TRACES = listNames('resourceSpans', 'scopeSpans', 'spans');
const LOGS = listNames('resourceLogs', 'scopeLogs', 'logRecords');

/**
 * The body of an OTLP/HTTP request in JSON, with one resource, of a batch of spans in JSON. `scopes` holds the
 * instrumentation scopes by the index that the spans were queued with; one that is missing is sent empty.
 */
export function frameJsonRequest(resource: Uint8Array, scopes: readonly Uint8Array[], batch: SpanBatch): Buffer {
  return frameJsonGroups([groupOf(resource, scopes, batch)], batch.bytes);
}

/** As {@link frameJsonRequest}, with several resources; `bytes` is the length of all records. */
export function frameJsonGroups(groups: readonly ResourceGroup[], bytes: number): Buffer {
  return frameGroups(groups, bytes, TRACES);
}

/** As {@link frameJsonGroups}, of log records. */
export function frameJsonLogGroups(groups: readonly ResourceGroup[], bytes: number): Buffer {
  return frameGroups(groups, bytes, LOGS);
}

/** As {@link frameJsonRequest}, of log records. */
export function frameJsonLogs(resource: Uint8Array, scopes: readonly Uint8Array[], batch: SpanBatch): Buffer {
  return frameJsonLogGroups([groupOf(resource, scopes, batch)], batch.bytes);
}

function groupOf(resource: Uint8Array, scopes: readonly Uint8Array[], batch: SpanBatch): ResourceGroup {
  const runs = batch.runs.map(({ scopeIndex, parts }) => ({ scope: scopes[scopeIndex] ?? EMPTY_SCOPE, parts }));
  return { resource, runs };
}

function frameGroups(groups: readonly ResourceGroup[], bytes: number, names: ListNames): Buffer {
  // The head of a record, which is left out, is longer than the comma that may take its place.
  const body = Buffer.allocUnsafeSlow(
    groups.reduce(
      (sum, group) => sum + headBytes(group, names),
      names.requestStart.length + REQUEST_END.length + bytes,
    ),
  );

  let offset = 0;
  const write = (text: string): void => {
    offset += body.write(text, offset, 'latin1');
  };
  const copy = (source: Uint8Array): void => {
    body.set(source, offset);
    offset += source.length;
  };

  write(names.requestStart);
  for (const [groupIndex, { resource, runs }] of groups.entries()) {
    write(groupIndex > 0 ? NEXT_RESOURCE : RESOURCE_START);
    copy(resource);
    write(names.groupsStart);
    for (const [index, { scope, parts }] of runs.entries()) {
      if (index > 0) write(',');
      write(SCOPE_START);
      copy(scope);
      write(names.recordsStart);
      const recordsAt = offset;
      for (const part of parts) {
        for (let record = 0; record < part.length; ) {
          const end = recordEnd(part, record);
          if (offset > recordsAt) write(',');
          copy(part.subarray(payloadStart(part, record), end));
          record = end;
        }
      }
      write(RECORDS_END);
    }
    write(RESOURCE_END);
  }
  write(REQUEST_END);
  return body.subarray(0, offset);
}

function headBytes({ resource, runs }: ResourceGroup, { groupsStart, recordsStart }: ListNames): number {
  const resourceBytes = NEXT_RESOURCE.length + resource.length + groupsStart.length + RESOURCE_END.length;
  const groupBytes = SCOPE_START.length + recordsStart.length + RECORDS_END.length + 1;
  return runs.reduce((sum, { scope }) => sum + groupBytes + scope.length, resourceBytes);
}

function listNames(resources: string, scopes: string, records: string): ListNames {
  return {
    requestStart: `{"${resources}":[`,
    groupsStart: `,"${scopes}":[`,
    recordsStart: `,"${records}":[`,
  };
}
