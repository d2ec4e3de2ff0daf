import { types } from 'node:util';
import type { Attributes, Context, Span, TextMapGetter } from '@opentelemetry/api';
import { context as contextApi, SpanKind } from '@opentelemetry/api';
import { type IntegrationHost, integrationHostOf, platformRuntimeOf, runtimeOf } from '../core/integration-host.ts';
import { extractContext } from '../core/propagation.ts';
import type { TracerRegistry } from '../core/registry.ts';
import type { TracerBase } from '../core/tracer-base.ts';
import type { TracerRuntime } from '../core/tracer-runtime.ts';
import { createDefaultLogger } from '../infra/logger.ts';
import { within } from '../lifecycle/deadline.ts';
import { enterScope, enterSpan } from '../processing/scope.ts';
import { NOOP_SPAN } from '../processing/unsampled-span.ts';
import { IsotraceError } from '../utils/errors.ts';
import { IssueLog } from '../utils/option-reader.ts';
import {
  CANCELLED,
  DEADLINE_EXCEEDED,
  parseRpcTarget,
  type RpcStatus,
  rpcAttributes,
  rpcMethod,
  setRpcStatus,
} from './rpc-attributes.ts';
import { type RpcOptions, type RpcSettings, readRpcOptions } from './rpc-options.ts';

/** What is used of the metadata that arrives. */
export interface InboundMetadata {
  get(key: string): readonly unknown[];
  getMap(): object;
}

/** What is used of a call on the side of the server. */
export interface InboundCall {
  /** `:authority`. */
  getHost(): string;
  /** Address and port of the client. */
  getPeer(): string;
  getDeadline(): Date | number;
}

const MAX_UNSEEN_WAIT_MILLIS = 0.1;
const GETTER: TextMapGetter<InboundMetadata> = {
  keys: (metadata) => Object.keys(metadata.getMap()),
  get: (metadata, key) => metadata.get(key).map(String),
};

/** What all calls to a gRPC server have in common: each belongs to a tenant, and has one SERVER span. */
export class RpcHandler<Metadata extends InboundMetadata, Call extends InboundCall> {
  readonly host: IntegrationHost | undefined;
  readonly settings: RpcSettings<Metadata, Call>;
  readonly #registry: TracerRegistry<TracerBase>;

  /**
   * Options that are not acceptable become issues of the registry, in `health()`.
   *
   * @throws IsotraceError with code `config_invalid`, if the registry has `strict: true`
   */
  constructor(registry: TracerRegistry<TracerBase>, options: RpcOptions<Metadata, Call>) {
    const issues = new IssueLog();
    this.#registry = registry;
    this.settings = readRpcOptions('grpc', options, issues);
    this.host = integrationHostOf(registry);
    // There is nobody else to tell.
    if (this.host === undefined)
      createDefaultLogger().warn({ adapter: 'grpc' }, 'the interceptor was not given a registry');
    else this.host.refuse(issues.list());
  }

  /** One call, which is not traced before its metadata have come. */
  call(path: string, call: Call): RpcServerCall<Metadata, Call> {
    return new RpcServerCall(this, rpcMethod(path), call);
  }

