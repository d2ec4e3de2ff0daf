import { type SpanContext, TraceFlags } from '@opentelemetry/api';
import type { LocalTrace } from './local-trace.ts';
import { RecordingSpan } from './span.ts';
import type { SpanHost, SpanStart } from './span-host.ts';
import { type HeldContext, plainContext, withFlags } from './span-identity.ts';

/**
 * A recording span of a trace that was not decided when it began. A class of its own, so that the spans of all other
 * traces have no field for it.
 */
export class TentativeSpan extends RecordingSpan {
  readonly #localTrace: LocalTrace<RecordingSpan>;
  /** What the host sees and propagates: what was known when the span started. */
  readonly #propagated: HeldContext;

  constructor(host: SpanHost<RecordingSpan>, start: SpanStart, localTrace: LocalTrace<RecordingSpan>) {
    super(host, start);
    this.#localTrace = localTrace;
    this.#propagated = start.context;
    if (localTrace.decision === 'unconfigured' || localTrace.decision === 'waiting') localTrace.root ??= this;
  }

  override get localTrace(): LocalTrace<RecordingSpan> {
    return this.#localTrace;
  }

  override get exportsAnotherContext(): boolean {
    return this.context !== this.#propagated;
  }

  override spanContext(): SpanContext {
    return plainContext(this.#propagated);
  }

  /** To be called before it is exported: exporters get sampled spans only (OpenTelemetry specification, "Sampling"). */
  markSampled(): void {
    const { traceFlags } = this.context;
    if ((traceFlags & TraceFlags.SAMPLED) === 0)
      this.context = withFlags(this.context, traceFlags | TraceFlags.SAMPLED);
  }
}
