import type { Interceptor, Metadata, ServerInterceptingCallInterface, ServerInterceptor } from '@grpc/grpc-js';
import { InterceptingCall, ServerInterceptingCall } from '@grpc/grpc-js';
import { integrationEngine, refuseOptions } from './core/integration-host.ts';
import type { TracerRegistry } from './core/registry.ts';
import type { TracerBase } from './core/tracer-base.ts';
import { RpcClientCall } from './integration/rpc-client-call.ts';
import { rpcMeasurements } from './integration/rpc-measurements.ts';
import { type RpcClientOptions, type RpcOptions, readRpcClientOptions } from './integration/rpc-options.ts';
import { RpcHandler, type RpcServerCall } from './integration/rpc-server-call.ts';
import { IssueLog } from './utils/option-reader.ts';

/** How calls to a server get their tenant. */
export type GrpcServerOptions = RpcOptions<Metadata, ServerInterceptingCallInterface>;
/** How calls of a client are measured. */
export type GrpcClientOptions = RpcClientOptions;

type Listener = Parameters<ServerInterceptingCall['start']>[0];

/**
 * An interceptor for clients of `@grpc/grpc-js`: a CLIENT span around each call, unary or streaming, and the trace and
 * the allowed baggage in its metadata where `propagation.propagateTo` says. For a tracer's tenant, or, given a registry,
 * for the tenant that the code runs for at each call; outside every tenant calls are passed on.
 *
 * @throws IsotraceError with code `config_invalid`, only if the registry has `strict: true`
 */
export function clientInterceptor(
  tracerOrRegistry: TracerBase | TracerRegistry<TracerBase>,
  options: GrpcClientOptions = {},
): Interceptor {
  const engineIn = integrationEngine(tracerOrRegistry);
  const issues = new IssueLog();
  const measurements = rpcMeasurements('client', readRpcClientOptions('grpc', options, issues).meterProvider);
  refuseOptions(tracerOrRegistry, issues.list());
  return (callOptions, nextCall) => {
    const { path, requestStream, responseStream } = callOptions.method_definition;
    const isStream = requestStream || responseStream;
    const call = RpcClientCall.of(engineIn(), { path, isStream, measurements });
    const inner = nextCall(callOptions);
    if (call === undefined) return new InterceptingCall(inner);
    return new InterceptingCall(inner, {
      start: (metadata, _listener, next) => {
        const sent = call.start(metadata, () => inner.getPeer());
        try {
          next(sent, {
            onReceiveMetadata: (received, proceed) => call.run(() => proceed(received)),
            onReceiveMessage: (message, proceed) => {
              call.received();
              call.run(() => proceed(message));
            },
            onReceiveStatus: (status, proceed) => {
              call.end(status);
              call.run(() => proceed(status));
            },
          });
        } catch (error) {
          call.fail();
          throw error;
        }
      },
      sendMessage: (message, next) => {
        call.sent();
        next(message);
      },
    });
  };
}

/**
 * An interceptor for servers of `@grpc/grpc-js`: the work of each call, unary or streaming, runs as its tenant, inside
 * one SERVER span that ends with the call's status, or when the client went away. In the server's `interceptors` it
 * comes after those that authenticate.
 *
 * @throws IsotraceError with code `config_invalid`, only if the registry has `strict: true`
 */
export function serverInterceptor(registry: TracerRegistry<TracerBase>, options: GrpcServerOptions): ServerInterceptor {
  const handler = new RpcHandler<Metadata, ServerInterceptingCallInterface>(registry, options);
  return ({ path, requestStream, responseStream }, nextCall) =>
    new TracedServerCall(nextCall, handler.call(path, requestStream || responseStream, nextCall));
}

class TracedServerCall extends ServerInterceptingCall {
  readonly #traced: RpcServerCall<Metadata, ServerInterceptingCallInterface>;

  constructor(
    nextCall: ServerInterceptingCallInterface,
    traced: RpcServerCall<Metadata, ServerInterceptingCallInterface>,
  ) {
    super(nextCall, {
      // Messages wait in the library until the metadata were passed on.
      start: (next) =>
        next({ onReceiveMetadata: (metadata, proceed) => traced.arrive(metadata, () => proceed(metadata)) }),
      sendStatus: (status, next) => {
        traced.end(status);
        next(status);
      },
    });
    this.#traced = traced;
  }

  /** The library tells what happens in the context of the connection, which knows no tenant. */
  override start(listener: Listener): void {
    const traced = this.#traced;
    super.start({
      onReceiveMetadata: (metadata) => traced.handOver(() => listener.onReceiveMetadata(metadata)),
      onReceiveMessage: (message: unknown) => {
        traced.received();
        traced.run(() => listener.onReceiveMessage(message));
      },
      onReceiveHalfClose: () => traced.handOver(() => listener.onReceiveHalfClose()),
      onCancel: () => {
        traced.cancelled();
        traced.run(() => listener.onCancel());
      },
    });
  }

  override sendMessage(message: unknown, callback: () => void): void {
    this.#traced.sent();
    super.sendMessage(message, callback);
  }
}
