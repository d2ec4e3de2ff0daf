import { createRequire } from 'node:module';

/** A data point of an `ExportMetricsServiceRequest`, with what is said of its metric. */
export interface DecodedPoint {
  readonly resource: Record<string, unknown>;
  readonly scope: string;
  readonly name: string;
  readonly unit: string;
  readonly description: string;
  readonly shape: 'gauge' | 'sum' | 'histogram' | 'exponentialHistogram';
  readonly temporality: 'none' | 'delta' | 'cumulative';
  readonly isMonotonic: boolean;
  readonly attributes: Record<string, unknown>;
  readonly start: bigint;
  readonly time: bigint;
  /** Of a gauge or a sum. */
  readonly value?: number;
  /** How it was sent. */
  readonly valueKind?: 'int' | 'double';
  readonly count?: number;
  readonly sum?: number;
  readonly min?: number;
  readonly max?: number;
  readonly buckets?: readonly number[];
  readonly bounds?: readonly number[];
  readonly scale?: number;
  readonly zeroCount?: number;
  readonly offset?: number;
  readonly exemplars: readonly { traceId: string; spanId: string; value: number; time: bigint }[];
}

interface MessageType {
  decode(body: Uint8Array): object;
  toObject(message: object, options: object): unknown;
}

// From 0.209 on the transformer ships no generated decoder any more, hence the alias of 0.208.
const generated = createRequire(import.meta.url)('otlp-transformer-208/build/src/generated/root.js') as {
  opentelemetry: { proto: { collector: { metrics: { v1: { ExportMetricsServiceRequest: MessageType } } } } };
};
const requestType = generated.opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest;

/** Decodes a protobuf body with OpenTelemetry's own generated decoder. Throws on malformed bytes. */
export function decodeMetricsRequest(body: Uint8Array): DecodedPoint[] {
  // Without defaults a field that was not sent is not there.
  return flatten(requestType.toObject(requestType.decode(body), { longs: String, bytes: Array, arrays: true }) as Raw);
}

/** Decodes a body in JSON. */
export function decodeJsonMetricsRequest(body: Uint8Array): DecodedPoint[] {
  return flatten(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)) as Raw);
}

/** Whichever of both it is. */
export function decodeMetrics({
  body,
  headers,
}: {
  readonly body: Uint8Array;
  readonly headers: object;
}): DecodedPoint[] {
  const type = String((headers as Record<string, unknown>)['content-type']);
  return type.startsWith('application/json') ? decodeJsonMetricsRequest(body) : decodeMetricsRequest(body);
}

/** Any of the messages: each field is optional, as in every proto3 message. */
type Raw = Record<string, never> & {
  readonly [Field in 'resource' | 'scope' | 'gauge' | 'sum' | 'histogram' | 'exponentialHistogram' | 'value']?: Raw;
} & {
  readonly [Field in
    | 'resourceMetrics'
    | 'scopeMetrics'
    | 'metrics'
    | 'dataPoints'
    | 'attributes'
    | 'exemplars']?: Raw[];
};

const SHAPES = ['gauge', 'sum', 'histogram', 'exponentialHistogram'] as const;
const TEMPORALITIES = ['none', 'delta', 'cumulative'] as const;

function flatten(request: Raw): DecodedPoint[] {
  return (request.resourceMetrics ?? []).flatMap(({ resource, scopeMetrics }) =>
    (scopeMetrics ?? []).flatMap(({ scope, metrics }) =>
      (metrics ?? []).flatMap((metric) => pointsOf(metric, record(resource?.attributes), text(scope?.['name']))),
    ),
  );
}

function pointsOf(metric: Raw, resource: Record<string, unknown>, scope: string): DecodedPoint[] {
  const shape = SHAPES.find((candidate) => metric[candidate] !== undefined);
  if (shape === undefined) throw new Error('a metric without data');
  const data = metric[shape] as Raw;
  return (data.dataPoints ?? []).map((point) => ({
    ...{ resource, scope, shape },
    name: text(metric['name']),
    unit: text(metric['unit']),
    description: text(metric['description']),
    temporality: TEMPORALITIES[Number(data['aggregationTemporality'] ?? 0)] ?? 'none',
    isMonotonic: data['isMonotonic'] === (true as never),
    attributes: record(point.attributes),
    start: BigInt(point['startTimeUnixNano'] ?? 0),
    time: BigInt(point['timeUnixNano'] ?? 0),
    ...numbersOf(point, shape),
    exemplars: (point.exemplars ?? []).map((exemplar) => ({
      traceId: id(exemplar['traceId']),
      spanId: id(exemplar['spanId']),
      value: Number(exemplar['asInt'] ?? exemplar['asDouble']),
      time: BigInt(exemplar['timeUnixNano'] ?? 0),
    })),
  }));
}

function numbersOf(point: Raw, shape: DecodedPoint['shape']): Partial<DecodedPoint> {
  if (shape === 'gauge' || shape === 'sum') {
    const isInt = point['asInt'] !== undefined;
    return { value: Number(isInt ? point['asInt'] : point['asDouble']), valueKind: isInt ? 'int' : 'double' };
  }
  const numbers = (list: unknown): number[] => ((list ?? []) as unknown[]).map(Number);
  const distribution = {
    count: Number(point['count'] ?? 0),
    sum: Number(point['sum']),
    min: Number(point['min']),
    max: Number(point['max']),
  };
  if (shape === 'histogram') {
    return { ...distribution, buckets: numbers(point['bucketCounts']), bounds: numbers(point['explicitBounds']) };
  }
  const positive = (point['positive'] ?? {}) as Record<string, unknown>;
  return {
    ...distribution,
    scale: Number(point['scale'] ?? 0),
    zeroCount: Number(point['zeroCount'] ?? 0),
    offset: Number(positive['offset'] ?? 0),
    buckets: numbers(positive['bucketCounts']),
  };
}

function record(pairs: readonly Raw[] | undefined): Record<string, unknown> {
  return Object.fromEntries(
    (pairs ?? []).map(({ key, value }) => [key, plainValue(value as unknown as Record<string, unknown>)]),
  );
}

function plainValue(value: Record<string, unknown>): unknown {
  if (value['intValue'] !== undefined) return Number(value['intValue']);
  if (value['arrayValue'] !== undefined) {
    return (value['arrayValue'] as { values: Record<string, unknown>[] }).values.map(plainValue);
  }
  return value['stringValue'] ?? value['boolValue'] ?? value['doubleValue'] ?? null;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Hex, of hex or bytes. */
function id(value: unknown): string {
  return typeof value === 'string' ? value : Buffer.from((value ?? []) as number[]).toString('hex');
}
