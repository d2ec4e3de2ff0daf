import { types } from 'node:util';
import type {
  Attributes,
  Context,
  Link,
  Tracer as OtelTracer,
  Span,
  SpanContext,
  SpanOptions,
  TimeInput,
} from '@opentelemetry/api';
import { context as contextApi } from '@opentelemetry/api';
import type { CallScope } from '../processing/call-scope.ts';
import { type CaptureSettings, CapturingCall, resolveCapture } from '../processing/capture.ts';
import { type Enrichment, enrich, isEnriching } from '../processing/enrichment.ts';
import { enterScope, enterSpan, type ScopeOwner } from '../processing/scope.ts';
import { SpanCall } from '../processing/span-call.ts';
import type { SpanLimitSettings } from '../processing/span-host.ts';
import { activeSpanIn } from '../processing/start-span.ts';
import { type CallOptions, createTraceFunction, type TraceFunction } from '../processing/trace-function.ts';
import { runTracked } from '../processing/track-result.ts';
import { NOOP_SPAN } from '../processing/unsampled-span.ts';
import type { Clock } from '../utils/clock.ts';
import type { Guard } from '../utils/guard.ts';
import type { Mixed, MixinBase } from './mixin.ts';
import type { TracerBase } from './tracer-base.ts';

/** A span that ends when it is disposed of: `using span = tracer.startSpan('work')`. */
export type DisposableSpan = Span & Disposable;

/** OpenTelemetry's options of a span, and what {@link Enrichment} can say about it. */
export interface SpanRunOptions extends SpanOptions, Omit<Enrichment, 'attributes'> {}

/**
 * Making and filling spans. A tracer with these operations is an OpenTelemetry `Tracer`. No method throws on its own
 * account, whatever it is given; what a function that was handed in throws comes out as the very same value.
 */
export interface Operations extends OtelTracer {
  /**
   * Starts a span. Its parent is this tenant's innermost span in `context` (default: the active context), never
   * another tenant's. The caller ends it.
   */
  startSpan(name: string, options?: SpanOptions, context?: Context): DisposableSpan;

  /** Runs `fn` with a new span active, as OpenTelemetry defines it: `fn` ends the span. */
  startActiveSpan<F extends (span: Span) => unknown>(name: string, fn: F): ReturnType<F>;
  startActiveSpan<F extends (span: Span) => unknown>(name: string, options: SpanOptions, fn: F): ReturnType<F>;
  startActiveSpan<F extends (span: Span) => unknown>(
    name: string,
    options: SpanOptions,
    context: Context,
    fn: F,
  ): ReturnType<F>;

  /**
   * Runs `fn` now, in a span that is active in it, and ends the span when the result is over: at once for a value,
   * when it settles for a promise or thenable, when it is consumed or left for a generator or stream. A failure is
   * recorded as an `exception` event and error status, and comes out as the very same value.
   */
  withSpan<T>(name: string, fn: (span: Span) => T): T;
  withSpan<T>(name: string, options: SpanRunOptions | undefined, fn: (span: Span) => T): T;

  /** Wraps functions and decorates methods; see {@link TraceFunction}. Works without its tracer: `const { trace } = tracer`. */
  readonly trace: TraceFunction;

  /** This tenant's innermost span in the running context, also from inside another tenant's. */
  activeSpan(): Span | undefined;

  /** Adds a link to the active span. Answers whether there was one to add it to. */
  linkSpan(target: Span | SpanContext, attributes?: Attributes): boolean;

  /** Records an `exception` event on the active span, without a status. Answers whether there was one. */
  recordException(error: unknown, time?: TimeInput): boolean;

  /** Adds an event to the active span. Answers whether there was one. */
  addEvent(name: string, attributes?: Attributes, time?: TimeInput): boolean;
}

/** What starts spans: a tenant's engine, or what stands in for it. */
export interface SpanEngine extends ScopeOwner {
  readonly guard: Guard;
  readonly clock: Clock;
  readonly spanLimits: SpanLimitSettings;
  /** What is recorded of wrapped functions' arguments and results. */
  readonly captureSettings: CaptureSettings;
  /** May throw what the host's values throw. */
  start(name: string, options: SpanOptions | undefined, context: Context, isExplicit: boolean): DisposableSpan;
}

