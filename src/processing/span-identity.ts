import type { SpanContext, TraceState } from '@opentelemetry/api';
import { isSpanId, isTraceId, type PooledIdGenerator, wordsToHex } from '../utils/ids.ts';

/**
 * The context of a span with its ids as 32-bit words, the highest bits first: the wire wants bytes, and most spans are
 * never asked for their hex. To be read like the `SpanContext` that `plain` answers, which is the one to give away:
 * what the host changes in that counts from then on, but for the ids.
 */
export class SpanIdentity {
  readonly trace0: number;
  readonly trace1: number;
  readonly trace2: number;
  readonly trace3: number;
  readonly span0: number;
  readonly span1: number;
  #traceFlags = 0;
  #traceState: TraceState | undefined;
  #plain: SpanContext | undefined;

  private constructor(words: Words, plain: SpanContext | undefined) {
    this.trace0 = words.trace0;
    this.trace1 = words.trace1;
    this.trace2 = words.trace2;
    this.trace3 = words.trace3;
    this.span0 = words.span0;
    this.span1 = words.span1;
    this.#plain = plain;
  }

  /** A new span in the trace of `parent`, or in a new one; its flags and trace state are to be set before it is shown. */
  static create(ids: PooledIdGenerator, parent: SpanIdentity | undefined): SpanIdentity {
    let { trace0, trace1, trace2, trace3 } = parent ?? NO_TRACE;
    while ((trace0 | trace1 | trace2 | trace3) === 0) {
      trace0 = ids.word();
      trace1 = ids.word();
      trace2 = ids.word();
      trace3 = ids.word();
    }
    let span0 = 0;
    let span1 = 0;
    while ((span0 | span1) === 0) {
      span0 = ids.word();
      span1 = ids.word();
    }
    return new SpanIdentity({ trace0, trace1, trace2, trace3, span0, span1 }, undefined);
  }

  /** The span of a context; `undefined` for ids that could not be sent. */
  static of(context: SpanContext): SpanIdentity | undefined {
    const { traceId, spanId } = context;
    if (!isTraceId(traceId) || !isSpanId(spanId)) return undefined;
    const words = {
      trace0: wordAt(traceId, 0),
      trace1: wordAt(traceId, 8),
      trace2: wordAt(traceId, 16),
      trace3: wordAt(traceId, 24),
      span0: wordAt(spanId, 0),
      span1: wordAt(spanId, 8),
    };
    return new SpanIdentity(words, context);
  }

  /** The same span and trace state with other flags. */
  withFlags(flags: number): SpanIdentity {
    const changed = new SpanIdentity(this, undefined);
    changed.traceFlags = flags;
    changed.traceState = this.traceState;
    return changed;
  }

  get traceId(): string {
    return wordsToHex([this.trace0, this.trace1, this.trace2, this.trace3]);
  }

  get spanId(): string {
    return wordsToHex([this.span0, this.span1]);
  }

  get traceFlags(): number {
    return this.#plain === undefined ? this.#traceFlags : this.#plain.traceFlags;
  }

  set traceFlags(flags: number) {
    this.#traceFlags = flags;
    if (this.#plain !== undefined) this.#plain.traceFlags = flags;
  }

  get traceState(): TraceState | undefined {
    return this.#plain === undefined ? this.#traceState : this.#plain.traceState;
  }

  set traceState(traceState: TraceState | undefined) {
    this.#traceState = traceState;
  }

  get isRemote(): boolean | undefined {
    return this.#plain?.isRemote;
  }

  /** Always the same object, made when it is first asked for. */
  get plain(): SpanContext {
    this.#plain ??= {
      traceId: this.traceId,
      spanId: this.spanId,
      traceFlags: this.#traceFlags,
      ...(this.#traceState !== undefined && { traceState: this.#traceState }),
    };
    return this.#plain;
  }
}

/** A span context as spans hold it: as words, or, with ids that did not come from us, as it came. */
export type HeldContext = SpanIdentity | SpanContext;

/** The context of a parent that our own classes did not make. */
export function holdContext(context: SpanContext): HeldContext {
  return SpanIdentity.of(context) ?? context;
}

/** What of a held context may be given away. */
export function plainContext(context: HeldContext): SpanContext {
  return context instanceof SpanIdentity ? context.plain : context;
}

/** The same context with other flags. */
export function withFlags(context: HeldContext, traceFlags: number): HeldContext {
  return context instanceof SpanIdentity ? context.withFlags(traceFlags) : { ...context, traceFlags };
}

interface Words {
  readonly trace0: number;
  readonly trace1: number;
  readonly trace2: number;
  readonly trace3: number;
  readonly span0: number;
  readonly span1: number;
}

const NO_TRACE = { trace0: 0, trace1: 0, trace2: 0, trace3: 0 } as const;

function wordAt(hex: string, start: number): number {
  return Number.parseInt(hex.slice(start, start + 8), 16) | 0;
}
