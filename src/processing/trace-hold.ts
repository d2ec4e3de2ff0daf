import type { Clock } from '../utils/clock.ts';
import { hrTimeDuration, millisToHrTime } from '../utils/span-time.ts';
import type { BudgetUser, ByteBudget } from './byte-budget.ts';
import { type DropReason, type Ledger, recordDrop } from './ledger.ts';
import type { LocalTrace } from './local-trace.ts';
import type { RecordingSpan } from './span.ts';
import type { HoldLimits } from './span-hold.ts';
import { estimateBytes } from './span-size.ts';

type Trace = LocalTrace<RecordingSpan>;

export interface TraceHoldOptions {
  readonly tenantId: string;
  readonly ledger: Ledger;
  /** As they are at the moment. */
  readonly limits: () => HoldLimits;
  /** What all tenants together may hold. */
  readonly budget: ByteBudget;
  readonly clock: Clock;
  /** Gets each span of a trace that is kept. It has not been counted. */
  readonly keep: (span: RecordingSpan, trace: Trace) => void;
}

const MILLIS_PER_SECOND = 1_000;
const NANOS_PER_MILLI = 1_000_000;

/**
 * Applies the tail rules of sampling: the ended spans of a trace wait here, as objects, until it is known whether it is
 * kept. That is known once a span has failed and errors are kept, or else when the local root ends. Bounded in number
 * and in estimated bytes, which count against the budget of the process: then the trace that has waited longest has to
 * be decided by what is known of it.
 */
export class TraceHold implements BudgetUser {
  readonly #options: TraceHoldOptions;
  /** Traces with spans that wait, in the order in which their first one came. */
  readonly #traces = new Set<Trace>();
  #size = 0;
  #bytes = 0;

  constructor(options: TraceHoldOptions) {
    this.#options = options;
  }

  /** Spans that wait. */
  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Takes an ended span of a trace that is decided or waits, and counts it. */
  push(span: RecordingSpan, trace: Trace): void {
    const isKnown = isToBeKept(trace) || trace.root?.ended !== false;
    if (trace.decision === 'waiting' && isKnown) this.#settle(trace);
    if (trace.decision === 'waiting' && this.#hold(span, trace)) return;
    if (trace.decision === 'kept') {
      this.#options.keep(span, trace);
    } else {
      this.#options.ledger.countCreated(1);
      this.#drop('sampled', 1);
    }
  }

  /** Decides every trace that has spans waiting, by what is known. */
  settleAll(): void {
    for (const trace of this.#traces) this.#settle(trace);
  }

  /** Gives up the traces that have waited longest. */
  shed(bytes: number): number {
    const before = this.#bytes;
    for (const trace of this.#traces) {
      if (before - this.#bytes >= bytes) break;
      // Not exported even if it is known to be kept: whoever needs the room is in the middle of queueing a span.
      const reason = this.#lastedLong(trace) ? 'queue_full' : 'sampled';
      trace.decide('dropped');
      this.#drop(reason, this.#take(trace).length);
    }
    return before - this.#bytes;
  }

  /** False when it was decided to make room, and the trace is decided. */
  #hold(span: RecordingSpan, trace: Trace): boolean {
    const { budget, ledger } = this.#options;
    const bytes = estimateBytes(span);
    while (!this.#reserve(bytes)) {
      this.#settle(this.#nextToDecide(trace, bytes));
      if (trace.decision !== 'waiting') return false;
    }
    // Diagnostics of those who had to make room run host code, which may have ended spans of this trace.
    if (isDecided(trace)) {
      budget.release(bytes);
      return false;
    }
    if (this.#traces.size === 0) budget.join(this);
    this.#traces.add(trace);
    trace.spans.push(span);
    trace.bytes += bytes;
    this.#size += 1;
    this.#bytes += bytes;
    ledger.countCreated(1);
    return true;
  }

  #reserve(bytes: number): boolean {
    const { limits, budget } = this.#options;
    const { maxQueueBytes, maxQueueSize } = limits();
    if (this.#size >= maxQueueSize || this.#bytes + bytes > maxQueueBytes) return false;
    return budget.reserve(this, bytes);
  }

  /** A span that would not even fit into an empty hold takes its own trace with it, and no other. */
  #nextToDecide(trace: Trace, bytes: number): Trace {
    if (bytes > this.#options.limits().maxQueueBytes) return trace;
    const [oldest = trace] = this.#traces;
    return oldest;
  }

  #settle(trace: Trace): void {
    const isKept = isToBeKept(trace) || this.#lastedLong(trace);
    trace.decide(isKept ? 'kept' : 'dropped');
    const spans = this.#take(trace);
    if (!isKept) {
      this.#drop('sampled', spans.length);
      return;
    }
    this.#options.ledger.countCreated(-spans.length);
    for (const span of spans) this.#options.keep(span, trace);
  }

  /** Empties it of a trace. */
  #take(trace: Trace): readonly RecordingSpan[] {
    const { budget } = this.#options;
    const { bytes, spans } = trace;
    if (!this.#traces.delete(trace)) return spans;
    this.#size -= spans.length;
    this.#bytes -= bytes;
    budget.release(bytes);
    if (this.#traces.size === 0) budget.leave(this);
    trace.spans = [];
    trace.bytes = 0;
    return spans;
  }

  /** Of a root that is open, the time until now is known. */
  #lastedLong({ root, rules }: Trace): boolean {
    const millis = rules?.keepSlowerThanMillis ?? Number.POSITIVE_INFINITY;
    if (root === undefined || millis === Number.POSITIVE_INFINITY) return false;
    const end = root.ended ? root.endTime : millisToHrTime(this.#options.clock.now());
    const [seconds, nanos] = hrTimeDuration(root.startTime, end);
    return seconds * MILLIS_PER_SECOND + nanos / NANOS_PER_MILLI >= millis;
  }

  #drop(reason: DropReason, count: number): void {
    recordDrop(this.#options.ledger, this.#options.tenantId, reason, count);
  }
}

function isToBeKept({ failed, rules }: Trace): boolean {
  return failed && rules?.keepErrors === true;
}

function isDecided({ decision }: Trace): boolean {
  return decision !== 'waiting';
}