/** Adds {@link Operations} to a tracer class. */
export function WithOperations<Base extends MixinBase<TracerBase>>(base: Base): Base & Mixed<Operations> {
  abstract class WithOperationsMixin extends base implements Operations {
    #trace: TraceFunction | undefined;

    startSpan(name: string, options?: SpanOptions, context?: Context): DisposableSpan {
      const isExplicit = isContext(context);
      return startGuarded(this.runtime, name, options, isExplicit ? context : contextApi.active(), isExplicit);
    }

    startActiveSpan<T>(name: string, ...rest: unknown[]): T {
      const fn = rest[Math.min(rest.length, 3) - 1];
      if (typeof fn !== 'function') return undefined as T;
      const options = rest.length > 1 ? (rest[0] as SpanOptions | undefined) : undefined;
      const given = rest.length > 2 ? rest[1] : undefined;
      const isExplicit = isContext(given);
      const context = isExplicit ? given : contextApi.active();
      const span = startGuarded(this.runtime, name, options, context, isExplicit);
      return contextApi.with(enterGuarded(this.runtime, context, span), fn as (span: Span) => T, undefined, span);
    }

    withSpan<T>(name: string, optionsOrFn: unknown, maybeFn?: unknown): T {
      const [options, fn] = typeof optionsOrFn === 'function' ? [undefined, optionsOrFn] : [optionsOrFn, maybeFn];
      if (typeof fn !== 'function') return undefined as T;
      return runInSpan(this.runtime, name, options as SpanRunOptions | undefined, fn as (span: Span) => T);
    }

    get trace(): TraceFunction {
      this.#trace ??= createTraceFunction((name, options, args) => beginCall(this.runtime, name, options, args));
      return this.#trace;
    }

    activeSpan(): Span | undefined {
      const { runtime } = this;
      return runtime.guard.run('api', 'activeSpan', () => activeSpanIn(contextApi.active(), runtime), undefined);
    }

    linkSpan(target: Span | SpanContext, attributes?: Attributes): boolean {
      return this.#onActive('linkSpan', (span) => {
        const context = 'spanContext' in target ? target.spanContext() : target;
        const link: Link = attributes === undefined ? { context } : { context, attributes };
        span.addLink(link);
      });
    }

    recordException(error: unknown, time?: TimeInput): boolean {
      return this.#onActive('recordException', (span) => span.recordException(error as Error, time));
    }

    addEvent(name: string, attributes?: Attributes, time?: TimeInput): boolean {
      return this.#onActive('addEvent', (span) => span.addEvent(name, attributes, time));
    }

    #onActive(operation: string, change: (span: Span) => void): boolean {
      const span = this.activeSpan();
      if (span === undefined || !span.isRecording()) return false;
      try {
        change(span);
        return true;
      } catch (error) {
        this.runtime.guard.report('api', operation, error);
        return false;
      }
    }
  }
  return WithOperationsMixin as never;
}

/** Runs `fn` in a span of its own that ends when the result is over. */
export function runInSpan<T>(
  runtime: SpanEngine,
  name: string,
  options: SpanRunOptions | undefined,
  fn: (span: Span) => T,
): T {
  const context = contextApi.active();
  const span = startGuarded(runtime, name, options, context, false);
  if (options !== undefined) enrichStarted(runtime, span, options);
  return runTracked(() => fn(span), new SpanCall(span, enterGuarded(runtime, context, span)));
}

function enrichStarted({ guard, spanLimits }: SpanEngine, span: Span, options: SpanRunOptions): void {
  try {
    if (options === null || !isEnriching(options) || !span.isRecording()) return;
    const { attributes: _set, ...patch } = options;
    enrich(span, patch, (error) => guard.report('host', 'withSpan', error), spanLimits.attributeValueLengthLimit);
  } catch (error) {
    guard.report('host', 'withSpan', error);
  }
}

/** Starts the span of one call of a wrapped function. */
export function beginCall(
  runtime: SpanEngine,
  name: string,
  options: CallOptions,
  args: readonly unknown[],
): CallScope {
  const { attributes, resultAttributes } = options;
  const spanOptions =
    typeof attributes === 'function' ? { ...options, attributes: attributesOf(runtime, attributes) } : options;
  const context = contextApi.active();
  const span = startGuarded(runtime, name, spanOptions as SpanOptions, context, false);
  const call = new SpanCall(span, enterGuarded(runtime, context, span));
  const capture = resolveCapture(options.capture, runtime.captureSettings);
  if ((capture === undefined && resultAttributes === undefined) || !span.isRecording()) return call;
  return new CapturingCall(call, span, runtime, { capture, resultAttributes, args });
}

function attributesOf({ guard }: SpanEngine, read: () => Attributes): Attributes {
  const failed = (error: unknown): void => guard.report('host', 'attributes', error);
  try {
    const attributes: unknown = read();
    if (types.isPromise(attributes)) attributes.catch(failed);
    return attributes as Attributes;
  } catch (error) {
    failed(error);
    return {};
  }
}

/** Starts a span, if need be with what can be read of its options. Never throws. */
export function startGuarded(
  runtime: Pick<SpanEngine, 'guard' | 'start'>,
  name: string,
  options: SpanOptions | undefined,
  context: Context,
  isExplicit: boolean,
): DisposableSpan {
  try {
    return runtime.start(name, options ?? undefined, context, isExplicit);
  } catch (error) {
    runtime.guard.report('api', 'startSpan', error);
  }
  try {
    return runtime.start(name, readableOptions(options), context, isExplicit);
  } catch {
    return NOOP_SPAN;
  }
}

/**
 * The context in which the span is active. Also a tracer that does nothing is entered: what runs inside belongs to its
 * tenant and must not be recorded by another one around it.
 */
export function enterGuarded(runtime: SpanEngine, context: Context, span: Span): Context {
  try {
    return span === NOOP_SPAN ? enterScope(context, runtime) : enterSpan(context, runtime, span);
  } catch (error) {
    runtime.guard.report('context', 'enterSpan', error);
    return contextApi.active();
  }
}

/** Whether a value can be made the active context; one that cannot would break whatever asks for it inside. */
export function isContext(value: unknown): value is Context {
  if (typeof value !== 'object' || value === null) return false;
  try {
    return typeof (value as Partial<Context>).getValue === 'function';
  } catch {
    return false;
  }
}

/** What can be read of options of which something threw. */
function readableOptions(options: SpanOptions | undefined): SpanOptions {
  const readable: Record<string, unknown> = {};
  for (const key of ['kind', 'attributes', 'links', 'startTime', 'root'] as const) {
    try {
      const value = options?.[key];
      if (key !== 'links' || Array.isArray(value)) readable[key] = value;
    } catch {
      // The span does without it.
    }
  }
  return readable;
}
