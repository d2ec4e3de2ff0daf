import type { HrTime, SpanStatus } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AttributeMap } from '../../src/processing/attribute-map.ts';
import type { AttributeList, AttributeValue, EndedSpan } from '../../src/processing/ended-span.ts';
import { ProtoWriter } from '../../src/processing/proto-writer.ts';
import { viewRedacted } from '../../src/processing/redacted-view.ts';
import { createRedactor, type RedactFunction, type RedactOptions } from '../../src/processing/redaction.ts';
import { encodeSpan } from '../../src/processing/span-encoder.ts';
import { Guard, type ResilienceLevel } from '../../src/utils/guard.ts';
import { FakeClock } from '../support/fake-clock.ts';

type Attributes = Record<string, unknown>;

interface SpanParts {
  readonly name?: string;
  readonly status?: SpanStatus;
  readonly attributes?: Attributes;
  readonly events?: readonly { readonly name: string; readonly attributes?: Attributes }[];
  readonly links?: readonly Attributes[];
}

const TIME: HrTime = [1, 2];
const CONTEXT = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: 1 };
const JWT = ['eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9', 'eyJzdWIiOiIxMjM0NTY3ODkwIn0', 'c2lnbmF0dXJlLW9mLWl0'].join('.');
// Put together, so that nobody's scanner takes them for real ones.
const AWS_KEY = `AKIA${'IOSFODNN7EXAMPLE'}`;
const GITHUB = `ghp_${'a1B2'.repeat(9)}`;
const CARD = '4111111111111111';

function list(attributes: Attributes = {}): AttributeMap {
  const map = new AttributeMap();
  map.setAll(attributes, 128, 2_000_000, (error) => {
    throw error;
  });
  return map;
}

function spanWith({ name = 'GET /', status = { code: 0 }, attributes, events = [], links = [] }: SpanParts): EndedSpan {
  return {
    name,
    kind: 2,
    context: CONTEXT,
    parentContext: { ...CONTEXT, spanId: '00f067aa0ba902b7' },
    startTime: TIME,
    endTime: [3, 4],
    status,
    attributeList: list(attributes),
    eventList: events.map((event) => {
      return { name: event.name, time: TIME, attributes: list(event.attributes), droppedAttributesCount: 1 };
    }),
    linkList: links.map((link) => ({ context: CONTEXT, attributes: list(link), droppedAttributesCount: 2 })),
    droppedAttributesCount: 5,
    droppedEventsCount: 6,
    droppedLinksCount: 7,
  };
}

function redactorWith(options: RedactOptions = {}, level: ResilienceLevel = 'balanced') {
  const clock = new FakeClock();
  const guard = new Guard({ clock, level });
  const redact = createRedactor(options, guard.hook('processor', 'redact'), clock);
  const attributes = (given: Attributes): Attributes => toObject(redact(spanWith({ attributes: given })).attributeList);
  return { redact, guard, clock, attributes, text: (text: string) => attributes({ text })['text'] };
}

function toObject({ keys, values }: AttributeList): Attributes {
  return Object.fromEntries(keys.map((key, index) => [key, values[index]]));
}

function encoded(span: EndedSpan): string {
  const writer = new ProtoWriter();
  encodeSpan(writer, span);
  return Buffer.from(writer.toBytes()).toString('latin1');
}

