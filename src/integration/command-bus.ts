import type { TracerRegistry } from '../core/registry.ts';
import { TracerBase } from '../core/tracer-base.ts';
import { within } from '../lifecycle/deadline.ts';
import { type CustomMessage, type CustomMessages, fail, succeed, typeOfMessage } from '../utils/bus-result.ts';
import type { ConfigIssue } from '../utils/errors.ts';
import { describeError } from '../utils/errors.ts';
import { describeIssues } from '../utils/message-fields.ts';
import { oneOf } from '../utils/option-checks.ts';
import { readIntegers } from '../utils/read-integers.ts';
import { describeKind } from '../utils/secret.ts';
import type { CommandDispatcher, CommandFailure, CommandOf, CommandResult, CommandValues } from './command.ts';
import { isCommandType, readCommand } from './command-checks.ts';
import { type CommandScope, type CommandTracer, execute, NO_TENANT } from './command-execution.ts';
import { type AbandonReason, type OpenSpanLimits, OpenSpans } from './command-spans.ts';

/** Whose telemetry the commands are about: it is named once, here, and by no command. */
export type CommandTenant =
  | CommandTracer
  | { readonly registry: TracerRegistry<CommandTracer>; readonly tenantId: string };

/** Bounds of a command bus, and what it may shut down. */
export interface CommandBusOptions {
  /** Spans that are open at most; one more ends the oldest as abandoned. 1 to 100,000. Default: 1,000. */
  readonly maxOpenSpans?: number | undefined;
  /** How long a span may be open, in milliseconds, until it is ended as abandoned. 1,000 to 86,400,000. Default: 3,600,000. */
  readonly maxSpanAgeMillis?: number | undefined;
  /** How long a handler of one's own may take, in milliseconds. 1 to 3,600,000. Default: 30,000. */
  readonly handlerTimeoutMillis?: number | undefined;
  /**
   * What the command `shutdown` stops: the tenant's tracer, for everybody; or this bus only, whose tenant goes on.
   * Default: `'tenant'`; for a worker's commands `'bus'`.
   */
  readonly shutdown?: 'tenant' | 'bus' | undefined;
}

/** Counts since the bus was made. */
export interface CommandStats {
  readonly dispatched: number;
  readonly succeeded: number;
  /** By reason. */
  readonly failed: Readonly<Partial<Record<CommandFailure, number>>>;
  readonly openSpans: number;
  /** Spans that were ended without a command, by reason. */
  readonly abandoned: Readonly<Partial<Record<AbandonReason, number>>>;
}

/** What a handler is told besides the command. */
export interface CommandContext {
  readonly tracer: CommandTracer;
  readonly tenantId: string;
}

/** Executes commands for one tenant, each at once, before `dispatch` returns. No method throws. */
export interface CommandBus<Custom extends CustomMessages = Record<never, never>>
  extends CommandDispatcher<Custom>,
    Disposable {
  readonly tenantId: string;
  /** Options that were not acceptable; their defaults are in force. */
  readonly issues: readonly ConfigIssue[];
  /**
   * Has commands of a type of one's own executed by `handler`, until what is answered is called. What it throws or
   * rejects with is the command's failure. A type that is known already stays as it is, which counts as a failure in
   * `health().errors`.
   */
  register<K extends keyof Custom & string>(
    type: K,
    handler: (command: CustomMessage<Custom, K>, context: CommandContext) => ReturnType<Custom[K]>,
  ): () => void;
  /** Counts since the bus was made, and the spans that are open. */
  stats(): CommandStats;
  /** Takes nothing more and ends the open spans as abandoned. The tenant goes on. */
  close(): void;
}

type Handler = (command: unknown, context: CommandContext) => unknown;

/** The tenant of a bus, and its spans. */
interface Tenant {
  /** It may have been evicted or shut down since the last command: each asks for it again. */
  find(): CommandTracer;
  readonly spans: OpenSpans;
}

const BOUNDS = {
  maxOpenSpans: { min: 1, max: 100_000, default: 1_000, unit: 'spans' },
  maxSpanAgeMillis: { min: 1_000, max: 86_400_000, default: 3_600_000, unit: 'milliseconds' },
  handlerTimeoutMillis: { min: 1, max: 3_600_000, default: 30_000, unit: 'milliseconds' },
};
const SHUTDOWN = oneOf('tenant', 'bus');
const TENANT_ACCEPTED = 'a tracer, or a registry and the id of a tenant';

/** A bus for the commands of one tenant. Never throws; options that are not acceptable are in its `issues`. */
export function createCommandBus<Custom extends CustomMessages = Record<never, never>>(
  tenant: CommandTenant,
  options: CommandBusOptions = {},
): CommandBus<Custom> {
  return new TenantCommandBus(tenant, options) as unknown as CommandBus<Custom>;
}

/** The bus, for any commands. */
export class TenantCommandBus implements Disposable {
  readonly issues: readonly ConfigIssue[];
  /** Absent when no tenant was named: the bus is closed then. */
  readonly #tenant: Tenant | undefined;
  readonly #shutdown: 'tenant' | 'bus';
  readonly #handlerTimeoutMillis: number;
  readonly #handlers = new Map<string, Handler>();
  readonly #failed: Partial<Record<CommandFailure, number>> = {};
  #dispatched = 0;
  #succeeded = 0;
  #state: 'open' | 'shut down' | 'closed';

