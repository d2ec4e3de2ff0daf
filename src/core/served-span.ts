import type {
  Attributes,
  AttributeValue,
  Baggage,
  Exception,
  Link,
  Span,
  SpanContext,
  TimeInput,
} from '@opentelemetry/api';
import { type OwnedSpan, type ScopeOwner, SPAN_OWNER, SPAN_TWIN } from '../processing/scope.ts';
import type { TracerRuntime } from './tracer-runtime.ts';

/** A call to a server that has its SERVER span already, and whose handler is about to run. */
export interface ServedCall {
  readonly runtime: TracerRuntime;
  readonly span: Span;
  readonly baggage: Baggage | undefined;
  /** The instrumentation scope that would start a span for the call once more. */
  readonly instrumentation: string;
  /** What it says of the call in its own words. */
  readonly isRepeated: (key: string) => boolean;
}

/**
 * What instrumentation gets in place of a second SERVER span of one call. The code that it makes it active for runs as
 * the call's tenant, inside the span that there is; what that code says goes there. The status, the name and the end
 * are the call's own, and what instrumentation repeats is left out.
 */
export class ServedSpan implements OwnedSpan, Disposable {
  readonly [SPAN_OWNER]: ScopeOwner;
  readonly [SPAN_TWIN]: Span;
  readonly #isRepeated: (key: string) => boolean;

  constructor({ runtime, span, baggage, isRepeated }: ServedCall) {
    // A scope that is found by its active span has the baggage that its owner brings along.
    const { boundary, tenantId } = runtime;
    this[SPAN_OWNER] = { boundary, tenantId, tenant: runtime, inboundBaggage: baggage };
    this[SPAN_TWIN] = span;
    this.#isRepeated = isRepeated;
  }

  spanContext(): SpanContext {
    return this[SPAN_TWIN].spanContext();
  }

  setAttribute(key: string, value: AttributeValue): this {
    if (!this.#isRepeated(key)) this[SPAN_TWIN].setAttribute(key, value);
    return this;
  }

  setAttributes(attributes: Attributes): this {
    for (const [key, value] of Object.entries(attributes)) if (value !== undefined) this.setAttribute(key, value);
    return this;
  }

  addEvent(name: string, attributesOrTime?: Attributes | TimeInput, time?: TimeInput): this {
    this[SPAN_TWIN].addEvent(name, attributesOrTime, time);
    return this;
  }

  addLink(link: Link): this {
    this[SPAN_TWIN].addLink(link);
    return this;
  }

  addLinks(links: Link[]): this {
    this[SPAN_TWIN].addLinks(links);
    return this;
  }

  setStatus(): this {
    return this;
  }

  updateName(): this {
    return this;
  }

  isRecording(): boolean {
    return this[SPAN_TWIN].isRecording();
  }

  recordException(exception: Exception, time?: TimeInput): void {
    this[SPAN_TWIN].recordException(exception, time);
  }

  end(): void {}

  [Symbol.dispose](): void {}
}
