import { AsyncLocalStorage } from 'node:async_hooks';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { trackResult } from '../../src/processing/track-result.ts';
import { RecordedCall, settle } from './recorded-call.ts';
import { runChild } from './run-child.ts';

class Job<T> extends Promise<T> {
  #cancelled = false;
  static made = 0;

  constructor(executor: (resolve: (value: T | PromiseLike<T>) => void, reject: (error: unknown) => void) => void) {
    super(executor);
    Job.made += 1;
  }

  cancel(): boolean {
    this.#cancelled = true;
    return this.#cancelled;
  }
}

/** A query that runs when `then` is called, as a query builder's does. */
class Query<T> {
  runs: (string | undefined)[] = [];
  readonly #work: () => Promise<T>;

  constructor(work: () => Promise<T>) {
    this.#work = work;
  }

  where(): this {
    return this;
  }

  then<A, B>(onFulfilled?: ((value: T) => A) | null, onRejected?: ((error: unknown) => B) | null): Promise<A | B | T> {
    this.runs.push(RecordedCall.active);
    return this.#work().then(onFulfilled, onRejected);
  }

  catch<B>(onRejected: (error: unknown) => B): Promise<B | T> {
    return this.then(undefined, onRejected);
  }
}

describe('a promise', () => {
  it('ends the call when it settles, before its consumer sees the value', async () => {
    const call = new RecordedCall();
    const value = { a: 1 };
    const tracked = trackResult(Promise.resolve(value), call);
    expect(call.ends).toEqual([]);
    const seen = await tracked.then((result) => [result, call.ends.length]);
    expect(seen).toEqual([value, 1]);
    expect(call.ends).toEqual(['success']);
  });

  it('ends the call also if nobody awaits it', async () => {
    const call = new RecordedCall();
    void trackResult(Promise.resolve(1), call);
    await settle();
    expect(call.ends).toEqual(['success']);
  });

  it('keeps the properties that were put on it', async () => {
    const call = new RecordedCall();
    const promise = promisify(execFile)(process.execPath, ['--version']);
    const tracked = trackResult(promise, call);
    expect(tracked.child).toBe(promise.child);
    expect((await tracked).stdout).toContain(process.version);
    expect(call.ends).toEqual(['success']);
  });

  it('leaves the context of its consumer alone', async () => {
    const storage = new AsyncLocalStorage<string>();
    const call = new RecordedCall();
    await storage.run('consumer', async () => {
      await trackResult(Promise.resolve(), call);
      expect(storage.getStore()).toBe('consumer');
      expect(RecordedCall.active).toBeUndefined();
    });
  });
});

describe('an instance of a subclass of Promise', () => {
  it('stays the same object with its private state, and constructs nothing', async () => {
    const call = new RecordedCall();
    const job = new Job<number>((resolve) => resolve(4));
    const made = Job.made;
    const tracked = trackResult(job, call);
    expect(Job.made).toBe(made);
    expect(tracked).toBe(job);
    expect(tracked.cancel()).toBe(true);
    expect(Reflect.ownKeys(tracked).filter((key) => typeof key === 'string' && key !== 'then')).toEqual([]);
    expect(Object.keys(tracked)).toEqual([]);
    const next = tracked.then((value) => [value, call.ends.length]);
    expect(next).toBeInstanceOf(Job);
    expect(await next).toEqual([4, 1]);
    expect(Object.hasOwn(tracked, 'then')).toBe(false);
    expect(call.ends).toEqual(['success']);
  });

  it('is watched by a derived instance when it is frozen', async () => {
    const call = new RecordedCall();
    const tracked = trackResult(Object.freeze(new Job<number>((resolve) => resolve(4))), call);
    expect(tracked).toBeInstanceOf(Job);
    expect(await tracked).toBe(4);
    expect(call.ends).toEqual(['success']);
  });

  it.each([
    ['awaited', async (job: Job<number>) => void (await job)],
    ['caught', (job: Job<number>) => job.catch(() => {}).then(() => {})],
    ['in Promise.all', (job: Job<number>) => Promise.all([job, job]).then(() => {})],
    ['finally', (job: Job<number>) => job.finally(() => {}).then(() => {})],
  ])('ends the call with the error of a rejection when it is %s', async (_title, consume) => {
    const error = new Error('failed');
    const call = new RecordedCall();
    const tracked = trackResult(new Job<number>((_resolve, reject) => reject(error)), call);
    await consume(tracked).catch(() => {});
    expect(call.ends).toEqual([{ error }]);
  });
});

