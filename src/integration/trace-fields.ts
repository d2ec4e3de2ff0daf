import { type Context, isSpanContextValid } from '@opentelemetry/api';
import type { TracerRuntime } from '../core/tracer-runtime.ts';
import { scopeOfOwner } from '../processing/scope.ts';

/** What correlates a line of text with the tenant's own active span, by OpenTelemetry's names for formats without a place for it. */
export function activeSpanFields(
  runtime: TracerRuntime,
  context: Context,
  withTenant: boolean,
): Record<string, string> {
  return runtime.guard.run(
    'context',
    'mixin',
    () => {
      const fields = withTenant && !runtime.standsIn ? { tenant: runtime.tenantId } : {};
      const span = scopeOfOwner(context, runtime)?.ownSpan?.spanContext();
      if (span === undefined || !isSpanContextValid(span)) return fields;
      const flags = span.traceFlags.toString(16).padStart(2, '0');
      return { trace_id: span.traceId, span_id: span.spanId, trace_flags: flags, ...fields };
    },
    {},
  );
}
