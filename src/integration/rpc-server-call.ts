import { types } from 'node:util';
import type { Attributes, Context, Span, TextMapGetter } from '@opentelemetry/api';
import { context as contextApi, propagation, SpanKind } from '@opentelemetry/api';
import { type IntegrationHost, integrationHostOf, platformRuntimeOf, runtimeOf } from '../core/integration-host.ts';
import { extractContext } from '../core/propagation.ts';
import type { TracerRegistry } from '../core/registry.ts';
import { Routing } from '../core/routing.ts';
import type { ServedCall } from '../core/served-span.ts';
import type { TracerBase } from '../core/tracer-base.ts';
import type { TracerRuntime } from '../core/tracer-runtime.ts';
import { createDefaultLogger } from '../infra/logger.ts';
import { enterScope, enterSpan } from '../processing/scope.ts';
import { NOOP_SPAN } from '../processing/unsampled-span.ts';
import { IssueLog } from '../utils/option-reader.ts';
import {
  CANCELLED,
  DEADLINE_EXCEEDED,
  endRpcSpan,
  parseRpcTarget,
  type RpcMessages,
  type RpcStatus,
  rpcAttributes,
  rpcMethod,
  rpcOutcome,
} from './rpc-attributes.ts';
import { type RpcMeasurementSource, rpcMeasurements } from './rpc-measurements.ts';
import { type RpcOptions, type RpcSettings, readRpcOptions } from './rpc-options.ts';
import { askTenant } from './tenant-answer.ts';

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
/** The library's timer may fire before the wall clock has reached the deadline. */
const MAX_EARLY_TIMER_MILLIS = 2;
/** Wraps handlers, which it runs in a context of its own making. */
const INSTRUMENTATION = '@opentelemetry/instrumentation-grpc';
const GETTER: TextMapGetter<InboundMetadata> = {
  keys: (metadata) => Object.keys(metadata.getMap()),
  get: (metadata, key) => metadata.get(key).map(String),
};

