import type { IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import type { ReceiverFault } from './receiver-faults.ts';
import { bytesField, numberField } from './rpc-status.ts';

export type Later = (millis: number, callback: () => void) => void;

/** Answers a request over HTTP/1.1 as the fault says. `reset` cuts its connection. */
export function answerHttp(
  fault: ReceiverFault,
  message: IncomingMessage,
  response: ServerResponse,
  { later, reset }: { readonly later: Later; readonly reset: () => void },
): void {
  const { socket, headers } = message;
  const isJson = headers['content-type'] === 'application/json';
  const type = { 'content-type': isJson ? 'application/json' : 'application/x-protobuf' };
  const ok = (body: string | Uint8Array = isJson ? '{}' : '', more: Readonly<Record<string, string>> = {}): void => {
    response.writeHead(200, { ...type, ...more }).end(body);
  };
  switch (fault.mode) {
    case 'ok':
    case 'slow-read':
      ok();
      break;
    case 'delay':
      later(fault.millis, () => ok());
      break;
    case 'hang':
    case 'hang-before-body':
      break;
    case 'status':
      response.writeHead(fault.status, fault.headers ?? {}).end(fault.body ?? '');
      break;
    case 'throttle':
      response.writeHead(fault.status ?? 429, { 'retry-after': `${fault.retryAfter}` }).end();
      break;
    case 'redirect':
      response.writeHead(fault.status, { location: fault.location }).end();
      break;
    case 'partial-success':
      ok(partialSuccess(isJson, fault.rejected, fault.message ?? ''));
      break;
    case 'slow-body':
      response.writeHead(fault.status ?? 200, { ...type, 'content-length': '1000000' });
      trickle(response, fault.intervalMillis ?? 20, later);
      break;
    case 'reset-before-body':
    case 'reset-before-status':
    case 'stored-then-reset':
    case 'rst-stream':
      reset();
      break;
    case 'reset-after-status':
      response.writeHead(fault.status ?? 200, { ...fault.headers, 'content-length': '1000' }).flushHeaders();
      // The bytes must have left before the reset, which discards what is buffered.
      later(20, reset);
      break;
    case 'reset-mid-body':
      response.writeHead(fault.status ?? 200, { ...type, 'content-length': '1000' });
      response.write('0123456789', () => later(20, reset));
      break;
    case 'close-before-status':
      socket.end();
      break;
    case 'cut-body':
      response.writeHead(fault.status ?? 200, { ...type, 'content-length': '1000' });
      response.write('0123456789', () => socket.end());
      break;
    case 'big-body':
      response.writeHead(fault.status ?? 200, type).end(Buffer.alloc(fault.bytes));
      break;
    case 'gzip-bomb':
      ok(gzipBomb(fault.bytes), { 'content-encoding': 'gzip' });
      break;
    case 'malformed-body':
      ok(isJson ? '{"partialSuccess":' : Buffer.alloc(32, 0xff));
      break;
    case 'web-page':
      ok('<!doctype html><title>Welcome</title>', { 'content-type': 'text/html' });
      break;
    case 'garbage':
      socket.end('SSH-2.0-OpenSSH_9.9\r\n');
      break;
    case 'early-answer':
      response.writeHead(fault.status).end();
      break;
    case 'ok-then-close':
      response.once('finish', () => socket.end());
      ok();
      break;
    case 'goaway':
      ok(undefined, { connection: 'close' });
      break;
    case 'unasked-continue':
      response.writeContinue();
      ok();
      break;
    case 'informational':
      response.writeProcessing();
      response.writeEarlyHints({ link: '</>; rel=preload' });
      ok();
      break;
    case 'two-answers':
      response.once('finish', () => later(5, () => socket.write('HTTP/1.1 400 Bad\r\ncontent-length: 0\r\n\r\n')));
      ok();
      break;
    case 'grpc-status':
      throw new Error('HTTP has no status of gRPC');
  }
}

const bombs = new Map<number, Buffer>();

/** Made once: a large one takes seconds. */
export function gzipBomb(bytes: number): Buffer {
  const bomb = bombs.get(bytes) ?? gzipSync(Buffer.alloc(bytes));
  bombs.set(bytes, bomb);
  return bomb;
}

/** An `ExportTraceServiceResponse` with a partial success. */
export function partialSuccess(isJson: boolean, rejected: number, message: string): string | Buffer {
  if (isJson) return JSON.stringify({ partialSuccess: { rejectedSpans: `${rejected}`, errorMessage: message } });
  return bytesField(1, Buffer.concat([numberField(1, BigInt(rejected)), bytesField(2, Buffer.from(message))]));
}

function trickle(response: ServerResponse, intervalMillis: number, later: Later): void {
  if (response.destroyed) return;
  response.write('.');
  later(intervalMillis, () => trickle(response, intervalMillis, later));
}