  constructor(tenant: CommandTenant, options: CommandBusOptions, shutdown: 'tenant' | 'bus' = 'tenant') {
    const { values, reader, log } = readIntegers(options, BOUNDS, ['shutdown']);
    this.#shutdown = reader?.read('shutdown', SHUTDOWN) ?? shutdown;
    this.#handlerTimeoutMillis = values.handlerTimeoutMillis;
    this.#tenant = openTenant(tenant, { maxSpans: values.maxOpenSpans, maxAgeMillis: values.maxSpanAgeMillis });
    if (this.#tenant === undefined) log.add('tenant', TENANT_ACCEPTED, describeKind(tenant));
    this.#state = this.#tenant === undefined ? 'closed' : 'open';
    this.issues = log.list();
  }

  get tenantId(): string {
    return this.#tenant?.find().tenantId ?? '';
  }

  dispatch(command: unknown): Promise<CommandResult> {
    this.#dispatched += 1;
    return this.#settle(command);
  }

  register(type: string, handler: Handler): () => void {
    const isFree = typeof type === 'string' && type !== '' && !isCommandType(type) && !this.#handlers.has(type);
    if (!isFree || typeof handler !== 'function') {
      this.report('command register', new Error(`there can be no other handler for ${String(type)}`));
      return () => undefined;
    }
    this.#handlers.set(type, handler);
    return () => {
      if (this.#handlers.get(type) === handler) this.#handlers.delete(type);
    };
  }

  stats(): CommandStats {
    const { abandoned = {}, size = 0 } = this.#tenant?.spans ?? {};
    const failed = { ...this.#failed };
    return { dispatched: this.#dispatched, succeeded: this.#succeeded, failed, openSpans: size, abandoned };
  }

  /** As {@link CommandBus.close}; the reason is told by the spans. */
  close(reason: AbandonReason = 'bus_closed'): void {
    this.#state = 'closed';
    this.#tenant?.spans.abandonAll(reason);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Makes a failure known in the tenant's `health()`. */
  report(operation: string, error: unknown): void {
    const tracer = this.#tenant?.find();
    if (tracer !== undefined) TracerBase.runtimeOf(tracer).guard.report('host', operation, error);
  }

  async #settle(given: unknown): Promise<CommandResult> {
    let result: CommandResult;
    try {
      result = await this.#run(given);
    } catch (error) {
      this.report('command dispatch', error);
      result = fail('failed', describeError(error));
    }
    if (result.ok) this.#succeeded += 1;
    else this.#failed[result.reason] = (this.#failed[result.reason] ?? 0) + 1;
    return result;
  }

  #run(given: unknown): CommandResult | Promise<CommandResult> {
    const type = typeOfMessage(given);
    if (type === undefined) {
      const issue = { option: 'type', accepted: 'the type of a command', received: typeof given };
      return fail('invalid', 'this is no command', [issue]);
    }
    const handler = this.#handlers.get(type);
    if (this.#state === 'closed') return fail('closed', 'the bus was closed');
    if (handler !== undefined) return this.#handle(given, handler);
    if (!isCommandType(type)) return fail('unknown_type', `there is no command ${JSON.stringify(type.slice(0, 40))}`);
    const read = readCommand(type, given);
    if ('issues' in read) return fail('invalid', describeIssues(read.issues), read.issues);
    const { command } = read;
    if (command.type === 'initialize') return this.#initialize();
    if (this.#state === 'shut down') return fail('closed', 'the bus was shut down');
    return command.type === 'shutdown' ? this.#stop(command) : execute(this.#scope(), command);
  }

  async #handle(command: unknown, handler: Handler): Promise<CommandResult> {
    if (this.#state === 'shut down') return fail('closed', 'the bus was shut down');
    const { tracer, runtime } = this.#scope();
    const { tenantId } = tracer;
    try {
      const answer = Promise.resolve(handler(command, { tracer, tenantId }));
      const inTime = await within(runtime.clock, this.#handlerTimeoutMillis, answer);
      if (inTime) return succeed(await answer);
      const late = `the handler did not answer within ${this.#handlerTimeoutMillis} ms`;
      this.report('command handler', new Error(late));
      return fail('timeout', late);
    } catch (error) {
      this.report('command handler', error);
      return fail('failed', describeError(error));
    }
  }

  /** Of a registry a tenant that was shut down comes back; a tracer by itself does not. */
  #initialize(): CommandResult<CommandValues['initialize']> {
    const { tracer, runtime } = this.#scope();
    runtime.admit();
    const { tenantId, state, issues } = tracer.health();
    if (state === 'closed') return fail('closed', 'the tracer was shut down');
    if (state === 'disabled') return fail('not_recording', NO_TENANT);
    this.#state = 'open';
    return succeed({ tenantId, state, issues });
  }

  async #stop({ timeoutMillis }: CommandOf<'shutdown'>): Promise<CommandResult<CommandValues['shutdown']>> {
    const { tracer, spans } = this.#scope();
    this.#state = 'shut down';
    spans.abandonAll('bus_closed');
    const options = { timeoutMillis };
    return succeed(await (this.#shutdown === 'tenant' ? tracer.shutdown(options) : tracer.flush(options)));
  }

  #scope(): CommandScope {
    // Without a tenant the bus is closed, and nothing gets here.
    const { find, spans } = this.#tenant as Tenant;
    const tracer = find();
    return { tracer, runtime: TracerBase.runtimeOf(tracer), spans };
  }
}

/** `undefined` for what names no tenant. What was given is looked at once: nobody can put another tenant in later. */
function openTenant(given: unknown, limits: OpenSpanLimits): Tenant | undefined {
  try {
    const find = finderOf(given);
    const { agenda } = TracerBase.runtimeOf(find()).house.pipeline;
    return { find, spans: new OpenSpans(agenda, limits) };
  } catch {
    return undefined;
  }
}

function finderOf(given: unknown): () => CommandTracer {
  if (given instanceof TracerBase) return () => given as CommandTracer;
  const { registry, tenantId } = given as Exclude<CommandTenant, CommandTracer>;
  return () => registry.get(tenantId);
}
