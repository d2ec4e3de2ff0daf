import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { type CredentialOptions, CredentialSource, Credentials, IsotraceError } from '../../src/index.ts';
import { endSpans, receiverWith, registryWith } from '../delivery/delivery-kit.ts';

const SECRET = 'tfs_CANARY-9a1b2c3d4e5f';
const RULES = {
  keyIdPrefix: 'tfk_',
  keySecretPrefix: 'tfs_',
  headers: (keyId: string, keySecret: string) => ({ 'X-Key-Id': keyId, 'X-Key-Secret': keySecret }),
};
const good: CredentialOptions = { keyId: 'tfk_0123456789', keySecret: SECRET, rules: RULES };

describe('Credentials', () => {
  it('go into the headers that their rules make, by default one bearer token', () => {
    expect(Credentials.create({ keyId: 'id', keySecret: 'secret' }).headers()).toEqual({
      authorization: 'Bearer id:secret',
    });
    expect(Credentials.create(good).headers()).toEqual({ 'x-key-id': good.keyId, 'x-key-secret': SECRET });
  });

  it.each<[string, Partial<CredentialOptions>, string[]]>([
    ['no id', { keyId: undefined as never }, ['keyId']],
    ['an empty secret', { keySecret: '' }, ['keySecret']],
    ['a secret with a line break', { keySecret: 'tfs_a\r\nb' }, ['keySecret']],
    ['a secret beyond ASCII', { keySecret: 'tfs_ä' }, ['keySecret']],
    ['a secret that is too long', { keySecret: `tfs_${'x'.repeat(4_096)}` }, ['keySecret']],
    ['the wrong prefixes', { keyId: SECRET, keySecret: 'tfk_0123456789' }, ['keyId', 'keySecret']],
    ['rules that throw', { rules: { headers: () => raise(SECRET) } }, ['rules.headers']],
    ['headers that cannot be sent', { rules: { headers: () => ({ 'x-key': 'a\nb' }) } }, ['rules.headers.x-key']],
  ])('are refused with %s, each problem by name', (_case, change, options) => {
    const result = Credentials.parse({ ...good, ...change });
    if (result.ok) throw new Error('they were taken');
    expect(result.issues.map(({ option }) => option)).toEqual(options);
    expect(JSON.stringify(result.issues)).not.toContain('CANARY');
  });

  it('are refused, not thrown at, whatever is parsed', () => {
    const hostile = new Proxy({}, { get: () => raise('get'), getPrototypeOf: () => raise('prototype') });
    for (const value of [undefined, null, 5, 'text', [], () => 1, hostile]) {
      expect(Credentials.parse(value as never).ok).toBe(false);
    }
    for (const rules of [
      null,
      5,
      hostile,
      { keyIdPrefix: /t/ },
      { keySecretPrefix: 5n },
      { headers: 'x' },
      { other: 1 },
    ]) {
      const result = Credentials.parse({ ...good, rules: rules as never });
      expect(result.ok ? [] : result.issues.map(({ option }) => option.split('.')[0])).toEqual(['rules']);
    }
  });

  it('that are not acceptable make create throw all problems at once', () => {
    const create = () => Credentials.create({ keyId: '', keySecret: '' });
    expect(create).toThrow(IsotraceError);
    expect(create).toThrow(
      expect.objectContaining({ code: 'config_invalid', issues: [{}, {}].map(() => expect.anything()) }),
    );
  });

  it('show nothing of the secret, however they are printed', () => {
    const credentials = Credentials.create(good);
    const source = new CredentialSource(credentials);
    for (const value of [credentials, source, { nested: [credentials, source] }]) {
      const printed = [
        String(value),
        JSON.stringify(value),
        inspect(value, { depth: 9, showHidden: true }),
        inspect(value, { customInspect: false, depth: 9, showHidden: true, getters: true }),
        JSON.stringify(structuredCloneOf(value)),
      ].join('\n');
      expect(printed).not.toContain('CANARY');
    }
    expect(String(credentials)).toBe('Credentials(tfk_0123…, [REDACTED])');
  });

  it('cannot be changed, and what they hand out is a copy', () => {
    const credentials = Credentials.create(good);
    expect(() => Object.assign(credentials, { keyId: 'other' })).toThrow(TypeError);
    Object.assign(credentials.headers(), { 'x-key-secret': 'other' });
    expect(credentials.headers()['x-key-secret']).toBe(SECRET);
  });

  it('rotate into others under the same rules', () => {
    const credentials = Credentials.create(good);
    const next = credentials.rotated({ keySecret: 'tfs_next' });
    if (!next.ok) throw new Error('it was refused');
    expect(next.credentials.headers()).toEqual({ 'x-key-id': good.keyId, 'x-key-secret': 'tfs_next' });
    expect(next.credentials.equals(credentials)).toBe(false);
    expect(credentials.equals(Credentials.create(good))).toBe(true);
    expect(credentials.equals(undefined as never)).toBe(false);
    expect(credentials.rotated({ keySecret: 'next' }).ok).toBe(false);
  });
});