describe('a key that names a secret', () => {
  it.each([
    'password',
    'PASSWORD',
    'user.password',
    'dbPassword',
    'userpasswd',
    'pwd',
    'db_pwd',
    'pass_phrase',
    'passphrase',
    'secret',
    'client_secret',
    'clientSecret',
    'app.secrets',
    'AWS_SECRET_ACCESS_KEY',
    'aws.access_key_id',
    'token',
    'Token',
    'accessToken',
    'access_token',
    'refresh-token',
    'id_token',
    'x-csrf-token',
    'authtokens.token',
    'auth_tokens',
    'api_key',
    'apiKey',
    'APIKey',
    'apikey',
    'X-Api-Key',
    'http.request.header.x-api-key',
    'openai.api_keys',
    'authorization',
    'http.request.header.authorization',
    'headers.authorization.0',
    'Proxy-Authorization',
    'authorization_code',
    'x-auth',
    'cookie',
    'http.response.header.set-cookie',
    'cookies',
    'credentials',
    'gcp.credential',
    'private_key',
    'privateKey',
    'ssh_key',
    'signing.key',
    'session_key',
    'sessionKey',
    'encryption_key',
    'PHPSESSID',
    'JSESSIONID',
    'jwt',
    'card.cvv',
    'ｐａｓｓｗｏｒｄ',
  ])('hides its value: %s', (key) => {
    expect(redactorWith().attributes({ [key]: 'hunter2', other: 'shown' })).toEqual({
      [key]: '[REDACTED]',
      other: 'shown',
    });
  });

  it.each([
    'gen_ai.usage.input_tokens',
    'gen_ai.usage.output_tokens',
    'gen_ai.request.max_tokens',
    'gen_ai.token.type',
    'llm.token_count.prompt',
    'llm.usage.total_tokens',
    'max_tokens',
    'maxTokens',
    'total_token',
    'completion_tokens_details.reasoning_tokens',
    'time_per_output_token',
    'time_to_first_token',
    'cost_per_token',
    'token_usage',
    'token.limit',
    'token_ids',
    'eos_token_id',
    'nextToken',
    'valid_tokens',
    'tokenizer',
    'tokenization.model',
    'secretary',
    'aws.secretsmanager.secret.arn',
    'k8s.secret.name',
    'password.length',
    'api_key_name',
    'compass_code',
    'author',
    'authenticated',
    'authorization.result',
    'session.id',
    'enduser.id',
    'primary_key',
    'public_key',
    'cache.key',
    'keyboard',
    'monkey',
    'http.request.method',
    'url.full',
    'exception.message',
  ])('is not %s', (key) => {
    const span = spanWith({ attributes: { [key]: 'value', n: 5 } });
    expect(redactorWith().redact(span)).toBe(span);
  });

  it('hides whatever the value is', () => {
    const given = { 'a.secret': { deep: ['x'] }, 'b.secret': 5, 'c.secret': true, 'd.secret': new Uint8Array(4) };
    expect(new Set(Object.values(redactorWith().attributes(given)))).toEqual(new Set(['[REDACTED]']));
  });

  it('hides it inside values, at any depth, with everything beside it left', () => {
    const given = { user: { name: 'ann', password: 'hunter2', list: [{ apiKey: 'k1', n: 1 }, 'x', null], ok: true } };
    expect(redactorWith().attributes(given)).toEqual({
      user: { name: 'ann', password: '[REDACTED]', list: [{ apiKey: '[REDACTED]', n: 1 }, 'x', null], ok: true },
    });
  });

  it('may be spelled like a property of objects', () => {
    const nested = JSON.parse('{"__proto__":{"password":"hunter2"},"constructor":"shown"}') as object;
    const shown = redactorWith().attributes({ nested })['nested'] as object;
    expect(JSON.stringify(shown)).toBe('{"__proto__":{"password":"[REDACTED]"},"constructor":"shown"}');
  });
});

