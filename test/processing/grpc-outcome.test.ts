import { status } from '@grpc/grpc-js';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { GrpcResponse } from '../../src/infra/grpc-request.ts';
import { createGrpcTransport } from '../../src/infra/grpc-transport.ts';
import type { TransportFailure } from '../../src/infra/transport.ts';
import { classifyGrpc } from '../../src/processing/grpc-outcome.ts';
import { systemClock } from '../../src/utils/clock.ts';
import { type GrpcFault, type GrpcReceiver, startGrpcReceiver, TRACE_EXPORT } from '../support/grpc-receiver.ts';
import { bytesField, detail, numberField, retryInfo, rpcStatus } from '../support/rpc-status.ts';

const TOKEN = 'secret-token-0123456789';

function response(code: number, more: Partial<GrpcResponse> = {}): GrpcResponse {
  return { kind: 'status', code, message: '', details: undefined, body: new Uint8Array(0), ...more };
}

describe('the outcome of a status', () => {
  const rejected = { status: 'failure', reason: 'rejected' };
  const unauthorized = { status: 'failure', reason: 'unauthorized' };
  const unavailable = { status: 'retryable', reason: 'unavailable' };
  const timeout = { status: 'retryable', reason: 'timeout' };
  /** By code: without and with a `RetryInfo` (OTLP specification, "OTLP/gRPC Response", failures). */
  const table: readonly (readonly [code: number, name: string, without: object, withInfo: object])[] = [
    [1, 'CANCELLED', unavailable, unavailable],
    [2, 'UNKNOWN', rejected, rejected],
    [3, 'INVALID_ARGUMENT', rejected, rejected],
    [4, 'DEADLINE_EXCEEDED', timeout, timeout],
    [5, 'NOT_FOUND', rejected, rejected],
    [6, 'ALREADY_EXISTS', rejected, rejected],
    [7, 'PERMISSION_DENIED', unauthorized, unauthorized],
    [8, 'RESOURCE_EXHAUSTED', rejected, { status: 'retryable', reason: 'throttled' }],
    [9, 'FAILED_PRECONDITION', rejected, rejected],
    [10, 'ABORTED', unavailable, unavailable],
    [11, 'OUT_OF_RANGE', unavailable, unavailable],
    [12, 'UNIMPLEMENTED', rejected, rejected],
    [13, 'INTERNAL', rejected, rejected],
    [14, 'UNAVAILABLE', unavailable, unavailable],
    [15, 'DATA_LOSS', unavailable, unavailable],
    [16, 'UNAUTHENTICATED', unauthorized, unauthorized],
  ];

  it('is listed here for every code of gRPC', () => {
    const codes = Object.values(status).filter((code) => typeof code === 'number' && code !== 0);
    expect(table.map(([code]) => code)).toEqual(codes);
    expect(table.map(([code]) => status[code])).toEqual(table.map(([, name]) => name));
  });

  it.each(table)('%d (%s) is %j, with a RetryInfo %j', (code, name, without, withInfo) => {
    const message = `gRPC ${name} (${code})`;
    expect(classifyGrpc(response(code))).toEqual({ ...without, message });

    const details = rpcStatus(code, '', [retryInfo(30n)]);
    const delay = 'retryable' === (withInfo as { status: string }).status ? { retryAfterMillis: 30_000 } : {};
    expect(classifyGrpc(response(code, { details }))).toEqual({ ...withInfo, message, ...delay });
  });

  it.each([17, -1, 1.5, Number.NaN])('%d, which does not exist, is permanent', (code) => {
    expect(classifyGrpc(response(code))).toEqual({ ...rejected, message: `gRPC status (${code})` });
  });

  it('explains itself, and repeats no credentials that the receiver sends back, in at most 512 characters', () => {
    const text = `key ${TOKEN}\nand Bearer other-token ${'x'.repeat(5_000)}`;
    const outcome = classifyGrpc(response(16, { message: text }), { 'x-api-key': TOKEN });
    const { message } = outcome as { message: string };
    expect(message).toMatch(/^gRPC UNAUTHENTICATED \(16\): key \[redacted\] and Bearer \[redacted\]/);
    expect(message.length).toBeLessThanOrEqual(512);
  });
});

