import { describe, expect, it } from 'vitest';
import {
  type HttpFacts,
  parseRequestLine,
  requestAttributes,
  spanName,
} from '../../../src/integration/http-attributes.ts';
import { parseAuthority, readForwarded } from '../../../src/integration/http-authority.ts';
import { redactQuery } from '../../../src/utils/redact-url.ts';
import { hostileValues } from '../../support/hostile-values.ts';

const METHODS = new Set(['GET']);
const facts = (given: Partial<HttpFacts> = {}): HttpFacts => ({
  method: 'GET',
  target: '/',
  headers: {},
  authority: 'a.example',
  scheme: 'http',
  ...given,
});

describe('parseRequestLine', () => {
  it.each([
    ['/a/b?c=d#e', '/a/b', 'c=d'],
    ['/a#?b', '/a', undefined],
    ['http://user:pw@host:1/x?y', '/x', 'y'],
    ['https://host', '/', undefined],
    ['*', '*', undefined],
    ['', '/', undefined],
    ['/?', '/', ''],
    ['//double//slash', '//double//slash', undefined],
    [undefined, '/', undefined],
  ])('reads %s', (target, path, query) => {
    expect(parseRequestLine(facts({ target }), METHODS)).toEqual({ method: 'GET', path, query });
  });

  it.each([['get'], ['PROPFIND'], [''], [undefined], [7]])('calls the method %s _OTHER', (method) => {
    expect(parseRequestLine(facts({ method }), METHODS).method).toBe('_OTHER');
  });
});

describe('redactQuery', () => {
  it.each([
    ['q=1&sig=abc', 'q=1&sig=REDACTED'],
    ['Signature=a=b&SIG=x', 'Signature=REDACTED&SIG=x'],
    ['AWSAccessKeyId=AK&X-Goog-Signature=zz&X-Other=1', 'AWSAccessKeyId=REDACTED&X-Goog-Signature=REDACTED&X-Other=1'],
    [
      'access_token=t&api%5Fkey=k&client+secret=s&passwo%72d=p',
      'access_token=REDACTED&api%5Fkey=REDACTED&client+secret=REDACTED&passwo%72d=REDACTED',
    ],
    ['a=%ZZ&%ZZ=b&sig', 'a=%ZZ&%ZZ=b&sig'],
    ['', ''],
  ])('makes %s into %s', (query, redacted) => {
    expect(redactQuery(query)).toBe(redacted);
  });

  it('leaves out what comes after 128 parameters, where a secret could hide', () => {
    const query = `${'a=1&'.repeat(128)}token=hidden`;
    expect(redactQuery(query)).not.toContain('hidden');
  });
});

describe('parseAuthority', () => {
  it.each([
    ['example.com', 'example.com', undefined],
    ['example.com:8080', 'example.com', 8080],
    ['127.0.0.1:80', '127.0.0.1', 80],
    ['[::1]:443', '::1', 443],
    ['[2001:db8::1]', '2001:db8::1', undefined],
    ['a_b.example:', 'a_b.example', undefined],
  ])('reads %s', (value, address, port) => {
    expect(parseAuthority(value)).toEqual({ address, port });
  });

  it.each([
    [''],
    ['a b'],
    ['a:b'],
    ['a:99999'],
    ['::1'],
    ['[::1'],
    ['a/b'],
    ['"a"'],
    ['a@b'],
    ['x'.repeat(300)],
    [':80'],
    [undefined],
  ])('refuses %s', (value) => {
    expect(parseAuthority(value)).toBeUndefined();
  });
});

describe('readForwarded', () => {
  it.each<[Record<string, string | string[]>, object]>([
    [
      { forwarded: 'for=192.0.2.60;proto=HTTPS;host=a.example:8443' },
      { client: '192.0.2.60', scheme: 'https', host: { address: 'a.example', port: 8443 } },
    ],
    [{ forwarded: 'For="[2001:db8:cafe::17]:4711", for=10.0.0.1' }, { client: '2001:db8:cafe::17' }],
    [
      {
        'x-forwarded-for': ['203.0.113.7, 10.0.0.1', '10.0.0.2'],
        'x-forwarded-proto': 'https,http',
        'x-forwarded-host': 'b.example',
      },
      { client: '203.0.113.7', scheme: 'https', host: { address: 'b.example', port: undefined } },
    ],
    [{ 'x-forwarded-for': '2001:db8::5' }, { client: '2001:db8::5' }],
    [{ forwarded: 'for=unknown' }, { client: 'unknown' }],
    [{ 'x-forwarded-for': '<script>', 'x-forwarded-proto': 'ftp', 'x-forwarded-host': 'a b' }, {}],
    [{ 'x-forwarded-for': '1'.repeat(10_000) }, {}],
  ])('reads %o', (headers, expected) => {
    expect(readForwarded(headers)).toEqual({ client: undefined, host: undefined, scheme: undefined, ...expected });
  });
});

describe('requestAttributes', () => {
  it('takes whatever it is given without throwing', () => {
    for (const { value } of hostileValues()) {
      const given = {
        method: value,
        target: value,
        headers: value,
        authority: value,
        scheme: 'http',
        peerAddress: value,
        peerPort: value,
        protocolVersion: value,
      } as HttpFacts;
      const attributes = requestAttributes(given, parseRequestLine(given, METHODS), true);
      for (const [key, entry] of Object.entries(attributes))
        expect([key, typeof entry]).toEqual([key, expect.stringMatching(/^(string|number)$/)]);
    }
  });
});

describe('spanName', () => {
  it.each([
    ['GET', '/a/:b', 'GET /a/:b'],
    ['_OTHER', '/a', 'HTTP /a'],
    ['_OTHER', undefined, 'HTTP'],
  ])('of %s and %s is %s', (method, route, name) => {
    expect(spanName(method, route)).toBe(name);
  });
});
