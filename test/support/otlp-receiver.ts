import { once } from 'node:events';
import http, { type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import http2, { type Http2Server, type ServerHttp2Stream } from 'node:http2';
import https from 'node:https';
import net, { type AddressInfo, type Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import { answerGrpc, readFrame } from './grpc-answers.ts';
import { answerHttp, type Later } from './http-answers.ts';
import { allSpans, type DecodedSpan, decodeTraceRequest } from './otlp-decoder.ts';
import { decodeJsonTraceRequest } from './otlp-json-decoder.ts';
import {
  type FaultPlan,
  isAcknowledged,
  isAcknowledgedByGrpc,
  type ReceiverFault,
  type RequestHead,
} from './receiver-faults.ts';
import { type ConnectionFault, ReceiverListener } from './receiver-listener.ts';

export type { ReceiverFault } from './receiver-faults.ts';

export interface ReceivedRequest extends RequestHead {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Decompressed; of a gRPC call the message. */
  readonly body: Uint8Array;
  /** As on the wire. */
  readonly raw: Uint8Array;
  /** Milliseconds since the Unix epoch. */
  readonly receivedAt: number;
  /** Equal for requests on the same connection. */
  readonly socketId: number;
  /** Whether the receiver keeps the spans. */
  readonly accepted: boolean;
  /** Whether it tells so: a 2xx status, or OK, was or is going to be the answer. */
  readonly acknowledged: boolean;
  /** Decoded, of accepted requests only. */
  readonly spans: readonly DecodedSpan[];
  /** How many of them the receiver said that it does not take. */
  readonly rejected: number;
}

export interface ReceiverOptions {
  /** Default `http`, which is OTLP/HTTP with protobuf and JSON. */
  readonly protocol?: 'http' | 'grpc';
  readonly fault?: FaultRule;
  /** Makes it an https receiver. `requestCert` demands a client certificate of `ca`. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly ca?: string; readonly requestCert?: boolean };
  /** Node's default, 5,000: how long an idle connection stays open. */
  readonly keepAliveTimeoutMillis?: number;
  /** Default: a free one. */
  readonly port?: number;
  /** Gets each request, of which then nothing is kept, before it is answered. */
  readonly observe?: (request: ReceivedRequest) => Promise<void>;
}

/** A function decides with the body at hand, counted from 0 since it was set. */
export type FaultRule = ReceiverFault | FaultPlan | ((request: ReceivedRequest, index: number) => ReceiverFault);

/** An OTLP receiver on a free port of the loopback interface. */
export async function startReceiver(options: ReceiverOptions = {}): Promise<OtlpReceiver> {
  const receiver = new OtlpReceiver(options);
  await receiver.listen();
  return receiver;
}

/** A base URL at which connections are refused. */
export async function refusedUrl(): Promise<string> {
  const server = net.createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return `http://127.0.0.1:${port}`;
}

interface Exchange {
  readonly head: RequestHead & { readonly method: string };
  readonly upload: Readable;
  readonly socket: Socket | undefined;
  /** Sends what the fault says; not for those that the receiver itself takes care of. */
  answer(fault: ReceiverFault): void;
  reset(): void;
}

export class OtlpReceiver implements AsyncDisposable {
  /** Everything received, in order, refused requests included. */
  readonly requests: ReceivedRequest[] = [];
  readonly #options: ReceiverOptions;
  readonly #isGrpc: boolean;
  readonly #listener: ReceiverListener;
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #watchers = new Set<() => void>();
  readonly #spans: DecodedSpan[] = [];
  readonly #faults = new Map<string, ReceiverFault | FaultPlan>();
  #fault: FaultRule;
  #faultSince = 0;
  #received = 0;

  constructor(options: ReceiverOptions) {
    this.#options = options;
    this.#fault = options.fault ?? { mode: 'ok' };
    this.#isGrpc = options.protocol === 'grpc';
    const inner = this.#isGrpc ? this.#createGrpc() : this.#createHttp();
    this.#listener = new ReceiverListener(inner, options.port ?? 0, () => this.#changed());
  }

  get connections(): { readonly open: number; readonly total: number } {
    return this.#listener.connections;
  }

  /** Also after `refuse`, then on the same port as before. */
  listen(): Promise<void> {
    return this.#listener.listen();
  }

  /** Refuses connections from now on, and resets those that are open. */
  refuse(): Promise<void> {
    return this.#listener.stop();
  }

  get port(): number {
    return this.#listener.port;
  }

  /** Base URL without a path, such as `http://127.0.0.1:4318`. */
  get url(): string {
    return `${this.#options.tls ? 'https' : 'http'}://127.0.0.1:${this.port}`;
  }

  /** Applies to requests from now on. */
  setFault(fault: FaultRule): void {
    this.#faultSince = this.#received;
    this.#fault = fault;
  }

  /** Applies to the requests of one tenant from now on, whatever the others meet; undefined: no longer. */
  setFaultOf(tenantId: string, fault: ReceiverFault | FaultPlan | undefined): void {
    if (fault === undefined) this.#faults.delete(tenantId);
    else this.#faults.set(tenantId, fault);
  }

  /** No tenant meets a fault of its own any more, and nobody any other. */
  clearFaults(): void {
    this.#faults.clear();
    this.setFault({ mode: 'ok' });
  }

  /** Applies to connections from now on. */
  setConnectionFault(fault: ConnectionFault): void {
    this.#listener.connectionFault = fault;
  }

  /** The spans of accepted requests, in order of arrival. */
  spans(): readonly DecodedSpan[] {
    return this.#spans;
  }

  /** Resolves once `count` spans were accepted. */
  async waitForSpans(count: number, timeoutMillis = 10_000): Promise<readonly DecodedSpan[]> {
    await this.#until(
      () => this.#spans.length >= count,
      timeoutMillis,
      () => `${this.#spans.length} of ${count} spans`,
    );
    return this.#spans;
  }

  /** Resolves once `count` requests were read, whatever the answer. */
  async waitForRequests(count: number, timeoutMillis = 10_000): Promise<readonly ReceivedRequest[]> {
    const state = (): string => `${this.requests.length} of ${count} requests`;
    await this.#until(() => this.requests.length >= count, timeoutMillis, state);
    return this.requests;
  }

  /** Resolves once exactly `open` connections are left. */
  async waitForConnections(open: number, timeoutMillis = 10_000): Promise<void> {
    const state = (): string => `${this.connections.open} connections instead of ${open}`;
    await this.#until(() => this.connections.open === open, timeoutMillis, state);
  }

  /** Cuts all connections with a reset, but goes on listening. */
  resetConnections(): void {
    for (const socket of this.#listener.sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    await this.#listener.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #createHttp(): http.Server {
    const { tls, keepAliveTimeoutMillis = 5_000 } = this.#options;
    const settings = { keepAliveTimeout: keepAliveTimeoutMillis };
    const serve = (message: IncomingMessage, response: ServerResponse): void => {
      const reset = (): void => {
        if (tls) message.socket.destroy();
        else message.socket.resetAndDestroy();
      };
      this.#serve({
        head: { ...headOf(message.url ?? '', message.headers), method: message.method ?? '' },
        upload: message,
        socket: this.#listener.find(message.socket),
        answer: (fault) => answerHttp(fault, message, response, { later: this.#later, reset }),
        reset,
      }).catch(() => response.destroy());
    };
    return tls ? https.createServer({ ...settings, ...tls }, serve) : http.createServer(settings, serve);
  }

  #createGrpc(): Http2Server {
    const { tls } = this.#options;
    const server = tls ? http2.createSecureServer(tls) : http2.createServer();
    server.on('sessionError', () => {});
    server.on('stream', (stream: ServerHttp2Stream, headers) => {
      stream.on('error', () => {});
      const { session } = stream;
      const socket = session && this.#listener.find(session.socket);
      const reset = (): void => void (tls ? session?.destroy() : socket?.resetAndDestroy());
      const close = (): void => void socket?.end();
      this.#serve({
        head: { ...headOf(headers[':path'] ?? '', headers), method: headers[':method'] ?? '' },
        upload: stream,
        socket,
        // Not inside of Node's parser, which aborts the process when its session ends there (nodejs/node#64850).
        answer: (fault) => void setImmediate(() => answerGrpc(fault, stream, { later: this.#later, reset, close })),
        reset: () => void setImmediate(reset),
      }).catch(() => stream.destroy());
    });
    return server;
  }

  async #serve(exchange: Exchange): Promise<void> {
    const { head, upload } = exchange;
    const rule = (head.tenantId === undefined ? undefined : this.#faults.get(head.tenantId)) ?? this.#fault;
    const early = typeof rule === 'function' ? undefined : 'next' in rule ? rule.next(head) : rule;
    const endsEarly = early !== undefined && this.#endEarly(early, exchange);
    const raw = endsEarly ? Buffer.alloc(0) : await this.#read(upload, early);
    const received = {
      ...head,
      spans: [] as readonly DecodedSpan[],
      rejected: 0,
      body: this.#decompress(raw, head),
      raw,
      receivedAt: Date.now(),
      socketId: this.#listener.idOf(exchange.socket),
      accepted: false,
      acknowledged: false,
    };
    const fault = early ?? (rule as (of: ReceivedRequest, index: number) => ReceiverFault)(received, this.#index);
    received.acknowledged = this.#isGrpc ? isAcknowledgedByGrpc(fault) : isAcknowledged(fault);
    received.accepted = received.acknowledged || fault.mode === 'stored-then-reset';
    if (fault.mode === 'partial-success') received.rejected = fault.rejected;
    received.spans = this.#spansOf(received);
    this.#received += 1;
    if (this.#options.observe) await this.#options.observe(received);
    else this.#keep(received);
    if (!endsEarly) exchange.answer(fault);
    this.#changed();
  }

  get #index(): number {
    return this.#received - this.#faultSince;
  }

  /** Whether the fault leaves the upload unread. */
  #endEarly(fault: ReceiverFault, { answer, reset }: Exchange): boolean {
    if (fault.mode === 'reset-before-body') reset();
    else if (fault.mode === 'early-answer') answer(fault);
    else return fault.mode === 'hang-before-body';
    return true;
  }

  async #read(upload: Readable, fault: ReceiverFault | undefined): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of upload) {
      chunks.push(chunk as Buffer);
      if (fault?.mode !== 'slow-read') continue;
      await new Promise<void>((resolve) => {
        this.#later(fault.intervalMillis, resolve);
      });
    }
    return Buffer.concat(chunks);
  }

  #decompress(raw: Buffer, { headers }: RequestHead): Uint8Array {
    if (raw.length === 0) return raw;
    if (this.#isGrpc) return readFrame(raw);
    return headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw;
  }

  #spansOf({ accepted, path, headers, raw, body }: ReceivedRequest): readonly DecodedSpan[] {
    const hasSpans = this.#isGrpc ? !/\.(?:logs|metrics)\.v1\./.test(path) : /\/v\d\/traces$/.test(path);
    if (!hasSpans || raw.length === 0 || !accepted) return [];
    return allSpans(
      (headers['content-type'] === 'application/json' ? decodeJsonTraceRequest : decodeTraceRequest)(body),
    );
  }

  #keep(received: ReceivedRequest): void {
    this.requests.push(received);
    if (received.accepted) this.#spans.push(...received.spans);
  }

  readonly #later: Later = (millis, callback) => {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      callback();
    }, millis);
    this.#timers.add(timer);
  };

  #changed(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }

  #until(holds: () => boolean, timeoutMillis: number, state: () => string): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        if (!holds()) return;
        stop();
        resolve();
      };
      const timer = setTimeout(() => {
        stop();
        reject(new Error(`the receiver had ${state()} after ${timeoutMillis} ms`));
      }, timeoutMillis);
      const stop = (): void => {
        clearTimeout(timer);
        this.#watchers.delete(check);
      };
      this.#watchers.add(check);
      check();
    });
  }
}

function headOf(path: string, headers: IncomingHttpHeaders): RequestHead {
  const tenant = headers['x-tenant'];
  const inPath = /^\/t\/([^/]+)\//.exec(path)?.[1];
  return { path, headers, tenantId: typeof tenant === 'string' ? tenant : inPath && decodeURIComponent(inPath) };
}
