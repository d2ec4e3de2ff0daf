import { describe, expect, it } from 'vitest';
import { errorMessage, exceptionAttributes } from '../../src/processing/exception.ts';

const refuse = (): never => {
  throw new Error('refused');
};
const { proxy: revoked, revoke } = Proxy.revocable({}, {});
revoke();

class PaymentError extends Error {
  override readonly name = 'PaymentError';
}

describe('what is told of an exception', () => {
  it('is type, message and stack of an error', () => {
    const error = new PaymentError('no funds');
    expect(exceptionAttributes(error)).toEqual({
      'exception.type': 'PaymentError',
      'exception.message': 'no funds',
      'exception.stacktrace': error.stack,
    });
  });

  it.each<[string, unknown, Record<string, string> | undefined]>([
    ['the code before the name', { code: 'ENOENT', name: 'Error' }, { 'exception.type': 'ENOENT' }],
    ['the name when the code says nothing', { code: '', name: 'Error' }, { 'exception.type': 'Error' }],
    ['the name when the code is 0', { code: 0, name: 'Error' }, { 'exception.type': 'Error' }],
    ['a number as code', { code: 42 }, { 'exception.type': '42' }],
    ['a text', 'plain', { 'exception.message': 'plain' }],
    ['a number', 42, { 'exception.message': '42' }],
    ['a symbol', Symbol('s'), { 'exception.message': 'Symbol(s)' }],
    ['a monstrous bigint', 1n << 100_000_000n, { 'exception.message': '[BigInt]' }],
    [
      'an object without a prototype',
      Object.assign(Object.create(null), { message: 'm' }),
      { 'exception.message': 'm' },
    ],
    ['nothing of undefined', undefined, undefined],
    ['nothing of null', null, undefined],
    ['nothing of an empty text', '', undefined],
    ['nothing of an empty object', {}, undefined],
    ['nothing of a revoked proxy', revoked, undefined],
    [
      'what can be read',
      {
        get name() {
          return refuse();
        },
        message: 'm',
      },
      { 'exception.message': 'm' },
    ],
  ])('is %s', (_, exception, expected) => {
    expect(exceptionAttributes(exception)).toEqual(expected);
  });
});

describe('the message of an error', () => {
  it.each<[string, unknown, string]>([
    ['an error', new Error('m'), 'm'],
    ['a text', 'plain', 'plain'],
    ['undefined', undefined, ''],
    ['null', null, ''],
    ['a symbol', Symbol('s'), 'Symbol(s)'],
    ['an object without one', {}, ''],
    ['a message that is no text', { message: [] }, ''],
    ['a revoked proxy', revoked, ''],
    ['a function that refuses to be printed', Object.assign(() => 1, { toString: refuse }), ''],
  ])('of %s', (_, error, expected) => {
    expect(errorMessage(error)).toBe(expected);
  });
});
