import { varintLength, writeVarint } from './proto-writer.ts';
import type { SpanBatch } from './span-batch.ts';

/**
 * Tags of collector/trace/v1/trace_service.proto and trace/v1/trace.proto, which are those of logs and metrics too; all
 * fields are length-delimited.
 */
const REQUEST = { resourceSpans: 0x0a } as const;
const RESOURCE_SPANS = { resource: 0x0a, scopeSpans: 0x12, schemaUrl: 0x1a } as const;
const SCOPE_SPANS = { scope: 0x0a } as const;

const EMPTY = new Uint8Array(0);

/** Encoded spans of one resource, by their encoded instrumentation scopes. */
export interface ResourceGroup {
  readonly resource: Uint8Array;
  readonly runs: readonly { readonly scope: Uint8Array; readonly parts: readonly Uint8Array[] }[];
}

/** As {@link frameTraceRequest}, with several resources. */
export function frameTraceGroups(groups: readonly ResourceGroup[]): Buffer {
  return Buffer.concat(groups.map(({ resource, runs }) => frameResource(resource, runs, '')));
}

/**
 * The body of an OTLP/HTTP request, an `ExportTraceServiceRequest` with one resource. `scopes` holds the
 * encoded instrumentation scopes by the index that the spans were queued with; one that is missing is sent
 * empty. Bodies put one after the other are a valid request with several resources.
 */
export function frameTraceRequest(
  resource: Uint8Array,
  scopes: readonly Uint8Array[],
  batch: SpanBatch,
  schemaUrl = '',
): Buffer {
  const runs = batch.runs.map(({ scopeIndex, parts }) => ({ scope: scopes[scopeIndex] ?? EMPTY, parts }));
  return frameResource(resource, runs, schemaUrl);
}

function frameResource(resource: Uint8Array, runs: ResourceGroup['runs'], schemaUrl: string): Buffer {
  const groups = runs.map(({ scope, parts }) => {
    const spanBytes = parts.reduce((sum, part) => sum + part.length, 0);
    return { scope, parts, length: fieldLength(scope.length) + spanBytes };
  });
  const schemaUrlBytes = Buffer.byteLength(schemaUrl);
  const groupBytes = groups.reduce((sum, group) => sum + fieldLength(group.length), 0);
  const length = fieldLength(resource.length) + groupBytes + (schemaUrlBytes > 0 ? fieldLength(schemaUrlBytes) : 0);

  const body = Buffer.allocUnsafeSlow(fieldLength(length));
  let offset = writeHeader(body, 0, REQUEST.resourceSpans, length);
  offset = writeField(body, offset, RESOURCE_SPANS.resource, resource);
  for (const group of groups) {
    offset = writeHeader(body, offset, RESOURCE_SPANS.scopeSpans, group.length);
    offset = writeField(body, offset, SCOPE_SPANS.scope, group.scope);
    for (const part of group.parts) {
      body.set(part, offset);
      offset += part.length;
    }
  }
  if (schemaUrlBytes > 0) {
    offset = writeHeader(body, offset, RESOURCE_SPANS.schemaUrl, schemaUrlBytes);
    body.write(schemaUrl, offset);
  }
  return body;
}

function fieldLength(length: number): number {
  return 1 + varintLength(length) + length;
}

function writeHeader(body: Uint8Array, offset: number, tag: number, length: number): number {
  body[offset] = tag;
  return writeVarint(body, offset + 1, length);
}

function writeField(body: Uint8Array, offset: number, tag: number, content: Uint8Array): number {
  const start = writeHeader(body, offset, tag, content.length);
  body.set(content, start);
  return start + content.length;
}
