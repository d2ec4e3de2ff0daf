import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import { isTarget, listenTo, onEnd, sendTo, type WorkerTarget } from './worker-endpoint.ts';
import {
  type ByeMessage,
  batchOf,
  kindOf,
  type SpansMessage,
  type WorkerAccount,
  writeSpan,
} from './worker-message.ts';

type Answer = Parameters<SpanExporter['export']>[1];
type ExportResult = Parameters<Answer>[0];

const SUCCESS = 0;
const FAILED = 1;

/**
 * Hands spans to the parent and counts them as exported when that has taken them over. Listens only while it waits for an
 * answer, so that it keeps no worker alive.
 */
export class WorkerExporter implements SpanExporter {
  readonly #target: WorkerTarget;
  readonly #account: () => WorkerAccount;
  readonly #waiting = new Map<number, Answer>();
  #batches = 0;
  #stopListening: (() => void) | undefined;
  readonly #stopWatching: () => void;
  #isOpen: boolean;

  constructor(target: WorkerTarget, account: () => WorkerAccount) {
    this.#target = target;
    this.#account = account;
    this.#isOpen = isTarget(target);
    const ended = (): void => this.#close('the parent has closed the channel');
    this.#stopWatching = this.#isOpen ? onEnd(target, ended) : () => undefined;
  }

  export(spans: ReadableSpan[], answer: Answer): void {
    if (!this.#isOpen) {
      answer({ code: FAILED, error: new Error('the channel to the parent is closed') });
      return;
    }
    this.#batches += 1;
    const batch = this.#batches;
    this.#waiting.set(batch, answer);
    this.#stopListening ??= listenTo(this.#target, (message) => this.#answered(message));
    const message: SpansMessage = {
      isotrace: 'spans',
      version: 1,
      batch,
      ...this.#account(),
      spans: spans.map(writeSpan),
    };
    sendTo(this.#target, message, (error) => this.#settle(batch, { code: FAILED, error: error as Error }));
  }

  async shutdown(): Promise<void> {
    if (!this.#isOpen) return;
    const bye: ByeMessage = { isotrace: 'bye', version: 1, ...this.#account() };
    sendTo(this.#target, bye, () => undefined);
    this.#close('the tracer was shut down');
  }

  #answered(message: unknown): void {
    const batch = kindOf(message) === 'taken' ? batchOf(message) : undefined;
    if (batch !== undefined) this.#settle(batch, { code: SUCCESS });
  }

  #settle(batch: number, result: ExportResult): void {
    const answer = this.#waiting.get(batch);
    this.#waiting.delete(batch);
    if (this.#waiting.size === 0) {
      this.#stopListening?.();
      this.#stopListening = undefined;
    }
    answer?.(result);
  }

  #close(why: string): void {
    this.#isOpen = false;
    this.#stopWatching();
    for (const batch of [...this.#waiting.keys()]) this.#settle(batch, { code: FAILED, error: new Error(why) });
  }
}
