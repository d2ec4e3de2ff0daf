import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { createHttpTransport } from '../../src/infra/http-transport.ts';
import type { TransportFailure, TransportResponse } from '../../src/infra/transport.ts';
import { classifyHttp } from '../../src/processing/outcome.ts';
import { parseRetryAfter } from '../../src/processing/retry-after.ts';
import { systemClock } from '../../src/utils/clock.ts';
import { type OtlpReceiver, type ReceiverFault, startReceiver } from '../support/otlp-receiver.ts';

const NOW = Date.UTC(2025, 0, 1, 12, 0, 0);
const PROTOBUF = { 'content-type': 'application/x-protobuf' };
const JSON_TYPE = { 'content-type': 'application/json; charset=utf-8' };
const TOKEN = 'secret-token-0123456789';

function response(status: number, body: string | Uint8Array = '', headers: Record<string, string> = PROTOBUF) {
  return { kind: 'response', status, headers, body: Buffer.from(body), truncated: false } satisfies TransportResponse;
}

describe('the outcome of a status', () => {
  const special: Record<number, object> = {
    401: { status: 'failure', reason: 'unauthorized' },
    403: { status: 'failure', reason: 'unauthorized' },
    407: { status: 'failure', reason: 'config' },
    413: { status: 'failure', reason: 'too_large' },
    429: { status: 'retryable', reason: 'throttled' },
    502: { status: 'retryable', reason: 'unavailable' },
    503: { status: 'retryable', reason: 'unavailable' },
    504: { status: 'retryable', reason: 'unavailable' },
  };

  it('is success for 2xx, a wrong configuration for 3xx and 407 and permanent for all others but 429, 502, 503, 504', () => {
    for (let status = 200; status < 600; status += 1) {
      const outcome = classifyHttp(response(status), NOW);
      if (status < 300) expect(outcome).toEqual({ status: 'success', rejected: 0 });
      else {
        const usual = { status: 'failure', reason: status < 400 ? 'config' : 'rejected' };
        expect(outcome).toEqual({ ...(special[status] ?? usual), message: `HTTP ${status}` });
      }
    }
  });

  it('carries the wait that the receiver asked for', () => {
    const headers = { 'retry-after': '30' };
    expect(classifyHttp(response(429, '', headers), NOW)).toMatchObject({ retryAfterMillis: 30_000 });
    expect(classifyHttp(response(503, '', headers), NOW)).toMatchObject({ retryAfterMillis: 30_000 });
    expect(classifyHttp(response(503, '', { 'retry-after': 'soon' }), NOW)).not.toHaveProperty('retryAfterMillis');
    expect(classifyHttp(response(400, '', headers), NOW)).not.toHaveProperty('retryAfterMillis');
  });

  it.each<[string, Uint8Array | string, Record<string, string>, string]>([
    ['protobuf', Buffer.from('\x08\x03\x12\x08bad data', 'latin1'), PROTOBUF, 'HTTP 400: bad data'],
    ['JSON', '{"code":3,"message":"bad data"}', JSON_TYPE, 'HTTP 400: bad data'],
    ['text', 'bad\r\n\u001b[31mdata', { 'content-type': 'text/plain' }, 'HTTP 400: bad [31mdata'],
    ['HTML', '<h1>bad data</h1>', { 'content-type': 'text/html' }, 'HTTP 400'],
    ['compressed bytes', 'bad data', { 'content-type': 'text/plain', 'content-encoding': 'gzip' }, 'HTTP 400'],
    ['broken JSON', '{', JSON_TYPE, 'HTTP 400'],
    ['broken protobuf', Buffer.from([0x12, 0xff]), PROTOBUF, 'HTTP 400'],
  ])('explains itself with an error in %s', (_, body, headers, message) => {
    expect(classifyHttp(response(400, body, headers), NOW)).toMatchObject({ message });
  });

  it('repeats no credentials that the receiver sends back, and at most 512 characters', () => {
    const text = `key ${TOKEN} and Bearer other-token at https://user:pass@host/ ${'x'.repeat(5_000)}`;
    const outcome = classifyHttp(response(401, text, { 'content-type': 'text/plain' }), NOW, { 'x-api-key': TOKEN });
    const { message } = outcome as { message: string };
    expect(message).toMatch(/^HTTP 401: key \[redacted\] and Bearer \[redacted\] at https:\/\/\[redacted\]@host\//);
    expect(message.length).toBeLessThanOrEqual(512);
  });
});

describe('the outcome without a status', () => {
  it.each<[TransportFailure, object]>([
    ['timeout', { status: 'retryable', reason: 'timeout' }],
    ['refused', { status: 'retryable', reason: 'refused' }],
    ['reset', { status: 'retryable', reason: 'reset' }],
    ['dns', { status: 'retryable', reason: 'dns' }],
    ['aborted', { status: 'retryable', reason: 'aborted' }],
    ['tls', { status: 'failure', reason: 'config' }],
    ['protocol', { status: 'failure', reason: 'config' }],
  ])('for %s is %j', (reason, expected) => {
    const outcome = classifyHttp({ kind: 'failed', reason, message: 'it broke' }, NOW);
    expect(outcome).toEqual({ ...expected, message: 'it broke' });
  });
});

describe('partial success', () => {
  it.each<[string, string | Uint8Array, Record<string, string>, object]>([
    ['nothing', '', PROTOBUF, { rejected: 0 }],
    ['a count', Buffer.from([0x0a, 2, 0x08, 5]), PROTOBUF, { rejected: 5 }],
    ['a count without a content type', Buffer.from([0x0a, 2, 0x08, 5]), {}, { rejected: 5 }],
    ['a long count', Buffer.from([0x0a, 4, 0x08, 0xe8, 0x87, 0x02]), PROTOBUF, { rejected: 33_768 }],
    [
      'a web page',
      '<title>Log in</title>',
      { 'content-type': 'text/html; charset=utf-8' },
      { rejected: 0, message: 'the answer is a web page, and not that of an OTLP receiver' },
    ],
    ['only a warning', Buffer.from('\x0a\x06\x12\x04beta', 'latin1'), PROTOBUF, { rejected: 0, message: 'beta' }],
    ['unknown fields', Buffer.from([0x50, 1, 0x0a, 4, 0x4d, 1, 2, 3]), PROTOBUF, { rejected: 0 }],
    [
      'all kinds of unknown fields',
      Buffer.from([0x5d, 1, 2, 3, 4, 0x61, 1, 2, 3, 4, 5, 6, 7, 8, 0x6a, 1, 9, 0x0a, 2, 0x08, 7]),
      PROTOBUF,
      { rejected: 7 },
    ],
    [
      'a negative count',
      Buffer.from([0x0a, 11, 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
      PROTOBUF,
      { rejected: 0 },
    ],
    [
      'a huge count',
      Buffer.from([0x0a, 10, 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
      PROTOBUF,
      { rejected: Number.MAX_SAFE_INTEGER },
    ],
    [
      'JSON with a string',
      '{"partialSuccess":{"rejectedSpans":"3","errorMessage":"no"}}',
      JSON_TYPE,
      { rejected: 3, message: 'no' },
    ],
    ['JSON with a number', '{"partialSuccess":{"rejectedDataPoints":4}}', JSON_TYPE, { rejected: 4 }],
    ['JSON of log records', '{"partialSuccess":{"rejectedLogRecords":"6"}}', JSON_TYPE, { rejected: 6 }],
    ['JSON without it', '{}', JSON_TYPE, { rejected: 0 }],
    ['JSON null', 'null', JSON_TYPE, { rejected: 0 }],
    ['JSON rubbish', '{"partialSuccess":{"rejectedSpans":"many","errorMessage":{}}}', JSON_TYPE, { rejected: 0 }],
    ['JSON fractions', '{"partialSuccess":{"rejectedSpans":1.5}}', JSON_TYPE, { rejected: 0 }],
    ['broken JSON', '{', JSON_TYPE, { rejected: 0 }],
    ['text', Buffer.from([0x0a, 2, 0x08, 5]), { 'content-type': 'text/plain' }, { rejected: 0 }],
    ['compressed bytes', Buffer.from([0x0a, 2, 0x08, 5]), { 'content-encoding': 'gzip' }, { rejected: 0 }],
  ])('with %s', (_, body, headers, expected) => {
    expect(classifyHttp(response(200, body, headers), NOW)).toEqual({ status: 'success', ...expected });
  });

  it('cuts and masks the warning', () => {
    const body = JSON.stringify({ partialSuccess: { errorMessage: `${TOKEN} ${'x '.repeat(1_000)}` } });
    const outcome = classifyHttp(response(200, body, JSON_TYPE), NOW, { authorization: `Bearer ${TOKEN}` });
    const { message } = outcome as { message: string };
    expect(message).toHaveLength(512);
    expect(message).toMatch(/^\[redacted\] x x/);
  });

  it('never turns a success into something else, whatever the bytes', () => {
    const types = fc.constantFrom(PROTOBUF, JSON_TYPE, {}, { 'content-type': 'text/plain' });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), types, fc.constantFrom(0x0a, undefined), (bytes, headers, tag) => {
        const body = tag === undefined ? bytes : Buffer.from([tag, bytes.length, ...bytes]);
        const outcome = classifyHttp(response(200, body, headers), NOW);
        expect(outcome.status).toBe('success');
        const { rejected } = outcome as { rejected: number };
        expect(Number.isSafeInteger(rejected) && rejected >= 0).toBe(true);
        expect(classifyHttp(response(400, body, headers), NOW).status).toBe('failure');
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('Retry-After', () => {
  it.each<[string | undefined, number | undefined]>([
    ['1', 1_000],
    ['007', 7_000],
    [' 30 ', 30_000],
    ['600', 600_000],
    ['601', 600_000],
    ['9'.repeat(400), 600_000],
    ['Wed, 01 Jan 2025 12:00:30 GMT', 30_000],
    ['Wednesday, 01-Jan-25 12:00:30 GMT', 30_000],
    ['Wed Jan  1 12:00:30 2025', 30_000],
    ['Fri, 01 Jan 2100 00:00:00 GMT', 600_000],
    ['Wed, 01 Jan 2025 12:00:60 GMT', 60_000],
    [undefined, undefined],
    ['', undefined],
    ['0', undefined],
    ['-5', undefined],
    ['+5', undefined],
    ['1.5', undefined],
    ['1e3', undefined],
    ['0x10', undefined],
    ['٣', undefined],
    ['30s', undefined],
    ['soon', undefined],
    ['2026', 600_000],
    ['2025-01-01T12:00:30Z', undefined],
    ['Wed, 01 Jan 2025 12:00:30', undefined],
    ['Wed, 01 Jan 2025 12:00:30 CET', undefined],
    ['Wed, 1 Jan 2025 12:00:30 GMT', undefined],
    ['Wed, 01 Foo 2025 12:00:30 GMT', undefined],
    ['Sun, 30 Feb 2025 12:00:30 GMT', undefined],
    ['Wed, 00 Jan 2025 12:00:30 GMT', undefined],
    ['Wed, 01 Jan 2025 24:00:30 GMT', undefined],
    ['Wed, 01 Jan 2025 12:60:30 GMT', undefined],
    ['Wed, 01 Jan 2025 12:00:00 GMT', undefined],
    ['Tue, 31 Dec 2024 12:00:30 GMT', undefined],
    ['Sunday, 06-Nov-94 08:49:37 GMT', undefined],
  ])('%s means %s ms', (value, millis) => {
    expect(parseRetryAfter(value, NOW)).toBe(millis);
  });

  it('understands every date that a server can format', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 600 }),
        fc.date({ min: new Date(0), noInvalidDate: true }),
        (wait, date) => {
          fc.pre(date.getUTCFullYear() < 9_999);
          const now = Math.floor(date.getTime() / 1_000) * 1_000;
          expect(parseRetryAfter(new Date(now + wait * 1_000).toUTCString(), now)).toBe(wait * 1_000);
        },
      ),
    );
  });

  it('is a bounded wait or nothing for any text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const millis = parseRetryAfter(text, NOW);
        expect(millis === undefined || (millis > 0 && millis <= 600_000)).toBe(true);
      }),
    );
  });
});

