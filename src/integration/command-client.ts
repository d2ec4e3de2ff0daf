import { type CustomMessages, fail, typeOfMessage } from '../utils/bus-result.ts';
import { type Clock, systemClock, type Timer } from '../utils/clock.ts';
import type { ConfigIssue } from '../utils/errors.ts';
import { readIntegers } from '../utils/read-integers.ts';
import type { CommandDispatcher, CommandFailure, CommandResult } from './command.ts';
import { type CommandsEndMessage, type CommandsMessage, readAnswers } from './command-message.ts';
import { isTarget, listenTo, onEnd, sendTo, targetIssue, type WorkerTarget } from './worker-endpoint.ts';

/** Bounds of a client's queue and of its patience. */
export interface CommandClientOptions {
  /** Commands that wait for the parent at most, sent or not; more are dropped. 1 to 1,000,000. Default: 10,000. */
  readonly maxQueueSize?: number | undefined;
  /** Commands that are sent and not answered at most; the others wait here. 1 to 100,000. Default: 500. */
  readonly maxInFlight?: number | undefined;
  /** How long the parent may take for an answer, in milliseconds. 1 to 3,600,000. Default: 30,000. */
  readonly answerTimeoutMillis?: number | undefined;
}

/** Counts since the client was made: `dispatched = answered + waiting + sum of dropped`. */
export interface CommandClientStats {
  readonly dispatched: number;
  /** The parent has said what came of them. */
  readonly answered: number;
  readonly waiting: number;
  /** By reason; of those that were sent the parent may have executed some. */
  readonly dropped: Readonly<Partial<Record<CommandFailure, number>>>;
}

/** Sends commands to the parent, in order. No method throws or rejects. */
export interface CommandClient<Custom extends CustomMessages = Record<never, never>>
  extends CommandDispatcher<Custom>,
    AsyncDisposable {
  /** Options that were not acceptable; their defaults are in force. */
  readonly issues: readonly ConfigIssue[];
  /** Counts since the client was made. */
  stats(): CommandClientStats;
  /** Resolves when nothing waits. */
  drain(): Promise<void>;
  /** Takes no more commands, waits for the answers to what there is, and says that no more will come. */
  close(): Promise<void>;
}

const BOUNDS = {
  maxQueueSize: { min: 1, max: 1_000_000, default: 10_000, unit: 'commands' },
  maxInFlight: { min: 1, max: 100_000, default: 500, unit: 'commands' },
  answerTimeoutMillis: { min: 1, max: 3_600_000, default: 30_000, unit: 'milliseconds' },
};
/** In one message. */
const MAX_BATCH = 100;
/** Commands that say what happens now; the parent hears of it later. */
const TIMED: ReadonlySet<string> = new Set(['startSpan', 'endSpan', 'addSpanEvent', 'emitLog']);

/**
 * In a worker or child process: sends commands to the parent, which executes them for the tenant that it has this worker
 * for. `target` is a `MessagePort`, `parentPort`, or `process`. Needs nothing of OpenTelemetry. Waiting for an answer keeps
 * a worker alive, nothing else does.
 */
export function createCommandClient<Custom extends CustomMessages = Record<never, never>>(
  target: WorkerTarget,
  options: CommandClientOptions = {},
): CommandClient<Custom> {
  return new ChannelClient(target, options, systemClock) as unknown as CommandClient<Custom>;
}

interface Waiting {
  readonly id: number;
  readonly command: unknown;
  readonly settle: (result: CommandResult) => void;
}

interface Sent extends Waiting {
  /** On the monotonic clock. */
  readonly deadline: number;
}

export class ChannelClient implements AsyncDisposable {
  readonly issues: readonly ConfigIssue[];
  readonly #target: WorkerTarget;
  readonly #clock: Clock;
  readonly #settings: Readonly<Record<keyof typeof BOUNDS, number>>;
  /** The oldest first; not a list, whose beginning costs as much as all of it. */
  readonly #queue = new Map<number, Waiting>();
  /** The oldest first. */
  readonly #sent = new Map<number, Sent>();
  readonly #dropped: Partial<Record<CommandFailure, number>> = {};
  #dispatched = 0;
  #lastId = 0;
  #answered = 0;
  #isScheduled = false;
  #timer: Timer | undefined;
  #drained: (() => void)[] = [];
  #stopListening: (() => void) | undefined;
  readonly #stopWatching: () => void;
  #state: 'open' | 'closing' | 'closed';

  constructor(target: WorkerTarget, options: CommandClientOptions, clock: Clock) {
    this.#target = target;
    this.#clock = clock;
    const { values, log } = readIntegers(options, BOUNDS);
    this.#settings = values;
    const isUsable = isTarget(target);
    this.issues = isUsable ? log.list() : [...log.list(), targetIssue(target)];
    this.#state = isUsable ? 'open' : 'closed';
    this.#stopWatching = isUsable ? onEnd(target, () => this.#end()) : () => undefined;
  }

