import type { Context, Span, TextMapSetter } from '@opentelemetry/api';
import { context as contextApi, SpanKind } from '@opentelemetry/api';
import { enterGuarded, type SpanEngine, startGuarded } from '../core/operations.ts';
import { activeClientIn, injectOutgoing } from '../core/outgoing-context.ts';
import {
  CANCELLED,
  parseRpcTarget,
  type RpcStatus,
  rpcAttributes,
  rpcMethod,
  rpcUrl,
  setRpcStatus,
} from './rpc-attributes.ts';

/** What is used of gRPC's metadata. */
export interface RpcMetadata {
  clone(): this;
  set(key: string, value: string): void;
}

const SETTER: TextMapSetter<RpcMetadata> = { set: (metadata, key, value) => metadata.set(key, value) };

/**
 * One call of a gRPC client: its CLIENT span begins when the call is started and ends with its status, whoever gave it.
 * What the library calls back runs in the context that the call was made in: connections are shared by tenants.
 */
export class RpcClientCall {
  readonly #engine: SpanEngine;
  readonly #context: Context = contextApi.active();
  readonly #method: string;
  #span: Span | undefined;

  private constructor(engine: SpanEngine, method: string) {
    this.#engine = engine;
    this.#method = method;
  }

  /** `undefined` where nobody is to have the call, or where instrumentation has begun its span already. */
  static of(engine: SpanEngine | undefined, path: string): RpcClientCall | undefined {
    if (engine === undefined) return undefined;
    const get = engine.guard.run('context', 'grpc', () => activeClientIn(contextApi.active()), undefined);
    if ((get?.('rpc.system.name') ?? get?.('rpc.system')) === 'grpc') return undefined;
    return new RpcClientCall(engine, rpcMethod(path));
  }

  /**
   * Begins the span and answers the metadata to send: a copy, since the host's may be used for other calls.
   *
   * @param target of the channel
   */
  start<M extends RpcMetadata>(metadata: M, target: () => string): M {
    const { guard } = this.#engine;
    const server = guard.run('api', 'grpc', () => parseRpcTarget(target()), undefined);
    const options = { kind: SpanKind.CLIENT, attributes: rpcAttributes(this.#method, server) };
    const span = startGuarded(this.#engine, this.#method, options, this.#context, false);
    this.#span = span;
    const context = enterGuarded(this.#engine, this.#context, span);
    const inject = (): M => {
      const own = metadata.clone();
      injectOutgoing(context, () => rpcUrl(server, this.#method), own, SETTER);
      return own;
    };
    return guard.run('propagation', 'grpc', inject, metadata);
  }

  /** Runs what belongs to the host. */
  run<T>(fn: () => T): T {
    return contextApi.with(this.#context, fn);
  }

  /** Only the first status counts. */
  end(status: RpcStatus): void {
    const span = this.#span;
    if (span === undefined) return;
    this.#span = undefined;
    setRpcStatus(span, 'client', status);
    span.end();
  }

  /** Something in between failed before the library could give a status. */
  fail(): void {
    this.end({ code: CANCELLED });
  }
}