/** What all calls to a gRPC server have in common: each belongs to a tenant, and has one SERVER span. */
export class RpcHandler<Metadata extends InboundMetadata, Call extends InboundCall> {
  readonly host: IntegrationHost | undefined;
  readonly settings: RpcSettings<Metadata, Call>;
  readonly measurements: RpcMeasurementSource;
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
    this.measurements = rpcMeasurements('server', this.settings.meterProvider);
    this.host = integrationHostOf(registry);
    // There is nobody else to tell.
    if (this.host === undefined)
      createDefaultLogger().warn({ adapter: 'grpc' }, 'the interceptor was not given a registry');
    else this.host.refuse(issues.list());
  }

  /** One call, which is not traced before its metadata have come. */
  call(path: string, isStream: boolean, call: Call): RpcServerCall<Metadata, Call> {
    return new RpcServerCall(this, rpcMethod(path), isStream, call);
  }

  /** Whose a call is, by what `tenant` answered. May throw what the registry throws. */
  tenantOf(answer: string | undefined): TracerRuntime | undefined {
    if (answer !== undefined) return runtimeOf(this.#registry, answer);
    return this.settings.unassigned === 'platform' ? platformRuntimeOf(this.#registry) : undefined;
  }

  /** Hands a call to its handler, which instrumentation may have wrapped. */
  serve<T>(call: ServedCall, handOver: () => T): T {
    const { routing } = this.#registry;
    return routing instanceof Routing ? routing.router.serve(call, handOver) : handOver();
  }
}

/** One call to a gRPC server. What belongs to the host runs in its tenant's scope; its span ends once. */
export class RpcServerCall<Metadata extends InboundMetadata, Call extends InboundCall> {
  readonly #handler: RpcHandler<Metadata, Call>;
  readonly #method: string;
  readonly #call: Call;
  readonly #arrivedAt: number;
  readonly #messages: RpcMessages | undefined;
  #runtime: TracerRuntime | undefined;
  #context: Context | undefined;
  #span: Span | undefined;
  #served: ServedCall | undefined;
  #attributes: Attributes = {};
  #ended: RpcStatus | undefined;

  constructor(handler: RpcHandler<Metadata, Call>, method: string, isStream: boolean, call: Call) {
    this.#handler = handler;
    this.#method = method;
    this.#call = call;
    this.#messages = isStream ? { sent: 0, received: 0 } : undefined;
    this.#arrivedAt = handler.host?.pipeline.clock.monotonic() ?? 0;
  }

  /** Finds the tenant and begins the span, then calls `proceed`, exactly once: at once, or when `tenant` has answered. */
  arrive(metadata: Metadata, proceed: () => void): void {
    const { host, settings } = this.#handler;
    const { exclude, tenant, tenantTimeoutMillis } = settings;
    const isExcluded = (): boolean => exclude?.(this.#method, this.#method) === true;
    if (host === undefined || tenant === undefined || host.guard.run('host', 'exclude', isExcluded, false)) {
      proceed();
      return;
    }
    const answer = askTenant(() => tenant(metadata, this.#call), {
      clock: host.pipeline.clock,
      timeoutMillis: tenantTimeoutMillis,
      failed: (error) => host.guard.report('host', 'tenant', error),
    });
    if (types.isPromise(answer)) {
      void answer.then((late) => {
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

  /** As `run`, for what may call the handler. */
  handOver<T>(fn: () => T): T {
    const served = this.#served;
    return served === undefined ? this.run(fn) : this.#handler.serve(served, () => this.run(fn));
  }

  sent(): void {
    if (this.#messages !== undefined) this.#messages.sent += 1;
  }

  received(): void {
    if (this.#messages !== undefined) this.#messages.received += 1;
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
    const isLate = (): boolean =>
      Number(this.#call.getDeadline()) <= (host?.pipeline.clock.now() ?? 0) + MAX_EARLY_TIMER_MILLIS;
    this.end({ code: host?.guard.run('api', 'grpc', isLate, false) === true ? DEADLINE_EXCEEDED : CANCELLED });
  }

  /** Never throws. */
  #begin(host: IntegrationHost, metadata: Metadata, answer: string | undefined): void {
    const begin = (): void => {
      const runtime = this.#handler.tenantOf(answer);
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
    this.#attributes = this.#read(runtime);
    const options = {
      kind: SpanKind.SERVER,
      attributes: this.#attributes,
      ...(waited > MAX_UNSEEN_WAIT_MILLIS && { startTime: clock.now() - waited }),
    };
    const span = runtime.start(this.#method, options, remote, true);
    this.#runtime = runtime;
    this.#span = span;
    this.#context = span === NOOP_SPAN ? remote : enterSpan(remote, runtime, span);
    const baggage = propagation.getBaggage(this.#context);
    const isRepeated = (key: string): boolean => key.startsWith('rpc.') || key.startsWith('grpc.');
    this.#served = { runtime, span, baggage, isRepeated, instrumentation: INSTRUMENTATION };
  }

  #read({ guard }: TracerRuntime): Attributes {
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
    const [span, status] = [this.#span, this.#ended];
    if (span === undefined || status === undefined) return;
    this.#span = undefined;
    this.#served = undefined;
    const outcome = rpcOutcome('server', status);
    endRpcSpan(span, outcome, status, this.#messages);
    this.#measure({ ...this.#attributes, ...outcome });
  }

  #measure(attributes: Attributes): void {
    const [runtime, context] = [this.#runtime, this.#context];
    if (runtime === undefined || context === undefined || runtime.state === 'disabled') return;
    const seconds = Math.max(runtime.clock.monotonic() - this.#arrivedAt, 0) / 1_000;
    const record = (): void => this.#handler.measurements.of(runtime)?.duration(seconds, attributes, context);
    runtime.guard.run('host', 'meter', record, undefined);
  }
}
