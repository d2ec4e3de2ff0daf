import { MessagePort } from 'node:worker_threads';
import { type IntegrationHost, integrationHostOf, runtimeOf } from '../core/integration-host.ts';
import { receiveSpan } from '../core/received-span.ts';
import type { TracerRegistry } from '../core/registry.ts';
import type { TracerBase } from '../core/tracer-base.ts';
import type { TracerRuntime } from '../core/tracer-runtime.ts';
import { describeIssues } from '../utils/message-fields.ts';
import { isTarget, listenTo, onEnd, sendTo, targetIssue, type WorkerTarget } from './worker-endpoint.ts';
import { accountOf, batchOf, kindOf, readSpans, type SpanIn, type WorkerAccount } from './worker-message.ts';

/** What came from a worker. */
export interface WorkerStats {
  readonly tenantId: string;
  /** `'closed'` after the worker has said that it sends no more; `'lost'` when it ended without. */
  readonly state: 'open' | 'closed' | 'lost';
  /** Spans that were taken over: from then on they are in the tenant's account. */
  readonly taken: number;
  /** Spans that are none, and those of a tenant that takes no more; in the tenant's account as dropped. */
  readonly refused: number;
  /**
   * Spans that had ended in the worker when it spoke last, and that it neither dropped nor sent. Of a worker that is lost
   * they are lost too, and so is what ended later, of which nobody knows.
   */
  readonly unsent: number;
}

/** Answers on their way. */
const MAX_LEAVING = 10_000;

/**
 * Takes over what a worker of one tenant records. The tenant was named when this was made; nothing that the worker says
 * can change it. No method throws.
 */
export class WorkerReceiver implements Disposable {
  readonly #registry: TracerRegistry<TracerBase>;
  readonly #tenantId: string;
  readonly #target: WorkerTarget;
  readonly #host: IntegrationHost | undefined;
  readonly #stops: readonly (() => void)[];
  #state: WorkerStats['state'] = 'open';
  #taken = 0;
  #refused = 0;
  #leaving = 0;
  #account: WorkerAccount = { ended: 0, dropped: 0 };

  /** Made by `receiveSpans`. */
  constructor(registry: TracerRegistry<TracerBase>, tenantId: string, target: WorkerTarget) {
    this.#registry = registry;
    this.#tenantId = tenantId;
    this.#target = target;
    this.#host = integrationHostOf(registry);
    const isUsable = isTarget(target);
    this.#stops = isUsable
      ? [listenTo(target, (message) => this.#receive(message)), onEnd(target, () => this.#ended())]
      : [];
    if (!isUsable) {
      this.close();
      this.#host?.guard.report('host', 'worker', new TypeError(describeIssues([targetIssue(target)])));
    }
    // A port of its own is no reason for the process to stay; a worker or child is one by itself.
    else if (target instanceof MessagePort) target.unref();
  }

  /** What came from the worker, and what became of it. */
  stats(): WorkerStats {
    const { ended, dropped } = this.#account;
    const unsent = Math.max(ended - dropped - this.#taken - this.#refused, 0);
    const [taken, refused] = [this.#taken, this.#refused];
    return { tenantId: this.#tenantId, state: this.#state, taken, refused, unsent };
  }

  /** Takes nothing more. The worker goes on, and counts what it cannot hand over as dropped. */
  close(): void {
    if (this.#state === 'open') this.#state = 'closed';
    for (const stop of this.#stops) stop();
  }

  /** As `close()`, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  #receive(message: unknown): void {
    this.#host?.guard.run('host', 'worker', () => this.#read(message), undefined);
  }

  #read(message: unknown): void {
    const kind = kindOf(message);
    if (kind !== 'spans' && kind !== 'bye') return;
    this.#account = accountOf(message) ?? this.#account;
    if (kind === 'bye') {
      this.close();
      return;
    }
    const { spans, more } = readSpans(message);
    for (const span of spans) {
      if (span !== undefined && this.#take(span)) this.#taken += 1;
      else this.#refused += 1;
    }
    this.#refused += more;
    const unreadable = spans.filter((span) => span === undefined).length + more;
    if (unreadable > 0) this.#runtime().path.discard('unserializable', unreadable);
    const batch = batchOf(message);
    // A child process that reads no answers gets none.
    if (batch === undefined || this.#leaving >= MAX_LEAVING) return;
    this.#leaving += 1;
    const gone = (): void => {
      this.#leaving -= 1;
    };
    // A worker that is gone needs no answer.
    sendTo(this.#target, { isotrace: 'taken', version: 1, batch }, () => undefined, gone);
  }

  #take({ scope: { name, version }, span }: SpanIn): boolean {
    return receiveSpan(this.#runtime(), this.#registry.routing.router.scope(name, version), span);
  }

  /** The tenant may have been evicted since the last message: each asks for it again. */
  #runtime(): TracerRuntime {
    return runtimeOf(this.#registry, this.#tenantId);
  }

  #ended(): void {
    if (this.#state !== 'open') return;
    this.close();
    this.#state = 'lost';
    const { tenantId, unsent } = this.stats();
    if (unsent > 0)
      this.#host?.guard.report('host', 'worker', new Error(`a worker of ${tenantId} left ${unsent} spans`));
  }
}
