import type { Attributes, Link, SpanKind, SpanOptions } from '@opentelemetry/api';
import type { CallScope } from './call-scope.ts';
import { type CaptureOptions, copyCapture } from './capture.ts';
import { applyTraceDecorator, isDecoratorCall } from './decorate.ts';
import { type Wrappable, wrapFunction } from './wrap-function.ts';

/** How the calls of a wrapped function are traced. */
export interface TraceOptions {
  /** Name of the span. Default: the function's name, or `anonymous`. */
  readonly name?: string | undefined;
  /** Default: `SpanKind.INTERNAL`. */
  readonly kind?: SpanKind | undefined;
  /** Attributes of the span, or a function of the call's arguments that returns them. Default: none. */
  readonly attributes?: Attributes | ((...args: never[]) => Attributes) | undefined;
  /** Links of each span. Default: none. */
  readonly links?: Link[] | undefined;
  /** Whether each call starts a trace of its own. Default: `false`. */
  readonly root?: boolean | undefined;
  /**
   * The argument that is a Node-style callback: `true` for the last, or its index. The span then ends when the
   * callback is first called. Default: none.
   */
  readonly callback?: boolean | number | undefined;
  /**
   * Whether arguments and result are recorded, over the tenant's own `capture`: all of both with `true`, nothing with
   * `false`. Default: as the tenant's.
   */
  readonly capture?: boolean | CaptureOptions | undefined;
  /**
   * Attributes by what the call came to, set just before the span ends: by its result, or by the list of what it
   * yielded. Not asked when the call failed. Default: none.
   */
  readonly resultAttributes?: ((result: never) => Attributes | undefined) | undefined;
}

/** A decorator for methods: a standard (TC39) one, and a legacy TypeScript one. */
export interface TraceDecorator {
  /** Decorates a method, by the standard or by TypeScript's older decorators. */
  <F extends Wrappable>(method: F, context: ClassMethodDecoratorContext): F;
  // biome-ignore lint/suspicious/noExplicitAny: the declared form of TypeScript's legacy method decorators.
  (target: object, key: string | symbol, descriptor: TypedPropertyDescriptor<any>): TypedPropertyDescriptor<any>;
}

/**
 * Wraps functions so that each call is a span: `trace(fn)`, `trace(name, fn)` and `trace(options, fn)` return a
 * function that behaves as `fn` (same `this`, `name`, `length`, results and errors; called exactly once). `trace()`,
 * `trace(name)` and `trace(options)` return a decorator for methods, and `trace` itself is one.
 */
export interface TraceFunction extends TraceDecorator {
  /** Wraps a function, or answers a decorator; a string is the name of its spans. */
  <F extends Wrappable>(fn: F): F;
  <F extends Wrappable>(name: string, fn: F): F;
  <F extends Wrappable>(options: TraceOptions, fn: F): F;
  (nameOrOptions?: string | TraceOptions): TraceDecorator;
}

/** The options of the span of one call. */
export interface CallOptions extends Omit<SpanOptions, 'attributes'> {
  /** A function is the user's own and may throw. */
  readonly attributes?: Attributes | (() => Attributes);
  readonly capture?: boolean | CaptureOptions;
  /** The user's own; may throw. */
  readonly resultAttributes?: (result: never) => Attributes | undefined;
}

/** Starts the span of one call, or answers `undefined` for a call that is not traced. Never throws. */
export type BeginTracedCall = (name: string, options: CallOptions, args: readonly unknown[]) => CallScope | undefined;

/** The `trace` of whoever knows, at call time, which tracer a call belongs to. */
export function createTraceFunction(begin: BeginTracedCall): TraceFunction {
  const wrap = (fn: Wrappable, defaultName: string, options: TraceOptions): Wrappable => {
    const { name = defaultName, attributes, callback } = options;
    const spanName = name === '' ? 'anonymous' : name;
    // Only a function of the arguments makes options that differ from call to call.
    const sameOptions = typeof attributes === 'function' ? undefined : callOptions(options, []);
    const start = (_thisArg: unknown, args: readonly unknown[]): CallScope | undefined =>
      begin(spanName, sameOptions ?? callOptions(options, args), args);
    return wrapFunction(fn, start, callback === undefined ? {} : { callback });
  };
  const decorator =
    (options: TraceOptions) =>
    (target: unknown, contextOrKey: unknown, descriptor?: unknown): unknown => {
      try {
        return applyTraceDecorator(
          target,
          contextOrKey,
          descriptor,
          (method, name) => wrap(method, name, options) as never,
        );
      } catch {
        // Something that throws when it is looked at is no method: it stays as it is.
        return undefined;
      }
    };

  const trace = (...args: readonly unknown[]): unknown => {
    if (looksDecorated(args)) return decorator({})(args[0], args[1], args[2]);
    const [first, second] = args;
    if (typeof first === 'function') return wrap(first as Wrappable, nameOf(first), {});
    const options = readOptions(first);
    return typeof second === 'function' ? wrap(second as Wrappable, nameOf(second), options) : decorator(options);
  };
  return trace as TraceFunction;
}

function looksDecorated(args: readonly unknown[]): boolean {
  try {
    return isDecoratorCall(args);
  } catch {
    return false;
  }
}

/** Copies what the caller gave; whatever cannot be read counts as not given. */
function readOptions(given: unknown): TraceOptions {
  if (typeof given === 'string') return { name: given };
  if (typeof given !== 'object' || given === null) return {};
  try {
    const { name, kind, attributes, links, root, callback, capture, resultAttributes } = given as TraceOptions;
    return {
      name: typeof name === 'string' ? name : undefined,
      kind,
      attributes,
      links,
      root,
      callback: typeof callback === 'boolean' || typeof callback === 'number' ? callback : undefined,
      capture: copyCapture(capture),
      resultAttributes: typeof resultAttributes === 'function' ? resultAttributes : undefined,
    };
  } catch {
    return {};
  }
}

function callOptions(options: TraceOptions, args: readonly unknown[]): CallOptions {
  const { kind, attributes, links, root, capture, resultAttributes } = options;
  return {
    ...(kind !== undefined && { kind }),
    ...(links !== undefined && { links }),
    ...(root !== undefined && { root }),
    ...(capture !== undefined && { capture }),
    ...(resultAttributes !== undefined && { resultAttributes }),
    ...(attributes !== undefined && {
      attributes:
        typeof attributes === 'function' ? () => Reflect.apply(attributes, undefined, args) as Attributes : attributes,
    }),
  };
}

function nameOf(fn: object): string {
  try {
    const name: unknown = Reflect.get(fn, 'name');
    return typeof name === 'string' ? name : '';
  } catch {
    return '';
  }
}
