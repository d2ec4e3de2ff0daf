import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { appendPath, describeEndpoint, isUrlPath, parseEndpoint, replacePath } from '../../src/utils/endpoint.ts';

const endpoint = (text: string) => parseEndpoint(text) as URL;

describe('parseEndpoint', () => {
  it.each(['http://localhost:4318', 'https://otlp.example.com/tenant/1/', 'http://[::1]:4318', 'https://h/?k=v'])(
    'accepts %s',
    (text) => {
      expect(parseEndpoint(text)?.href).toBe(new URL(text).href);
    },
  );

  it.each([
    'localhost:4318',
    'ftp://host',
    'file:///etc/passwd',
    'https://user@host',
    'https://:pw@host',
    'https:\\\\user:pw@host',
    '/v1/traces',
    '',
    'https://',
    'https://ho st',
    'https://host\n',
    `https://host/${'x'.repeat(2_048)}`,
    undefined,
    null,
    new URL('https://host'),
  ])('refuses %s', (value) => {
    expect(parseEndpoint(value)).toBeUndefined();
  });
});

describe('describeEndpoint', () => {
  it('shows the endpoint without credentials, query and fragment', () => {
    expect(describeEndpoint('https://user:a?b#c@host/path?key=CANARY#CANARY')).toBe('"https://[REDACTED]@host/path"');
    expect(describeEndpoint('ftp://host?CANARY')).toBe('"ftp://host"');
    expect(describeEndpoint({ href: 'CANARY' })).toBe('an object');
  });
});

describe('paths', () => {
  it.each([
    ['http://host:4318', 'http://host:4318/v1/traces'],
    ['http://host:4318/', 'http://host:4318/v1/traces'],
    ['http://host/otlp', 'http://host/otlp/v1/traces'],
    ['http://host/otlp//', 'http://host/otlp/v1/traces'],
    ['http://host/otlp?key=1#part', 'http://host/otlp/v1/traces?key=1'],
  ])('appends the signal to %s', (base, expected) => {
    expect(appendPath(endpoint(base), '/v1/traces').href).toBe(expected);
  });

  it.each([
    ['/custom', 'http://host/custom?key=1'],
    ['/custom?other=2', 'http://host/custom?other=2'],
    ['//evil.example/x', 'http://host//evil.example/x?key=1'],
    ['/\\evil.example', 'http://host//evil.example?key=1'],
  ])('replaces the path by %s', (path, expected) => {
    expect(isUrlPath(path)).toBe(true);
    expect(replacePath(endpoint('http://host/otlp?key=1'), path).href).toBe(expected);
  });

  it('never leaves the origin of the endpoint', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 20 }), (text) => {
        const path = `/${text}`;
        if (isUrlPath(path))
          expect(replacePath(endpoint('https://host:8443/a'), path).origin).toBe('https://host:8443');
      }),
      { numRuns: 500 },
    );
  });

  it.each(['', 'v1/traces', '/a b', '/a#b', '/a\r\nb', 1, undefined])('refuses the path %j', (path) => {
    expect(isUrlPath(path)).toBe(false);
  });
});
