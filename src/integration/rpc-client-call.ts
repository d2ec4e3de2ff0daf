import type { Attributes, Context, Span, TextMapSetter } from '@opentelemetry/api';
import { context as contextApi, SpanKind } from '@opentelemetry/api';
import { enterGuarded, type SpanEngine, startGuarded } from '../core/operations.ts';
import { activeClientIn, injectOutgoing } from '../core/outgoing-context.ts';
import { TracerRuntime } from '../core/tracer-runtime.ts';
import { UnknownTenant } from '../core/unknown-tenant.ts';
import { NOOP_SPAN } from '../processing/unsampled-span.ts';
import {
  CANCELLED,
  endRpcSpan,
  parseRpcTarget,
  type RpcMessages,
  type RpcStatus,
  rpcAttributes,
  rpcMethod,
  rpcOutcome,
  rpcUrl,
} from './rpc-attributes.ts';
import type { RpcMeasurementSource } from './rpc-measurements.ts';

/** What is used of gRPC's metadata. */
export interface RpcMetadata {
  clone(): this;
  set(key: string, value: string): void;
}

/** What a call is, and where it is measured. */
export interface RpcClientCallInit {
  readonly path: string;
  readonly isStream: boolean;
  readonly measurements: RpcMeasurementSource;
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
  readonly #measurements: RpcMeasurementSource;
  readonly #messages: RpcMessages | undefined;
  #attributes: Attributes = {};
  #startedAt = 0;
  #span: Span | undefined;

  private constructor(engine: SpanEngine, { path, isStream, measurements }: RpcClientCallInit) {
    this.#engine = engine;
    this.#method = rpcMethod(path);
    this.#measurements = measurements;
    this.#messages = isStream ? { sent: 0, received: 0 } : undefined;
  }

  /** `undefined` where nobody is to have the call, or where instrumentation has begun its span already. */
  static of(engine: SpanEngine | undefined, init: RpcClientCallInit): RpcClientCall | undefined {
    if (engine === undefined) return undefined;
    const get = engine.guard.run('context', 'grpc', () => activeClientIn(contextApi.active()), undefined);
    if ((get?.('rpc.system.name') ?? get?.('rpc.system')) === 'grpc') return undefined;
    return new RpcClientCall(engine, init);
  }

  /**
   * Begins the span and answers the metadata to send: a copy, since the host's may be used for other calls.
   *
   * @param target of the channel
   */
  start<M extends RpcMetadata>(metadata: M, target: () => string): M {
    const { clock, guard } = this.#engine;
    const server = guard.run('api', 'grpc', () => parseRpcTarget(target()), undefined);
    this.#startedAt = clock.monotonic();
    this.#attributes = rpcAttributes(this.#method, server);
    const options = { kind: SpanKind.CLIENT, attributes: this.#attributes };
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

  sent(): void {
    if (this.#messages !== undefined) this.#messages.sent += 1;
  }

  received(): void {
    if (this.#messages !== undefined) this.#messages.received += 1;
  }

  /** Only the first status counts. */
  end(status: RpcStatus): void {
    const span = this.#span;
    if (span === undefined) return;
    this.#span = undefined;
    const outcome = rpcOutcome('client', status);
    endRpcSpan(span, outcome, status, this.#messages);
    if (span !== NOOP_SPAN) this.#measure({ ...this.#attributes, ...outcome }, span);
  }

  /** Something in between failed before the library could give a status. */
  fail(): void {
    this.end({ code: CANCELLED });
  }

  #measure(attributes: Attributes, span: Span): void {
    const engine = this.#engine;
    const seconds = Math.max(engine.clock.monotonic() - this.#startedAt, 0) / 1_000;
    const context = enterGuarded(engine, this.#context, span);
    const take = (tenant: TracerRuntime): void => {
      const record = (): void => this.#measurements.of(tenant)?.duration(seconds, attributes, context);
      tenant.guard.run('host', 'meter', record, undefined);
    };
    if (engine instanceof TracerRuntime) take(engine);
    else if (engine instanceof UnknownTenant) {
      engine.measure((tenant) => {
        if (tenant !== undefined) take(tenant);
      });
    }
  }
}
