import type { SpanProcessor } from '@opentelemetry/sdk-trace';
import { type HostSpan, mirrorEnd, mirrorStart } from '../core/mirror-span.ts';
import type { TracerRegistry } from '../core/registry.ts';
import { Routing } from '../core/routing.ts';
import type { TracerBase } from '../core/tracer-base.ts';

/**
 * A span processor for a host that has an OpenTelemetry SDK of its own (`NodeSDK`, a `TracerProvider`, Sentry): each of
 * its sampled spans also goes to the tenant that the code worked for when it started, or waits for the tenant that its
 * request names. The tenant gets the span with the ids that the host gave it; one whose local parent is of another
 * tenant, or of none, becomes the root of a trace of its own there, and its descendants follow. The tenant's sampling,
 * limits, processors and redaction apply; the host's own export is not touched.
 *
 * `forceFlush` flushes the registry. `shutdown` does too, and lets go of it; the registry goes on. No method throws or
 * rejects. Without a registry it does nothing.
 */
export function createSpanProcessor(registry: TracerRegistry<TracerBase>): SpanProcessor {
  const routing = routingOf(registry);
  if (routing === undefined) return IDLE;
  const { guard } = routing.router;
  let isOpen = true;
  routing.hasSpanProcessor = true;
  const flush = async (): Promise<void> => void (await registry.flush());
  return {
    onStart: (span, context) => {
      if (!isOpen || routing.isClosed) return;
      guard.run('processor', 'onStart', () => mirrorStart(routing, span as unknown as HostSpan, context), undefined);
    },
    onEnd: (span) => guard.run('processor', 'onEnd', () => mirrorEnd(span as unknown as HostSpan), undefined),
    forceFlush: flush,
    shutdown: async () => {
      isOpen = false;
      routing.hasSpanProcessor = false;
      await flush();
    },
  };
}

const IDLE: SpanProcessor = Object.freeze({
  onStart: () => undefined,
  onEnd: () => undefined,
  forceFlush: () => Promise.resolve(),
  shutdown: () => Promise.resolve(),
});

/** Of anything that is no registry of this copy of the package: none. Never throws. */
function routingOf(registry: TracerRegistry<TracerBase>): Routing | undefined {
  try {
    const { routing } = registry;
    return routing instanceof Routing ? routing : undefined;
  } catch {
    return undefined;
  }
}
