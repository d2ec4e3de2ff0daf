import type { Attributes, Context, Histogram } from '@opentelemetry/api';
import {
  DURATION_BUCKETS,
  type MeasurementKind,
  MeasurementSource,
  type MeterChoice,
  pick,
} from './measurement-source.ts';

/** Where the calls of one tenant are measured. May throw what a meter throws. */
export interface RpcMeasurements {
  /** A call is over; the count of these is the count of calls. */
  duration(seconds: number, attributes: Attributes, context: Context): void;
}

export type RpcMeasurementSource = MeasurementSource<Histogram, RpcMeasurements>;

const SERVER_KEYS = ['rpc.system.name', 'rpc.method', 'rpc.status_code', 'error.type'] as const;
/** Where a server stands, only its clients know for sure. */
const CLIENT_KEYS = [...SERVER_KEYS, 'server.address', 'server.port'] as const;

/** By the RPC semantic conventions, a release candidate. */
export function rpcMeasurements(side: 'client' | 'server', choice: MeterChoice | undefined): RpcMeasurementSource {
  const keys = side === 'client' ? CLIENT_KEYS : SERVER_KEYS;
  const direction = side === 'client' ? 'an outgoing' : 'an incoming';
  const kind: MeasurementKind<Histogram, RpcMeasurements> = {
    create: (meter) =>
      meter.createHistogram(`rpc.${side}.call.duration`, {
        description: `Measures the duration of ${direction} Remote Procedure Call (RPC).`,
        unit: 's',
        advice: { explicitBucketBoundaries: DURATION_BUCKETS },
      }),
    over: (durations, constant) => ({
      duration: (seconds, attributes, context) =>
        durations.record(seconds, { ...pick(attributes, keys), ...constant }, context),
    }),
  };
  return new MeasurementSource(kind, choice);
}
