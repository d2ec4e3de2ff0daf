import { AsyncResource } from 'node:async_hooks';
import type { CallFailure, CallScope } from './call-scope.ts';
import { runTracked } from './track-result.ts';
import { readThen, watchThenable } from './track-thenable.ts';

/** A function of any kind, or a class. */
export type Wrappable = ((this: never, ...args: never[]) => unknown) | (abstract new (...args: never[]) => unknown);

/** Called for each call of a wrapped function, before it; `undefined` lets the call go its way unwatched. Never throws. */
export type BeginCall = (thisArg: unknown, args: readonly unknown[]) => CallScope | undefined;

export interface WrapOptions {
  /**
   * Which argument is a Node-style callback: `true` for the last, a number for an index. The call is then over
   * when the callback is first called, with an error if its first argument is truthy, or when the function
   * throws or its promise rejects. The callback runs in the context of the caller. A call without a function
   * in that place ends with its result. Default: none.
   */
  readonly callback?: boolean | number;
}

type Args = readonly unknown[];
type Call = (this: unknown, ...args: unknown[]) => unknown;

/**
 * A function that behaves as `fn` and tells `begin` of each call. It calls `fn` exactly once with the same
 * `this` and arguments and lets the very same value or error through; results that are open (promises,
 * generators, streams) keep the call open. `name`, `length`, static properties and `new` are kept.
 *
 * A construction is over when the constructor returns, whatever it returns.
 */
export function wrapFunction<F extends Wrappable>(fn: F, begin: BeginCall, options: WrapOptions = {}): F {
  const original = fn as unknown as Call;
  const { callback = false } = options;

  const call = (self: unknown, args: unknown[]): unknown => {
    const scope = begin(self, args);
    if (scope === undefined) return Reflect.apply(original, self, args);
    const index = callback === true ? args.length - 1 : callback;
    if (index !== false && typeof args[index] === 'function')
      return callWithCallback(original, self, args, index, scope);
    return runTracked(() => Reflect.apply(original, self, args), scope);
  };
  const construct = (args: unknown[], newTarget: unknown): unknown => {
    const target = (newTarget === wrapper ? fn : newTarget) as Call;
    const scope = begin(undefined, args);
    if (scope === undefined) return Reflect.construct(original, args, target);
    return runOnce(() => Reflect.construct(original, args, target) as unknown, scope);
  };

  // A method has neither [[Construct]] nor a `prototype`, like the functions that it stands for here.
  const wrapper: Call = isConstructor(fn)
    ? function (this: unknown, ...args: unknown[]): unknown {
        return new.target === undefined ? call(this, args) : construct(args, new.target);
      }
    : {
        wrapper(this: unknown, ...args: unknown[]): unknown {
          return call(this, args);
        },
      }.wrapper;
  copyShape(fn, wrapper);
  return wrapper as unknown as F;
}

function runOnce<T>(fn: () => T, scope: CallScope): T {
  let result: T;
  try {
    result = scope.run(fn);
  } catch (error) {
    scope.end({ error });
    throw error;
  }
  scope.end();
  return result;
}

function callWithCallback(fn: Call, self: unknown, args: Args, index: number, scope: CallScope): unknown {
  let isOver = false;
  const end = (failure?: CallFailure, value?: unknown): void => {
    if (isOver) return;
    isOver = true;
    scope.end(failure, value);
  };
  const patched = [...args];
  patched[index] = watchCallback(args[index] as Call, end);
  let result: unknown;
  try {
    result = scope.run(() => Reflect.apply(fn, self, patched));
  } catch (error) {
    end({ error });
    throw error;
  }
  return endOnRejection(result, end);
}

function watchCallback(callback: Call, end: (failure?: CallFailure, value?: unknown) => void): Call {
  const caller = new AsyncResource('isotrace.callback', { requireManualDestroy: true });
  const watched = function (this: unknown, ...args: unknown[]): unknown {
    end(args[0] ? { error: args[0] } : undefined, args[1]);
    return caller.runInAsyncScope(callback, this, ...args);
  };
  // Some callers choose by the number of parameters what to pass.
  copyProperty(callback, watched, 'length');
  copyProperty(callback, watched, 'name');
  return watched;
}

/** An async function that takes a callback may fail before it calls it. */
function endOnRejection(result: unknown, end: (failure?: CallFailure) => void): unknown {
  try {
    const then = readThen(result);
    if (then === undefined) return result;
    const watched = watchThenable(result as object, then, {
      run: (start) => start(),
      fulfilled: () => {},
      rejected: (error) => end({ error }),
    });
    return watched ?? result;
  } catch {
    return result;
  }
}

/** A proxy can be constructed exactly if its target can; its trap keeps the target from running. */
function isConstructor(fn: Wrappable): boolean {
  try {
    const probe = new Proxy(fn, { construct: () => ({}) }) as unknown as new () => object;
    return typeof new probe() === 'object';
  } catch {
    return false;
  }
}

function copyShape(from: Wrappable, to: Call): void {
  try {
    const prototype = Reflect.getPrototypeOf(from);
    if (prototype !== Function.prototype) Reflect.setPrototypeOf(to, prototype);
    for (const key of Reflect.ownKeys(from)) {
      // Sloppy functions have these; they say nothing and cannot be taken back.
      if (key !== 'arguments' && key !== 'caller') copyProperty(from, to, key);
    }
  } catch {
    // A proxy that hides its shape is still called as before.
  }
}

function copyProperty(from: object, to: object, key: PropertyKey): void {
  try {
    const descriptor = Reflect.getOwnPropertyDescriptor(from, key);
    if (descriptor !== undefined) Reflect.defineProperty(to, key, descriptor);
  } catch {
    // The same.
  }
}
