import { AsyncResource } from 'node:async_hooks';
import { types } from 'node:util';
import { interceptProperty } from './intercept-property.ts';

const { prototype: promisePrototype } = Promise;

export type Then = (...args: unknown[]) => unknown;

/** Learns how a promise or thenable comes out, before its consumer does. */
export interface SettleWatcher {
  /** Runs the `then` of a thenable that is not a promise: that call may be what starts its work. */
  run<T>(start: () => T): T;
  fulfilled(value: unknown): void;
  rejected(error: unknown): void;
}

/** The `then` of a promise or thenable, read once. Lets the error of a throwing getter through. */
export function readThen(value: unknown): Then | undefined {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return undefined;
  const then = (value as { then?: unknown }).then;
  return typeof then === 'function' ? (then as Then) : undefined;
}

/**
 * Watches `thenable`, whose `then` is given, and returns what its consumer must get in its place, or
 * `undefined` if it cannot be watched. A rejection that nobody handles stays unhandled, one that the consumer
 * handles stays handled. (A handler that was attached before we saw the promise does not count for what we
 * return, as it does not for the promise of an async function around it.)
 *
 * - A plain promise gives a derived promise with the same own properties.
 * - An instance of a subclass stays the very same object: it may have state of its own.
 * - Any other thenable stays the same object too, and its `then` is called only when a consumer calls it. A
 *   frozen one gives an object that inherits from it.
 */
export function watchThenable<T extends object>(thenable: T, then: Then, watcher: SettleWatcher): T | undefined {
  if (isPlainPromise(thenable, then)) return derive(thenable, then, watcher);
  return isNative(thenable, then) ? watchSubclass(thenable, then, watcher) : watchForeign(thenable, then, watcher);
}

/** Whether `await` and `then` on this promise reach its internals without any code of the host. */
export function isPlainPromise(thenable: object, then: Then): boolean {
  return isNative(thenable, then) && thenable.constructor === Promise;
}

function isNative(thenable: object, then: Then): boolean {
  return then === promisePrototype.then && types.isPromise(thenable);
}

function derive<T extends object>(promise: T, then: Then, watcher: SettleWatcher): T {
  const derived = observe(promise, then, watcher) as T;
  // Such as the `child` of a promisified `exec`. Not the symbols: Node keeps the async context under some.
  for (const name of Object.getOwnPropertyNames(promise)) {
    Reflect.defineProperty(derived, name, Reflect.getOwnPropertyDescriptor(promise, name) ?? {});
  }
  return derived;
}

function observe(promise: object, then: Then, watcher: SettleWatcher): unknown {
  return Reflect.apply(then, promise, [
    (value: unknown) => {
      watcher.fulfilled(value);
      return value;
    },
    (error: unknown) => {
      watcher.rejected(error);
      throw error;
    },
  ]);
}

/**
 * `await` calls `then` on these (their `constructor` is not `Promise`), so that consumers can be seen without
 * replacing the object. Our own observation answers for a rejection only while there is no consumer.
 */
function watchSubclass<T extends object>(promise: T, then: Then, watcher: SettleWatcher): T {
  let observation: Promise<unknown> | undefined;
  const restore = interceptProperty(promise, 'then', function (this: unknown, ...args: unknown[]) {
    restore?.();
    observation?.catch(() => {});
    return Reflect.apply(then, this, args);
  });
  if (restore === undefined) return derive(promise, then, watcher);
  // `then` would construct the subclass, which is host code that nobody asked for.
  const restoreConstructor = interceptProperty(promise, 'constructor', undefined);
  try {
    observation = observe(promise, then, watcher) as Promise<unknown>;
  } finally {
    restoreConstructor?.();
  }
  return promise;
}

function watchForeign<T extends object>(thenable: T, then: Then, watcher: SettleWatcher): T | undefined {
  let consumed = false;
  let face = thenable;
  const consume = function (this: unknown, ...args: unknown[]): unknown {
    const self = this === face ? thenable : this;
    if (consumed) return Reflect.apply(then, self, args);
    consumed = true;
    restore?.();
    const watchedArgs = watchCallbacks(args, watcher);
    try {
      return watcher.run(() => Reflect.apply(then, self, watchedArgs));
    } catch (error) {
      watcher.rejected(error);
      throw error;
    }
  };
  const restore = interceptProperty(thenable, 'then', consume);
  if (restore !== undefined) return thenable;
  if (typeof thenable === 'function') return undefined;
  face = Object.create(thenable) as T;
  interceptProperty(face, 'then', consume);
  return face;
}

/** The arguments of a consumer's `then(onFulfilled, onRejected)`, which keep running in the consumer's context. */
function watchCallbacks(args: readonly unknown[], watcher: SettleWatcher): unknown[] {
  const [onFulfilled, onRejected, ...rest] = args;
  // Not `AsyncLocalStorage.snapshot()`, which takes 10 µs on Node 20 where this takes 0.1 µs.
  const consumer = new AsyncResource('isotrace.consumer', { requireManualDestroy: true });
  return [
    function (this: unknown, ...values: unknown[]): unknown {
      watcher.fulfilled(values[0]);
      if (typeof onFulfilled !== 'function') return values[0];
      return consumer.runInAsyncScope(onFulfilled as Then, this, ...values);
    },
    function (this: unknown, ...errors: unknown[]): unknown {
      watcher.rejected(errors[0]);
      if (typeof onRejected !== 'function') throw errors[0];
      return consumer.runInAsyncScope(onRejected as Then, this, ...errors);
    },
    ...rest,
  ];
}
