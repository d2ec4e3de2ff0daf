import { type Context, ROOT_CONTEXT, type SpanContext, trace } from '@opentelemetry/api';
import type { SpanRequest } from '../processing/sampling.ts';
import type { RecordingSpan } from '../processing/span.ts';
import type { TracerRuntime } from './tracer-runtime.ts';

/**
 * Makes a span that started, and perhaps ended, before its tenant was known one of the tenant's: sampled by the
 * tenant's rules as it would have been at its start, and shown to the tenant's processors. A span is to be adopted
 * before its children. Answers whether the tenant records it.
 */
export function adoptSpan(tenant: TracerRuntime, span: RecordingSpan): boolean {
  tenant.admit();
  const request = new LateRequest(span);
  const verdict = tenant.sampler(request.parent, span.spanContext().traceId, request);
  span.setSampled(verdict.sampled);
  if (!verdict.record) {
    tenant.spanUnsampled();
    return false;
  }
  tenant.spanStarted();
  if (tenant.path.deciding) tenant.path.started(span);
  const isOver = span.ended;
  if (verdict.attributes !== undefined || !tenant.hooks.empty) {
    span.amend(() => {
      if (verdict.attributes !== undefined) span.setAttributes(verdict.attributes);
      tenant.hooks.started(span, request.context);
      if (isOver) tenant.hooks.ending(span);
    });
  }
  if (isOver) tenant.spanEnded(span);
  return true;
}

/** What a sampler gets to see of a span; reading its attributes and links costs a copy, which most do not need. */
class LateRequest implements SpanRequest {
  readonly parent: SpanContext | undefined;
  readonly #span: RecordingSpan;

  constructor(span: RecordingSpan) {
    this.#span = span;
    this.parent = span.parentSpanContext;
  }

  get name() {
    return this.#span.name;
  }

  get kind() {
    return this.#span.kind;
  }

  get attributes() {
    return this.#span.attributes;
  }

  get links() {
    return this.#span.links;
  }

  get context(): Context {
    return this.parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, this.parent);
  }
}