describe('a text that holds a secret', () => {
  it.each([
    ['a JSON Web Token', `got ${JWT}, sorry`, 'got [REDACTED], sorry'],
    ['a JSON Web Token without its end', `got ${JWT.slice(0, 50)}`, 'got [REDACTED]'],
    ['an encoded JSON Web Token', `auth%20${JWT}`, 'auth%20[REDACTED]'],
    ['a bearer token', 'Authorization: Bearer abc123.def-456', 'Authorization: Bearer [REDACTED]'],
    ['basic credentials', 'basic dXNlcjpwYXNz!', 'basic [REDACTED]!'],
    ['an AWS key', `id=${AWS_KEY};`, 'id=[REDACTED];'],
    ['an AWS session key', `ASIA${'IOSFODNN7EXAMPLE'}`, '[REDACTED]'],
    ['a GitHub token', `clone with ${GITHUB} failed`, 'clone with [REDACTED] failed'],
    ['a fine-grained GitHub token', `github_pat_${'11AAAAAAA0'.repeat(8)}`, '[REDACTED]'],
    ['a GitLab token', `glpat-${'x1-'.repeat(8)}`, '[REDACTED]'],
    ['a Slack token', `xoxb-${'123456789012'}-${'abcDEF123'}`, '[REDACTED]'],
    ['a Stripe key', `key sk_live_${'4eC39HqLyjWD'}.`, 'key [REDACTED].'],
    ['a restricted Stripe key', `rk_test_${'4eC39HqLyjWD'}`, '[REDACTED]'],
    ['an OpenAI key', `Incorrect key: sk-${'T3stT3stT3stT3stT3st'}.`, 'Incorrect key: [REDACTED].'],
    ['an OpenAI project key', `sk-proj-${'a_b-C4'.repeat(8)}`, '[REDACTED]'],
    ['an Anthropic key', `sk-ant-api03-${'a_b-C4'.repeat(8)}`, '[REDACTED]'],
    ['a Google key', `AIza${'SyA-1234567890abcdefghijklmnopqrstu'}`, '[REDACTED]'],
    ['a Google access token', `ya29.${'a0AfB_by'.repeat(5)}`, '[REDACTED]'],
    ['an npm token', `npm_${'a1B2c3'.repeat(6)}`, '[REDACTED]'],
    ['a Hugging Face token', `hf_${'a1B2c3'.repeat(6)}`, '[REDACTED]'],
    ['a SendGrid key', `SG.${'a1B2c3D4'.repeat(3)}.${'e5F6g7H8'.repeat(5)}`, '[REDACTED]'],
    [
      'a token in an escaped text',
      String.raw`{\"log\":\"line\n${GITHUB}\"}`,
      String.raw`{\"log\":\"line\n[REDACTED]\"}`,
    ],
    ['a private key', '-----BEGIN PRIVATE KEY-----\nMIGH+/aQ\n-----END PRIVATE KEY-----\nend', '[REDACTED]\nend'],
    ['an RSA key in one line', String.raw`-----BEGIN RSA PRIVATE KEY-----\nMIGH`, '[REDACTED]'],
    ['a URL with a password', 'postgres://app:hunter2@db:5432/x', 'postgres://[REDACTED]@db:5432/x'],
    ['a URL with a token', `https://${GITHUB}@github.com/a/b.git`, 'https://[REDACTED]@github.com/a/b.git'],
    ['a URL with a raw password', 'redis://u:p/a?s#s@w@h:1/0', 'redis://[REDACTED]@h:1/0'],
    ['a URL without a user', 'redis://:hunter2@cache', 'redis://[REDACTED]@cache'],
    ['a query', '/cb?a=1&access_token=abc&b=2', '/cb?a=1&access_token=[REDACTED]&b=2'],
    [
      'a signed URL',
      '/blob?sv=1&sig=a%2Fb%3D&X-Amz-Signature=00ff',
      '/blob?sv=1&sig=[REDACTED]&X-Amz-Signature=[REDACTED]',
    ],
    ['a connection string', 'Server=db;Password=hunter2;Pool=1', 'Server=db;Password=[REDACTED];Pool=1'],
    ['a quoted password', 'login --password="hunter 2" now', 'login --password=[REDACTED]" now'],
    ['JSON', '{"user":"ann","password":"hun\\"ter2","n":1}', '{"user":"ann","password":"[REDACTED]","n":1}'],
    ['JSON with a number', '{"api_key": 12345}', '{"api_key":"[REDACTED]"}'],
    [
      'JSON in JSON',
      String.raw`{"b":"{\"token\":\"abc\",\"n\":1}"}`,
      String.raw`{"b":"{\"token\":\"[REDACTED]\",\"n\":1}"}`,
    ],
    ['a dictionary of Python', "{'clientSecret': 'abc', 'n': 1}", "{'clientSecret': '[REDACTED]', 'n': 1}"],
    ['a card', 'card 4111 1111 1111 1111 declined', 'card [REDACTED] declined'],
    ['a card among other digits', '1 4111-1111-1111-1111 12/29', '1 [REDACTED] 12/29'],
    ['two cards', `${CARD} 378282246310005`, '[REDACTED] [REDACTED]'],
    ['several secrets', `${GITHUB} and ${JWT} at https://u:p@h/`, '[REDACTED] and [REDACTED] at https://[REDACTED]@h/'],
  ])('loses it and nothing else: %s', (_, text, shown) => {
    expect(redactorWith().text(text)).toBe(shown);
  });

  it.each([
    'https://api.example.com:8443/v1/users/12345?page=2&limit=10',
    'https://medium.com/@user/a-story',
    'https://host:8080/@scope/pkg',
    'file:///srv/node_modules/@scope/pkg/index.js:12:5',
    'mail ann@example.com about it',
    'SELECT "token_count", \'x\' FROM usage WHERE id = $1',
    'Bearer token is missing',
    'bearer authentication failed: Basic understanding of basic auth required',
    'Bearer realm="api", error="invalid_token"',
    'password: must be at least 8 characters long',
    'secret == undefined',
    'max_tokens=100 total_tokens=200',
    '{"max_tokens": 100, "usage": {"input_tokens": 5}}',
    'checkout-service-7f9c6d5b8-x2x4z',
    'risk-assessment-2024-quarterly-report-1',
    'sk-fading-circle-container-element',
    '550e8400-e29b-41d4-a716-446655440000',
    '0af7651916cd43dd8448eb211c80319c',
    '1735689600000',
    '1735689600000000000',
    '4111111111111112',
    '0.4111111111111111',
    'order-41111111111111110',
    '-----BEGIN CERTIFICATE-----\nMIGH\n-----END CERTIFICATE-----',
    'GET /api/v1/users/:id',
    '日本語のテキスト、秘密ではない',
    '',
  ])('is not %j', (text) => {
    const span = spanWith({ attributes: { text } });
    expect(redactorWith().redact(span)).toBe(span);
  });

  it('is found wherever text of the span is', () => {
    const { redact } = redactorWith();
    const secret = `Bearer ${GITHUB}`;
    const shown = redact(
      spanWith({
        name: secret,
        status: { code: 2, message: `failed with ${secret}` },
        attributes: {
          plain: 'shown',
          list: ['a', secret],
          nested: { deep: [{ text: secret }] },
          bytes: Buffer.from(secret),
        },
        events: [
          {
            name: secret,
            attributes: { 'exception.message': secret, 'exception.stacktrace': `Error: ${secret}\n  at x` },
          },
          { name: 'untouched', attributes: { n: 1 } },
        ],
        links: [{ note: secret }, { note: 'shown' }],
      }),
    );
    expect(encoded(shown)).not.toContain(GITHUB);
    expect(shown.name).toBe('Bearer [REDACTED]');
    expect(shown.status).toEqual({ code: 2, message: 'failed with Bearer [REDACTED]' });
    expect(toObject(shown.attributeList)).toEqual({
      plain: 'shown',
      list: ['a', 'Bearer [REDACTED]'],
      nested: { deep: [{ text: 'Bearer [REDACTED]' }] },
      bytes: '[REDACTED]',
    });
    expect(shown.eventList.map(({ name, attributes }) => [name, toObject(attributes)])).toEqual([
      [
        'Bearer [REDACTED]',
        { 'exception.message': 'Bearer [REDACTED]', 'exception.stacktrace': 'Error: Bearer [REDACTED]\n  at x' },
      ],
      ['untouched', { n: 1 }],
    ]);
    expect(shown.linkList.map(({ attributes }) => toObject(attributes))).toEqual([
      { note: 'Bearer [REDACTED]' },
      { note: 'shown' },
    ]);
  });

  it('may be a number: a card, but no count and no time', () => {
    const given = {
      card: Number(CARD),
      millis: 1_735_689_600_000,
      nanos: 1_735_689_600_000_000_000,
      n: -1,
      ratio: 0.5,
    };
    expect(redactorWith().attributes(given)).toEqual({ ...given, card: '[REDACTED]' });
  });

  it('stays when `values` is false, but not under a key that hides it', () => {
    const span = spanWith({ name: JWT, attributes: { text: JWT, card: Number(CARD), bytes: Buffer.from(JWT) } });
    const { redact, attributes } = redactorWith({ values: false });
    expect(redact(span)).toBe(span);
    expect(attributes({ text: JWT, token: JWT })).toEqual({ text: JWT, token: '[REDACTED]' });
  });

  it('is replaced by the text of the options, taken literally', () => {
    const { attributes } = redactorWith({ replacement: "<$&$1$'>" });
    const given = {
      text: `a ${GITHUB} b`,
      url: 'https://u:p@h',
      form: 'token=abc',
      json: '{"pwd":"x"}',
      password: 'x',
    };
    expect(attributes(given)).toEqual({
      text: "a <$&$1$'> b",
      url: "https://<$&$1$'>@h",
      form: "token=<$&$1$'>",
      json: `{"pwd":"<$&$1$'>"}`,
      password: "<$&$1$'>",
    });
  });

  it('is hidden as a whole when it is too long to be searched', () => {
    expect(redactorWith().text('a'.repeat(1_048_576))).toHaveLength(1_048_576);
    expect(redactorWith().text('a'.repeat(1_048_577))).toBe('[REDACTED]');
  });

  it('is hidden with all that comes after what can be looked at of one span', () => {
    const { redact, attributes } = redactorWith();
    const big = 'a'.repeat(1_000_000);
    const shown = attributes({ a: big, b: big, c: big, d: big, e: big, f: 'x', g: ['x'], h: 1 });
    expect(Object.values(shown).map((value) => value === big)).toEqual([
      true,
      true,
      true,
      true,
      ...Array(4).fill(false),
    ]);
    expect([shown['e'], shown['f'], shown['g'], shown['h']]).toEqual(Array(4).fill('[REDACTED]'));
    const next = spanWith({ attributes: { a: 'x' } });
    expect(redact(next)).toBe(next);
  });
});

