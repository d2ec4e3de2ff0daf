import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import { Metadata, Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import { allSpans, type DecodedSpan, decodeTraceRequest } from './otlp-decoder.ts';
import { bytesField, numberField, retryInfo, rpcStatus } from './rpc-status.ts';

/** How the receiver treats a call once it has read it. */
export type GrpcFault =
  | { readonly mode: 'ok' }
  /** Reads the message and never answers. */
  | { readonly mode: 'hang' }
  | {
      readonly mode: 'status';
      readonly code: number;
      readonly message?: string;
      /** Adds a `google.rpc.RetryInfo`. */
      readonly retryInfoSeconds?: number;
    }
  /** Good, but late. */
  | { readonly mode: 'delay'; readonly millis: number }
  | { readonly mode: 'partial-success'; readonly rejected: number; readonly message?: string }
  | { readonly mode: 'big-response'; readonly bytes: number }
  /** Resets the connection in place of an answer. */
  | { readonly mode: 'reset' }
  /** Sends the header, then resets the connection. */
  | { readonly mode: 'reset-after-header' }
  /** Good, and announces that the connection takes no further calls. */
  | { readonly mode: 'goaway' };

export interface ReceivedCall {
  readonly metadata: Readonly<Record<string, string | Buffer>>;
  /** Decompressed. */
  readonly body: Uint8Array;
  /** How long the caller said that it would wait. */
  readonly timeoutMillis: number;
  /** `:authority`. */
  readonly host: string;
  /** Equal for calls on the same connection. */
  readonly socketId: number;
  /** Whether OK was, or is going to be, the answer. */
  readonly accepted: boolean;
}

export interface GrpcReceiverOptions {
  readonly fault?: GrpcFault;
  /** Makes it an https receiver. `requestCert` demands a client certificate of `ca`. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly ca?: string; readonly requestCert?: boolean };
}

type FaultRule = GrpcFault | ((index: number) => GrpcFault);
type Call = ServerUnaryCall<Buffer, Buffer>;
type Answer = sendUnaryData<Buffer>;

export const TRACE_EXPORT = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

/** An OTLP/gRPC trace receiver on a free port of the loopback interface. */
export async function startGrpcReceiver(options: GrpcReceiverOptions = {}): Promise<GrpcReceiver> {
  const receiver = new GrpcReceiver(options);
  await receiver.listen();
  return receiver;
}

export class GrpcReceiver implements AsyncDisposable {
  /** Everything received, in order, refused calls included. */
  readonly calls: ReceivedCall[] = [];
  readonly connections = { open: 0, total: 0 };
  /** Calls that ended before they were answered, by the caller or with their connection. */
  cancelled = 0;
  readonly #scheme: string;
  readonly #listener = net.createServer({ noDelay: true }, (socket) => this.#track(socket));
  readonly #server = new Server({ 'grpc.enable_channelz': 0 });
  readonly #injector: ReturnType<Server['createConnectionInjector']>;
  readonly #sockets = new Map<Socket, number>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #watchers = new Set<() => void>();
  readonly #spans: DecodedSpan[] = [];
  #fault: FaultRule;
  #faultSince = 0;

  constructor({ fault = { mode: 'ok' }, tls }: GrpcReceiverOptions) {
    this.#fault = fault;
    this.#scheme = tls ? 'https' : 'http';
    this.#server.addService(
      {
        Export: {
          path: TRACE_EXPORT,
          requestStream: false,
          responseStream: false,
          requestSerialize: asIs,
          requestDeserialize: asIs,
          responseSerialize: asIs,
          responseDeserialize: asIs,
        },
      },
      { Export: (call: Call, answer: Answer) => this.#receive(call, answer) },
    );
    this.#injector = this.#server.createConnectionInjector(credentialsOf(tls));
  }

  async listen(): Promise<void> {
    this.#listener.listen(0, '127.0.0.1');
    await once(this.#listener, 'listening');
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port;
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${this.port}`;
  }

  /** Applies to calls from now on. A function decides for each call, counted from 0 since it was set. */
  setFault(fault: FaultRule): void {
    this.#faultSince = this.calls.length;
    this.#fault = fault;
  }

  /** On the connections that are open, as on the wire. */
  get bytesRead(): number {
    return [...this.#sockets.keys()].reduce((sum, { bytesRead }) => sum + bytesRead, 0);
  }

  /** The spans of accepted calls, in order of arrival. */
  spans(): readonly DecodedSpan[] {
    return this.#spans;
  }

  async waitForSpans(count: number): Promise<readonly DecodedSpan[]> {
    await this.#until(
      () => this.#spans.length >= count,
      () => `${this.#spans.length} of ${count} spans`,
    );
    return this.#spans;
  }

  /** Resolves once `count` calls were read, whatever the answer. */
  async waitForCalls(count: number): Promise<readonly ReceivedCall[]> {
    await this.#until(
      () => this.calls.length >= count,
      () => `${this.calls.length} of ${count} calls`,
    );
    return this.calls;
  }

  /** Resolves once exactly `open` connections are left. */
  async waitForConnections(open: number): Promise<void> {
    await this.#until(
      () => this.connections.open === open,
      () => `${this.connections.open} connections instead of ${open}`,
    );
  }

  /** Tells all connections to go away, and closes them when their calls have ended. */
  goAway(): void {
    this.#injector.drain(60_000);
  }

  /** Cuts all connections with a reset, but goes on listening. */
  resetConnections(): void {
    for (const socket of this.#sockets.keys()) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of this.#sockets.keys()) socket.destroy();
    this.#injector.destroy();
    this.#server.forceShutdown();
    if (!this.#listener.listening) return;
    this.#listener.close();
    await once(this.#listener, 'close');
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
    this.#injector.injectConnection(socket);
    this.#changed();
  }

  #receive(call: Call, answer: Answer): void {
    call.once('cancelled', () => {
      this.cancelled += 1;
    });
    const rule = this.#fault;
    const fault = typeof rule === 'function' ? rule(this.calls.length - this.#faultSince) : rule;
    const accepted = ['ok', 'delay', 'partial-success', 'big-response', 'goaway'].includes(fault.mode);
    const socket = this.#socketOf(call);
    this.calls.push({
      metadata: call.metadata.getMap(),
      body: call.request,
      timeoutMillis: Number(call.getDeadline()) - Date.now(),
      host: call.getHost(),
      socketId: (socket && this.#sockets.get(socket)) ?? 0,
      accepted,
    });
    if (accepted) this.#spans.push(...allSpans(decodeTraceRequest(call.request)));
    this.#answer(fault, call, answer, socket);
    this.#changed();
  }

  #socketOf(call: Call): Socket | undefined {
    return [...this.#sockets.keys()].find(({ remotePort }) => call.getPeer().endsWith(`:${remotePort}`));
  }

  #answer(fault: GrpcFault, call: Call, answer: Answer, socket: Socket | undefined): void {
    const ok = (body: Buffer = Buffer.alloc(0)): void => answer(null, body);
    switch (fault.mode) {
      case 'ok':
        ok();
        break;
      case 'hang':
        break;
      case 'status':
        answer({ code: fault.code, details: fault.message ?? '', metadata: statusMetadata(fault) });
        break;
      case 'delay':
        this.#later(fault.millis, () => ok());
        break;
      case 'partial-success':
        ok(partialSuccess(fault.rejected, fault.message ?? ''));
        break;
      case 'big-response':
        ok(bytesField(15, Buffer.alloc(fault.bytes)));
        break;
      case 'reset':
        socket?.resetAndDestroy();
        break;
      case 'reset-after-header':
        call.sendMetadata(new Metadata());
        // The header must have left before the reset, which discards what is buffered.
        this.#later(20, () => socket?.resetAndDestroy());
        break;
      case 'goaway':
        this.goAway();
        ok();
        break;
    }
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

  #until(holds: () => boolean, state: () => string): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        clearTimeout(timer);
        this.#watchers.delete(check);
      };
      const timer = setTimeout(() => {
        stop();
        reject(new Error(`the receiver had ${state()} after 10 s`));
      }, 10_000);
      const check = (): void => {
        if (!holds()) return;
        stop();
        resolve();
      };
      this.#watchers.add(check);
      check();
    });
  }
}

function credentialsOf(tls: GrpcReceiverOptions['tls']): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  const pair = { private_key: Buffer.from(tls.key), cert_chain: Buffer.from(tls.cert) };
  return ServerCredentials.createSsl(tls.ca === undefined ? null : Buffer.from(tls.ca), [pair], tls.requestCert);
}

function statusMetadata({ code, message = '', retryInfoSeconds }: GrpcFault & { mode: 'status' }): Metadata {
  const metadata = new Metadata();
  if (retryInfoSeconds !== undefined) {
    metadata.set('grpc-status-details-bin', rpcStatus(code, message, [retryInfo(BigInt(retryInfoSeconds))]));
  }
  return metadata;
}

function partialSuccess(rejected: number, message: string): Buffer {
  return bytesField(1, Buffer.concat([numberField(1, BigInt(rejected)), bytesField(2, Buffer.from(message))]));
}

function asIs(bytes: Buffer): Buffer {
  return bytes;
}
