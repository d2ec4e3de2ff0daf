import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { trackResult } from '../../src/processing/track-result.ts';
import { RecordedCall, settle } from './recorded-call.ts';

function* count(limit: number, seen: unknown[] = []): Generator<number, string, unknown> {
  try {
    for (let value = 0; value < limit; value += 1) {
      seen.push(RecordedCall.active);
      yield value;
    }
    return 'result';
  } finally {
    seen.push('closed');
  }
}

async function* countAsync(limit: number, seen: unknown[] = []): AsyncGenerator<number, string, unknown> {
  try {
    for (let value = 0; value < limit; value += 1) {
      await Promise.resolve();
      seen.push(RecordedCall.active);
      yield value;
    }
    return 'result';
  } finally {
    seen.push('closed');
  }
}

describe('a generator', () => {
  it('stays the same object with everything that it inherits', () => {
    const generator = count(2);
    const tracked = trackResult(generator, new RecordedCall());
    expect(tracked).toBe(generator);
    expect(tracked).toBeInstanceOf(count);
    expect(Object.prototype.toString.call(tracked)).toBe('[object Generator]');
    expect(Object.keys(tracked)).toEqual([]);
    expect(tracked[Symbol.iterator]()).toBe(tracked);
  });

  it('runs each step inside the call, which ends when it is done', () => {
    const call = new RecordedCall('generator');
    const seen: unknown[] = [];
    const values: unknown[] = [];
    for (const value of trackResult(count(3, seen), call)) {
      expect(call.ends).toEqual([]);
      values.push(value, RecordedCall.active);
    }
    expect(values).toEqual([0, undefined, 1, undefined, 2, undefined]);
    expect(seen).toEqual(['generator', 'generator', 'generator', 'closed']);
    expect(call.ends).toEqual(['success']);
  });

  it('passes values in, its result out, and goes on as before after its end', () => {
    const call = new RecordedCall();
    const tracked = trackResult(
      (function* (): Generator<number, string, string> {
        const first = yield 1;
        return `${first}${yield 2}`;
      })(),
      call,
    );
    expect(tracked.next('ignored')).toEqual({ value: 1, done: false });
    expect(tracked.next('a')).toEqual({ value: 2, done: false });
    expect(tracked.next('b')).toEqual({ value: 'ab', done: true });
    expect(tracked.next('c')).toEqual({ value: undefined, done: true });
    expect(tracked.return('late')).toEqual({ value: 'late', done: true });
    expect(Reflect.ownKeys(tracked)).toEqual([]);
    expect(call.ends).toEqual(['success']);
  });

  const exits: [string, (generator: Generator<number, string, unknown>) => unknown][] = [
    [
      'a break',
      (generator) => {
        for (const _ of generator) break;
      },
    ],
    [
      'destructuring',
      (generator) => {
        const [first] = generator;
        return first;
      },
    ],
    [
      'return()',
      (generator) => {
        generator.next();
        generator.return('left');
      },
    ],
    ['return() before the first step', (generator) => generator.return('left')],
    [
      'a return out of a loop',
      (generator) => {
        for (const value of generator) return value;
        return undefined;
      },
    ],
    [
      'an error in the loop',
      (generator) => {
        try {
          for (const _ of generator) throw new Error('loop');
        } catch {}
      },
    ],
    [
      'a break in a delegating generator',
      (generator) => {
        for (const _ of (function* () {
          yield* generator;
        })())
          break;
      },
    ],
    [
      'a failing Map',
      (generator) => {
        try {
          return new Map(generator as never);
        } catch {
          return undefined;
        }
      },
    ],
  ];

  it.each(exits)('ends the call once when it is left early by %s', (_title, leave) => {
    const call = new RecordedCall();
    leave(trackResult(count(3), call));
    expect(call.ends).toEqual(['success']);
  });

  it('ends 1,000 of 1,000 calls that are left early', () => {
    const calls = Array.from({ length: 1_000 }, () => new RecordedCall());
    for (const [index, call] of calls.entries()) exits[index % exits.length]?.[1](trackResult(count(1_000), call));
    expect(calls.filter((call) => call.ends.length !== 1)).toEqual([]);
  });

  it.each([
    ['spread', (generator: Iterable<number>) => [...generator]],
    ['Array.from', (generator: Iterable<number>) => Array.from(generator)],
    ['a set', (generator: Iterable<number>) => [...new Set(generator)]],
    [
      'yield*',
      (generator: Iterable<number>) => [
        ...(function* () {
          yield* generator;
        })(),
      ],
    ],
  ])('is consumed by %s', (_title, consume) => {
    const call = new RecordedCall();
    expect(consume(trackResult(count(3), call))).toEqual([0, 1, 2]);
    expect(call.ends).toEqual(['success']);
  });

  it('is consumed by what it inherits, such as the iterator helpers', () => {
    // Node 20 has no helpers: this one does what the specification's `take` does with next and return.
    const prototype = Object.getPrototypeOf(count.prototype) as object;
    Object.defineProperty(prototype, 'takeTwo', {
      configurable: true,
      value(this: Iterator<number>) {
        const values = [this.next().value, this.next().value];
        this.return?.();
        return values;
      },
    });
    try {
      const call = new RecordedCall('helper');
      const seen: unknown[] = [];
      const tracked = trackResult(count(9, seen), call) as unknown as { takeTwo(): number[] };
      expect(tracked.takeTwo()).toEqual([0, 1]);
      expect(seen).toEqual(['helper', 'helper', 'closed']);
      expect(call.ends).toEqual(['success']);
    } finally {
      Reflect.deleteProperty(prototype, 'takeTwo');
    }
  });

  it('ends the call with the very error that it throws', () => {
    for (const error of [new Error('inside'), undefined, null, 0]) {
      const call = new RecordedCall();
      const tracked = trackResult(
        (function* () {
          yield 1;
          throw error;
        })(),
        call,
      );
      tracked.next();
      let caught: unknown = 'nothing';
      try {
        tracked.next();
      } catch (thrown) {
        caught = thrown;
      }
      expect(caught).toBe(error);
      expect(call.ends).toEqual([{ error }]);
    }
  });

  it('may catch an error that is thrown into it and go on', () => {
    const call = new RecordedCall();
    const tracked = trackResult(
      (function* () {
        try {
          yield 1;
        } catch {
          yield 2;
        }
      })(),
      call,
    );
    tracked.next();
    expect(tracked.throw(new Error('in'))).toEqual({ value: 2, done: false });
    expect(call.ends).toEqual([]);
    expect(() => tracked.throw(new Error('out'))).toThrow('out');
    expect(call.ends).toEqual([{ error: new Error('out') }]);
  });

  it('may refuse to return, and is open until it is done', () => {
    const call = new RecordedCall();
    const tracked = trackResult(
      (function* () {
        try {
          yield 1;
        } finally {
          yield 2;
        }
      })(),
      call,
    );
    tracked.next();
    expect(tracked.return()).toEqual({ value: 2, done: false });
    expect(call.ends).toEqual([]);
    expect(tracked.next().done).toBe(true);
    expect(call.ends).toEqual(['success']);
  });

  it('is tracked when it is frozen, by an object that inherits from it', () => {
    const call = new RecordedCall('frozen');
    const seen: unknown[] = [];
    const tracked = trackResult(Object.freeze(count(2, seen)), call);
    expect(tracked).toBeInstanceOf(count);
    expect([...tracked]).toEqual([0, 1]);
    expect(seen).toEqual(['frozen', 'frozen', 'closed']);
    expect(call.ends).toEqual(['success']);
    expect(tracked.next()).toEqual({ value: undefined, done: true });
  });

  it('runs outside the call once that has ended, also through a method that was read before', () => {
    const seen: unknown[] = [];
    const source: IterableIterator<number> = {
      next() {
        seen.push(RecordedCall.active);
        return { value: seen.length, done: seen.length === 1 };
      },
      [Symbol.iterator]() {
        return this;
      },
    };
    const call = new RecordedCall('inside');
    const tracked = trackResult(source, call);
    const { next } = tracked;
    next.call(tracked);
    next.call(tracked);
    expect(seen).toEqual(['inside', undefined]);
    expect(call.ends).toEqual(['success']);
  });

  it('ends every call that handed it on', () => {
    const inner = new RecordedCall('inner');
    const outer = new RecordedCall('outer');
    const seen: unknown[] = [];
    expect([...trackResult(trackResult(count(1, seen), inner), outer)]).toEqual([0]);
    expect(seen).toEqual(['inner', 'closed']);
    expect([inner.ends, outer.ends]).toEqual([['success'], ['success']]);
  });

  it('behaves as an untracked one under any sequence of steps, and ends the call at most once', () => {
    const step = fc.tuple(fc.constantFrom('next', 'return', 'throw'), fc.integer());
    fc.assert(
      fc.property(fc.array(step, { maxLength: 8 }), fc.nat(4), (steps, limit) => {
        const call = new RecordedCall();
        const plain = record(count(limit), steps);
        expect(record(trackResult(count(limit), call), steps)).toEqual(plain);
        const isOver = plain.some((outcome) => 'thrown' in outcome || outcome.done === true);
        expect(call.ends.length).toBe(isOver ? 1 : 0);
      }),
    );
  });
});

