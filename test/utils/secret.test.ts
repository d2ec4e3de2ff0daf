import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeKind, maskKey, maskSecrets, Secret } from '../../src/utils/secret.ts';

const CANARY = '4f7c0a52-93f5-4c5e-a4a9-6d1d0c9e8b77';

describe('Secret', () => {
  it('gives its value only to whoever reveals it', () => {
    expect(new Secret(CANARY).reveal()).toBe(CANARY);
    expect(new Secret({ token: CANARY }).reveal()).toEqual({ token: CANARY });
  });

  it('shows nothing of its value in any print, log, serialisation or clone', () => {
    const owner = { nested: { secret: new Secret({ authorization: CANARY }) } };
    const { secret } = owner.nested;
    const prints = [
      String(secret),
      `${secret}`,
      JSON.stringify(owner),
      inspect(owner, { depth: Number.POSITIVE_INFINITY, showHidden: true, getters: true }),
      inspect(owner, { depth: Number.POSITIVE_INFINITY, showHidden: true, customInspect: false, showProxy: true }),
      inspect(structuredClone(owner), { depth: Number.POSITIVE_INFINITY, showHidden: true }),
      JSON.stringify(Object.getOwnPropertyDescriptors(secret)),
      String(new Error('failed', { cause: secret }).cause),
    ];
    for (const print of prints) expect(print).not.toContain(CANARY);
    expect(JSON.stringify(owner)).toBe('{"nested":{"secret":"[REDACTED]"}}');
    expect(inspect(owner)).toContain('[REDACTED]');
  });
});

describe('maskSecrets', () => {
  it.each([
    ['https://user:CANARY@host/path', '"https://[REDACTED]@host/path"'],
    ['https://user:CA/N?A#R@Y@host', '"https://[REDACTED]@host"'],
    ['user:CANARY@host', '"[REDACTED]@host"'],
    ['https://host/v1?api_key=CANARY', '"https://host/v1?[REDACTED]"'],
    ['Bearer CANARY', '"Bearer [REDACTED]"'],
    ['authorization: CANARY and more', '"authorization: [REDACTED]"'],
    ['{"api-key": "CANARY"}', '"{\\"api-key\\": [REDACTED]"'],
    ['x-token=CANARY', '"x-token=[REDACTED]"'],
    ['sk-CANARYCANARY', '"[REDACTED]"'],
    [`key ${CANARY} end`, '"key [REDACTED] end"'],
  ])('hides the credential in %s', (text, shown) => {
    expect(maskSecrets(text)).toBe(shown);
  });

  it.each([
    ['zstd', '"zstd"'],
    ['my-checkout-service', '"my-checkout-service"'],
    ['localhost:4318', '"localhost:4318"'],
    ['ftp://collector.example.com:4318/v1/traces', '"ftp://collector.example.com:4318/v1/traces"'],
    ['line\nbreak', '"line\\nbreak"'],
    [12.5, '12.5'],
    [Number.NaN, 'NaN'],
    [undefined, 'undefined'],
    [null, 'null'],
    [true, 'true'],
  ])('shows %s as it is', (value, shown) => {
    expect(maskSecrets(value)).toBe(shown);
  });

  it('names objects by their kind and never prints them', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(maskSecrets({ password: CANARY })).toBe('an object');
    expect(maskSecrets([CANARY, CANARY])).toBe('an array of 2');
    expect(maskSecrets(Promise.resolve(CANARY))).toBe('an object (Promise)');
    expect(maskSecrets({ [Symbol.toStringTag]: CANARY })).toBe('an object');
    expect(maskSecrets(() => CANARY)).toBe('a function');
    expect(maskSecrets(10n ** 1_000n)).toBe('a bigint');
    expect(maskSecrets(Symbol(CANARY))).toBe('a symbol');
    expect(maskSecrets(proxy)).toBe('an object that cannot be read');
  });

  it('cuts long texts and does not show very long ones', () => {
    expect(maskSecrets('word '.repeat(100))).toHaveLength(103);
    expect(maskSecrets('word '.repeat(200))).toBe('a string of 1000 characters');
  });

  it('never shows the password of a URL, whatever characters it has', () => {
    const word = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(word, (noise) => {
        expect(maskSecrets(`https://user:${noise}CANARY${noise}@host`)).not.toContain('CANARY');
      }),
    );
  });
});

describe('describeKind', () => {
  it('tells the kind and the size, not the content', () => {
    expect(describeKind(CANARY)).toBe('a string of 36 characters');
    expect(describeKind('')).toBe('an empty string');
    expect(describeKind(42)).toBe('a number');
    expect(describeKind(null)).toBe('null');
    expect(describeKind(undefined)).toBe('undefined');
  });
});

describe('maskKey', () => {
  it('keeps a usual name and cuts or masks any other', () => {
    expect(maskKey('maxQueueSzie')).toBe('maxQueueSzie');
    expect(maskKey('http.host-name')).toBe('http.host-name');
    expect(maskKey(`Bearer ${CANARY}`)).toBe('["Bearer [REDACTED]"]');
    expect(maskKey(CANARY)).toBe('["[REDACTED]"]');
    expect(maskKey('x '.repeat(500)).length).toBeLessThan(80);
  });
});
