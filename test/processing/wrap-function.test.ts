import { AsyncLocalStorage } from 'node:async_hooks';
import { readFile } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { type WrapOptions, wrapFunction } from '../../src/processing/wrap-function.ts';
import { createOddValues, RecordedCall, settle } from './recorded-call.ts';

interface Begun {
  readonly self: unknown;
  readonly args: readonly unknown[];
  readonly call: RecordedCall;
}

/** A recorder of the calls that a wrapped function begins. */
function createRecorder(): { begun: Begun[]; begin: (self: unknown, args: readonly unknown[]) => RecordedCall } {
  const begun: Begun[] = [];
  return {
    begun,
    begin: (self, args) => {
      const call = new RecordedCall(`call ${begun.length}`);
      begun.push({ self, args, call });
      return call;
    },
  };
}

function watch<F extends (this: never, ...args: never[]) => unknown>(
  fn: F,
  options?: WrapOptions,
): { wrapped: F; begun: Begun[] } {
  const { begun, begin } = createRecorder();
  return { wrapped: wrapFunction(fn, begin, options), begun };
}

describe('a wrapped function', () => {
  it('gets the same this and arguments, once, inside the call', () => {
    const calls: unknown[] = [];
    const { wrapped, begun } = watch(function (this: unknown, ...args: unknown[]) {
      calls.push(this, ...args, RecordedCall.active);
      return args.length;
    });
    const self = { wrapped };
    expect(self.wrapped('a', undefined)).toBe(2);
    expect(calls).toEqual([self, 'a', undefined, 'call 0']);
    expect(begun.map(({ self: thisArg, args }) => [thisArg, args])).toEqual([[self, ['a', undefined]]]);
    expect(begun[0]?.call.ends).toEqual(['success']);
  });

  it('keeps its name, length, static properties and prototype', () => {
    const secret = Symbol('secret');
    function target(_a: unknown, _b: unknown): void {}
    Object.defineProperty(target, 'hidden', { value: 1, enumerable: false });
    Object.defineProperty(target, 'live', { get: () => 'live', configurable: true });
    Object.assign(target, { open: 2, [secret]: 3 });
    const wrapped = watch(target).wrapped as typeof target & Record<PropertyKey, unknown>;
    expect([wrapped.name, wrapped.length]).toEqual(['target', 2]);
    expect(Object.getOwnPropertyDescriptor(wrapped, 'hidden')).toMatchObject({ value: 1, enumerable: false });
    expect([wrapped['open'], wrapped[secret], wrapped['live']]).toEqual([2, 3, 'live']);
    expect(wrapped.prototype).toBe(target.prototype);
    expect(Object.keys(wrapped)).toEqual(['open']);
  });

  it('can have any name and shape', () => {
    const named = Object.defineProperty(() => 1, 'name', { value: Symbol('odd') });
    const frozen = Object.freeze(() => 2);
    const bare = Object.setPrototypeOf(() => 3, null) as () => number;
    const proxy = new Proxy(() => 4, {
      ownKeys: () => {
        throw new Error('no');
      },
    });
    const guarded = new Proxy(() => 5, {
      getOwnPropertyDescriptor: () => {
        throw new Error('no');
      },
    });
    expect([named, frozen, bare, proxy, guarded].map((fn) => watch(fn).wrapped())).toEqual([1, 2, 3, 4, 5]);
  });

  it('looks like the kind of function that it was', () => {
    const kinds = [async () => {}, function* () {}, async function* () {}, () => {}];
    for (const fn of kinds) {
      const { wrapped } = watch(fn as () => unknown);
      expect(Object.prototype.toString.call(wrapped)).toBe(Object.prototype.toString.call(fn));
      expect(Object.hasOwn(wrapped, 'prototype')).toBe(Object.hasOwn(fn, 'prototype'));
      expect(() => new (wrapped as unknown as new () => unknown)()).toThrow(TypeError);
    }
  });

  it('keeps a call open as long as its result is', async () => {
    const asynchronous = watch(async () => 'later');
    const promise = asynchronous.wrapped();
    expect(asynchronous.begun[0]?.call.ends).toEqual([]);
    expect(await promise).toBe('later');
    expect(asynchronous.begun[0]?.call.ends).toEqual(['success']);

    const generating = watch(function* (count: number) {
      for (let value = 0; value < count; value += 1) yield value;
    });
    const generator = generating.wrapped(2);
    expect(generator).toBeInstanceOf(generating.wrapped);
    expect(generating.begun[0]?.call.ends).toEqual([]);
    expect([...generator]).toEqual([0, 1]);
    expect(generating.begun[0]?.call.ends).toEqual(['success']);
  });

  it('calls the function once and lets the very value through that it throws', () => {
    for (const value of createOddValues()) {
      let runs = 0;
      const { wrapped, begun } = watch(() => {
        runs += 1;
        throw value;
      });
      let caught: { error: unknown } | undefined;
      try {
        wrapped();
      } catch (error) {
        caught = { error };
      }
      expect(runs).toBe(1);
      expect(caught !== undefined && Object.is(caught.error, value)).toBe(true);
      expect(begun[0]?.call.ends.length).toBe(1);
    }
  });

  it('is called plainly when no call begins', () => {
    const error = new Error('plain');
    class Shape {
      readonly size: number;
      constructor(size: number) {
        if (size < 0) throw error;
        this.size = size;
      }
    }
    const none = (): undefined => undefined;
    expect(wrapFunction((a: number) => a + 1, none)(1)).toBe(2);
    expect(() =>
      wrapFunction(() => {
        throw error;
      }, none)(),
    ).toThrow(error);
    const Wrapped = wrapFunction(Shape, none);
    expect(new Wrapped(3).size).toBe(3);
    expect(() => new Wrapped(-1)).toThrow(error);
    const callback = (): void => {};
    expect(wrapFunction((given: () => void) => given, none, { callback: true })(callback)).toBe(callback);
  });

  it('separates its calls, also when they recurse', () => {
    const { wrapped, begun } = watch((depth: number): string[] => [
      RecordedCall.active ?? '',
      ...(depth > 0 ? wrapped(depth - 1) : []),
    ]);
    expect(wrapped(2)).toEqual(['call 0', 'call 1', 'call 2']);
    expect(begun.map(({ call }) => call.ends)).toEqual([['success'], ['success'], ['success']]);
  });
});