describe('the span', () => {
  it('stays as it is, and the view keeps what is not redacted', () => {
    const parts: SpanParts = {
      status: { code: 2, message: JWT },
      attributes: { password: 'x', nested: { list: [JWT], other: { n: 1 } }, plain: 'shown' },
      events: [{ name: JWT, attributes: { token: 'x' } }],
      links: [{ secret: 'x' }],
    };
    const span = spanWith(parts);
    const shown = redactorWith({ custom: (_key, value) => value }).redact(span);
    expect(span).toEqual(spanWith(parts));
    const { name, status, attributeList, eventList, linkList, ...rest } = span;
    expect(shown).toMatchObject(rest);
    expect([shown.name, shown.status.code]).toEqual([name, status.code]);
    expect([attributeList.keys, eventList.length, linkList.length]).toEqual([shown.attributeList.keys, 1, 1]);
    expect(shown.eventList[0]).toMatchObject({ time: TIME, droppedAttributesCount: 1 });
    expect(shown.linkList[0]).toMatchObject({ context: CONTEXT, droppedAttributesCount: 2 });
  });

  it('is answered itself, not a copy, when there is nothing to hide', () => {
    const span = spanWith({
      status: { code: 2, message: 'no' },
      attributes: { a: 'x', b: 1, c: Number.NaN, d: [1, Number.NaN], e: { f: null } },
      events: [{ name: 'e', attributes: { a: 'x' } }],
      links: [{ a: 'x' }],
    });
    expect(redactorWith().redact(span)).toBe(span);
    expect(redactorWith({ keys: ['ssn', /^x-/], custom: (_key, value) => value }).redact(spanWith({}))).toBeTruthy();
    const flat = spanWith({ attributes: { a: 'x', b: 1, c: Number.NaN } });
    expect(redactorWith({ keys: ['ssn', /^x-/], custom: (_key, value) => value }).redact(flat)).toBe(flat);
  });

  it('shows an exporter the same as the encoder', () => {
    const span = spanWith({
      attributes: { password: 'x', n: 1 },
      events: [{ name: JWT, attributes: { a: JWT } }],
      links: [{ a: JWT }],
    });
    const shown = redactorWith().redact(span);
    const scope = { name: 'lib' };
    const source = {
      parentSpanContext: CONTEXT,
      duration: TIME,
      ended: true,
      resource: {},
      instrumentationScope: scope,
    };
    const view = viewRedacted(source as unknown as ReadableSpan, shown);
    expect(view).toMatchObject({
      name: 'GET /',
      attributes: { password: '[REDACTED]', n: 1 },
      events: [{ name: '[REDACTED]', attributes: { a: '[REDACTED]' } }],
      links: [{ context: CONTEXT, attributes: { a: '[REDACTED]' } }],
      parentSpanContext: CONTEXT,
      instrumentationScope: scope,
      droppedEventsCount: 6,
    });
    expect(view.spanContext()).toBe(CONTEXT);
    expect(JSON.stringify(view)).not.toContain(JWT);
  });
});

