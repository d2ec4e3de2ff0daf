import type { Context, Span } from '@opentelemetry/api';
import { trace } from '@opentelemetry/api';
import type { Agenda, Job } from './agenda.ts';
import type { RecordingSpan } from './span.ts';
import {
  type AgentSettings,
  COST_KEY,
  priceOf,
  readUsage,
  type SpanUsage,
  type TenantUsage,
  UsageAccount,
  UsageSum,
} from './usage.ts';

export interface AgentWatchOptions {
  readonly agenda: Agenda;
  /** Exports a record of a span that is open for long. */
  readonly emitPending: (span: RecordingSpan) => void;
}

interface TraceAccount {
  readonly root: Span;
  readonly sum: UsageSum;
}

/** Open spans whose time is watched; those beyond are not reported as pending. */
const MAX_WATCHED = 10_000;

/**
 * Looks at the spans of one tenant for what agents spend: adds it up for the tenant and, on the local root span, for
 * each trace; and reports spans that are open for long. Takes part as a span processor, in every configuration of the
 * tenant that has `agents`.
 */
export class AgentWatch {
  settings: AgentSettings;
  readonly #options: AgentWatchOptions;
  readonly #account = new UsageAccount();
  readonly #accounts = new WeakMap<Span, TraceAccount>();
  /** Spans that may become pending, by when; the oldest first. */
  readonly #watched = new Map<RecordingSpan, number>();
  readonly #job: Job = { due: (now) => this.#reportPending(now) };
  /** Whether a record of a pending span is being made, which is no span to look at. */
  #emitting = false;

  constructor(options: AgentWatchOptions, settings: AgentSettings) {
    this.#options = options;
    this.settings = settings;
  }

  get usage(): TenantUsage {
    return this.#account.snapshot(this.settings.currency);
  }

  /** Counts a call that no recorded span tells of. */
  count(usage: SpanUsage): void {
    this.#account.add(usage, priceOf(usage, this.settings.prices));
  }

  onStart(span: RecordingSpan, parentContext: Context): void {
    if (this.#emitting) return;
    const parent = trace.getSpan(parentContext);
    const account = (parent && this.#accounts.get(parent)) ?? { root: span, sum: new UsageSum() };
    this.#accounts.set(span, account);
    const { pendingAfterMillis } = this.settings;
    if (pendingAfterMillis === Number.POSITIVE_INFINITY || this.#watched.size >= MAX_WATCHED) return;
    const { agenda } = this.#options;
    const at = agenda.now() + pendingAfterMillis;
    this.#watched.set(span, at);
    if (this.#watched.size === 1) agenda.schedule(this.#job, at);
  }

  onEnding(span: RecordingSpan): void {
    if (this.#emitting) return;
    const account = this.#accounts.get(span);
    const usage = usageOf(span);
    if (usage !== undefined) {
      const cost = priceOf(usage, this.settings.prices);
      if (cost !== undefined && usage.cost === undefined) span.setAttribute(COST_KEY, cost);
      account?.sum.add(usage, cost);
    }
    if (account?.root !== span) return;
    const { calls, inputTokens, outputTokens, cost, unpriced } = account.sum.totals;
    if (calls === 0) return;
    span.setAttribute('isotrace.usage.calls', calls);
    span.setAttribute('isotrace.usage.input_tokens', inputTokens);
    span.setAttribute('isotrace.usage.output_tokens', outputTokens);
    if (unpriced < calls) span.setAttribute('isotrace.usage.total_cost', cost);
  }

  onEnd(span: RecordingSpan): void {
    if (this.#emitting) return;
    this.#watched.delete(span);
    const usage = usageOf(span);
    if (usage !== undefined) this.count(usage);
  }

  async forceFlush(): Promise<void> {}

  async shutdown(): Promise<void> {
    this.close();
  }

  /** Reports no more pending spans. */
  close(): void {
    this.#watched.clear();
    this.#options.agenda.cancel(this.#job);
  }

  #reportPending(now: number): void {
    const { agenda, emitPending } = this.#options;
    for (const [span, at] of this.#watched) {
      if (span.ended) this.#watched.delete(span);
      else if (at > now) break;
      else {
        this.#watched.delete(span);
        this.#emitting = true;
        try {
          emitPending(span);
        } finally {
          this.#emitting = false;
        }
      }
    }
    const [next] = this.#watched.values();
    if (next !== undefined) agenda.schedule(this.#job, next);
  }
}

function usageOf(span: RecordingSpan): SpanUsage | undefined {
  const { attributeList } = span;
  return readUsage((key) => attributeList.get(key));
}
