import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';

/**
 * Every answer has these. Nothing but what this server sends itself may run on its pages, and no other site may show
 * or read them.
 */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
    // Where a browser knows trusted types no text becomes HTML, whoever tries.
    "require-trusted-types-for 'script'; trusted-types 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cache-control': 'no-store',
};

/** What a request cannot have, as a status and words for people. */
export interface Problem {
  readonly status: number;
  readonly message: string;
  readonly headers?: OutgoingHttpHeaders;
  /** The parameter that is wrong, and where in its value. */
  readonly parameter?: string;
  readonly position?: { readonly start: number; readonly end: number };
}

const MAX_LINGER_BYTES = 64 * 1_048_576;

export function sendJson(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers?: OutgoingHttpHeaders,
): void {
  send(response, status, 'application/json; charset=utf-8', Buffer.from(toJson(value)), headers);
}

export function sendProblem(response: ServerResponse, problem: Problem): void {
  const { status, message, headers, parameter, position } = problem;
  const error = { message, ...(parameter !== undefined && { parameter }), ...(position !== undefined && { position }) };
  sendJson(response, status, { error }, headers);
}

export function send(
  response: ServerResponse,
  status: number,
  contentType: string,
  body: Uint8Array,
  headers: OutgoingHttpHeaders = {},
): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, {
    ...SECURITY_HEADERS,
    'content-type': contentType,
    'content-length': body.length,
    ...headers,
  });
  if (headers['connection'] === 'close' && !response.req.complete) lingerAfter(response, body);
  else response.end(body);
}

/**
 * Answers at once, and ends the connection only when the rest of the request was read: a connection that is closed with
 * something unread is reset, and who still sends loses the answer (RFC 9112, 9.6). The server's time for a request
 * bounds how long that takes, `MAX_LINGER_BYTES` how much it may be.
 */
function lingerAfter(response: ServerResponse, body: Uint8Array): void {
  const { req } = response;
  let left = MAX_LINGER_BYTES;
  const end = (): void => void response.end();
  response.write(body);
  req.on('data', ({ length }: Buffer) => {
    left -= length;
    if (left < 0) end();
  });
  for (const event of ['end', 'error', 'close']) req.once(event, end);
  req.resume();
}

/** 64-bit integers and numbers that JSON does not have become texts, bytes base64. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner === 'bigint') return String(inner);
    if (typeof inner === 'number' && !Number.isFinite(inner)) return String(inner);
    return inner instanceof Uint8Array ? Buffer.from(inner).toString('base64') : inner;
  });
}
