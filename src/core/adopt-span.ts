import { type Context, ROOT_CONTEXT, type Span, type SpanContext, trace } from '@opentelemetry/api';
import { sampleLate } from '../processing/late-sampling.ts';
import type { ActiveSession } from '../processing/session.ts';
import type { RecordingSpan } from '../processing/span.ts';
import type { TracerRuntime } from './tracer-runtime.ts';

/**
 * Makes a span that started, and perhaps ended, before its tenant was known one of the tenant's: sampled by the
 * tenant's rules, which are asked about its local root, and shown to the tenant's processors. A span is to be adopted
 * before its children. Answers whether the tenant records it.
 *
 * @param parent of the same request, if it has one
 */
export function adoptSpan(tenant: TracerRuntime, span: RecordingSpan, parent?: Span): boolean {
  tenant.admit();
  const { localTrace } = span;
  // A tenant whose configuration has not come samples its traces when that comes.
  if (localTrace?.decision === 'unconfigured' && tenant.path.configured) sampleLate(localTrace, tenant.sampler);
  const decision = localTrace?.decision;
  if (decision === 'waiting' || decision === 'dropped' || decision === 'unrecorded') span.setSampled(false);
  else if (decision === 'kept') span.setSampled(true);
  if (decision === 'unrecorded') {
    tenant.spanUnsampled();
    return false;
  }
  tenant.spanStarted(span);
  const isOver = span.ended;
  if (!tenant.hooks.empty) {
    const context = parent === undefined ? remoteContext(span) : trace.setSpan(ROOT_CONTEXT, parent);
    span.amend(() => {
      tenant.hooks.started(span, context);
      if (isOver) tenant.hooks.ending(span);
    });
  }
  if (isOver) tenant.spanEnded(span);
  return true;
}

function remoteContext({ parentSpanContext }: RecordingSpan): Context {
  const parent = parentSpanContext as SpanContext | undefined;
  return parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent);
}

/**
 * Under `sessions: 'per-root'`: puts a span into the session of its request, which its first span opens, and answers it.
 * To be called for the spans of a request in their order.
 */
export function joinRootSession(
  tenant: TracerRuntime,
  span: RecordingSpan,
  current: ActiveSession | undefined,
): ActiveSession | undefined {
  const { rootSessions } = tenant;
  if (rootSessions === undefined) return undefined;
  const session = current ?? rootSessions.find(span.kind, undefined, span.parentContext);
  if (session === undefined) return undefined;
  rootSessions.add(span, session);
  span.amend(() => session.join(span, current === undefined ? undefined : span, span.parentContext));
  return session;
}
