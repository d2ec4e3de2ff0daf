import type { IncomingMessage, ServerResponse } from 'node:http';
import { MessageWriter } from '../otlp/message-writer.ts';
import type { Signal } from '../otlp/signal.ts';
import type { AppendRequest, AppendResult, TelemetryStore } from '../store/telemetry-store.ts';
import type { Access } from './access.ts';
import { send } from './answer.ts';
import { BodyBudget, readBody } from './read-body.ts';
import { createTenantChoice } from './tenant-choice.ts';

/** Paths of OTLP/HTTP (OTLP 1.x). */
export const OTLP_PATHS: ReadonlyMap<string, Signal> = new Map([
  ['/v1/traces', 'traces'],
  ['/v1/metrics', 'metrics'],
  ['/v1/logs', 'logs'],
]);

export interface OtlpReceiverOptions {
  readonly store: TelemetryStore;
  readonly tenantHeader: string | undefined;
  readonly maxBodyBytes: number;
  /** Called when something was stored. */
  readonly onStored: () => void;
}

const PROTOBUF = 'application/x-protobuf';
const JSON_TYPE = 'application/json';
/** Bodies that are being read, all together, in terms of the largest one. */
const BODIES_AT_A_TIME = 4;
const RETRY_AFTER_SECONDS = 1;

/** Codes of `google.rpc.Code`. */
const CODES: Readonly<Record<number, number>> = { 400: 3, 401: 16, 403: 7, 413: 8, 415: 3, 429: 8, 500: 13, 503: 14 };
const REJECTED_FIELDS: Readonly<Record<Signal, string>> = {
  traces: 'rejectedSpans',
  metrics: 'rejectedDataPoints',
  logs: 'rejectedLogRecords',
};

/** Takes OTLP over HTTP and answers as the specification says. */
export class OtlpReceiver {
  readonly #options: OtlpReceiverOptions;
  readonly #budget: BodyBudget;

  constructor(options: OtlpReceiverOptions) {
    this.#options = options;
    this.#budget = new BodyBudget(BODIES_AT_A_TIME * options.maxBodyBytes);
  }

  async handle(request: IncomingMessage, response: ServerResponse, signal: Signal, access: Access): Promise<void> {
    const { store, maxBodyBytes, onStored, tenantHeader } = this.#options;
    const type = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
    const format = type === PROTOBUF ? 'protobuf' : 'json';
    const fail = (status: number, message: string): void => sendStatus(response, format, status, message);
    // A page of another site could send any other type without asking first.
    if (type !== PROTOBUF && type !== JSON_TYPE) return fail(415, `send ${PROTOBUF} or ${JSON_TYPE}`);
    const encoding = (request.headers['content-encoding'] ?? 'identity').toLowerCase();
    if (encoding !== 'gzip' && encoding !== 'identity') return fail(415, 'send gzip or no content encoding');
    if (!access.canWrite) return fail(403, 'the token may only read');
    const body = await readBody(request, encoding === 'gzip', maxBodyBytes, this.#budget);
    switch (body.outcome) {
      case 'aborted':
        return;
      case 'malformed':
        return fail(400, 'the body is not what its content encoding says');
      case 'too-large':
        return fail(413, `a request has at most ${maxBodyBytes} bytes, before and after decompression`);
      case 'overloaded':
        return fail(429, 'too much is being received');
      case 'read':
    }
    const named = tenantHeader === undefined ? undefined : request.headers[tenantHeader];
    const tenantOf = createTenantChoice(typeof named === 'string' ? named : undefined, access);
    const result = await store.append({ signal, format, bytes: body.bytes, tenantOf });
    if (result.outcome === 'malformed') return fail(400, result.message);
    if (result.outcome === 'overloaded') return fail(503, result.message);
    if (result.accepted > 0) onStored();
    sendSuccess(response, format, signal, result);
  }
}

function sendSuccess(
  response: ServerResponse,
  format: AppendRequest['format'],
  signal: Signal,
  { rejected, message }: Extract<AppendResult, { readonly outcome: 'stored' }>,
): void {
  if (format === 'json') {
    const partialSuccess = { [REJECTED_FIELDS[signal]]: String(rejected), errorMessage: message };
    const body = rejected > 0 ? { partialSuccess } : {};
    send(response, 200, JSON_TYPE, Buffer.from(JSON.stringify(body)));
    return;
  }
  send(response, 200, PROTOBUF, encodeExportResponse({ rejected, message }));
}

/** An `Export…ServiceResponse`: all three have the same fields. */
export function encodeExportResponse({
  rejected,
  message,
}: Pick<Extract<AppendResult, { readonly outcome: 'stored' }>, 'rejected' | 'message'>): Uint8Array {
  const answer = new MessageWriter();
  if (rejected > 0) {
    const partial = new MessageWriter();
    partial.varint(1, BigInt(rejected));
    partial.bytes(2, Buffer.from(message));
    answer.message(1, partial);
  }
  return answer.toBytes();
}

/** A `google.rpc.Status` in the format of the request, as the specification demands. */
function sendStatus(response: ServerResponse, format: AppendRequest['format'], status: number, message: string): void {
  const headers = {
    ...((status === 429 || status === 503) && { 'retry-after': String(RETRY_AFTER_SECONDS) }),
    // The rest of the body is not waited for.
    ...(status !== 400 && { connection: 'close' }),
  };
  const code = CODES[status] ?? 2;
  if (format === 'json') {
    send(response, status, JSON_TYPE, Buffer.from(JSON.stringify({ code, message })), headers);
    return;
  }
  const answer = new MessageWriter();
  answer.varint(1, BigInt(code));
  answer.bytes(2, Buffer.from(message));
  send(response, status, PROTOBUF, answer.toBytes(), headers);
}
