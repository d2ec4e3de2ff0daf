import type { Dispatcher } from 'undici';
import type { Clock, Timer } from '../utils/clock.ts';
import { networkFailure, networkMessage } from './network-error.ts';
import type { Connection, OriginPool } from './origin-pool.ts';
import { proxyAuthorization } from './proxy-tunnel.ts';
import { scrubMessage } from './scrub-message.ts';
import type { TransportFailure, TransportRequest, TransportResult } from './transport.ts';

const RESPONSE_HEADERS = ['content-type', 'content-encoding', 'retry-after'] as const;
const CONNECTION_HEADERS = new Set([
  'accept-encoding',
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

export interface HttpExchangeSettings {
  readonly clock: Clock;
  readonly maxResponseBytes: number;
  /** Told when the exchange has settled. */
  readonly ended: (exchange: HttpExchange) => void;
}

const EMPTY = Buffer.alloc(0);

/**
 * One request and its response on one connection, with an absolute deadline. Settles exactly once; as soon
 * as there is a status line, every later fault yields that response, marked `truncated`.
 */
export class HttpExchange implements Dispatcher.DispatchHandler {
  readonly #pool: OriginPool;
  readonly #request: TransportRequest;
  readonly #headers: readonly string[];
  readonly #settings: HttpExchangeSettings;
  readonly #onSignal = (): void => this.abort('the caller gave up');
  #resolve: ((result: TransportResult) => void) | undefined;
  #deadline: Timer | undefined;
  #cancelWait: (() => void) | undefined;
  #connection: Connection | undefined;
  #head: { readonly status: number; readonly headers: Readonly<Record<string, string>> } | undefined;
  #chunks: Buffer[] = [];
  #size = 0;

  constructor(pool: OriginPool, request: TransportRequest, settings: HttpExchangeSettings) {
    this.#pool = pool;
    this.#request = request;
    this.#headers = requestHeaders(request);
    this.#settings = settings;
  }

  /** To be called once; never rejects. */
  run(): Promise<TransportResult> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#start();
    });
  }

  abort(message: string): void {
    this.#fail('aborted', message);
  }

  /** Without it undici would take this for a handler of the old interface. */
  onRequestStart(): void {}

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: object): void {
    if (status >= 200) this.#head = { status, headers: responseHeaders(headers as Record<string, unknown>) };
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const room = this.#settings.maxResponseBytes - this.#size;
    this.#size += chunk.length;
    this.#chunks.push(chunk.length > room ? chunk.subarray(0, room) : chunk);
    if (chunk.length > room) this.#settle(this.#response(true), false);
  }

  onResponseEnd(): void {
    this.#settle(this.#response(false), true);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#fail(networkFailure(error), networkMessage(error));
  }

  #start(): void {
    const { signal, timeoutMillis } = this.#request;
    if (signal?.aborted) {
      this.#onSignal();
      return;
    }
    signal?.addEventListener('abort', this.#onSignal, { once: true });
    const expire = (): void => this.#fail('timeout', `no answer within ${timeoutMillis} ms`);
    this.#deadline = this.#settings.clock.schedule(expire, timeoutMillis);
    try {
      this.#cancelWait = this.#pool.acquire((connection) => this.#dispatch(connection));
    } catch (error) {
      this.#fail(networkFailure(error), networkMessage(error));
    }
  }

  #dispatch(connection: Connection): void {
    this.#connection = connection;
    const { url, body, proxy } = this.#request;
    const target = `${url.pathname}${url.search}`;
    // A proxy is asked for the whole URL, unless there is a tunnel (RFC 9112, section 3.2.2).
    const path = proxy !== undefined && url.protocol === 'http:' ? `${url.origin}${target}` : target;
    connection.dispatch({ method: 'POST', path, headers: this.#headers as string[], body }, this);
  }

  #fail(reason: TransportFailure, message: string): void {
    const failed = { kind: 'failed', reason, message: scrubMessage(message, this.#secrets) } as const;
    this.#settle(this.#response(true) ?? failed, false);
  }

  /** The headers as an object, for what masks their values. */
  get #secrets(): Readonly<Record<string, string>> {
    const secrets: Record<string, string> = {};
    for (let index = 0; index < this.#headers.length; index += 2) {
      secrets[this.#headers[index] as string] = this.#headers[index + 1] as string;
    }
    return secrets;
  }

  #response(truncated: boolean): TransportResult | undefined {
    const { status, headers } = this.#head ?? {};
    if (status === undefined || headers === undefined) return undefined;
    const body = this.#chunks.length === 0 ? EMPTY : Buffer.concat(this.#chunks);
    return { kind: 'response', status, headers, body, truncated };
  }

  #settle(result: TransportResult | undefined, reusable: boolean): void {
    const resolve = this.#resolve;
    if (!resolve || !result) return;
    this.#resolve = undefined;
    this.#deadline?.cancel();
    this.#request.signal?.removeEventListener('abort', this.#onSignal);
    this.#cancelWait?.();
    this.#chunks = [];
    resolve(result);
    this.#settings.ended(this);
    if (this.#connection) this.#pool.release(this.#connection, reusable);
  }
}

/** Names and values in turn: what undici takes without a conversion. A copy: the caller may change its own. */
function requestHeaders({ headers, proxy, url }: TransportRequest): readonly string[] {
  const kept: string[] = [];
  for (const name of Object.keys(headers)) {
    if (!CONNECTION_HEADERS.has(name.toLowerCase())) kept.push(name, headers[name] as string);
  }
  // Only where the proxy reads it: inside a tunnel it would be shown to the receiver.
  const authorization = proxy && url.protocol === 'http:' ? proxyAuthorization(proxy.reveal()) : undefined;
  if (authorization !== undefined) kept.push('proxy-authorization', authorization);
  return kept;
}

/** A header that occurs twice is ambiguous and left out. */
function responseHeaders(headers: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  const kept: Record<string, string> = {};
  for (const name of RESPONSE_HEADERS) {
    const value = headers[name];
    if (typeof value === 'string') kept[name] = value;
  }
  return kept;
}
