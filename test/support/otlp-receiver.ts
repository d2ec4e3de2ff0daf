import { once } from 'node:events';
import http, { type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import net, { type AddressInfo, type Socket } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { allSpans, type DecodedSpan, decodeTraceRequest } from './otlp-decoder.ts';
import { decodeJsonTraceRequest } from './otlp-json-decoder.ts';

/** How the receiver treats a request once it has read it. */
export type ReceiverFault =
  | { readonly mode: 'ok' }
  /** Reads the request and never answers. */
  | { readonly mode: 'hang' }
  /** Answers with this; redirects too. */
  | {
      readonly mode: 'status';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string | Uint8Array;
    }
  /** Sends the header at once, then one byte each interval, forever. */
  | { readonly mode: 'slow-body'; readonly status?: number; readonly intervalMillis?: number }
  | { readonly mode: 'reset-before-status' }
  /** Sends the header and the beginning of a body, then resets the connection. */
  | {
      readonly mode: 'reset-after-status';
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | { readonly mode: 'partial-success'; readonly rejected: number; readonly message?: string }
  /** Good, but late. */
  | { readonly mode: 'delay'; readonly millis: number }
  | { readonly mode: 'big-body'; readonly bytes: number; readonly status?: number }
  /** Answers with bytes that are no HTTP. */
  | { readonly mode: 'garbage' }
  /** Good, and closes the connection right after, without announcing it. */
  | { readonly mode: 'ok-then-close' };

export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Decompressed. */
  readonly body: Uint8Array;
  /** As on the wire. */
  readonly raw: Uint8Array;
  /** Milliseconds since the Unix epoch. */
  readonly receivedAt: number;
  /** Equal for requests on the same connection. */
  readonly socketId: number;
  /** Whether a 2xx status was, or is going to be, the answer. */
  readonly accepted: boolean;
}

export interface ReceiverOptions {
  readonly fault?: ReceiverFault;
  /** Makes it an https receiver. `requestCert` demands a client certificate of `ca`. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly ca?: string; readonly requestCert?: boolean };
  /** Node's default, 5,000: how long an idle connection stays open. */
  readonly keepAliveTimeoutMillis?: number;
}

type FaultRule = ReceiverFault | ((request: ReceivedRequest, index: number) => ReceiverFault);

/** An OTLP/HTTP receiver on a free port of the loopback interface. */
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

export class OtlpReceiver implements AsyncDisposable {
  /** Everything received, in order, refused requests included. */
  readonly requests: ReceivedRequest[] = [];
  /** Connections by state. */
  readonly connections = { open: 0, total: 0 };
  readonly #server: http.Server | https.Server;
  readonly #scheme: string;
  readonly #sockets = new Map<Socket, number>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #watchers = new Set<() => void>();
  readonly #spans: DecodedSpan[] = [];
  #fault: FaultRule;

  constructor({ fault = { mode: 'ok' }, tls, keepAliveTimeoutMillis = 5_000 }: ReceiverOptions) {
    this.#fault = fault;
    this.#scheme = tls ? 'https' : 'http';
    const settings = { keepAliveTimeout: keepAliveTimeoutMillis, noDelay: true };
    this.#server = tls ? https.createServer({ ...settings, ...tls }) : http.createServer(settings);
    this.#server.on('connection', (socket: Socket) => this.#track(socket));
    this.#server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      this.#receive(request, response).catch(() => response.destroy());
    });
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Base URL without a path, such as `http://127.0.0.1:4318`. */
  get url(): string {
    return `${this.#scheme}://127.0.0.1:${this.port}`;
  }

  /** Applies to requests from now on. A function decides for each request, counted from 0 since it was set. */
  setFault(fault: FaultRule): void {
    const first = this.requests.length;
    this.#fault = typeof fault === 'function' ? (request, index) => fault(request, index - first) : fault;
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
    for (const socket of this.#sockets.keys()) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of this.#sockets.keys()) socket.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #track(socket: Socket): void {
    this.connections.total += 1;
    this.connections.open += 1;
    this.#sockets.set(socket, this.connections.total);
    // Resets are what many tests are about.
    socket.on('error', () => {});
    socket.once('close', () => {
      this.connections.open -= 1;
      this.#sockets.delete(socket);
      this.#changed();
    });
    this.#changed();
  }

  async #receive(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of message) chunks.push(chunk as Buffer);
    const raw = Buffer.concat(chunks);
    const received = {
      method: message.method ?? '',
      path: message.url ?? '',
      headers: message.headers,
      body: message.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw,
      raw,
      receivedAt: Date.now(),
      socketId: this.#socketId(message.socket),
      accepted: false,
    };
    const fault = typeof this.#fault === 'function' ? this.#fault(received, this.requests.length) : this.#fault;
    received.accepted = isAccepted(fault);
    this.requests.push(received);
    if (received.accepted && received.path.endsWith('/v1/traces')) {
      const isJson = received.headers['content-type'] === 'application/json';
      const decode = isJson ? decodeJsonTraceRequest : decodeTraceRequest;
      this.#spans.push(...allSpans(decode(received.body)));
    }
    this.#answer(fault, message, response);
    this.#changed();
  }

  /** Over TLS the request knows only the encrypted socket, not the one of the `connection` event. */
  #socketId(socket: Socket): number {
    const known = this.#sockets.get(socket);
    if (known !== undefined) return known;
    for (const [candidate, id] of this.#sockets) {
      if (candidate.remotePort === socket.remotePort) return id;
    }
    return 0;
  }

  #answer(fault: ReceiverFault, { socket, headers }: IncomingMessage, response: ServerResponse): void {
    const type = headers['content-type'] === 'application/json' ? 'application/json' : 'application/x-protobuf';
    const ok = (body: string | Uint8Array = type === 'application/json' ? '{}' : ''): void => {
      response.writeHead(200, { 'content-type': type }).end(body);
    };
    switch (fault.mode) {
      case 'ok':
        ok();
        break;
      case 'hang':
        break;
      case 'status':
        response.writeHead(fault.status, fault.headers ?? {}).end(fault.body ?? '');
        break;
      case 'slow-body':
        response.writeHead(fault.status ?? 200, { 'content-type': type, 'content-length': '1000000' });
        this.#trickle(response, fault.intervalMillis ?? 20);
        break;
      case 'reset-before-status':
        reset(socket);
        break;
      case 'reset-after-status':
        response.writeHead(fault.status ?? 200, { ...fault.headers, 'content-length': '1000' });
        // The bytes must have left before the reset, which discards what is buffered.
        response.write('0123456789', () => this.#later(20, () => reset(socket)));
        break;
      case 'partial-success':
        ok(partialSuccess(type, fault.rejected, fault.message ?? ''));
        break;
      case 'delay':
        this.#later(fault.millis, () => ok());
        break;
      case 'big-body':
        response.writeHead(fault.status ?? 200, { 'content-type': type }).end(Buffer.alloc(fault.bytes));
        break;
      case 'garbage':
        socket.end('SSH-2.0-OpenSSH_9.9\r\n');
        break;
      case 'ok-then-close':
        response.once('finish', () => socket.end());
        ok();
        break;
    }
  }

  #trickle(response: ServerResponse, intervalMillis: number): void {
    if (response.destroyed) return;
    response.write('.');
    this.#later(intervalMillis, () => this.#trickle(response, intervalMillis));
  }

  #later(millis: number, callback: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      callback();
    }, millis);
    this.#timers.add(timer);
  }

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

function isAccepted(fault: ReceiverFault): boolean {
  switch (fault.mode) {
    case 'ok':
    case 'ok-then-close':
    case 'delay':
    case 'partial-success':
      return true;
    case 'status':
      return fault.status < 300;
    case 'slow-body':
    case 'reset-after-status':
    case 'big-body':
      return (fault.status ?? 200) < 300;
    default:
      return false;
  }
}

function reset(socket: Socket): void {
  if ('encrypted' in socket) socket.destroy();
  else socket.resetAndDestroy();
}

function partialSuccess(type: string, rejected: number, message: string): string | Uint8Array {
  if (type === 'application/json') {
    return JSON.stringify({ partialSuccess: { rejectedSpans: String(rejected), errorMessage: message } });
  }
  const text = Buffer.from(message);
  const partial = Buffer.concat([
    Buffer.from([0x08, ...varint(rejected)]),
    Buffer.from([0x12, ...varint(text.length)]),
    text,
  ]);
  return Buffer.concat([Buffer.from([0x0a, ...varint(partial.length)]), partial]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  return [...bytes, rest];
}
