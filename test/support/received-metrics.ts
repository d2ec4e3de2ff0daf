import { type DecodedPoint, decodeMetrics } from './metrics-decoder.ts';
import type { OtlpReceiver, ReceivedRequest } from './otlp-receiver.ts';

/** Requests of metrics that were accepted, by HTTP or gRPC. */
export function metricRequests({ requests }: OtlpReceiver): ReceivedRequest[] {
  return requests.filter(({ accepted, path }) => accepted && /\/v\d\/metrics$|MetricsService/.test(path));
}

/** The data points of accepted requests, in order of arrival. */
export function receivedPoints(receiver: OtlpReceiver, name?: string): DecodedPoint[] {
  const points = metricRequests(receiver).flatMap(decodeMetrics);
  return name === undefined ? points : points.filter((point) => point.name === name);
}