  dispatch(command: unknown): Promise<CommandResult> {
    this.#dispatched += 1;
    if (this.#state !== 'open') return this.#refuse('channel_closed', 'the client or its channel is closed');
    const { maxQueueSize } = this.#settings;
    if (this.#waiting >= maxQueueSize) return this.#refuse('queue_full', `${maxQueueSize} commands wait already`);
    let copy: unknown;
    try {
      // As it is now: it may wait, and whoever sent it may use it again.
      copy = structuredClone(this.#timed(command));
    } catch {
      return this.#refuse('unserializable', 'the command is not plain data');
    }
    // Without gaps: a message names the id of its first command only.
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve) => {
      this.#queue.set(id, { id, command: copy, settle: resolve });
      this.#schedule();
    });
  }

  stats(): CommandClientStats {
    const dropped = { ...this.#dropped };
    return { dispatched: this.#dispatched, answered: this.#answered, waiting: this.#waiting, dropped };
  }

  drain(): Promise<void> {
    if (this.#waiting === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#drained.push(resolve);
    });
  }

  async close(): Promise<void> {
    if (this.#state === 'open') this.#state = 'closing';
    await this.drain();
    if (this.#state !== 'closing') return;
    const end: CommandsEndMessage = { isotrace: 'commands-end', version: 1, dropped: this.#lost };
    sendTo(this.#target, end, () => undefined);
    this.#end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get #waiting(): number {
    return this.#queue.size + this.#sent.size;
  }

  get #lost(): number {
    return Object.values(this.#dropped).reduce((sum, count) => sum + count, 0);
  }

  #timed(command: unknown): unknown {
    const timeMillis = this.#clock.now();
    const stamp = (given: unknown): unknown => {
      if (typeof given !== 'object' || given === null) return given;
      return { ...given, timeMillis: (Reflect.get(given, 'timeMillis') as unknown) ?? timeMillis };
    };
    const type = typeOfMessage(command);
    if (type === undefined) return command;
    if (TIMED.has(type)) return stamp(command);
    const { logs } = command as { readonly logs?: unknown };
    if (type !== 'emitLogs' || !Array.isArray(logs)) return command;
    return { ...(command as object), logs: logs.map(stamp) };
  }

  /** One message for what is dispatched in one go. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#send();
    });
  }

  #send(): void {
    while (this.#queue.size > 0 && this.#state !== 'closed') {
      const room = Math.min(this.#settings.maxInFlight - this.#sent.size, MAX_BATCH);
      if (room <= 0) return;
      const batch: Waiting[] = [];
      for (const [id, waiting] of this.#queue) {
        if (batch.length === room) break;
        this.#queue.delete(id);
        batch.push(waiting);
      }
      this.#stopListening ??= listenTo(this.#target, (message) => this.#received(message));
      const deadline = this.#clock.monotonic() + this.#settings.answerTimeoutMillis;
      for (const waiting of batch) this.#sent.set(waiting.id, { ...waiting, deadline });
      this.#watch();
      this.#post(batch);
    }
  }

  #post(batch: readonly Waiting[]): void {
    const [{ id: first } = { id: 0 }] = batch;
    const commands = batch.map(({ command }) => command);
    const message: CommandsMessage = { isotrace: 'commands', version: 1, first, dropped: this.#lost, commands };
    sendTo(this.#target, message, (error) => {
      const isData = error instanceof TypeError || (error as Error | undefined)?.name === 'DataCloneError';
      // One command that cannot be sent takes no other with it.
      if (isData && batch.length > 1) for (const one of batch) this.#post([one]);
      else for (const { id } of batch) this.#drop(id, isData ? 'unserializable' : 'channel_closed');
    });
  }

  #received(message: unknown): void {
    try {
      for (const { id, result } of readAnswers(message) ?? []) {
        const waiting = this.#sent.get(id);
        if (waiting === undefined) continue;
        this.#answered += 1;
        this.#settle(waiting, result);
      }
    } catch {
      // A message that cannot be read is none of ours.
    }
  }

  #refuse(reason: CommandFailure, message: string): Promise<CommandResult> {
    this.#dropped[reason] = (this.#dropped[reason] ?? 0) + 1;
    return Promise.resolve(fail(reason, message));
  }

  #drop(id: number, reason: CommandFailure): void {
    const waiting = this.#sent.get(id);
    if (waiting === undefined) return;
    this.#dropped[reason] = (this.#dropped[reason] ?? 0) + 1;
    this.#settle(waiting, fail(reason, 'the command did not get to the parent, or its answer not back'));
  }

  #settle({ id, settle }: Waiting, result: CommandResult): void {
    this.#sent.delete(id);
    settle(result);
    if (this.#queue.size > 0) this.#schedule();
    if (this.#sent.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#queue.size > 0) return;
    this.#stopListening?.();
    this.#stopListening = undefined;
    for (const drained of this.#drained.splice(0)) drained();
  }

  /** One timer, for the oldest. */
  #watch(): void {
    if (this.#timer !== undefined) return;
    for (const { deadline } of this.#sent.values()) {
      // Of a port that was closed before nobody tells, and nothing else keeps the worker: it waits for its answer.
      this.#timer = this.#clock.schedule(() => this.#expire(), deadline - this.#clock.monotonic(), true);
      return;
    }
  }

  #expire(): void {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    for (const { id, deadline } of this.#sent.values()) {
      if (deadline > now) break;
      this.#drop(id, 'unanswered');
    }
    this.#watch();
  }

  /** Nothing more comes. */
  #end(): void {
    this.#state = 'closed';
    this.#stopWatching();
    for (const [id, waiting] of this.#queue) this.#sent.set(id, { ...waiting, deadline: 0 });
    this.#queue.clear();
    for (const id of [...this.#sent.keys()]) this.#drop(id, 'channel_closed');
  }
}
