import { validateHeaderName, validateHeaderValue } from 'node:http';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sanitizeHeaders } from '../../src/utils/headers.ts';

const CANARY = 'CANARY-secret';

describe('sanitizeHeaders', () => {
  it('copies good headers under lower-case names into a frozen object without a prototype', () => {
    const raw = { Authorization: 'Bearer x', 'x-latin': 'caf\xe9', empty: '', absent: undefined };
    const { headers, issues } = sanitizeHeaders(raw);
    expect(issues).toEqual([]);
    expect({ ...headers }).toEqual({ authorization: 'Bearer x', 'x-latin': 'caf\xe9', empty: '' });
    expect(Object.getPrototypeOf(headers)).toBeNull();
    expect(Object.isFrozen(headers)).toBe(true);
    raw.Authorization = 'changed';
    expect(headers['authorization']).toBe('Bearer x');
  });

  it.each([
    ['CR LF', `${CANARY}\r\nx: y`],
    ['LF', `${CANARY}\n`],
    ['NUL', `${CANARY}\0`],
    ['characters beyond latin1', `${CANARY}€`],
    ['9,000 characters', CANARY.padEnd(9_000, 'x')],
    ['a number', 42],
    ['null', null],
    ['an array', [CANARY]],
    ['a promise', Promise.resolve(CANARY)],
  ])('leaves out a value with or of %s and never shows it', (_, value) => {
    const { headers, issues } = sanitizeHeaders({ 'X-Key': value, ok: 'yes' }, 'destination.headers');
    expect({ ...headers }).toEqual({ ok: 'yes' });
    expect(issues.map(({ option }) => option)).toEqual(['destination.headers.x-key']);
    expect(inspect(issues)).not.toContain(CANARY);
  });

  it.each(['', ' ', 'a b', 'a:b', `authorization: ${CANARY}`, 'a\nb', 'ключ', 'x'.repeat(129)])(
    'leaves out the name %j and never shows it',
    (name) => {
      const { headers, issues } = sanitizeHeaders({ [name]: 'v', ok: 'yes' });
      expect({ ...headers }).toEqual({ ok: 'yes' });
      expect(issues).toEqual([
        expect.objectContaining({ option: 'headers', received: `a name of ${name.length} characters` }),
      ]);
    },
  );

  it.each(['Content-Length', 'transfer-encoding', 'Content-Type', 'content-encoding', 'connection', 'upgrade'])(
    'leaves %s to the transport',
    (name) => {
      const { headers, issues } = sanitizeHeaders({ [name]: '5' });
      expect(Object.keys(headers)).toEqual([]);
      expect(issues).toHaveLength(1);
    },
  );

  it('takes the last of two spellings of a name and says so', () => {
    const { headers, issues } = sanitizeHeaders({ 'X-Key': 'first', 'x-key': 'second' });
    expect({ ...headers }).toEqual({ 'x-key': 'second' });
    expect(issues).toHaveLength(1);
  });

  it('keeps a header called __proto__ a header', () => {
    const { headers } = sanitizeHeaders(JSON.parse('{"__proto__": "v"}'));
    expect(Object.entries(headers)).toEqual([['__proto__', 'v']]);
  });

  it('keeps 64 headers and says how many there were', () => {
    const raw = Object.fromEntries(Array.from({ length: 70 }, (_, index) => [`h${index}`, 'v']));
    const { headers, issues } = sanitizeHeaders(raw);
    expect(Object.keys(headers)).toHaveLength(64);
    expect(issues).toEqual([{ option: 'headers', accepted: 'up to 64 headers', received: '70 headers' }]);
  });

  it('accepts nothing but a plain object', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const values = [
      undefined,
      null,
      'a: b',
      5,
      ['a'],
      new Map([['a', 'b']]),
      new Headers({ a: 'b' }),
      () => ({}),
      proxy,
    ];
    for (const value of [...values, Promise.resolve({})]) {
      const { headers, issues } = sanitizeHeaders(value);
      expect(Object.keys(headers)).toEqual([]);
      expect(issues).toHaveLength(1);
    }
  });

  it('leaves out only the property that throws', () => {
    const raw = {
      get bad() {
        throw new Error(CANARY);
      },
      good: 'yes',
    };
    const { headers, issues } = sanitizeHeaders(raw);
    expect({ ...headers }).toEqual({ good: 'yes' });
    expect(issues).toHaveLength(1);
    expect(inspect(issues)).not.toContain(CANARY);
  });

  it('lets nothing through that Node refuses to send', () => {
    const text = fc.string({ unit: 'binary', maxLength: 12 });
    fc.assert(
      fc.property(fc.dictionary(text, text), (raw) => {
        for (const [name, value] of Object.entries(sanitizeHeaders(raw).headers)) {
          validateHeaderName(name);
          validateHeaderValue(name, value);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
