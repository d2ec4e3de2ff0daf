import { untraced } from '../infra/untraced.ts';
import { publishDiagnostic } from '../utils/diagnostics.ts';
import { describeError } from '../utils/errors.ts';
import type { Job } from './agenda.ts';
import { GIVE_UP_REASONS, type Trouble } from './breaker.ts';
import type { Gate, Sender } from './dispatcher.ts';
import { type BreakerRound, LaneBreaker } from './lane-breaker.ts';
import type { Attempt } from './lane-cargo.ts';
import { type GroupMember, LaneGroup } from './lane-group.ts';
import type { LaneCondition, LaneOptions } from './lane-options.ts';
import { type DropReason, recordDrop } from './ledger.ts';
import type { DeliveryOutcome, FailureReason } from './outcome.ts';
import { Waiters } from './waiters.ts';

const NO_ATTEMPTS: readonly Attempt[] = Object.freeze([]);

/**
 * Brings one tenant's telemetry to one destination: decides when a batch is due, holds it while it is under way, and
 * counts what became of it. Many lanes share the agenda and the dispatcher; a lane, with the others of its group, never
 * has more than two requests under way, and starts none beside another while its destination fails.
 */
export class Lane implements Job, Sender, GroupMember {
  readonly #options: LaneOptions;
  readonly #gate: Gate;
  readonly #group: LaneGroup;
  readonly #breaker: LaneBreaker;
  readonly #retries: Attempt[] = [];
  /** A handful at most. */
  #underWay: readonly Attempt[] = NO_ATTEMPTS;
  readonly #waiters = new Waiters();
  /** Spans taken from the queue since the beginning, and those of them that are not settled. */
  #taken = 0;
  #held = 0;
  #hurried = 0;
  #waiting = false;
  #heldUp = false;
  #closed = false;
  #stop: AbortController | undefined;
  readonly #afterLoss: Job = { due: () => this.#notify() };

  constructor(options: LaneOptions) {
    const { cargo, clock, dispatcher, retryPolicy } = options;
    this.#options = options;
    this.#gate = dispatcher.gate(cargo.origin);
    this.#group = options.group ?? new LaneGroup(clock, retryPolicy);
    this.#group.join(this);
    this.#breaker = new LaneBreaker(this.#group.breaker);
  }

  /** Spans that are not settled and not only on the disk: waiting, to be retried, or in a request. */
  get queued(): number {
    return this.#left - this.spooled;
  }

  /** Spans that are only on the disk. */
  get spooled(): number {
    return this.#options.cargo.spool?.spooled ?? 0;
  }

