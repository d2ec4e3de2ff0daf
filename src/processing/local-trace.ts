import { type SpanStatus, SpanStatusCode } from '@opentelemetry/api';

/** What keeps a trace that the decision at its start turned away. */
export interface TailRules {
  /** A span of it ended with status `ERROR`. */
  readonly keepErrors: boolean;
  /** Its local root lasted at least so long. `Infinity`: no such rule. */
  readonly keepSlowerThanMillis: number;
}

/**
 * `unconfigured`: the sampler of the tenant is not known yet. `waiting`: for what the tail rules need to know.
 * `unrecorded`: as `dropped`, and span processors are not told that its spans end.
 */
export type TraceDecision = 'unconfigured' | 'waiting' | 'kept' | 'dropped' | 'unrecorded';

/**
 * What the spans of one trace have in common that were started in this process below one local root, when the start of
 * the root did not decide about them. They reach it through each other, so that it lives as long as any of them, and no
 * table of traces is needed.
 */
export class LocalTrace<S extends { readonly ended: boolean; readonly status: SpanStatus }> {
  decision: TraceDecision = 'unconfigured';
  rules: TailRules | undefined;
  /** Let go once the trace is decided. */
  root: S | undefined;
  /** A span of it ended with an error, and not later than the root. */
  failed = false;
  /** Ended spans that wait for the decision, in order, and about how much memory they take. */
  spans: S[] = [];
  bytes = 0;
  /** Whether a token of the tenant's rate was taken for it before any of its spans was kept. */
  prepaid = false;

  /** @param rules none: the sampler is asked once it is known */
  constructor(rules: TailRules | undefined) {
    if (rules !== undefined) this.wait(rules);
  }

  wait(rules: TailRules): void {
    this.decision = 'waiting';
    this.rules = rules;
  }

  decide(decision: 'kept' | 'dropped' | 'unrecorded'): void {
    this.decision = decision;
    this.root = undefined;
  }

  /** Whether it is known that nothing of it is exported. */
  get isLost(): boolean {
    return this.decision === 'dropped' || this.decision === 'unrecorded';
  }

  /** Notes how a span ended. */
  note(span: S): void {
    const isLate = span !== this.root && this.root?.ended === true;
    if (span.status.code === SpanStatusCode.ERROR && !isLate) this.failed = true;
  }
}