describe('the wait that a receiver asks for', () => {
  it.each<[string, Uint8Array, number | undefined]>([
    ['whole seconds', retryInfo(12n), 12_000],
    ['a part of a second', retryInfo(0n, 250_000_000n), 250],
    ['both', retryInfo(1n, 500_000_000n), 1_500],
    ['ten minutes', retryInfo(600n), 600_000],
    ['more than ten minutes', retryInfo(601n), 600_000],
    ['more than any number', retryInfo(2n ** 63n - 1n), 600_000],
    ['zero', retryInfo(0n), undefined],
    ['less than zero', retryInfo(-5n), undefined],
    ['nothing', retryInfo(), undefined],
  ])('as %s', (_, info, retryAfterMillis) => {
    const details = rpcStatus(8, 'slow down', [info]);
    expect(classifyGrpc(response(8, { details }))).toEqual({
      status: 'retryable',
      reason: 'throttled',
      message: 'gRPC RESOURCE_EXHAUSTED (8)',
      ...(retryAfterMillis === undefined ? {} : { retryAfterMillis }),
    });
  });

  it('is found among other details, the first one counts', () => {
    const other = detail('google.rpc.DebugInfo', numberField(1, 7n));
    const details = rpcStatus(14, '', [other, retryInfo(3n), retryInfo(9n), other]);
    expect(classifyGrpc(response(14, { details }))).toMatchObject({ retryAfterMillis: 3_000 });
  });

  it.each<[string, Uint8Array]>([
    ['no details', rpcStatus(8, '', [])],
    ['other details', rpcStatus(8, '', [detail('google.rpc.QuotaFailure', retryInfo(3n))])],
    ['a name that only looks alike', rpcStatus(8, '', [detail('evilgoogle.rpc.RetryInfo', Buffer.alloc(0))])],
    ['a detail that is no message', Buffer.concat([rpcStatus(8, '', []), numberField(3, 1n)])],
    ['bytes that end too soon', rpcStatus(8, '', [retryInfo(3n)]).subarray(0, -1)],
    ['a length beyond the end', Buffer.from([0x1a, 0xff, 0xff, 0xff, 0xff, 0x0f])],
    ['nothing at all', new Uint8Array(0)],
  ])('is not there in %s', (_, details) => {
    expect(classifyGrpc(response(8, { details }))).toMatchObject({ status: 'failure', reason: 'rejected' });
  });

  it('is bounded, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.boolean(), (bytes, framed) => {
        const details = framed ? rpcStatus(8, '', [detail('google.rpc.RetryInfo', bytes)]) : bytes;
        const { retryAfterMillis = 1 } = classifyGrpc(response(8, { details })) as { retryAfterMillis?: number };
        expect(retryAfterMillis > 0 && retryAfterMillis <= 600_000).toBe(true);
      }),
      { numRuns: 2_000 },
    );
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
    ['forbidden', { status: 'failure', reason: 'config' }],
  ])('for %s is %j', (reason, expected) => {
    const outcome = classifyGrpc({ kind: 'failed', reason, message: 'it broke' });
    expect(outcome).toEqual({ ...expected, message: 'it broke' });
  });
});

describe('OK', () => {
  const partial = (...fields: Buffer[]): Buffer => bytesField(1, Buffer.concat(fields));

  it.each<[string, Uint8Array, object]>([
    ['an empty body', new Uint8Array(0), { rejected: 0 }],
    ['a partial success', partial(numberField(1, 5n)), { rejected: 5 }],
    ['a warning', partial(bytesField(2, Buffer.from('beta'))), { rejected: 0, message: 'beta' }],
    ['rubbish', Buffer.from([0xff, 0xff]), { rejected: 0 }],
  ])('with %s is success', (_, body, expected) => {
    expect(classifyGrpc(response(0, { body }))).toEqual({ status: 'success', ...expected });
  });

  it('masks what the receiver repeats', () => {
    const body = partial(bytesField(2, Buffer.from(`old key ${TOKEN}`)));
    const outcome = classifyGrpc(response(0, { body }), { authorization: `Bearer ${TOKEN}` });
    expect(outcome).toMatchObject({ message: 'old key [redacted]' });
  });
});

describe('a real call', () => {
  let receiver: GrpcReceiver | undefined;

  afterEach(() => receiver?.close());

  it.each<[GrpcFault, object]>([
    [{ mode: 'ok' }, { status: 'success', rejected: 0 }],
    [
      { mode: 'partial-success', rejected: 300, message: 'too old' },
      { status: 'success', rejected: 300, message: 'too old' },
    ],
    [
      { mode: 'status', code: 8, message: 'quota', retryInfoSeconds: 12 },
      { reason: 'throttled', message: 'gRPC RESOURCE_EXHAUSTED (8): quota', retryAfterMillis: 12_000 },
    ],
    [
      { mode: 'status', code: 8, message: 'quota' },
      { status: 'failure', reason: 'rejected' },
    ],
    [
      { mode: 'status', code: 14 },
      { status: 'retryable', reason: 'unavailable' },
    ],
    [
      { mode: 'status', code: 16 },
      { status: 'failure', reason: 'unauthorized' },
    ],
    [{ mode: 'reset' }, { status: 'retryable', reason: 'reset' }],
    [{ mode: 'reset-after-header' }, { status: 'retryable', reason: 'reset' }],
    [{ mode: 'goaway' }, { status: 'success', rejected: 0 }],
    [{ mode: 'hang' }, { status: 'retryable', reason: 'timeout' }],
    [
      { mode: 'big-response', bytes: 5_000_000 },
      { status: 'failure', reason: 'rejected' },
    ],
  ])('with %j is %j', async (fault, expected) => {
    receiver = await startGrpcReceiver({ fault });
    const transport = createGrpcTransport({ clock: systemClock });
    const result = await transport.send({
      url: new URL(receiver.url),
      path: TRACE_EXPORT,
      headers: {},
      body: new Uint8Array(0),
      compression: 'none',
      timeoutMillis: fault.mode === 'hang' ? 1_000 : 20_000,
    });
    await transport.close();
    expect(classifyGrpc(result)).toMatchObject(expected);
  });
});
