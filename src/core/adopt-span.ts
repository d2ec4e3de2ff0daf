import { ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { sampleLate } from '../processing/late-sampling.ts';
import type { RecordingSpan } from '../processing/span.ts';
import type { TracerRuntime } from './tracer-runtime.ts';

/**
 * Makes a span that started, and perhaps ended, before its tenant was known one of the tenant's: sampled by the
 * tenant's rules, which are asked about its local root, and shown to the tenant's processors. A span is to be adopted
 * before its children. Answers whether the tenant records it.
 */
export function adoptSpan(tenant: TracerRuntime, span: RecordingSpan): boolean {
  tenant.admit();
  const { localTrace } = span;
  // A tenant whose configuration has not come samples its traces when that comes.
  if (localTrace?.decision === 'unconfigured' && tenant.path.configured) sampleLate(localTrace, tenant.sampler);
  const decision = localTrace?.decision;
  if (decision === 'waiting' || decision === 'dropped' || decision === 'unrecorded') span.setSampled(false);
  if (decision === 'unrecorded') {
    tenant.spanUnsampled();
    return false;
  }
  tenant.spanStarted();
  const isOver = span.ended;
  if (!tenant.hooks.empty) {
    const parent = span.parentSpanContext;
    span.amend(() => {
      tenant.hooks.started(span, parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent));
      if (isOver) tenant.hooks.ending(span);
    });
  }
  if (isOver) tenant.spanEnded(span);
  return true;
}