describe('a wrapped class', () => {
  class Point {
    static created = 0;
    static origin(): Point {
      return new this(0, 0);
    }
    readonly target: unknown;
    readonly x: number;
    readonly y: number;
    readonly during = RecordedCall.active;
    #secret = 42;
    constructor(x: number, y: number) {
      this.target = new.target;
      this.x = x;
      this.y = y;
      Point.created += 1;
    }
    reveal(): number {
      return this.#secret;
    }
  }
  class Pixel extends Point {}

  it('constructs the same instances, inside the call', () => {
    const { begun, begin } = createRecorder();
    const Wrapped = wrapFunction(Point, begin);
    const before = Point.created;
    const point = new Wrapped(1, 2);
    expect(Point.created).toBe(before + 1);
    expect(point).toBeInstanceOf(Point);
    expect(point).toBeInstanceOf(Wrapped);
    expect([point.x, point.y, point.reveal(), point.during, point.target === Point]).toEqual([
      1,
      2,
      42,
      'call 0',
      true,
    ]);
    expect(begun[0]).toMatchObject({ self: undefined, args: [1, 2] });
    expect(begun[0]?.call.ends).toEqual(['success']);
    expect(Wrapped.origin()).toBeInstanceOf(Point);
    expect(() => Reflect.apply(Wrapped as unknown as () => void, undefined, [])).toThrow(TypeError);
  });

  it('can be extended and inherits what it inherited', () => {
    const { begun, begin } = createRecorder();
    class Voxel extends wrapFunction(Point, begin) {
      readonly z = 3;
    }
    const voxel = new Voxel(1, 2);
    expect(voxel).toBeInstanceOf(Voxel);
    expect([voxel.z, voxel.reveal(), voxel.target === Voxel]).toEqual([3, 42, true]);
    expect(begun.length).toBe(1);
    expect(Object.getPrototypeOf(wrapFunction(Pixel, begin))).toBe(Point);
  });

  it('ends the call with the very error of its constructor', () => {
    const error = Object.freeze({ code: 1 });
    const { begun, begin } = createRecorder();
    const Failing = wrapFunction(
      class {
        constructor() {
          throw error;
        }
      },
      begin,
    );
    let caught: unknown;
    try {
      caught = new Failing();
    } catch (thrown) {
      caught = thrown;
    }
    expect(caught).toBe(error);
    expect(begun[0]?.call.ends).toEqual([{ error }]);
  });

  it('is over when it is constructed, even if the instance is a promise', async () => {
    const { begun, begin } = createRecorder();
    class Job extends wrapFunction(Promise<number>, begin) {}
    const job = new Job((resolve) => resolve(1));
    expect(begun[0]?.call.ends).toEqual(['success']);
    expect(job).toBeInstanceOf(Job);
    expect(await job).toBe(1);
  });

  it('works for functions that are constructors, also bound ones', () => {
    function Legacy(this: { value?: number }, value: number): void {
      this.value = value;
    }
    const { wrapped } = watch(Legacy);
    const LegacyClass = wrapped as unknown as new (value: number) => { value: number };
    expect(new LegacyClass(5)).toBeInstanceOf(Legacy);
    const Bound = watch(Legacy.bind({}, 6) as () => void).wrapped as unknown as new () => { value: number };
    expect(new Bound().value).toBe(6);
    expect(new Bound()).toBeInstanceOf(Legacy);
  });
});