describe('an iterator of another make', () => {
  const createIterator = (extra: object = {}): IterableIterator<number> => {
    let value = 0;
    return {
      next: () => (value < 3 ? { value: value++, done: false } : { value: undefined, done: true }),
      [Symbol.iterator]() {
        return this;
      },
      ...extra,
    };
  };

  it.each([
    ['its own', () => createIterator()],
    ["an array's", () => [0, 1, 2].values()],
    [
      "a map's",
      () =>
        new Map([
          [0, 0],
          [1, 0],
          [2, 0],
        ]).keys(),
    ],
    ['sealed', () => Object.seal(createIterator())],
    ['frozen', () => Object.freeze(createIterator())],
  ])('is tracked to its end: %s', (_title, create) => {
    const call = new RecordedCall();
    expect([...trackResult(create(), call)]).toEqual([0, 1, 2]);
    expect(call.ends).toEqual(['success']);
  });

  it('ends the call when it is left early, although it has no return method', () => {
    const call = new RecordedCall();
    const tracked = trackResult(createIterator(), call);
    for (const _ of tracked) break;
    expect(call.ends).toEqual(['success']);
    expect('return' in tracked).toBe(false);
    expect([...tracked]).toEqual([1, 2]);
  });

  it.each([
    ['no object', () => 7],
    [
      'an object whose done cannot be read',
      () => ({
        get done(): never {
          throw new Error('done');
        },
      }),
    ],
  ])('ends the call when a step gives %s', (_title, next) => {
    const call = new RecordedCall();
    const tracked = trackResult(createIterator({ next }), call);
    expect(() => [...tracked]).toThrow();
    expect(call.ends).toEqual(['success']);
  });
});

