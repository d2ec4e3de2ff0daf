import { once } from 'node:events';
import { type AddressInfo, createServer, type Server as NetServer, type Socket } from 'node:net';
import type { Metadata, ServerReadableStream, sendUnaryData } from '@grpc/grpc-js';
import { type GrpcLibrary, loadGrpc } from '../../infra/grpc-library.ts';
import type { Clock } from '../../utils/clock.ts';
import type { Signal } from '../otlp/signal.ts';
import type { AppendResult, TelemetryStore } from '../store/telemetry-store.ts';
import type { Access, AccessControl } from './access.ts';
import { encodeExportResponse } from './otlp-receiver.ts';
import { createTenantChoice } from './tenant-choice.ts';

export interface GrpcReceiverOptions {
  readonly port: number;
  readonly host: string;
  readonly store: TelemetryStore;
  readonly accessControl: AccessControl;
  readonly tenantHeader: string | undefined;
  readonly maxBodyBytes: number;
  readonly maxConnections: number;
  readonly clock: Clock;
  /** Called when something was stored. */
  readonly onStored: () => void;
}

type Call = ServerReadableStream<Buffer, Buffer>;

/** Services of OTLP/gRPC (OTLP 1.x). */
const SERVICES: Readonly<Record<Signal, string>> = {
  traces: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
  metrics: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
  logs: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
};
/** Calls that are being read, of all connections: grpc-js holds a message in memory until it is complete. */
const MAX_CALLS = 16;
const MAX_CALLS_OF_CONNECTION = 16;
/** A call that has not come in whole by then is ended. */
const CALL_MILLIS = 10_000;
const IDLE_MILLIS = 30_000;
const MAX_METADATA_BYTES = 32_768;

/**
 * Takes OTLP over gRPC, with what `@grpc/grpc-js` makes of its messages: a token is looked at before a message is read,
 * messages are bounded before and after decompression, and so is how many are read at a time.
 */
export class GrpcReceiver {
  readonly #options: GrpcReceiverOptions;
  readonly #library: GrpcLibrary;
  readonly #listener: NetServer;
  readonly #sockets = new Set<Socket>();
  readonly #close: () => void;
  #reading = 0;

  private constructor(options: GrpcReceiverOptions, library: GrpcLibrary) {
    const { maxBodyBytes, maxConnections } = options;
    this.#options = options;
    this.#library = library;
    const server = new library.Server({
      'grpc.max_receive_message_length': maxBodyBytes,
      'grpc.max_concurrent_streams': MAX_CALLS_OF_CONNECTION,
      'grpc.max_connection_idle_ms': IDLE_MILLIS,
      'grpc.max_metadata_size': MAX_METADATA_BYTES,
      'grpc.enable_channelz': 0,
    } as ConstructorParameters<GrpcLibrary['Server']>[0]);
    for (const signal of Object.keys(SERVICES) as Signal[]) {
      server.addService(
        { Export: definitionOf(SERVICES[signal]) },
        { Export: (call: Call, answer: sendUnaryData<Buffer>) => this.#receive(signal, call, answer) },
      );
    }
    const injector = server.createConnectionInjector(library.ServerCredentials.createInsecure());
    this.#listener = createServer({ noDelay: true }, (socket) => {
      this.#sockets.add(socket);
      // Of a connection that breaks nothing is to be told.
      socket.on('error', () => socket.destroy());
      socket.once('close', () => this.#sockets.delete(socket));
      socket.setTimeout(IDLE_MILLIS, () => socket.destroy());
      injector.injectConnection(socket);
    });
    this.#listener.maxConnections = maxConnections;
    this.#close = () => {
      injector.destroy();
      server.forceShutdown();
    };
  }

  /** Rejects with an `IsotraceError` when `@grpc/grpc-js` is not there, and with Node's error when it cannot listen. */
  static async open(options: GrpcReceiverOptions): Promise<GrpcReceiver> {
    const receiver = new GrpcReceiver(options, await loadGrpc());
    receiver.#listener.listen(options.port, options.host);
    await once(receiver.#listener, 'listening');
    return receiver;
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port;
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#close();
    if (!this.#listener.listening) return;
    const closed = once(this.#listener, 'close');
    this.#listener.close();
    await closed;
  }

  /** A unary call, read as a stream of one message: so that the token is looked at before it. */
  #receive(signal: Signal, call: Call, answer: sendUnaryData<Buffer>): void {
    const { accessControl, clock } = this.#options;
    const { status } = this.#library;
    const access = accessControl.accessOf(readAuthorization(call.metadata));
    let message: Buffer | undefined;
    let isOver = false;
    const end = (code: number, details: string): void => {
      if (isOver) return;
      over();
      answer({ code, details, name: 'Error', message: details });
    };
    const over = (): void => {
      isOver = true;
      this.#reading -= 1;
      timer.cancel();
    };
    this.#reading += 1;
    const timer = clock.schedule(() => end(status.DEADLINE_EXCEEDED, 'the request did not come in time'), CALL_MILLIS);
    call.on('error', () => isOver || over());
    call.once('cancelled', () => isOver || over());
    if (access === undefined) {
      end(status.UNAUTHENTICATED, 'a token is needed');
      return;
    }
    if (!access.canWrite) {
      end(status.PERMISSION_DENIED, 'the token may only read');
      return;
    }
    if (this.#reading > MAX_CALLS) {
      end(status.UNAVAILABLE, 'too much is being received');
      return;
    }
    call.on('data', (data: Buffer) => {
      if (message === undefined) message = data;
      else end(status.INVALID_ARGUMENT, 'a request is one message');
    });
    call.once('end', () => {
      if (isOver) return;
      if (message === undefined) return end(status.INVALID_ARGUMENT, 'a request is one message');
      void this.#store(signal, message, call.metadata, access).then((result) => {
        if (isOver) return;
        if (result.outcome === 'malformed') return end(status.INVALID_ARGUMENT, result.message);
        if (result.outcome === 'overloaded') return end(status.UNAVAILABLE, result.message);
        over();
        answer(null, Buffer.from(encodeExportResponse(result)));
      });
    });
  }

  /** Never rejects. */
  async #store(signal: Signal, bytes: Buffer, metadata: Metadata, access: Access): Promise<AppendResult> {
    const { store, tenantHeader, onStored } = this.#options;
    const named = tenantHeader === undefined ? undefined : metadata.get(tenantHeader)[0];
    const tenantOf = createTenantChoice(typeof named === 'string' ? named : undefined, access);
    try {
      const result = await store.append({ signal, format: 'protobuf', bytes, tenantOf });
      if (result.outcome === 'stored' && result.accepted > 0) onStored();
      return result;
    } catch {
      return { outcome: 'overloaded', message: 'the store failed' };
    }
  }
}

function readAuthorization(metadata: Metadata): { authorization?: string } {
  const [authorization] = metadata.get('authorization');
  return typeof authorization === 'string' ? { authorization } : {};
}

function definitionOf(path: string) {
  const asIs = (bytes: Buffer): Buffer => bytes;
  return {
    ...{ path, requestStream: true, responseStream: false },
    ...{ requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs },
  } as const;
}