describe('`keys`', () => {
  it.each<[string | RegExp, string[], string[]]>([
    ['ssn', ['ssn', 'SSN', 'user.ssn', 'userSsn', 'ssn_last4'], ['assn', 'classname', 'session.id']],
    [
      'user.email',
      ['user.email', 'userEmail', 'USER_EMAIL', 'app.user-email.0'],
      ['email', 'enduser.email', 'user.emails'],
    ],
    ['pin', ['pin', 'card.pin'], ['shipping', 'pinned']],
    ['$', ['$x'], ['x']],
    [/^x-/, ['x-a', 'X-B'], ['a-x-']],
    [/email/g, ['email', 'my_EMAIL'], ['mail']],
    [/^a.b$/iy, ['a.b', 'A-B'], ['xa.b']],
  ])('hide what %s finds, beside the names of secrets', (pattern, hidden, shown) => {
    const { attributes } = redactorWith({ keys: [pattern] });
    const given = Object.fromEntries([...hidden, ...shown, 'password'].map((key) => [key, 'value']));
    for (let round = 0; round < 3; round += 1) {
      const result = attributes(given);
      expect(Object.keys(result).filter((key) => result[key] === '[REDACTED]')).toEqual([...hidden, 'password']);
    }
  });

  it('apply inside of values and in events and links', () => {
    const { redact } = redactorWith({ keys: ['ssn'] });
    const shown = redact(
      spanWith({
        attributes: { u: [{ ssn: 1 }] },
        events: [{ name: 'e', attributes: { ssn: 1 } }],
        links: [{ ssn: 1 }],
      }),
    );
    expect(toObject(shown.attributeList)).toEqual({ u: [{ ssn: '[REDACTED]' }] });
    expect(toObject(shown.eventList[0]!.attributes)).toEqual({ ssn: '[REDACTED]' });
    expect(toObject(shown.linkList[0]!.attributes)).toEqual({ ssn: '[REDACTED]' });
  });

  it('are as they were when the redactor was made', () => {
    const keys = ['ssn'];
    const { attributes } = redactorWith({ keys });
    keys.length = 0;
    expect(attributes({ ssn: 1 })).toEqual({ ssn: '[REDACTED]' });
  });

  it('with an expression that throws hide every value that it has to judge, and say so', () => {
    const failing = Object.assign(/x/, {
      test(): boolean {
        throw new Error('broken');
      },
    });
    const { attributes, guard } = redactorWith({ keys: ['ssn', failing] });
    expect(attributes({ a: 'x', password: 'y', ssn: 1 })).toEqual({
      a: '[REDACTED]',
      password: '[REDACTED]',
      ssn: '[REDACTED]',
    });
    expect(guard.recent().map(({ message }) => message)).toEqual(['IsotraceError: redact.keys failed: Error']);
    for (let index = 0; index < 20; index += 1) attributes({ a: 'x' });
    expect(guard.switchedOff()).toEqual(['processor.redact']);
    expect(guard.counts()).toEqual({ processor: 10 });
    expect(attributes({ a: 'x' })).toEqual({ a: '[REDACTED]' });
  });

  it('with an expression that takes too long hide the value, once and for all', () => {
    const clock = new FakeClock();
    const guard = new Guard({ clock, level: 'balanced' });
    let calls = 0;
    const slow = Object.assign(/x/, {
      test(): boolean {
        calls += 1;
        clock.advance(1_001);
        return false;
      },
    });
    const redact = createRedactor({ keys: [slow] }, guard.hook('processor', 'redact'), clock);
    for (let round = 0; round < 3; round += 1) {
      expect(toObject(redact(spanWith({ attributes: { a: 'x' } })).attributeList)).toEqual({ a: '[REDACTED]' });
    }
    expect([calls, guard.counts()]).toEqual([1, { processor: 1 }]);
  });

  it('are judged right however many there are', () => {
    const { attributes } = redactorWith({ keys: [/^hide/] });
    for (let index = 0; index < 2_000; index += 1) {
      expect(attributes({ [`hide.${index}`]: 1, [`show.${index}`]: 1 })).toEqual({
        [`hide.${index}`]: '[REDACTED]',
        [`show.${index}`]: 1,
      });
    }
  });
});

