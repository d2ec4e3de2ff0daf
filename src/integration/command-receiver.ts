import { MessagePort } from 'node:worker_threads';
import type { TracerRegistry } from '../core/registry.ts';
import { outsideOfRequests } from '../infra/untraced.ts';
import { type CustomMessage, type CustomMessages, fail } from '../utils/bus-result.ts';
import type { ConfigIssue } from '../utils/errors.ts';
import type { CommandResult } from './command.ts';
import { type CommandBusOptions, type CommandContext, type CommandStats, TenantCommandBus } from './command-bus.ts';
import type { CommandTracer } from './command-execution.ts';
import { type AnswersMessage, type CommandAnswer, readMessage } from './command-message.ts';
import { isTarget, listenTo, onEnd, sendTo, targetIssue, type WorkerTarget } from './worker-endpoint.ts';

/** What came from a worker. */
export interface CommandReceiverStats extends CommandStats {
  readonly tenantId: string;
  /** `'closed'` after the worker has said that it sends no more; `'lost'` when it ended without. */
  readonly state: 'open' | 'closed' | 'lost';
  /** Messages about commands that could not be understood. */
  readonly malformed: number;
  /** Commands that were not executed because too many were under way. */
  readonly refused: number;
  /** Answers that were not sent because the worker reads none. */
  readonly unanswered: number;
  /** Commands that the worker said it has dropped itself. */
  readonly droppedByWorker: number;
}

/** Executes a worker's commands. No method throws. */
export interface CommandReceiver<Custom extends CustomMessages = Record<never, never>> extends Disposable {
  /** Options that were not acceptable; their defaults are in force. */
  readonly issues: readonly ConfigIssue[];
  /** As that of a command bus: commands of one's own that the worker may send. */
  register<K extends keyof Custom & string>(
    type: K,
    handler: (command: CustomMessage<Custom, K>, context: CommandContext) => ReturnType<Custom[K]>,
  ): () => void;
  /** Counts since the receiver was made. */
  stats(): CommandReceiverStats;
  /** Takes nothing more, and ends the spans that the worker has left open as abandoned. */
  close(): void;
}

/** Commands whose handlers, or whose flush, have not answered yet; and commands of one message. */
const MAX_UNDER_WAY = 10_000;
/** Answers, and what they say is wrong, on their way to a child process that does not read them. */
const MAX_LEAVING = 20_000;

/**
 * In the parent: executes what a worker's command client sends for `tenantId`, whatever the worker says. `target` is the
 * `Worker`, its `MessagePort`, or the `ChildProcess`; spans may take the same channel. Commands run outside of every
 * request: without `parentId` or `traceparent` a span begins a trace. Never throws.
 */
export function receiveCommands<Custom extends CustomMessages = Record<never, never>>(
  registry: TracerRegistry<CommandTracer>,
  tenantId: string,
  target: WorkerTarget,
  options: CommandBusOptions = {},
): CommandReceiver<Custom> {
  const bus = new TenantCommandBus({ registry, tenantId }, options, 'bus');
  return new ChannelReceiver(bus, tenantId, target) as unknown as CommandReceiver<Custom>;
}

class ChannelReceiver implements Disposable {
  readonly issues: readonly ConfigIssue[];
  readonly #bus: TenantCommandBus;
  readonly #tenantId: string;
  readonly #target: WorkerTarget;
  readonly #stops: readonly (() => void)[];
  #state: CommandReceiverStats['state'] = 'open';
  #malformed = 0;
  #refused = 0;
  #unanswered = 0;
  #leaving = 0;
  #droppedByWorker = 0;
  #underWay = 0;
  #answers: CommandAnswer[] = [];