  get #left(): number {
    return this.#options.cargo.size + this.#held;
  }

  /** For metrics: what is to be retried or in a request, and what exports it. */
  get inflight() {
    return { count: this.#held, component: this.#options.cargo.component };
  }

  get bytes(): number {
    return this.#options.cargo.bytes;
  }

  get condition(): LaneCondition {
    return this.#breaker.trouble ?? (this.#underWay.length > 0 ? 'delivering' : 'idle');
  }

  /** For people: where the lane leads. */
  get destination(): string {
    return this.#options.cargo.destination;
  }

  /** What the latest failure said. */
  get lastError(): string | undefined {
    return this.#breaker.lastError;
  }

  /** Attempts that failed since the last one that did not; those under way at the same time count once. */
  get failures(): number {
    return this.#breaker.failures;
  }

  get suspect(): boolean {
    return this.#breaker.failures > 0 || this.#group.overdue;
  }

  /** To be called after something was put into the queue. */
  added(): void {
    if (this.#hurried > 0 || this.#options.cargo.full) this.#offer();
    else if (!this.#waiting) this.#wait();
  }

  /** To be called after the queue had to give up `count` spans. */
  lost(count: number, reason: DropReason = 'queue_full'): void {
    this.#drop(reason, count);
    // Later: this happens in the middle of another tenant's push.
    this.#options.agenda.schedule(this.#afterLoss, this.#options.agenda.now());
  }

  /** The delay of the batch, or the wait for the next attempt, is over, or a batch came back from the disk. */
  due(): void {
    this.#waiting = false;
    this.#offer();
  }

  /** Whether there is something that may be sent now; asked by the dispatcher. */
  sendable(): boolean {
    const { cargo } = this.#options;
    if (this.#closed || (this.#retries.length === 0 && (cargo.size === 0 || cargo.spool?.ready === false)))
      return false;
    // One at a time with a spool: a process that dies then repeats one batch at most.
    if (cargo.spool !== undefined && this.#underWay.length > 0) return false;
    const { failures, open } = this.#breaker;
    this.#heldUp = open || !this.#group.hasRoom(failures > 0);
    // What opened it may have been another lane's failure.
    if (open && !this.#waiting) this.#wakeAt(this.#breaker.blockedUntil);
    return !this.#heldUp;
  }

  /** Sends the next batch; called by the dispatcher when `sendable()` and a slot is free. */
  send(overdue: () => void, finished: () => void): void {
    const attempt = this.#next();
    if (attempt === undefined) {
      finished();
      return;
    }
    const { agenda, cargo, guard } = this.#options;
    const { round } = this.#breaker;
    // One for all requests that are under way: it is only ever used to stop them all.
    this.#stop ??= new AbortController();
    const { signal } = this.#stop;
    const noteEnd = this.#group.begin(this, agenda, overdue);
    this.#underWay = [...this.#underWay, attempt];
    const settle = (outcome: DeliveryOutcome): void => {
      noteEnd();
      this.#ended(attempt);
      guard.run('delivery', 'settle', () => this.#settle(attempt, round, outcome), undefined);
      finished();
      this.#group.freed(this);
      this.#again();
    };
    // `async`, so that nothing is thrown into the host's code that ended a span.
    untraced(async () => cargo.attempt(attempt.batch, signal)).then(settle, (error: unknown) => {
      guard.report('delivery', 'attempt', error);
      settle({ status: 'retryable', reason: 'hook', message: describeError(error) });
    });
    if (cargo.full) this.#gate.offer(this);
  }

  /** What another lane of the destination learned may end a wait, or begin one. */
  freed(): void {
    this.#waiters.check();
    if (this.#heldUp) this.#offer();
  }

  /** Sends without waiting for full batches until `relax` is called as often. */
  hurry(): void {
    this.#hurried += 1;
    this.#breaker.lift();
    this.#offer();
  }

  relax(): void {
    this.#hurried -= 1;
  }

  /**
   * Resolves when nothing is left; with `attempted`, as soon as what is there now is settled or no attempt may be made
   * for the time being. Never rejects.
   */
  settled(until: 'empty' | 'attempted'): Promise<void> {
    const end = this.#taken + this.#options.cargo.size;
    const done = (): boolean => {
      if (this.#closed || this.#left === 0) return true;
      if (until === 'empty') return false;
      return this.#isSettledUpTo(end) || (this.#underWay.length === 0 && this.#breaker.open);
    };
    return this.#waiters.until(done);
  }

  /** Stops: aborts what is under way and counts what cannot be left on the disk under `reason`. Answers how much that was. */
  close(reason: DropReason): number {
    if (this.#closed) return 0;
    this.#closed = true;
    const { agenda, cargo, dispatcher } = this.#options;
    agenda.cancel(this);
    agenda.cancel(this.#afterLoss);
    this.#gate.withdraw(this);
    this.#group.leave(this);
    dispatcher.leave(this.#gate);
    let left = cargo.clear();
    for (const { batch } of [...this.#retries, ...this.#underWay]) {
      left += batch.count - (cargo.spool?.leave(batch) ?? 0);
    }
    for (const { batch } of this.#retries) cargo.release(batch);
    this.#retries.length = 0;
    // Their memory is still being read: it is released when they have ended.
    this.#stop?.abort();
    this.#held = 0;
    this.#drop(reason, left);
    this.#notify();
    return left;
  }

  #wait(): void {
    const { clock, delayMillis } = this.#options;
    // Up to a tenth earlier, so that tenants which started together do not all send in the same moment.
    const at = clock.monotonic() + delayMillis * (1 - clock.random() / 10);
    this.#wakeAt(Math.max(at, this.#breaker.blockedUntil));
  }

  #wakeAt(at: number): void {
    this.#waiting = true;
    this.#options.agenda.schedule(this, at);
  }

  #offer(): void {
    this.#heldUp = false;
    if (this.#closed) return;
    if (this.#breaker.open) {
      this.#wakeAt(this.#breaker.blockedUntil);
      return;
    }
    if (this.#waiting) this.#options.agenda.cancel(this);
    this.#waiting = false;
    this.#gate.offer(this);
  }

  /** After an attempt: goes on with retries and full batches, else waits for the batch to fill. */
  #again(): void {
    if (this.#closed) return;
    if (this.#retries.length > 0) this.#offer();
    else if (this.#options.cargo.size > 0) this.added();
  }

  /** An idle lane keeps nothing of its requests. */
  #ended(attempt: Attempt): void {
    const others = this.#underWay.filter((other) => other !== attempt);
    this.#underWay = others.length === 0 ? NO_ATTEMPTS : others;
    if (others.length === 0) this.#stop = undefined;
  }

  #next(): Attempt | undefined {
    const retry = this.#retries.shift();
    if (retry !== undefined) return retry;
    const batch = this.#options.cargo.take();
    if (batch === undefined) return undefined;
    const attempt = { batch, position: this.#taken, firstAt: this.#options.clock.monotonic() };
    this.#taken += batch.count;
    this.#held += batch.count;
    return attempt;
  }

  #settle(attempt: Attempt, round: BreakerRound, outcome: DeliveryOutcome): void {
    if (this.#closed) {
      this.#options.cargo.release(attempt.batch);
      return;
    }
    if (outcome.status === 'success') {
      this.#breaker.succeeded(round);
      this.#delivered(attempt, outcome.rejected, outcome.message);
    } else if (outcome.status === 'retryable') {
      this.#breaker.failed(round, 'retrying', outcome.message, outcome.retryAfterMillis);
      this.#failed(attempt, 'retrying', outcome.message);
    } else {
      this.#refused(attempt, round, outcome.reason, outcome.message);
    }
    this.#notify();
  }

  #delivered(attempt: Attempt, rejected: number, message: string | undefined): void {
    const { guard, ledger } = this.#options;
    const { count } = attempt.batch;
    const refused = Math.min(Math.max(rejected, 0), count);
    if (message !== undefined) guard.report('delivery', 'partial success', message);
    ledger.countExported(count - refused);
    this.#finish(attempt, 'rejected', refused);
  }

  #refused(attempt: Attempt, round: BreakerRound, reason: FailureReason, message: string): void {
    if (reason === 'unauthorized' || reason === 'config') {
      const trouble = reason === 'config' ? 'misconfigured' : reason;
      this.#breaker.failed(round, trouble, message);
      this.#failed(attempt, trouble, message);
      return;
    }
    this.#breaker.succeeded(round);
    const halves = reason === 'too_large' ? this.#options.cargo.split(attempt.batch) : undefined;
    if (halves !== undefined) {
      this.#retries.push(...halves.map((batch) => ({ ...attempt, batch })));
      return;
    }
    this.#announceFailure(message, false);
    this.#finish(attempt, 'rejected', attempt.batch.count);
  }

  /** Keeps the batch for another attempt, unless its time is over. */
  #failed(attempt: Attempt, trouble: Trouble, message: string): void {
    const { spool } = this.#options.cargo;
    const reason = spool === undefined ? GIVE_UP_REASONS[trouble] : undefined;
    const givesUp = reason !== undefined && this.#breaker.open && this.#options.retryPolicy.exhausted(attempt.firstAt);
    this.#announceFailure(message, !givesUp);
    const { count } = attempt.batch;
    if (givesUp) this.#finish(attempt, reason, count);
    else if (spool?.putBack(attempt.batch) !== true) this.#retries.push(attempt);
    else {
      this.#held -= count;
      this.#taken -= count;
    }
  }

  #announceFailure(reason: string, willRetry: boolean): void {
    const { guard, tenantId } = this.#options;
    guard.report('delivery', 'export', reason);
    publishDiagnostic('isotrace:export:failed', { tenantId, reason, willRetry });
  }

  #finish({ batch, firstAt }: Attempt, reason: DropReason, dropped: number): void {
    const { cargo, recorder } = this.#options;
    this.#held -= batch.count;
    this.#drop(reason, dropped);
    cargo.release(batch);
    recorder?.finished({ component: cargo.component, firstAt, exported: batch.count - dropped, dropped, reason });
  }

  #drop(reason: DropReason, count: number): void {
    recordDrop(this.#options.ledger, this.#options.tenantId, reason, count);
  }

  /** Whether all of the first `end` spans that were ever queued are settled. */
  #isSettledUpTo(end: number): boolean {
    // Spans that the queue gave up were never taken: an empty queue has none of the first ones either.
    if (this.#taken < end && this.#options.cargo.size > 0) return false;
    return [...this.#underWay, ...this.#retries].every(({ position }) => position >= end);
  }

  #notify(): void {
    this.#waiters.check();
    this.#options.progressed();
  }
}