describe('`custom`', () => {
  it('is asked for what no key hides and may change, keep or remove it', () => {
    const asked: unknown[] = [];
    const custom: RedactFunction = (key, value) => {
      asked.push([key, value]);
      if (key === 'email') return 'someone@…';
      return key === 'drop' ? undefined : value;
    };
    const { attributes } = redactorWith({ custom });
    const given = { email: 'ann@example.com', drop: 1, keep: [1], password: 'x' };
    expect(attributes(given)).toEqual({ email: 'someone@…', keep: [1], password: '[REDACTED]' });
    expect(attributes({ drop: 1 })).toEqual({});
    expect(asked.slice(0, 3)).toEqual([
      ['email', 'ann@example.com'],
      ['drop', 1],
      ['keep', [1]],
    ]);
  });

  it('is asked for the attributes of events and links, not for names and messages', () => {
    const { redact } = redactorWith({ custom: (key) => `custom ${key}` });
    const shown = redact(
      spanWith({
        name: 'n',
        status: { code: 2, message: 'm' },
        events: [{ name: 'e', attributes: { a: 1 } }],
        links: [{ b: 1 }],
      }),
    );
    expect([shown.name, shown.status.message, shown.eventList[0]?.name]).toEqual(['n', 'm', 'e']);
    expect(toObject(shown.eventList[0]!.attributes)).toEqual({ a: 'custom a' });
    expect(toObject(shown.linkList[0]!.attributes)).toEqual({ b: 'custom b' });
  });

  it('cannot bring a secret in: what it answers is searched', () => {
    const { attributes } = redactorWith({ custom: () => ({ text: `key ${GITHUB}`, password: 'x' }) });
    expect(attributes({ a: 1 })).toEqual({ a: { text: 'key [REDACTED]', password: '[REDACTED]' } });
  });

  it('cannot change the span that other destinations get', () => {
    const custom: RedactFunction = (_key, value) => {
      (value as { list: unknown[] }).list.push('written');
      return value;
    };
    const span = spanWith({ attributes: { a: { list: [1] } } });
    const shown = redactorWith({ custom }).redact(span);
    expect(toObject(span.attributeList)).toEqual({ a: { list: [1] } });
    expect(toObject(shown.attributeList)).toEqual({ a: { list: [1, 'written'] } });
  });

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error(`cannot hash ${JWT}`);
      },
    ],
    [
      'throws something that cannot be read',
      () => {
        throw new Proxy(new Error('x'), {
          get() {
            throw new Error(JWT);
          },
        });
      },
    ],
    [
      'calls itself without end',
      function endless(): unknown {
        return endless();
      },
    ],
    ['answers a promise', async () => 'late'],
    [
      'answers a promise that rejects',
      async () => {
        throw new Error(JWT);
      },
    ],
    ['answers a function', () => () => JWT],
    ['answers a symbol', () => Symbol(JWT)],
    [
      'answers what throws when it is read',
      () => ({
        get a() {
          throw new Error(JWT);
        },
      }),
    ],
  ])('that %s hides the whole value, and is reported without the value', (_, custom) => {
    const { attributes, guard } = redactorWith({ custom: custom as RedactFunction });
    expect(attributes({ a: { b: 'x' } })).toEqual({ a: '[REDACTED]' });
    expect(guard.counts()).toEqual({ processor: 1 });
    expect(guard.recent()[0]?.message).toMatch(/^IsotraceError: redact\.custom failed: /);
    expect(JSON.stringify(guard.recent())).not.toContain(JWT);
  });

  it('that takes longer than a second hides the value', () => {
    const clock = new FakeClock();
    const guard = new Guard({ clock, level: 'balanced' });
    const custom: RedactFunction = (key, value) => {
      clock.advance(key === 'slow' ? 1_001 : 1_000);
      return value;
    };
    const redact = createRedactor({ custom }, guard.hook('processor', 'redact'), clock);
    const shown = redact(spanWith({ attributes: { slow: 'x', fast: 'y' } }));
    expect(toObject(shown.attributeList)).toEqual({ slow: '[REDACTED]', fast: 'y' });
    expect(guard.recent().map(({ message }) => message)).toEqual([
      'IsotraceError: redact.custom took longer than 1000 ms',
    ]);
  });

  it('that ends spans itself is not led in a circle', () => {
    const inner: Attributes[] = [];
    let calls = 0;
    const { redact, attributes, guard } = redactorWith({
      custom: (_key, value) => {
        calls += 1;
        inner.push(toObject(redact(spanWith({ attributes: { inner: 'x', n: 1 } })).attributeList));
        return value;
      },
    });
    expect(attributes({ a: 'x', b: JWT })).toEqual({ a: 'x', b: '[REDACTED]' });
    expect(calls).toBe(2);
    expect(inner).toEqual([1, 2].map(() => ({ inner: '[REDACTED]', n: '[REDACTED]' })));
    expect(guard.counts()).toEqual({ processor: 4 });
  });

  it('that was switched off has all hidden that it would have seen, and nothing else', () => {
    let calls = 0;
    const custom = (): never => {
      calls += 1;
      throw new Error('broken');
    };
    const { redact, attributes, guard } = redactorWith({ custom });
    for (let index = 0; index < 10; index += 1) attributes({ a: 1 });
    expect(guard.switchedOff()).toEqual(['processor.redact']);
    const shown = redact(
      spanWith({
        name: 'n',
        status: { code: 2, message: 'm' },
        attributes: { a: 'x', b: { c: 1 } },
        events: [{ name: 'e', attributes: { d: 1 } }],
        links: [{ f: 1 }],
      }),
    );
    expect(calls).toBe(10);
    expect([shown.name, shown.status.message]).toEqual(['n', 'm']);
    expect(toObject(shown.attributeList)).toEqual({ a: '[REDACTED]', b: '[REDACTED]' });
    expect(toObject(shown.eventList[0]!.attributes)).toEqual({ d: '[REDACTED]' });
    expect(toObject(shown.linkList[0]!.attributes)).toEqual({ f: '[REDACTED]' });
  });

  it('is asked again after 30 seconds when the tenant is resilient', () => {
    let broken = true;
    const custom: RedactFunction = (_key, value) => {
      if (broken) throw new Error('broken');
      return value;
    };
    const { attributes, clock } = redactorWith({ custom }, 'resilient');
    for (let index = 0; index < 10; index += 1) attributes({ a: 1 });
    broken = false;
    expect(attributes({ a: 1 })).toEqual({ a: '[REDACTED]' });
    clock.advance(30_000);
    expect(attributes({ a: 1 })).toEqual({ a: 1 });
  });
});