describe('a function with a callback', () => {
  type Callback = (error: unknown, value?: unknown) => unknown;

  it('ends the call when the callback is first called, and passes later calls through', () => {
    let held: Callback | undefined;
    const received: unknown[] = [];
    const { wrapped, begun } = watch(
      (_name: string, callback: Callback) => {
        held = callback;
      },
      { callback: true },
    );
    wrapped('a', (...args) => received.push(...args));
    expect(begun[0]?.call.ends).toEqual([]);
    expect(held?.(null, 1)).toBe(2);
    expect(begun[0]?.call.ends).toEqual(['success']);
    expect(held?.(new Error('second'))).toBe(3);
    expect(begun[0]?.call.ends).toEqual(['success']);
    expect(received).toEqual([null, 1, new Error('second')]);
  });

  it('ends the call with the error that the callback gets', () => {
    const error = new Error('ENOENT');
    const { wrapped, begun } = watch((callback: Callback, _flag: boolean) => callback(error), { callback: 0 });
    expect(wrapped((caught) => caught, true)).toBe(error);
    expect(begun[0]?.call.ends).toEqual([{ error }]);
  });

  it('runs the callback after the end, in the context of the caller, with its this', async () => {
    const storage = new AsyncLocalStorage<string>();
    const { wrapped, begun } = watch(
      (callback: Callback) => void setImmediate(() => Reflect.apply(callback, 'self', [null, RecordedCall.active])),
      { callback: true },
    );
    const seen = await storage.run('caller', () => {
      return new Promise<unknown[]>((resolve) => {
        wrapped(function (this: unknown, _error, within) {
          resolve([this, within, RecordedCall.active, storage.getStore(), begun[0]?.call.ends.length]);
        });
      });
    });
    expect(seen).toEqual(['self', 'call 0', undefined, 'caller', 1]);
  });

  it('keeps the length and the name of the callback, and the arguments of the caller', () => {
    const args: [Callback] = [(_error, _value) => {}];
    const { wrapped, begun } = watch((callback: Callback) => [callback.length, callback.name], { callback: true });
    const named = { done: (_error: unknown, _value: unknown, _more: unknown): void => {} };
    expect(wrapped(named.done as Callback)).toEqual([3, 'done']);
    wrapped(...args);
    expect(begun[1]?.args[0]).toBe(args[0]);
  });

  it('ends the call once when the function throws, before or after the callback', () => {
    const error = new Error('sync');
    const before = watch(
      (_callback: Callback) => {
        throw error;
      },
      { callback: true },
    );
    expect(() => before.wrapped(() => {})).toThrow(error);
    expect(before.begun[0]?.call.ends).toEqual([{ error }]);

    const after = watch(
      (callback: Callback) => {
        callback(null);
        throw error;
      },
      { callback: true },
    );
    expect(() => after.wrapped(() => {})).toThrow(error);
    expect(after.begun[0]?.call.ends).toEqual(['success']);
  });

  it('lets the error through that the callback throws', () => {
    const error = new Error('callback');
    const { wrapped, begun } = watch((callback: Callback) => callback(null), { callback: true });
    expect(() =>
      wrapped(() => {
        throw error;
      }),
    ).toThrow(error);
    expect(begun[0]?.call.ends).toEqual(['success']);
  });

  it('ends the call when its promise rejects, but not when it resolves before the callback', async () => {
    const error = new Error('async');
    const failing = watch(
      async (_callback: Callback) => {
        throw error;
      },
      { callback: true },
    );
    await expect(failing.wrapped(() => {})).rejects.toBe(error);
    expect(failing.begun[0]?.call.ends).toEqual([{ error }]);

    let held: Callback | undefined;
    const slow = watch(
      async (callback: Callback) => {
        held = callback;
        return 'started';
      },
      { callback: true },
    );
    expect(await slow.wrapped(() => {})).toBe('started');
    expect(slow.begun[0]?.call.ends).toEqual([]);
    held?.(null);
    expect(slow.begun[0]?.call.ends).toEqual(['success']);
  });

  it('ends a call without a callback with its result', async () => {
    const { wrapped, begun } = watch((...args: unknown[]) => Promise.resolve(args.length), { callback: true });
    expect(await Promise.all([wrapped(), wrapped('a'), wrapped('a', undefined)])).toEqual([0, 1, 2]);
    expect(begun.map(({ call }) => call.ends)).toEqual([['success'], ['success'], ['success']]);
    const none = watch((callback: () => number) => callback(), { callback: false });
    expect(none.wrapped(() => 7)).toBe(7);
    const index = watch((value: number) => value, { callback: 5 });
    expect(index.wrapped(8)).toBe(8);
    expect([none.begun[0]?.call.ends, index.begun[0]?.call.ends]).toEqual([['success'], ['success']]);
  });

  it('leaves a result alone that cannot be looked at', () => {
    const hostile = {
      get then(): never {
        throw new Error('no');
      },
    };
    const { wrapped, begun } = watch((_callback: Callback) => hostile, { callback: true });
    expect(wrapped(() => {})).toBe(hostile);
    expect(begun[0]?.call.ends).toEqual([]);
  });

  it('works with what Node offers', async () => {
    const { begun, begin } = createRecorder();
    const read = promisify(wrapFunction(readFile, begin, { callback: true }) as (path: URL, done: Callback) => void);
    await expect(read(new URL('file:///missing'))).rejects.toMatchObject({ code: 'ENOENT' });
    await settle();
    expect(begun[0]?.call.ends).toMatchObject([{ error: { code: 'ENOENT' } }]);
  });
});