describe('an async generator', () => {
  it('runs each step inside the call, which ends before its consumer sees the end', async () => {
    const call = new RecordedCall('generator');
    const seen: unknown[] = [];
    const generator = countAsync(3, seen);
    const tracked = trackResult(generator, call);
    expect(tracked).toBe(generator);
    expect(Object.prototype.toString.call(tracked)).toBe('[object AsyncGenerator]');
    const values: unknown[] = [];
    await new RecordedCall('consumer').run(async () => {
      for await (const value of tracked) {
        expect(call.ends).toEqual([]);
        values.push(value, RecordedCall.active);
      }
      expect(RecordedCall.active).toBe('consumer');
    });
    expect(values).toEqual([0, 'consumer', 1, 'consumer', 2, 'consumer']);
    expect(seen).toEqual(['generator', 'generator', 'generator', 'closed']);
    expect(call.ends).toEqual(['success']);
  });

  it('answers concurrent steps in their order', async () => {
    const call = new RecordedCall();
    const tracked = trackResult(countAsync(3), call);
    const order: number[] = [];
    const steps = [0, 1, 2, 3, 4].map(async (index) => {
      const result = await tracked.next();
      order.push(index);
      return result;
    });
    expect(await Promise.all(steps)).toEqual([
      { value: 0, done: false },
      { value: 1, done: false },
      { value: 2, done: false },
      { value: 'result', done: true },
      { value: undefined, done: true },
    ]);
    expect(order).toEqual([0, 1, 2, 3, 4]);
    expect(call.ends).toEqual(['success']);
  });

  const exits: [string, (generator: AsyncGenerator<number, string, unknown>) => Promise<unknown>][] = [
    [
      'a break',
      async (generator) => {
        for await (const _ of generator) break;
      },
    ],
    [
      'return()',
      async (generator) => {
        await generator.next();
        await generator.return('left');
      },
    ],
    ['return() before the first step', (generator) => generator.return('left')],
    [
      'an error in the loop',
      async (generator) => {
        try {
          for await (const _ of generator) throw new Error('loop');
        } catch {}
      },
    ],
    [
      'a break in a delegating generator',
      async (generator) => {
        for await (const _ of (async function* () {
          yield* generator;
        })())
          break;
      },
    ],
  ];

  it.each(exits)('ends the call once when it is left early by %s', async (_title, leave) => {
    const call = new RecordedCall();
    await leave(trackResult(countAsync(3), call));
    expect(call.ends).toEqual(['success']);
  });

  it('ends 1,000 of 1,000 calls that are left early', async () => {
    const calls = Array.from({ length: 1_000 }, () => new RecordedCall());
    await Promise.all(
      calls.map(async (call, index) => exits[index % exits.length]?.[1](trackResult(countAsync(1_000), call))),
    );
    expect(calls.filter((call) => call.ends.length !== 1)).toEqual([]);
  });

  it('ends the call with the very error that it throws', async () => {
    for (const error of [new Error('inside'), undefined, 0]) {
      const call = new RecordedCall();
      const tracked = trackResult(
        (async function* () {
          yield 1;
          throw error;
        })(),
        call,
      );
      let caught: unknown = 'nothing';
      try {
        for await (const _ of tracked);
      } catch (thrown) {
        caught = thrown;
      }
      expect(caught).toBe(error);
      expect(call.ends).toEqual([{ error }]);
    }
  });

  it('behaves as an untracked one under any sequence of steps', async () => {
    const step = fc.tuple(fc.constantFrom('next', 'return', 'throw'), fc.integer());
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 6 }), fc.nat(3), async (steps, limit) => {
        const call = new RecordedCall();
        const plain = await recordAsync(countAsync(limit), steps);
        expect(await recordAsync(trackResult(countAsync(limit), call), steps)).toEqual(plain);
        const isOver = plain.some((outcome) => 'thrown' in outcome || outcome.done === true);
        expect(call.ends.length).toBe(isOver ? 1 : 0);
      }),
    );
  });
});

