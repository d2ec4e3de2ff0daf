import { interceptProperty } from './intercept-property.ts';
import { readThen, watchThenable } from './track-thenable.ts';
import type { WaitingCalls } from './waiting-calls.ts';

export type IteratorKind = 'sync' | 'async';
type StepName = 'next' | 'return' | 'throw';
type Method = (...args: unknown[]) => unknown;

const allSteps: readonly StepName[] = ['next', 'return', 'throw'];

/** The kind of an object that has `next()` and is its own iterator, as generators are; `undefined` for any other. */
export function iteratorKind(value: object): IteratorKind | undefined {
  const candidate = value as Record<PropertyKey, unknown>;
  const asyncIterator = candidate[Symbol.asyncIterator];
  const iterator = asyncIterator === undefined ? candidate[Symbol.iterator] : asyncIterator;
  if (typeof iterator !== 'function' || typeof candidate['next'] !== 'function') return undefined;
  if (Reflect.apply(iterator, value, []) !== value) return undefined;
  return asyncIterator === undefined ? 'sync' : 'async';
}

/**
 * Runs every step of `iterator` inside the calls and ends them when it is done, throws, or is left early.
 * The object stays the same; a frozen one gives an object that inherits from it. An iterator that cannot be
 * told of an early exit learns `return`, so that `break` is seen.
 *
 * @param steps the methods to watch
 */
export function trackIterator<T extends object>(
  iterator: T,
  kind: IteratorKind,
  calls: WaitingCalls,
  steps: readonly StepName[] = allSteps,
): T {
  const isOpen = Object.isExtensible(iterator);
  const face = isOpen ? iterator : (Object.create(iterator) as T);
  const methods = iterator as Partial<Record<StepName, unknown>>;
  for (const name of steps) {
    const method = methods[name];
    const step =
      typeof method === 'function'
        ? createStep(method as Method, kind, calls, (self) => (self === face ? iterator : self))
        : name === 'return' && (method === undefined || method === null)
          ? createReturn(kind, calls)
          : undefined;
    if (step === undefined) continue;
    const restore = interceptProperty(face, name, step);
    // What inherits from a frozen iterator cannot be used without our methods: they stay.
    if (isOpen) calls.onEnd(restore);
  }
  return face;
}

function createStep(
  method: Method,
  kind: IteratorKind,
  calls: WaitingCalls,
  resolve: (self: unknown) => unknown,
): Method {
  return function (this: unknown, ...args: unknown[]): unknown {
    const self = resolve(this);
    let result: unknown;
    try {
      result = calls.run(() => Reflect.apply(method, self, args));
    } catch (error) {
      calls.end({ error });
      throw error;
    }
    return kind === 'async' ? watchStep(result, calls) : checkStep(result, calls);
  };
}

function createReturn(kind: IteratorKind, calls: WaitingCalls): Method {
  if (kind === 'sync') return (value) => checkStep({ value, done: true }, calls);
  return async (value) => checkStep({ value: await value, done: true }, calls);
}

function watchStep(result: unknown, calls: WaitingCalls): unknown {
  try {
    const then = readThen(result);
    if (then === undefined) return checkStep(result, calls);
    const watched = watchThenable(result as object, then, {
      run: (start) => calls.run(start),
      fulfilled: (step) => void checkStep(step, calls),
      rejected: (error) => calls.end({ error }),
    });
    return watched ?? result;
  } catch {
    return result;
  }
}

function checkStep(result: unknown, calls: WaitingCalls): unknown {
  const last = isLast(result);
  const value = calls.wantsChunks ? readValue(result) : undefined;
  if (last) calls.end(undefined, value);
  else if (value !== undefined) calls.chunk(value);
  return result;
}

function readValue(result: unknown): unknown {
  try {
    return (result as { value?: unknown }).value;
  } catch {
    return undefined;
  }
}

/** A result that breaks the protocol makes the consumer throw: there is no further step either. */
function isLast(result: unknown): boolean {
  if (typeof result !== 'object' || result === null) return true;
  try {
    return Boolean((result as { done?: unknown }).done);
  } catch {
    return true;
  }
}