describe('a lazy thenable', () => {
  it('stays the same object and starts its work when its consumer does, inside the call', async () => {
    const call = new RecordedCall('query');
    const query = new Query(async () => 'rows');
    const tracked = trackResult(query, call);
    await settle();
    expect(tracked).toBe(query);
    expect(query.runs).toEqual([]);
    expect(call.ends).toEqual([]);
    expect(await tracked).toBe('rows');
    expect(query.runs).toEqual(['query']);
    expect(call.ends).toEqual(['success']);
    expect(await tracked).toBe('rows');
    expect(query.runs).toEqual(['query', undefined]);
    expect(call.ends).toEqual(['success']);
    expect(Reflect.ownKeys(tracked)).toEqual(['runs']);
  });

  it('ends the call before the consumer is called back, in the context of the consumer', async () => {
    const call = new RecordedCall('query');
    const tracked = trackResult(new Query(async () => 'rows'), call);
    const outer = new RecordedCall('consumer');
    const seen = await outer.run(() => tracked.then((rows) => [rows, call.ends.length, RecordedCall.active]));
    expect(seen).toEqual(['rows', 1, 'consumer']);
  });

  it('ends the call with the error of a rejection, whoever asks for it', async () => {
    const error = new Error('deadlock');
    for (const consume of [
      async (query: Query<string>) => void (await query),
      async (query: Query<string>) => query.catch((caught) => expect(caught).toBe(error)),
      async (query: Query<string>) => query.then(() => 1),
      async (query: Query<string>) => Promise.race([query, new Promise<never>(() => {})]),
    ]) {
      const call = new RecordedCall();
      await consume(trackResult(new Query<string>(() => Promise.reject(error)), call)).catch((caught: unknown) =>
        expect(caught).toBe(error),
      );
      expect(call.ends).toEqual([{ error }]);
    }
  });

  it('may throw from then', async () => {
    const error = new Error('sync');
    const call = new RecordedCall();
    const tracked = trackResult(
      {
        then(): never {
          throw error;
        },
      },
      call,
    );
    expect(() => Reflect.apply(tracked.then, tracked, [])).toThrow(error);
    expect(call.ends).toEqual([{ error }]);
  });

  it('passes on what a thenable of another kind gives and takes', () => {
    const received: unknown[] = [];
    const odd = {
      then(...args: unknown[]): string {
        const [resolve, , progress] = args as ((...values: unknown[]) => unknown)[];
        progress?.('half');
        resolve?.call('self', 1, 2);
        return 'chained';
      },
    };
    const call = new RecordedCall();
    const tracked = trackResult(odd, call);
    const callbacks = [
      function (this: unknown, ...values: unknown[]): void {
        received.push(this, ...values);
      },
      null,
      (part: unknown): number => received.push(part),
    ];
    const result: unknown = Reflect.apply(tracked.then, tracked, callbacks);
    expect(result).toBe('chained');
    expect(received).toEqual(['half', 'self', 1, 2]);
    expect(call.ends).toEqual(['success']);
  });

  it('is tracked also when it is frozen, sealed, or has a getter for then', async () => {
    const createPlain = () => ({ then: (resolve: (value: string) => void) => resolve('done'), name: 'kept' });
    const createLazy = () => ({
      get then() {
        return createPlain().then;
      },
      name: 'kept',
    });
    for (const thenable of [
      Object.freeze(createPlain()),
      Object.seal(createPlain()),
      Object.freeze(createLazy()),
      createLazy(),
    ]) {
      const call = new RecordedCall();
      const tracked = trackResult(thenable, call);
      expect(tracked.name).toBe('kept');
      expect(call.ends).toEqual([]);
      expect(await tracked).toBe('done');
      expect(await tracked).toBe('done');
      expect(call.ends).toEqual(['success']);
    }
  });

  it('is tracked behind a proxy that answers for then itself', async () => {
    const thenable = new Proxy(
      {},
      { get: (_target, key) => (key === 'then' ? (resolve: (value: number) => void) => resolve(3) : undefined) },
    );
    const call = new RecordedCall();
    const tracked = trackResult(thenable, call) as PromiseLike<number>;
    expect(await tracked).toBe(3);
    expect(call.ends).toEqual(['success']);
  });

  it('may be a promise of another realm', async () => {
    const call = new RecordedCall();
    const promise = runInNewContext('Promise.resolve(3)') as Promise<number>;
    expect(trackResult(promise, call)).toBe(promise);
    expect(await promise.then((value) => [value, call.ends.length])).toEqual([3, 1]);
  });

  it('ends the call once although it is half a stream that takes no listeners', async () => {
    const call = new RecordedCall();
    const refuse = (): never => {
      throw new Error('no listeners');
    };
    const half = {
      then: (resolve: (value: number) => void) => resolve(3),
      on: refuse,
      removeListener: refuse,
      pipe: refuse,
    };
    expect(trackResult(half, call)).toBe(half);
    expect(await half).toBe(3);
    expect(call.ends).toEqual(['success']);
  });

  it('is a plain value when it is a frozen function', () => {
    const thenable = Object.freeze(Object.assign(() => 1, { then: () => {} }));
    const call = new RecordedCall();
    expect(trackResult(thenable, call)).toBe(thenable);
    expect(call.ends).toEqual(['success']);
  });

  it('ends every call that handed it on, and enters them from the outermost in', async () => {
    const inner = new RecordedCall('inner');
    const outer = new RecordedCall('outer');
    const query = new Query(async () => 'rows');
    expect(trackResult(trackResult(query, inner), outer)).toBe(query);
    await query;
    expect(query.runs).toEqual(['inner']);
    expect([inner.ends, outer.ends]).toEqual([['success'], ['success']]);
  });

  it('keeps a bounded number of calls open, however often it is handed on', async () => {
    const query = new Query(async () => 'rows');
    const calls = Array.from({ length: 50_000 }, () => new RecordedCall());
    for (const call of calls) trackResult(query.where(), call);
    expect(calls.filter((call) => call.ends.length === 0).length).toBeLessThanOrEqual(64);
    expect(await query).toBe('rows');
    expect(calls.every((call) => call.ends.length === 1)).toBe(true);
  });
});