describe('for all inputs', () => {
  const FRAGMENTS = [
    'eyJ',
    'eyJ.',
    'eyJhbGciOiJIUzI1NiJ9',
    '-eyJ',
    '-eyJhbGciOiJIUzI1NiJ9',
    '-SG.a',
    '-ghp_',
    '.',
    'sk-',
    'sk-a',
    'xox',
    'xoxb-',
    'SG.',
    'ya29.',
    'AIza',
    'AKIA',
    'ghp_',
    'gh',
    '://',
    '://a:',
    'a:',
    '/',
    '@',
    '%20',
    '\\n',
    '\\',
    '"',
    "'",
    '\\"',
    'bearer ',
    'Basic ',
    'bearer',
    ' ',
    '   ',
    '\u00a0',
    'password',
    'password=',
    'password="',
    '"password":"',
    '"token": ',
    '\\"secret\\":\\"',
    'sig=',
    '=',
    ':',
    '-',
    '--',
    '-----BEGIN ',
    '-----BEGIN A PRIVATE KEY-----',
    'PRIVATE KEY',
    '-----END ',
    '1',
    '4',
    '4 ',
    '1-',
    '4111111111111111',
    '41111111',
    'a',
    'A0',
    '_',
    'é',
    '日',
    '\ud800',
  ];

  it('takes no more time than the length asks for', { timeout: 120_000 }, () => {
    // A megabyte: what takes time by the square of the length would not end within the limit.
    const { redact } = redactorWith();
    // Makes sure that each shape is looked for.
    const head = `@ = " ' bearer x basic x ${'a'.repeat(16)} ${'1'.repeat(13)} `;
    const check = (unit: string, tail: string): void => {
      const text = head + unit.repeat(Math.ceil(1_000_000 / unit.length)).slice(0, 1_000_000) + tail;
      expect(encoded(redact(spanWith({ attributes: { text } })))).not.toContain(GITHUB);
    };
    for (const fragment of FRAGMENTS) check(fragment, ` ${GITHUB}`);
    const units = fc.array(fc.constantFrom(...FRAGMENTS), { minLength: 2, maxLength: 4 });
    fc.assert(
      fc.property(units, (parts) => check(parts.join(''), ` ${GITHUB}`)),
      { numRuns: 60 },
    );
  });

  it('takes no more time than its length for a key', { timeout: 60_000 }, () => {
    const { attributes } = redactorWith({ keys: ['ssn', 'user.email'] });
    const fragments = [
      'a',
      'A',
      'aA',
      'secret',
      'pass ',
      'token',
      ' token',
      '.',
      'authorization value ',
      '0',
      'userEmai',
      'é',
    ];
    const units = fc.array(fc.constantFrom(...fragments), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(units, fc.nat(), (parts, salt) => {
        const key = `${parts.join('').repeat(1_000).slice(0, 1_000)}${salt}`;
        expect(attributes({ [key]: 'x', [`${key}.ssn`]: 'x' })[`${key}.ssn`]).toBe('[REDACTED]');
      }),
    );
  });

  it('finds a secret wherever it stands, and changes nothing at the second time', () => {
    const secret = fc.constantFrom(
      JWT,
      GITHUB,
      AWS_KEY,
      CARD,
      `sk-${'T3stT3stT3stT3stT3st'}`,
      `sk_live_${'4eC39HqLyjWD'}`,
    );
    const noise = fc.array(fc.constantFrom(' ', '\n', ',', '(', 'a b', 'x: ', '{"k":"', '"}', 'é ', '日 ', ';'), {
      maxLength: 6,
    });
    fc.assert(
      fc.property(noise, secret, noise, fc.integer({ min: 0, max: 4 }), (before, hidden, after, depth) => {
        const text = `${before.join('')} ${hidden} ${after.join('')}`;
        let value: unknown = text;
        for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? { level, value } : [level, value];
        const span = spanWith({
          name: text,
          status: { code: 2, message: text },
          attributes: { value },
          events: [{ name: text, attributes: { value } }],
        });
        const { redact } = redactorWith();
        const shown = redact(span);
        expect(encoded(span)).toContain(hidden);
        expect(encoded(shown)).not.toContain(hidden);
        expect(redact(shown)).toBe(shown);
      }),
    );
  });

  it('shows what has nothing to hide unchanged, whatever its structure', () => {
    const leaf = fc.oneof(
      fc.integer({ min: -1_000_000, max: 1_000_000 }),
      fc.boolean(),
      fc.constantFrom('a', 'GET /x', 'é'),
    );
    const { value } = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 5 },
        leaf,
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('value')),
      ),
    }));
    fc.assert(
      fc.property(value, (given) => {
        const span = spanWith({ attributes: { given } });
        expect(redactorWith().redact(span)).toBe(span);
        const copied = redactorWith({ custom: (_key, own) => own as AttributeValue }).redact(span);
        expect(toObject(copied.attributeList)).toEqual(toObject(span.attributeList));
      }),
    );
  });
});

