import { constants, type ServerHttp2Stream } from 'node:http2';
import { gunzipSync } from 'node:zlib';
import { gzipBomb, type Later, partialSuccess } from './http-answers.ts';
import type { ReceiverFault } from './receiver-faults.ts';
import { detail, retryInfo, rpcStatus } from './rpc-status.ts';

const RESOURCE_EXHAUSTED = 8;
const UNAVAILABLE = 14;
const GRPC = { ':status': 200, 'content-type': 'application/grpc+proto' } as const;

/** Answers a call over HTTP/2 as the fault says. `reset` cuts its connection, `close` ends it in good order. */
export function answerGrpc(
  fault: ReceiverFault,
  stream: ServerHttp2Stream,
  { later, reset, close }: { readonly later: Later; readonly reset: () => void; readonly close: () => void },
): void {
  if (stream.destroyed) return;
  const ok = (message: Uint8Array = Buffer.alloc(0)): void => finish(stream, frame(message));
  switch (fault.mode) {
    case 'ok':
    case 'slow-read':
      ok();
      break;
    case 'delay':
      later(fault.millis, () => {
        if (!stream.destroyed) ok();
      });
      break;
    case 'hang':
    case 'hang-before-body':
      break;
    case 'status':
      stream.respond({ ...fault.headers, ':status': fault.status });
      stream.end(fault.body ?? '');
      break;
    case 'grpc-status':
      refuse(stream, fault.code, fault.message ?? '', retryDetails(fault.retryInfoSeconds));
      break;
    case 'throttle':
      refuse(
        stream,
        fault.status === 503 ? UNAVAILABLE : RESOURCE_EXHAUSTED,
        'slow down',
        retryDetails(fault.retryAfter),
      );
      break;
    case 'redirect':
      stream.respond({ ':status': fault.status, location: fault.location }, { endStream: true });
      break;
    case 'partial-success':
      ok(Buffer.from(partialSuccess(false, fault.rejected, fault.message ?? '')));
      break;
    case 'slow-body':
      stream.respond(GRPC);
      stream.write(Buffer.from([0, 0, 0x0f, 0x42, 0x40]));
      trickle(stream, fault.intervalMillis ?? 20, later);
      break;
    case 'reset-before-body':
    case 'reset-before-status':
    case 'stored-then-reset':
      reset();
      break;
    case 'reset-after-status':
      stream.respond(GRPC);
      // The bytes must have left before the reset, which discards what is buffered.
      later(20, reset);
      break;
    case 'reset-mid-body':
      stream.respond(GRPC);
      stream.write(Buffer.from([0, 0, 0, 3, 0xe8, 1, 2, 3]), () => later(20, reset));
      break;
    case 'close-before-status':
      close();
      break;
    case 'cut-body':
      stream.respond(GRPC);
      stream.write(Buffer.from([0, 0, 0, 3, 0xe8, 1, 2, 3]), () => later(20, close));
      break;
    case 'big-body':
      ok(Buffer.alloc(fault.bytes));
      break;
    case 'gzip-bomb':
      finish(stream, frame(gzipBomb(fault.bytes), true), { 'grpc-encoding': 'gzip' });
      break;
    case 'malformed-body':
      stream.respond(GRPC);
      stream.end(Buffer.alloc(32, 0xff));
      break;
    case 'web-page':
      stream.respond({ ':status': 200, 'content-type': 'text/html' });
      stream.end('<!doctype html><title>Welcome</title>');
      break;
    case 'early-answer':
      stream.respond({ ':status': fault.status, 'content-type': 'application/grpc' }, { endStream: true });
      break;
    case 'ok-then-close':
      stream.once('close', () => later(0, close));
      ok();
      break;
    case 'goaway':
      if (fault.stays) stream.session?.goaway(constants.NGHTTP2_NO_ERROR, stream.id);
      else stream.session?.close();
      ok();
      break;
    case 'rst-stream':
      stream.close(fault.code ?? constants.NGHTTP2_REFUSED_STREAM);
      break;
    case 'garbage':
    case 'informational':
    case 'unasked-continue':
    case 'two-answers':
      throw new Error(`gRPC has no ${fault.mode}`);
  }
}

/** The message of a unary call, decompressed. */
export function readFrame(body: Buffer): Buffer {
  const message = body.subarray(5, 5 + body.readUInt32BE(1));
  return body[0] === 1 ? gunzipSync(message) : message;
}

function frame(message: Uint8Array, compressed = false): Buffer {
  const head = Buffer.alloc(5);
  head[0] = compressed ? 1 : 0;
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function finish(stream: ServerHttp2Stream, body: Buffer, headers: Readonly<Record<string, string>> = {}): void {
  stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.respond({ ...GRPC, ...headers }, { waitForTrailers: true });
  stream.end(body);
}

function refuse(stream: ServerHttp2Stream, code: number, message: string, details: readonly Uint8Array[]): void {
  const status = rpcStatus(code, message, details).toString('base64').replace(/=+$/, '');
  const more = details.length === 0 ? {} : { 'grpc-status-details-bin': status };
  stream.respond(
    { ...GRPC, 'grpc-status': `${code}`, 'grpc-message': encodeURIComponent(message), ...more },
    { endStream: true },
  );
}

function retryDetails(retryAfter: number | string | undefined): Uint8Array[] {
  if (retryAfter === undefined) return [];
  if (typeof retryAfter === 'string') return [detail('google.rpc.RetryInfo', Buffer.from(retryAfter))];
  return [retryInfo(BigInt(Math.trunc(retryAfter)))];
}

function trickle(stream: ServerHttp2Stream, intervalMillis: number, later: Later): void {
  if (stream.destroyed) return;
  stream.write('.');
  later(intervalMillis, () => trickle(stream, intervalMillis, later));
}
