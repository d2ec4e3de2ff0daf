import { untraced } from '../infra/untraced.ts';
import { describeError } from '../utils/errors.ts';
import { Stopper } from '../utils/stop-signal.ts';
import type { Job } from './agenda.ts';
import { GIVE_UP_REASONS, type Trouble } from './breaker.ts';
import type { Gate, Sender, Standing, Turn } from './dispatcher.ts';
import { LaneAccount, refusedOf } from './lane-account.ts';
import { type BreakerRound, LaneBreaker } from './lane-breaker.ts';
import { type Attempt, startAttempt } from './lane-cargo.ts';
import { type GroupMember, LaneGroup } from './lane-group.ts';
import type { LaneCondition, LaneOptions } from './lane-options.ts';
import type { DropReason } from './ledger.ts';
import type { DeliveryOutcome, FailureReason } from './outcome.ts';
import { Waiters } from './waiters.ts';

/** An error of its own for each lane would have a stack that nobody reads. */
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
  readonly #account: LaneAccount;
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
  /** Why it was closed, if it was. */
  #closed: DropReason | undefined;
  #stop: Stopper | undefined;
  readonly #afterLoss: Job = { due: () => this.#notify() };

  constructor(options: LaneOptions) {
    const { cargo, clock, dispatcher, retryPolicy } = options;
    this.#options = options;
    this.#gate = dispatcher.gate(cargo.origin);
    this.#group = options.group ?? new LaneGroup(clock, retryPolicy);
    this.#group.join(this);
    this.#breaker = new LaneBreaker(this.#group.breaker);
    this.#account = new LaneAccount(options);
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

  get standing(): Standing {
    return this.#breaker.failures > 0 ? 'suspect' : this.#group.standing;
  }

  /** To be called after something was put into the queue. */
  added(): void {
    if (this.#hurried > 0 || this.#options.cargo.full) this.#offer();
    else if (!this.#waiting) this.#wait();
  }

  /** To be called after the queue had to give up `count` spans. */
  lost(count: number, reason: DropReason = 'queue_full'): void {
    this.#account.dropped(reason, count);
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
    if (this.#closed !== undefined) return false;
    if (this.#retries.length === 0 && (cargo.size === 0 || cargo.spool?.ready === false)) return false;
    // One at a time with a spool: a process that dies then repeats one batch at most.
    if (cargo.spool !== undefined && this.#underWay.length > 0) return false;
    const { failures, open } = this.#breaker;
    this.#heldUp = open || !this.#group.hasRoom(failures > 0);
    // What opened it may have been another lane's failure.
    if (open && !this.#waiting) this.#wakeAt(this.#breaker.blockedUntil);
    return !this.#heldUp;
  }

  /** Sends the next batch; called by the dispatcher when `sendable()` and a slot is free. */
  send(turn: Turn): void {
    const attempt = this.#next();
    if (attempt === undefined) {
      turn.finished();
      return;
    }
    const { agenda, cargo, guard } = this.#options;
    const { round } = this.#breaker;
    // One for all requests that are under way: it is only ever used to stop them all.
    this.#stop ??= new Stopper();
    const signal = this.#stop;
    const noteEnd = this.#group.begin(this, agenda, turn);
    this.#underWay = [...this.#underWay, attempt];
    const settle = (outcome: DeliveryOutcome): void => {
      noteEnd(outcome.status !== 'retryable');
      this.#ended(attempt);
      guard.run('delivery', 'settle', () => this.#settle(attempt, round, outcome), undefined);
      turn.finished();
      this.#group.freed(this);
      this.#again();
    };
    untraced(() => startAttempt(cargo, attempt.batch, signal)).then(settle, (error: unknown) => {
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
      if (this.#closed !== undefined || this.#left === 0) return true;
      if (until === 'empty') return false;
      return this.#isSettledUpTo(end) || (this.#underWay.length === 0 && this.#breaker.open);
    };
    return this.#waiters.until(done);
  }

  /**
   * Stops: aborts what is under way and counts what cannot be left on the disk under `reason`. Resolves when all
   * requests have ended; what a receiver had taken by then is exported after all.
   */
  close(reason: DropReason): Promise<void> {
    const ended = this.#waiters.until(() => this.#underWay.length === 0);
    if (this.#closed !== undefined) return ended;
    this.#closed = reason;
    const { agenda, cargo, dispatcher } = this.#options;
    agenda.cancel(this);
    agenda.cancel(this.#afterLoss);
    this.#gate.withdraw(this);
    this.#group.leave(this);
    dispatcher.leave(this.#gate);
    let left = cargo.clear();
    for (const { batch } of this.#retries) left += batch.count - (cargo.spool?.leave(batch) ?? 0);
    for (const attempt of this.#underWay) {
      if (cargo.spool === undefined) this.#account.aborted(attempt, reason);
      else left += attempt.batch.count - cargo.spool.leave(attempt.batch);
    }
    for (const { batch } of this.#retries.splice(0)) cargo.release(batch);
    // Their memory is still being read: it is released when they have ended.
    this.#stop?.abort();
    this.#held = 0;
    this.#account.dropped(reason, left);
    this.#notify();
    return ended;
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
    if (this.#closed !== undefined) return;
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
    if (this.#closed !== undefined) return;
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
    if (this.#closed !== undefined) {
      const { cargo } = this.#options;
      if (cargo.spool === undefined) this.#account.ended(attempt, this.#closed, outcome);
      cargo.release(attempt.batch);
    } else if (outcome.status === 'success') {
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
    if (message !== undefined) this.#options.guard.report('delivery', 'partial success', message);
    this.#finish(attempt, 'rejected', refusedOf(attempt.batch, rejected));
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
    this.#account.failed(message, false);
    this.#finish(attempt, 'rejected', attempt.batch.count);
  }

  /** Keeps the batch for another attempt, unless its time is over. */
  #failed(attempt: Attempt, trouble: Trouble, message: string): void {
    const { spool } = this.#options.cargo;
    const reason = spool === undefined ? GIVE_UP_REASONS[trouble] : undefined;
    const givesUp = reason !== undefined && this.#breaker.open && this.#options.retryPolicy.exhausted(attempt.firstAt);
    this.#account.failed(message, !givesUp);
    const { count } = attempt.batch;
    if (givesUp) this.#finish(attempt, reason, count);
    else if (spool?.putBack(attempt.batch) !== true) this.#retries.push(attempt);
    else {
      this.#held -= count;
      this.#taken -= count;
    }
  }

  #finish(attempt: Attempt, reason: DropReason, dropped: number): void {
    this.#held -= attempt.batch.count;
    this.#account.finished(attempt, reason, dropped);
    this.#options.cargo.release(attempt.batch);
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