  /** Whose a call is, by what `tenant` answered. May throw what the registry throws. */
  tenantOf(host: IntegrationHost, answer: unknown): TracerRuntime | undefined {
    const isNone = answer === undefined || answer === null || answer === '';
    if (typeof answer === 'string' && !isNone) return runtimeOf(this.#registry, answer);
    if (!isNone)
      host.guard.report('host', 'tenant', new TypeError(`tenant must answer a string, not a ${typeof answer}`));
    return this.settings.unassigned === 'platform' ? platformRuntimeOf(this.#registry) : undefined;
  }
}

/** One call to a gRPC server. What belongs to the host runs in its tenant's scope; its span ends once. */
export class RpcServerCall<Metadata extends InboundMetadata, Call extends InboundCall> {
  readonly #handler: RpcHandler<Metadata, Call>;
  readonly #method: string;
  readonly #call: Call;
  readonly #arrivedAt: number;
  #context: Context | undefined;
  #span: Span | undefined;
  #ended: RpcStatus | undefined;

  constructor(handler: RpcHandler<Metadata, Call>, method: string, call: Call) {
    this.#handler = handler;
    this.#method = method;
    this.#call = call;
    this.#arrivedAt = handler.host?.pipeline.clock.monotonic() ?? 0;
  }

  /** Finds the tenant and begins the span, then calls `proceed`, exactly once: at once, or when `tenant` has answered. */
  arrive(metadata: Metadata, proceed: () => void): void {
    const { host, settings } = this.#handler;
    const { exclude, tenant } = settings;
    const isExcluded = (): boolean => exclude?.(this.#method, this.#method) === true;
    if (host === undefined || tenant === undefined || host.guard.run('host', 'exclude', isExcluded, false)) {
      proceed();
      return;
    }
    const answer = this.#ask(host, () => tenant(metadata, this.#call));
    if (types.isPromise(answer)) {
      void this.#answered(host, answer).then((late) => {
        this.#begin(host, metadata, late);
        this.run(proceed);
      });
      return;
    }
    this.#begin(host, metadata, answer);
    this.run(proceed);
  }

  /** Runs what belongs to the host. */
  run<T>(fn: () => T): T {
    return this.#context === undefined ? fn() : contextApi.with(this.#context, fn);
  }

  /** Only the first status counts. */
  end(status: RpcStatus): void {
    if (this.#ended !== undefined) return;
    this.#ended = status;
    this.#finish();
  }

  /** The client went away, or its deadline has passed: nobody hears of a status. */
  cancelled(): void {
    const { host } = this.#handler;
    const isLate = (): boolean => Number(this.#call.getDeadline()) <= (host?.pipeline.clock.now() ?? 0);
    this.end({ code: host?.guard.run('api', 'grpc', isLate, false) === true ? DEADLINE_EXCEEDED : CANCELLED });
  }

  #ask(host: IntegrationHost, tenant: () => unknown): unknown {
    try {
      const answer = tenant();
      const isThenable = typeof (answer as { then?: unknown } | null | undefined)?.then === 'function';
      return isThenable ? Promise.resolve(answer) : answer;
    } catch (error) {
      host.guard.report('host', 'tenant', error);
      return undefined;
    }
  }

  /** What an asynchronous `tenant` answers in time. Never rejects. */
  async #answered(host: IntegrationHost, promise: Promise<unknown>): Promise<unknown> {
    const { tenantTimeoutMillis } = this.#handler.settings;
    let answer: unknown;
    const settled = promise.then(
      (value) => {
        answer = value;
      },
      (error: unknown) => host.guard.report('host', 'tenant', error),
    );
    if (!(await within(host.pipeline.clock, tenantTimeoutMillis, settled))) {
      const error = new IsotraceError('deadline_exceeded', `no tenant after ${tenantTimeoutMillis} ms`);
      host.guard.report('host', 'tenant', error);
    }
    return answer;
  }

  /** Never throws. */
  #begin(host: IntegrationHost, metadata: Metadata, answer: unknown): void {
    const begin = (): void => {
      const runtime = this.#handler.tenantOf(host, answer);
      if (runtime !== undefined) this.#open(runtime, metadata);
    };
    host.guard.run('context', 'grpc', begin, undefined);
    if (this.#ended !== undefined) this.#finish();
  }

  #open(runtime: TracerRuntime, metadata: Metadata): void {
    const active = contextApi.active();
    if (runtime.state === 'disabled') {
      this.#context = enterScope(active, runtime);
      return;
    }
    const { clock } = runtime;
    const remote = extractContext(runtime, active, metadata, this.#handler.settings.incoming, GETTER);
    const waited = clock.monotonic() - this.#arrivedAt;
    const options = {
      kind: SpanKind.SERVER,
      attributes: this.#attributes(runtime),
      ...(waited > MAX_UNSEEN_WAIT_MILLIS && { startTime: clock.now() - waited }),
    };
    const span = runtime.start(this.#method, options, remote, true);
    this.#span = span;
    this.#context = span === NOOP_SPAN ? remote : enterSpan(remote, runtime, span);
  }

  #attributes({ guard }: TracerRuntime): Attributes {
    const read = (text: () => string) => guard.run('api', 'grpc', () => parseRpcTarget(text()), undefined);
    const peer = read(() => this.#call.getPeer());
    return {
      ...rpcAttributes(
        this.#method,
        read(() => this.#call.getHost()),
      ),
      ...(peer !== undefined && { 'client.address': peer.address, 'network.peer.address': peer.address }),
      ...(peer?.port !== undefined && { 'client.port': peer.port, 'network.peer.port': peer.port }),
    };
  }

  #finish(): void {
    const span = this.#span;
    if (span === undefined || this.#ended === undefined) return;
    this.#span = undefined;
    setRpcStatus(span, 'server', this.#ended);
    span.end();
  }
}
