import type { Attributes, Span, SpanContext } from '@opentelemetry/api';
import { INVALID_SPAN_CONTEXT } from '@opentelemetry/api';
import { type OwnedSpan, type ScopeOwner, SPAN_OWNER } from './scope.ts';
import { type HeldContext, plainContext } from './span-identity.ts';

/** A span that records nothing: not sampled, or made by a tracer that does nothing. Its ids still propagate. */
class QuietSpan implements Span, Disposable {
  readonly context: HeldContext;

  constructor(context: HeldContext) {
    this.context = context;
  }

  spanContext(): SpanContext {
    return plainContext(this.context);
  }

  setAttribute(): this {
    return this;
  }

  setAttributes(): this {
    return this;
  }

  addEvent(): this {
    return this;
  }

  addLink(): this {
    return this;
  }

  addLinks(): this {
    return this;
  }

  setStatus(): this {
    return this;
  }

  updateName(): this {
    return this;
  }

  isRecording(): boolean {
    return false;
  }

  recordException(): void {}

  end(): void {}

  [Symbol.dispose](): void {}
}

/** A span that sampling turned away: it belongs to its tenant, and its children are turned away with it. */
export class UnsampledSpan extends QuietSpan implements OwnedSpan {
  /** What a span of kind `CLIENT` began with: it says where its call goes. */
  readonly clientAttributes: Attributes | undefined;
  readonly #owner: ScopeOwner;

  constructor(owner: ScopeOwner, context: HeldContext, clientAttributes?: Attributes) {
    super(context);
    this.#owner = owner;
    this.clientAttributes = clientAttributes;
  }

  get [SPAN_OWNER](): ScopeOwner {
    return this.#owner;
  }
}

/** The span of a tracer that does nothing; never a parent, never on the wire. */
export const NOOP_SPAN: Span & Disposable = new QuietSpan(INVALID_SPAN_CONTEXT);
