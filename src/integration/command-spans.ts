import type { Span } from '@opentelemetry/api';
import type { Agenda, Job } from '../processing/agenda.ts';

/** Why a span was ended without a command to end it. */
export type AbandonReason =
  /** More than the limit were open; it was the oldest. */
  | 'span_limit'
  /** It was open for too long. */
  | 'span_age'
  /** The bus was closed or shut down. */
  | 'bus_closed'
  /** The worker or child that had started it is gone. */
  | 'worker_lost';

export interface OpenSpanLimits {
  readonly maxSpans: number;
  readonly maxAgeMillis: number;
}

interface OpenSpan {
  readonly span: Span;
  /** On the agenda's clock. */
  readonly since: number;
}

const ABANDONED = 'isotrace.abandoned';

/**
 * Spans that are known by an id, bounded in number and time: one whose end never comes is ended as abandoned, with the
 * reason in the attribute `isotrace.abandoned`.
 */
export class OpenSpans {
  readonly #agenda: Agenda;
  readonly #limits: OpenSpanLimits;
  /** The oldest first. */
  readonly #spans = new Map<string, OpenSpan>();
  readonly #abandoned: Partial<Record<AbandonReason, number>> = {};
  readonly #job: Job = { due: (now) => this.#expire(now) };

  constructor(agenda: Agenda, limits: OpenSpanLimits) {
    this.#agenda = agenda;
    this.#limits = limits;
  }

  get size(): number {
    return this.#spans.size;
  }

  /** How many were abandoned, by reason. */
  get abandoned(): Readonly<Partial<Record<AbandonReason, number>>> {
    return { ...this.#abandoned };
  }

  has(id: string): boolean {
    return this.#spans.has(id);
  }

  get(id: string): Span | undefined {
    return this.#spans.get(id)?.span;
  }

  add(id: string, span: Span): void {
    this.#spans.set(id, { span, since: this.#agenda.now() });
    const [oldest] = this.#spans.keys();
    if (oldest !== undefined && this.#spans.size > this.#limits.maxSpans) this.#abandon(oldest, 'span_limit');
    if (this.#spans.size === 1) this.#schedule();
  }

  /** Hands the span out for its end. */
  take(id: string): Span | undefined {
    const span = this.get(id);
    this.#spans.delete(id);
    if (this.#spans.size === 0) this.#agenda.cancel(this.#job);
    return span;
  }

  abandonAll(reason: AbandonReason): void {
    for (const id of this.#spans.keys()) this.#abandon(id, reason);
  }

  #abandon(id: string, reason: AbandonReason): void {
    const span = this.take(id);
    this.#abandoned[reason] = (this.#abandoned[reason] ?? 0) + 1;
    span?.setAttribute(ABANDONED, reason);
    span?.end();
  }

  #expire(now: number): void {
    for (const [id, { since }] of this.#spans) {
      if (since + this.#limits.maxAgeMillis > now) break;
      this.#abandon(id, 'span_age');
    }
    this.#schedule();
  }

  #schedule(): void {
    for (const { since } of this.#spans.values()) {
      this.#agenda.schedule(this.#job, since + this.#limits.maxAgeMillis);
      return;
    }
  }
}
