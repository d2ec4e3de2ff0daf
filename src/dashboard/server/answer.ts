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
  response.end(body);
}

/** 64-bit integers and numbers that JSON does not have become texts, bytes base64. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner === 'bigint') return String(inner);
    if (typeof inner === 'number' && !Number.isFinite(inner)) return String(inner);
    return inner instanceof Uint8Array ? Buffer.from(inner).toString('base64') : inner;
  });
}
