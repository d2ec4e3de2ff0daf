import { ROOT_CONTEXT, type SpanContext, trace } from '@opentelemetry/api';
import type { RecordingSpan } from '../processing/span.ts';
import type { TracerRuntime } from './tracer-runtime.ts';

/**
 * Makes a span that started, and perhaps ended, before its tenant was known one of the tenant's: sampled by the
 * tenant's rules as it would have been at its start, and shown to the tenant's processors. A span is to be adopted
 * before its children. Answers whether the tenant records it.
 */
export function adoptSpan(tenant: TracerRuntime, span: RecordingSpan): boolean {
  tenant.admit();
  const { attributes, kind, links, name } = span;
  const parent = span.parentSpanContext as SpanContext | undefined;
  const context = parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent);
  const verdict = tenant.sampler(parent, span.spanContext().traceId, { context, name, kind, attributes, links });
  span.setSampled(verdict.sampled);
  if (!verdict.record) {
    tenant.spanUnsampled();
    return false;
  }
  tenant.spanStarted();
  if (tenant.path.deciding) tenant.path.started(span);
  const isOver = span.ended;
  span.amend(() => {
    if (verdict.attributes !== undefined) span.setAttributes(verdict.attributes);
    if (tenant.hooks.empty) return;
    tenant.hooks.started(span, context);
    if (isOver) tenant.hooks.ending(span);
  });
  if (isOver) tenant.spanEnded(span);
  return true;
}
