import type { TelemetrySignal } from '../utils/telemetry-signal.ts';
import type { AttributeList, EndedSpan } from './ended-span.ts';
import { frameJsonGroups, frameJsonLogGroups, frameJsonLogs, frameJsonRequest } from './json-frame.ts';
import { encodeLog } from './log-encoder.ts';
import { encodeLogJson } from './log-json.ts';
import type { LogRecord } from './log-record.ts';
import { frameTraceGroups, frameTraceRequest, type ResourceGroup } from './otlp-frame.ts';
import type { ProtoWriter } from './proto-writer.ts';
import type { SpanBatch } from './span-batch.ts';
import { encodeResource, encodeScope, encodeSpan, type InstrumentationScopeLike } from './span-encoder.ts';
import { encodeResourceJson, encodeScopeJson, encodeSpanJson } from './span-json.ts';

/** How records, spans or others, look in a queue and in a request. All that goes into one request is of one format. */
export interface WireFormat<Item = EndedSpan> {
  readonly signal: TelemetrySignal;
  readonly contentType: string;
  /** Appends the payload of one queue record. Throws for one that cannot be sent; `rewind` the writer then. */
  encode(writer: ProtoWriter, item: Item): void;
  /** To be made once and kept. Throws on attributes larger than 16 MiB. */
  encodeResource(attributes: AttributeList): Uint8Array;
  /** To be made once and kept. */
  encodeScope(scope: InstrumentationScopeLike): Uint8Array;
  /** The body of a request; `scopes` by the index that the records were queued with. */
  frame(resource: Uint8Array, scopes: readonly Uint8Array[], batch: SpanBatch): Buffer;
  /** The body of a request with several resources, whose records are `bytes` long together. */
  frameGroups(groups: readonly ResourceGroup[], bytes: number): Buffer;
}

/** OTLP `http/protobuf`; the body alone is also the message of `grpc`. */
export const PROTOBUF: WireFormat = {
  signal: 'traces',
  contentType: 'application/x-protobuf',
  encode: encodeSpan,
  encodeResource,
  encodeScope,
  frame: (resource, scopes, batch) => frameTraceRequest(resource, scopes, batch),
  frameGroups: frameTraceGroups,
};

/** OTLP `http/json`. */
export const JSON_FORMAT: WireFormat = {
  signal: 'traces',
  contentType: 'application/json',
  encode: encodeSpanJson,
  encodeResource: encodeResourceJson,
  encodeScope: encodeScopeJson,
  frame: frameJsonRequest,
  frameGroups: frameJsonGroups,
};

/** {@link PROTOBUF} for log records: all but the record itself has the same field numbers. */
export const PROTOBUF_LOGS: WireFormat<LogRecord> = { ...PROTOBUF, signal: 'logs', encode: encodeLog };

/** {@link JSON_FORMAT} for log records. */
export const JSON_LOGS: WireFormat<LogRecord> = {
  ...JSON_FORMAT,
  signal: 'logs',
  encode: encodeLogJson,
  frame: frameJsonLogs,
  frameGroups: frameJsonLogGroups,
};
