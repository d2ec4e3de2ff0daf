import type { Signal } from '../../otlp/signal.ts';

export interface OtlpRequest {
  readonly signal: Signal;
  readonly contentType: string;
  readonly body: Uint8Array<ArrayBuffer> | string;
}

/** What the dashboard answers for log records or data points, as far as it is counted. */
export interface OtlpPage {
  readonly resourceLogs?: readonly { readonly scopeLogs: readonly { readonly logRecords: readonly unknown[] }[] }[];
  readonly resourceMetrics?: readonly { readonly scopeMetrics: readonly { readonly metrics: readonly Metric[] }[] }[];
}

/** Its name, its unit and, by the name of its type, its points. */
type Metric = Readonly<Record<string, { readonly dataPoints?: readonly unknown[] } | undefined>>;

const SIGNAL_OF: Readonly<Record<string, Signal>> = {
  resourceSpans: 'traces',
  resourceLogs: 'logs',
  resourceMetrics: 'metrics',
};
const LENGTH_BYTES = 4;

/**
 * The requests that a file holds: a JSON object, an array or lines of them, or protobuf, alone or each with its length
 * in front as the Collector's file exporter writes them. Protobuf does not say of which signal it is; the name of
 * the file does, and it is traces otherwise. None when it is something else.
 */
export function importRequests(name: string, bytes: Uint8Array<ArrayBuffer>): readonly OtlpRequest[] {
  const first = bytes.find((byte) => byte > 0x20);
  const isJson = first === 0x7b || first === 0x5b;
  return isJson ? jsonRequests(new TextDecoder().decode(bytes)) : protobufRequests(name, bytes);
}

/** How many log records or data points there are. */
export function countRecords({ resourceLogs = [], resourceMetrics = [] }: OtlpPage): number {
  const logs = resourceLogs.flatMap(({ scopeLogs }) => scopeLogs.map(({ logRecords }) => logRecords.length));
  const metrics = resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
  const points = metrics.flatMap((metric) => Object.values(metric).map((data) => data?.dataPoints?.length ?? 0));
  return [...logs, ...points].reduce((sum, count) => sum + count, 0);
}

function jsonRequests(text: string): OtlpRequest[] {
  const whole = parse(text);
  const values = whole === undefined ? text.split('\n').map(parse) : Array.isArray(whole) ? whole : [whole];
  return values.flatMap((value: unknown) => {
    if (typeof value !== 'object' || value === null) return [];
    return Object.entries(SIGNAL_OF)
      .filter(([key]) => Object.hasOwn(value, key))
      .map(([, signal]) => ({ signal, contentType: 'application/json', body: JSON.stringify(value) }));
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function protobufRequests(name: string, bytes: Uint8Array<ArrayBuffer>): OtlpRequest[] {
  const signal = /log/i.test(name) ? 'logs' : /metric/i.test(name) ? 'metrics' : 'traces';
  const contentType = 'application/x-protobuf';
  return (framesOf(bytes) ?? [bytes]).filter(({ length }) => length > 0).map((body) => ({ signal, contentType, body }));
}

/** Undefined when the file is no row of frames. */
function framesOf(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const frames: Uint8Array<ArrayBuffer>[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (at + LENGTH_BYTES > bytes.length) return undefined;
    const end = at + LENGTH_BYTES + view.getUint32(at);
    if (end > bytes.length) return undefined;
    frames.push(bytes.subarray(at + LENGTH_BYTES, end));
    at = end;
  }
  return frames;
}
