import type { Mixed, MixinBase } from './mixin.ts';
import { createTracedFetch, type FetchFunction } from './traced-fetch.ts';
import type { TracerBase } from './tracer-base.ts';

/**
 * Calls to others, by OpenTelemetry's stable semantic conventions. No method throws on its own account; what the call
 * itself answers, throws or rejects with comes out as the very same value.
 */
export interface OutgoingOperations {
  /**
   * The process's `fetch` with a CLIENT span around each call, and with the trace and the allowed baggage in its headers
   * where `propagation.propagateTo` says. The span ends when the response's headers are there; response and body are the
   * host's, untouched. Works without its tracer: `new Client({ fetch: tracer.fetch })`.
   */
  readonly fetch: FetchFunction;
}

/** Adds {@link OutgoingOperations} to a tracer class. */
export function WithOutgoing<Base extends MixinBase<TracerBase>>(base: Base): Base & Mixed<OutgoingOperations> {
  abstract class WithOutgoingMixin extends base implements OutgoingOperations {
    #fetch: FetchFunction | undefined;

    get fetch(): FetchFunction {
      this.#fetch ??= createTracedFetch(() => this.runtime);
      return this.#fetch;
    }
  }
  return WithOutgoingMixin as never;
}
