import type { Interceptor, Metadata, ServerInterceptingCallInterface, ServerInterceptor } from '@grpc/grpc-js';
import { InterceptingCall, ServerInterceptingCall } from '@grpc/grpc-js';
import { integrationEngine } from './core/integration-host.ts';
import type { TracerRegistry } from './core/registry.ts';
import type { TracerBase } from './core/tracer-base.ts';
import { RpcClientCall } from './integration/rpc-client-call.ts';
import type { RpcOptions } from './integration/rpc-options.ts';
import { RpcHandler, type RpcServerCall } from './integration/rpc-server-call.ts';

/** How calls to a server get their tenant. */
export type GrpcServerOptions = RpcOptions<Metadata, ServerInterceptingCallInterface>;

type Listener = Parameters<ServerInterceptingCall['start']>[0];

/**
 * An interceptor for clients of `@grpc/grpc-js`: a CLIENT span around each call, unary or streaming, and the trace and
 * the allowed baggage in its metadata where `propagation.propagateTo` says. For a tracer's tenant, or, given a registry,
 * for the tenant that the code runs for at each call; outside every tenant calls are passed on.
 */
export function clientInterceptor(tracerOrRegistry: TracerBase | TracerRegistry<TracerBase>): Interceptor {
  const engineIn = integrationEngine(tracerOrRegistry);
  return (options, nextCall) => {
    const call = RpcClientCall.of(engineIn(), options.method_definition.path);
    const inner = nextCall(options);
    if (call === undefined) return new InterceptingCall(inner);
    return new InterceptingCall(inner, {
      start: (metadata, _listener, next) => {
        const sent = call.start(metadata, () => inner.getPeer());
        try {
          next(sent, {
            onReceiveMetadata: (received, proceed) => call.run(() => proceed(received)),
            onReceiveMessage: (message, proceed) => call.run(() => proceed(message)),
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
  return ({ path }, nextCall) => new TracedServerCall(nextCall, handler.call(path, nextCall));
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
      onReceiveMetadata: (metadata) => traced.run(() => listener.onReceiveMetadata(metadata)),
      onReceiveMessage: (message: unknown) => traced.run(() => listener.onReceiveMessage(message)),
      onReceiveHalfClose: () => traced.run(() => listener.onReceiveHalfClose()),
      onCancel: () => {
        traced.cancelled();
        traced.run(() => listener.onCancel());
      },
    });
  }
}
