import { describe, expect, it } from 'vitest';
import { type AnyFunction, applyTraceDecorator, isDecoratorCall } from '../../src/processing/decorate.ts';

const names: string[] = [];
const wrap = (method: AnyFunction, name: string): AnyFunction => {
  names.push(name);
  return function (this: unknown, ...args: unknown[]): unknown {
    return ['traced', Reflect.apply(method as (...args: unknown[]) => unknown, this, args)];
  } as AnyFunction;
};
/** As the tracer's: a decorator of both kinds, which counts what it does not recognise. */
const unrecognised: unknown[][] = [];
// biome-ignore lint/suspicious/noExplicitAny: a decorator of every kind of member has no better type
const trace = (...args: unknown[]): any => {
  if (!isDecoratorCall(args)) unrecognised.push(args);
  return applyTraceDecorator(args[0], args[1], args[2], wrap);
};

describe('a standard decorator', () => {
  it('wraps methods of every kind and leaves everything else as it is', async () => {
    names.length = 0;
    const symbol = Symbol('key');
    @trace
    class Orders {
      @trace static create(): string {
        return 'static';
      }
      @trace field = 'field';
      @trace arrow = (): string => 'arrow';
      @trace accessor auto = 'auto';
      readonly #id = 7;
      @trace get id(): number {
        return this.#id;
      }
      @trace set id(_value: number) {}
      @trace place(quantity: number): number {
        return this.#id * quantity;
      }
      @trace async [symbol](): Promise<number> {
        return this.#id;
      }
      @trace #hidden(): string {
        return 'hidden';
      }
      reveal(): string {
        return this.#hidden();
      }
    }
    const orders = new Orders();
    expect(Orders.create()).toEqual(['traced', 'static']);
    expect(orders.place(2)).toEqual(['traced', 14]);
    expect(orders.reveal()).toEqual(['traced', 'hidden']);
    expect(await (orders[symbol]() as unknown as Promise<unknown>[])[1]).toBe(7);
    expect([orders.field, orders.arrow(), orders.auto, orders.id]).toEqual(['field', 'arrow', 'auto', 7]);
    expect(names.sort()).toEqual(['#hidden', '[key]', 'create', 'place']);
    expect(unrecognised).toEqual([]);
  });
});

describe('a legacy decorator', () => {
  /** What TypeScript's `experimentalDecorators` emits for a member. */
  function decorateMember(target: object, key: string | symbol): void {
    const descriptor = Object.getOwnPropertyDescriptor(target, key);
    const result = (trace(target, key, descriptor) as PropertyDescriptor | undefined) ?? descriptor;
    if (result !== undefined) Object.defineProperty(target, key, result);
  }

  it('wraps methods and keeps the rest of the descriptor', () => {
    names.length = 0;
    class Orders {
      static create(): string {
        return 'static';
      }
      get id(): number {
        return 7;
      }
      place(quantity: number): number {
        return this.id * quantity;
      }
    }
    const before = Object.getOwnPropertyDescriptor(Orders.prototype, 'place');
    decorateMember(Orders.prototype, 'place');
    decorateMember(Orders.prototype, 'id');
    decorateMember(Orders.prototype, 'field');
    decorateMember(Orders, 'create');
    const after = Object.getOwnPropertyDescriptor(Orders.prototype, 'place');
    expect({ ...after, value: undefined }).toEqual({ ...before, value: undefined });
    expect(new Orders().place(2)).toEqual(['traced', 14]);
    expect(new Orders().id).toBe(7);
    expect(Orders.create()).toEqual(['traced', 'static']);
    expect(names).toEqual(['place', 'create']);
    expect(unrecognised).toEqual([]);
  });
});

describe('isDecoratorCall', () => {
  const context = { kind: 'method', name: 'place', addInitializer: () => {} };
  const fn = (): void => {};

  it.each<[string, unknown[]]>([
    ['a standard method', [fn, context]],
    ['a standard field', [undefined, { ...context, kind: 'field' }]],
    ['a standard class without a name', [class {}, { ...context, kind: 'class', name: undefined }]],
    ['a legacy method', [{}, 'place', { value: fn, writable: true }]],
    ['a legacy static accessor', [class {}, 'id', { get: fn }]],
    ['a legacy field', [{}, Symbol('field'), undefined]],
    ['a field in the way of Babel', [{}, 'field', { initializer: null }]],
    ['a legacy parameter', [{}, 'place', 0]],
    ['a legacy parameter of a constructor', [class {}, undefined, 0]],
  ])('recognises %s', (_title, args) => {
    expect(isDecoratorCall(args)).toBe(true);
  });

  it.each<[string, unknown[]]>([
    ['nothing', []],
    ['a function', [fn]],
    ['a name and a function', ['name', fn]],
    ['options and a function', [{ kind: 'method' }, fn]],
    ['options that look like a context in part', [fn, { kind: 'method', name: 'a' }]],
    ['a context of an unknown kind', [fn, { ...context, kind: 'server' }]],
    ['a nameless method', [fn, { ...context, name: undefined }]],
    ['a function and a name', [fn, 'name']],
    ['a name, options and a function', ['name', {}, fn]],
    ['an object, a name and options', [{}, 'name', {}]],
    ['a function, no name and options', [fn, undefined, {}]],
    ['null', [null, null]],
    ['four arguments', [{}, 'place', { value: fn }, 1]],
  ])('does not take %s for one', (_title, args) => {
    expect(isDecoratorCall(args)).toBe(false);
  });

  it('is what applyTraceDecorator goes by', () => {
    expect(applyTraceDecorator('name', {}, fn, wrap)).toBeUndefined();
    expect(applyTraceDecorator({}, 'place', 0, wrap)).toBeUndefined();
    expect(applyTraceDecorator('no function', context, undefined, wrap)).toBeUndefined();
  });
});
