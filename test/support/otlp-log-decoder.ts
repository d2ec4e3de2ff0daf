import { createRequire } from 'node:module';
import { type MessageType, type RawKeyValue, type RawValue, toHex, toRecord, toValue } from './otlp-decoder.ts';
import * as json from './otlp-json-decoder.ts';
import type { OtlpReceiver } from './otlp-receiver.ts';

/** A decoded `LogRecord` with what is around it: ids as lower-case hex, times in nanoseconds, plain values. */
export interface DecodedLog {
  readonly resource: Record<string, unknown>;
  readonly scope: { readonly name: string; readonly version: string };
  readonly timeUnixNano: bigint;
  readonly observedTimeUnixNano: bigint;
  readonly severityNumber: number;
  readonly severityText: string;
  readonly body: unknown;
  readonly attributes: Record<string, unknown>;
  readonly droppedAttributesCount: number;
  /** Empty outside spans, as the span's. */
  readonly traceId: string;
  readonly spanId: string;
  readonly flags: number;
  readonly eventName: string;
}

/** The records of the log requests that a receiver accepted, in order of arrival. */
export function logsOf({ requests }: OtlpReceiver): DecodedLog[] {
  return requests
    .filter(({ accepted, path }) => accepted && /\/v\d\/logs$|logs\.v1\.LogsService\/Export$/.test(path))
    .flatMap(({ body, headers }) =>
      headers['content-type'] === 'application/json' ? decodeJsonLogs(body) : decodeLogs(body),
    );
}

/** Decodes a body in protobuf with OpenTelemetry's own generated decoder. Throws on malformed bytes. */
export function decodeLogs(body: Uint8Array): DecodedLog[] {
  const options = { defaults: true, longs: String, bytes: Array };
  const request = requestType.toObject(requestType.decode(body), options) as unknown as RawRequest;
  return request.resourceLogs.flatMap(({ resource, scopeLogs }) =>
    scopeLogs.flatMap(({ logRecords, scope }) =>
      logRecords.map((raw) => ({
        resource: toRecord(resource?.attributes ?? []),
        scope: { name: scope?.name ?? '', version: scope?.version ?? '' },
        timeUnixNano: BigInt(raw.timeUnixNano),
        observedTimeUnixNano: BigInt(raw.observedTimeUnixNano),
        severityNumber: raw.severityNumber,
        severityText: raw.severityText,
        body: raw.body === null ? undefined : toValue(raw.body),
        attributes: toRecord(raw.attributes),
        droppedAttributesCount: raw.droppedAttributesCount,
        traceId: toHex(raw.traceId),
        spanId: toHex(raw.spanId),
        flags: raw.flags,
        eventName: raw.eventName,
      })),
    ),
  );
}

/** Decodes a body in JSON. Throws on bytes that are no UTF-8. */
export function decodeJsonLogs(body: Uint8Array): DecodedLog[] {
  const request = json.parse(body) as { resourceLogs: JsonResourceLogs[] };
  return request.resourceLogs.flatMap(({ resource, scopeLogs }) =>
    scopeLogs.flatMap(({ logRecords, scope }) =>
      logRecords.map((raw) => ({
        resource: json.toRecord(resource.attributes ?? []),
        scope: { name: scope.name ?? '', version: scope.version ?? '' },
        timeUnixNano: BigInt(raw.timeUnixNano ?? 0),
        observedTimeUnixNano: BigInt(raw.observedTimeUnixNano ?? 0),
        severityNumber: raw.severityNumber ?? 0,
        severityText: raw.severityText ?? '',
        body: raw.body && json.toValue(raw.body),
        attributes: json.toRecord(raw.attributes ?? []),
        droppedAttributesCount: raw.droppedAttributesCount ?? 0,
        traceId: raw.traceId ?? '',
        spanId: raw.spanId ?? '',
        flags: raw.flags ?? 0,
        eventName: raw.eventName ?? '',
      })),
    ),
  );
}

// From 0.209 on the transformer ships no generated decoder any more, hence the alias of 0.208.
const generated = createRequire(import.meta.url)('otlp-transformer-208/build/src/generated/root.js') as {
  opentelemetry: { proto: { collector: { logs: { v1: { ExportLogsServiceRequest: MessageType } } } } };
};
const requestType = generated.opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest;

interface RawLog extends Omit<DecodedLog, 'resource' | 'scope' | 'body' | 'attributes'> {}

interface RawRequest {
  readonly resourceLogs: readonly {
    readonly resource: { readonly attributes: RawKeyValue[] } | null;
    readonly scopeLogs: readonly {
      readonly scope: { readonly name: string; readonly version: string } | null;
      readonly logRecords: readonly (Omit<RawLog, 'timeUnixNano' | 'observedTimeUnixNano' | 'traceId' | 'spanId'> & {
        readonly timeUnixNano: string;
        readonly observedTimeUnixNano: string;
        readonly body: RawValue | null;
        readonly attributes: RawKeyValue[];
        readonly traceId: number[];
        readonly spanId: number[];
      })[];
    }[];
  }[];
}

interface JsonResourceLogs {
  readonly resource: { readonly attributes?: Parameters<typeof json.toRecord>[0] };
  readonly scopeLogs: readonly {
    readonly scope: { readonly name?: string; readonly version?: string };
    readonly logRecords: readonly {
      readonly timeUnixNano?: string;
      readonly observedTimeUnixNano?: string;
      readonly severityNumber?: number;
      readonly severityText?: string;
      readonly body?: Parameters<typeof json.toValue>[0];
      readonly attributes?: Parameters<typeof json.toRecord>[0];
      readonly droppedAttributesCount?: number;
      readonly traceId?: string;
      readonly spanId?: string;
      readonly flags?: number;
      readonly eventName?: string;
    }[];
  }[];
}