describe('a CredentialSource', () => {
  it('takes credentials and nothing else', () => {
    const source = new CredentialSource(Credentials.create(good));
    expect(source.replace({ keySecret: 'x' } as never)).toBe(false);
    expect(source.headers()).toMatchObject({ 'x-key-secret': SECRET });
    expect(source.replace(Credentials.create({ ...good, keySecret: 'tfs_2' }))).toBe(true);
    expect(source.headers()).toMatchObject({ 'x-key-secret': 'tfs_2' });
  });

  it('that was made with something else keeps spans until it is given credentials', async () => {
    const receiver = await receiverWith();
    const source = new CredentialSource(undefined as never);
    expect(source.current).toBeUndefined();
    const registry = registryWith({
      configure: () => ({
        destination: { endpoint: receiver.url, headers: source.headers },
        retry: { initialMillis: 10, maxMillis: 20 },
      }),
    });
    const tracer = registry.get('a');
    endSpans(tracer, 2);
    expect(await tracer.flush()).toMatchObject({ ok: false, pending: 2, dropped: {} });
    const message = 'IsotraceError: a CredentialSource has no credentials';
    expect(registry.health().recentErrors).toContainEqual(expect.objectContaining({ component: 'headers', message }));
    source.replace(Credentials.create({ keyId: 'a', keySecret: 'new' }));
    await receiver.waitForSpans(2);
    expect(receiver.requests.map(({ headers }) => headers['authorization'])).toEqual(['Bearer a:new']);
  });

  it('gives every attempt the credentials of the moment, each tenant its own', async () => {
    const receiver = await receiverWith();
    const sources = new Map(
      ['a', 'b'].map((id) => [id, new CredentialSource(Credentials.create({ keyId: id, keySecret: 'old' }))]),
    );
    // The key of one tenant is replaced while its first request is under way.
    receiver.setFault(({ headers }) => {
      if (headers['authorization'] !== 'Bearer a:old') return { mode: 'ok' };
      sources.get('a')?.replace(Credentials.create({ keyId: 'a', keySecret: 'new' }));
      return { mode: 'status', status: 401 };
    });
    const registry = registryWith({
      configure: (tenantId) => ({ destination: { endpoint: receiver.url, headers: sources.get(tenantId)?.headers } }),
    });
    const [a, b] = [registry.get('a'), registry.get('b')];
    endSpans(a, 3);
    endSpans(b, 3);
    await Promise.all([a.flush(), b.flush()]);
    await receiver.waitForSpans(6);
    const tokens = receiver.requests.map(({ headers }) => headers['authorization']);
    expect(tokens.filter((token) => token !== 'Bearer b:old')).toEqual(['Bearer a:old', 'Bearer a:new']);
    expect(tokens).toContain('Bearer b:old');
  });
});

function raise(message: string): never {
  throw new Error(message);
}

/** What a message to a worker would carry; private fields never go along. */
function structuredCloneOf(value: unknown): unknown {
  try {
    return structuredClone(value);
  } catch {
    return 'cannot be cloned';
  }
}