describe('the type of a wrapped function', () => {
  const begin = (): undefined => undefined;

  it('is the type that it had, with overloads, generics and this', () => {
    function overloaded(value: string): string;
    function overloaded(value: number): number;
    function overloaded(value: string | number): string | number {
      return value;
    }
    const wrapped = wrapFunction(overloaded, begin);
    expectTypeOf(wrapped('a')).toEqualTypeOf<string>();
    expectTypeOf(wrapped(1)).toEqualTypeOf<number>();
    // @ts-expect-error neither overload takes a boolean
    wrapped(true);

    const first = wrapFunction(<T>(values: readonly T[]): T | undefined => values[0], begin);
    expectTypeOf(first([1, 2])).toEqualTypeOf<number | undefined>();

    const bound = wrapFunction(function (this: { size: number }, by: number) {
      return this.size * by;
    }, begin);
    expect(bound.call({ size: 2 }, 3)).toBe(6);
    // @ts-expect-error the receiver has no size
    expect(bound.call({}, 3)).toBeNaN();

    const generator = wrapFunction(function* (): Generator<number, string, boolean> {
      return (yield 1) ? 'yes' : 'no';
    }, begin);
    expectTypeOf(generator).returns.toEqualTypeOf<Generator<number, string, boolean>>();
    const asynchronous = wrapFunction(async (id: string) => id.length, begin);
    expectTypeOf(asynchronous).toEqualTypeOf<(id: string) => Promise<number>>();
    // @ts-expect-error only functions and classes can be wrapped
    expect(() => wrapFunction({}, begin)).not.toThrow(SyntaxError);
  });
});
