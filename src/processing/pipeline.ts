import type { GrpcTransport } from '../infra/grpc-request.ts';
import type { Transport } from '../infra/transport.ts';
import type { Clock } from '../utils/clock.ts';
import { PooledIdGenerator } from '../utils/ids.ts';
import { UrlTable } from '../utils/url-table.ts';
import { Agenda } from './agenda.ts';
import { ByteBudget } from './byte-budget.ts';
import { type ChunkPool, createChunkPool } from './chunk-pool.ts';
import { Dispatcher, type DispatcherOptions } from './dispatcher.ts';
import type { ExportRecorder } from './export-recorder.ts';
import { createRetryPolicies, type RetryPolicy, type RetrySettings } from './retry-policy.ts';
import { ScratchWriters } from './scratch-writers.ts';
import { type SpoolHost, Spools } from './spools.ts';
import type { TapSlot } from './telemetry-tap.ts';
import { ScopeBytes } from './wire-parts.ts';

export interface PipelineOptions {
  readonly clock: Clock;
  readonly transport: Transport;
  readonly grpc: GrpcTransport;
  /** Bytes that may wait in memory, of all tenants together. */
  readonly maxTotalBytes: number;
  /** What the spools have to know of the registry. */
  readonly spool?: SpoolHost;
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
  retryPolicy(settings: RetrySettings): RetryPolicy;
  /** Told of exports, where somebody measures them. */
  readonly recorder?: ExportRecorder | undefined;
  readonly chunks: ChunkPool;
  readonly budget: ByteBudget;
  readonly ids: PooledIdGenerator;
  readonly spools: Spools;
  /** Each span is encoded here first, then copied to its queues. */
  readonly scratch: ScratchWriters;
  /** How scopes stand in requests. */
  readonly scopeBytes: ScopeBytes;
  /** The addresses of destinations. */
  readonly urls: UrlTable;
  /** Who listens to what all tenants record. */
  readonly tap: TapSlot;
  /** Stops the timer, gives the spools' directories up and closes all connections. Never rejects. */
  close(): Promise<void>;
}

export function createPipeline(options: PipelineOptions): Pipeline {
  const { clock, transport, grpc, maxTotalBytes, capacity, recorder } = options;
  const { files, guard, ledger, wake } = options.spool ?? {};
  const agenda = new Agenda(clock);
  const chunks = createChunkPool();
  const budget = new ByteBudget(maxTotalBytes);
  const spools = new Spools({ clock, agenda, budget, chunks, files, guard, ledger, wake });
  return {
    clock,
    transport,
    grpc,
    agenda,
    dispatcher: new Dispatcher(capacity),
    retryPolicy: createRetryPolicies(clock),
    recorder,
    chunks,
    budget,
    spools,
    ids: new PooledIdGenerator(),
    scratch: new ScratchWriters(),
    scopeBytes: new ScopeBytes(),
    urls: new UrlTable(),
    tap: { current: undefined },
    close: async () => {
      agenda.close();
      spools.close();
      await Promise.all([transport.close(), grpc.close()]);
    },
  };
}