describe('a real exchange', () => {
  let receiver: OtlpReceiver | undefined;

  afterEach(() => receiver?.close());

  it.each<[ReceiverFault, object]>([
    [{ mode: 'ok' }, { status: 'success', rejected: 0 }],
    [
      { mode: 'partial-success', rejected: 300, message: 'too old' },
      { status: 'success', rejected: 300, message: 'too old' },
    ],
    [
      { mode: 'partial-success', rejected: 0, message: 'deprecated' },
      { rejected: 0, message: 'deprecated' },
    ],
    [{ mode: 'status', status: 429, headers: { 'retry-after': '12' } }, { retryAfterMillis: 12_000 }],
    [{ mode: 'status', status: 307, headers: { location: 'http://127.0.0.1:1/' } }, { reason: 'config' }],
    [{ mode: 'reset-after-status' }, { status: 'success', rejected: 0 }],
    [
      { mode: 'reset-after-status', status: 503, headers: { 'retry-after': '3' } },
      { status: 'retryable', reason: 'unavailable', retryAfterMillis: 3_000 },
    ],
    [{ mode: 'reset-before-status' }, { status: 'retryable', reason: 'reset' }],
    [{ mode: 'slow-body' }, { status: 'success', rejected: 0 }],
    [{ mode: 'hang' }, { status: 'retryable', reason: 'timeout' }],
    [{ mode: 'garbage' }, { status: 'failure', reason: 'config' }],
    [
      { mode: 'big-body', bytes: 5_000_000, status: 200 },
      { status: 'success', rejected: 0 },
    ],
  ])('with %j is %j', async (fault, expected) => {
    receiver = await startReceiver({ fault });
    const transport = createHttpTransport({ clock: systemClock });
    const result = await transport.send({
      url: new URL('/v1/metrics', receiver.url),
      headers: PROTOBUF,
      body: Buffer.from('x'),
      timeoutMillis: 1_000,
    });
    await transport.close();
    expect(classifyHttp(result, NOW)).toMatchObject(expected);
  });
});
