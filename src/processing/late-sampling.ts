import { ROOT_CONTEXT, trace } from '@opentelemetry/api';
import type { LocalTrace } from './local-trace.ts';
import { copyAttributes, type SpanSampler } from './sampling.ts';
import { enterScope, SPAN_OWNER } from './scope.ts';
import type { RecordingSpan } from './span.ts';
import { plainContext } from './span-identity.ts';

/**
 * Asks a tenant's sampler about a trace that began before there was one. It is asked about the local root, as that is
 * now, and its answer holds for all spans of the trace; the ids and flags are out, so that no trace state is taken.
 */
export function sampleLate(localTrace: LocalTrace<RecordingSpan>, sampler: SpanSampler): void {
  const { root } = localTrace;
  if (root === undefined) return;
  const { attributeList, context, kind, links, name, parentContext } = root;
  const parent = parentContext && trace.wrapSpanContext(plainContext(parentContext));
  const verdict = sampler(parentContext, context.traceId, {
    // The host's own context may hold on to anything, for as long as the configuration does not come.
    context: enterScope(ROOT_CONTEXT, root[SPAN_OWNER], { activeSpan: parent, ownSpan: parent }),
    name,
    kind,
    attributes: attributeList.copyTo({}),
    links,
  });
  if (verdict.attributes !== undefined) {
    // Also on a root that has ended, which takes no attributes any more.
    root.attributes = { ...root.attributes, ...copyAttributes(verdict.attributes) };
  }
  if (typeof verdict.open === 'object') localTrace.wait(verdict.open);
  else if (!verdict.record) localTrace.decide('unrecorded');
  else if (!verdict.sampled) localTrace.decide('dropped');
  else {
    localTrace.decide('kept');
    localTrace.prepaid = true;
  }
}