describe('a text of JSON', () => {
  it('has keys like any other value, at every depth and in texts inside it', () => {
    const { text } = redactorWith({ keys: ['iban'] });
    const inner = JSON.stringify({ iban: 'DE02', kept: 1 });
    const given = JSON.stringify([{ user: { IBAN: 'DE01', list: [{ iban: 5 }] }, inner }]);
    expect(JSON.parse(text(given) as string)).toEqual([
      {
        user: { IBAN: '[REDACTED]', list: [{ iban: '[REDACTED]' }] },
        inner: '{"iban":"[REDACTED]","kept":1}',
      },
    ]);
  });

  it('stays the very same text when it hides nothing, and one that only begins like it is a text', () => {
    const { text } = redactorWith({ keys: ['iban'] });
    for (const given of ['{ "a": 1.0,  "b": 12345678901234567890 }', '[unclosed', '{iban', '[]']) {
      expect(text(given)).toBe(given);
    }
  });

  it('is hidden as a whole when it is nested too deeply to be followed', () => {
    const { text } = redactorWith();
    const given = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    expect(text(given)).toBe('[REDACTED]');
  });

  it('has its keys looked at also where shapes are not', () => {
    expect(redactorWith({ values: false }).text('{"password":"x","a":1}')).toBe('{"password":"[REDACTED]","a":1}');
  });
});