describe('an async iterator of another make', () => {
  const create = (next: () => unknown): AsyncIterableIterator<number> =>
    ({
      next,
      [Symbol.asyncIterator]() {
        return this;
      },
    }) as AsyncIterableIterator<number>;

  it('may answer without promises', async () => {
    let left = 2;
    const call = new RecordedCall();
    const values: number[] = [];
    for await (const value of trackResult(
      create(() => ({ value: left, done: left-- === 0 })),
      call,
    ))
      values.push(value);
    expect(values).toEqual([2, 1]);
    expect(call.ends).toEqual(['success']);
  });

  it('may answer with lazy thenables, which are asked once', async () => {
    let asked = 0;
    const step = { then: (resolve: (step: unknown) => void) => resolve({ value: asked++, done: asked > 2 }) };
    const call = new RecordedCall();
    const values: number[] = [];
    for await (const value of trackResult(
      create(() => step),
      call,
    ))
      values.push(value);
    expect(values).toEqual([0, 1]);
    expect(asked).toBe(3);
    expect(call.ends).toEqual(['success']);
  });

  it('may answer with something that cannot be awaited', async () => {
    const error = new Error('no then');
    const call = new RecordedCall();
    const tracked = trackResult(
      create(() => ({
        get then(): never {
          throw error;
        },
      })),
      call,
    );
    await expect(
      (async () => {
        for await (const _ of tracked);
      })(),
    ).rejects.toBe(error);
  });

  it('ends the call when it is left early, although it has no return method', async () => {
    const call = new RecordedCall();
    const tracked = trackResult(
      create(async () => ({ value: 1, done: false })),
      call,
    );
    for await (const _ of tracked) break;
    await settle();
    expect(call.ends).toEqual(['success']);
  });
});

type Outcome = { thrown: unknown } | { value: unknown; done?: boolean | undefined };

function record(
  generator: Generator<number, string, unknown>,
  steps: readonly (readonly [string, number])[],
): Outcome[] {
  return steps.map(([name, argument]) => {
    try {
      return generator[name as 'next'](argument);
    } catch (thrown) {
      return { thrown };
    }
  });
}

async function recordAsync(
  generator: AsyncGenerator<number, string, unknown>,
  steps: readonly (readonly [string, number])[],
): Promise<Outcome[]> {
  return Promise.all(
    steps.map(([name, argument]) =>
      generator[name as 'next'](argument).catch((thrown: unknown): Outcome => ({ thrown })),
    ),
  );
}
