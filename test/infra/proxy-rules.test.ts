import { describe, expect, it } from 'vitest';
import { readEnvironment } from '../../src/infra/environment.ts';
import { proxyFor } from '../../src/infra/proxy-rules.ts';
import { parseProxy } from '../../src/utils/proxy-url.ts';

const HTTPS = 'http://secure.proxy:3128';
const HTTP = 'http://plain.proxy:3128';
const GRPC = 'http://grpc.proxy:3128';
const BOTH = { HTTPS_PROXY: HTTPS, HTTP_PROXY: HTTP };

/** Which proxy the environment has for an endpoint. */
function proxyOf(env: Record<string, string>, endpoint: string, isGrpc = false): string | undefined {
  const { proxies } = readEnvironment(env).options;
  return proxies && proxyFor(new URL(endpoint), isGrpc, proxies)?.reveal().origin;
}

describe('the proxy for an endpoint', () => {
  it.each<[Record<string, string>, string, string | undefined]>([
    [BOTH, 'https://host/v1', HTTPS],
    [BOTH, 'http://host/v1', HTTP],
    [{ HTTPS_PROXY: HTTPS }, 'http://host', undefined],
    [{ HTTP_PROXY: HTTP }, 'https://host', undefined],
    [{ ...BOTH, https_proxy: 'http://lower:1' }, 'https://host', 'http://lower:1'],
    [{ ...BOTH, https_proxy: '' }, 'https://host', HTTPS],
    [{ HTTPS_PROXY: 'bare.proxy:3128' }, 'https://host', 'http://bare.proxy:3128'],
    [{ HTTPS_PROXY: 'https://tls.proxy' }, 'https://host', 'https://tls.proxy'],
    // httpoxy: in CGI a client sets it with the header "Proxy".
    [{ HTTP_PROXY: HTTP, REQUEST_METHOD: 'POST' }, 'http://host', undefined],
    [{ http_proxy: HTTP, REQUEST_METHOD: 'POST' }, 'http://host', HTTP],
    [BOTH, 'http://localhost:4318', undefined],
    [BOTH, 'http://127.9.9.9:4318', undefined],
    [BOTH, 'http://[::1]:4318', undefined],
    [{}, 'https://host', undefined],
  ])('%j, %s: %s', (env, endpoint, expected) => {
    expect(proxyOf(env, endpoint)).toBe(expected);
  });

  it('is another one for gRPC where there is one', () => {
    expect(proxyOf({ ...BOTH, grpc_proxy: GRPC }, 'https://host', true)).toBe(GRPC);
    expect(proxyOf({ ...BOTH, grpc_proxy: GRPC }, 'https://host')).toBe(HTTPS);
    expect(proxyOf(BOTH, 'https://host', true)).toBe(HTTPS);
  });

  it.each<[string, string, boolean]>([
    ['*', 'https://host', true],
    ['host', 'https://host', true],
    ['HOST', 'https://host', true],
    ['other, host', 'https://host', true],
    ['other host', 'https://host', true],
    ['example.com', 'https://otlp.example.com', true],
    ['.example.com', 'https://otlp.example.com', true],
    ['*.example.com', 'https://otlp.example.com', true],
    ['example.com', 'https://notexample.com', false],
    ['otlp.example.com', 'https://example.com', false],
    ['host:443', 'https://host', true],
    ['host:4318', 'https://host:4318', true],
    ['host:4318', 'https://host', false],
    ['10.1.2.3', 'https://10.1.2.3', true],
    ['1.2.3', 'https://10.1.2.3', false],
    ['10.0.0.0/8', 'https://10.1.2.3', true],
    ['10.0.0.0/16', 'https://10.1.2.3', false],
    ['fd00::/8', 'https://[fd12::1]', true],
    ['[fd12::1]:443', 'https://[fd12::1]', true],
    ['fd12::1', 'https://[fd12::1]', true],
    ['10.0.0.0/99', 'https://10.1.2.3', false],
    ['10.0.0.0/8', 'https://host', false],
    ['/,:,[,*.,.', 'https://host', false],
  ])('NO_PROXY=%s and %s: %s', (bypass, endpoint, bypassed) => {
    expect(proxyOf({ ...BOTH, NO_PROXY: bypass }, endpoint)).toBe(bypassed ? undefined : HTTPS);
    expect(proxyOf({ ...BOTH, NO_PROXY: 'none', no_proxy: bypass }, endpoint)).toBe(bypassed ? undefined : HTTPS);
  });

  it('is an issue when it cannot be used, which shows no password', () => {
    const { issues, options } = readEnvironment({ HTTPS_PROXY: 'socks5://me:hunter2@host:1080' });
    expect(issues).toMatchObject([{ option: 'HTTPS_PROXY' }]);
    expect(JSON.stringify(issues)).not.toContain('hunter2');
    expect(options.proxies).toBeUndefined();
  });
});

describe('parseProxy', () => {
  it.each([
    'http://p',
    'https://p:8443',
    'http://me:pass%40word@p:3128',
    'p:3128',
    'me:pw@p:3128',
    '10.0.0.1',
    'http://[::1]:80/',
  ])('takes %s', (text) => {
    expect(parseProxy(text)).toBeInstanceOf(URL);
  });

  it.each(['', 'socks5://p', 'http://', 'http://p/path', 'http://p?q=1', 'http://p p', 'http://p\n', 5, null, {}])(
    'refuses %j',
    (value) => {
      expect(parseProxy(value)).toBeUndefined();
    },
  );
});