  constructor(bus: TenantCommandBus, tenantId: string, target: WorkerTarget) {
    const isUsable = isTarget(target);
    this.#bus = bus;
    this.#tenantId = tenantId;
    this.#target = target;
    this.issues = isUsable ? bus.issues : [...bus.issues, targetIssue(target)];
    this.#stops = isUsable
      ? [listenTo(target, (message) => this.#receive(message)), onEnd(target, () => this.#ended())]
      : [];
    if (!isUsable) this.close();
    // A port of its own is no reason for the process to stay; a worker or child is one by itself.
    else if (target instanceof MessagePort) target.unref();
  }

  register(type: string, handler: (command: unknown, context: CommandContext) => unknown): () => void {
    return this.#bus.register(type, handler);
  }

  stats(): CommandReceiverStats {
    return {
      tenantId: this.#tenantId,
      state: this.#state,
      malformed: this.#malformed,
      refused: this.#refused,
      unanswered: this.#unanswered,
      droppedByWorker: this.#droppedByWorker,
      ...this.#bus.stats(),
    };
  }

  close(): void {
    if (this.#state === 'open') this.#state = 'closed';
    for (const stop of this.#stops) stop();
    this.#bus.close(this.#state === 'lost' ? 'worker_lost' : 'bus_closed');
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #receive(message: unknown): void {
    try {
      const read = readMessage(message);
      if (read.kind === 'other') return;
      if (read.kind === 'malformed') {
        this.#malformed += 1;
        return;
      }
      this.#droppedByWorker = read.dropped ?? this.#droppedByWorker;
      if (read.kind === 'end') this.close();
      else outsideOfRequests(() => this.#execute(read.commands, read.first));
    } catch (error) {
      this.#malformed += 1;
      this.#bus.report('worker', error);
    }
  }

  #execute(commands: readonly unknown[], first: number | undefined): void {
    const answer = (index: number, result: CommandResult): void => {
      if (first !== undefined) this.#answer({ id: first + index, result });
    };
    for (const [index, command] of commands.slice(0, MAX_UNDER_WAY).entries()) {
      if (this.#underWay >= MAX_UNDER_WAY) {
        this.#refused += 1;
        answer(index, fail('queue_full', 'too many commands are under way'));
        continue;
      }
      this.#underWay += 1;
      void this.#bus.dispatch(command).then((result) => {
        this.#underWay -= 1;
        answer(index, result);
      });
    }
    // An array of a few bytes may say that it has four billion elements: none of the others is looked at.
    const more = commands.length - MAX_UNDER_WAY;
    if (more <= 0) return;
    this.#refused += more;
    answer(MAX_UNDER_WAY, fail('queue_full', `${more} commands too many in one message`));
  }

  /** One message for all that are there at the same time. */
  #answer(answer: CommandAnswer): void {
    this.#answers.push(answer);
    if (this.#answers.length > 1) return;
    queueMicrotask(() => {
      const answers = this.#answers;
      this.#answers = [];
      this.#send(answers);
    });
  }

  #send(answers: readonly CommandAnswer[]): void {
    const { length } = answers;
    const cost = answers.reduce((sum, { result }) => sum + 1 + (result.ok ? 0 : result.issues.length), 0);
    if (this.#leaving > 0 && this.#leaving + cost > MAX_LEAVING) {
      this.#unanswered += length;
      return;
    }
    const message: AnswersMessage = { isotrace: 'answers', version: 1, answers };
    const failed = (): void => {
      // A worker that is gone needs no answer.
      if (this.#state === 'lost') return;
      if (length > 1) for (const one of answers) this.#send([one]);
      else for (const { id, result } of answers) this.#sendInstead(id, result);
    };
    this.#leaving += cost;
    sendTo(this.#target, message, failed, () => {
      this.#leaving -= cost;
    });
  }

  /** For an answer that is no plain data. */
  #sendInstead(id: number, { ok }: CommandResult): void {
    if (!ok) return;
    const result = fail('unserializable', 'the command was executed; its answer is not plain data');
    this.#send([{ id, result }]);
  }

  #ended(): void {
    if (this.#state !== 'open') return;
    this.#state = 'lost';
    this.close();
    const { tenantId } = this.stats();
    const { worker_lost: spans = 0 } = this.#bus.stats().abandoned;
    if (spans > 0) this.#bus.report('worker', new Error(`a worker of ${tenantId} left ${spans} spans open`));
  }
}
