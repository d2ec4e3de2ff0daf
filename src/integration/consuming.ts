import { types } from 'node:util';
import type { Context, Link } from '@opentelemetry/api';
import { context as contextApi, SpanKind } from '@opentelemetry/api';
import { type IntegrationHost, integrationHostOf, platformRuntimeOf, runtimeOf } from '../core/integration-host.ts';
import { enterGuarded } from '../core/operations.ts';
import { extractContext, type IncomingTrust, readRemoteSpan } from '../core/propagation.ts';
import type { TracerRegistry } from '../core/registry.ts';
import type { TracerBase } from '../core/tracer-base.ts';
import type { TracerRuntime } from '../core/tracer-runtime.ts';
import { createDefaultLogger } from '../infra/logger.ts';
import { isTenantAwaited, outsideTenants } from '../processing/outside-tenants.ts';
import { enterScope } from '../processing/scope.ts';
import { runTracked } from '../processing/track-result.ts';
import { readHeader } from '../utils/carrier.ts';
import { IssueLog } from '../utils/option-reader.ts';
import {
  MessageCall,
  type MessageCallOptions,
  type MessageFacts,
  messageAttributes,
  messageSpanName,
} from './message-facts.ts';
import { isMarkedFor } from './message-mark.ts';
import { type MessagingOptions, type MessagingSettings, readMessagingOptions } from './messaging-options.ts';
import { askTenant } from './tenant-answer.ts';

/** One message as the adapter of its library shows it. What its functions throw is contained. */
export interface Delivery<Message> {
  /** What the user's callbacks get. */
  readonly message: Message;
  /** Where the headers are: a plain object, `Headers`, a map or pairs. */
  carrier(): unknown;
  facts(): MessageFacts;
  readonly isError?: MessageCallOptions['isError'];
}

/** Several messages that one call of the application processes. */
export interface BatchDelivery<Message> {
  readonly messages: readonly Message[];
  carrier(message: Message): unknown;
  /** What is true of all of them. */
  facts(): MessageFacts;
}

/** Runs a part of a batch's work as the tenant of one of its messages; lets its result or error through. */
export type RunAsMessage<Message> = <T>(message: Message, fn: () => T) => T;

/** Who a message belongs to. */
interface Sender<Message> {
  readonly message: Message;
  readonly runtime: TracerRuntime | undefined;
}

/**
 * What consumers of all messaging systems have in common: a message comes, belongs to a tenant, is processed in that
 * tenant's scope inside one CONSUMER span, and is over. What processing throws comes out as the very same value, so that
 * the queue sees it. Knows no library; an adapter shows it each message as a {@link Delivery}.
 */
export class MessageConsumer<Message> {
  readonly #registry: TracerRegistry<TracerBase>;
  readonly #host: IntegrationHost | undefined;
  readonly #settings: MessagingSettings<Message>;

