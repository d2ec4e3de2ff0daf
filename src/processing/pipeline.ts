import type { GrpcTransport } from '../infra/grpc-request.ts';
import type { Transport } from '../infra/transport.ts';
import type { Clock } from '../utils/clock.ts';
import { PooledIdGenerator } from '../utils/ids.ts';
import { Agenda } from './agenda.ts';
import { ByteBudget } from './byte-budget.ts';
import { type ChunkPool, createChunkPool } from './chunk-pool.ts';
import { Dispatcher, type DispatcherOptions } from './dispatcher.ts';
import type { ExportRecorder } from './export-recorder.ts';
import { ProtoWriter } from './proto-writer.ts';
import { createRetryPolicy, type RetryPolicy } from './retry-policy.ts';

export interface PipelineOptions {
  readonly clock: Clock;
  readonly transport: Transport;
  readonly grpc: GrpcTransport;
  /** Bytes that may wait in memory, of all tenants together. */
  readonly maxTotalBytes: number;
  /** Requests at a time to one origin. Default: the dispatcher's. */
  readonly capacity?: DispatcherOptions;
  readonly recorder?: ExportRecorder | undefined;
}

/** The machinery that all tenants of a registry share: one timer, one set of connections, one byte budget. */
export interface Pipeline {
  readonly clock: Clock;
  readonly transport: Transport;
  readonly grpc: GrpcTransport;
  readonly agenda: Agenda;
  readonly dispatcher: Dispatcher;
  readonly retryPolicy: RetryPolicy;
  /** Told of exports, where somebody measures them. */
  readonly recorder?: ExportRecorder | undefined;
  readonly chunks: ChunkPool;
  readonly budget: ByteBudget;
  readonly ids: PooledIdGenerator;
  /** Each span is encoded here first, then copied to its queues. */
  readonly scratch: ProtoWriter;
  /** Stops the timer and closes all connections. Never rejects. */
  close(): Promise<void>;
}

export function createPipeline(options: PipelineOptions): Pipeline {
  const { clock, transport, grpc, maxTotalBytes, capacity, recorder } = options;
  const agenda = new Agenda(clock);
  return {
    clock,
    transport,
    grpc,
    agenda,
    dispatcher: new Dispatcher(capacity),
    retryPolicy: createRetryPolicy({ clock }),
    recorder,
    chunks: createChunkPool(),
    budget: new ByteBudget(maxTotalBytes),
    ids: new PooledIdGenerator(),
    scratch: new ProtoWriter(),
    close: async () => {
      agenda.close();
      await Promise.all([transport.close(), grpc.close()]);
    },
  };
}
