import type { Attributes, Context, Span } from '@opentelemetry/api';
import { context as contextApi, SpanStatusCode } from '@opentelemetry/api';
import { redactUrl } from '../utils/redact-url.ts';
import type { CallFailure, CallScope } from './call-scope.ts';
import { errorMessage } from './exception.ts';

/** What is known of a call of `fetch` before it is made. */
export interface FetchRequest {
  /** One of the known methods or `_OTHER`. */
  readonly method: string;
  readonly originalMethod: string;
  readonly url: URL;
}

const METHODS: ReadonlySet<string> = new Set([
  ...['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'],
]);
/** Longer than any server takes. */
const MAX_URL_LENGTH = 65_536;
const MAX_METHOD_LENGTH = 64;
const MAX_TYPE_LENGTH = 128;

/** `undefined` for what is no HTTP request (`data:`, `blob:`), or none at all. May throw what the host's values throw. */
export function readFetchRequest(input: unknown, init: unknown): FetchRequest | undefined {
  const request = asRequest(input);
  const text: unknown = request?.url ?? (input instanceof URL ? input.href : input);
  if (typeof text !== 'string' || text.length > MAX_URL_LENGTH || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return undefined;
  const given: unknown = (init as RequestInit | null | undefined)?.method ?? request?.method ?? 'GET';
  const originalMethod = typeof given === 'string' ? given.slice(0, MAX_METHOD_LENGTH) : '';
  const upper = originalMethod.toUpperCase();
  return { method: METHODS.has(upper) ? upper : '_OTHER', originalMethod, url };
}

/** A `Request`, of whichever copy of undici. */
export function asRequest(input: unknown): Request | undefined {
  const isRequest = typeof input === 'object' && input !== null && typeof (input as Request).url === 'string';
  return isRequest ? (input as Request) : undefined;
}

/** The attributes of an HTTP client span when it starts, by OpenTelemetry's stable HTTP semantic conventions. */
export function fetchAttributes({ method, originalMethod, url }: FetchRequest): Attributes {
  return {
    'http.request.method': method,
    ...(method === '_OTHER' && originalMethod !== '' && { 'http.request.method_original': originalMethod }),
    'server.address': url.hostname.replace(/^\[(.*)\]$/, '$1'),
    'server.port': Number(url.port) || (url.protocol === 'https:' ? 443 : 80),
    'url.full': redactUrl(url),
    'url.scheme': url.protocol.slice(0, -1),
  };
}

/**
 * One call of `fetch` inside its CLIENT span, which ends when the response's headers are there: the body is the host's,
 * who may read it at any time or never.
 */
export class FetchCall implements CallScope {
  readonly #span: Span;
  readonly #context: Context;
  readonly #resends: () => number;

  /** @param resends called once, when the call is over: how many requests there were after the first */
  constructor(span: Span, context: Context, resends: () => number) {
    this.#span = span;
    this.#context = context;
    this.#resends = resends;
  }

  run<T>(fn: () => T): T {
    return contextApi.with(this.#context, fn);
  }

  end(failure?: CallFailure, response?: unknown): void {
    const span = this.#span;
    const resends = this.#resends();
    if (resends > 0) span.setAttribute('http.request.resend_count', resends);
    if (failure === undefined) this.#answered(response);
    else {
      span.setAttribute('error.type', typeOf(failure.error));
      span.recordException(failure.error as Error);
      span.setStatus({ code: SpanStatusCode.ERROR, message: errorMessage(failure.error) });
    }
    span.end();
  }

  /** For a client every 4xx and 5xx is an error (HTTP semantic conventions, status). */
  #answered(response: unknown): void {
    const status = statusOf(response);
    if (status === undefined) return;
    this.#span.setAttribute('http.response.status_code', status);
    if (status < 400) return;
    this.#span.setAttribute('error.type', String(status));
    this.#span.setStatus({ code: SpanStatusCode.ERROR });
  }
}

/** Of an opaque response there is none. Never throws. */
function statusOf(response: unknown): number | undefined {
  try {
    const status = (response as Response | undefined)?.status;
    return typeof status === 'number' && status >= 100 ? status : undefined;
  } catch {
    return undefined;
  }
}

/** `fetch` hides what happened to the connection in the cause of its `TypeError`. Never throws. */
function typeOf(error: unknown): string {
  try {
    const { cause, name } = error as { readonly cause?: { readonly code?: unknown }; readonly name?: unknown };
    const type = typeof cause?.code === 'string' ? cause.code : name;
    return typeof type === 'string' && type !== '' ? type.slice(0, MAX_TYPE_LENGTH) : '_OTHER';
  } catch {
    return '_OTHER';
  }
}
