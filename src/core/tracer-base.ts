import { combineReports, type FlushOptions, type FlushReport, resolveTimeout } from '../lifecycle/report.ts';
import type { TracerState } from '../lifecycle/tracer-state.ts';
import { PROFILES } from '../processing/profiles.ts';
import { type TracerHealth, type TracerStats, tracerHealth, tracerStats } from './status.ts';
import type { TracerRuntime } from './tracer-runtime.ts';

/** What a tracer is made from; only the registry and `createTracer` have one to give. */
export interface TracerInit {
  readonly runtime: TracerRuntime;
}

/**
 * The part of a tracer that every composition has: its identity, its lifecycle and its state. No method throws or
 * rejects.
 */
export class TracerBase implements AsyncDisposable {
  /** The engine that the mixins of a tracer share. For authors of mixins; not for callers. */
  protected readonly runtime: TracerRuntime;

  /** Called by the registry and `createTracer`; a class of one's own passes on what it is given. */
  constructor(init: TracerInit) {
    this.runtime = init.runtime;
  }

  /** @internal The engine of a tracer of any class, for the integrations. */
  static runtimeOf({ runtime }: TracerBase): TracerRuntime {
    return runtime;
  }

  /** The tenant that this tracer belongs to. */
  get tenantId(): string {
    return this.runtime.tenantId;
  }

  /** Where the tracer is in its life. */
  get state(): TracerState {
    return this.runtime.state;
  }

  /**
   * Sends what waits and waits for what is under way, for each destination until it was tried. Resolves, in the given
   * time plus 100 ms at most, with what was delivered and what was not.
   */
  async flush(options?: FlushOptions): Promise<FlushReport> {
    return combineReports([await this.runtime.flush(resolveTimeout(options, this.#timeoutMillis))]);
  }

  /**
   * Sends what waits, retrying until the time is over, then stops for good: later spans do nothing, and those that end
   * later are counted as dropped. Further calls resolve with the first report.
   */
  async shutdown(options?: FlushOptions): Promise<FlushReport> {
    return combineReports([await this.runtime.shutdown(resolveTimeout(options, this.#timeoutMillis))]);
  }

  /** Counts since the tracer was made. */
  stats(): TracerStats {
    return tracerStats(this.runtime);
  }

  /** How the tracer does: its state, the problems in its options, its failing hooks and destinations. */
  health(): TracerHealth {
    return tracerHealth(this.runtime);
  }

  /** As `shutdown()`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  /** How long to wait when the caller does not say. */
  get #timeoutMillis(): number {
    return PROFILES[this.runtime.path.settings.profile].flushTimeoutMillis;
  }
}
