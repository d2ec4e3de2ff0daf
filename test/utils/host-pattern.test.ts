import { describe, expect, it } from 'vitest';
import { matchesHost, parseHostPattern } from '../../src/utils/host-pattern.ts';
import { redactUrl } from '../../src/utils/redact-url.ts';
import { hostileValues } from '../support/hostile-values.ts';

describe('matchesHost', () => {
  it.each([
    ['api.example.com', ['http://api.example.com', 'https://API.example.com.:8443/x', 'grpc://Api.example.com:1/x']],
    ['API.Example.com.', ['http://api.example.com']],
    ['api.example.com:8080', ['http://api.example.com:8080/', 'grpc://api.example.com:8080/']],
    ['api.example.com:443', ['https://api.example.com/']],
    ['https://api.example.com', ['https://api.example.com/x', 'https://api.example.com:443']],
    ['http://api.example.com:8080/', ['http://api.example.com:8080']],
    ['*.example.com', ['http://a.example.com', 'http://a.b.example.com:1']],
    ['*', ['http://anything', 'https://[::1]:4']],
    ['[::1]', ['http://[::1]:80', 'http://[0:0:0:0:0:0:0:1]']],
    ['127.0.0.1', ['http://127.0.0.1:5', 'http://2130706433']],
    ['bücher.example', ['http://xn--bcher-kva.example']],
  ])('%s matches %j', (pattern, urls) => {
    const parsed = parseHostPattern(pattern);
    expect(urls.filter((url) => parsed === undefined || !matchesHost(parsed, new URL(url)))).toEqual([]);
  });

  it.each([
    [
      'api.example.com',
      ['http://api.example.com.evil.test', 'http://xapi.example.com', 'http://evil.test/api.example.com'],
    ],
    ['api.example.com', ['http://api.example.com@evil.test/', 'http://evil.test?h=api.example.com']],
    ['api.example.com:8080', ['http://api.example.com', 'http://api.example.com:808', 'http://api.example.com:18080']],
    ['https://api.example.com', ['http://api.example.com', 'https://api.example.com:8443']],
    ['*.example.com', ['http://example.com', 'http://evilexample.com']],
  ])('%s does not match %j', (pattern, urls) => {
    const parsed = parseHostPattern(pattern);
    if (parsed === undefined) throw new Error('it is one');
    expect(urls.filter((url) => matchesHost(parsed, new URL(url)))).toEqual([]);
  });
});

describe('parseHostPattern', () => {
  it.each([
    '',
    'a b',
    'http://',
    'https://h/path',
    'h:99999',
    'h:port',
    'a*',
    '**',
    'u@h',
    '[zz]',
    '*.',
    'x'.repeat(300),
  ])('refuses %j', (text) => {
    expect(parseHostPattern(text)).toBeUndefined();
  });

  it('never throws', () => {
    for (const { value } of hostileValues()) parseHostPattern(value);
  });
});

describe('redactUrl', () => {
  it.each([
    ['https://u:p@h.example:8443/a?token=x&b=1#frag', 'https://REDACTED:REDACTED@h.example:8443/a?token=REDACTED&b=1'],
    ['http://u@h.example/', 'http://REDACTED@h.example/'],
    ['http://h.example', 'http://h.example/'],
  ])('hides what is secret in %s', (url, expected) => {
    expect(redactUrl(new URL(url))).toBe(expected);
  });
});