  /**
   * Options that are not acceptable become issues of the registry, in `health()`.
   *
   * @throws IsotraceError with code `config_invalid`, if the registry has `strict: true`
   */
  constructor(name: string, registry: TracerRegistry<TracerBase>, options: MessagingOptions<Message>) {
    const issues = new IssueLog();
    this.#registry = registry;
    this.#settings = readMessagingOptions(name, options, issues);
    this.#host = integrationHostOf(registry);
    if (this.#host === undefined) warnOfNoRegistry(name);
    else this.#host.refuse(issues.list());
  }

  /**
   * The tenant of a message, when it is known: at once, or later, in which case a caller may have to keep the order of
   * messages. To be handed to {@link process}.
   */
  ask(message: Message): string | undefined | Promise<string | undefined> {
    const host = this.#host;
    const { tenant, tenantTimeoutMillis: timeoutMillis } = this.#settings;
    if (host === undefined || tenant === undefined) return undefined;
    const failed = (error: unknown): void => host.guard.report('host', 'tenant', error);
    return askTenant(() => tenant(message), { clock: host.pipeline.clock, timeoutMillis, failed });
  }

  /** Runs `proceed`, exactly once, as the message's tenant: at once, or when an asynchronous `tenant` has answered. */
  handle<T>(delivery: Delivery<Message>, proceed: () => T): T | Promise<Awaited<T>> {
    const answer = this.ask(delivery.message);
    if (!types.isPromise(answer)) return this.process(delivery, answer, proceed);
    return answer.then((tenantId) => this.process(delivery, tenantId, proceed)) as Promise<Awaited<T>>;
  }

  /** As {@link handle}, for a tenant that is known. */
  process<T>(delivery: Delivery<Message>, tenantId: string | undefined, proceed: () => T): T {
    const host = this.#host;
    if (host === undefined) return proceed();
    const context = outsideTenants(contextApi.active());
    const begin = (): MessageCall | undefined => this.#begin(host, delivery, tenantId, context);
    const call = host.guard.run('context', 'process', begin, undefined);
    return call === undefined ? contextApi.with(context, proceed) : runTracked(proceed, call);
  }

  /**
   * Runs `proceed`, exactly once, for a batch. Each tenant that has messages in it gets one span with links to them. With
   * all of them of one tenant `proceed` runs as that tenant, else as none: then `run` is for what concerns one message.
   */
  handleBatch<T>(batch: BatchDelivery<Message>, proceed: (run: RunAsMessage<Message>) => T): T | Promise<Awaited<T>> {
    const answers = batch.messages.map((message) => this.ask(message));
    if (!answers.some((answer) => types.isPromise(answer))) {
      return this.#processBatch(batch, answers as (string | undefined)[], proceed);
    }
    const settled = Promise.all(answers.map(async (answer) => answer));
    return settled.then((tenantIds) => this.#processBatch(batch, tenantIds, proceed)) as Promise<Awaited<T>>;
  }

  #processBatch<T>(
    batch: BatchDelivery<Message>,
    tenantIds: readonly (string | undefined)[],
    proceed: (run: RunAsMessage<Message>) => T,
  ): T {
    const host = this.#host;
    if (host === undefined) return proceed((_message, fn) => fn());
    const outside = outsideTenants(contextApi.active());
    const senders = batch.messages.map((message, index) => ({ message, runtime: this.#named(tenantIds[index]) }));
    const owners = new Set(senders.map(({ runtime }) => runtime));
    const isShared = owners.size > 1;
    const calls = new Map<TracerRuntime, MessageCall>();
    for (const owner of owners) {
      if (owner === undefined) continue;
      const own = senders.filter(({ runtime }) => runtime === owner);
      const begin = (): MessageCall => this.#beginBatch(batch, own, owner, outside, isShared);
      const call = host.guard.run('context', 'process', begin, undefined);
      if (call !== undefined) calls.set(owner, call);
    }
    const ownerOf = new Map(senders.map(({ message, runtime }) => [message, runtime]));
    const run: RunAsMessage<Message> = (message, fn) => {
      const owner = ownerOf.get(message);
      const call = owner && calls.get(owner);
      return call === undefined ? contextApi.with(outside, fn) : recordingFailure(call, fn);
    };
    return runAll([...calls.values()], outside, () => proceed(run), isShared);
  }

  #begin(
    host: IntegrationHost,
    delivery: Delivery<Message>,
    tenantId: string | undefined,
    outside: Context,
  ): MessageCall | undefined {
    const { attributes } = this.#settings;
    const runtime = this.#named(tenantId, outside);
    if (runtime === undefined) return undefined;
    const facts = delivery.facts();
    const context = this.#entered(runtime, outside, delivery.carrier());
    const own = attributes && host.guard.run('host', 'attributes', () => attributes(delivery.message), undefined);
    const options = { kind: SpanKind.CONSUMER, attributes: { ...messageAttributes(facts, 'process'), ...own } };
    const span = runtime.start(messageSpanName(facts, 'process'), options, context, true);
    return new MessageCall(span, enterGuarded(runtime, context, span), { isError: delivery.isError });
  }

  #beginBatch(
    batch: BatchDelivery<Message>,
    senders: readonly Sender<Message>[],
    runtime: TracerRuntime,
    outside: Context,
    isShared: boolean,
  ): MessageCall {
    const context = enterScope(outside, runtime);
    const links = senders.flatMap(({ message }) => this.#linkTo(batch.carrier(message), runtime));
    const facts = { ...batch.facts(), batchSize: senders.length };
    const options = { kind: SpanKind.CONSUMER, attributes: messageAttributes(facts, 'process'), links };
    const span = runtime.start(messageSpanName(facts, 'process'), options, context, true);
    return new MessageCall(span, enterGuarded(runtime, context, span), { isShared });
  }

  /** Without a tenant, a span that instrumentation began goes where the registry's `unassigned` says. */
  #named(tenantId: string | undefined, outside?: Context): TracerRuntime | undefined {
    if (tenantId !== undefined) return runtimeOf(this.#registry, tenantId);
    const isWaiting = outside !== undefined && isTenantAwaited(outside);
    return this.#settings.unassigned === 'platform' && !isWaiting ? platformRuntimeOf(this.#registry) : undefined;
  }

  /** The tenant's context in which the message's span starts. */
  #entered(runtime: TracerRuntime, outside: Context, carrier: unknown): Context {
    // Instrumentation that began a span for this message has continued its trace.
    if (runtime.state === 'disabled' || isTenantAwaited(outside)) return enterScope(outside, runtime);
    if (isMarkedFor(runtime.tenantId, carrier)) {
      return extractContext(runtime, outside, carrier, this.#settings.incoming);
    }
    return extractContext(runtime, outside, withoutBaggage(carrier), this.#settings.foreign);
  }

  #linkTo(carrier: unknown, { tenantId }: TracerRuntime): Link[] {
    const trust: IncomingTrust = isMarkedFor(tenantId, carrier) ? this.#settings.incoming : this.#settings.foreign;
    const remote = trust === 'ignore' ? undefined : readRemoteSpan(carrier, undefined);
    return remote === undefined ? [] : [{ context: remote.spanContext() }];
  }
}

/** Of a trace that is not the tenant's own, its ids are all that is taken. */
function withoutBaggage(carrier: unknown): unknown {
  const taken = ['traceparent', 'tracestate'].map((name) => [name, readHeader(carrier, name)] as const);
  return Object.fromEntries(taken.filter(([, value]) => value !== undefined));
}

function recordingFailure<T>(call: MessageCall, fn: () => T): T {
  const failed = (error: unknown): never => {
    call.fail(error);
    throw error;
  };
  let result: T;
  try {
    result = call.run(fn);
  } catch (error) {
    return failed(error);
  }
  return types.isPromise(result) ? (result.then(undefined, failed) as T) : result;
}

/** Runs `fn` inside all of these calls; of several tenants, in no one's scope. */
function runAll<T>(calls: readonly MessageCall[], outside: Context, fn: () => T, isShared: boolean): T {
  const [only] = calls;
  if (only !== undefined && !isShared) return runTracked(fn, only);
  return runTracked(fn, {
    run: (inner) => contextApi.with(outside, inner),
    end: (failure) => {
      for (const call of calls) call.end(failure);
    },
  });
}

/** There is nobody else to tell. */
function warnOfNoRegistry(name: string): void {
  createDefaultLogger().warn({ adapter: name }, 'the adapter was not given a registry of this copy of isotrace');
}