describe('a rejection', () => {
  const scripts: [string, string][] = [
    ['nobody handles', 'make();'],
    ['is handled at once', `make().catch(() => print('caught'));`],
    ['is awaited', `try { await make(); } catch { print('caught'); }`],
    ['is handled through finally only', `make().finally(() => print('finally'));`],
    ['is handled a tick late', `const p = make(); process.nextTick(() => p.catch(() => print('caught')));`],
    [
      'has one consumer with and one without a handler',
      `const p = make(); p.then(() => {}); p.catch(() => print('caught'));`,
    ],
  ];
  const sources: [string, string][] = [
    ['a promise', `async () => { throw new Error('x'); }`],
    ['a promise that rejects later', `() => new Promise((_, no) => setImmediate(() => no(new Error('x'))))`],
    ['a subclass', `() => new (class Job extends Promise {})((_, no) => setImmediate(() => no(new Error('x'))))`],
    ['a subclass that has rejected', `() => (class Job extends Promise {}).reject(new Error('x'))`],
  ];
  const prelude = `process.on('unhandledRejection', (error) => print('unhandled', error.message));`;

  it.each(sources)('of %s is unhandled exactly when it is without us', async (_title, source) => {
    const run = (wrap: string): Promise<{ lines: readonly string[] }> => {
      const each = scripts.map(
        ([title, script]) => `print('# ${title}'); await (async () => { ${script} })(); await rest();`,
      );
      return runChild(`${prelude}
        const rest = () => new Promise((resolve) => setTimeout(resolve, 20));
        const make = ${wrap}(${source});
        ${each.join('\n')}`);
    };
    const [before, after] = await Promise.all([run('plain'), run('watched')]);
    expect(before.lines.filter((line) => line.startsWith('unhandled')).length).toBeGreaterThanOrEqual(3);
    expect(after.lines.filter((line) => !line.startsWith('end'))).toEqual(before.lines);
    expect(after.lines.filter((line) => line === 'end error').length).toBe(scripts.length);
  });

  it('that nobody handles still ends the process', async () => {
    const { code, lines } = await runChild(`watched(async () => { throw new Error('x'); })();
      setTimeout(() => print('survived'), 1_000);`);
    expect(code).toBe(1);
    expect(lines).toEqual(['end error']);
  });
});
