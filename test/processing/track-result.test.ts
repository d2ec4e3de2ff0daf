import { describe, expect, it } from 'vitest';
import { runTracked, trackResult } from '../../src/processing/track-result.ts';
import { createHostileProxy, createOddValues, RecordedCall } from './recorded-call.ts';

describe('a plain result', () => {
  const plain: [string, () => unknown][] = [
    ['undefined', () => undefined],
    ['null', () => null],
    ['a number', () => 7],
    ['a function', () => () => 1],
    ['an object', () => ({ a: 1 })],
    ['a frozen object', () => Object.freeze({ a: 1 })],
    ['an object without a prototype', () => Object.create(null) as object],
    ['an array', () => [1, 2, 3]],
    ['a map', () => new Map([[1, 2]])],
    ['a set', () => new Set([1])],
    ['a typed array', () => new Uint8Array(4)],
    ['a response', () => new Response('body')],
    ['an object whose then is no function', () => ({ then: 'later' })],
    ['an object with next that is not iterable', () => ({ next: () => ({ done: false }) })],
    [
      'an iterable that is not its own iterator',
      () => ({ next: () => 1, [Symbol.iterator]: () => [][Symbol.iterator]() }),
    ],
    ['an event emitter of no stream', () => ({ on: () => {}, removeListener: () => {} })],
    ['a standard stream', () => process.stderr],
    ['a proxy that refuses everything', createHostileProxy],
  ];

  it.each(plain)('ends the call at once and comes back as it is: %s', (_title, create) => {
    const call = new RecordedCall();
    const result = create();
    expect(trackResult(result, call) === result).toBe(true);
    expect(call.ends).toEqual(['success']);
  });

  it('is a revoked proxy too', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const call = new RecordedCall();
    expect(trackResult(proxy, call) === proxy).toBe(true);
    expect(call.ends).toEqual(['success']);
  });

  it('keeps the own keys that it had', () => {
    const result = { a: 1, [Symbol.for('b')]: 2 };
    trackResult(result, new RecordedCall());
    expect(Reflect.ownKeys(result)).toEqual(['a', Symbol.for('b')]);
  });

  it('may have a then getter that throws, which is read once', () => {
    let reads = 0;
    const result = {
      get then(): never {
        reads += 1;
        throw new Error('no');
      },
    };
    const call = new RecordedCall();
    expect(trackResult(result, call)).toBe(result);
    expect(call.ends).toEqual(['success']);
    expect(reads).toBe(1);
  });

  it('may fail in its own iterator method', () => {
    const result = {
      next: () => ({ done: true, value: 1 }),
      [Symbol.iterator]: () => {
        throw new Error('no');
      },
    };
    const call = new RecordedCall();
    expect(trackResult(result, call)).toBe(result);
    expect(call.ends).toEqual(['success']);
  });
});

describe('runTracked', () => {
  it('runs the function once, inside the call only', () => {
    const call = new RecordedCall('inner');
    const seen: unknown[] = [];
    const result = runTracked(() => {
      seen.push(RecordedCall.active, call.ends.length);
      return 'value';
    }, call);
    expect(result).toBe('value');
    expect(seen).toEqual(['inner', 0]);
    expect(RecordedCall.active).toBeUndefined();
    expect(call.ends).toEqual(['success']);
  });

  it('lets the very value through that was thrown and ends the call with it', () => {
    const odd = createOddValues();
    expect(odd.length).toBeGreaterThanOrEqual(20);
    for (const value of odd) {
      const call = new RecordedCall();
      let runs = 0;
      let caught: { error: unknown } | undefined;
      try {
        runTracked(() => {
          runs += 1;
          throw value;
        }, call);
      } catch (error) {
        caught = { error };
      }
      expect(runs).toBe(1);
      expect(Object.is(caught?.error, value)).toBe(true);
      expect(caught).toBeDefined();
      expectFailure(call, value);
    }
  });

  it('lets the very value through that was rejected and ends the call with it', async () => {
    for (const value of createOddValues()) {
      const call = new RecordedCall();
      let caught: { error: unknown } | undefined;
      try {
        await runTracked(() => Promise.reject(value), call);
      } catch (error) {
        caught = { error };
      }
      expect(caught).toBeDefined();
      expect(Object.is(caught?.error, value)).toBe(true);
      expectFailure(call, value);
    }
  });
});

/** Compared by identity only: a hostile proxy cannot be printed. */
function expectFailure(call: RecordedCall, value: unknown): void {
  expect(call.ends.length).toBe(1);
  const [end] = call.ends;
  expect(end !== 'success' && end !== undefined && Object.is(end.error, value)).toBe(true);
}
